#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What the archive costs: CPU time of a frame in its own thread, and in all other threads with and without
it, at 500,000 frames a second and of real servers' recordings; what it drops; and the compressed size.

The disk is the one of BENCH_DATA. Both exporters run in the same round, one after the other.
"""

import os
import pathlib
import re
import shutil
import subprocess

from common import DATA, PROGRAMS, SENDER_CPU, Ours, median, pinned, recorded, rounds, table, zipf

ROUNDS = rounds(5)
RATE = 500_000
FRAMES = 10 * RATE


def cpu_of_threads(pid):
    """{name of a thread: seconds of CPU time so far}; threads of the same name together."""
    used = {}
    for task in pathlib.Path("/proc", str(pid), "task").iterdir():
        name = (task / "comm").read_text().strip()
        used[name] = used.get(name, 0) + int((task / "schedstat").read_text().split()[0]) / 1e9
    return used


def with_archive(folder):
    ours = Ours(cpu=None)
    if folder:
        ours.exporter.write_config(open(ours.exporter.config_path, encoding="utf-8").read()
                                   + f"archive: {{folder: {folder}, max_bytes: 2GiB}}\n")
    return ours


class Run:
    def __init__(self, ours, path):
        before, page = cpu_of_threads(ours.pid), ours.exporter.scrape()
        done = subprocess.run(
            [PROGRAMS / "replay", f"--frames={FRAMES}", f"--rate={RATE}", "--write-size=8000", path, ours.socket],
            check=True, timeout=300, stderr=subprocess.PIPE, text=True, preexec_fn=pinned(SENDER_CPU))
        frames, seconds = re.search(r"frames=(\d+) seconds=(\S+)", done.stderr).groups()
        after = cpu_of_threads(ours.pid)
        used = {name: (after[name] - before.get(name, 0)) / int(frames) * 1e9 for name in after}
        self.archive_ns = used.pop("archive", 0)
        self.others_ns = sum(used.values())
        self.speed = int(frames) / float(seconds)
        now = ours.exporter.scrape()
        self.dropped = (now.total("dnstap_archive_frames_dropped_total")
                        - page.total("dnstap_archive_frames_dropped_total")) / int(frames)
        written = (now.total("dnstap_archive_written_bytes_total")
                   - page.total("dnstap_archive_written_bytes_total"))
        self.bytes = written / int(frames)


def main():
    folder = os.path.join(DATA, "archive")
    rows = []
    with with_archive(None) as without, with_archive(folder) as archiving:
        for label, path in (("zipf", zipf()), ("unbound-small again and again", recorded("unbound-small")),
                            ("bind-small again and again", recorded("bind-small"))):
            runs = [(Run(without, path), Run(archiving, path)) for _ in range(ROUNDS)]
            rows.append((label, f"{median(a.speed for _, a in runs) / 1000:.0f}",
                         f"{median(a.archive_ns for _, a in runs):.0f}",
                         f"{median(b.others_ns for b, _ in runs):.0f}",
                         f"{median(a.others_ns for _, a in runs):.0f}",
                         f"{median(a.others_ns / b.others_ns for b, a in runs):.2f}",
                         f"{median(a.dropped for _, a in runs):.2%}", f"{median(a.bytes for _, a in runs):.0f}"))
    shutil.rmtree(folder)
    table("archive", ("k frames/s", "its ns/frame", "others, off", "others, on", "ratio", "dropped",
                      "bytes/frame"), rows)


if __name__ == "__main__":
    main()
