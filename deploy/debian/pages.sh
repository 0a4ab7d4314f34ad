#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Copy README.md and the pages of deploy/, and what they link to in the tree, so that every link works there, too.
# Usage: deploy/debian/pages.sh TREE FOLDER
set -eu
tree=$(realpath "$1")
folder=$(realpath -m "$2")

# What a page links to in the tree, with paths from the tree's top.
links() {
    sed -e 's/](\([^)]*\))/\n](\1\n/g' "$1" | sed -n -e 's/^](\([^#]*\).*/\1/p' | grep -v '^[a-z]*:' |
        while read -r link; do
            [ -z "$link" ] || realpath -m --relative-to=. "$(dirname "$1")/$link"
        done
}

cd "$tree"
todo=$(echo README.md deploy/*.md deploy/*/*.md)
while [ -n "$todo" ]; do
    next=
    for file in $todo; do
        [ -e "$file" ] || { echo "a link to $file, which is not there" >&2; exit 1; }
        [ ! -e "$folder/$file" ] || [ -d "$file" ] || continue
        if [ -d "$file" ]; then
            mkdir -p "$folder/$file"
            find "$file" -maxdepth 1 -type f ! -name '*.py' -exec cp -p -t "$folder/$file" {} +
        else
            mkdir -p "$folder/$(dirname "$file")"
            cp -p "$file" "$folder/$file"
        fi
        case $file in
            *.md) next="$next $(links "$file")" ;;
        esac
    done
    todo=$next
done
