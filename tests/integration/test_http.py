# SPDX-License-Identifier: Apache-2.0
"""The HTTP side: the pages and their headers, methods and paths that are refused, peers that are
slow or idle, and scrapes under load, of which each is complete and obeys the conservation law.
"""

import contextlib
import html.parser
import http.client
import signal
import socket
import threading
import time
import unittest

from exporter import Exporter, Page, limit, wait_until
from sender import Neighbour, Sender, dns_message, dns_response, dnstap_frame

CONFIG = """
inputs:
  - name: unix
    unix: "{dir}/dnstap.sock"
web:
  listen_addresses: ["{web}"]
"""

PATHS = ("/", "/status", "/metrics", "/config", "/api/v1/top", "/api/v1/status", "/-/healthy",
         "/-/ready")
TEXT = "text/plain; version=0.0.4; charset=utf-8"


class Links(html.parser.HTMLParser):
    """The targets of a page's links; complains about tags that do not match."""

    VOID = {"meta", "link", "br", "hr"}

    def __init__(self, text):
        super().__init__()
        self.targets, self.open = [], []
        self.feed(text)
        self.close()
        assert not self.open, self.open

    def handle_starttag(self, tag, attrs):
        if tag not in self.VOID:
            self.open.append(tag)
        if tag == "a":
            self.targets.append(dict(attrs)["href"])

    def handle_endtag(self, tag):
        assert self.open and self.open.pop() == tag, tag


class HttpTest(unittest.TestCase):
    """Each class has one exporter."""

    config = CONFIG

    @classmethod
    def setUpClass(cls):
        cls.exporter = cls.enterClassContext(Exporter(cls.config))

    def connect(self, receive_buffer=None, source="127.0.0.1"):
        """A TCP connection to the web server, closed when the test ends."""
        host, port = self.exporter.web.split(":")
        peer = self.enterContext(socket.socket())
        peer.bind((source, 0))
        if receive_buffer:
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        peer.settimeout(limit(20))
        peer.connect((host, int(port)))
        return peer

    def scrape_within(self, seconds):
        begin = time.monotonic()
        status, _, body = self.exporter.get("/metrics")
        self.assertLess(time.monotonic() - begin, limit(seconds))
        self.assertEqual(status, 200)
        Page(body.decode()).check_conservation()


class Pages(HttpTest):
    """What is served, and how the rest is refused."""

    def test_metrics(self):
        status, headers, body = self.exporter.get("/metrics")
        self.assertEqual((status, headers["Content-Type"]), (200, TEXT))
        self.assertEqual(int(headers["Content-Length"]), len(body))
        self.assertTrue(body.endswith(b"\n"))
        Page(body.decode()).check_conservation()
        self.assertEqual(self.exporter.get("/metrics?any=thing")[0], 200)

    def test_each_family_is_described_once(self):
        """HELP, TYPE and then all samples of a family, before the next one begins."""
        described, current = [], None
        for line in self.exporter.get("/metrics")[2].decode().splitlines():
            words = line.split(" ", 3)
            if words[:2] == ["#", "HELP"]:
                current = words[2]
                described.append(current)
                self.assertTrue(words[3].strip())
            elif words[:2] == ["#", "TYPE"]:
                self.assertEqual(words[2], current)
                self.assertIn(words[3], ("counter", "gauge", "histogram"))
            else:
                self.assertTrue(line.startswith(current), line)
        self.assertEqual(len(described), len(set(described)))

    def test_landing_page(self):
        status, headers, body = self.exporter.get("/")
        self.assertEqual(status, 200)
        self.assertTrue(headers["Content-Type"].startswith("text/html"), headers["Content-Type"])
        targets = Links(body.decode()).targets
        self.assertIn("/metrics", [target if target.startswith("/") else f"/{target}"
                                   for target in targets])
        for target in targets:
            if "://" not in target:
                path = target if target.startswith("/") else f"/{target}"
                self.assertEqual(self.exporter.get(path)[0], 200, target)

    def test_health(self):
        for path in ("/-/healthy", "/-/ready"):
            self.assertEqual(self.exporter.get(path)[0], 200)

    def test_head(self):
        """The same answer as GET, without its body."""
        for path in PATHS:
            with self.subTest(path=path):
                status, headers, body = self.exporter.get(path, "HEAD")
                self.assertEqual((status, body), (200, b""))
                self.assertEqual(headers["Content-Type"],
                                 self.exporter.get(path)[1]["Content-Type"])
                self.assertGreater(int(headers["Content-Length"]), 0)
        self.assertEqual(self.exporter.get("/nothing", "HEAD")[0], 404)

    def test_other_methods(self):
        for path in PATHS:
            for method in ("POST", "PUT", "DELETE", "PATCH", "BREW"):
                with self.subTest(path=path, method=method):
                    status, headers, _ = self.exporter.get(path, method)
                    self.assertEqual(status, 405)
                    self.assertEqual(
                        {word.strip() for word in headers["Allow"].split(",")}, {"GET", "HEAD", "OPTIONS"})
            status, headers, body = self.exporter.get(path, "OPTIONS")
            self.assertEqual((status, headers["Allow"], body), (204, "GET, HEAD, OPTIONS", b""))

    def test_request_heads(self):
        """What a proxy could take for another request is refused; targets in all forms are taken."""
        host, port = self.exporter.web.split(":")
        for head, status in (
                (b"GET /-/healthy HTTP/1.1\r\n", 400),
                (b"GET /-/healthy HTTP/1.0\r\n", 200),
                (b"GET /-/healthy HTTP/1.1\r\nHost: a\r\nHost: b\r\n", 400),
                (b"GET /-/healthy HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nContent-Length: 0\r\n", 400),
                (b"GET /-/healthy HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n", 400),
                (b"GET /-/healthy%00 HTTP/1.1\r\nHost: a\r\n", 400),
                (b"GET /api/v1/top?limit=1%00 HTTP/1.1\r\nHost: a\r\n", 400),
                (b"GET /-/%68ealthy HTTP/1.1\r\nHost: a\r\n", 200),
                (b"GET http://a/-/healthy HTTP/1.1\r\nHost: a\r\n", 200),
                (b"GET http://a HTTP/1.1\r\nHost: a\r\n", 200),
                (b"OPTIONS * HTTP/1.1\r\nHost: a\r\n", 204),
                (b"GET * HTTP/1.1\r\nHost: a\r\n", 404),
                (b"GET healthy HTTP/1.1\r\nHost: a\r\n", 404)):
            with self.subTest(head=head), socket.create_connection((host, int(port)), timeout=limit(10)) as peer:
                peer.sendall(head + b"Connection: close\r\n\r\n" + (b"0\r\n\r\n" if b"chunked" in head else b""))
                self.assertRegex(peer.recv(100), b"^HTTP/1.[01] %d " % status)

    def test_rebinding(self):
        """A page from elsewhere whose name resolves to this address reads nothing here."""
        def status(host, path="/metrics"):
            return self.exporter.get(path, headers={"Host": host})[0]
        for host in (self.exporter.web, "localhost:9353", "[::1]:9353", "exporter", "exporter.svc", socket.gethostname()):
            self.assertEqual(status(host), 200, host)
        for path in PATHS:
            self.assertEqual(status("evil.example:9353", path), 200 if path.startswith("/-/") else 421, path)
        self.assertEqual(self.exporter.get("/-/reload", "POST", headers={"Host": "evil.example"})[0], 421)
        self.assertIn(b"web.hosts", self.exporter.get("/status", headers={"Host": "evil.example"})[2])
        self.exporter.wait_for_log("host=evil.example")
        for names, expected in ('["evil.example"]', 200), ("[]", 421):
            before = self.exporter.log().count("configuration reloaded")
            self.exporter.write_config(CONFIG + f"  hosts: {names}\n")
            self.exporter.process.send_signal(signal.SIGHUP)
            self.exporter.wait_for_log("configuration reloaded", before + 1)
            self.assertEqual(status("evil.example"), expected)

    def test_content_is_not_guessed(self):
        for path in ("/", "/metrics", "/status", "/config", "/api/v1/top", "/nowhere", "/-/healthy"):
            self.assertEqual(self.exporter.get(path)[1]["X-Content-Type-Options"], "nosniff")

    def test_other_paths(self):
        for path in ("/metric", "/metrics/", "/metrics/x", "/api/v1", "/api/v1/top/", "/-/", "/-/healthy/", "/favicon.ico",
                     "/..", "/%2e%2e/etc/passwd", "/METRICS", "//metrics", "/" + "x" * 2000):
            with self.subTest(path=path[:20]):
                self.assertEqual(self.exporter.get(path)[0], 404)

    def test_connection_is_kept(self):
        """Prometheus scrapes over one connection for hours."""
        host, port = self.exporter.web.split(":")
        with contextlib.closing(
                http.client.HTTPConnection(host, int(port), timeout=limit(10))) as kept:
            kept.connect()
            own = kept.sock.getsockname()
            for path, expected in (("/metrics", 200), ("/x", 404), ("/", 200), ("/metrics", 200)):
                kept.request("GET", path)
                answer = kept.getresponse()
                answer.read()
                self.assertEqual(answer.status, expected)
                self.assertEqual(kept.sock.getsockname(), own)

    def test_request_with_a_body(self):
        """Nobody asks for it, but it must not confuse the next request."""
        host, port = self.exporter.web.split(":")
        with contextlib.closing(
                http.client.HTTPConnection(host, int(port), timeout=limit(10))) as peer:
            peer.request("POST", "/metrics", body=b"x" * 100000)
            self.assertEqual(peer.getresponse().status, 405)
        self.scrape_within(5)

    def test_garbage(self):
        for garbage in (b"\0" * 100, b"\xff" * 70000, b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n",
                        b"GET /metrics HTTP/1.1\r\n" + b"X: y\r\n" * 20000):
            peer = self.connect()
            with contextlib.suppress(OSError):
                peer.sendall(garbage)
            self.scrape_within(5)


class SlowPeers(HttpTest):
    """Peers that take their time: a scrape beside them never waits for them."""

    patience = 5  # seconds: half of the peers' time-out, and far more than a scrape takes
    config = CONFIG + f"  timeout: {limit(2 * patience):.0f}s\ntop: {{capacity: 2000}}\n"

    def test_slow_requests(self):
        """Requests that come one byte at a time, half of them never ending."""
        peers = [self.connect() for _ in range(4)]
        for byte in b"GET /metrics HTTP/1.1\r\n":
            for peer in peers:
                peer.send(bytes([byte]))
            self.scrape_within(self.patience)
        for peer in peers[:2]:
            peer.sendall(b"Host: x\r\n\r\n")
            self.assertTrue(peer.recv(100).startswith(b"HTTP/1.1 200"))

    def test_slow_readers(self):
        """Peers that ask for more than all buffers hold, and read one byte at a time."""
        peers = [self.connect(receive_buffer=2048) for _ in range(4)]
        for peer in peers:
            peer.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" * 300)
        for byte in b"HTTP/1.1 200 OK\r\n":
            for peer in peers:
                self.assertEqual(peer.recv(1), bytes([byte]))
            self.scrape_within(self.patience)


    def test_pages_nobody_reads(self):
        """Peers that ask for large pages and read nothing: they are refused from some megabytes on,
        which leaves room for scrapes, until the peers are gone."""
        names = [(b"%060d" % i, b"x" * 60, b"%060d" % i) for i in range(600)]
        queries = [dnstap_frame(dns_message(labels=name)) for name in names]
        responses = [dnstap_frame(dns_response(labels=name, rcode=3), "CLIENT_RESPONSE")
                     for name in names]
        with Sender(self.exporter.socket) as sender:
            sender.send_all(queries + responses)
        wait_until(lambda: len(self.exporter.get("/api/v1/top?limit=1000")[2]) > 400_000, 10,
                   "long lists")
        peers = [self.connect(receive_buffer=2048) for _ in range(30)]
        for number, peer in enumerate(peers):  # equal requests would get the same page
            peer.sendall(20 * (b"GET /api/v1/top?limit=%d HTTP/1.1\r\nHost: x\r\n\r\n"
                               % (1000 - number)))

        def status():
            return self.exporter.get("/api/v1/top?limit=900")[0]

        wait_until(lambda: status() == 503, 10, "a page that is refused")
        self.scrape_within(self.patience)
        for peer in peers:
            peer.close()
        wait_until(lambda: status() == 200, 5, "room again")


class IdlePeers(HttpTest):
    """More connections without a request than are allowed altogether."""

    connections, timeout = 16, 2
    config = CONFIG + f"  connections: {connections}\n  timeout: {timeout}s\n"

    def flood(self, source):
        return [self.connect(source=source) for _ in range(4 * self.connections)]

    def test_flood(self):
        """They keep a scrape waiting for the time-out at most, which ends them all."""
        idle = self.flood("127.0.0.1")
        begin = time.monotonic()

        def scraped():
            with contextlib.suppress(OSError, http.client.HTTPException):
                return self.exporter.scrape()

        wait_until(scraped, 5 * self.timeout, "a scrape")
        self.assertLess(time.monotonic() - begin, self.timeout + limit(4))
        for peer in idle:
            with contextlib.suppress(ConnectionResetError):
                self.assertEqual(peer.recv(1), b"")

    def test_between_two_requests(self):
        """Who scrapes once a minute keeps the connection."""
        with self.connect() as peer:
            for _ in range(2):
                peer.sendall(b"GET /-/healthy HTTP/1.1\r\nHost: a\r\n\r\n")
                self.assertTrue(peer.recv(1000).startswith(b"HTTP/1.1 200"))
                time.sleep(3 * self.timeout)

    def test_flood_from_elsewhere(self):
        """One address can take half of the connections; the other half is there at once."""
        self.flood("127.0.0.2")
        for _ in range(5):
            self.exporter.scrape()


class SlowHeaders(HttpTest):
    """Clients that send a byte of their header now and then, as many as there may be connections and
    more."""

    def serves(self, source):
        """Whether a client at this address gets the two pages that must always come."""
        host, port = self.exporter.web.split(":")
        for path in ("/-/healthy", "/metrics"):
            connection = http.client.HTTPConnection(host, int(port), timeout=limit(2),
                                                    source_address=(source, 0))
            try:
                connection.request("GET", path)
                if connection.getresponse().status != 200:
                    return False
            except (OSError, http.client.HTTPException):
                return False
            finally:
                connection.close()
        return True

    def test_they_keep_nobody_out(self):
        """Others are served at once, from the same address too, and a header has ten seconds."""
        peers = [self.connect(source=f"127.0.0.{2 + number % 2}") for number in range(80)]
        begin = time.monotonic()
        for byte in b"GET /metrics HTTP/":
            for peer in peers:
                with contextlib.suppress(OSError):
                    peer.sendall(bytes([byte]))
            for source in ("127.0.0.4", "127.0.0.2"):
                self.assertTrue(self.serves(source), time.monotonic() - begin)
            time.sleep(0.6)
        for peer in peers:
            peer.settimeout(limit(5))
            with contextlib.suppress(OSError):
                self.assertEqual(peer.recv(1), b"")

    def test_slow_bodies(self):
        """A request is complete when its body is."""
        peers = [self.connect(source=f"127.0.0.{2 + number % 2}") for number in range(80)]
        for peer in peers:
            with contextlib.suppress(OSError):
                peer.sendall(b"POST /-/reload HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n")
        for _ in range(5):
            for peer in peers:
                with contextlib.suppress(OSError):
                    peer.sendall(b"x")
            self.assertTrue(self.serves("127.0.0.4"))
            time.sleep(0.3)

    def test_kept_alive(self):
        """The ten seconds begin with each request's first byte, not with the connection."""
        with self.connect() as peer:
            peer.settimeout(limit(20))
            for _ in range(3):
                peer.sendall(b"GET /-/healthy HTTP/1.1\r\n")
                time.sleep(4)
                peer.sendall(b"Host: x\r\n\r\n")
                self.assertTrue(peer.recv(1000).startswith(b"HTTP/1.1 200"))
            begin = time.monotonic()
            with contextlib.suppress(OSError):
                for byte in b"GET /-/healthy HTTP/1.1\r\nHost: x":
                    peer.sendall(bytes([byte]))
                    time.sleep(1)
            self.assertLess(time.monotonic() - begin, limit(15))


class Load(HttpTest):
    """Scrapes while frames come in."""

    def setUp(self):
        self.neighbour = self.enterContext(Neighbour(self.exporter.socket, pause=0.001))

    def check(self, body, before=None):
        """A whole page, in which no counter went back."""
        self.assertTrue(body.endswith(b"\n"))
        page = Page(body.decode())
        page.check_conservation()
        for (name, labels), value in (before.samples if before else {}).items():
            if name.endswith(("_total", "_count", "_bucket")):
                self.assertGreaterEqual(page.samples[name, labels], value, (name, labels))
        return page

    def test_many_scrapes(self):
        before, scrapes, seen = None, 0, set()
        while scrapes < 200 or len(seen) < 10:  # requests at about the same time may get the same page
            _, headers, body = self.exporter.get("/metrics")
            self.assertEqual(int(headers["Content-Length"]), len(body))
            before = self.check(body, before)
            seen.add(before.total("dnstap_queries_total", server="neighbour"))
            scrapes += 1
        sent = self.neighbour.finish()
        self.assertEqual(
            self.exporter.scrape().total("dnstap_queries_total", server="neighbour"), sent)

    def test_parallel_scrapes(self):
        failures = []

        def scrape():
            try:
                before = None
                for _ in range(20):
                    before = self.check(self.exporter.get("/metrics")[2], before)
            except Exception as failure:  # a thread's exception would go unseen
                failures.append(failure)

        scrapers = [threading.Thread(target=scrape) for _ in range(8)]
        for scraper in scrapers:
            scraper.start()
        for scraper in scrapers:
            scraper.join()
        self.assertEqual(failures, [])

    def test_scrapes_are_counted(self):
        before, after = (self.exporter.scrape() for _ in range(2))
        self.assertEqual(after.total("dnstap_exporter_scrapes_total"),
                         before.total("dnstap_exporter_scrapes_total") + 1)
        self.assertTrue(0 < after.total("dnstap_exporter_scrape_duration_seconds")
                        < limit(5))


if __name__ == "__main__":
    unittest.main()
