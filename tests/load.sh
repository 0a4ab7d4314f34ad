#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Run a command beside busy loops, to see whether tests pass on a busy machine; exit with its status.
# Usage: tests/load.sh LOOPS COMMAND [ARGUMENT]...
set -eu
loops=$1
shift

# A loop looks now and then whether this script is still there, so that none stays behind.
busy() {
    while kill -0 $$ 2>/dev/null; do
        turn=0
        while [ $turn -lt 100000 ]; do
            turn=$((turn + 1))
        done
    done
}

pids=
# shellcheck disable=SC2086 # a list of numbers
trap 'kill $pids 2>/dev/null || :' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
while [ "$loops" -gt 0 ]; do
    busy &
    pids="$pids $!"
    loops=$((loops - 1))
done
"$@"
