#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""each.py FILE COMMAND: runs the shell command for every word of FILE, as many at a time as there are
cores; {} in it stands for the word.

What each printed comes in one piece, when it has ended. After a failure no more are begun, and what
failed is told last.
"""

import concurrent.futures
import os
import pathlib
import subprocess
import sys


class Each:
    def __init__(self, template):
        self.template = template
        self.failed = []

    def run(self, word):
        if self.failed:
            return
        command = self.template.replace("{}", word)
        done = subprocess.run(["bash", "-c", command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, check=False)
        out = done.stdout.decode("utf-8", "replace")
        if done.returncode == 0:
            print(out, end="", flush=True)
        else:
            self.failed.append(f"{out}{word}: exit {done.returncode}; again: {command}")


def main():
    file, template = sys.argv[1:]
    words = pathlib.Path(file).read_text(encoding="utf-8").split()
    each = Each(template)
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(each.run, words))
    print("\n".join(each.failed), end="\n" if each.failed else "")
    return 1 if each.failed or not words else 0


if __name__ == "__main__":
    sys.exit(main())
