#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Instructions that a frame takes, whole path and by module, counted by valgrind.

A count does not depend on the machine's load. Recorded captures are read once and eleven times in a row,
"zipf" is half a minute of 20,000 and of 220,000 frames: the difference is free of the start. Each time a
recording begins again its clock goes back, and the lists and detectors are evaluated: most of what the
libraries take there. Modules are those of the source lines, as a build
with debug information and the release's options has them; what an inlined function does counts for the
module that it is in. Environment: DNSTAP_EXPORTER_DEBUG.
"""

import collections
import os
import pathlib
import re
import subprocess
import tempfile

from common import PROGRAMS, recorded, table

CAPTURES = ("unbound-small", "bind-small")
TIMES = 10
ZIPF = (20_000, 220_000)


def count_by_file(path):
    """{source file: instructions} of one run."""
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder, "out")
        subprocess.run(["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}",
                        os.environ["DNSTAP_EXPORTER_DEBUG"], "read", path],
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
        return parse(out.read_text(encoding="utf-8"))


def parse(text):
    """Self cost by file: the line after `calls=` is a callee's and counts there. A name is spelled out
    where it comes first, be it a caller's or a callee's."""
    names, counts, current, is_call = {}, collections.Counter(), None, False
    for line in text.split("\n"):
        place = re.match(r"(fl|fi|fe|cfl|cfi)=\((\d+)\)(?: (.*))?$", line)
        if place:
            if place[3]:
                names[place[2]] = place[3]
            if not place[1].startswith("c"):
                current = names[place[2]]
        elif line.startswith("calls="):
            is_call = True
        elif re.match(r"[+*\d-]\S* \d+$", line):
            if not is_call:
                counts[current] += int(line.split(" ")[1])
            is_call = False
    return counts


def module_of(file):
    match = re.search(r"(?:src|include)/(\w+)/[\w.]+$", file or "")
    return match[1] if match else "libraries"


def difference(few, many, frames):
    """{module: instructions a frame}, from two files."""
    few, many = count_by_file(few), count_by_file(many)
    modules = collections.Counter()
    for file in many:
        modules[module_of(file)] += (many[file] - few[file]) / frames
    return modules


def of_zipf(folder):
    files = [pathlib.Path(folder, f"zipf-{frames}.fstrm") for frames in ZIPF]
    for frames, path in zip(ZIPF, files):
        with open(path, "wb") as file:
            subprocess.run([PROGRAMS / "flood", f"--frames={frames}", "--seconds=30", "--zipf=1.0",
                            "--names=1000000", "--clients=100000", "--nxdomain=5", "-"],
                           stdout=file, stderr=subprocess.DEVNULL, check=True)
    return difference(*files, ZIPF[1] - ZIPF[0])


def of_recorded(name, folder):
    path = recorded(name)
    frames = int(re.search(r"frames=(\d+)", subprocess.run(
        [PROGRAMS / "replay", path, "-"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        text=True, check=True).stderr)[1])
    files = {}
    for times in (1, 1 + TIMES):
        files[times] = pathlib.Path(folder, f"{times}.fstrm")
        with open(files[times], "wb") as file:
            subprocess.run([PROGRAMS / "replay", f"--frames={times * frames}", path, "-"],
                           stdout=file, stderr=subprocess.DEVNULL, check=True)
    return difference(files[1], files[1 + TIMES], TIMES * frames)


def main():
    with tempfile.TemporaryDirectory() as folder:
        counts = {name: of_recorded(name, folder) for name in CAPTURES}
        counts["zipf"] = of_zipf(folder)
    modules = sorted(set().union(*counts.values()), key=lambda module: -counts["zipf"][module])
    rows = [(module, *(f"{count[module]:.0f}" for count in counts.values())) for module in modules
            if any(count[module] >= 0.5 for count in counts.values())]
    rows.append(("all", *(f"{sum(count.values()):.0f}" for count in counts.values())))
    table("instructions a frame", counts, rows)


if __name__ == "__main__":
    main()
