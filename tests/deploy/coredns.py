#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""CoreDNS sends what deploy/servers/coredns.md says. Not in tests/run.sh: Debian has no CoreDNS.

Builds it with the Go module proxy, once, in six minutes on two cores: the program stays in a folder
for temporary files. Skipped where there is no Go. Usage, as that of any integration test:

    DNSTAP_EXPORTER=build-sanitize/dnstap_exporter tests/deploy/coredns.py
"""

import ipaddress
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from unittest import mock

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))

# pylint: disable=wrong-import-position
import test_real_servers as real
import truth
from certificates import make_certificates
from exporter import Exporter, free_port, wait_until, wait_until_equal
from sender import Tee
from servers import ADDRESSES, CoreDns, Knot, Load, page_blocks, with_certificates
import test_servers
from test_servers import Asker, response_times, response_times_seen

VERSION = "v1.15.0"
FOLDER = pathlib.Path(tempfile.gettempdir()) / f"dnstap_exporter_coredns_{VERSION}"


def build():
    """The folder with the program; skips the tests where it cannot be made."""
    if not (FOLDER / "coredns").exists():
        go = shutil.which("go", path=os.environ["PATH"] + ":/usr/local/go/bin")
        if not go:
            raise unittest.SkipTest("no go on this machine: CoreDNS is not run")
        FOLDER.mkdir(mode=0o700, exist_ok=True)
        done = subprocess.run([go, "install", "-p", "1", f"github.com/coredns/coredns@{VERSION}"],
                              env={**os.environ, "GOBIN": str(FOLDER)}, check=False,
                              capture_output=True, text=True, timeout=1800)
        if done.returncode:
            raise unittest.SkipTest(f"CoreDNS cannot be built: {done.stderr[-500:]}")
    assert FOLDER.stat().st_uid == os.geteuid(), f"{FOLDER} is somebody else's"
    return str(FOLDER)


def setUpModule():
    os.environ["PATH"] += ":" + build()


class TestCoreDns(unittest.TestCase):

    def start(self, exporter, dnstap, kind=CoreDns):
        self.upstream = self.enterContext(Knot(exporter.socket, identity="upstream"))
        return self.enterContext(kind(dnstap, upstream=self.upstream))

    def test_counts(self):
        exporter = self.enterContext(Exporter())
        tee = self.enterContext(Tee(exporter.socket))
        server = self.start(exporter, tee.path)
        tally = real.Tally()
        for address in ADDRESSES.values():
            for transport in "+notcp", "+tcp":
                for case in real.KDIG_CASES:
                    for message in real.kdig(server, address, transport, *case):
                        message.count(tally, "client")
        self.check(exporter, tally, real.COMPARED)
        for transport in "udp", "tcp":
            result = Load(server, real.DNSPERF_QUERIES, "-m", transport, "-n", 10).result()
            self.assertEqual(result.completed, 10 * len(real.DNSPERF_QUERIES))
        self.check_forwarded(exporter)
        self.check_times(exporter)
        payloads = tee.payloads()
        self.assertEqual(response_times_seen(payloads),
                         {role: {where} for role, where in response_times(CoreDns).items()})
        self.assertEqual({truth.decode(payload).server for payload in payloads}, {b"coredns"})

    def check(self, exporter, tally, metrics):
        wait_until_equal(lambda: tally.select(metrics),
                         lambda: real.counted(exporter.scrape(), "coredns", metrics, ("client",)),
                         real.SETTLED, "the client's and our counts")

    def check_forwarded(self, exporter):
        """What it says that it asked is what the other says that it was asked."""
        def told(identity, role):
            page = exporter.scrape()
            return {what: page.total(f"dnstap_{what}_total", server=identity, role=role)
                    for what in ("queries", "responses")}

        wait_until(lambda: told("upstream", "auth")["queries"], real.SETTLED, "forwarded questions")
        wait_until_equal(lambda: told("upstream", "auth"), lambda: told("coredns", "forwarder"),
                         real.SETTLED, "the asking and the asked server's counts")

    def check_times(self, exporter):
        page = exporter.scrape()
        for role in "client", "forwarder":
            labels = {"server": "coredns", "role": role}
            self.assertEqual(page.total("dnstap_response_time_seconds_count", **labels),
                             page.total("dnstap_responses_total", **labels), role)

    def test_failures(self):
        """The answer that CoreDNS makes where a plugin fails has a frame, as any."""
        class Dead(CoreDns):
            def files(self):
                files = super().files()
                files["Corefile"] = files["Corefile"].replace(
                    "forward . ", "forward dead.test 127.0.0.1:9\n    forward . ")
                return files

        exporter = self.enterContext(Exporter())
        server = self.start(exporter, exporter.socket, Dead)
        messages = real.kdig(server, "127.0.0.1", "www.dead.test")
        self.assertEqual(messages[-1].rcode, "SERVFAIL")
        labels = {"server": "coredns", "role": "client"}
        wait_until(lambda: exporter.scrape().by("rcode", "dnstap_response_codes_total", **labels) == {"SERVFAIL": 1},
                   real.SETTLED, "the answer")
        labels["role"] = "forwarder"
        self.assertEqual(exporter.scrape().total("dnstap_queries_total", **labels), 2)

    def test_ipv4_clients_without_bind(self):
        """A listener on all addresses is an IPv6 socket; IPv4 clients have IPv4 addresses all the same."""
        class Everywhere(CoreDns):
            def files(self):
                files = super().files()
                files["Corefile"] = re.sub(r" +bind .*\n", "", files["Corefile"])
                return files

        exporter = self.enterContext(Exporter())
        tee = self.enterContext(Tee(exporter.socket))
        server = self.start(exporter, tee.path, Everywhere)
        for transport in "+notcp", "+tcp":
            for _ in range(10):
                real.kdig(server, "127.0.0.1", "www.example.test", transport)
        labels = {"server": "coredns", "role": "client"}
        wait_until(lambda: exporter.scrape().total("dnstap_responses_total", **labels) == 20,
                   real.SETTLED, "the responses")
        clients = {frame.message.query_address for frame in map(truth.decode, tee.payloads())
                   if frame.role == "client"}
        self.assertEqual(clients, {ipaddress.ip_address("127.0.0.1").packed})
        page = exporter.scrape()
        for what in "queries", "responses":
            self.assertEqual(page.by("family", f"dnstap_{what}_total", **labels), {"ipv4": 20})
        self.assertEqual(page.by("family", "dnstap_distinct_clients"), {"ipv4": 1})
        lists = json.loads(exporter.get("/api/v1/top?limit=10")[2])["lists"]
        self.assertEqual({entry["client"]: entry["value"]
                          for entry in lists["client_queries"]["entries"]}, {"127.0.0.1": 20})
        self.assertEqual(page.total("dnstap_response_time_seconds_count", **labels), 20)

    def test_without_full(self):
        """The messages are missing, and said to be."""
        class Brief(CoreDns):
            def tap(self, number=1):
                return super().tap(number).replace(" full {", " {")

        exporter = self.enterContext(Exporter())
        server = self.start(exporter, exporter.socket, Brief)
        real.kdig(server, "127.0.0.1", "www.example.test")
        wait_until_equal(lambda: {"query": 1, "response": 1},
                         lambda: exporter.scrape().by("kind", "dnstap_malformed_messages_total",
                                                      reason="missing", role="client"),
                         real.SETTLED, "missing messages")

    def test_tcp(self):
        port = free_port()
        exporter = self.enterContext(Exporter(f"""
inputs:
  - {{name: tcp, tcp: "127.0.0.1:{port}"}}
  - {{name: unix, unix: "{{dir}}/dnstap.sock"}}
"""))
        server = self.start(exporter, ("127.0.0.1", port))
        real.kdig(server, "127.0.0.1", "www.example.test", "MX")
        wait_until(lambda: exporter.scrape().total("dnstap_frames_total", input="tcp") == 2,
                   real.SETTLED, "frames over TCP")
        self.assertEqual(exporter.scrape().by("qtype", "dnstap_query_types_total",
                                              server="coredns"), {"MX": 1})

    def test_tls(self):
        """With the authority of the page's SSL_CERT_FILE, and without it."""
        port, folder = free_port(), self.enterContext(tempfile.TemporaryDirectory())
        make_certificates(folder)
        exporter = self.enterContext(Exporter(exporter_config("TLS", 0, port, folder)))
        with mock.patch.dict(os.environ, SSL_CERT_FILE=f"{folder}/ca.crt"):
            self.upstream = self.enterContext(Knot("/nonexistent/dnstap.sock"))
            server = self.enterContext(CoreDns(("127.0.0.1", port), upstream=self.upstream, tls=folder))
        tally = real.Tally()
        for case in real.KDIG_CASES:
            for message in real.kdig(server, "127.0.0.1", *case):
                message.count(tally, "client")
        self.check(exporter, tally, real.COMPARED)
        def questions():
            return {"client": exporter.scrape().total("dnstap_queries_total", server="coredns", role="client")}

        before = questions()["client"]
        load = Load(server, real.DNSPERF_QUERIES, "-n", 50)
        self.addCleanup(load.end)
        self.assertEqual(load.result().completed, 50 * len(real.DNSPERF_QUERIES))
        wait_until_equal(lambda: {"client": before + 50 * len(real.DNSPERF_QUERIES)}, questions, real.SETTLED, "the load")
        self.assertEqual(server.stop(), 0)
        def ends():
            return exporter.scrape().by("reason", "dnstap_connections_closed_total")

        wait_until(ends, real.SETTLED, "its end")
        before = ends()
        self.assertIn(before, ({"finish": 1}, {"eof": 1}))  # it does not wait until STOP is sent
        server.start()
        self.assertIn("certificate signed by unknown authority", server.log())
        self.assertEqual(ends(), {**before, "tls_refused": 1})

    def test_reconnection(self):
        """Without a connection it tries every ten seconds, also when busy."""
        exporter = Exporter()
        self.addCleanup(exporter.discard)
        self.upstream = self.enterContext(Knot("/nonexistent/dnstap.sock"))
        server = self.enterContext(CoreDns(exporter.socket, upstream=self.upstream))
        asker = self.enterContext(Asker())
        load = Load(server, [("www.example.test", "A")], "-Q", 20, "-l", 60)
        self.addCleanup(load.end)
        with exporter:
            begin = time.monotonic()
            wait_until(lambda: exporter.scrape().total("dnstap_connections_accepted_total") == 1, 15,
                       "CoreDNS's connection")
            came = round(time.monotonic() - begin, 1)
            self.assertGreater(load.interrupt().completed, 0)
            test_servers.TestReconnection.ask_until_counted(self, exporter, asker, [server])
            self.assertEqual(exporter.stop(), 0)
            exporter.start()
            took = test_servers.TestReconnection.ask_until_counted(self, exporter, asker, [server])
        print(f"seconds until counted: from the exporter's start {came}, after a restart of it {took}")


def exporter_config(heading, block, port, folder):
    """The inputs of a block of the page, for this port and the certificates of this folder."""
    text = page_blocks("coredns", heading)[block].replace("6000", str(port))
    return with_certificates(text, folder).replace("coredns.example", "exporter.example")


class TestListening(unittest.TestCase):
    """CoreDNS listens and the exporter connects, with the lines of "The exporter connects"."""

    def begin(self, block, folder=None):
        """Start both: CoreDNS with the page's block, the exporter with the one before."""
        port = free_port()

        class Listening(CoreDns):
            def tap(self, number=1, tcp=0):
                text = page_blocks("coredns", "The exporter connects")[block].replace("6000", str(port))
                return with_certificates(text, folder)

        self.upstream = self.enterContext(Knot("/nonexistent/dnstap.sock"))
        self.server = self.enterContext(Listening(None, upstream=self.upstream))
        self.exporter = self.enterContext(Exporter(
            exporter_config("The exporter connects", block - 1, port, folder)))
        self.wait_for_connection()

    def wait_for_connection(self):
        wait_until(lambda: self.exporter.scrape().total("dnstap_input_connected") == 1, 20, "the connection")

    def check_counts(self):
        """One question after the other is counted exactly."""
        def counts(page):
            return {(role, what): page.total(f"dnstap_{what}_total", role=role)
                    for role in ("client", "forwarder") for what in ("queries", "responses")}

        before = counts(self.exporter.scrape())
        for _ in range(20):
            for name in "www.example.test", "www.upstream.test":
                real.kdig(self.server, "127.0.0.1", name)
        expected = {key: before[key] + (40 if key[0] == "client" else 20) for key in before}
        wait_until_equal(lambda: expected, lambda: counts(self.exporter.scrape()), real.SETTLED, "counts")

    def check_lives(self):
        self.check_counts()
        for process in self.exporter, self.server:
            for sig in signal.SIGTERM, signal.SIGKILL:
                process.stop(sig)
                if process is self.server:
                    wait_until(lambda: self.exporter.scrape().total("dnstap_input_connected") == 0, 20, "the end")
                process.start()
                self.wait_for_connection()
                self.check_counts()

    def test_tcp(self):
        self.begin(1)
        self.check_lives()

    def test_tls(self):
        folder = self.enterContext(tempfile.TemporaryDirectory())
        make_certificates(folder)
        self.begin(3, folder)
        self.check_lives()

    def test_load(self):
        """Questions at the same moment break the stream. The exporter counts what is left of it, and all again from
        the next connection on."""
        self.begin(1)
        load = Load(self.server, [("www.example.test", "A")], "-q", 100, "-n", 2000)
        self.addCleanup(load.end)
        self.assertEqual(load.result().completed, 2000)
        page = self.exporter.scrape()
        frames = page.total("dnstap_queries_total") + page.total("dnstap_responses_total")
        self.assertLess(frames, 4000)
        print(f"frames of 4000: {frames:.0f}, rejected: {page.by('reason', 'dnstap_frames_rejected_total')}, "
              f"connections closed: {page.by('reason', 'dnstap_connections_closed_total')}")
        self.server.stop()
        wait_until(lambda: self.exporter.scrape().total("dnstap_input_connected") == 0, 20, "the end")
        self.server.start()
        wait_until(lambda: self.exporter.scrape().total("dnstap_input_connected") == 1, 40, "the connection")
        self.check_counts()


if __name__ == "__main__":
    unittest.main(verbosity=2)
