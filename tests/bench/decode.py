#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""`read` on a file of three million frames against Debian's two decoders, which print a line for each."""

import os
import subprocess
import time

from common import median, rounds, spread, table, zipf

FRAMES = 3_000_000
ROUNDS = rounds(3)
OURS = "dnstap_exporter read"
COMMANDS = {
    OURS: [os.environ["DNSTAP_EXPORTER"], "read"],
    "dnstap-ldns -q": ["dnstap-ldns", "-q", "-r"],
    "dnstap -q (Go)": ["dnstap", "-q", "-r"],
}


def run(command, path):
    """(elapsed, CPU) nanoseconds for a frame."""
    began = time.monotonic()
    process = subprocess.Popen([*command, path], stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    assert status == 0, command
    elapsed = time.monotonic() - began
    return elapsed * 1e9 / FRAMES, (usage.ru_utime + usage.ru_stime) * 1e9 / FRAMES


def main():
    rows = []
    path = zipf(FRAMES)
    measured = [{what: run(command, path) for what, command in COMMANDS.items()}
                for _ in range(ROUNDS)]
    for what in COMMANDS:
        elapsed, cpu = ([one[what][i] for one in measured] for i in (0, 1))
        times = [median(one[what][i] / one[OURS][i] for one in measured) for i in (0, 1)]
        rows.append((what, f"{median(elapsed):.0f}", f"{spread(elapsed):.0%}", f"{times[0]:.1f}",
                     f"{median(cpu):.0f}", f"{times[1]:.1f}"))
    table("a file", ("ns/frame", "spread", "times ours", "CPU ns/frame", "times ours"), rows)


if __name__ == "__main__":
    main()
