#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# run.sh BUILD_DIR [pytest options]: real clients against a real broker process of that build. Two workers
# share the files of tests; with `-n 0` there is none, as pytest's --pdb wants it.
set -eu
build=${1:?usage: run.sh BUILD_DIR [pytest options]}
shift
here=$(cd "$(dirname "$0")" && pwd)
python=$("$here/../venv.sh")
exec "$python" -m pytest -q -p no:cacheprovider --durations=8 -n 2 --dist loadfile --no-loadscope-reorder \
    "$here" --binary "$(cd "$build" && pwd)/klamm" "$@"
