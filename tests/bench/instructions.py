#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Instructions that a frame takes, whole path and by room, counted by valgrind on recorded captures.

A count does not depend on the machine's load. A capture is read once and eleven times in a row; the
difference is ten times its frames without the start. Rooms are those of the source lines, as a build
with debug information and the release's options has them; what an inlined function does counts for the
room that it is in. Environment: DNSTAP_EXPORTER_DEBUG.
"""

import collections
import os
import pathlib
import re
import subprocess
import tempfile

from common import TOP, PROGRAMS, table

CAPTURES = ("unbound-small", "bind-small")
TIMES = 10


def count_by_file(path):
    """{source file: instructions} of one run."""
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder, "out")
        subprocess.run(["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}",
                        os.environ["DNSTAP_EXPORTER_DEBUG"], "read", path],
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
        return parse(out.read_text(encoding="utf-8"))


def parse(text):
    """Self cost by file: the line after `calls=` is a callee's and counts there."""
    names, counts, current, is_call = {}, collections.Counter(), None, False
    for line in text.split("\n"):
        place = re.match(r"(fl|fi|fe)=\((\d+)\)(?: (.*))?$", line)
        if place:
            names.setdefault(place[2], place[3])
            current = names[place[2]]
        elif line.startswith("calls="):
            is_call = True
        elif re.match(r"[+*\d-]\S* \d+$", line):
            if not is_call:
                counts[current] += int(line.split(" ")[1])
            is_call = False
    return counts


def room_of(file):
    match = re.search(r"(?:src|include)/(\w+)/[\w.]+$", file or "")
    return match[1] if match else "libraries"


def per_frame(name, folder):
    """{room: instructions a frame}."""
    path = TOP / "tests/captures" / f"{name}.fstrm"
    frames = int(re.search(r"frames=(\d+)", subprocess.run(
        [PROGRAMS / "replay", path, "-"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        text=True, check=True).stderr)[1])
    files = {}
    for times in (1, 1 + TIMES):
        files[times] = pathlib.Path(folder, f"{times}.fstrm")
        with open(files[times], "wb") as file:
            subprocess.run([PROGRAMS / "replay", f"--frames={times * frames}", path, "-"],
                           stdout=file, stderr=subprocess.DEVNULL, check=True)
    few, many = (count_by_file(files[times]) for times in (1, 1 + TIMES))
    rooms = collections.Counter()
    for file in many:
        rooms[room_of(file)] += (many[file] - few[file]) / (TIMES * frames)
    return rooms


def main():
    with tempfile.TemporaryDirectory() as folder:
        counts = {name: per_frame(name, folder) for name in CAPTURES}
    rooms = sorted(set().union(*counts.values()), key=lambda room: -counts[CAPTURES[0]][room])
    rows = [(room, *(f"{counts[name][room]:.0f}" for name in CAPTURES)) for room in rooms
            if any(counts[name][room] >= 0.5 for name in CAPTURES)]
    rows.append(("all", *(f"{sum(counts[name].values()):.0f}" for name in CAPTURES)))
    table("instructions a frame", CAPTURES, rows)


if __name__ == "__main__":
    main()
