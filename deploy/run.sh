#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Build the exporter and run it in the foreground on its built-in defaults, or with the flags given here.
# Installs from Debian what is missing. Usage: deploy/run.sh [FLAG]...
set -eu
top=$(cd "$(dirname "$0")/.." && pwd)
. "$top/deploy/packages.sh"

# shellcheck disable=SC2086 # a list of words
install_missing $build_packages

build="$top/build-release"
[ -e "$build/build.ninja" ] ||
    meson setup "$build" "$top" --buildtype=release -Db_lto=true -Db_lto_threads=2 >&2
ninja -C "$build" dnstap_exporter >&2
exec "$build/dnstap_exporter" "$@"
