#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# run.sh BUILD_DIR [SECONDS]: a broker of that build (ThreadSanitizer's) under load from many clients.
set -eu
build=${1:?usage: run.sh BUILD_DIR [SECONDS]}
here=$(cd "$(dirname "$0")" && pwd)
python=$("$here/../venv.sh")
exec "$python" "$here/stress.py" "$build/klamm" "${2:-15}"
