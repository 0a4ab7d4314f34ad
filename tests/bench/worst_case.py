#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The worst case of everything at once: identities, names, types, partial frames, a receiver that
does not read, slow web clients, idle ones and reloads. The peak of resident memory stays below the
sum that --config.check prints, inside a cgroup of that size where one can be made, and what only the
attack took is given back. Environment: DNSTAP_EXPORTER, DNSTAP_BENCH.
"""

import contextlib
import os
import pathlib
import signal
import socket
import struct
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))
import sender  # noqa: E402
from exporter import PROGRAM, Exporter, limit, wait_until  # noqa: E402
from sender import Sender, control, dns_message  # noqa: E402
from test_bounds import ROLES, everything_of, frame_of  # noqa: E402

FLOOD = pathlib.Path(os.environ["DNSTAP_BENCH"], "flood")
MIB = 2**20
FRAME_SIZE = 131072
CONNECTIONS = 128

CONFIG = """
inputs: [{name: unix, unix: "{dir}/dnstap.sock"}]
outputs: [{name: stalled, unix: "{dir}/stalled.sock"}]
web: {listen_addresses: ["{web}"]}
window: 10s
"""


def stated(config_path):
    """{part: bytes} that the program says it takes."""
    done = subprocess.run([PROGRAM, f"--config.file={config_path}", "--config.check"], check=True,
                          capture_output=True, text=True)
    words = [line.split("MiB")[0].rsplit(None, 1) for line in done.stdout.splitlines()
             if "MiB" in line]
    return {name.strip(): float(number) * MIB for name, number in words}


class Cgroup:
    """A memory cgroup, version 2 or 1; or none, where none can be made."""

    def __init__(self, size):
        self.folder = None
        for root, maximum in (("/sys/fs/cgroup/memory", "memory.limit_in_bytes"),
                              ("/sys/fs/cgroup", "memory.max")):
            folder = pathlib.Path(root, f"dnstap_exporter_test.{os.getpid()}")
            try:
                folder.mkdir()
            except OSError:
                continue
            try:
                (folder / maximum).write_text(str(int(size)), encoding="ascii")
                self.folder = folder
                return
            except OSError:
                folder.rmdir()

    def command(self):
        """Words that run a program inside."""
        if self.folder is None:
            return []
        return ["sh", "-c", f'echo $$ >{self.folder}/cgroup.procs && exec "$0" "$@"']

    def peak(self):
        for name in ("memory.max_usage_in_bytes", "memory.peak"):
            with contextlib.suppress(OSError):
                return int((self.folder / name).read_text(encoding="ascii"))
        return 0

    def remove(self):
        if self.folder is not None:
            wait_until(lambda: not (self.folder / "cgroup.procs").read_text(encoding="ascii"))
            self.folder.rmdir()


def status(exporter, name):
    with open(f"/proc/{exporter.process.pid}/status", encoding="ascii") as lines:
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))


def hold_back_frames(exporter):
    """Connections that each keep the largest frame but its last byte."""
    start = control(sender.START, sender.CONTENT_TYPE)
    for _ in range(CONNECTIONS):
        peer = Sender(exporter.socket)
        peer.raw(start + struct.pack(">I", FRAME_SIZE) + bytes(FRAME_SIZE - 1))
        yield peer


def web_clients(exporter):
    """A dozen that ask for the largest page and do not read it, the others silent."""
    host, port = exporter.web.split(":")
    for number in range(60):
        peer = socket.socket()
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        peer.bind((f"127.0.0.{2 + number % 3}", 0))
        peer.connect((host, int(port)))
        if number < 12:
            path = ("/metrics", "/api/v1/status?limit=1000", "/api/v1/top?limit=1000")[number % 3]
            peer.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            time.sleep(0.3)
        yield peer


def flood(exporter, *options):
    subprocess.run([FLOOD, "--frames=1000000", "--name-size=255", "--nxdomain=50", *options,
                    exporter.socket], check=True, timeout=limit(60), stderr=subprocess.DEVNULL)


def servers_come_and_go(exporter):
    """Each server that leaves had other roles than the one that gets its number."""
    for turn in range(300):
        role = ROLES[turn % len(ROLES)]
        Sender(exporter.socket).send_all(
            frame_of(role, "query", b"gone-%d-%d" % (turn, number), dns_message(), number)
            for number in range(32))


def attack(exporter):
    """Everything, and all that was opened."""
    servers_come_and_go(exporter)
    for server in range(12):
        for role in ROLES:
            Sender(exporter.socket).send_all(everything_of(role, b"%02d" % server + b"x" * 62))
    end = time.monotonic() + 12
    while time.monotonic() < end:  # a table that just holds its names keeps them in every step
        flood(exporter, "--names=500", "--clients=1300")
        flood(exporter, "--servfail=20")
    peers = list(hold_back_frames(exporter))
    peers += web_clients(exporter)
    for _ in range(20):
        exporter.process.send_signal(signal.SIGHUP)
        time.sleep(0.1)
    return peers


def main():
    exporter = Exporter(CONFIG)
    parts = stated(exporter.config_path)
    cgroup = Cgroup(parts["sum"])
    exporter.before = cgroup.command()
    try:
        with socket.socket(socket.AF_UNIX) as receiver, exporter:
            receiver.bind(os.path.join(exporter.dir, "stalled.sock"))
            receiver.listen(1)
            start = status(exporter, "VmRSS")
            peers = attack(exporter)
            peak = status(exporter, "VmHWM")
            for peer in peers:
                peer.close()
            lasting = parts["sum"] - parts["connections"] - parts["pages"]
            wait_until(lambda: status(exporter, "VmRSS") < lasting, 30, "memory to be given back")
            after = status(exporter, "VmRSS")
            page = exporter.scrape()
            assert page.total("dnstap_frames_total") > 1_000_000
    finally:
        in_cgroup = cgroup.peak() if cgroup.folder else 0
        cgroup.remove()
    print(f"resident, MiB: {start / MIB:.1f} at the start, {peak / MIB:.1f} at the peak, "
          f"{after / MIB:.1f} afterwards; {parts['sum'] / MIB:.1f} stated"
          + (f"; cgroup's peak {in_cgroup / MIB:.1f}" if in_cgroup else "; without a cgroup"))
    return 0 if peak < parts["sum"] else 1


if __name__ == "__main__":
    sys.exit(main())
