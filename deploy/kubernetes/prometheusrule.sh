#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Write deploy/prometheus's rules as the Prometheus operator takes them:
#   deploy/kubernetes/prometheusrule.sh >deploy/kubernetes/components/prometheus-operator/prometheusrule.yaml
set -eu
cat <<'END'
# SPDX-License-Identifier: Apache-2.0
# Written by deploy/kubernetes/prometheusrule.sh from deploy/prometheus: change the rules there.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: dnstap-exporter
  labels:
    app.kubernetes.io/name: dnstap-exporter
    app.kubernetes.io/instance: dnstap-exporter
    app.kubernetes.io/component: exporter
    app.kubernetes.io/part-of: dnstap-exporter
    app.kubernetes.io/version: 0.2.0
    app.kubernetes.io/managed-by: kustomize
spec:
  groups:
END
cd "$(dirname "$0")/../prometheus"
for file in dnstap.rules.yml dnstap.alerts.yml; do
    sed -e '1,/^groups:$/d' -e 's/^./  &/' "$file"
done
