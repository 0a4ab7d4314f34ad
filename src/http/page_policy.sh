#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Prints the Content-Security-Policy of a page as a C string. The page's own style and script may run,
# by their hashes (CSP level 2, section 4.2.5), and nothing else.
# Usage: page_policy.sh PAGE
set -eu

# The hash of what is in the page's element $1; nothing if the page has none.
hash_of() {
    awk -v begin="<$1>" -v end="</$1>" '
        { page = page $0 "\n" }
        END {
            from = index(page, begin)
            if (from > 0) {
                rest = substr(page, from + length(begin))
                printf "%s", substr(rest, 1, index(rest, end) - 1)
            }
        }' "$page" | sha256sum | cut -d ' ' -f 1 | xxd -r -p | base64
}

fail() {
    echo "page_policy.sh: $*" >&2
    exit 1
}

page=$1
policy="default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; connect-src 'self'; img-src data:;"
for element in style script; do
    grep -q "<$element>" "$page" || continue
    hash=$(hash_of "$element")
    [ ${#hash} -eq 44 ] || fail "no hash of the $element of $page"
    policy="$policy $element-src 'sha256-$hash';"
done
printf '"%s"\n' "$policy"
