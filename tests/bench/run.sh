#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Build the release and print what it costs: each sketch's update, a frame with each dimension off and
# on, and memory under a flood. Takes about three minutes. Installs from Debian what is missing.
set -eu
top=$(cd "$(dirname "$0")/../.." && pwd)
. "$top/deploy/packages.sh"
cd "$top"

# shellcheck disable=SC2086 # a list of words
install_missing $build_packages curl libcmocka-dev libpsl-dev protobuf-compiler python3 \
    python3-dnspython python3-protobuf

build=build-release
if [ -e "$build/build.ninja" ]; then
    meson setup --reconfigure "$build" >&2 # deploy/run.sh may have been there before the test libraries
else
    meson setup "$build" --buildtype=release -Db_lto=true -Db_lto_threads=2 >&2
fi
ninja -C "$build" dnstap_exporter tests/bench/flood tests/bench/bench_sketches >&2

export DNSTAP_EXPORTER="$top/$build/dnstap_exporter"
export DNSTAP_FLOOD="$top/$build/tests/bench/flood"
"$build/tests/bench/bench_sketches"
echo
/usr/bin/python3 tests/bench/pipeline.py
echo
/usr/bin/python3 tests/bench/memory.py
