#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Of `meson install`: put the configuration in place where there is none. An operator's own stays.
# Usage: install_config.sh SOURCE TARGET
set -eu
target="${DESTDIR:-}$2"
if [ -e "$target" ]; then
    echo "$target is there already and stays as it is"
else
    install -D -m 644 "$1" "$target"
fi
