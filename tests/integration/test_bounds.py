# SPDX-License-Identifier: Apache-2.0
"""What peers send cannot make a page or the memory grow over its bound: pages of metrics with every
series that there can be, labels as long as they get, and clients that do not read what they asked
for.
"""

import http.client
import itertools
import json
import os
import pathlib
import re
import socket
import struct
import subprocess
import tempfile
import time
import unittest

from exporter import PROGRAM, Exporter, Page, limit, wait_until
from sender import Sender, dns_message, dns_response, dnstap_frame, stream, with_answers
from truth import messages

PAGE_MAX = 8_000_000
COUNT_DIGITS = 12  # of counters after a year of 30,000 events a second; in tests they have few

ANSWERS_PAGE_MAX = 10_000_000  # the same with `answers`
TTL_BUCKETS = 154  # of a native histogram, to seven days

ROLES = ("AUTH", "RESOLVER", "CLIENT", "FORWARDER", "STUB", "TOOL", "UPDATE")
FORMATS = {"text": "", "openmetrics": "application/openmetrics-text", "protobuf":
           "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited"}
QTYPES = [*range(1, 66), 99, *range(100, 110), *range(128, 129), *range(249, 264), 32768, 32769,
          *range(65280, 65330)]


def frame_of(role, kind, identity, dns, number, policy=None):
    frame = messages()["dnstap.Dnstap"](identity=identity, type=1)
    message = frame.message
    types = message.DESCRIPTOR.fields_by_name["type"].enum_type.values_by_name
    message.type = types[f"{role}_{kind.upper()}"].number
    if number % 3:
        message.socket_family = number % 3
    if number % 8:
        message.socket_protocol = number % 8
    message.query_address = bytes([number % 250, number // 250 % 250, 1, 1])[:4]
    message.query_port = 1024 + number % 60000
    setattr(message, f"{kind}_time_sec", 1_700_000_000 + number)
    setattr(message, f"{kind}_time_nsec", number)
    setattr(message, f"{kind}_message", dns)
    if policy is not None:
        message.policy.action, message.policy.match = policy
    return frame.SerializeToString()


def everything_of(role, identity):
    """Frames that give a server and role every series there is."""
    name = (b"\x01" * 63, b"\x02" * 63, b"\x03" * 63, b"\x04" * 59)
    for number, qtype in enumerate(QTYPES):
        dns = bytearray(dns_message(labels=name, qtype=qtype, number=number,
                                    flags=number % 16 << 11 | 0x0130, option=b""))
        dns[-2:] = struct.pack(">H", (1, 3, 4, 254, 255, 9)[number % 6])
        yield frame_of(role, "query", identity, bytes(dns), number)
    policies = list(itertools.product(range(1, 7), range(1, 6)))
    for number in range(70):
        codes = struct.pack(">HHHHHH", 15, 2, number, 15, 2, 600 + number % 20)
        option = codes + struct.pack(">HH", (3, 8, 10, 11, 12, 99)[number % 6], 0)
        rcode = number if number < 40 else 3841 + number
        yield frame_of(role, "response", identity,
                       dns_response(labels=name, number=7000 + number, rcode=rcode, option=option),
                       number, policies[number % len(policies)])
        yield frame_of(role, "query", identity, b"\0" * (number % 20), number)
    for number in range(TTL_BUCKETS):
        answers = [(qtype, int(2 ** (number / 8)), b"\x0a\1\1\1") for qtype in QTYPES[number % 4::4]]
        yield frame_of(role, "response", identity, with_answers(dns_response(labels=name), answers), number)


class Pages(unittest.TestCase):

    PAGE_MAX = PAGE_MAX
    CONFIG = 'inputs: [{name: unix, unix: "{dir}/dnstap.sock"}]\n'

    def setUp(self):
        self.exporter = self.enterContext(Exporter(self.CONFIG))

    def get(self, accept="", path="/metrics"):
        self.exporter.wait_for_new_page()
        status, _, body = self.exporter.get(path, headers={"Accept": accept})
        self.assertEqual(status, 200)
        return body

    def test_every_series(self):
        """The largest page of metrics on the defaults, in each format; no frame is lost of the sum."""
        sent = 0
        for server in range(20):
            identity = b"%02d" % server + b"x" * 62
            for role in ROLES:
                frames = list(everything_of(role, identity))
                Sender(self.exporter.socket).send_all(frames)
                sent += len(frames)
        page = self.exporter.scrape()
        self.assertEqual(page.total("dnstap_frames_total"), sent)
        pairs = {(labels["server"], labels["role"])
                 for labels, _ in page.select("dnstap_queries_total")}
        self.assertEqual(len([pair for pair in pairs if pair[0] != "other"]), 64)
        self.assertEqual(len([pair for pair in pairs if pair[0] == "other"]), len(ROLES))
        self.assertGreater(page.total("dnstap_limit_overflows_total", limit="series"), sent / 2)
        for name, accept in FORMATS.items():  # at once: the ones before are still in memory
            self.assertEqual(self.exporter.get("/metrics", headers={"Accept": accept})[0], 200)
        for path in ("/api/v1/status", "/api/v1/top", "/api/v1/status?limit=1000"):
            status, _, body = self.exporter.get(path)
            self.assertEqual(status, 200)
            print(f"{path}: {len(body)} bytes")
            if "status" in path:
                self.assertEqual(len(json.loads(body)["servers"]), 64 + len(ROLES))
        for name, accept in FORMATS.items():
            body = self.get(accept)
            lines = body.count(b"\n")
            with self.subTest(name):
                print(f"{name}: {len(body)} bytes, {lines} lines")
                self.assertLess(len(body) + COUNT_DIGITS * (lines if name != "protobuf" else 0),
                                self.PAGE_MAX)

    def test_identities_that_cannot_be_printed(self):
        """64 identities of 255 bytes, with every message type: 896 frames that made 75 MB."""
        for server in range(64):
            identity = bytes([128 + server]) * 255
            Sender(self.exporter.socket).send_all(
                frame_of(role, kind, identity, dns_message(), 1)
                for role in ROLES for kind in ("query", "response"))
        page = self.exporter.scrape()
        self.assertEqual(page.total("dnstap_queries_total") + page.total("dnstap_responses_total"),
                         896)
        self.assertLess(len(page.text), PAGE_MAX)
        servers = page.by("server", "dnstap_queries_total")
        for server in servers:
            self.assertLessEqual(len(server.replace("\\", "\\\\")), 64)
            self.assertTrue(server == "other" or server[-9] == "-", server)

    def test_long_lists(self):
        """Names of 255 bytes that all have to be escaped, in lists as long as they can be asked for:
        the page is bounded, and comes."""
        frames = []
        for number in range(2000):
            name = (b"%04d" % number + b"\x01" * 59, b"\x02" * 63, b"\x03" * 63, b"\x04" * 59)
            frames.append(frame_of("CLIENT", "query", b"a", dns_message(labels=name), number))
            frames.append(frame_of("CLIENT", "response", b"a",
                                   dns_response(labels=name, rcode=2 + number % 2), number))
        Sender(self.exporter.socket).send_all(frames)
        self.exporter.wait_for_evaluation()
        for path in ("/api/v1/top?limit=1000", "/api/v1/status?limit=1000"):
            body = self.get(path=path)
            self.assertLess(len(body), PAGE_MAX)
            self.assertGreater(len(body), 100_000)
            json.loads(body)
        self.assertLess(len(self.get()), PAGE_MAX)


class PagesWithAnswers(unittest.TestCase):

    PAGE_MAX = ANSWERS_PAGE_MAX
    CONFIG = Pages.CONFIG + "answers: true\n"
    setUp, get, test_every_series = Pages.setUp, Pages.get, Pages.test_every_series


class Budget(unittest.TestCase):
    """Responses on their way share a fixed budget."""

    def ask(self, exporter, address):
        peer = socket.socket()
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        peer.bind((address, 0))
        peer.settimeout(limit(10))
        host, port = exporter.web.split(":")
        peer.connect((host, int(port)))
        peer.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
        self.addCleanup(peer.close)
        return peer

    def test_slow_readers(self):
        """Twelve clients that do not read a large page do not add their pages up; others are served
        or told to come again, and are served as soon as they are gone."""
        with Exporter() as exporter:
            for server in range(9):
                for role in ROLES:
                    Sender(exporter.socket).send_all(everything_of(role, b"%02d" % server * 32))
            before = exporter.scrape().total("process_resident_memory_bytes")
            peers = []
            for number in range(12):
                peers.append(self.ask(exporter, f"127.0.0.{2 + number % 3}"))
                time.sleep(0.3)  # each would get a page of its own
            exporter.wait_for_new_page()
            status, headers, _ = exporter.get("/metrics")
            self.assertEqual((status, headers["Retry-After"]), (503, "1"))
            self.assertEqual(exporter.get("/-/healthy")[0], 200)
            for peer in peers:
                peer.close()
            page = wait_until(lambda: exporter.get("/metrics")[0] == 200 and exporter.scrape(), 20,
                              "a page")
            after = page.total("process_resident_memory_bytes")
            print(f"resident: {before / 2**20:.1f} MiB before, {after / 2**20:.1f} MiB after")

    def test_equal_requests(self):
        """Within 250 ms one page serves all; another format or encoding is another page."""
        with Exporter() as exporter:
            exporter.wait_for_new_page()
            host, port = exporter.web.split(":")
            bodies = []
            for _ in range(3):
                connection = http.client.HTTPConnection(host, int(port))
                connection.request("GET", "/metrics")
                bodies.append(connection.getresponse().read())
                connection.close()
            self.assertGreaterEqual(bodies.count(bodies[-1]), 2)
            Sender(exporter.socket).send_all([frame_of("CLIENT", "query", b"", dns_message(), 1)])
            protobuf = exporter.get("/metrics", headers={"Accept": FORMATS["protobuf"]})[2]
            self.assertIn(b"dnstap_frames_total", protobuf)
            time.sleep(0.26)
            fresh = Page(exporter.get("/metrics")[2].decode())
            self.assertEqual(fresh.total("dnstap_frames_total"), 1)


class Other(unittest.TestCase):

    def test_its_states(self):
        """Traffic that counts under `other`, for want of series, has a state as any has: of responses
        alone the query types are known, and none is unmatched for long."""
        begin = 1_700_000_000
        frames = [dnstap_frame(dns_message(), identity=b"a", when_ns=begin * 10**9)]
        frames += [dnstap_frame(dns_response(number=number), "CLIENT_RESPONSE", b"b",
                                begin * 10**9 + number * 10**8) for number in range(600)]
        with tempfile.TemporaryDirectory() as folder:
            config, recording = os.path.join(folder, "c.yml"), os.path.join(folder, "r.fstrm")
            with open(config, "w", encoding="ascii") as file:
                file.write("limits: {series: 1}\n")
            with open(recording, "wb") as file:
                file.write(stream(frames))
            done = subprocess.run([PROGRAM, "read", f"--config.file={config}", recording], check=True,
                                  capture_output=True, text=True)
        page = Page(done.stdout)
        self.assertEqual(page.by("server", "dnstap_responses_only"), {"other": 1})
        self.assertGreater(page.total("dnstap_query_types_total", server="other"), 400)
        self.assertLess(page.total("dnstap_unmatched_responses_total"), 200)


class ManyServers(unittest.TestCase):

    def test_status(self):
        """Of a large fleet the status comes, too."""
        with Exporter("limits: {servers: 1000, series: 1000}\n"
                      'inputs: [{name: unix, unix: "{dir}/dnstap.sock"}]\n'
                      'web: {listen_addresses: ["{web}"]}\n') as exporter:
            for number in range(600):
                Sender(exporter.socket).send_all(
                    frame_of("CLIENT", kind, b"server-%d" % number, make(qtype=qtype, number=qtype), qtype)
                    for qtype in range(1, 12) for kind, make in (("query", dns_message),
                                                                 ("response", dns_response)))
            status, _, body = exporter.get("/api/v1/status")
            self.assertEqual(status, 200)
            self.assertEqual(len(json.loads(body)["servers"]), 600)


class Memory(unittest.TestCase):

    def test_the_check_prints_the_sum(self):
        done = subprocess.run([PROGRAM, "--config.check"], check=True, capture_output=True, text=True)
        lines = [line.split("MiB")[0].rsplit(None, 1) for line in done.stdout.splitlines()
                 if "MiB" in line]
        parts = [float(number) for _, number in lines]
        self.assertAlmostEqual(sum(parts[:-1]), parts[-1], delta=1)
        self.assertLessEqual(parts[-1], 114)

    def test_detectors_state_their_bytes(self):
        """As deploy/detection.md has it, with two workers and a block list."""
        page = (pathlib.Path(__file__).resolve().parents[2] / "deploy/detection.md").read_text(encoding="utf-8")
        stated = dict(re.findall(r"^\| `(\w+)` \| ([\d.]+) MiB \|", page, re.MULTILINE))
        with tempfile.TemporaryDirectory() as folder:
            config, names = pathlib.Path(folder, "config.yml"), pathlib.Path(folder, "names")
            names.write_text("evil.example\n", encoding="utf-8")
            config.write_text("workers: 2\ndetection: {block_list: {lists: [{name: names, "
                              f'file: "{names}"}}]}}}}\n', encoding="utf-8")
            done = subprocess.run([PROGRAM, "--config.check", f"--config.file={config}"], check=True,
                                  capture_output=True, text=True)
        found = dict(re.findall(r"^  (?:detector )?(\w+) +([\d.]+) MiB  detection\.capacity", done.stdout, re.MULTILINE))
        self.assertEqual(stated, found)
        self.assertEqual(len(found), 8)


if __name__ == "__main__":
    unittest.main()
