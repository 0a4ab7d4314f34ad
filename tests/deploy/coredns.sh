#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Within namespaces made by kubernetes.sh: run the exporter and CoreDNS on their configurations, ask 20 questions and find
# them in the metrics, as those of the server "coredns"; restart the exporter, and CoreDNS comes back.
# Usage: coredns.sh COREDNS COREFILE EXPORTER CONFIGURATION
set -eu
coredns=$1 corefile=$2 exporter=$3 configuration=$4
ip link set lo up
mount -t tmpfs tmpfs /run
mkdir /run/dnstap_exporter
echo 'nameserver 127.0.0.53' >/run/resolv.conf
mount --bind /run/resolv.conf "$(realpath /etc/resolv.conf)"

started=
trap 'kill $started $receiver; wait' EXIT

# Whom CoreDNS forwards to: every question comes back as its answer.
python3 -c '
import socket
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("127.0.0.53", 53))
while True:
    query, client = server.recvfrom(512)
    server.sendto(query[:2] + bytes([query[2] | 0x80]) + query[3:], client)' &
started=$!

wait_for() {
    for _ in $(seq 100); do
        "$@" >/dev/null 2>&1 && return
        sleep 0.1
    done
    echo "not so in 10 seconds: $*" >&2
    grep -E '^dnstap_(queries|responses|frames|connections|response_time_seconds_count)' /run/page >&2 || true
    cat /run/coredns.log >&2
    exit 1
}

start_exporter() {
    "$exporter" --config.file="$configuration" --log.level=warn &
    receiver=$!
    wait_for curl -fs http://127.0.0.1:9353/-/ready
}

# ask NUMBER
ask() {
    for number in $(seq "$1"); do
        kdig +timeout=2 +retry=0 @127.0.0.1 -p 5353 "host$number.example"
    done
}

# counted NUMBER: queries, responses, response times, forwarded queries and their responses
counted() {
    curl -s http://127.0.0.1:9353/metrics >/run/page
    for family in queries_total responses_total response_time_seconds_count; do
        for role in client forwarder; do
            sum=$(awk -v start="dnstap_$family{server=\"coredns\"" -v role="role=\"$role\"" \
                'index($0, start) == 1 && index($0, role) { sum += $NF } END { print sum + 0 }' /run/page)
            [ "$sum" -ge "$1" ] || return 1
        done
    done
}

# CoreDNS second: it connects as it starts, or else not before a second without queries.
start_exporter
"$coredns" -conf "$corefile" >/run/coredns.log 2>&1 &
started="$! $started"
wait_for curl -fs http://127.0.0.1:8181/ready
ask 20 >/dev/null
wait_for counted 20

ask_and_count() {
    ask 1
    counted 1
}

kill "$receiver"
wait "$receiver" || true
start_exporter
wait_for ask_and_count
