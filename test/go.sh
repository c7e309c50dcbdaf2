#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# go.sh: prints the path of a Go that is new enough for test/clients/golang/go.mod: the one that
# is installed or, where that is older, a newer one, which is fetched as a module into build/go, once.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
wanted=$(sed -n 's/^go //p' "$root/test/clients/golang/go.mod")

# The go command needs a place for its caches.
[ -n "${HOME:-}" ] || { HOME=$root/build/go; export HOME; }
GOTOOLCHAIN=local # nothing is fetched behind our back
export GOTOOLCHAIN
installed=$(command -v go) || { echo "no go: run tools/deps test" >&2; exit 1; }
cd "$root/test" # a go.mod that it does not understand is no hindrance here
has=$("$installed" env GOVERSION)
has=${has#go}
if [ "$(printf '%s\n%s\n' "$wanted" "${has%% *}" | sort -V | head -n 1)" = "$wanted" ]; then
    echo "$installed"
    exit 0
fi

module=golang.org/toolchain@v0.0.1-go$wanted.linux-$("$installed" env GOARCH)
made=$root/build/go/$module
if [ ! -e "$made/complete" ]; then
    mkdir -p "$root/build/go"
    GOMODCACHE=$root/build/go GOFLAGS=-modcacherw "$installed" mod download "$module" >&2
    # Modules have no executable files.
    chmod +x "$made"/bin/* "$made"/pkg/tool/*/*
    touch "$made/complete"
    rm -rf "$root/build/go/cache"
fi
echo "$made/bin/go"
