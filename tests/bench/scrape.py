#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""/metrics with 1, 8 and 64 servers and all lists full: how long a scrape takes, idle and under full
ingest, how large the page is, in each format, and what scrapes cost ingest. And how soon after its start a
page is there.

The scraper keeps its connection; the time is from the request to the last byte of the page.
"""

import contextlib
import http.client
import os
import subprocess
import threading
import time

from common import (Exporter, Ours, PROGRAMS, SENDER_CPU, median, pinned, replay, rounds, table,
                    zipf)

ROUNDS = rounds(5)
SCRAPES = 300


def fill(ours, servers):
    """Every list holds as many names and clients as it can, every server has queries and responses."""
    subprocess.run([PROGRAMS / "flood", "--frames=2000000", "--zipf=0.9", "--names=200000",
                    "--clients=100000", "--nxdomain=20", "--servfail=20",
                    f"--identities={servers}", ours.socket],
                   check=True, stderr=subprocess.DEVNULL, preexec_fn=pinned(SENDER_CPU))


FORMATS = {
    "text": "text/plain",
    "OpenMetrics": "application/openmetrics-text",
    "protobuf": "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited",
}


class Scraper:
    def __init__(self, ours, accept=FORMATS["text"], encoding="identity"):
        self.headers = {"Accept": accept, "Accept-Encoding": encoding}
        self.connection = http.client.HTTPConnection(ours.exporter.web, timeout=10)
        self.seconds, self.size = [], 0

    def scrape(self):
        began = time.perf_counter()
        self.connection.request("GET", "/metrics", headers=self.headers)
        self.size = len(self.connection.getresponse().read())
        self.seconds.append(time.perf_counter() - began)

    def figures(self):
        ordered = sorted(self.seconds)
        return [f"{1000 * median(ordered):.2f}", f"{1000 * ordered[len(ordered) * 99 // 100]:.2f}"]


@contextlib.contextmanager
def full_ingest(ours):
    """Frames as fast as they are taken, until the end of the block."""
    done = threading.Event()

    def send():
        while not done.is_set():
            replay(ours, zipf(), "--frames=1000000")

    sender = threading.Thread(target=send)
    sender.start()
    try:
        yield
    finally:
        done.set()
        sender.join()


def formats():
    rows = []
    with Ours() as ours:
        fill(ours, 8)
        for name, accept in FORMATS.items():
            for encoding in "identity", "gzip":
                scraper = Scraper(ours, accept, encoding)
                for _ in range(SCRAPES):
                    scraper.scrape()
                rows.append((name, encoding, f"{scraper.size / 1000:.0f}", *scraper.figures()))
    table("8 servers, ms", ("encoding", "kB", "idle median", "p99"), rows)


def durations():
    rows = []
    for servers in (1, 8, 64):
        with Ours() as ours:
            fill(ours, servers)
            idle, busy = Scraper(ours), Scraper(ours)
            for _ in range(SCRAPES):
                idle.scrape()
            with full_ingest(ours):
                for _ in range(SCRAPES):
                    busy.scrape()
                    time.sleep(0.01)
            rows.append((f"{servers} servers", f"{idle.size / 1000:.0f}", *idle.figures(),
                         *busy.figures()))
    table("/metrics, ms", ("kB", "idle median", "p99", "busy median", "p99"), rows)


def ingest_at(ours, scrapes_a_second):
    """Frames a second with so many scrapes beside."""
    scraper, done = Scraper(ours), threading.Event()

    def scrape():
        while not done.wait(1 / scrapes_a_second):
            scraper.scrape()

    thread = threading.Thread(target=scrape) if scrapes_a_second else None
    if thread:
        thread.start()
    sent = replay(ours, zipf(), "--frames=6000000")
    done.set()
    if thread:
        thread.join()
    return sent.speed


def cost():
    rates = (0, 1, 10)
    with Ours() as ours:
        fill(ours, 1)
        measured = [{rate: ingest_at(ours, rate) for rate in rates} for _ in range(ROUNDS)]
    table("ingest beside scrapes", ("M frames/s", "ratio"),
          [(f"{rate} scrapes a second", f"{median(one[rate] for one in measured) / 1e6:.2f}",
            f"{median(one[rate] / one[0] for one in measured):.3f}") for rate in rates])


def first_page():
    """Milliseconds from the start of the process to the end of the first page."""
    exporter = Exporter()
    host, port = exporter.web.split(":")
    began = time.perf_counter()
    process = subprocess.Popen([os.environ["DNSTAP_EXPORTER"], *exporter.flags],
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while True:
            try:
                connection = http.client.HTTPConnection(host, int(port), timeout=5)
                connection.request("GET", "/metrics")
                assert connection.getresponse().read().startswith(b"#")
                return 1000 * (time.perf_counter() - began)
            except ConnectionRefusedError:
                time.sleep(0.0005)
    finally:
        process.terminate()
        process.wait()
        exporter.discard()


def start():
    milliseconds = [first_page() for _ in range(4 * ROUNDS)]
    table("start to first page, ms", ("median", "max"),
          [("defaults", f"{median(milliseconds):.1f}", f"{max(milliseconds):.1f}")])


if __name__ == "__main__":
    formats()
    durations()
    cost()
    start()
