#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Build the exporter and run it in the foreground on its built-in defaults, or with the flags given here.
# Installs from Debian what is missing. Usage: deploy/run.sh [FLAG]...
set -eu
top=$(cd "$(dirname "$0")/.." && pwd)
. "$top/deploy/packages.sh"
build="$top/build-release"

# A build by root leaves a folder that nobody else can build in. Say so before anything is installed.
if [ "$(id -u)" -ne 0 ] && [ -d "$build" ]; then
    other=$(find "$build" ! -user "$(id -u)" -printf '%u\n' -quit)
    if [ -n "$other" ]; then
        echo "$0: $build has files of the user $other, so $(id -un) cannot build there." >&2
        echo "Remove it: sudo rm -r '$build'" >&2
        echo "or take it over: sudo chown -R $(id -un) '$build'" >&2
        exit 1
    fi
fi

# shellcheck disable=SC2086 # a list of words
install_missing $build_packages

[ -e "$build/build.ninja" ] ||
    meson setup "$build" "$top" --buildtype=release -Db_lto=true >&2
ninja -C "$build" dnstap_exporter >&2
exec "$build/dnstap_exporter" "$@"
