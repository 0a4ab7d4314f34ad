#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Within a network namespace made by kubernetes.sh: run the exporter with the web configuration FOLDER/web.yml, which wants a
# certificate and the password of helm/everything.yaml from clients, and the certificates beside it that a Secret would have.
# Usage: web.sh EXPORTER CONFIGURATION FOLDER
set -eu
exporter=$1 configuration=$2
cd "$3"
ip link set lo up

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -keyout ca.key -out ca.crt -subj /CN=ca 2>log
# certificate NAME
certificate() {
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$1.key" -out "$1.csr" -subj "/CN=$1" 2>log
    echo "subjectAltName=DNS:localhost" >ext
    openssl x509 -req -in "$1.csr" -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 -extfile ext -out "$1.crt" 2>log
}
certificate tls
certificate client

"$exporter" --config.file="$configuration" --web.config.file=web.yml --log.level=warn 2>log &
trap 'kill $!; wait' EXIT

# status FLAG...: of /-/ready, 000 without an answer
status() {
    curl -s -o /dev/null -w '%{http_code}' --cacert ca.crt "$@" https://localhost:9353/-/ready || true
}

# expect STATUS FLAG...
expect() {
    wanted=$1
    shift
    for _ in $(seq 50); do
        got=$(status "$@")
        [ "$got" != "$wanted" ] || return 0
        sleep 0.1
    done
    echo "status $got in place of $wanted: $*" >&2
    cat log >&2
    exit 1
}

expect 200 --cert client.crt --key client.key --user prometheus:secret
expect 401 --cert client.crt --key client.key --user prometheus:other
expect 000 --user prometheus:secret
# What the kubelet's probes do.
python3 -c '
import socket
socket.create_connection(("localhost", 9353), 1).close()'
expect 200 --cert client.crt --key client.key --user prometheus:secret
# A probe every few seconds must not fill the log. The output's receiver is nowhere.
! grep -v '"output":"007"' log >&2 || exit 1
