#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Run tests/run.sh in a root of another Debian release: 13, or the suite that is named. debootstrap makes the root the
# first time; it stays, with all that the tests install and build. Servers listen on this machine's loopback.
# As root; 3 GB in FOLDER, and the network. Usage: tests/deploy/debian13.sh [quick] [SUITE [FOLDER]]
set -eu
top=$(cd "$(dirname "$0")/../.." && pwd)
. "$top/deploy/packages.sh"
[ "$(id -u)" -eq 0 ] || { echo "this test makes a root of its own, which only root may" >&2; exit 1; }
install_missing debootstrap rsync

quick=
if [ "${1:-}" = quick ]; then
    quick=quick
    shift
fi
suite=${1:-trixie}
root=${2:-${TMPDIR:-/tmp}/dnstap_exporter_$suite}

step() {
    echo "== $*"
}

if [ ! -e "$root" ]; then
    step "a fresh Debian: $suite"
    rm -rf "$root.new"
    debootstrap --variant=minbase "$suite" "$root.new" >"$root.log" 2>&1 || { tail -n 20 "$root.log"; exit 1; }
    rm "$root.log"
    mv "$root.new" "$root"
fi

step "the tree"
# In a folder that every user may enter: servers run as users of their own.
tree=/srv/dnstap_exporter
mkdir -p "$root$tree"
rsync -a --delete --exclude='/build*' --exclude=__pycache__ "$top/" "$root$tree/"
cp /etc/resolv.conf "$root/etc/"

step "tests/run.sh $quick"
# In namespaces of its own: mounts and processes end with it.
unshare --mount --pid --fork --kill-child sh -c '
    root=$1
    shift
    mount --bind "$root" "$root"
    mount -t proc proc "$root/proc"
    mount --rbind /sys "$root/sys"
    mount --rbind /dev "$root/dev"
    exec chroot "$root" "$@"' inside "$root" env -i HOME=/root LC_ALL=C.UTF-8 \
    PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    "TEST_TIME_FACTOR=${TEST_TIME_FACTOR:-}" "$tree/tests/run.sh" $quick
