#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# run.sh BUILD_DIR [pytest options]: real clients against a real broker process of that build.
set -eu
build=${1:?usage: run.sh BUILD_DIR [pytest options]}
shift
here=$(cd "$(dirname "$0")" && pwd)
python=$("$here/../venv.sh")
KLAMM_BINARY=$(cd "$build" && pwd)/klamm
export KLAMM_BINARY
exec "$python" -m pytest -q -p no:cacheprovider --durations=8 "$here" "$@"
