#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Shows that test_torture.py sees a broker that loses what it needs for "each record once": a build with a planted bug
# (base/canary.h) has to fail it. torture_canary.sh BUILD_DIR_BASE
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
for name in forget_producers; do
    build=$1/clients
    cmake -S "$root" -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DKLAMM_CANARY="$name" > /dev/null
    ninja -C "$build" klamm > "$build/build.log" || { tail -n 40 "$build/build.log"; exit 1; }
    log=$build/$name.log
    if "$here/run.sh" "$build" -k test_torture > "$log" 2>&1; then
        echo "torture with $name: NOT caught"
        exit 1
    fi
    # What counts is a broken promise, not a test that could not run.
    grep -m1 -E "^E +(AssertionError|assert )" "$log" || { tail -n 40 "$log"; exit 1; }
    echo "torture with $name: caught"
done
