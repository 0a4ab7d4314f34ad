#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Fuzz the whole path of a frame for long, with frames made of parts (fuzz_frames.c), on one core. Goes on
# with the inputs that earlier runs found, in build-fuzz-long/found.
# Usage: tests/fuzz/run_long.sh [FRAMES | SECONDSs] [sanitize]
#   FRAMES    100000000 if not said; 600s: ten minutes
#   sanitize  with address and undefined behaviour sanitizers: a quarter to a tenth of the speed
# Ends with 0 if all went well. A finding ends it with another status; the inputs that repeat it are kept.
set -eu
top=$(cd "$(dirname "$0")/../.." && pwd)
amount=100000000
build=$top/build-fuzz-long
sanitize=none
for argument in "$@"; do
    case $argument in
    sanitize)
        sanitize=address,undefined
        build=$top/build-fuzz-long-sanitize
        ;;
    *)
        amount=$argument
        ;;
    esac
done

[ -e "$build/build.ninja" ] ||
    CC=clang meson setup "$build" "$top" -Dfuzz=true --buildtype=release -Db_lundef=false \
        -Db_sanitize="$sanitize" >/dev/null
ninja -C "$build" --quiet tests/fuzz/fuzz_frames

found=$top/build-fuzz-long/found
mkdir -p "$found"
case $amount in
*s) export FUZZ_SECONDS="${amount%s}" ;;
*) export FUZZ_FRAMES="$amount" ;;
esac
export FUZZ_HISTORY="$build/history"
export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
status=0
"$build/tests/fuzz/fuzz_frames" -max_len=512 -timeout=60 -verbosity=0 -artifact_prefix="$build/" \
    "$found" "$top/tests/fuzz/corpus/frames" || status=$?
if [ $status -ne 0 ]; then
    kept=$build/finding-$(date +%Y%m%dT%H%M%S)
    cp --sparse=always "$FUZZ_HISTORY" "$kept"
    echo "a finding; $build/tests/fuzz/fuzz_frames $kept repeats it"
fi
exit $status
