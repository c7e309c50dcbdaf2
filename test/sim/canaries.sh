#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Builds a simulator with each planted bug of canaries.txt and shows that random seeds catch it:
# test/sim/canaries.sh BUILD_DIR [--long | NAME ...]; --long: those of canaries-long.txt
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
build=$1
shift
jobs=$(nproc)
failed=0
lists=("$here/canaries.txt")
target=canaries
if [ "${1-}" = --long ]; then
    lists=("$here/canaries-long.txt")
    target=canaries-long
    shift
elif [ $# -gt 0 ]; then
    lists+=("$here/canaries-long.txt")
fi
targets=("${@/#/canary_}")
ninja -C "$build" -j "$jobs" "${targets[@]:-$target}" > "$build/canaries.log" || { tail -n 40 "$build/canaries.log"; exit 1; }
# The first failure of this checker; of any if it has no name.
found_by() {
    # No -m1: a reader that leaves early makes the first grep, and with pipefail the whole, fail.
    grep -A1 '^FAILED seed' "$log" | grep "^  $1" | awk 'NR == 1 { print; found = 1 } END { exit !found }'
}

while read -r name seeds_max workload checker; do
    case "$name" in '' | '#'*) continue ;; esac
    if [ $# -gt 0 ] && [[ " $* " != *" $name "* ]]; then
        continue
    fi
    sim=$build/canaries/$name
    log=$sim.log
    options=(--random "$seeds_max" --stop-at-first --jobs "$jobs")
    if [ "$workload" != "-" ]; then
        options+=(--workload "$workload")
    fi
    if "$sim" "${options[@]}" > "$log" 2>&1; then
        echo "canary $name: NOT caught by $seeds_max seeds"
        failed=1
        continue
    fi
    # What counts is a broken promise, not a failure of the build or of the simulator.
    if ! grep -q '^FAILED seed' "$log"; then
        echo "canary $name: the run failed in another way:"
        tail -n 20 "$log"
        failed=1
        continue
    fi
    # Now and then another checker is first.
    if ! found_by "$checker" > /dev/null; then
        "$sim" --random "$seeds_max" --jobs "$jobs" --workload "$workload" > "$log" 2>&1 || true
    fi
    if ! found=$(found_by "$checker"); then
        echo "canary $name: not found by \"$checker\", but: $(found_by "")"
        failed=1
        continue
    fi
    ran=$(sed -n 's/^simulator: \([0-9]*\) seeds.*/\1/p' "$log")
    echo "canary $name: caught within $ran seeds (allowed: $seeds_max): $found"
done < <(cat "${lists[@]}")
exit $failed
