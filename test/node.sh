#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# node.sh: makes build/node with the packages of test/clients/js/package-lock.json, once, and prints
# where they are, for NODE_PATH. Packages run no scripts of theirs.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
node=$root/build/node
wanted=$root/test/clients/js
if ! cmp -s "$wanted/package-lock.json" "$node/installed.json" 2>/dev/null; then
    rm -rf "$node"
    mkdir -p "$node"
    cp "$wanted/package.json" "$wanted/package-lock.json" "$node"
    (cd "$node" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >&2)
    cp "$wanted/package-lock.json" "$node/installed.json"
fi
echo "$node/node_modules"
