#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What attacks cost a DNS server that is connected: nothing. Exit status 1 if a limit is broken.

A sender writes 200,000 frames a second of a capture to the exporter's unix socket while an attacker has
half a core. The limits:

  lost     every frame of the sender is counted on /metrics
  wait     no write of the sender waits longer than 20 ms for the exporter
  cpu      the exporter spends at most twice what the attacker spends, in addition to what it spends without;
           but for attacks by sound frames, which are counted: these cost what frames cost, and their sender
           makes them from a template for less
  web      /-/healthy and /metrics answer somebody else within a second, 20 times of 20
  new      another DNS server can connect and shake hands within a second, at least every other time;
           servers try again by themselves

The exporter runs on its defaults, with a unix and a TCP input; each run has a new one. Each attack has a
run without it just before. The attacks are C programs, and each frame is made anew: an attacker who sends
the same ones again and again would pay less for each.

On two cores that others use as well, a wait may come from the scheduler: the sender writes, the exporter
is not run. So the table has the waits of the run without the attack; `late`, by how much a sleep of the
sender was longer than it asked for; and `queued`, for how long the exporter's threads were ready and had no
core. A limit that is broken is tried again, up to three times, and the attack has failed if all of them
broke one.

Usage: attacks.py [--seconds=10] [--rate=200000] [--attack=NAME]...
Environment: DNSTAP_EXPORTER, DNSTAP_BENCH, as tests/bench/run.sh sets them.
"""

import argparse
import contextlib
import dataclasses
import http.client
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import threading
import time

os.environ.setdefault("BENCH_DATA", tempfile.gettempdir())  # of what others make; nothing here
from common import PROGRAMS, Exporter, free_port, recorded, wait_until  # noqa: E402
from sender import Sender  # noqa: E402

CAPTURE, IDENTITY = "unbound-small", "ub-test"
WAIT_MAX_MS = 20
CPU_RATIO_MAX = 2
CPU_NOISE = 0.02  # of a core: measured, by which runs without an attack differ beside other load
ANSWER_MAX_S = 1
PROBES = 20  # in a run, of which all must be answered
CONNECTED_MIN = 10
TRIES = 3
SETTLE_S = 0.3  # the sender is connected before the attack begins
PROBE_HOST = "127.0.0.4"  # the attackers of the web side are .2 and .3

CONFIG = """
inputs:
  - name: unix
    unix: "{dir}/dnstap.sock"
  - name: tcp
    tcp: "127.0.0.1:{port}"
web:
  listen_addresses: ["{web}"]
"""

# Name: (what the program `attack` does, what this is). Those of the same program differ by the exporter.
ATTACKS = {
    "bytes": ("bytes", "streams of one byte at a time, 4 unix and 4 TCP"),
    "reconnect": ("reconnect", "connect and close"),
    "silent": ("silent", "160 silent connections to each input, whose limit is 128"),
    "lengths": ("lengths", "impossible frame lengths, then again"),
    "protocols": ("protocols", "TLS, HTTP and PowerDNS protobuf in place of Frame Streams"),
    "identities": ("identities", "each frame another identity of 255 bytes; all types"),
    "names": ("names", "random names, clients, types and codes; all types"),
    "garbage": ("garbage", "frames of random bytes"),
    "oversize": ("oversize", "frames up to 1 MiB, which are passed over"),
    "slow-requests": ("slow-requests", "80 web clients, a byte of the request every 3 s"),
    "busy-scrapers": ("busy-scrapers", "six web clients that read /metrics all the time"),
    "slow-readers": ("slow-readers", "12 web clients that do not read their page"),
    "unread-log": ("reconnect", "connect and close; nobody reads the log, a terminal"),
}


SOUND_FRAMES = {"identities", "names"}


class UnreadLog(Exporter):
    """Its standard error is a terminal whose other side nobody reads."""

    def open_log(self):
        self.master, slave = os.openpty()
        return os.fdopen(slave, "wb")

    def log(self):
        return ""

    def stop(self, *arguments, **options):
        os.close(self.master)  # what waits to be written fails
        return super().stop(*arguments, **options)


def cpu_seconds(pid):
    """User and system time of a process so far, threads that have ended included. The clock's number is
    what clock_getcpuclockid() returns."""
    return time.clock_gettime((~pid << 3) | 2)


def queued_seconds(pid):
    """For how long threads of a process were ready and had no core (proc(5), schedstat)."""
    tasks = pathlib.Path("/proc", str(pid), "task").iterdir()
    return sum(int((task / "schedstat").read_text(encoding="ascii").split()[1]) for task in tasks) / 1e9


class Probe:
    """Somebody else: reads /-/healthy and /metrics, and connects as a new DNS server, again and again."""

    def __init__(self, exporter, seconds):
        self.exporter, self.pause = exporter, seconds / (PROBES + 1)
        self.answered, self.slowest, self.connected, self.tries = 0, 0.0, 0, 0
        self.done = threading.Event()
        self.threads = [threading.Thread(target=self.repeat, args=(step,))
                        for step in (self.read_pages, self.connect)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.done.set()
        for thread in self.threads:
            thread.join()

    def repeat(self, step):
        due = time.monotonic()
        for _ in range(PROBES):
            due += self.pause
            if self.done.wait(max(0, due - time.monotonic())):
                return
            step()

    def read_pages(self):
        self.tries += 1
        began = time.monotonic()
        sound = all([self.read(path) for path in ("/-/healthy", "/metrics")])
        self.slowest = max(self.slowest, time.monotonic() - began)
        self.answered += sound

    def read(self, path):
        host, port = self.exporter.web.split(":")
        connection = http.client.HTTPConnection(host, int(port), timeout=ANSWER_MAX_S,
                                                source_address=(PROBE_HOST, 0))
        began = time.monotonic()
        with contextlib.closing(connection), contextlib.suppress(OSError, http.client.HTTPException):
            connection.request("GET", path)
            response = connection.getresponse()
            response.read()
            return response.status == 200 and time.monotonic() - began <= ANSWER_MAX_S
        return False

    def connect(self):
        with contextlib.suppress(OSError, AssertionError):
            with Sender(self.exporter.socket, timeout=1) as sender:
                sender.start()
                sender.stop()
            self.connected += 1


@dataclasses.dataclass
class Run:
    """What one run measured."""
    sent: int
    lost: int
    longest_wait_ms: float
    p999_wait_ms: float
    longest_late_ms: float
    exporter_cpu: float
    exporter_queued: float
    attacker_cpu: float
    answered: int
    probes: int
    slowest_answer: float
    connected: int
    did: str  # the attacker


class Measurement:
    """One exporter, the sender, and an attacker beside it."""

    def __init__(self, attack, options, unread_log):
        self.attack, self.options = attack, options
        self.port = free_port()
        kind = UnreadLog if unread_log else Exporter
        self.exporter = kind(CONFIG.replace("{port}", str(self.port)))

    def run(self):
        with self.exporter:
            return self.measure(self.exporter.process.pid)

    def start_attack(self):
        if not self.attack:
            return None
        return subprocess.Popen([PROGRAMS / "attack", self.attack, self.exporter.socket,
                                 f"127.0.0.1:{self.port}", self.exporter.web],
                                stdout=subprocess.PIPE, text=True)

    def measure(self, pid):
        before, queued_before = cpu_seconds(pid), queued_seconds(pid)
        paced = subprocess.Popen(
            [PROGRAMS / "paced", f"--rate={self.options.rate}", f"--seconds={self.options.seconds}",
             recorded(CAPTURE), self.exporter.socket],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        attacker = None
        try:
            time.sleep(SETTLE_S)
            attacker = self.start_attack()
            with Probe(self.exporter, self.options.seconds - 2 * SETTLE_S) as probe:
                line = paced.stdout.readline()
            used = cpu_seconds(pid) - before
            queued = queued_seconds(pid) - queued_before
            attacker_cpu = cpu_seconds(attacker.pid) if attacker else 0
            assert line, "the sender ended early"
            sender = json.loads(line)
            did = self.end_attack(attacker)
            lost = sender["frames"] - self.counted(paced)
        finally:
            for process in filter(None, (paced, attacker)):
                process.kill()
                process.wait()
        return Run(sender["frames"], lost, sender["longest_wait_ms"], sender["p999_wait_ms"],
                   sender["longest_late_ms"], used, queued, attacker_cpu, probe.answered, probe.tries,
                   probe.slowest, probe.connected, did)

    def end_attack(self, attacker):
        if not attacker:
            return ""
        attacker.terminate()
        did = json.loads(attacker.communicate(timeout=10)[0])
        return f"{did['steps']} {did['step']}" + (f", {did['failed']} failed" if did["failed"] else "")

    def counted(self, paced):
        """The sender's frames on /metrics, once all has been read. The sender keeps its connection until
        nothing of the attack is left, which might take its place as a server."""
        self.wait_for_page(lambda page: page.total("dnstap_connections") == 1)
        paced.stdin.close()
        assert paced.wait(timeout=10) == 0
        page = self.wait_for_page(lambda page: page.total("dnstap_connections") == 0)
        return int(sum(page.total(metric, server=IDENTITY)
                       for metric in ("dnstap_queries_total", "dnstap_responses_total")))

    def wait_for_page(self, condition):
        def page_if():
            try:
                page = self.exporter.scrape()
            except (OSError, http.client.HTTPException):  # the web side has not recovered yet
                return None
            return page if condition(page) else None
        return wait_until(page_if, 20, "the end of the attack's connections")


def broken(name, without, with_it, seconds):
    """Which limits an attack has broken."""
    added = with_it.exporter_cpu - without.exporter_cpu
    limits = {
        "lost": with_it.lost != 0,
        "wait": with_it.longest_wait_ms > WAIT_MAX_MS,
        "cpu": added > CPU_RATIO_MAX * with_it.attacker_cpu + CPU_NOISE * seconds,
        "web": with_it.answered < PROBES,
        "new": with_it.connected < CONNECTED_MIN,
    }
    if name in SOUND_FRAMES:
        del limits["cpu"]
    return [limit for limit, is_broken in limits.items() if is_broken]


COLUMNS = (("attack", 14), ("try", 3), ("attacker", 8), ("exporter", 8), ("without", 8), ("ratio", 6),
           ("queued", 6), ("wait ms", 8), ("p99.9", 8), ("late", 8), ("wait ms", 8), ("p99.9", 8),
           ("late", 8),
           ("lost", 6), ("web", 5), ("slowest", 7), ("new", 5), ("limits", 0))


def print_row(cells):
    print(" ".join(f"{cell:<{width}}" if index in (0, len(COLUMNS) - 1) else f"{cell:>{width}}"
                   for index, (cell, (_, width)) in enumerate(zip(cells, COLUMNS))), flush=True)


def print_head():
    print_row(("", "", "CPU s", "CPU s", "CPU s", "", "s", "with", "", "", "without", "", "", "", "", "s", "",
               ""))
    print_row([name for name, _ in COLUMNS])


def verdict(without, failures):
    if not failures:
        return "held"
    unsteady = "wait" in failures and without.longest_wait_ms > WAIT_MAX_MS
    return "broken: " + " ".join(failures) + (" (wait also without the attack)" if unsteady else "")


def print_result(name, turn, options, without, with_it, failures):
    added = with_it.exporter_cpu - without.exporter_cpu
    is_noise = abs(added) <= CPU_NOISE * options.seconds
    print_row((name, str(turn), f"{with_it.attacker_cpu:.2f}", f"{with_it.exporter_cpu:.2f}",
               f"{without.exporter_cpu:.2f}",
               "noise" if is_noise else f"{added / max(with_it.attacker_cpu, 0.001):.2f}",
               f"{with_it.exporter_queued:.2f}", f"{with_it.longest_wait_ms:.2f}",
               f"{with_it.p999_wait_ms:.2f}",
               f"{with_it.longest_late_ms:.2f}", f"{without.longest_wait_ms:.2f}",
               f"{without.p999_wait_ms:.2f}", f"{without.longest_late_ms:.2f}", str(with_it.lost),
               f"{with_it.answered}/{PROBES}", f"{with_it.slowest_answer:.2f}",
               f"{with_it.connected}/{PROBES}",
               verdict(without, failures) + f"   ({with_it.did})"))


def withstands(name, options):
    """Whether a try in which no limit is broken is among the first three."""
    attack, _ = ATTACKS[name]
    for turn in range(1, TRIES + 1):
        unread_log = name == "unread-log"
        without = Measurement(None, options, unread_log).run()
        with_it = Measurement(attack, options, unread_log).run()
        failures = broken(name, without, with_it, options.seconds)
        print_result(name, turn, options, without, with_it, failures)
        if not failures:
            return True
    return False


def parse():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--rate", type=int, default=200_000)
    parser.add_argument("--attack", action="append", choices=list(ATTACKS))
    return parser.parse_args()


def main():
    options = parse()
    names = options.attack or list(ATTACKS)
    for name in names:
        print(f"{name:14} {ATTACKS[name][1]}")
    print(f"\n{options.rate} frames a second for {options.seconds} s. Limits: 0 lost; wait {WAIT_MAX_MS} ms; "
          f"exporter's CPU at most {CPU_RATIO_MAX} times the attacker's\n(and {CPU_NOISE:.0%} of a core for "
          f"noise) above that without; web {PROBES} of {PROBES} within {ANSWER_MAX_S} s;\nnew "
          f"{CONNECTED_MIN} of {PROBES}. A broken limit is tried again: an attack has {TRIES} tries.\n")
    print_head()
    failed = [name for name in names if not withstands(name, options)]
    print(f"\nfailed in each of {TRIES} tries: {', '.join(failed)}" if failed else "\nall limits held")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
