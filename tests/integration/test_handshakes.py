#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Strangers who shake hands in TLS without end: they hold up nobody else, and what they take is bounded.

200 times a second a stranger completes the handshake and says nothing, or is refused since it has no certificate; 50 times
a second one stops in the middle. Meanwhile a server on a unix socket sends 200,000 frames a second, none of which may be
lost; a server over TLS connects again and again; memory stays within the sum of --config.check, and the thread that shakes
hands takes no more than its quarter of a core.

The senders are C programs, of the folder DNSTAP_BENCH. HANDSHAKES_SECONDS is how long it takes (15).
"""

import json
import os
import pathlib
import re
import statistics
import subprocess
import tempfile
import threading
import time
import unittest

from certificates import client_context, make_certificates
from exporter import PROGRAM, Exporter, free_port, limit, wait_until
from sender import Sender, dns_message, dnstap_frame

PROGRAMS = pathlib.Path(os.environ["DNSTAP_BENCH"])
CAPTURE = pathlib.Path(__file__).resolve().parents[1] / "captures/unbound-small.fstrm"
SECONDS = int(os.environ.get("HANDSHAKES_SECONDS", 15))
RATE = 200_000  # frames a second
MIB = 2**20

COMPLETE = 100  # a second, to each of two inputs
HALF_OPEN = 50  # a second
CPU_MAX = 0.25 + 0.02  # of a core; the latter for what is measured at its ends
WAIT_MAX_S = 0.2  # of a write of the paced sender
CONNECTED_MAX_S = 3  # with what a server waits between two tries
CONNECTED_BUSY_MAX_S = 12  # the same where most of the handshakes are refused
RETRY_S = 0.5

CONFIG = """
inputs:
  - {name: unix, unix: "DIR/dnstap.sock"}
  - {name: open, tcp: "127.0.0.1:OPEN", tls: {cert_file: CERTS/KIND.crt, key_file: CERTS/KIND.key}}
  - {name: mutual, tcp: "127.0.0.1:MUTUAL",
     tls: {cert_file: CERTS/KIND.crt, key_file: CERTS/KIND.key, client_ca_file: CERTS/ca.crt}}
"""


def opener_cpu_seconds(pid):
    for task in pathlib.Path("/proc", str(pid), "task").iterdir():
        if (task / "comm").read_text(encoding="ascii") == "opener\n":
            return int((task / "schedstat").read_text(encoding="ascii").split()[0]) / 1e9
    raise AssertionError("no thread of the name")


class Server(threading.Thread):
    """A DNS server with a certificate that connects, sends a frame and goes, again and again."""

    def __init__(self, port, folder):
        super().__init__()
        self.address, self.tls = ("127.0.0.1", port), client_context(folder, "ca", "client")
        self.took = []  # seconds of each connection with its tries, of the last one perhaps unfinished
        self.connected, self.failed = 0, 0  # tries
        self.done = threading.Event()

    def run(self):
        while not self.done.wait(RETRY_S):
            began = time.monotonic()
            while not self.connect() and not self.done.wait(RETRY_S):
                self.failed += 1
            self.took.append(time.monotonic() - began)

    def connect(self):
        try:
            with Sender(self.address, timeout=CONNECTED_MAX_S, tls=self.tls) as sender:
                sender.start().send([dnstap_frame(dns_message())])
                sender.stop()
            self.connected += 1
            return True
        except (OSError, AssertionError):
            return False

    def end(self):
        self.done.set()
        self.join()


class Handshakes(unittest.TestCase):

    def start(self, certificate):
        self.folder = self.enterContext(tempfile.TemporaryDirectory(prefix="dnstap_exporter_handshakes."))
        os.chmod(self.folder, 0o755)
        make_certificates(self.folder)
        self.ports = {name: free_port() for name in ("open", "mutual")}
        config = CONFIG.replace("CERTS/KIND", f"{self.folder}/{certificate}").replace("CERTS", self.folder)
        for name, port in self.ports.items():
            config = config.replace(name.upper(), str(port))
        exporter = Exporter(config.replace("DIR", "{dir}"))
        self.addCleanup(exporter.discard)
        self.exporter = self.enterContext(exporter)
        self.pid = self.exporter.process.pid

    def spawn(self, program, *arguments):
        process = subprocess.Popen([PROGRAMS / program, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   text=True)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.stdin.close)
        return process

    def strangers(self, name, rate, kinds):
        return self.spawn("handshakes", f"--seconds={SECONDS}", f"--rate={rate}", f"--kinds={kinds}",
                          str(self.ports[name]))

    def memory_sum(self):
        checked = subprocess.run([PROGRAM, f"--config.file={self.exporter.config_path}", "--config.check"], check=True,
                                 capture_output=True, text=True).stdout
        return max(float(number) for number in re.findall(r"([\d.]+) MiB", checked)) * MIB

    def peak_memory(self):
        with open(f"/proc/{self.pid}/status", encoding="ascii") as status:
            return int(re.search(r"VmHWM:\s+(\d+) kB", status.read())[1]) * 1024

    def frames(self, name):
        return self.exporter.scrape().total("dnstap_frames_total", input=name)

    def test_ecdsa(self):
        self.start("server")
        self.flood(CONNECTED_MAX_S)

    def test_rsa(self):
        """More than the quarter of a core can do: a server gets in as one among many."""
        self.start("rsa")
        self.flood(CONNECTED_BUSY_MAX_S)

    def flood(self, connected_max_s):
        most = self.memory_sum()
        paced = self.spawn("paced", f"--rate={RATE}", f"--seconds={SECONDS}", CAPTURE, self.exporter.socket)
        cpu_before, began = opener_cpu_seconds(self.pid), time.monotonic()
        floods = {what: self.strangers(*flood) for what, flood in {
            "complete": ("open", COMPLETE, "complete"),
            "without a certificate": ("mutual", COMPLETE, "complete"),
            "half open": ("mutual", HALF_OPEN, "silent,hello"),
        }.items()}
        server = Server(self.ports["mutual"], self.folder)
        server.start()
        self.addCleanup(server.end)
        sent = json.loads(paced.stdout.readline())
        cpu = (opener_cpu_seconds(self.pid) - cpu_before) / (time.monotonic() - began)
        done = {what: json.loads(flood.communicate(timeout=limit(10))[0]) for what, flood in floods.items()}
        server.end()
        paced.stdin.close()
        self.assertEqual(paced.wait(limit(10)), 0)
        closed = {name: self.exporter.scrape().by("reason", "dnstap_connections_closed_total", input=name)
                  for name in self.ports}
        print(json.dumps({"strangers": done, "closed": closed, "opener_cpu": round(cpu, 3), "paced": sent,
                          "server": {"connected": server.connected, "failed": server.failed,
                                     "median_s": round(statistics.median(server.took), 3),
                                     "longest_s": round(max(server.took), 3)},
                          "peak_mib": round(self.peak_memory() / MIB, 1), "check_mib": round(most / MIB, 1)}, indent=1),
              flush=True)

        wait_until(lambda: self.frames("unix") == sent["frames"], 10, "every frame")
        self.assertEqual(self.frames("mutual"), server.connected)
        self.assertLess(sent["longest_wait_ms"] / 1e3, limit(WAIT_MAX_S))
        self.assertLess(self.peak_memory(), most)
        self.assertLess(cpu, CPU_MAX)
        self.assertLess(max(server.took), limit(connected_max_s))
        for what in "complete", "without a certificate":
            self.assertGreater(done[what]["begun"], COMPLETE * SECONDS * 0.9)
        self.assertGreater(closed["mutual"]["tls_no_certificate"], 0)


if __name__ == "__main__":
    unittest.main()
