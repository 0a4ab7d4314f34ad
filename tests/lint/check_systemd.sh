#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What is deployed beside the program is sound: units, sandbox, manual, completions, package.
# Usage: check_systemd.sh SOURCE_FOLDER
set -eu
cd "$1"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
status=0

fail() {
    echo "$*"
    status=1
}

# The real paths need not be there, only something to run.
cp deploy/systemd/*.socket "$work"
sed -e 's#@bindir@/dnstap_exporter#/bin/true#' -e 's#@configuration@#/dev/null#' \
    deploy/systemd/dnstap_exporter.service.in >"$work/dnstap_exporter.service"
# Without the manual, which is not installed, and with names that systemd-analyze may look up.
sed -i '/^Documentation=/d' "$work"/*
cp "$work/dnstap_exporter@.socket" "$work/dnstap_exporter@root.socket"
rm "$work/dnstap_exporter@.socket"
found=$(cd "$work" && SYSTEMD_UNIT_PATH="$work:" systemd-analyze verify --man=no ./*.service ./*.socket 2>&1) ||
    fail "systemd-analyze verify fails"
found=$(echo "$found" | grep -F dnstap_exporter) && fail "$found"

# 20 is 2.0.
systemd-analyze security --offline=yes --threshold=20 "$work/dnstap_exporter.service" >"$work/security" ||
    fail "$(tail -n 1 "$work/security")"

for page in deploy/man/*; do
    found=$(mandoc -T lint "$page" 2>&1 | grep -Fv -e 'referenced manual not found' -e 'outdated mandoc.db') &&
        fail "$found"
    found=$(MANROFFSEQ='' man --warnings -E UTF-8 -l "$page" 2>&1 >/dev/null)
    [ -z "$found" ] || fail "$found"
done

bash -n deploy/completion/dnstap_exporter.bash || status=1
zsh -n deploy/completion/_dnstap_exporter || status=1
for script in deploy/*.sh deploy/debian/*.sh deploy/debian/*.prerm deploy/debian/*.postrm tests/deploy/*.sh; do
    sh -n "$script" || status=1
done
exit $status
