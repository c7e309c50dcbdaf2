#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# run.sh BUILD_DIR [pytest options]: the commands of that build against a broker process of it.
set -eu
build=${1:?usage: run.sh BUILD_DIR [pytest options]}
shift
here=$(cd "$(dirname "$0")" && pwd)
python=$("$here/../venv.sh")
KLAMM_BINARY=$(cd "$build" && pwd)/klamm
export KLAMM_BINARY
exec "$python" -m pytest -q -p no:cacheprovider --durations=5 "$here" "$@"
