#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# venv.sh: makes build/venv with the Python packages of test/requirements.txt, once, and prints the
# path of its Python. In build/venv/kafka-python-2 is the older of the two kafka-pythons that are tested.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
venv=$root/build/venv
wanted=$root/test/requirements.txt
older=kafka-python==2.3.3
if ! cmp -s "$wanted" "$venv/requirements.txt" 2>/dev/null || [ ! -e "$venv/$older" ]; then
    rm -rf "$venv"
    mkdir -p "$root/build"
    /usr/bin/python3 -m venv "$venv" >&2
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check -r "$wanted" >&2
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps \
        --target "$venv/kafka-python-2" "$older" >&2
    touch "$venv/$older"
    cp "$wanted" "$venv/requirements.txt"
fi
echo "$venv/bin/python"
