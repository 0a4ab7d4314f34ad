#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Compare two builds of the exporter on recordings: /metrics in three formats, JSON, `read` and log
lines have to be equal, but for the renames below. For changes of the code that change no behaviour.

Usage: compare.py OLD NEW [RECORDING|FOLDER]...     tests/captures, without one
Environment: FIXED_WORLD, the library that fixes the hash key and the time.
"""

import difflib
import json
import os
import pathlib
import re
import subprocess
import sys
import time

import exporter as exporter_module
from exporter import Exporter, detection_of, limit, wait_until
from sender import Sender, payloads_of
from test_formats import PROTOBUF, families

CAPTURES = pathlib.Path(__file__).resolve().parent.parent / "captures"

# Of both outputs: (regular expression, what both are taken for).
RENAMES = (
    # HELP texts are compared by test_registry with its golden page.
    (r"(# HELP \w+) .*", r"\1"),
    # One limit in place of two: the sum, which is 0 in the recordings that are compared by default.
    (r".*detection_clients.*", ""),
    (r"detection_domains", "detection"),
    (r"msg=ending\b", 'msg="shutting down"'),
    (r"msg=ended\b", 'msg="dnstap_exporter stopped"'),
)

# What differs between two runs of one program.
UNSTEADY = re.compile(
    r"process_|dnstap_exporter_(build_info|evaluations|scrape|config_last_reload)|dnstap_ingest_delay_seconds")
UNSTEADY_KEYS = {"resident_memory_bytes", "version", "start_time_seconds", "ingest_delay_seconds",
                 "unix", "health"}  # the path of a socket; what depends on steps of 15 seconds

# What detectors find depends on the second that a frame comes in; `read` has it by the second of its time stamp.
CONFIG = """
workers: 1
inputs: [{name: unix, unix: "{dir}/dnstap.sock"}]
web: {listen_addresses: ["{web}"]}
""" + detection_of()


def recordings(arguments):
    for argument in arguments or [CAPTURES]:
        path = pathlib.Path(argument)
        yield from sorted([*path.glob("**/*.fstrm"), *path.glob("**/*.fstrm.zst")]
                          if path.is_dir() else [path])


def text_lines(page):
    return [line for line in page.splitlines() if not UNSTEADY.search(line)]


def protobuf_lines(body):
    for family in families(body):
        if UNSTEADY.match(family.name):
            continue
        for metric in family.metric:
            metric.counter.ClearField("created_timestamp")
            metric.histogram.ClearField("created_timestamp")
            yield f"{family.name} {family.type} {family.unit}: " + " ".join(
                str(metric).split())


def without_unsteady(value):
    if isinstance(value, dict):
        return {key: without_unsteady(inner) for key, inner in value.items()
                if key not in UNSTEADY_KEYS}
    return [without_unsteady(inner) for inner in value] if isinstance(value, list) else value


def json_lines(body):
    return json.dumps(without_unsteady(json.loads(body)), indent=1).splitlines()


def log_lines(log, folder):
    for line in log.splitlines():
        if "dnstap_exporter starts" not in line:
            line = line.replace(folder, "DIR") if folder else line
            yield re.sub(r"ts=\S+ |pid \d+|127\.0\.0\.1:\d+", "", line)


def served(program, frames):
    """What a running exporter shows of the frames, by name."""
    exporter_module.PROGRAM = program
    with Exporter(CONFIG, env={"LD_PRELOAD": os.environ["FIXED_WORLD"]}) as exporter:
        Sender(exporter.socket).send_all(frames)
        wait_until(lambda: exporter.scrape().total("dnstap_connections") == 0, 20, "the end")
        time.sleep(2.5)  # lists and detectors are evaluated once a second
        shown = {}
        for name, accept, lines in (
                ("text", "", lambda body: text_lines(body.decode())),
                ("openmetrics", "application/openmetrics-text",
                 lambda body: text_lines(body.decode())),
                ("protobuf", PROTOBUF, protobuf_lines)):
            exporter.wait_for_new_page()
            shown[name] = list(lines(exporter.get("/metrics", headers={"Accept": accept})[2]))
        for name in ("status", "top"):
            shown[name] = json_lines(exporter.get(f"/api/v1/{name}?limit=1000")[2])
        exporter.stop()
        shown["log"] = list(log_lines(exporter.log(), exporter.dir))
    return shown


def read(program, path):
    done = subprocess.run([program, "read", "--window=5m", path], capture_output=True, text=True,
                          timeout=limit(300), check=False,
                          env={**os.environ, "LD_PRELOAD": os.environ["FIXED_WORLD"]})
    return {"read": text_lines(done.stdout), "read's log": list(log_lines(done.stderr, "")),
            "read's status": [str(done.returncode)]}


def frames_of(path):
    content = path.read_bytes()
    if path.suffix == ".zst":
        content = subprocess.run(["zstd", "-dcq", path], capture_output=True, check=True).stdout
    return payloads_of(content)


def renamed(lines):
    for old, new in RENAMES:
        lines = [re.sub(old, new, line) for line in lines]
    return sorted(filter(None, lines))


def differences(name, old, new):
    if old == new:
        return []
    return list(difflib.unified_diff(old, new, f"{name}, old", f"{name}, new", n=0, lineterm=""))[:40]


def main():
    old, new, *arguments = sys.argv[1:]
    compared, different = 0, 0
    for path in recordings(arguments):
        frames = frames_of(path)
        first, second = read(old, path), read(new, path)
        if path.parent.name != "detection":  # they are there for what `read` finds in them
            first.update(served(old, frames))
            second.update(served(new, frames))
        for name, lines in first.items():
            found = differences(f"{path.name}: {name}", renamed(lines), renamed(second[name]))
            different += bool(found)
            print(*found, sep="\n", end="\n" if found else "")
        compared += sum(len(lines) for lines in first.values())
        print(f"{path.name}: {len(frames)} frames", flush=True)
    print(f"{compared} lines compared, {different} outputs differ")
    return 1 if different or not compared else 0


if __name__ == "__main__":
    sys.exit(main())
