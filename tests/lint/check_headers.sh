#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Every header compiles alone. Usage: check_headers.sh SOURCE_FOLDER
set -eu
cd "$1"
status=0
for header in include/*/*.h; do
    echo "#include \"${header#include/}\"" |
        cc -std=gnu11 -D_GNU_SOURCE -Wall -Wextra -Werror -Iinclude -fsyntax-only -x c - || status=1
done
exit $status
