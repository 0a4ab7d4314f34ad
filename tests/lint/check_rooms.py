#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The rooms keep their direction: a room includes itself and the rooms to its left, and each
foreign library has one room. Also: headers begin as the house style says, and no `*_internal.h`
leaves its room.
"""

import pathlib
import re
import sys

TOP = pathlib.Path(__file__).resolve().parents[2]

# base <- decode, sketch, config <- traffic <- metrics <- ingest, http <- main
MAY_INCLUDE = {
    "base": {"base"},
    "decode": {"base", "decode"},
    "sketch": {"base", "sketch"},
    "config": {"base", "config"},
    "traffic": {"base", "decode", "sketch", "traffic"},
    "metrics": {"base", "decode", "sketch", "traffic", "metrics"},
    "ingest": {"base", "decode", "sketch", "config", "metrics", "ingest"},
    "http": {"base", "decode", "sketch", "config", "metrics", "http"},
    "main": {"base", "config", "metrics", "ingest", "http", "main"},
}

# One file behind which each library stays.
OWNERS = {
    "fstrm": "src/ingest/handshake.c",
    "microhttpd": "src/http/http_internal.h src/http/web_security_internal.h",
    "gnutls": "src/http/web_security.c src/http/web_security_internal.h src/http/site.c",
    "crypt": "src/http/web_security.c",
    "cyaml": "src/config/yaml_file.c",
    "yaml": "src/config/yaml_source_internal.h",
    "idn2": "src/traffic/suffix_table.c",
    "jansson": "src/metrics/json_format.c",
    "ldns": "src/metrics/dns_mnemonic.c",
    "protobuf-c": "src/metrics/protobuf_format.c",
    "zlib": "src/ingest/byte_source.c src/http/gzip.c",
    "zstd": "src/ingest/byte_source.c",
    "unictype": "src/metrics/label.c",
    "unistr": "src/metrics/label.c",
}

# A pure room knows no descriptors, clocks, threads, logs or allocation.
PURE = {
    "decode": {"unistd", "pthread", "time", "stdlib", "stdio", "stdatomic"},
    "sketch": {"unistd", "pthread", "time", "stdio"},
    "traffic": {"unistd", "pthread", "time", "stdatomic"},
}

INCLUDE = re.compile(r'^\s*#\s*include\s+([<"])([^>"]+)[>"]', re.MULTILINE)
GENERATED = {"build_info.h", "landing.html.inc", "metrics.pb-c.h", "status.html.inc"}


def room_of(path):
    parts = path.relative_to(TOP).parts
    return parts[1] if len(parts) > 2 else "main"


def complaints_about(path):
    text = path.read_text(encoding="utf-8")
    name = str(path.relative_to(TOP))
    room = room_of(path)
    if not text.startswith("/* SPDX-License-Identifier: Apache-2.0 */\n"):
        yield f"{name}: does not begin with the SPDX line"
    if path.suffix == ".h" and "\n#pragma once\n" not in text:
        yield f"{name}: no #pragma once"
    if path.suffix == ".h" and f" * {path.name} - " not in text:
        yield f"{name}: no purpose in its first comment"
    for bracket, target in INCLUDE.findall(text):
        head, _, rest = target.partition("/")
        if bracket == '"' and target in GENERATED:
            continue
        if bracket == '"' and rest:
            if head not in MAY_INCLUDE[room]:
                yield f"{name}: {room} includes {target}"
            if not (TOP / "include" / target).exists():
                yield f"{name}: {target} is not under include/"
        elif bracket == '"':
            if not (path.parent / target).exists():
                yield f"{name}: {target} is not in its own folder"
        else:
            library = (head if rest else target).removesuffix(".h")
            if library in OWNERS and name not in OWNERS[library].split():
                yield f"{name}: includes {target}, which belongs to {OWNERS[library]}"
            if library in PURE.get(room, ()):
                yield f"{name}: a pure room includes <{target}>"


def check_own_header_first(path):
    header = f"{room_of(path)}/{path.stem}.h"
    includes = [target for _, target in INCLUDE.findall(path.read_text(encoding="utf-8"))]
    if (TOP / "include" / header).exists() and includes[0] != header:
        yield f"{path.relative_to(TOP)}: does not include its own header first"


def main():
    files = sorted([*TOP.glob("src/**/*.[ch]"), *TOP.glob("include/**/*.h")])
    complaints = [complaint for path in files for complaint in complaints_about(path)]
    for path in TOP.glob("src/**/*.c"):
        complaints += check_own_header_first(path)
    for complaint in complaints:
        print(complaint)
    print(f"{len(files)} files, {len(complaints)} complaints")
    return 1 if complaints or len(files) < 50 else 0


if __name__ == "__main__":
    sys.exit(main())
