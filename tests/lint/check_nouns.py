#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Each noun of a module, a .c file of src, has a unit test of its name, or a row here: the test that
shows it, and why it has none of its own."""

import pathlib
import re
import sys

TOP = pathlib.Path(__file__).resolve().parents[2]

CONFIG = ("unit/test_config.c", "a configuration is read as a whole, from its text")
SETTINGS = ("unit/test_settings.c", "rows, and what goes together, are read from a configuration")
FORMATS = ("unit/test_registry.c", "a page is compared with the golden one")
PROGRAM = ("unit/test_allocation.c", "the files of a command; each command is run, too, by the integration tests")
RECORDS = ("unit/test_record_text.c", "a field is presented as part of a record's data")
WEB = ("integration/test_http.py", "it answers requests that libmicrohttpd hands over")

ELSEWHERE = {
    "base/clock": ("unit/test_registry_clock.c", "reads the system's clock"),
    "config/config_check": CONFIG,
    "config/config_document": CONFIG,
    "config/config_kind": CONFIG,
    "config/config_print": CONFIG,
    "config/config_rows": CONFIG,
    "config/yaml_source": CONFIG,
    "client/block_list_settings": SETTINGS,
    "client/idn": ("oracle/test_suffix_oracle.c", "libpsl reads the same rules"),
    "client/suffix_settings": SETTINGS,
    "count/label_sets": ("unit/test_shard.c", "holds the sets that have tests of their own"),
    "count/label_values": ("unit/test_catalogue.c", "tables of texts: that none is missing"),
    "count/matching": ("unit/test_shard.c", "what the matcher finds, as counters"),
    "count/message_counter": ("unit/test_shard.c", "one message, all its counters"),
    "decode/dns_record": ("unit/test_dns_message.c", "records are read within a message"),
    "detect/evidence": ("unit/test_tunnel.c", "what detectors share is seen through each of them"),
    "detect/held_names": ("unit/test_tunnel.c", "what waits for an evaluation is seen through the detectors"),
    "detect/public_names": ("unit/test_rebinding.c", "what it remembers is seen through the detector"),
    "detect/finding": ("unit/test_findings.c", "a value that findings keep"),
    "present/field_text": RECORDS,
    "present/ldns_text": RECORDS,
    "present/service_text": RECORDS,
    "present/message_json": ("unit/test_message_text.c", "a message as one of two lines"),
    "present/message_line": ("unit/test_message_text.c", "a message as one of two lines"),
    "program/http_get": ("integration/test_terminal.py", "it asks a real exporter"),
    "program/top": ("integration/test_terminal.py", "it runs in a real terminal"),
    "base/utf8": ("unit/test_label.c", "which characters labels show as they are"),
    "base/socket_file": ("integration/test_permissions.py", "it reads the sockets of a real exporter"),
    "expose/collector": FORMATS,
    "expose/computed_metrics": FORMATS,
    "expose/process": ("integration/test_formats.py", "its numbers are the kernel's"),
    "expose/protobuf_format": FORMATS,
    "expose/scrape": FORMATS,
    "expose/text_format": FORMATS,
    "http/answer": WEB,
    "http/basic_auth": ("integration/test_web_config.py", "passwords are what curl sends"),
    "http/clients": WEB,
    "http/gzip": ("unit/test_page_store.c", "pages are what it packs"),
    "http/http_server": WEB,
    "http/password_hash": ("integration/test_web_config.py", "hashes are what htpasswd makes"),
    "http/pages": WEB,
    "http/refusals": ("integration/test_web_config.py", "who is refused is counted and logged"),
    "http/site": ("integration/test_status.py", "a real browser shows the pages under their policy"),
    "http/web_config": ("integration/test_web_config.py", "its values are what openssl and curl meet"),
    "http/web_headers": ("integration/test_web_config.py", "headers are what curl gets"),
    "http/web_security": ("integration/test_web_config.py", "what it refuses, a client has to see"),
    "ingest/default_socket": ("integration/test_permissions.py", "depends on the user and the folders"),
    "ingest/acceptor": ("integration/test_connect.py", "sockets of real peers"),
    "ingest/ingest": ("integration/test_hostile.py", "threads and sockets"),
    "http/web_settings": SETTINGS,
    "http/web_users": ("integration/test_web_config.py", "passwords are what curl sends"),
    "ingest/ingest_settings": SETTINGS,
    "ingest/worker": ("integration/test_hostile.py", "threads and sockets"),
    "program/block_list_files": ("integration/test_block_list.py", "files that are replaced while it runs"),
    "relay/connection_failure": ("integration/test_tls.py", "the reasons are those of real peers"),
    "tls/tls_context": ("unit/test_tls_stream.c", "streams begin with it, and its files are renewed there"),
    "program/check": PROGRAM,
    "program/memory": PROGRAM,
    "program/program": PROGRAM,
    "program/print": ("integration/test_print.py", "a command"),
    "program/read": ("integration/test_read.py", "a command"),
    "program/reload": ("integration/test_inputs.py", "a running service takes another configuration"),
    "program/run": PROGRAM,
    "program/sandbox_rules": ("integration/test_sandbox.py", "what a real exporter may do"),
    "program/user": ("integration/test_sandbox.py", "root only becomes another user"),
    "sandbox/landlock": ("unit/test_sandbox.c", "the kernel's rules are seen through the sandbox"),
    "sandbox/sanitizer_calls": ("integration/test_sandbox.py", "a build with a sanitizer ends without a violation"),
    "sandbox/system_calls": ("unit/test_sandbox.c", "the kernel's filter is seen through the sandbox"),
    "sandbox/violations": ("unit/test_sandbox.c", "what the filter refuses"),
    "program/serve": ("integration/test_life.py", "the life of the process"),
    "program/systemd": ("integration/test_ends.py", "systemd's own tools"),
    "program/sockets": ("integration/test_ends.py", "systemd's sockets"),
    "record/aggregator": ("unit/test_registry.c", "the sum that a page shows"),
    "record/part": ("unit/test_evaluator.c", "what the evaluator takes"),
    "relay/archive": ("integration/test_archive.py", "a thread and real files"),
    "relay/archive_settings": SETTINGS,
    "relay/output": ("integration/test_outputs.py", "a thread and a real receiver"),
    "relay/output_settings": SETTINGS,
    "stream/zstd_unpacker": ("unit/test_byte_source.c", "a file's bytes"),
    "stream/frame_file": ("unit/test_file_reader.c", "a file's frames, counted"),
    "stream/input_settings": SETTINGS,
    "stream/socket": ("unit/test_listener.c", "sockets to listen on and to connect to"),
    "top/top_settings": SETTINGS,
    "tls/tls_settings": ("integration/test_web_config.py", "the mistakes are those of promtool"),
    "tls/tls_credentials": ("integration/test_web_config.py", "what openssl verifies"),
}


def main():
    nouns = {f"{path.parent.name}/{path.stem}" for path in TOP.glob("src/*/*.c")}
    # What builds without a library have in its place: integration/test_minimal.py.
    nouns -= {noun for noun in nouns if noun.endswith("_none") and noun.removesuffix("_none") in nouns}
    tested = {noun for noun in nouns if (TOP / f"tests/unit/test_{noun.split('/')[1]}.c").exists()}
    faults = [f"src/{noun}.c: has no unit test and no row in {__file__}" for noun in nouns - tested - set(ELSEWHERE)]
    for noun, (test, _) in ELSEWHERE.items():
        if noun not in nouns:
            faults.append(f"{noun}: there is no such file in src")
        elif noun in tested:
            faults.append(f"{noun}: it has a unit test, its row is not needed")
        elif not (TOP / "tests" / test).exists():
            faults.append(f"{noun}: there is no tests/{test}")
    build = (TOP / "tests/unit/meson.build").read_text(encoding="utf-8")
    for path in TOP.glob("tests/unit/test_*.c"):
        if not re.search(rf"'(test_)?{path.stem.removeprefix('test_')}'", build):
            faults.append(f"{path}: is not built")
    print(*sorted(faults), sep="\n", end="\n" if faults else "")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
