#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Lay out the image's files in FOLDER: the programs, the shared libraries they load, their packages' licences, the
# public suffix list and the user. Runs in the Dockerfile's build stage. Usage: image_root.sh FOLDER PROGRAM...
set -eu
folder=$1
shift
top=$(cd "$(dirname "$0")/../.." && pwd)
suffixes=/usr/share/publicsuffix/public_suffix_list.dat

install -D -s -t "$folder/usr/bin" "$@"
install -D -m 644 -t "$folder/usr/share/doc/dnstap_exporter" "$top/LICENSE"

# Paths of libraries and of the loader, which finds them in Debian's folders without being told.
libraries=$(ldd "$@" | grep -o '/[^ ]*\.so[^ ]*' | sort -u)
# shellcheck disable=SC2086 # a list of paths
cp -L --parents -t "$folder" $libraries $suffixes

# dpkg knows a file by one of two names since /lib is a link to /usr/lib.
for file in $libraries $suffixes; do
    owner=$(dpkg -S "$file" 2>/dev/null || dpkg -S "/usr$file")
    cp --parents -t "$folder" "/usr/share/doc/${owner%%:*}/copyright"
done

install -d "$folder/etc"
echo 'dnstap_exporter:x:65532:65532::/:/sbin/nologin' >"$folder/etc/passwd"
echo 'dnstap_exporter:x:65532:' >"$folder/etc/group"
# For any user: docker run --user, and clusters that choose one.
install -d -m 1777 "$folder/run/dnstap_exporter"
# For the archive and the known domains: a volume gets this mode.
install -d -m 1777 "$folder/var/lib/dnstap_exporter"
