#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Build both images of deploy/docker with podman and run them as docker-compose.yml says: read-only, without
# capabilities, not root, one volume for the socket. Without a network: each sees its own loopback only.
# As root; some 5 minutes and 2 GB in /var/tmp. Installs from Debian what is missing. Usage: tests/deploy/container.sh
set -eu
top=$(cd "$(dirname "$0")/../.." && pwd)
. "$top/deploy/packages.sh"
install_missing curl debootstrap docker-compose knot-dnsutils podman prometheus prometheus-alertmanager \
    protobuf-compiler python3 python3-dnspython python3-protobuf runc

cd "$top/deploy/docker"
work=$(mktemp -d /var/tmp/dnstap_container.XXXXXX)
started=
# shellcheck disable=SC2317 # called by the trap
clean_up() {
    for pid in $started; do
        kill "$pid" 2>/dev/null || true
        wait "$pid" 2>/dev/null || true
    done
    podman rm -fa -t 2 >/dev/null 2>&1 || true
    rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 1' INT TERM

# Images, containers and volumes of our own, which works in a container or a virtual machine too.
export CONTAINERS_CONF="$work/containers.conf" CONTAINERS_STORAGE_CONF="$work/storage.conf"
cat >"$CONTAINERS_CONF" <<END
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1000:1000"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "none"
volume_path = "$work/volumes"
END
cat >"$CONTAINERS_STORAGE_CONF" <<END
[storage]
driver = "vfs"
graphroot = "$work/store"
runroot = "$work/run"
END

step() {
    echo "== $*"
}

fail() {
    echo "FAILED: $*" >&2
    exit 1
}

# wait_for WHAT COMMAND...
wait_for() {
    what=$1
    shift
    for _ in $(seq 100); do
        "$@" && return
        sleep 0.1
    done
    fail "no $what in 10 seconds"
}

# inside CONTAINER COMMAND...: a program of this machine on the container's loopback
inside() {
    pid=$(podman inspect -f '{{.State.Pid}}' "$1")
    shift
    nsenter -t "$pid" -n "$@"
}

metrics() {
    inside exporter curl -s --max-time 5 http://127.0.0.1:9353/metrics
}

# counted PATTERN NUMBER: the series that match it add up to NUMBER or more
counted() {
    metrics | awk -v pattern="$1" -v least="$2" '$0 ~ pattern { sum += $NF } END { exit !(sum >= least) }'
}

# What docker-compose.yml gives both services; docker's names for the options are podman's too. Podman needs systemd
# to run health checks by itself, so we ask for them.
run_hardened() {
    podman run -d --no-healthcheck --read-only --cap-drop ALL --security-opt no-new-privileges --network none \
        -v socket:/run/dnstap_exporter "$@" >/dev/null
}

step "configurations: docker-compose, Prometheus with its rules, Alertmanager"
docker-compose -f docker-compose.yml config -q
mkdir "$work/prometheus"
cp prometheus.yml "$work/prometheus"
cp -r ../prometheus "$work/prometheus/rules"
promtool check config "$work/prometheus/prometheus.yml" >/dev/null
amtool check-config alertmanager.yml >/dev/null

step "a Debian 12 in place of debian:bookworm-slim, which no registry is asked for"
debootstrap --variant=minbase bookworm "$work/base" >/dev/null
for suite in bookworm-updates bookworm-security; do
    echo "deb http://deb.debian.org/debian${suite#bookworm-updates} $suite main"
done | sed 's/debianbookworm-security/debian-security/' >>"$work/base/etc/apt/sources.list"
tar -C "$work/base" -c . | podman import -q - docker.io/library/debian:bookworm-slim >/dev/null

step "the images"
build_image() {
    podman build --isolation chroot --format docker --pull=never "$@" >"$work/build.log" 2>&1 ||
        fail "$(tail -n 30 "$work/build.log")"
}
build_image -f Dockerfile -t dnstap_exporter ../..
build_image -t dnstap_unbound unbound

step "the exporter's image: small, without a shell, a package manager or set-user-id files"
size=$(podman image inspect -f '{{.Size}}' dnstap_exporter)
echo "$((size / 1000)) KB"
[ "$size" -lt 25000000 ] || fail "the image is larger than 25 MB"
[ "$(podman image inspect -f '{{.User}}' dnstap_exporter)" = 65532:65532 ] || fail "the image's user"
root=$(podman image mount dnstap_exporter)
[ "$(ls "$root/usr/bin")" = "$(printf 'dnstap_exporter\nhealthcheck')" ] || fail "other programs: $(ls "$root/usr/bin")"
found=$(find "$root" ! -type d -a \( -perm /6000 -o -path '*/bin/*sh' -o -name 'apt*' -o -name 'dpkg*' \))
[ -z "$found" ] || fail "should not be there: $found"
podman run --rm --no-healthcheck --network none dnstap_exporter --version

step "any user: with a group of its own, with none, and with none as clusters choose it"
for user in 12345:12345 12345 1000680000:0; do
    podman volume rm -f any >/dev/null
    podman run -d --no-healthcheck --read-only --cap-drop ALL --security-opt no-new-privileges --network none \
        -v any:/run/dnstap_exporter --user "$user" --name any dnstap_exporter >/dev/null
    wait_for "health of user $user" podman exec any /usr/bin/healthcheck 9353 2>/dev/null
    owner=$(stat -c %u "$work/volumes/any/_data/dnstap.sock")
    [ "$owner" = "${user%:*}" ] || fail "the socket is user $owner's in place of $user's"
    # The image serves its pages to whoever can connect, and says so.
    podman logs any >"$work/any.log" 2>&1
    grep -q 'level=warn msg="pages are served beyond the loopback without authentication' "$work/any.log" || fail "it does not say who may read"
    ! grep -E 'level=(warn|error)' "$work/any.log" | grep -v 'without authentication' || fail "its log"
    podman rm -f -t 2 any >/dev/null
done

step "Unbound alone, then the exporter beside it, neither of them root"
run_hardened --name unbound --hostname unbound dnstap_unbound
wait_for "answer from Unbound" inside unbound kdig +short +timeout=1 +retry=0 @127.0.0.1 -p 5353 localhost
! podman run --rm --no-healthcheck --network none --entrypoint /usr/bin/healthcheck dnstap_exporter 9353 2>/dev/null ||
    fail "healthy without an exporter"
run_hardened --name exporter --memory 64m dnstap_exporter
wait_for "health" podman exec exporter /usr/bin/healthcheck 9353 2>/dev/null
status=/proc/$(podman inspect -f '{{.State.Pid}}' exporter)/status
for line in 'Uid:.65532.65532' 'CapEff:.0000000000000000' 'NoNewPrivs:.1' 'Seccomp:.2'; do
    grep -q "^$line" "$status" || fail "$line is not so: $(grep "^${line%%:*}" "$status")"
done
! podman exec unbound touch /etc/x 2>/dev/null || fail "Unbound's root is not read-only"

step "Unbound's messages arrive"
wait_for "connection" counted '^dnstap_connections[{]input="unix"' 1
inside unbound kdig +short @127.0.0.1 -p 5353 localhost AAAA >/dev/null
wait_for "query" counted '^dnstap_queries_total[{]server="unbound",role="client"' 1
wait_for "response" counted '^dnstap_responses_total[{]server="unbound",role="client"' 1

step "a capture through the socket: every frame is counted"
before=$(metrics | awk '/^dnstap_frames_total/ { print $2 }')
PYTHONPATH="$top/tests/integration" PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 - \
    "$work/volumes/socket/_data/dnstap.sock" "$top/tests/captures/unbound-small.fstrm" <<'END'
import pathlib
import sys
from sender import Sender, payloads_of
Sender(sys.argv[1]).send_all(payloads_of(pathlib.Path(sys.argv[2]).read_bytes()))
END
wait_for "frames" counted '^dnstap_frames_total' $((before + 4012))
counted '^dnstap_(queries|responses)_total' $((before + 4012)) || fail "frames are missing"
metrics | promtool check metrics >/dev/null || fail "promtool does not like the page"
awk '/^VmRSS/ { print "resident: " $2 " KB" }' "$status"

step "Prometheus and Alertmanager with their configurations find each other and the exporter"
echo '127.0.0.1 localhost exporter alertmanager' >"$work/hosts"
# in_network LOG PROGRAM FLAG...: on the exporter's loopback, with the services' names
in_network() {
    log="$work/$1.log"
    shift
    pid=$(podman inspect -f '{{.State.Pid}}' exporter)
    # shellcheck disable=SC2016 # for the inner shell
    nsenter -t "$pid" -n unshare --mount sh -c 'mount --bind "$0" /etc/hosts && exec "$@"' "$work/hosts" "$@" \
        >"$log" 2>&1 &
    started="$started $!"
}
in_network alertmanager prometheus-alertmanager --config.file="$PWD/alertmanager.yml" --cluster.listen-address= \
    --storage.path="$work/alertmanager" --web.listen-address=127.0.0.1:9093
in_network prometheus prometheus --config.file="$work/prometheus/prometheus.yml" --enable-feature=native-histograms \
    --storage.tsdb.path="$work/tsdb" --web.listen-address=127.0.0.1:9090
# prometheus_says PATH TEXT
prometheus_says() {
    inside exporter curl -sG --max-time 5 "http://127.0.0.1:9090/api/v1/$1" | grep -q "$2"
}
for _ in 1 2 3; do # one scrape each 15 seconds
    prometheus_says 'query?query=up%7Bjob="dnstap"%7D' '"1"\]' && break
    sleep 10
done
wait_for "scrape" prometheus_says 'query?query=up%7Bjob="dnstap"%7D' '"1"\]'
wait_for "rules" prometheus_says rules DnstapServfailsHigh
wait_for "Alertmanager" prometheus_says alertmanagers 'activeAlertmanagers":\[{"url":"http://alertmanager:9093'
# shellcheck disable=SC2086 # a list of numbers
kill $started
wait
started=

step "SIGTERM ends it, and a new one finds the old socket's place"
podman stop -t 5 exporter >/dev/null
[ "$(podman inspect -f '{{.State.ExitCode}}' exporter)" = 0 ] || fail "exit status"
podman start exporter >/dev/null
wait_for "health" podman exec exporter /usr/bin/healthcheck 9353 2>/dev/null
podman kill exporter >/dev/null
podman wait exporter >/dev/null
podman start exporter >/dev/null
wait_for "health after a kill" podman exec exporter /usr/bin/healthcheck 9353 2>/dev/null
wait_for "Unbound again" counted '^dnstap_connections[{]input="unix"' 1

step "all passed"
