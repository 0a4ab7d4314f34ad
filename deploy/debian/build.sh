#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Make the Debian package out of this tree. Installs what is missing. Usage: deploy/debian/build.sh [FOLDER]
set -eu
top=$(cd "$(dirname "$0")/../.." && pwd)
out=$(realpath "${1:-$PWD}")
. "$top/deploy/packages.sh"

# shellcheck disable=SC2086,SC2154 # a list of words, from packages.sh
install_missing $build_packages build-essential debhelper

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tree="$work/dnstap-exporter"
mkdir "$tree"
tar -c -C "$top" --exclude=.git --exclude='./build*' . | tar -x -C "$tree"
cp -r "$tree/deploy/debian" "$tree/debian"
(cd "$tree" && dpkg-buildpackage -us -uc -b)
mv "$work"/*.deb "$out/"
