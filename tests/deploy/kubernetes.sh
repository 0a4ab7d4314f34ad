#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Apply every overlay of deploy/kubernetes, and what the chart of deploy/helm makes of many values, to a real API server,
# which checks each field, the Prometheus operator's resources by their own definitions, and every pod by the Pod Security
# level "restricted". There are no nodes: nothing runs. Then CoreDNS with the overlays' Corefiles sends to the exporter with
# the overlays' configurations and the chart's, and the exporter serves with the chart's TLS and passwords.
#
# As root, with Go 1.24 or later. The API server, CoreDNS and Helm are built from their Go modules into build-kubernetes
# the first time: 8 minutes on two cores. Usage: tests/deploy/kubernetes.sh
set -eu
top=$(cd "$(dirname "$0")/../.." && pwd)
. "$top/deploy/packages.sh"
# shellcheck disable=SC2086 # a list of words
install_missing $build_packages curl etcd-server iproute2 knot-dnsutils openssl python3 util-linux

kubernetes=1.34.4
operator=0.85.0
helm=3.19.5
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
    # Helm asks the server which version it is.
    flags="-s -w -X k8s.io/component-base/version.gitVersion=v$kubernetes"
    go build -trimpath -ldflags="$flags" k8s.io/kubernetes/cmd/kube-apiserver
    go build -trimpath -ldflags="$flags" k8s.io/kubernetes/cmd/kubectl
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

build_helm() {
    GOBIN="$PWD" go install -trimpath -ldflags='-s -w' "helm.sh/helm/v3/cmd/helm@v$helm"
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
step "kube-apiserver and kubectl $kubernetes, CoreDNS $coredns, Helm $helm, the exporter"
build kubernetes "$kubernetes"
build coredns "$coredns"
build helm "$helm"
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

# What is made in this namespace is judged by its labels.
enter() {
    namespace=$1
    sed "s/name: dns$/name: $1/" "$overlays/../base/namespace.yaml" | kubectl apply -f - >/dev/null
}

# The pods that the workloads would make.
pods() {
    kubectl -n "$namespace" get deployments,daemonsets -o json | python3 -c '
import json
import sys
for item in json.load(sys.stdin)["items"]:
    template = item["spec"]["template"]
    template["metadata"]["generateName"] = item["metadata"]["name"] + "-"
    print(json.dumps({"apiVersion": "v1", "kind": "Pod", **template}))'
}

# let_in FILE: what is in it, and its pods
let_in() {
    kubectl apply --validate=strict --warnings-as-errors -f "$1" >"$work/applied" ||
        fail "it does not apply: $(cat "$work/applied")"
    pods >"$work/pods"
    [ -s "$work/pods" ] || fail "no pods"
    kubectl -n "$namespace" create --validate=strict --warnings-as-errors -f "$work/pods" || fail "its pods are not let in"
    kubectl -n "$namespace" delete deployments,daemonsets,pods --all --force --grace-period=0 >/dev/null 2>&1
}

enter dns
for overlay in "$overlays"/*; do
    step "overlay ${overlay##*/}"
    kubectl kustomize "$overlay" >"$work/overlay.yaml"
    let_in "$work/overlay.yaml"
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

helm() {
    HOME="$work" "$tools/helm-$helm/helm" --kube-apiserver "https://127.0.0.1:$port" --kube-token "$token" \
        --kube-ca-file "$work/certificates/apiserver.crt" --namespace "$namespace" "$@"
}

# rendered FLAG...: into chart.yaml. This Helm does not know by itself which Kubernetes it is of.
rendered() {
    helm template dnstap-exporter "$chart" --kube-version "$kubernetes" "$@" >"$work/chart.yaml" 2>"$work/answer"
}

# chart_case KINDS FLAG...: what the chart makes with these flags is of these kinds, and is let in
chart_case() {
    kinds=$1
    shift
    helm lint --strict --quiet "$chart" --kube-version "$kubernetes" "$@" || fail "helm lint"
    rendered "$@" || fail "$(cat "$work/answer")"
    found=$(sed -n 's/^kind: //p' "$work/chart.yaml" | sort | uniq -c | xargs)
    [ "$found" = "$kinds" ] || fail "it makes $found"
    let_in "$work/chart.yaml"
    kubectl delete -f "$work/chart.yaml" --ignore-not-found >/dev/null
}

# in_config_map NAME FILE: what that ConfigMap has in that file
in_config_map() {
    kubectl -n "$namespace" get configmap "$1" -o go-template="{{index .data \"$2\"}}"
}

config_is_sound() {
    in_config_map dnstap-exporter dnstap_exporter.yml >"$work/dnstap_exporter.yml"
    "$top/build-release/dnstap_exporter" --config.check --config.file="$work/dnstap_exporter.yml" >/dev/null
}

enter dnstap
# The package, in which files are what links were.
helm package "$top/deploy/helm/dnstap-exporter" --destination "$work" >/dev/null 2>"$work/answer" ||
    fail "$(cat "$work/answer")"
chart=$(echo "$work"/dnstap-exporter-*.tgz)

cat >"$work/off.yaml" <<'END'
networkPolicy: {enabled: false}
podMonitor: {enabled: false}
prometheusRule: {enabled: false}
dashboards: {enabled: false}
serviceAccount: {create: false}
END
everything="$top/tests/deploy/helm/everything.yaml"
all="4 ConfigMap 1 Deployment 1 NetworkPolicy 1 PodMonitor 1 PrometheusRule 2 Service 1 ServiceAccount"
step "the chart"
chart_case "$all"
step "the chart, with everything off"
chart_case "1 ConfigMap 1 Deployment 2 Service" --values "$work/off.yaml"
step "the chart, as a DaemonSet"
chart_case "4 ConfigMap 1 DaemonSet 1 NetworkPolicy 1 PodMonitor 1 PrometheusRule 2 Service 1 ServiceAccount" --set kind=DaemonSet
step "the chart, with every value"
chart_case "4 ConfigMap 1 Deployment 1 NetworkPolicy 1 PodMonitor 1 PrometheusRule 1 Secret 2 Service 1 ServiceAccount" \
    --values "$everything"

step "the chart refuses what is wrong"
# wrong PATTERN FLAG...
wrong() {
    pattern=$1
    shift
    ! rendered "$@" || fail "taken: $*"
    grep -q -e "$pattern" "$work/answer" || fail "$(cat "$work/answer")"
}
wrong "'/kind': value must be one of" --set kind=StatefulSet
wrong "'/replicas': got string, want integer" --set-string replicas=2
wrong "'replica' not allowed" --set replica=2
wrong "'/networkPolicy/enabled': got string, want boolean" --set networkPolicy.enabled=no
# A NetworkPolicy takes an empty list for everybody.
wrong "'/networkPolicy/dnsServers': minItems" --set-json 'networkPolicy.dnsServers=[]'
wrong "'/networkPolicy/monitoring/0': minProperties" --set-json 'networkPolicy.monitoring=[{}]'
wrong "'/config/inputs'" --set-json 'config.inputs=[{"name": "tcp", "tcp": ":6001"}]'
wrong "'/config/inputs'" --set-json 'config.inputs=[{"name": "tcp", "tcp": "127.0.0.1:6000"}]'
tar -C "$work" -xzf "$chart"
whole=$chart
chart="$work/dnstap-exporter"
rm "$chart/rules/dnstap.alerts.yml" "$chart"/dashboards/*
wrong "packed without rules/dnstap.alerts.yml"
wrong "packed without dashboards" --set prometheusRule.enabled=false
chart=$whole

step "the chart, installed, upgraded and deleted"
helm install dnstap-exporter "$chart" >"$work/notes"
grep -q -- '-n dnstap get service dnstap-exporter ' "$work/notes" || fail "$(cat "$work/notes")"
for of in dns dnstap; do
    kubectl -n "$of" get prometheusrule dnstap-exporter -o jsonpath='{.spec}' >"$work/rules.$of"
done
# shellcheck disable=SC2016 # braces that Prometheus fills in
grep -qF '{{ $labels.server }}' "$work/rules.dnstap" || fail "alerts without braces"
cmp "$work/rules.dns" "$work/rules.dnstap"
for dashboard in "$top"/dashboards/*.json; do
    name=${dashboard##*/}
    in_config_map "dnstap-exporter-${name%.json}" "$name" | cmp - "$dashboard"
done
# What pods are made from; another one makes new pods.
template() {
    kubectl -n dnstap get deployment dnstap-exporter -o jsonpath='{.spec.template}'
}
template >"$work/template"
helm upgrade dnstap-exporter "$chart" --set podMonitor.interval=30s >/dev/null
template | cmp - "$work/template"
helm upgrade dnstap-exporter "$chart" --values "$everything" --set nameOverride=,fullnameOverride=,kind=DaemonSet \
    --set service.clusterIP= >/dev/null
config_is_sound
grep -q 'queue: 16777216' "$work/dnstap_exporter.yml" || fail "$(cat "$work/dnstap_exporter.yml")"
step "the exporter takes the chart's TLS and passwords"
mkdir "$work/web"
kubectl -n dnstap get secret dnstap-exporter-web -o go-template='{{index .data "web.yml" | base64decode}}' >"$work/web/web.yml"
unshare --net "$top/tests/deploy/web.sh" "$top/build-release/dnstap_exporter" "$work/dnstap_exporter.yml" "$work/web"
helm upgrade dnstap-exporter "$chart" --reset-values --set config.log.level=warn >/dev/null
! template | cmp -s - "$work/template" || fail "another configuration, the same pods"
config_is_sound
helm uninstall dnstap-exporter >/dev/null
left=$(kubectl -n dnstap get configmaps,secrets,serviceaccounts,deployments,daemonsets,services,networkpolicies,podmonitors,prometheusrules -o name |
    grep -v kube-root-ca.crt || true)
[ -z "$left" ] || fail "left behind: $left"

# sends_to COREFILE CONFIGURATION: in a network and with files of its own, so that both are taken as they are
sends_to() {
    unshare --net --mount "$top/tests/deploy/coredns.sh" "$tools/coredns-$coredns/coredns" "$1" \
        "$top/build-release/dnstap_exporter" "$2"
}

for overlay in coredns-sidecar coredns-sidecar-tcp; do
    step "CoreDNS sends to the exporter as in $overlay"
    config="$overlays/$overlay/dnstap_exporter.yml"
    [ -e "$config" ] || config="$overlays/../components/exporter/dnstap_exporter.yml"
    sends_to "$overlays/$overlay/Corefile" "$config"
done
step "CoreDNS sends to the exporter as in the chart"
sends_to "$overlays/coredns-sidecar-tcp/Corefile" "$work/dnstap_exporter.yml"

step "all passed"
