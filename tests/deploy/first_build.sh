#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# deploy/run.sh: the first build ends without a warning, and a user who finds a build folder of root's is told what to do.
# As root; two minutes. Usage: tests/deploy/first_build.sh
set -eu
top=$(cd "$(dirname "$0")/../.." && pwd)
[ "$(id -u)" -eq 0 ] || { echo "this test runs as root and as nobody" >&2; exit 1; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"

step() {
    echo "== $*"
}

fail() {
    echo "FAIL: $*" >&2
    exit 1
}

step "the first build, as root"
mkdir "$work/tree"
tar -c -C "$top" --exclude=.git --exclude='./build*' . | tar -x -C "$work/tree"
"$work/tree/deploy/run.sh" --version >"$work/out" 2>"$work/log" || { tail -n 20 "$work/log"; exit 1; }
grep '^dnstap_exporter' "$work/out" || fail "that is no version"
# The compiler of Protocol Buffers in newer releases says that it has another name now.
! grep -i 'warning' "$work/log" | grep -v 'libprotobuf WARNING' || fail "the build warns"

step "the second one, as nobody"
run_as_nobody() {
    setpriv --reuid=nobody --regid=nogroup --clear-groups env HOME=/nonexistent \
        "$work/tree/deploy/run.sh" --version >"$work/out" 2>"$work/log"
}
! run_as_nobody || fail "nobody may build in root's folder"
cat "$work/log"
build=$work/tree/build-release
grep -q "$build has files of the user root, so nobody cannot build there" "$work/log" || fail "it does not say why"
grep -q "sudo rm -r '$build'" "$work/log" || fail "it does not say what to do"

step "what it says works"
chown -R nobody "$build"
run_as_nobody || { cat "$work/log"; fail "nobody cannot build in a folder of their own"; }
rm -r "$build"
chown nobody "$work/tree"
run_as_nobody || { cat "$work/log"; fail "nobody cannot build"; }

step "all passed"
