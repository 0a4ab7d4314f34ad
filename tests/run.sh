#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Build with sanitizers and run every test: lint, unit, oracle, fuzz corpora, and the integration tests with
# real DNS servers and a real Prometheus on loopback. Installs from Debian what is missing.
# TEST_TIME_FACTOR (5 if not set) multiplies every time limit of the tests.
# Usage: tests/run.sh [quick]     quick: without the second compiler, the thread sanitizer and the linters
set -eu
top=$(cd "$(dirname "$0")/.." && pwd)
. "$top/deploy/packages.sh"
cd "$top"

# shellcheck disable=SC2086 # a list of words
install_missing $build_packages bind9 bind9-utils chromium chromium-driver clang clang-tidy cppcheck curl \
    dnsdist dnsperf fstrm-bin knot knot-dnsutils knot-module-dnstap knot-resolver libclang-rt-dev \
    libcmocka-dev libcyaml-dev libfstrm-dev libpsl-dev llvm man-db mandoc nginx-light nsd openssl pdns-recursor prometheus protobuf-compiler python3 \
    python3-dnspython python3-prometheus-client python3-protobuf python3-selenium python3-yaml strace systemd \
    tmux unbound zsh zstd

step() {
    echo
    echo "== $*"
}

# build FOLDER CC [MESON OPTION]...
build() {
    folder=$1
    cc=$2
    shift 2
    [ -e "$folder/build.ninja" ] || CC=$cc meson setup "$folder" "$@" >/dev/null
    # Warnings are errors here, and only here: a newer compiler must not break a user's build.
    meson configure "$folder" -Dwerror=true
    ninja -C "$folder" --quiet
}

# run_tests FOLDER [MESON OPTION]...
run_tests() {
    folder=$1
    shift
    meson test -C "$folder" --timeout-multiplier "$TEST_TIME_FACTOR" "$@"
}

# Print the slowest tests of all runs, from the logs of meson.
slowest() {
    step "the ten slowest tests, in seconds"
    /usr/bin/python3 - "$@" <<'EOF'
import json
import sys

tests = []
for path in sys.argv[1:]:
    with open(path, encoding="utf-8") as log:
        for test in map(json.loads, log):
            tests.append((test["duration"], test["name"], path.partition("/")[0]))
for seconds, name, folder in sorted(tests, reverse=True)[:10]:
    print(f"{seconds:7.1f}  {name}  ({folder})")
EOF
    echo
    echo "== all passed in $(($(date +%s) - began)) seconds"
}

began=$(date +%s)
jobs=$(nproc)
# With eight busy loops beside them, the tests get a fifth of two cores.
export TEST_TIME_FACTOR="${TEST_TIME_FACTOR:-5}"
# A finding of the undefined-behaviour sanitizer ends the test, like one of the others.
export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1

step "gcc, address and undefined behaviour sanitizers: all tests"
build build-sanitize gcc -Db_sanitize=address,undefined
run_tests build-sanitize --print-errorlogs
logs=build-sanitize/meson-logs/testlog.json

if [ "${1:-}" = quick ]; then
    slowest $logs
    exit 0
fi

step "gcc, -O3 -DNDEBUG, LTO: unit, oracle, fuzz corpora"
build build-ndebug gcc --buildtype=release -Db_lto=true -Db_ndebug=true
run_tests build-ndebug --print-errorlogs --suite unit --suite oracle --suite fuzz

step "the same build: memory under a flood of names and clients"
run_tests build-ndebug --verbose --suite memory --logbase memory

step "gcc, without optional libraries: unit, fuzz corpora, what such a build refuses"
build build-minimal gcc -Dcrypt=disabled -Didn=disabled -Dseccomp=disabled -Dsystemd=disabled -Dtls=disabled -Dzstd=disabled
run_tests build-minimal --print-errorlogs --suite unit --suite fuzz --suite integration

step "gcc, thread sanitizer: what runs threads"
build build-thread gcc -Db_sanitize=thread
run_tests build-thread --print-errorlogs --suite threads
logs="$logs build-ndebug/meson-logs/testlog.json build-ndebug/meson-logs/memory.json
    build-minimal/meson-logs/testlog.json build-thread/meson-logs/testlog.json"

step "clang: short fuzz runs"
build build-fuzz clang -Dfuzz=true -Db_sanitize=address,undefined -Db_lundef=false
found=$(mktemp -d)
trap 'rm -rf "$found"' EXIT
# shellcheck disable=SC2016 # expanded by the inner shell
printf '%s\n' archive_index config dns_message dnstap frames negotiation print record_text session stream tls_stream web_config |
    xargs -P "$jobs" -I TARGET sh -c 'mkdir "$1/$2"
        exec "build-fuzz/tests/fuzz/fuzz_$2" -max_total_time=10 -max_len=2048 -verbosity=0 \
            -artifact_prefix="$1/" "$1/$2" "tests/fuzz/corpus/$2"' sh "$found" TARGET

step "linters: cppcheck, gcc -fanalyzer, clang-tidy"
# Without this flag the newer ones, which know it, report that they skip branches.
level=
! cppcheck --help | grep -q -e --check-level || level=--check-level=exhaustive
# shellcheck disable=SC2086 # a flag or nothing
cppcheck -q -j "$jobs" $level --enable=warning,performance,portability --inline-suppr --std=c11 -D_GNU_SOURCE \
    --suppress=missingIncludeSystem --suppress=varFuncNullUB -Iinclude -Ibuild-ndebug -Ibuild-ndebug/src \
    --suppress=preprocessorErrorDirective:"*.pb-c.h" --error-exitcode=1 src
printf '%s\n' src/*.c src/*/*.c |
    xargs -P "$jobs" -n 1 gcc -std=gnu11 -D_GNU_SOURCE -O2 -fanalyzer -Werror -Iinclude \
        -Ibuild-ndebug -Ibuild-ndebug/src -o /dev/null -c
build build-clang clang
printf '%s\n' src/*.c src/*/*.c |
    xargs -P "$jobs" -n 1 clang-tidy -p build-clang --quiet 2>/dev/null

# shellcheck disable=SC2086 # a list of files
slowest $logs
