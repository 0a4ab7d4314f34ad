#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The modules keep their direction, and each foreign library has one place. `decode` and `sketch` are
pure: the symbols that their objects need are those below. Headers begin as the house style says, and
no `*_internal.h` leaves its module.

Usage: check_modules.py LIBRARY_OF_DECODE LIBRARY_OF_SKETCH
"""

import pathlib
import re
import subprocess
import sys

TOP = pathlib.Path(__file__).resolve().parents[2]

# What a module uses; and what these use.
EDGES = {
    "base": [],
    "decode": ["base"],
    "sketch": ["base"],
    "config": ["base"],
    "client": ["decode", "config"],
    "count": ["decode", "sketch", "config"],
    "tls": ["config"],
    "top": ["client", "sketch", "config"],
    "detect": ["client", "sketch", "config"],
    "stream": ["decode", "tls", "config"],
    "present": ["client", "count", "config"],
    "record": ["count", "top", "detect"],
    "relay": ["stream", "client", "count", "config"],
    "expose": ["record"],
    "ingest": ["record", "relay", "stream"],
    "http": ["expose", "tls", "config"],
    "sandbox": ["base"],
    "program": ["ingest", "http", "present", "relay", "sandbox"],
    "main": ["program"],
}

# One file behind which each library stays.
OWNERS = {
    "fstrm": "src/stream/control_frame.c",
    "microhttpd": "src/http/http_internal.h src/http/web_security_internal.h src/http/web_headers_internal.h",
    "gnutls": "src/tls/tls_credentials.c src/tls/tls_stream.c",
    "crypt": "src/http/password_hash.c",
    "yaml": "src/config/yaml_source_internal.h",
    "idn2": "src/client/idn.c",
    "jansson": "src/expose/json_format.c src/program/top_view.c",
    "ldns": "src/count/dns_mnemonic.c src/present/ldns_text.c",
    "protobuf-c": "src/expose/protobuf_format.c",
    "seccomp": "src/sandbox/system_calls.c",
    "systemd": "src/program/systemd.c",
    "zlib": "src/stream/byte_source.c src/http/gzip.c",
    "zstd": "src/stream/zstd_packer.c src/stream/zstd_unpacker.c",
    "unictype": "src/base/utf8.c",
    "unistr": "src/base/utf8.c",
}

# What the objects of a pure module may call of others: no descriptors, clocks, threads, logs.
COMPILER = r"__(asan|ubsan|tsan|sanitizer|stack_chk|mem\w+_chk|afl)\w*|_GLOBAL_OFFSET_TABLE_|__tls_get_addr"
MEMORY = r"mem(cpy|move|set|cmp|chr)"
ALLOCATION = ("malloc", "calloc", "aligned_alloc", "free")
PURE = {
    "decode": rf"{COMPILER}|{MEMORY}|hash_\w+",
    "sketch": rf"{COMPILER}|{MEMORY}|exp2|sqrt|log|ldexp|{'|'.join(ALLOCATION)}",
}

INCLUDE = re.compile(r'^\s*#\s*include\s+([<"])([^>"]+)[>"]', re.MULTILINE)
GENERATED = {"build_info.h", "landing.html.inc", "landing.policy.inc", "status.policy.inc", "metrics.pb-c.h", "status.html.inc"}


def with_all_below(module):
    return {module}.union(*(with_all_below(below) for below in EDGES[module]))


MAY_INCLUDE = {module: with_all_below(module) for module in EDGES}


def module_of(path):
    parts = path.relative_to(TOP).parts
    return parts[1] if len(parts) > 2 else "main"


def complaints_about(path):
    text = path.read_text(encoding="utf-8")
    name = str(path.relative_to(TOP))
    module = module_of(path)
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
            if head not in MAY_INCLUDE[module]:
                yield f"{name}: {module} includes {target}"
            if not (TOP / "include" / target).exists():
                yield f"{name}: {target} is not under include/"
        elif bracket == '"':
            if not (path.parent / target).exists():
                yield f"{name}: {target} is not in its own folder"
        else:
            library = (head if rest else target).removesuffix(".h")
            if library in OWNERS and name not in OWNERS[library].split():
                yield f"{name}: includes {target}, which belongs to {OWNERS[library]}"


def check_own_header_first(path):
    header = f"{module_of(path)}/{path.stem}.h"
    includes = [target for _, target in INCLUDE.findall(path.read_text(encoding="utf-8"))]
    if (TOP / "include" / header).exists() and includes[0] != header:
        yield f"{path.relative_to(TOP)}: does not include its own header first"


def symbols(library, flag):
    """Of all objects in it: those that it defines (--defined-only), or needs (--undefined-only)."""
    listed = subprocess.run(["nm", flag, library], capture_output=True, text=True, check=True).stdout
    return {line.split()[-1] for line in listed.splitlines() if len(line.split()) > 1}


def check_purity(module, library):
    """All that the module calls; the fuzzer's counters are no calls."""
    needed = symbols(library, "--undefined-only") - symbols(library, "--defined-only")
    for symbol in sorted(needed):
        if not re.fullmatch(PURE[module], symbol) and not symbol.startswith("__sancov"):
            yield f"{module} is pure, and calls {symbol}()"


def check_allocation(path):
    """A sketch allocates when it is made, and frees when it is freed."""
    function = ""
    for line in path.read_text(encoding="utf-8").splitlines():
        if definition := re.match(r"\w.*?(\w+)\(.*[^;]$", line):
            function = definition[1]
        called = re.search(rf"\b({'|'.join(ALLOCATION)})\(", line)
        if called and not re.search(r"_(create|free)$", function):
            yield f"{path.relative_to(TOP)}: {function}() calls {called[1]}()"


def main():
    files = sorted([*TOP.glob("src/**/*.[ch]"), *TOP.glob("include/**/*.h")])
    complaints = [complaint for path in files for complaint in complaints_about(path)]
    for path in TOP.glob("src/**/*.c"):
        complaints += check_own_header_first(path)
    for module, library in zip(PURE, sys.argv[1:], strict=True):
        complaints += check_purity(module, library)
    for path in TOP.glob("src/sketch/*.c"):
        complaints += check_allocation(path)
    for complaint in complaints:
        print(complaint)
    print(f"{len(files)} files, {len(complaints)} complaints")
    return 1 if complaints or len(files) < 50 else 0


if __name__ == "__main__":
    sys.exit(main())
