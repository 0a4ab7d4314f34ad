#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""CPU time of a frame and resident memory against what there is to count: names and clients, servers,
connections. One worker, everything on, defaults otherwise; ratios are to the first line of a round.
"""

import pathlib
import re
import subprocess

from common import (Ours, PROGRAMS, SENDER_CPU, cpu_seconds, median, pinned, replay, rounds, table,
                    zipf)

ROUNDS = rounds(3)
FRAMES = 4_000_000


def flood(*options):
    def run(ours):
        before = cpu_seconds(ours.pid)
        subprocess.run([PROGRAMS / "flood", f"--frames={FRAMES}", "--nxdomain=5", *options,
                        ours.socket], check=True, stderr=subprocess.DEVNULL,
                       preexec_fn=pinned(SENDER_CPU))
        return (cpu_seconds(ours.pid) - before) / FRAMES * 1e9
    return run


def connections(count):
    return lambda ours: replay(ours, zipf(), f"--frames={FRAMES}",
                               f"--connections={count}").cpu_ns


SERIES = {
    "names and clients, all in turn": {
        f"10^{digits}": flood(f"--names={10**digits}", f"--clients={10**digits}")
        for digits in range(3, 8)},
    "names and clients, Zipf 1.0": {
        f"10^{digits}": flood("--zipf=1.0", f"--names={10**digits}", f"--clients={10**digits}")
        for digits in range(3, 8)},
    "servers in one stream": {
        str(count): flood("--names=100000", "--clients=10000", f"--identities={count}")
        for count in (1, 8, 64)},
    "connections": {str(count): connections(count) for count in (1, 8, 64)},
}


def resident_mib(pid):
    status = pathlib.Path("/proc", str(pid), "status").read_text(encoding="ascii")
    return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024


def measure(run):
    with Ours() as ours:
        ns = run(ours)
        ours.exporter.scrape()
        return ns, resident_mib(ours.pid)


def main():
    for title, steps in SERIES.items():
        measured = [{step: measure(run) for step, run in steps.items()} for _ in range(ROUNDS)]
        first = next(iter(steps))
        table(title, ("CPU ns/frame", "ratio", "RSS MiB"),
              [(step, f"{median(one[step][0] for one in measured):.0f}",
                f"{median(one[step][0] / one[first][0] for one in measured):.2f}",
                f"{max(one[step][1] for one in measured):.1f}") for step in steps])


if __name__ == "__main__":
    main()
