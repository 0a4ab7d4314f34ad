#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What logging costs a DNS server: answers a second of BIND, Unbound and Knot under dnsperf with no
logging, with text logging, with dnstap to a receiver that only drains, and with dnstap to ours.

The server has one core; dnsperf and the receiver share the other. All servers run all the time and are
asked in turn, several rounds; ratios are of one round. BIND and Knot answer from a zone, Unbound from its
cache. What the server itself pays is its CPU time for an answer: with two cores only, the receiver also
takes time from dnsperf. Every frame is counted at both ends. Usage: server.py [PICTURE.svg]
"""

import os
import sys

from common import (Drain, Ours, RECEIVER_CPU, SENDER_CPU, cpu_seconds, median, rounds, spread,
                    table)
from exporter import wait_until  # the path to it is set in common
from servers import Bind, Knot, Load, Unbound

ROUNDS = rounds(8)
SECONDS = 3
RATE = 20_000  # questions a second where the server is not to be busy
NAMES = 1000

MODES = ("no logging", "text log", "dnstap to drain", "dnstap to ours")
NO_LOG, TEXT, DRAIN, OURS = MODES

ZONE = "\n".join(["$ORIGIN example.test.", "$TTL 86400", "@ SOA ns admin 1 3600 600 86400 60",
                  "@ NS ns", "ns A 127.0.0.1",
                  *(f"host{i} A 192.0.2.{i % 256}" for i in range(NAMES)), ""])
# A tenth of the questions is for names that do not exist.
QUERIES = [(f"{'absent' if i % 10 == 0 else 'host'}{i % NAMES}.example.test", "A")
           for i in range(10 * NAMES)]


def ratios(values, bases):
    return [value / base for value, base in zip(values, bases)]


class OneMode:
    """A server of one thread on one core, logging as `mode` has it."""

    def __init__(self, mode, dnstap, **options):
        super().__init__(dnstap=dnstap, identity=self.program, **options)
        self.mode = mode

    def start(self):
        super().start()
        for task in os.listdir(f"/proc/{self.process.pid}/task"):
            os.sched_setaffinity(int(task), {SENDER_CPU})
        return self


class BenchBind(OneMode, Bind):
    def files(self):
        dnstap = (f'dnstap {{ all; }}; dnstap-output unix "{self.dnstap}"; '
                  'dnstap-identity "bind";' if self.dnstap else "")
        text = (f'logging {{ channel all {{ file "{self.path("queries.log")}"; print-time yes; }}; '
                "category queries { all; }; };" if self.mode == TEXT else "")
        return {"example.zone": ZONE, "named.conf": f"""
options {{
    directory "{self.dir}"; pid-file none; session-keyfile none;
    listen-on port {self.port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }};
    recursion no; notify no; empty-zones-enable no; minimal-responses yes;
    querylog {"yes" if self.mode == TEXT else "no"};
    {dnstap}
}};
controls {{ }};
{text}
zone "example.test" {{ type primary; file "example.zone"; }};
"""}

    def arguments(self):
        return ["-g", "-n", "1", "-c", self.path("named.conf")]


class BenchUnbound(OneMode, Unbound):
    def files(self):
        log = "yes" if self.mode == TEXT else "no"
        dnstap = (f"""
dnstap:
    dnstap-enable: yes
    dnstap-socket-path: "{self.dnstap}"
    dnstap-send-identity: yes
    dnstap-identity: "unbound"
    dnstap-log-client-query-messages: yes
    dnstap-log-client-response-messages: yes
""" if self.dnstap else "")
        return {"unbound.conf": f"""
server:
    interface: 127.0.0.1@{self.port}
    username: ""
    chroot: ""
    directory: "{self.dir}"
    pidfile: "{self.path('pid')}"
    use-syslog: no
    verbosity: 1
    num-threads: 1
    module-config: "iterator"
    do-not-query-localhost: no
    local-zone: "test." nodefault
    log-queries: {log}
    log-replies: {log}
stub-zone:
    name: "example.test"
    stub-addr: 127.0.0.1@{self.upstream.port}
remote-control:
    control-enable: no
{dnstap}"""}


class BenchKnot(OneMode, Knot):
    """Knot has no text log of queries."""

    def files(self):
        module = (f"""
mod-dnstap:
  - id: exporter
    sink: "unix:{self.dnstap}"
    identity: "knot"
""" if self.dnstap else "")
        use = 'global-module: [ "mod-dnstap/exporter" ]' if self.dnstap else ""
        return {"example.zone": ZONE, "knot.conf": f"""
server:
    rundir: "{self.dir}"
    listen: [ "127.0.0.1@{self.port}" ]
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
database:
    storage: "{self.dir}"
log:
  - target: stderr
    any: info
{module}
template:
  - id: default
    storage: "{self.dir}"
    {use}
zone:
  - domain: example.test
    file: example.zone
"""}


class OneServer:
    """The same server once for each mode, and what was measured."""

    def __init__(self, name, make, ours, drain, modes=MODES):
        sockets = {DRAIN: drain.socket, OURS: ours.socket}
        self.name, self.modes = name, modes
        self.servers = {mode: make(mode, sockets.get(mode)).start() for mode in modes}
        self.answers = {mode: [] for mode in modes}  # a second
        self.cpu_us = {mode: [] for mode in modes}  # the server's, for an answer
        self.calm_us = {mode: [] for mode in modes}  # the same at RATE
        self.completed = {mode: 0 for mode in modes}

    def ask(self, mode, seconds=SECONDS, *flags):
        """(answers a second, the server's CPU microseconds for one)."""
        server = self.servers[mode]
        before = cpu_seconds(server.process.pid)
        load = Load(server, QUERIES, "-l", seconds, "-q", 200, "-t", 1, *flags)
        os.sched_setaffinity(load.process.pid, {RECEIVER_CPU})
        result = load.result()
        self.completed[mode] += result.completed
        used = cpu_seconds(server.process.pid) - before
        return result.completed / seconds, used / result.completed * 1e6

    def measure(self):
        for mode in self.modes:
            answers, cpu_us = self.ask(mode)
            self.answers[mode].append(answers)
            self.cpu_us[mode].append(cpu_us)
        for mode in self.modes:
            self.calm_us[mode].append(self.ask(mode, SECONDS, "-Q", RATE)[1])

    def ratios(self, mode, base):
        return ratios(self.answers[mode], self.answers[base])

    def stop(self):
        for server in self.servers.values():
            server.__exit__()


def run(ours, drain):
    with BenchKnot(NO_LOG, None) as upstream:
        all_servers = [
            OneServer("BIND", BenchBind, ours, drain),
            OneServer("Unbound", lambda mode, dnstap: BenchUnbound(mode, dnstap,
                                                                   upstream=upstream),
                      ours, drain),
            OneServer("Knot", BenchKnot, ours, drain, (NO_LOG, DRAIN, OURS)),
        ]
        try:
            for server in all_servers:
                for mode in server.modes:
                    server.ask(mode, 1)  # warm
            for _ in range(ROUNDS):
                for server in all_servers:
                    server.measure()
        finally:
            for server in all_servers:
                server.stop()
    return all_servers


def lost(answers, frames):
    """Share of a query and a response for each answer that did not arrive; queries that dnsperf gave
    up on make more frames than that."""
    return max(0.0, 1 - frames / (2 * answers))


def report(all_servers, counts):
    rows = []
    for server in all_servers:
        for mode in server.modes:
            answers = server.answers[mode]
            ratio = median(server.ratios(mode, NO_LOG))
            row = [f"{server.name}, {mode}", f"{median(answers) / 1000:.1f}", f"{spread(answers):.0%}",
                   f"{ratio:.3f}", "", f"{median(server.cpu_us[mode]):.2f}", "", ""]
            if mode in (DRAIN, OURS):
                row[7] = f"{lost(server.completed[mode], counts[mode][server.name]):.2%}"
            if mode == OURS:
                row[4] = f"{median(server.ratios(OURS, DRAIN)):.3f}"
                row[6] = f"{median(ratios(server.cpu_us[OURS], server.cpu_us[DRAIN])):.3f}"
            rows.append(row)
    table("answers a second", ("thousands", "spread", "of no log", "of drain", "CPU us/answer",
                               "of drain", "frames lost"), rows)
    rows = []
    for server in all_servers:
        for mode in server.modes:
            calm = server.calm_us[mode]
            rows.append([f"{server.name}, {mode}", f"{median(calm):.2f}", f"{spread(calm):.0%}",
                         f"{median(ratios(calm, server.calm_us[NO_LOG])):.3f}",
                         f"{median(ratios(calm, server.calm_us[DRAIN])):.3f}"])
    table(f"at {RATE:,} questions a second", ("CPU us/answer", "spread", "of no log", "of drain"),
          rows)


COLOURS = {NO_LOG: "#9aa5b1", TEXT: "#d1495b", DRAIN: "#7fb7be", OURS: "#1d6fa5"}


def draw(all_servers, path):
    """Bars: answers a second relative to no logging, medians; lines: the middle half of the rounds."""
    width, height, left, bottom, top = 800, 360, 60, 310, 50
    group, bar = 225, 44
    scale = (bottom - top) / 1.1
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
           'font-family="sans-serif" font-size="13">',
           f'<rect width="{width}" height="{height}" fill="white"/>',
           f'<text x="{left}" y="22" font-size="15">Answers a second, relative to no logging '
           '(server on one core)</text>']
    for tenth in range(0, 11, 2):
        y = bottom - scale * tenth / 10
        out.append(f'<line x1="{left}" y1="{y:.1f}" x2="{width - 10}" y2="{y:.1f}" '
                   'stroke="#dde3e9"/>'
                   f'<text x="{left - 8}" y="{y + 4:.1f}" text-anchor="end">{tenth / 10:.1f}</text>')
    for number, server in enumerate(all_servers):
        x = left + 20 + number * group
        for mode in server.modes:
            ratios = sorted(server.ratios(mode, NO_LOG))
            middle = median(ratios)
            low, high = ratios[len(ratios) // 4], ratios[-1 - len(ratios) // 4]
            y = bottom - scale * middle
            out.append(f'<rect x="{x}" y="{y:.1f}" width="{bar}" height="{bottom - y:.1f}" '
                       f'fill="{COLOURS[mode]}"/>')
            out.append(f'<line x1="{x + bar / 2}" x2="{x + bar / 2}" '
                       f'y1="{bottom - scale * low:.1f}" y2="{bottom - scale * high:.1f}" '
                       'stroke="#333"/>')
            out.append(f'<text x="{x + bar / 2}" y="{bottom - 6}" text-anchor="middle" '
                       f'fill="white">{middle:.2f}</text>')
            x += bar + 4
        plain = median(server.answers[NO_LOG]) / 1000
        out.append(f'<text x="{left + 20 + number * group}" y="{bottom + 18}">{server.name}, '
                   f'1.00 = {plain:.0f},000</text>')
    for number, mode in enumerate(MODES):
        x = left + number * 180
        out.append(f'<rect x="{x}" y="{height - 22}" width="12" height="12" '
                   f'fill="{COLOURS[mode]}"/>'
                   f'<text x="{x + 18}" y="{height - 11}">{mode.replace("ours", "dnstap_exporter")}'
                   '</text>')
    out.append("</svg>")
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join(out) + "\n")


def main():
    with Ours(workers=1) as ours, Drain() as drain:
        all_servers = run(ours, drain)
        wait_until(lambda: len(drain.frames()) == len(all_servers), what="the last connection's end")
        page = ours.exporter.scrape()
        labels = {"BIND": "bind", "Unbound": "unbound", "Knot": "knot"}
        counts = {
            OURS: {name: page.total("dnstap_queries_total", server=label)
                   + page.total("dnstap_responses_total", server=label)
                   for name, label in labels.items()},
            DRAIN: dict(zip(labels, drain.frames())),  # their connections end in this order
        }
    report(all_servers, counts)
    if len(sys.argv) > 1:
        draw(all_servers, sys.argv[1])


if __name__ == "__main__":
    main()
