#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Shows that test_torture.py sees a broker that loses what it needs for "each record once": one with a planted bug
# (base/canary.h: it forgets its producers) has to fail it. torture_canary.sh BUILD_DIR
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
broker=$1/canaries/broker
mkdir -p "$broker"
ninja -C "$1" canary_broker > "$broker/build.log" || { tail -n 40 "$broker/build.log"; exit 1; }
log=$broker/torture.log
if "$here/run.sh" "$broker" -k test_torture > "$log" 2>&1; then
    echo "torture with forget_producers: NOT caught"
    exit 1
fi
# What counts is a broken promise, not a test that could not run.
grep -m1 -E "^E +(AssertionError|assert )" "$log" || { tail -n 40 "$log"; exit 1; }
echo "torture with forget_producers: caught"
