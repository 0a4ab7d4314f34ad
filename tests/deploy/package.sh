#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Make the Debian package and take it through its life in a fresh root of this machine's release: install, run, scrape,
# upgrade with a changed configuration, remove, purge. As root; takes some minutes and the network.
# Usage: tests/deploy/package.sh
set -eu
top=$(cd "$(dirname "$0")/../.." && pwd)
. "$top/deploy/packages.sh"
[ "$(id -u)" -eq 0 ] || { echo "this test makes a root of its own, which only root may" >&2; exit 1; }
install_missing debootstrap iproute2 lintian

work=$(mktemp -d)
root="$work/root"
trap 'rm -rf "$work"' EXIT
configuration=/etc/dnstap_exporter/dnstap_exporter.yml

step() {
    echo "== $*"
}

fail() {
    echo "FAIL: $*" >&2
    exit 1
}

inside() {
    chroot "$root" env DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 "$@"
}

# In a network of its own with nothing but loopback: port 9353 is free there, whatever runs here.
alone() {
    unshare --net --mount --pid --fork sh -c '
        ip link set lo up
        mount -t proc proc "$1/proc"
        root=$1
        shift
        exec chroot "$root" "$@"' alone "$root" "$@"
}

expect_file() {
    [ -e "$root$1" ] || fail "$1 is not there"
}

step "build"
"$top/deploy/debian/build.sh" "$work" >"$work/build.log" 2>&1 || { tail -n 50 "$work/build.log"; exit 1; }
package=$(ls "$work"/dnstap-exporter_*.deb)
ls -l "$work"/*.deb
# No bug of Debian's is closed by it.
lintian --allow-root --fail-on error,warning --suppress-tags initial-upload-closes-no-bugs "$package"

step "a second one of a higher version, with another configuration"
dpkg-deb -R "$package" "$work/next"
sed -i 's/^Version: .*/&+next/' "$work/next/DEBIAN/control"
echo "# of the next version" >>"$work/next$configuration"
dpkg-deb --root-owner-group -b "$work/next" "$work/next.deb" >"$work/log"

suite=$(. /etc/os-release && echo "$VERSION_CODENAME")
step "a fresh Debian: $suite"
debootstrap --variant=minbase "$suite" "$root" >"$work/log" 2>&1 || { tail -n 20 "$work/log"; exit 1; }
printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
chmod 755 "$root/usr/sbin/policy-rc.d"
cp "$package" "$work/next.deb" "$root/root/"
cp "$top/tests/captures/unbound-small.fstrm" "$root/root/"
inside apt-get -q -y --no-install-recommends install curl publicsuffix >"$work/log" 2>&1 ||
    { tail -n 20 "$work/log"; exit 1; }

step "install"
inside apt-get -q -y --no-install-recommends install "/root/$(basename "$package")" >"$work/log" 2>&1 ||
    { tail -n 20 "$work/log"; exit 1; }
units=/lib/systemd/system
for file in /usr/bin/dnstap_exporter $configuration $units/dnstap_exporter.service $units/dnstap_exporter.socket \
    $units/dnstap_exporter@.socket $units/dnstap_exporter-web.socket /usr/share/man/man8/dnstap_exporter.8.gz \
    /usr/share/man/man5/dnstap_exporter.yml.5.gz /usr/share/bash-completion/completions/dnstap_exporter \
    /usr/share/zsh/vendor-completions/_dnstap_exporter /usr/lib/sysusers.d/dnstap_exporter.conf \
    /usr/share/dnstap_exporter/prometheus/dnstap.rules.yml /usr/share/dnstap_exporter/dashboards/dns-overview.json; do
    expect_file "$file"
done
wants=/etc/systemd/system
[ -L "$root$wants/multi-user.target.wants/dnstap_exporter.service" ] || fail "the service is not enabled"
[ -L "$root$wants/sockets.target.wants/dnstap_exporter.socket" ] || fail "the socket is not enabled"
[ ! -L "$root$wants/sockets.target.wants/dnstap_exporter-web.socket" ] || fail "the web socket is enabled"
inside getent passwd dnstap_exporter | grep -q ':/usr/sbin/nologin$' || fail "no user, or one that can log in"
inside cat $configuration | cmp - "$top/config/dnstap_exporter.yml"
inside systemd-analyze verify --man=no $units/dnstap_exporter.service $units/dnstap_exporter.socket >"$work/log" 2>&1 ||
    { cat "$work/log"; exit 1; }
! grep -F dnstap_exporter "$work/log" || fail "systemd-analyze verify finds something"

step "run"
inside dnstap_exporter --version
inside dnstap_exporter --config.check --config.file=$configuration
inside dnstap_exporter read /root/unbound-small.fstrm | grep '^dnstap_queries_total' >"$work/log" ||
    fail "no query was read"
# As its user; who has no systemd makes the folder.
cat >"$root/root/run.sh" <<'END'
set -eu
install -d -o dnstap_exporter -g dnstap_exporter -m 755 /run/dnstap_exporter
setpriv --reuid=dnstap_exporter --regid=dnstap_exporter --clear-groups --no-new-privs --bounding-set=-all \
    dnstap_exporter --config.file=/etc/dnstap_exporter/dnstap_exporter.yml --web.listen-address=127.0.0.1:9353 &
exporter=$!
curl -sS --retry 20 --retry-delay 1 --retry-connrefused http://127.0.0.1:9353/metrics >/root/page
test -S /run/dnstap_exporter/dnstap.sock
kill "$exporter"
wait "$exporter"
test ! -e /run/dnstap_exporter/dnstap.sock
END
alone sh /root/run.sh
grep '^dnstap_connections{' "$root/root/page" || fail "that is no page of metrics"

step "upgrade, with a configuration that the operator has changed"
echo "# of the operator" >>"$root$configuration"
inside apt-get -q -y -o Dpkg::Options::=--force-confold install /root/next.deb >"$work/log" 2>&1 ||
    { tail -n 20 "$work/log"; exit 1; }
inside dpkg-query -W -f '${Version}\n' dnstap-exporter | grep '+next$' || fail "the version is the old one"
grep -q "of the operator" "$root$configuration" || fail "the operator's configuration is gone"
grep -q "of the next version" "$root$configuration.dpkg-dist" || fail "the new configuration is not beside it"

step "remove: the configuration stays"
inside systemctl enable dnstap_exporter@root.socket 2>"$work/log"
inside apt-get -q -y remove dnstap-exporter >"$work/log" 2>&1
[ ! -e "$root/usr/bin/dnstap_exporter" ] || fail "the program is still there"
grep -q "of the operator" "$root$configuration" || fail "the operator's configuration is gone"

step "purge: nothing stays, but the user"
inside apt-get -q -y purge dnstap-exporter >"$work/log" 2>&1
inside getent passwd dnstap_exporter >"$work/log" || fail "the user is gone; its number may become another's"
left=$(find "$root" -xdev -path "$root/proc" -prune -o \( -name '*dnstap_exporter*' -o -name '*dnstap-exporter*' \) -print |
    grep -v -e "^$root/root/" -e "^$root/var/cache/apt/" || true)
[ -z "$left" ] || fail "left: $left"

step "all passed"
