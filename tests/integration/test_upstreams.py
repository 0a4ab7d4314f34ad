# SPDX-License-Identifier: Apache-2.0
"""Upstream servers, which servers ask in the roles resolver, forwarder and stub: their lists are what an
independent decoder counts in the captures; an alert's indicator names the one that is worse than the others;
privacy of clients does not hide them.
"""

import collections
import ipaddress
import json
import os
import pathlib
import subprocess
import tempfile
import time
import unittest

import truth
from exporter import PROGRAM, Exporter, Page, limit, wait_until
from sender import Sender, data_frames, dns_message, dns_response, dnstap_frame

CAPTURES = pathlib.Path(__file__).resolve().parent.parent / "captures"
LARGE = os.environ.get("DNSTAP_CAPTURES")
LISTS = ("queries", "unanswered", "servfails", "response_seconds")
ROLES = ("resolver", "forwarder", "stub")
SERVFAIL, SECOND, EVERYTHING = 2, 10**9, 1000

CONFIG = """
inputs:
  - name: unix
    unix: "{dir}/dnstap.sock"
"""


def captures():
    """Those of the project and, where DNSTAP_CAPTURES names a folder, those in it."""
    for path in sorted(CAPTURES.glob("*.fstrm")):
        yield path.stem, path, path.read_bytes()
    for path in sorted(pathlib.Path(LARGE).glob("*-big.fstrm.zst")) if LARGE else ():
        content = subprocess.run(["zstd", "-dcq", path], stdout=subprocess.PIPE, check=True).stdout
        yield path.stem, path, content


def read(path, config):
    """The page of a file, read with this configuration."""
    with tempfile.NamedTemporaryFile("w", suffix=".yml") as file:
        file.write(config)
        file.flush()
        done = subprocess.run([PROGRAM, "read", f"--config.file={file.name}", path],
                              stdout=subprocess.PIPE, timeout=limit(120), check=False)
    return Page(done.stdout.decode())


def upstream_of(frame):
    """The address that is asked, or None: 0.0.0.0 and :: are nobody."""
    address = frame.message.response_address
    return str(ipaddress.ip_address(address)) if any(address) else None


class Upstreams(truth.ResponseTimes):
    """What the lists should have, counted exactly from a capture's frames; times in nanoseconds."""

    def __init__(self, frames):
        self.lists = {name: collections.Counter() for name in LISTS}
        super().__init__(frame for frame in frames if frame.role in ROLES)
        for (_, kind), left in self.waiting.items():
            for frame in left:
                if kind == "query":
                    self.count("unanswered", frame, 1)

    def count(self, what, frame, weight):
        if upstream_of(frame) is not None and weight > 0:
            self.lists[what][upstream_of(frame)] += weight

    def take(self, frame):
        before = self.duplicates.total()
        super().take(frame)
        if frame.kind == "query":
            self.count("queries", frame, 1)
        elif (self.duplicates.total() == before and frame.header is not None
              and frame.header[1] >> 11 & 15 == 0 and frame.extended_rcode == SERVFAIL):
            self.count("servfails", frame, 1)

    def record(self, response, query_ns):
        super().record(response, query_ns)
        if query_ns is not None and response.response_ns is not None:
            self.count("response_seconds", response, response.response_ns - query_ns)


class Captures(unittest.TestCase):
    """Captures of real servers, each shorter than the window."""

    def test_lists_are_exact(self):
        found = set()
        for name, path, content in captures():
            frames = [truth.decode(payload) for _, payload in data_frames(content)]
            expected = Upstreams(frames).lists
            page = read(path, f"top: {{max_series: {EVERYTHING}, capacity: 4000}}\nwindow: 1h\n")
            self.assertLess(len(expected["queries"]), EVERYTHING)
            for what in LISTS:
                with self.subTest(capture=name, list=what):
                    values = page.by("upstream", f"dnstap_top_upstream_{what}")
                    if what == "response_seconds":
                        values = {upstream: round(value * SECOND) for upstream, value in values.items()}
                    self.assertEqual(values, expected[what])
                    self.assertFalse(any(page.by("upstream", f"dnstap_top_upstream_{what}_error").values()))
                    if values:
                        found.add(what)
            with self.subTest(capture=name):
                self.assertEqual(sum(page.total("dnstap_queries_total", role=role) for role in ROLES),
                                 sum(frame.role in ROLES and frame.kind == "query" for frame in frames))
                self.assertEqual(sum(page.total("dnstap_unanswered_queries_total", role=role) for role in ROLES),
                                 expected["unanswered"].total())
        self.assertEqual(found, set(LISTS) - {"servfails"})  # no upstream server of the captures failed


def asked(address, number, rcode=None, took_ns=0, role="RESOLVER"):
    """A frame of a server that asks this one: a query, or with an rcode the response after so long a time."""
    kind = f"{role}_QUERY" if rcode is None else f"{role}_RESPONSE"
    dns = dns_message(number=number) if rcode is None else dns_response(number=number, rcode=rcode)
    now_ns = time.time_ns()
    frame = truth.messages()["dnstap.Dnstap"].FromString(dnstap_frame(dns, kind, b"ns1", now_ns))
    frame.message.response_address = ipaddress.ip_address(address).packed
    if rcode is not None:
        frame.message.query_time_sec, frame.message.query_time_nsec = divmod(now_ns - took_ns, SECOND)
    return frame.SerializeToString()


def exchanges(address, count, took_ns, rcode=0, first=1, **role):
    """Queries to this server and their responses."""
    for number in range(first, first + count):
        yield asked(address, number, **role)
        yield asked(address, number, rcode, took_ns, **role)


class Service(unittest.TestCase):
    """Through a socket."""

    def start(self, config=""):
        return self.enterContext(Exporter(CONFIG + config))

    def send(self, exporter, frames):
        Sender(exporter.socket).send_all(list(frames))
        exporter.wait_for_evaluation()

    def top(self, exporter):
        status, _, body = exporter.get("/api/v1/top")
        self.assertEqual(status, 200)
        return json.loads(body)["lists"]

    def indicator(self, exporter):
        """The level and the text of the indicator; None while there is none."""
        _, _, body = exporter.get("/api/v1/status")
        found = [one for one in json.loads(body)["health"] if one["name"] == "upstream_servers"]
        return (found[0]["level"], found[0]["text"]) if found else None

    def test_lists(self):
        exporter = self.start()
        self.send(exporter, [
            *exchanges("192.0.2.1", 30, SECOND // 1000),
            *exchanges("192.0.2.1", 5, 0, SERVFAIL, first=100, role="FORWARDER"),
            *exchanges("2001:db8::53", 10, 2 * SECOND, role="STUB"),
            *exchanges("0.0.0.0", 10, SECOND),
            *exchanges("192.0.2.9", 10, SECOND, role="TOOL")])
        page, lists = exporter.scrape(), self.top(exporter)
        expected = {"queries": {"192.0.2.1": 35, "2001:db8::53": 10}, "unanswered": {},
                    "servfails": {"192.0.2.1": 5}, "response_seconds": {"2001:db8::53": 20, "192.0.2.1": 0.03}}
        for what, values in expected.items():
            self.assertEqual(page.by("upstream", f"dnstap_top_upstream_{what}"), values)
            self.assertEqual({entry["upstream"]: entry["value"] for entry in lists[f"upstream_{what}"]["entries"]},
                             values)
            self.assertAlmostEqual(lists[f"upstream_{what}"]["total"], sum(values.values()))
            self.assertEqual(lists[f"upstream_{what}"]["unlisted_at_most"], 0)

    def test_addresses_are_whole(self):
        """privacy is of clients; a server is none."""
        exporter = self.start("privacy: {client_ipv4_prefix: 0, client_ipv6_prefix: 0, client_hash: true}\n")
        self.send(exporter, exchanges("192.0.2.1", 3, SECOND))
        self.assertEqual(exporter.scrape().by("upstream", "dnstap_top_upstream_queries"), {"192.0.2.1": 3})

    def test_by_server(self):
        exporter = self.start("top: {by_server: true}\n")
        self.send(exporter, exchanges("192.0.2.1", 3, SECOND))
        found = exporter.scrape().select("dnstap_top_upstream_response_seconds", server="ns1", upstream="192.0.2.1")
        self.assertEqual([value for _, value in found], [3])

    def test_off(self):
        exporter = self.start("top: {lists: [upstream_queries]}\n")
        self.send(exporter, exchanges("192.0.2.1", 3, SECOND))
        page = exporter.scrape()
        self.assertEqual(page.total("dnstap_top_upstream_queries"), 3)
        self.assertNotIn("dnstap_top_upstream_response_seconds", page.text)

    def test_unanswered(self):
        """One server of two is silent, and the indicator says which; what a sampled input lacks says nothing."""
        exporter = self.start("matching: {timeout: 1s}\n")
        self.send(exporter, exchanges("192.0.2.1", 40, SECOND // 100))
        self.assertIsNone(self.indicator(exporter))  # there is nothing to compare with
        self.send(exporter, exchanges("192.0.2.2", 40, SECOND // 100, first=1000))
        self.assertEqual(self.indicator(exporter)[0], "good")
        self.send(exporter, (asked("192.0.2.2", number) for number in range(2000, 2060)))

        def unanswered():
            return exporter.scrape().by("upstream", "dnstap_top_upstream_unanswered")

        wait_until(lambda: unanswered() == {"192.0.2.2": 60}, what="unanswered queries")
        self.assertEqual(self.indicator(exporter), ("warning", "192.0.2.2 answers 40 % of queries, the others 100 %"))

    def test_slow(self):
        exporter = self.start()
        self.send(exporter, [*exchanges("192.0.2.1", 40, SECOND // 100),
                             *exchanges("2001:db8::53", 40, SECOND, first=1000)])
        self.assertEqual(self.indicator(exporter),
                         ("warning", "2001:db8::53 answers within 1.00 s, the others within 10.0 ms (means)"))

    def test_sampled_input(self):
        exporter = self.enterContext(Exporter(CONFIG.rstrip() + "\n    sampling: 10\nmatching: {timeout: 1s}\n"))
        self.send(exporter, (asked("192.0.2.1", number) for number in range(60)))
        time.sleep(limit(4))
        page = exporter.scrape()
        self.assertEqual(page.total("dnstap_top_upstream_queries"), 60)
        self.assertEqual(page.total("dnstap_top_upstream_unanswered"), 0)


if __name__ == "__main__":
    unittest.main()
