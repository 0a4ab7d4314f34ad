#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What TLS costs an input: CPU of a frame, CPU of a handshake, memory of a connection.

Frames: the same sender, to the exporter over TCP, to the exporter over TLS, and to a program that only has
GnuTLS decrypt the stream, with GnuTLS' own reads. The bound is TCP + 1.3 times that program, of the same
round. Handshakes: the exporter's CPU above that of an idle one, all threads, for strangers who come one
after the other and do not resume. Memory: resident with 101 connections less that with one. Certificates
are for ECDSA P-256 if nothing else is said.

Usage: tls.py [frames] [handshakes] [memory]; exit status 1 if a bound is broken.
"""

import contextlib
import json
import os
import pathlib
import re
import socket
import ssl
import subprocess
import sys
import tempfile
import time

from common import (PROGRAMS, RECEIVER_CPU, SENDER_CPU, TOP, Exporter, Ours, cpu_seconds, free_port, median, pinned,
                    replay, rounds, spread, table, wait_until, zipf)

sys.path.insert(0, str(TOP / "tests/integration"))
from certificates import client_context, make_certificates  # noqa: E402
from exporter import limit  # noqa: E402
from sender import CONTENT_TYPE, START, control, data, dns_message, dnstap_frame  # noqa: E402

ROUNDS = rounds(5)
BOUND = 1.3  # times what decrypting takes
SETTLE_S = 0.5

# How the sender writes: what this is, frames, options.
WRITES = (
    ("full speed, 256 KiB a write", 2_000_000, ()),
    ("full speed, 8,000 bytes a write (libfstrm)", 1_000_000, ("--write-size=8000",)),
    ("full speed, a record for each frame (Unbound)", 400_000, ("--write-size=1",)),
    ("100,000 a second, 8,000 bytes a write", 300_000, ("--write-size=8000", "--rate=100000")),
    ("100,000 a second, a record for each frame", 300_000, ("--write-size=1", "--rate=100000")),
)

CONFIG = """
inputs:
  - name: tcp
    tcp: "127.0.0.1:{tcp}"
  - name: tls
    tcp: "127.0.0.1:{tls}"
    tls: {cert_file: {folder}/{certificate}.crt, key_file: {folder}/{certificate}.key{more}}
limits: {handshake_timeout: 60s}
workers: 1
"""


def config(folder, tcp, tls, certificate="server", more=""):
    """Not by str.format(): {dir} and YAML's braces stay."""
    values = {"tcp": tcp, "tls": tls, "folder": folder, "certificate": certificate, "more": more}
    return re.sub(r"\{(\w+)\}", lambda found: str(values[found[1]]), CONFIG)


class OursTls(Ours):
    """The exporter with an input over TCP and one over TLS."""

    def __init__(self, folder, certificate="server", more="", cpu=RECEIVER_CPU):
        self.port, self.tls_port, self.cpu = free_port(), free_port(), cpu
        self.exporter = Exporter(config(folder, self.port, self.tls_port, certificate, more))


class DrainTls:
    """The program that only decrypts."""

    def __init__(self, folder):
        self.folder, self.port = folder, free_port()

    def __enter__(self):
        self.process = subprocess.Popen([PROGRAMS / "drain_tls", f"{self.folder}/server.crt",
                                         f"{self.folder}/server.key", str(self.port)],
                                        preexec_fn=pinned(RECEIVER_CPU))
        self.pid = self.process.pid
        wait_until(self.listens, what="drain_tls")
        return self

    def listens(self):
        with open("/proc/net/tcp", encoding="ascii") as sockets:
            return f"0100007F:{self.port:04X} 00000000:0000 0A" in sockets.read()

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()


class OverTls:
    """A receiver as replay() wants it, by its port for TLS."""

    def __init__(self, receiver):
        self.pid, self.port = receiver.pid, receiver.tls_port


# --- Frames

def cost_of_frames(folder):
    rows, broken = [], False
    with OursTls(folder) as ours, DrainTls(folder) as drain:
        receivers = {"TCP": (ours, ()), "TLS": (OverTls(ours), ("--tls",)), "decrypt": (drain, ("--tls",))}
        for what, frames, options in WRITES:
            measured = []
            for _ in range(ROUNDS):
                measured.append({name: replay(receiver, zipf(), f"--frames={frames}", *options, *more, tcp=True).cpu_ns
                                 for name, (receiver, more) in receivers.items()})
            ratios = [one["TLS"] / (one["TCP"] + BOUND * one["decrypt"]) for one in measured]
            broken |= median(ratios) > 1
            rows.append((what, *(f"{median(one[name] for one in measured):.0f}" for name in receivers),
                         f"{median(ratios):.2f}", f"{spread(ratios):.0%}"))
    table("CPU ns a frame", ("TCP", "TLS", "only decrypt", "of the bound", "noise"), rows)
    return broken


# --- Handshakes

def cpu_of_opener(pid):
    """Of the thread that shakes hands."""
    for task in pathlib.Path("/proc", str(pid), "task").iterdir():
        if (task / "comm").read_text(encoding="ascii") == "opener\n":
            return int((task / "schedstat").read_text(encoding="ascii").split()[0]) / 1e9
    raise AssertionError("no thread of the name")


def shake_hands(ours, seconds, rate, options):
    """(CPU of all threads, of the opener's, handshakes) while strangers come."""
    before, opener_before = cpu_seconds(ours.pid), cpu_of_opener(ours.pid)
    done = subprocess.run([PROGRAMS / "handshakes", f"--seconds={seconds}", f"--rate={rate}", "--held=64", *options,
                           str(ours.tls_port)],
                          check=True, stdout=subprocess.PIPE, text=True, preexec_fn=pinned(SENDER_CPU))
    return (cpu_seconds(ours.pid) - before, cpu_of_opener(ours.pid) - opener_before,
            json.loads(done.stdout)["completed"])


def cost_of_handshakes(folder):
    rows = []
    for what, certificate, client in (("ECDSA P-256", "server", None), ("RSA 2048", "rsa", None),
                                      ("ECDSA P-256, client's certificate, too", "server", "client"),
                                      ("RSA 2048, client's certificate, too", "rsa", "rsa-client")):
        more = f", client_ca_file: {folder}/ca.crt" if client else ""
        options = (f"--cert={folder}/{client}.crt", f"--key={folder}/{client}.key") if client else ()
        costs, of_opener = [], []
        with OursTls(folder, certificate, more) as ours:
            shake_hands(ours, 1, 20, options)  # the first ones load what all need
            for _ in range(ROUNDS):
                idle, _, _ = shake_hands(ours, 2, 0, options)
                busy, opener, completed = shake_hands(ours, 2, 50, options)
                assert completed >= 90, completed
                costs.append((busy - idle) / completed * 1e3)
                of_opener.append(opener / completed * 1e3)
            closed = ours.exporter.scrape().by("reason", "dnstap_connections_closed_total", input="tls")
            refused = sum(count for reason, count in closed.items() if reason.startswith("tls_"))
            assert refused < sum(closed.values()) / 10, closed  # their cost is another one
        rows.append((what, f"{median(costs):.2f}", f"{spread(costs):.0%}", f"{median(of_opener):.2f}"))
    table("CPU ms a handshake", ("all threads", "noise", "opener"), rows)


# --- Memory

def resident(pid):
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
        return int(re.search(r"^Rss: +(\d+) kB", file.read(), re.M)[1]) * 1024


class Client:
    """A DNS server with a certificate that has begun its stream; what it sends can be cut anywhere."""

    def __init__(self, port, tls):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=limit(10))
        self.received, self.records = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = tls.wrap_bio(self.received, self.records, server_hostname="127.0.0.1")
        while not self.is_open():
            self.received.write(self.socket.recv(65536))
        self.send(control(START, CONTENT_TYPE))

    def is_open(self):
        try:
            self.tls.do_handshake()
            return True
        except ssl.SSLWantReadError:
            return False
        finally:
            self.socket.sendall(self.records.read())

    def send(self, content, withheld=0):
        self.tls.write(content)
        records = self.records.read()
        self.socket.sendall(records[:len(records) - withheld])


def memory_of(folder, certificate, content):
    """Bytes that one of a hundred connections takes; of the content, if any, the last byte is missing."""
    more = f", client_ca_file: {folder}/ca.crt" if certificate else ""
    with OursTls(folder, more=more) as ours, contextlib.ExitStack() as stack:
        def connect():
            client = Client(ours.tls_port, client_context(folder, "ca", certificate))
            stack.enter_context(contextlib.closing(client.socket))
            if content:
                client.send(content, withheld=1)

        def settled(connections):
            wait_until(lambda: ours.exporter.scrape().total("dnstap_connections") == connections, 10, "connections")
            for _ in range(3):
                ours.exporter.scrape()
                time.sleep(SETTLE_S)
            return resident(ours.pid)

        connect()
        before = settled(1)
        for _ in range(100):
            connect()
        return (settled(101) - before) / 100


def memory_of_connections(folder):
    frame = data(dnstap_frame(dns_message()))
    rows = [(what, *(f"{memory_of(folder, certificate, content) / 1024:.1f}" for certificate in (None, "client")))
            for what, content in (("idle", b""), ("with a record of 16 KiB, but for a byte", frame * (16384 // len(frame))))]
    table("KiB a connection", ("TLS", "client cert"), rows)


def main():
    parts = sys.argv[1:] or ["frames", "handshakes", "memory"]
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        make_certificates(folder)
        broken = "frames" in parts and cost_of_frames(folder)
        if "handshakes" in parts:
            cost_of_handshakes(folder)
        if "memory" in parts:
            memory_of_connections(folder)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
