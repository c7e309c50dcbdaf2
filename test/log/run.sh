#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# run.sh BUILD_DIR [SEED]: our log files against Kafka's dump-log tool, and the files of a real
# Kafka, stopped and killed, against our log.
set -eu
exec python3 "$(dirname "$0")/check.py" "$@"
