#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Render the chart of deploy/helm with Helm's own renderer: alone, with a parent chart, and with values that its schema has to
# refuse. Skipped (exit status 77) where there is no Go 1.24, or Helm's Go module is neither there nor to be had.
# Two minutes the first time. Usage: tests/deploy/helm.sh [FLAG OF go test]...
set -eu
cd "$(dirname "$0")/helm"
PATH=$PATH:/usr/local/go/bin

skip() {
    echo "skipped: $*" >&2
    exit 77
}

command -v go >/dev/null || skip "no Go, so the chart is not rendered"
answer=$(go mod download 2>&1) || skip "Helm's Go module cannot be had: $answer"
exec go test -count=1 "$@" .
