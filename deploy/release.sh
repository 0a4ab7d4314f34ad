#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Make everything of a release out of the commit that is checked out: the source archive, the Debian package, the image
# as an archive for `docker load`, the Helm chart, and SHA256SUMS. Where the image cannot be made, for want of docker,
# podman or the base image, it makes the rest, says so and exits with 1. Usage: deploy/release.sh FOLDER
set -eu
top=$(cd "$(dirname "$0")/.." && pwd)
[ $# -eq 1 ] || { echo "usage: deploy/release.sh FOLDER" >&2; exit 2; }
mkdir -p "$1"
out=$(realpath "$1")

step() {
    echo "== $*"
}

fail() {
    echo "$0: $*" >&2
    exit 1
}

step "the tree is clean, and its versions agree"
[ -z "$(ls -A "$out")" ] || fail "$out is not empty"
[ -z "$(git -C "$top" status --porcelain)" ] || fail "there are changes that are not committed: git status"
version=$(sed -n "s/^    version: '\(.*\)',$/\1/p" "$top/meson.build")
# agrees WHAT VERSION
agrees() {
    [ "$2" = "$version" ] || fail "$1 is of version $2, meson.build says $version"
}
agrees CHANGELOG.md "$(sed -n 's/^## //p' "$top/CHANGELOG.md" | head -n 1)"
agrees deploy/debian/changelog "$(sed -n '1s/.*(\(.*\)-[^-]*).*/\1/p' "$top/deploy/debian/changelog")"
chart="$top/deploy/helm/dnstap-exporter/Chart.yaml"
agrees "the chart" "$(sed -n 's/^version: //p' "$chart")"
agrees "the chart's program" "$(sed -n 's/^appVersion: //p' "$chart")"
agrees "the image" "$(sed -n 's/.*image\.version="\(.*\)".*/\1/p' "$top/deploy/docker/Dockerfile")"
for file in $(git -C "$top" grep -lE 'image: dnstap_(exporter|unbound):' deploy/docker deploy/kubernetes); do
    for tag in $(sed -n 's/.*image: dnstap_[a-z]*://p' "$top/$file"); do
        agrees "$file" "$tag"
    done
done
tag=$(git -C "$top" describe --tags --exact-match 2>/dev/null || echo none)
[ "$tag" = none ] || agrees "the tag" "${tag#v}"
echo "version $version, tag $tag, commit $(git -C "$top" rev-parse --short HEAD)"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# Everything is made of the archive, as by somebody who has it and nothing else.
name=dnstap_exporter-$version
missing=

step "source"
# Without git's time and gzip's, so that it is the same whenever it is made.
git -C "$top" archive --format=tar --prefix="$name/" HEAD | gzip -n -9 >"$out/$name.tar.gz"
tar -x -C "$work" -f "$out/$name.tar.gz"
tree="$work/$name"
SOURCE_DATE_EPOCH=$(git -C "$top" log -1 --format=%ct)
export SOURCE_DATE_EPOCH

step "Debian package"
"$tree/deploy/debian/build.sh" "$out" >"$work/log" 2>&1 || { tail -n 30 "$work/log" >&2; fail "no package"; }

step "Helm chart"
if command -v helm >/dev/null; then
    helm package --destination "$out" "$tree/deploy/helm/dnstap-exporter" >/dev/null
else
    # What `helm package` does: the chart's folder, with what links are to.
    echo "no helm here: tar makes the archive"
    sed -e '/^#/d' -e 's#/$##' "$tree/deploy/helm/dnstap-exporter/.helmignore" >"$work/ignored"
    tar -c -h --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$SOURCE_DATE_EPOCH" --exclude-from="$work/ignored" \
        -C "$tree/deploy/helm" dnstap-exporter | gzip -n -9 >"$out/dnstap-exporter-$version.tgz"
fi

step "image"
if command -v docker >/dev/null && docker info >/dev/null 2>&1; then
    engine=docker
elif command -v podman >/dev/null; then
    engine=podman
else
    engine=
    missing="the image: neither a docker that answers nor podman is here"
fi
image="dnstap_exporter:$version"
if [ -z "$engine" ]; then
    :
elif "$engine" build -f "$tree/deploy/docker/Dockerfile" -t "$image" "$tree" >"$work/log" 2>&1; then
    "$engine" save "$image" | gzip -n -9 >"$out/dnstap_exporter-$version-image.tar.gz"
else
    missing="the image: $engine build: $(tail -n 1 "$work/log")"
fi

step "checksums"
(cd "$out" && sha256sum -- * >"$work/SHA256SUMS" && mv "$work/SHA256SUMS" . && ls -l)
if [ -n "$missing" ]; then
    echo "missing: $missing" >&2
    exit 1
fi
