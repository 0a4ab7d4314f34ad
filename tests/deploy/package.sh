#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Make the Debian package and take it through its life in a fresh root of this machine's release: install, run, scrape,
# upgrade with a changed configuration, remove, purge; with the inputs of README and every server's page, as the unit's
# user, and a real Unbound. As root; takes some minutes and the network.
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
python=/usr/bin/python3

step() {
    echo "== $*"
}

fail() {
    echo "FAIL: $*" >&2
    exit 1
}

# With /proc, which systemd-tmpfiles needs.
inside() {
    unshare --mount --pid --fork sh -c '
        mount -t proc proc "$1/proc"
        exec chroot "$@"' inside "$root" env DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 "$@"
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
inside apt-get -q -y --no-install-recommends install curl publicsuffix unbound >"$work/log" 2>&1 ||
    { tail -n 20 "$work/log"; exit 1; }

step "install"
inside apt-get -q -y --no-install-recommends install "/root/$(basename "$package")" >"$work/log" 2>&1 ||
    { tail -n 20 "$work/log"; exit 1; }
units=/lib/systemd/system
for file in /usr/bin/dnstap_exporter $configuration $units/dnstap_exporter.service $units/dnstap_exporter.socket \
    $units/dnstap_exporter@.socket $units/dnstap_exporter-web.socket /usr/share/man/man8/dnstap_exporter.8.gz \
    /usr/share/man/man5/dnstap_exporter.yml.5.gz /usr/share/bash-completion/completions/dnstap_exporter \
    /usr/share/zsh/vendor-completions/_dnstap_exporter /usr/lib/sysusers.d/dnstap_exporter.conf \
    /usr/lib/tmpfiles.d/dnstap_exporter.conf /usr/share/man/man7/dnstap_exporter-servers.7.gz \
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

[ "$(inside stat -c '%U:%G %a' /run/dnstap_exporter)" = "dnstap_exporter:dnstap_exporter 755" ] ||
    fail "no folder for sockets, or not the user's"

step "every link of a page to another file is there"
"$python" - "$root/usr/share/doc/dnstap-exporter" <<'END'
import pathlib
import re
import sys

top = pathlib.Path(sys.argv[1])
pages = list(top.rglob("*.md"))
links = [(page, link) for page in pages for link in re.findall(r"\]\(([^)#]+)", page.read_text(encoding="utf-8"))
         if not re.match("[a-z]+:", link)]
missing = [f"{page.relative_to(top)}: {link}" for page, link in links if not (page.parent / link).exists()]
print(f"{len(pages)} pages, {len(links)} links")
sys.exit("\n".join(missing) if missing or len(pages) < 10 else 0)
END

step "run"
inside dnstap_exporter --version
inside dnstap_exporter --config.check --config.file=$configuration
inside dnstap_exporter read /root/unbound-small.fstrm | grep '^dnstap_queries_total' >"$work/log" ||
    fail "no query was read"
# As the unit's user, with what the unit gives and nothing else.
unit() {
    sed -n "s/^$1=//p" "$root$units/dnstap_exporter.service"
}
[ "$(unit AmbientCapabilities)" = CAP_CHOWN ] && [ "$(unit CapabilityBoundingSet)" = CAP_CHOWN ] ||
    fail "the unit gives other capabilities than this test"
cat >"$root/root/as_unit.sh" <<END
exec setpriv --reuid=$(unit User) --regid=$(unit Group) --clear-groups --no-new-privs --bounding-set=-all,+chown \\
    --inh-caps=-all,+chown --ambient-caps=-all,+chown "\$@"
END
cat >"$root/root/run.sh" <<'END'
set -eu
sh /root/as_unit.sh dnstap_exporter --config.file=/etc/dnstap_exporter/dnstap_exporter.yml --web.listen-address=127.0.0.1:9353 &
exporter=$!
curl -s --retry 20 --retry-delay 1 --retry-connrefused http://127.0.0.1:9353/metrics >/root/page
test -S /run/dnstap_exporter/dnstap.sock
kill "$exporter"
wait "$exporter"
test ! -e /run/dnstap_exporter/dnstap.sock
END
alone sh /root/run.sh
grep '^dnstap_connections{' "$root/root/page" || fail "that is no page of metrics"

step "the inputs of README and of the servers' pages: each socket is for its server's group, and for nobody else"
mkdir "$root/root/inputs"
"$python" - "$top" "$root/root/inputs" <<'END'
import pathlib
import re
import sys

top, out = map(pathlib.Path, sys.argv[1:])
pages = [top / "README.md", *sorted(top.glob("deploy/*.md")), *sorted(top.glob("deploy/*/*.md"))]
count = 0
for page in pages:
    for block in re.findall(r"```yaml\n((?:#.*\n)*inputs:\n.*?)```", page.read_text(encoding="utf-8"), re.DOTALL):
        if "group:" in block:
            name = str(page.relative_to(top)).replace("/", "_").removesuffix(".md")
            (out / f"{name}_{count}.yml").write_text(block, encoding="utf-8")
            count += 1
sys.exit(0 if count >= 9 else f"only {count} examples of inputs with a group")
END
sed -n 's/.*group: \([^ ,}]*\).*/\1/p' "$root"/root/inputs/* | sort -u | while read -r group; do
    inside getent group "$group" >"$work/log" || inside groupadd --system "$group"
done
cat >"$root/root/inputs.sh" <<'END'
set -eu
for file in /root/inputs/*.yml; do
    install -m 644 "$file" /tmp/inputs.yml
    sh /root/as_unit.sh dnstap_exporter --config.file=/tmp/inputs.yml --web.listen-address=127.0.0.1:9353 &
    exporter=$!
    curl -s --retry 20 --retry-delay 1 --retry-connrefused http://127.0.0.1:9353/-/ready >/dev/null
    sed -n 's/.*name: \([^ ,]*\),.*unix: \([^ ,]*\),.*group: \([^ ,}]*\).*/\1 \2 \3/p' "$file" >/tmp/inputs
    test -s /tmp/inputs
    while read -r name path group; do
        found=$(stat -c '%U:%G %a' "$path")
        test "$found" = "dnstap_exporter:$group 660" || { echo "$file: $path is $found" >&2; exit 1; }
        # Whoever speaks HTTP there is let in, and told off.
        setpriv --reuid=nobody --regid="$group" --clear-groups curl -s -m 5 --unix-socket "$path" http://x/ || true
        status=0
        setpriv --reuid=nobody --regid=games --clear-groups curl -s -m 5 --unix-socket "$path" http://x/ || status=$?
        test "$status" = 7 || { echo "$file: anybody may connect to $path" >&2; exit 1; }
        sleep 0.3 # pages are made anew four times a second
        curl -s http://127.0.0.1:9353/metrics | grep -q "^dnstap_connections_accepted_total{input=\"$name\"} 1$" ||
            { echo "$file: $group cannot connect to $path" >&2; exit 1; }
        echo "$(basename "$file"): $path: $found"
    done </tmp/inputs
    kill "$exporter"
    wait "$exporter"
done
END
alone sh /root/inputs.sh

step "a real Unbound, as its own user"
"$python" - "$top/deploy/servers/unbound.md" "$root" <<'END'
import pathlib
import re
import sys

page, root = map(pathlib.Path, sys.argv[1:])
exporter, unbound = re.findall(r"```yaml\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)[:2]
(root / "tmp/inputs.yml").write_text(exporter, encoding="utf-8")
(root / "etc/unbound/unbound.conf.d/dnstap.conf").write_text(unbound, encoding="utf-8")
(root / "root/unbound.conf").write_text("""\
server:
  interface: 127.0.0.1@5353
  username: unbound
  chroot: ""
  pidfile: ""
  use-syslog: no
  do-daemonize: no
include: /etc/unbound/unbound.conf.d/dnstap.conf
""", encoding="utf-8")
END
chmod 644 "$root/tmp/inputs.yml"
cat >"$root/root/unbound.sh" <<'END'
set -eu
sh /root/as_unit.sh dnstap_exporter --config.file=/tmp/inputs.yml --web.listen-address=127.0.0.1:9353 &
exporter=$!
curl -s --retry 20 --retry-delay 1 --retry-connrefused http://127.0.0.1:9353/-/ready >/dev/null
unbound -c /root/unbound.conf &
unbound=$!
for _ in $(seq 20); do
    # One question for localhost, type A.
    perl -MIO::Socket -e 'my $s = IO::Socket::INET->new(Proto => "udp", PeerAddr => "127.0.0.1:5353") or exit;
        $s->send("\0\1\1\0\0\1\0\0\0\0\0\0\11localhost\0\0\1\0\1")'
    sleep 1
    if curl -s http://127.0.0.1:9353/metrics | grep '^dnstap_query_types_total{server="unbound",role="client",qtype="A"}'; then
        break
    fi
done
kill "$unbound" "$exporter"
wait
END
alone sh /root/unbound.sh >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
grep '^dnstap_query_types_total' "$work/log" || { cat "$work/log"; fail "no query of Unbound's arrives"; }

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
