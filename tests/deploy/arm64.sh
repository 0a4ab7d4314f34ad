#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Build the exporter, its Debian package and its image's files for arm64 on another machine, in a root of Debian 12 with a
# cross compiler, and run the unit tests and the image's programs with qemu. The root stays. On arm64 itself tests/run.sh,
# package.sh and container.sh do it.
# As root; 2 GB in FOLDER, the network, 15 minutes on two cores. Usage: tests/deploy/arm64.sh [FOLDER]
set -eu
top=$(cd "$(dirname "$0")/../.." && pwd)
. "$top/deploy/packages.sh"
[ "$(id -u)" -eq 0 ] || { echo "this test makes a root of its own, which only root may" >&2; exit 1; }
[ "$(dpkg --print-architecture)" != arm64 ] || { echo "this is arm64: run tests/run.sh" >&2; exit 1; }
install_missing debootstrap rsync
root=${1:-${TMPDIR:-/tmp}/dnstap_exporter_arm64}

step() {
    echo "== $*"
}

fail() {
    echo "FAILED: $*" >&2
    exit 1
}

# inside COMMAND...: in namespaces of its own, so that mounts, processes and ports end with it
inside() {
    unshare --mount --net --pid --fork --kill-child sh -c '
        root=$1
        shift
        mount --bind "$root" "$root"
        mount -t proc proc "$root/proc"
        mount --rbind /dev "$root/dev"
        ip link set lo up
        exec chroot "$root" "$@"' inside "$root" env -i HOME=/root LC_ALL=C.UTF-8 \
        PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$@"
}

if [ ! -e "$root/done" ]; then
    step "a Debian 12 with a compiler for arm64, and its libraries"
    rm -rf "$root"
    debootstrap --variant=minbase bookworm "$root" >"$root.log" 2>&1 || { tail -n 20 "$root.log"; exit 1; }
    rm "$root.log"
    cp /etc/resolv.conf "$root/etc/"
    # Libraries are of arm64, programs of this machine.
    packages="build-essential crossbuild-essential-arm64 debhelper iproute2 pkgconf:arm64 protobuf-compiler python3
        python3-protobuf python3-yaml qemu-user-static libcmocka-dev:arm64 libcyaml-dev:arm64 libfstrm-dev:arm64 libpsl-dev:arm64"
    # shellcheck disable=SC2154 # from packages.sh
    for package in $build_packages; do
        case $package in
        *-dev) packages="$packages $package:arm64" ;;
        pkg-config) ;; # each architecture has its own
        *) packages="$packages $package" ;;
        esac
    done
    chroot "$root" dpkg --add-architecture arm64
    chroot "$root" apt-get -q update >/dev/null
    # shellcheck disable=SC2086 # a list of words
    DEBIAN_FRONTEND=noninteractive chroot "$root" apt-get -q -y -o Dpkg::Use-Pty=0 --no-install-recommends install $packages >/dev/null
    touch "$root/done"
fi

step "the tree"
rsync -a --delete --exclude='/build*' --exclude=__pycache__ "$top/" "$root/srv/tree/"
cat >"$root/srv/arm64.ini" <<'END'
[binaries]
c = 'aarch64-linux-gnu-gcc'
ar = 'aarch64-linux-gnu-gcc-ar'
strip = 'aarch64-linux-gnu-strip'
pkgconfig = 'aarch64-linux-gnu-pkg-config'
exe_wrapper = 'qemu-aarch64-static'
[host_machine]
system = 'linux'
cpu_family = 'aarch64'
cpu = 'aarch64'
endian = 'little'
END

step "the exporter and its tests"
inside sh -eu -c '
    git config --global --get-all safe.directory /srv/tree >/dev/null || git config --global --add safe.directory /srv/tree
    cd /srv
    [ -e build/build.ninja ] || meson setup build tree --cross-file arm64.ini --buildtype=release -Db_lto=true >/dev/null
    meson configure build -Dwerror=true
    ninja -C build --quiet' || fail "it does not build"

step "unit tests, with qemu"
inside meson test -C /srv/build --no-rebuild --quiet --print-errorlogs --timeout-multiplier 20 --suite unit --suite oracle

step "the Debian package"
inside sh -eu -c '
    rm -rf /srv/package
    mkdir /srv/package
    cp -r /srv/tree /srv/package/dnstap-exporter
    cd /srv/package/dnstap-exporter
    cp -r deploy/debian debian
    dpkg-buildpackage -us -uc -b -aarm64' >"$root/srv/package.log" 2>&1 || fail "$(tail -n 20 "$root/srv/package.log")"
inside sh -c 'dpkg-deb --field /srv/package/dnstap-exporter_*_arm64.deb Package Architecture Depends'

step "the image's files, and its programs as any user"
mkdir -p "$root/srv/path"
cat >"$root/srv/path/ldd" <<'END'
#!/bin/sh
for program in "$@"; do
    qemu-aarch64-static /lib/ld-linux-aarch64.so.1 --list "$program"
done
END
printf '#!/bin/sh\nexec aarch64-linux-gnu-strip "$@"\n' >"$root/srv/path/strip"
chmod +x "$root/srv/path/ldd" "$root/srv/path/strip"
inside sh -eu -c '
    cd /srv
    aarch64-linux-gnu-gcc -O2 -Wall -Wextra -fPIE -pie -o build/healthcheck tree/deploy/docker/healthcheck.c
    rm -rf image
    PATH=/srv/path:$PATH tree/deploy/docker/image_root.sh image build/dnstap_exporter build/healthcheck
    # 183 is the number of this machine in ELF.
    find image -type f \( -path "*/bin/*" -o -name "*.so*" \) | while read -r file; do
        [ "$(od -A n -t u2 -j 18 -N 2 "$file" | tr -d " ")" = 183 ] || { echo "$file is not of arm64"; exit 1; }
    done
    cp /usr/bin/qemu-aarch64-static image/
    mkdir image/dev
    mount --bind /dev image/dev
    run() {
        chroot --userspec=12345:12345 image /qemu-aarch64-static "$@"
    }
    run /usr/bin/dnstap_exporter --input.unix=/run/dnstap_exporter/dnstap.sock --web.listen-address=:9353 &
    for _ in $(seq 100); do
        run /usr/bin/healthcheck 9353 2>/dev/null && exit 0
        sleep 0.1
    done
    exit 1' || fail "the image"

step "all passed"
