#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Frames through a socket: at full speed, and trickling, against a receiver that only drains.

Sender and receiver have a core each; the time is from START to FINISH, when all is read; CPU time is the
receiver's, user and system, all threads.
"""

from common import Drain, Ours, median, recorded, replay, rounds, spread, table, zipf

FRAMES = 4_000_000
ROUNDS = rounds(5)


def compare(ours, drain, *arguments, **options):
    """[(ours, drain)] of the rounds."""
    return [(replay(ours, *arguments, **options), replay(drain, *arguments, **options))
            for _ in range(ROUNDS)]


def speed_row(label, pairs):
    own = [ours.cpu_ns for ours, _ in pairs]
    return (label,
            f"{median(ours.speed for ours, _ in pairs) / 1e6:.2f}",
            f"{median(drain.speed for _, drain in pairs) / 1e6:.2f}",
            f"{median(ours.speed / drain.speed for ours, drain in pairs):.2f}",
            f"{median(own):.0f}", f"{spread(own):.0%}",
            f"{median(drain.cpu_ns for _, drain in pairs):.0f}")


def full_speed():
    rows = []
    count = f"--frames={FRAMES}"
    with Ours() as ours, Drain() as drain, Drain(tcp=True) as drain_tcp:
        path = zipf()
        rows.append(speed_row("unix socket, zipf", compare(ours, drain, path, count)))
        for name in ("unbound-small", "bind-small"):
            rows.append(speed_row(f"unix socket, {name} again and again",
                                  compare(ours, drain, recorded(name), count)))
        rows.append(speed_row("TCP, zipf", compare(ours, drain_tcp, path, count, tcp=True)))
        for size in (8000, 1):
            pairs = compare(ours, drain, path, f"--frames={FRAMES // 4}", f"--write-size={size}")
            what = f"{size} bytes" if size > 1 else "a frame"
            rows.append(speed_row(f"unix socket, zipf, {what} a write", pairs))
    table("ingest at full speed", ("M frames/s", "drain", "ratio", "CPU ns/frame", "spread",
                                   "drain"), rows)


def two_connections():
    """Does the second worker cost the first one anything? Neither is pinned here."""
    path, count = zipf(), f"--frames={FRAMES}"
    with Ours(workers=1, cpu=None) as one, Ours(workers=2, cpu=None) as two:
        rounds_of = [(replay(one, path, count, cpu=None),
                      replay(two, path, count, "--connections=2", cpu=None))
                     for _ in range(ROUNDS)]
    rows = [("one connection, one worker", f"{median(a.cpu_ns for a, _ in rounds_of):.0f}", ""),
            ("two connections, two workers", f"{median(b.cpu_ns for _, b in rounds_of):.0f}",
             f"{median(b.cpu_ns / a.cpu_ns for a, b in rounds_of):.2f}")]
    table("workers", ("CPU ns/frame", "ratio"), rows)


def trickle():
    """Five seconds at a rate, a frame a write as Unbound sends, and 8,000 bytes as libfstrm does."""
    rows = []
    path = zipf()
    with Ours() as ours, Drain() as drain:
        for rate in (20_000, 100_000, 500_000):
            for size in (1, 8000):
                if rate == 500_000 and size == 1:
                    continue  # more writes than a sender manages
                pairs = compare(ours, drain, path, f"--frames={5 * rate}", f"--rate={rate}",
                                f"--write-size={size}")
                what = f"{size} bytes" if size > 1 else "a frame"
                more = [100 * (a.load - b.load) for a, b in pairs]
                rows.append((f"{rate // 1000}k frames/s, {what} a write",
                             f"{median(a.speed for a, _ in pairs) / 1000:.0f}",
                             f"{median(a.cpu_ns for a, _ in pairs):.0f}",
                             f"{median(b.cpu_ns for _, b in pairs):.0f}",
                             f"{median(more):.2f}", f"{min(more):.2f}"))
    table("trickle", ("k frames/s", "CPU ns/frame", "drain", "more, % core", "least"), rows)


if __name__ == "__main__":
    full_speed()
    two_connections()
    trickle()
