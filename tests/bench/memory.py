#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Resident memory under a flood of names and clients that are all different, through the socket:
after the first million names it does not grow by a MiB, with default settings for 49 million more,
and with a window so short that all its steps are full; there also with a few long names again and
again, which take more. Environment: DNSTAP_EXPORTER, DNSTAP_BENCH.
"""

import os
import pathlib
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))
from exporter import Exporter, limit  # noqa: E402

FLOOD = pathlib.Path(os.environ["DNSTAP_BENCH"], "flood")
MIB = 2**20
GROWTH_MAX = 2 * MIB  # of some 38: pages of fixed tables that were not touched before
RESIDENT_MAX = 64 * MIB
NAMES_BEFORE = 10_000_000  # the filter of names has turned
FRAMES = 2 * 50_000_000  # each name is a query and a response

CONFIG = """
inputs:
  - name: unix
    unix: "{dir}/dnstap.sock"
"""


class Flood:
    """An exporter, what is sent to it, and a scrape a second meanwhile."""

    def __init__(self, exporter):
        self.exporter = exporter
        self.sent, self.slowest, self.peak = 0, 0.0, 0
        self.failure = None  # of a scrape
        self.done = threading.Event()
        self.thread = threading.Thread(target=self.watch)
        self.thread.start()

    def watch(self):
        while not self.done.wait(1) and self.failure is None:
            try:
                self.resident()
            except Exception as failure:  # a thread's end would go unnoticed
                self.failure = failure

    def resident(self):
        self.exporter.wait_for_new_page()
        began = time.monotonic()
        page = self.exporter.scrape()
        self.slowest = max(self.slowest, time.monotonic() - began)
        resident = int(page.total("process_resident_memory_bytes"))
        self.peak = max(self.peak, resident)
        return resident

    def settled(self):
        """Resident memory, pages of full lists having been made."""
        return [self.resident() for _ in range(5)][-1]

    def send(self, frames, *options):
        subprocess.run([FLOOD, f"--frames={frames}", f"--first={self.sent // 2}", "--nxdomain=50",
                        *options, self.exporter.socket], check=True, timeout=limit(300),
                       stderr=subprocess.DEVNULL)
        self.sent += frames

    def send_for(self, seconds, *options):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.send(1_000_000, *options)

    def finish(self):
        """Every frame is accounted for, and what full tables let go of is visible."""
        self.done.set()
        self.thread.join()
        assert self.failure is None, f"a scrape during the flood: {self.failure!r}"
        page = self.exporter.scrape()
        assert page.total("dnstap_queries_total") == self.sent / 2, "queries lost"
        assert page.total("dnstap_responses_total") == self.sent / 2, "responses lost"
        assert page.total("dnstap_frames_rejected_total") == 0
        assert page.total("dnstap_top_evictions_total") > 0
        assert page.total("dnstap_limit_overflows_total", limit="detection") > 0
        with open(f"/proc/{self.exporter.process.pid}/status", encoding="ascii") as status:
            peak = next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))
        return max(peak, self.peak)


def report(what, before, flood):
    """Whether memory stayed within both bounds."""
    after = flood.settled()
    peak = flood.finish()
    print(f"{what:50} {before / MIB:8.2f} {after / MIB:8.2f} {peak / MIB:8.2f} "
          f"{flood.sent / 1e6:8.0f} {flood.slowest * 1000:8.1f}", flush=True)
    return after - before < GROWTH_MAX and peak < RESIDENT_MAX


def defaults():
    """50 million names from 10 million clients, with default settings."""
    with Exporter(CONFIG) as exporter:
        flood = Flood(exporter)
        flood.send(2 * NAMES_BEFORE)
        before = flood.settled()
        flood.send(FRAMES - 2 * NAMES_BEFORE)
        return report("defaults, 10 M and 50 M names", before, flood)


def all_steps(what, *options):
    """A window of 10 s, all of whose steps have been full before."""
    with Exporter(CONFIG + "window: 10s\n") as exporter:
        flood = Flood(exporter)
        flood.send_for(11, *options)
        before = flood.settled()
        flood.send_for(6, *options)
        return report(f"{what}, all steps full, 6 s more", before, flood)


def main():
    print(f"{'resident memory':50} {'before':>8} {'after':>8} {'peak':>8} {'frames':>8} "
          f"{'slowest':>8}")
    print(f"{'':50} {'MiB':>8} {'MiB':>8} {'MiB':>8} {'M':>8} {'scrape':>8} ms")
    sound = [
        defaults(),
        all_steps("names of 40 bytes"),
        all_steps("names of 255 bytes", "--name-size=255"),
        # What a table just holds, so that it keeps all of it in each step.
        all_steps("the same 1300 of them", "--name-size=255", "--names=1300", "--clients=1300",
                  "--servfail=50"),
    ]
    return 0 if all(sound) else 1


if __name__ == "__main__":
    sys.exit(main())
