#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Runs the simulator: test/sim/run.sh BUILD_DIR [--random COUNT]
# Without --random: the fixed seeds of seeds.txt, and two seeds twice, whose trace hashes have
# to be equal.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
build=$1
shift
sim=$build/klamm-sim
if [ ! -x "$sim" ]; then
    echo "no $sim: build it first (make)" >&2
    exit 1
fi
if [ $# -gt 0 ]; then
    exec "$sim" "$@"
fi
"$sim" --seeds 1-4 --twice
exec "$sim" --file "$here/seeds.txt"
