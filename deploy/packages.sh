# SPDX-License-Identifier: Apache-2.0
# Sourced by deploy/run.sh and tests/run.sh: install Debian packages that are missing.

# What building the exporter needs.
build_packages="gcc git libc6-dev libcrypt-dev libgnutls28-dev libidn2-dev
    libjansson-dev libldns-dev libmicrohttpd-dev libprotobuf-c-dev libseccomp-dev libsystemd-dev libunistring-dev
    libyaml-dev libzstd-dev make meson ninja-build pkg-config protobuf-c-compiler publicsuffix xxd
    zlib1g-dev"

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    else
        sudo "$@"
    fi
}

# Usage: install_missing PACKAGE... No service is started by being installed: on a machine of its own a
# DNS server would take port 53 and Prometheus port 9090.
install_missing() {
    missing=
    for package in "$@"; do
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q '^install ok installed$' ||
            missing="$missing $package"
    done
    [ -n "$missing" ] || return 0
    echo "installing:$missing" >&2
    policy=/usr/sbin/policy-rc.d
    if [ ! -e "$policy" ]; then
        printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
        as_root chmod 755 "$policy"
        remove_policy=yes
    fi
    status=0
    # shellcheck disable=SC2086 # a list of words
    { as_root apt-get -q update &&
        as_root env DEBIAN_FRONTEND=noninteractive \
            apt-get -q -y --no-install-recommends install $missing; } >&2 || status=1
    if [ "${remove_policy:-no}" = yes ]; then
        as_root rm -f "$policy"
    fi
    return $status
}
