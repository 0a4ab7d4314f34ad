#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Apply every overlay of deploy/kubernetes to a real API server, which checks each field, the Prometheus operator's
# resources by their own definitions, and every pod by the Pod Security level "restricted". There are no nodes: nothing
# runs. Then CoreDNS with the overlays' Corefiles sends to the exporter with the overlays' configurations.
#
# As root, with Go 1.24 or later. The API server and CoreDNS are built from their Go modules into build-kubernetes the
# first time: 6 minutes on two cores. Usage: tests/deploy/kubernetes.sh
set -eu
top=$(cd "$(dirname "$0")/../.." && pwd)
. "$top/deploy/packages.sh"
# shellcheck disable=SC2086 # a list of words
install_missing $build_packages curl etcd-server iproute2 knot-dnsutils openssl python3 util-linux

kubernetes=1.34.4
operator=0.85.0
overlays="$top/deploy/kubernetes/overlays"
coredns=$(sed -n 's|.*image: coredns/coredns:||p' "$overlays/coredns-sidecar/coredns.yaml")
tools="$top/build-kubernetes"
mkdir -p "$tools"

step() {
    echo "== $*"
}

fail() {
    echo "FAILED: $*" >&2
    exit 1
}

# Its go.mod leaves the versions of Kubernetes' other modules open.
build_kubernetes() {
    go mod init local/kubernetes
    cat >tools.go <<'END'
//go:build tools

package tools

import (
	_ "k8s.io/kubernetes/cmd/kube-apiserver"
	_ "k8s.io/kubernetes/cmd/kubectl"
)
END
    list=$(go mod download -json "k8s.io/kubernetes@v$kubernetes" | sed -n 's/.*"GoMod": "\(.*\)",*/\1/p')
    # shellcheck disable=SC2013 # words are what they are
    for module in $(sed -n 's/^\s*\(k8s.io\/[a-z-]*\) v0\.0\.0$/\1/p' "$list"); do
        go mod edit -replace "$module=$module@v0.${kubernetes#1.}"
    done
    go mod edit -require "k8s.io/kubernetes@v$kubernetes"
    go mod tidy
    go build -trimpath -ldflags='-s -w' k8s.io/kubernetes/cmd/kube-apiserver
    go build -trimpath -ldflags='-s -w' k8s.io/kubernetes/cmd/kubectl
}

# With the plugins that the Corefiles name, in the order of CoreDNS' own list.
build_coredns() {
    go mod init local/coredns
    cat >main.go <<'END'
package main

import (
	"github.com/coredns/coredns/core/dnsserver"
	"github.com/coredns/coredns/coremain"
	_ "github.com/coredns/coredns/plugin/cache"
	_ "github.com/coredns/coredns/plugin/dnstap"
	_ "github.com/coredns/coredns/plugin/errors"
	_ "github.com/coredns/coredns/plugin/forward"
	_ "github.com/coredns/coredns/plugin/health"
	_ "github.com/coredns/coredns/plugin/ready"
)

func main() {
	dnsserver.Directives = []string{"ready", "health", "errors", "dnstap", "cache", "forward"}
	coremain.Run()
}
END
    go get "github.com/coredns/coredns@v$coredns"
    go mod tidy
    go build -trimpath -o coredns .
}

# build NAME VERSION: in a folder of its own, kept for the next time
build() {
    folder="$tools/$1-$2"
    [ ! -e "$folder/done" ] || return 0
    rm -rf "$folder"
    mkdir "$folder"
    # In the background, since set -e does nothing in what is part of a condition.
    (
        cd "$folder"
        "build_$1"
        touch "done"
    ) >"$tools/$1.log" 2>&1 &
    wait $! || fail "building $1: see $tools/$1.log"
}

command -v go >/dev/null || fail "needs Go 1.24 or later"
step "kube-apiserver and kubectl $kubernetes, CoreDNS $coredns, the exporter"
build kubernetes "$kubernetes"
build coredns "$coredns"
"$top/deploy/run.sh" --version 2>/dev/null

work=$(mktemp -d)
started=
# shellcheck disable=SC2317 # called by the trap
clean_up() {
    for pid in $started; do
        kill "$pid" 2>/dev/null || true
        wait "$pid" 2>/dev/null || true
    done
    rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 1' INT TERM

free_port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

step "an API server on loopback, with the Prometheus operator's definitions"
etcd_port=$(free_port)
etcd --data-dir "$work/etcd" --listen-client-urls "http://127.0.0.1:$etcd_port" \
    --advertise-client-urls "http://127.0.0.1:$etcd_port" --listen-peer-urls "http://127.0.0.1:$(free_port)" \
    >"$work/etcd.log" 2>&1 &
started=$!
port=$(free_port)
openssl genrsa -out "$work/accounts.key" 2048 2>/dev/null
token=$(openssl rand -hex 16)
echo "$token,tester,tester,system:masters" >"$work/tokens"
# Nobody makes service accounts here: that is the controller manager's work.
"$tools/kubernetes-$kubernetes/kube-apiserver" --etcd-servers="http://127.0.0.1:$etcd_port" --bind-address=127.0.0.1 \
    --secure-port="$port" --cert-dir="$work/certificates" --token-auth-file="$work/tokens" \
    --authorization-mode=RBAC --disable-admission-plugins=ServiceAccount --endpoint-reconciler-type=none \
    --service-account-issuer=https://localhost --service-account-key-file="$work/accounts.key" \
    --service-account-signing-key-file="$work/accounts.key" --service-cluster-ip-range=10.96.0.0/16 \
    >"$work/apiserver.log" 2>&1 &
started="$! $started"

kubectl() {
    HOME="$work" "$tools/kubernetes-$kubernetes/kubectl" --server="https://127.0.0.1:$port" --token="$token" \
        --certificate-authority="$work/certificates/apiserver.crt" "$@"
}

for _ in $(seq 120); do
    kubectl get --raw /readyz >/dev/null 2>&1 && break
    sleep 0.5
done
kubectl get --raw /readyz >/dev/null || { tail -5 "$work/apiserver.log" "$work/etcd.log"; fail "no API server"; }

definitions=$(go mod download -json "github.com/prometheus-operator/prometheus-operator@v$operator" |
    sed -n 's/.*"Dir": "\(.*\)",*/\1/p')/example/prometheus-operator-crd
for kind in podmonitors prometheusrules; do
    kubectl apply --server-side -f "$definitions/monitoring.coreos.com_$kind.yaml" >/dev/null
    kubectl wait --for=condition=Established --timeout=30s "crd/$kind.monitoring.coreos.com" >/dev/null
done

# The pods that the workloads would make.
pods() {
    kubectl -n dns get deployments,daemonsets -o json | python3 -c '
import json
import sys
for item in json.load(sys.stdin)["items"]:
    template = item["spec"]["template"]
    template["metadata"]["generateName"] = item["metadata"]["name"] + "-"
    print(json.dumps({"apiVersion": "v1", "kind": "Pod", **template}))'
}

for overlay in "$overlays"/*; do
    step "overlay ${overlay##*/}"
    kubectl kustomize "$overlay" >"$work/overlay.yaml"
    # The namespace first: what is in it is judged by its labels.
    kubectl apply -f "$overlays/../base/namespace.yaml" >/dev/null
    kubectl apply --validate=strict --warnings-as-errors -f "$work/overlay.yaml" >"$work/applied" ||
        fail "it does not apply: $(cat "$work/applied")"
    pods >"$work/pods"
    [ -s "$work/pods" ] || fail "no pods"
    kubectl -n dns create --validate=strict --warnings-as-errors -f "$work/pods" || fail "its pods are not let in"
    kubectl -n dns delete deployments,daemonsets,pods --all --force --grace-period=0 >/dev/null 2>&1
done

step "and what is wrong is refused"
kubectl kustomize "$overlays/coredns-sidecar" >"$work/overlay.yaml"
kubectl apply -f "$work/overlay.yaml" >/dev/null
# refused PATTERN SED-SCRIPT: the pods so changed
refused() {
    pods | sed "$2" >"$work/pods"
    ! kubectl -n dns create --dry-run=server --validate=strict -f "$work/pods" >"$work/answer" 2>&1 ||
        fail "let in: $2"
    grep -q "$1" "$work/answer" || fail "$(cat "$work/answer")"
}
refused 'violates PodSecurity "restricted' 's/"allowPrivilegeEscalation": false/"allowPrivilegeEscalation": true/'
refused 'unknown field' 's/"startupProbe"/"beginProbe"/'
sed 's/interval: 15s/interval: often/' "$work/overlay.yaml" >"$work/wrong.yaml"
! kubectl apply --dry-run=server -f "$work/wrong.yaml" >/dev/null 2>&1 || fail "a PodMonitor's wrong interval is let in"

for overlay in coredns-sidecar coredns-sidecar-tcp; do
    step "CoreDNS sends to the exporter as in $overlay"
    config="$overlays/$overlay/dnstap_exporter.yml"
    [ -e "$config" ] || config="$overlays/../components/exporter/dnstap_exporter.yml"
    # In a network and with files of its own, so that both configurations are taken as they are.
    unshare --net --mount "$top/tests/deploy/coredns.sh" "$tools/coredns-$coredns/coredns" "$overlays/$overlay/Corefile" \
        "$top/build-release/dnstap_exporter" "$config"
done

step "all passed"
