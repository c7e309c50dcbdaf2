#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""tidy.py: the rules of form that a script can check. Prints one line per offence; exit 1 if any.

    tools/tidy/tidy.py [--no-format]

What is checked: licence line, opening comment with `Thread:`, sizes of files and functions, number of
parameters, includes along layers.txt, kernel headers behind env, words and calls that do not belong
here, clang-format, and that ARCHITECTURE.md and the tables of docs/ name things that exist.
"""

import argparse
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
LINE_MAX = 100
FILE_LINES_MAX = 1200
FUNCTION_LINES_MAX = 80
DISPATCHER_LINES_MAX = 150
PARAMETERS_MAX = 5
OUT_PARAMETERS = ("out", "why", "error", "result", "report")

BANNED_CALLS = re.compile(r"\b(strcpy|strcat|sprintf|vsprintf|atoi|atol|strtok|gets|alloca)\s*\(")
# Words of unfinished work, put together here so that this file does not offend.
UNFINISHED = re.compile(r"\b(" + "|".join(["TO" + "DO", "FIX" + "ME", "X" + "XX", "HA" + "CK"]) + r")\b")
KERNEL_HEADERS = re.compile(
    r"#include <(sys/(socket|epoll|eventfd|timerfd|signalfd|stat|mman|file|statvfs|resource|sendfile)"
    r"|fcntl|pthread|netinet/\w+|netdb|poll|time|dirent)\.h>")
MAY_CALL_KERNEL = ("src/env/", "test/", "bench/")


class Tidy:
    def __init__(self):
        self.offences = []

    def say(self, path, line, text):
        self.offences.append(f"{path}:{line}: {text}")


def tracked(*patterns):
    out = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard", *patterns],
                         cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [p for p in out.splitlines() if (ROOT / p).is_file()]


def read(path):
    return (ROOT / path).read_text(encoding="utf-8")


def layers():
    table = {}
    for line in read("tools/tidy/layers.txt").splitlines():
        if line and not line.startswith("#"):
            name, _, below = line.partition(":")
            table[name.strip()] = set(below.split()) | {name.strip()}
    return table


def check_head(t, path, lines):
    """SPDX first; then a comment that says what the file is, with its thread rule."""
    first = lines[0] if lines else ""
    if first.startswith("#!"):
        first = lines[1] if len(lines) > 1 else ""
    if "SPDX-License-Identifier: Apache-2.0" not in first:
        t.say(path, 1, "no SPDX line at the top")
    if path.startswith("src/"):
        head = "\n".join(lines[:60])
        comment = re.search(r"/\*.*?\*/", head, re.S)
        if comment is None:
            t.say(path, 1, "no opening comment")
        elif "Thread:" not in comment.group(0) and not path.startswith("src/bin/"):
            t.say(path, 1, "the opening comment does not say `Thread:`")


def check_lines(t, path, lines):
    if len(lines) > FILE_LINES_MAX:
        t.say(path, len(lines), f"over {FILE_LINES_MAX} lines: is there a second noun inside?")
    for number, line in enumerate(lines, 1):
        if len(line) > LINE_MAX and "://" not in line:
            t.say(path, number, f"over {LINE_MAX} characters")
        if "\t" in line:
            t.say(path, number, "a tab")
        if line != line.rstrip():
            t.say(path, number, "blanks at the end")
        if UNFINISHED.search(line):
            t.say(path, number, "a word of unfinished work")
        if BANNED_CALLS.search(line):
            t.say(path, number, "a call that is not used here")
        if KERNEL_HEADERS.search(line) and not path.startswith(MAY_CALL_KERNEL):
            if not re.search(r"<(pthread|time)\.h>", line) or not path.startswith("src/base/"):
                t.say(path, number, "a kernel header outside src/env")
        if path.endswith(".c") and re.match(r"\s*#\s*(if|ifdef|ifndef|elif)\b", line):
            t.say(path, number, "conditional compilation in a .c file: put it behind a header")


def parameters(text):
    """The parameters of a definition's head, split at commas outside parentheses."""
    inner = text[text.index("(") + 1:text.rindex(")")]
    parts, depth, current = [], 0, ""
    for c in inner:
        depth += (c == "(") - (c == ")")
        if c == "," and depth == 0:
            parts.append(current)
            current = ""
        else:
            current += c
    parts.append(current)
    return [p.strip() for p in parts if p.strip() and p.strip() != "void"]


def check_functions(t, path, lines):
    start = None
    for number, line in enumerate(lines, 1):
        if line == "{" and start is None:
            start = number
            head = ""
            back = number - 2
            while back >= 0 and lines[back] and not lines[back].startswith(("}", "#", "/", " *")):
                head = lines[back] + " " + head
                back -= 1
            if "(" in head and ")" in head and "=" not in head.split("(")[0]:
                names = [re.sub(r"\W*(\w+)\W*$", r" \1", p).split()[-1] for p in parameters(head)]
                count = sum(1 for n in names if n not in OUT_PARAMETERS)
                if count > PARAMETERS_MAX:
                    t.say(path, number, f"{count} parameters besides out-parameters")
        elif line == "}" and start is not None:
            size = number - start
            body = "\n".join(lines[start:number])
            is_dispatcher = len(re.findall(r"^\s*(case |default:)", body, re.M)) * 4 > size
            limit = DISPATCHER_LINES_MAX if is_dispatcher else FUNCTION_LINES_MAX
            if size > limit:
                t.say(path, start, f"a function of {size} lines")
            start = None
        elif line.startswith("}"):
            start = None


def check_includes(t, path, lines, table):
    folder = path.split("/")[1]
    for number, line in enumerate(lines, 1):
        match = re.match(r'#include "([^"]+)"', line)
        if match is None:
            continue
        target = match.group(1).split("/")
        if len(target) < 2:
            t.say(path, number, "includes name their folder")
            continue
        if target[0] not in table.get(folder, set()):
            if not (path.endswith("_test.c") and target[0] in ("base", "env")):
                t.say(path, number, f"{folder} may not include {target[0]} (tools/tidy/layers.txt)")
        if target[0] != folder and target[1].endswith("_private.h"):
            t.say(path, number, "a private header of another folder")


def check_architecture(t):
    """`file:function` in ARCHITECTURE.md must be there."""
    path = "ARCHITECTURE.md"
    if not (ROOT / path).exists():
        t.say(path, 1, "is missing")
        return
    lines = read(path).splitlines()
    if len(lines) > 400:
        t.say(path, len(lines), "over 400 lines")
    for number, line in enumerate(lines, 1):
        for file, function in re.findall(r"`([\w/.]+\.[ch]):(\w+)`", line):
            found = ROOT / "src" / file if not file.startswith(("src/", "test/")) else ROOT / file
            if not found.is_file():
                t.say(path, number, f"{file} is not there")
            elif not re.search(rf"\b{function}\b", found.read_text(encoding="utf-8")):
                t.say(path, number, f"{file} has no {function}")


def check_checklists(t):
    """Tables in docs/ whose last column names tests: `file:test` must be there."""
    for path in tracked("docs/*.md", "docs/**/*.md"):
        for number, line in enumerate(read(path).splitlines(), 1):
            for file, test in re.findall(r"`((?:src|test)/[\w/.-]+):(\w+)`", line):
                found = ROOT / file
                if not found.is_file():
                    t.say(path, number, f"{file} is not there")
                elif not re.search(rf"\b{test}\b", found.read_text(encoding="utf-8")):
                    t.say(path, number, f"{file} has no {test}")


def check_topic_configs(t):
    """docs/topic-configs.md has a row for each topic config, and for each that works the tests that show it."""
    path, rows = "docs/topic-configs.md", {}
    for number, line in enumerate(read(path).splitlines(), 1):
        cells = [c.strip() for c in line.split("|")[1:-1]]
        if len(cells) == 3 and cells[0].startswith("`"):
            if cells[0] in rows:
                t.say(path, number, f"{cells[0]} is here twice")
            rows[cells[0]] = number, re.search(r"`(?:src|test)/[\w/.-]+:\w+`", cells[2]) is not None
    for line in read("schema/topic-configs.table").splitlines():
        cells = [c.strip() for c in line.split("|")]
        if line.startswith(("#", "[")) or len(cells) < 6:
            continue
        number, has_test = rows.pop(f"`{cells[0]}`", (0, False))
        if number == 0:
            t.say(path, 1, f"has no row for {cells[0]}")
        elif cells[5] == "works" and not has_test:
            t.say(path, number, f"names no test for {cells[0]}")
    for name, (number, _) in rows.items():
        t.say(path, number, f"{name} is no topic config")


def check_format(t, files):
    out = subprocess.run(["clang-format", "--dry-run", *files], cwd=ROOT, capture_output=True,
                         text=True, check=False).stderr
    seen = set()
    for match in re.finditer(r"^(\S+?):(\d+):\d+: (?:warning|error)", out, re.M):
        if match.group(1) not in seen:
            seen.add(match.group(1))
            t.say(match.group(1), match.group(2), "not as clang-format would have it: make format")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--no-format", action="store_true")
    args = parser.parse_args()
    t = Tidy()
    table = layers()
    sources = tracked("*.c", "*.h")
    for path in sources:
        lines = read(path).split("\n")
        if lines and lines[-1] == "":
            lines.pop()
        else:
            t.say(path, len(lines), "no newline at the end")
        check_head(t, path, lines)
        check_lines(t, path, lines)
        check_functions(t, path, lines)
        if path.startswith("src/"):
            check_includes(t, path, lines, table)
    for path in tracked("*.py", "*.sh", "*.go", "tools/deps", "schema/**", ".ci/run", "Makefile"):
        if "SPDX-License-Identifier" not in "\n".join(read(path).splitlines()[:2]):
            if not path.endswith(".md"):
                t.say(path, 1, "no SPDX line at the top")
    check_architecture(t)
    check_checklists(t)
    check_topic_configs(t)
    if not args.no_format:
        check_format(t, sources)
    for offence in t.offences:
        print(offence)
    print(f"tidy: {len(sources)} C files, {len(t.offences)} offences")
    return 1 if t.offences else 0


if __name__ == "__main__":
    sys.exit(main())
