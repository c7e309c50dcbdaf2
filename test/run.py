#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""run.py: what `make test` does: builds, then every group of tests, each with its time.

    test/run.py [--long] [GROUP ...]     groups by name; none: all
    test/run.py --list

A group is one command that exits 0 when all is well. Its output goes to build/test/GROUP.log and is
shown when it fails, with the command that repeats it, and its end again at the end of the run, for those
who keep no more. The last line is the totals.
"""

import argparse
import os
import pathlib
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
LOGS = ROOT / "build" / "test"
JOBS = str(os.cpu_count() or 2)
SHOWN_LINES = 120
REPEATED_LINES = 60


class Group:
    """One line of the report."""

    def __init__(self, name, command, long_only=False, limit_s=1200):
        self.name = name
        self.command = command
        self.long_only = long_only
        self.limit_s = limit_s


def cmake(build, *options, compiler="gcc", targets=()):
    """The shell command that configures and builds one tree."""
    configure = f"CC={compiler} cmake -S . -B {build} -G Ninja {' '.join(options)} > /dev/null"
    return f"{configure} && ninja -C {build} -j {JOBS} {' '.join(targets)} | tail -n 40"


def each(file, command):
    """For every word of a list that CMake wrote."""
    return f"test/each.py {file} '{command}'"


def groups():
    release = "build/release"
    asan = "build/asan"
    tsan = "build/tsan"
    strict = "ASAN_OPTIONS=detect_leaks=1:abort_on_error=0 UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1"
    return [
        Group("build", "set -o pipefail; " + cmake(release, "-DCMAKE_BUILD_TYPE=Release")
              + " && ln -sf release/klamm build/klamm"),
        Group("tidy", "python3 tools/tidy/tidy.py"),
        Group("build-asan", "set -o pipefail; " + cmake(
            asan, "-DCMAKE_BUILD_TYPE=Debug", "-DKLAMM_SANITIZE=address,undefined",
            compiler="clang")),
        Group("unit", each(f"{asan}/unit_tests.txt", f"{strict} {asan}/{{}}")),
        Group("fuzz", each(f"{asan}/fuzz_targets.txt",
                           f"{strict} {asan}/{{}} --runs 20000 --seed 1")),
        Group("fuzz-long", each(f"{asan}/fuzz_targets.txt",
                                f"{strict} {asan}/{{}} --runs 2000000 --seed $RANDOM"),
              long_only=True, limit_s=7200),
        Group("codec", f"test/codec/run.sh {release}"),
        Group("tables", f"test/tables/run.sh {release}"),
        Group("batch", f"test/batch/run.sh {release}"),
        Group("kafka-long", "set -e; for i in $(seq 20); do for t in codec tables batch; do "
              f"test/$t/run.sh {release} $RANDOM; done; done", long_only=True, limit_s=3600),
        Group("log", f"test/log/run.sh {release}"),
        Group("sim", f"test/sim/run.sh {release}"),
        Group("sim-long", f"test/sim/run.sh {release} --random 1000", long_only=True,
              limit_s=7200),
        Group("canaries", f"test/sim/canaries.sh {release}"),
        Group("canaries-long", f"test/sim/canaries.sh {release} --long", long_only=True),
        Group("stress", "set -o pipefail; " + cmake(
            tsan, "-DCMAKE_BUILD_TYPE=Debug", "-DKLAMM_SANITIZE=thread", compiler="clang",
            targets=("klamm", "test_log")) + f" && {tsan}/test_log file_cache"
            f" && test/stress/run.sh {tsan}"),
        Group("cli", f"test/cli/run.sh {release}"),
        Group("clients", f"test/clients/run.sh {release}"),
        Group("clients-long", f"test/clients/run.sh {release} --long", long_only=True,
              limit_s=7200),
        Group("torture-canary", f"test/clients/torture_canary.sh {release}", long_only=True),
    ]


def log_of(group):
    return LOGS / f"{group.name}.log"


def end_of(group, lines):
    return "\n".join(log_of(group).read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])


def run(group):
    """Returns whether it passed and how many seconds it took."""
    start = time.monotonic()
    with open(log_of(group), "w", encoding="utf-8") as out:
        try:
            code = subprocess.run(["bash", "-c", group.command], cwd=ROOT, stdin=subprocess.DEVNULL,
                                  stdout=out, stderr=subprocess.STDOUT, timeout=group.limit_s,
                                  check=False).returncode
        except subprocess.TimeoutExpired:
            code = -1
            out.write(f"\n{group.name}: not done after {group.limit_s} s\n")
    seconds = time.monotonic() - start
    if code != 0:
        print(end_of(group, SHOWN_LINES))
        print(f"{group.name}: FAILED (exit {code}); all of it: {log_of(group).relative_to(ROOT)}; "
              f"again: test/run.py {group.name}")
    return code == 0, seconds


def run_all(chosen):
    """Returns the groups that failed, how many passed, and the seconds of all."""
    failed, passed, total = [], 0, 0.0
    for group in chosen:
        print(f"{group.name:14} ", end="", flush=True)
        ok, seconds = run(group)
        total += seconds
        passed += ok
        print(f"{'ok' if ok else 'FAILED':8} {seconds:7.1f} s", flush=True)
        if not ok:
            failed.append(group)
            if group.name.startswith("build"):
                break
    return failed, passed, total


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--long", action="store_true")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("groups", nargs="*")
    args = parser.parse_args()
    known = groups()
    if args.list:
        for group in known:
            print(f"{group.name:14} {'long ' if group.long_only else '     '}{group.command}")
        return 0
    unknown = set(args.groups) - {group.name for group in known}
    if unknown:
        sys.exit(f"no such group: {', '.join(sorted(unknown))}; see test/run.py --list")
    chosen = [g for g in known
              if (g.name in args.groups if args.groups else args.long or not g.long_only)]
    LOGS.mkdir(parents=True, exist_ok=True)
    failed, passed, total = run_all(chosen)
    print(f"{total:.0f} s in all")
    for group in failed:
        print(f"---- {group.name}: the end of {log_of(group).relative_to(ROOT)}")
        print(end_of(group, REPEATED_LINES))
    print(f"{passed} passed, {len(failed)} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
