#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Build the release and print what it costs, as tables of medians and ratios. Everything runs on loopback,
# on two cores, and stops by itself. Installs from Debian what is missing.
# Usage: tests/bench/run.sh [PART]...     all parts, about 20 minutes, without one
#   instructions  a frame, whole path and by room, counted by valgrind
#   ingest        through a socket at full speed and at given rates, against a receiver that only drains
#   decode        `read` against dnstap-ldns and dnstap (Go)
#   scrape        /metrics idle and under full ingest; what scrapes cost; start to first page
#   batch_wait    how long a worker's batch waits for readers, of whom there are 1, 4 and 8
#   growth        against numbers of names, clients, servers and connections
#   server        answers a second of BIND, Unbound and Knot; draws tests/bench/servers.svg
#   sketches      an update of each
#   dimensions    a frame with each list, count and detector off and on
#   archive       frames in files: CPU of its thread and of the others, drops, bytes
#   outputs       frames passed on to receivers that read, do not, or are away
#   tls           an input over TLS: CPU of a frame, against a program that only decrypts, and of a handshake; memory of
#                 a connection
#   block_lists   of a million and five million names: memory, time to load, time for a query
#   print         `print` of a client and of everything, in 15 files, against dnstap-ldns and dnstap (Go) with grep
#   record_text   a record's data as text, beside ldns
#   detection     what detectors find, after how long, and what they leave alone
#   tunnels       iodine and dns2tcp through Unbound, in network namespaces; by its name only: takes root
#   memory        under a flood of names and clients; worst_case: under everything at once
#   attacks       a steady sender beside 13 kinds of attackers, with limits; by its name only: 6 minutes, and
#                 three times as long for each limit that is broken, which makes the exit status 1
# BENCH_ROUNDS sets the number of rounds of most.
set -eu
top=$(cd "$(dirname "$0")/../.." && pwd)
. "$top/deploy/packages.sh"
cd "$top"

# shellcheck disable=SC2086 # a list of words
install_missing $build_packages bind9 curl dnsperf dnstap-ldns golang-github-dnstap-golang-dnstap-cli knot \
    knot-module-dnstap libcmocka-dev libpsl-dev protobuf-compiler python3 python3-dnspython \
    python3-protobuf unbound valgrind zstd

# build FOLDER [MESON OPTION]...
build() {
    folder=$1
    shift
    if [ -e "$folder/build.ninja" ]; then
        meson setup --reconfigure "$folder" >&2 # deploy/run.sh may have been there before the test libraries
    else
        meson setup "$folder" --buildtype=release -Db_lto=true "$@" >&2
    fi
}

build build-release
ninja -C build-release dnstap_exporter tests/bench/flood tests/bench/replay tests/bench/drain tests/bench/drain_tls \
    tests/bench/handshakes tests/bench/paced tests/bench/attack tests/bench/batch_wait tests/bench/bench_sketches tests/bench/block_lists tests/bench/record_text >&2

export DNSTAP_EXPORTER="$top/build-release/dnstap_exporter"
export DNSTAP_BENCH="$top/build-release/tests/bench"
BENCH_DATA=$(mktemp -d)
export BENCH_DATA
trap 'rm -rf "$BENCH_DATA"' EXIT

[ $# -gt 0 ] || set -- instructions ingest decode scrape batch_wait growth server sketches dimensions outputs tls archive block_lists record_text print detection memory
for part in "$@"; do
    case $part in
    sketches) "$DNSTAP_BENCH/bench_sketches" && echo ;;
    block_lists) "$DNSTAP_BENCH/block_lists" && echo ;;
    record_text) "$DNSTAP_BENCH/record_text" && echo ;;
    batch_wait) for readers in 1 4 8; do "$DNSTAP_BENCH/batch_wait" "$readers"; done ;;
    tunnels)
        install_missing dns2tcp iodine iproute2
        /usr/bin/python3 tests/bench/tunnels.py
        ;;
    server) /usr/bin/python3 tests/bench/server.py tests/bench/servers.svg ;;
    instructions)
        build build-debug -Ddebug=true
        ninja -C build-debug dnstap_exporter >&2
        DNSTAP_EXPORTER_DEBUG=$top/build-debug/dnstap_exporter /usr/bin/python3 tests/bench/instructions.py
        ;;
    archive | ingest | decode | detection | print | scrape | growth | dimensions | outputs | tls | memory | worst_case | attacks) /usr/bin/python3 "tests/bench/$part.py" ;;
    *)
        echo "$0: no such part: $part" >&2
        exit 2
        ;;
    esac
done
