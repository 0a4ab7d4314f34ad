# SPDX-License-Identifier: Apache-2.0
"""Inputs that connect to a server which listens for receivers: over unix sockets, TCP and TLS, to the last frame;
servers that are away, go, come again, or are none.

The server is Python's; tests/deploy/coredns.py has the one that there is, CoreDNS.
"""

import contextlib
import os
import pathlib
import signal
import socket
import ssl
import struct
import tempfile
import time
import unittest

from certificates import make_certificates, server_context
from exporter import Exporter, free_port, limit, wait_until
from sender import ACCEPT, CONTENT_TYPE, FINISH, READY, START, ListeningSender, control
from test_outputs import frames

DIR = None  # the folder of the certificates
# How long the exporter waits between two tries at most, and a slow machine.
RECONNECTED = 30


OLD, NEW = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3


def of_version(version, context):
    context.minimum_version = context.maximum_version = version
    return context


def setUpModule():
    global DIR
    DIR = unittest.enterModuleContext(tempfile.TemporaryDirectory(prefix="dnstap_exporter_connect."))
    make_certificates(DIR)


class ConnectTest(unittest.TestCase):

    def setUp(self):
        self.folder = self.enterContext(tempfile.TemporaryDirectory())
        self.port, self.tls_port = free_port(), free_port()
        self.addresses = {"unix": f"{self.folder}/server.sock", "tcp": ("127.0.0.1", self.port),
                          "tls": ("127.0.0.1", self.tls_port)}

    def input(self, name, kind, more=""):
        url = {"unix": f"unix:{self.folder}/server.sock", "tcp": f"tcp://127.0.0.1:{self.port}",
               "tls": f"tls://127.0.0.1:{self.tls_port}"}[kind]
        tls = f", tls: {{ca_file: {DIR}/ca.crt{more}}}" if kind == "tls" else ""
        return f'  - {{name: {name}, connect: "{url}"{tls}}}\n'

    def listen(self, kind, tls=None):
        if kind == "tls":
            tls = tls or server_context(DIR)
        return ListeningSender(self.addresses[kind], tls)

    def start(self, *inputs, more=""):
        self.exporter = Exporter('web: {listen_addresses: ["{web}"]}\ninputs:\n' + "".join(inputs) + more)
        self.addCleanup(self.exporter.discard)
        return self.enterContext(self.exporter)

    def wait_for(self, value, metric, timeout=10, **labels):
        def found():
            return self.exporter.scrape().total(metric, **labels)

        try:
            wait_until(lambda: found() == value, timeout, metric)
        except AssertionError:
            self.fail(f"{metric} {labels}: expected {value}, found {found()}\n{self.exporter.log()}")

    def failures(self, name):
        return self.exporter.scrape().by("reason", "dnstap_input_connection_failures_total", input=name)

    def reasons(self, name):
        """Why it did not come to a session: before the server's first byte of Frame Streams, or by it."""
        return self.failures(name).keys() | self.closed(name).keys()

    def closed(self, name):
        return self.exporter.scrape().by("reason", "dnstap_connections_closed_total", input=name)


KINDS = "unix", "tcp", "tls"


class Servers(ConnectTest):

    def test_at_once(self):
        """What the server says before the exporter is there is lost."""
        for kind in KINDS:
            with self.listen(kind) as server:
                self.start(self.input(kind, kind))
                begin = time.monotonic()
                with server.accept():
                    self.assertLess(time.monotonic() - begin, limit(0.3))

    def test_exact(self):
        """STOP is answered and the exporter connects again."""
        servers = {kind: self.enterContext(self.listen(kind)) for kind in KINDS}
        self.start(*(self.input(kind, kind) for kind in KINDS))
        for life in 1, 2:
            for kind in KINDS:
                with self.subTest(kind=kind, life=life), servers[kind].accept(RECONNECTED) as sender:
                    sender.start().send(frames(3000))
                    self.wait_for(life * 3000, "dnstap_frames_total", input=kind)
                    self.wait_for(1, "dnstap_input_connected", input=kind)
                    sender.stop()
        for kind in KINDS:
            wait_until(lambda kind=kind: self.closed(kind) == {"finish": 2}, 10, "the ends")
        page = self.exporter.scrape()
        self.assertEqual(page.total("dnstap_queries_total"), 18000)

    def test_mutual(self):
        """With a certificate of our own and the name of the server's, in either version."""
        for version in OLD, NEW:
            tls = of_version(version, server_context(DIR, "elsewhere", "ca"))
            with self.subTest(version=version), self.listen("tls", tls) as server:
                self.start(self.input("tls", "tls", f", cert_file: {DIR}/client.crt, key_file: {DIR}/client.key, "
                                                    "server_name: elsewhere.example"))
                with server.accept() as sender:
                    sender.start().send(frames(500))
                    sender.stop()
                self.wait_for(500, "dnstap_frames_total")
                self.assertEqual(self.exporter.stop(), 0)

    def test_unidirectional(self):
        """A server may send START at once."""
        with self.listen("tcp") as server:
            self.start(self.input("tcp", "tcp"))
            with server.accept() as sender:
                sender.start(bidirectional=False).send(frames(100))
                sender.stop()
        self.wait_for(100, "dnstap_frames_total")

    def test_away_at_start(self):
        """The exporter is ready all the same, says so once, and connects soon after the server is there."""
        self.start(*(self.input(kind, kind) for kind in KINDS))
        for kind in KINDS:
            wait_until(lambda kind=kind: self.failures(kind).get("connect", 0) >= 2, RECONNECTED, f"failures of {kind}")
            self.assertEqual(self.failures(kind).keys(), {"connect"})
            self.assertEqual(len(self.lines(kind)), 1, self.exporter.log())
        self.assertEqual(self.exporter.scrape().total("dnstap_input_connected"), 0)
        for kind in KINDS:
            with self.listen(kind) as server, server.accept(RECONNECTED) as sender:
                sender.start().send(frames(10))
                self.wait_for(10, "dnstap_frames_total", input=kind)
                sender.stop()

    def test_a_host_that_vanishes(self):
        """The kernel asks after a minute of silence whether the server is there still: nothing is ever sent to it."""
        for kind in "tcp", "tls":
            with self.subTest(kind=kind), self.listen(kind) as server:
                self.start(self.input(kind, kind))
                with server.accept().start():
                    port = self.addresses[kind][1]
                    table = pathlib.Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]
                    timers = [line.split()[5] for line in table
                              if line.split()[2].endswith(f":{port:04X}") and line.split()[3] == "01"]
                    self.assertEqual([timer.partition(":")[0] for timer in timers], ["02"])  # keepalive

    def lines(self, name):
        return [line for line in self.exporter.log().split("\n")
                if f" input={name} " in line and "level=warn" in line]

    def test_server_goes(self):
        """By STOP, by an end without a word, by a reset: each time the exporter connects again."""
        self.start(*(self.input(kind, kind) for kind in KINDS))
        for number, way in enumerate(("stop", "end", "reset"), 1):
            with contextlib.ExitStack() as stack:
                servers = {kind: stack.enter_context(self.listen(kind)) for kind in KINDS}
                for kind, server in servers.items():
                    sender = stack.enter_context(server.accept(RECONNECTED)).start()
                    sender.send(frames(100))
                    self.wait_for(100 * number, "dnstap_frames_total", input=kind)
                    if way == "stop":
                        sender.stop()
                    elif way == "reset" and kind != "unix":
                        sender.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.wait_for(0, "dnstap_input_connected")
        self.assertEqual(self.closed("unix"), {"finish": 1, "eof": 2})
        for kind in "tcp", "tls":
            self.assertEqual(self.closed(kind), {"finish": 1, "eof": 1, "error": 1})

    def test_exporter_goes(self):
        """It ends its side, with close_notify; and after a SIGKILL it comes again."""
        tls = server_context(DIR)
        with self.listen("tls", tls) as server:
            self.start(self.input("tls", "tls"))
            sender = server.accept()
            sender.socket.suppress_ragged_eofs = False
            sender.start().send(frames(100))
            self.wait_for(100, "dnstap_frames_total")
            self.assertEqual(self.exporter.stop(), 0)
            self.assertEqual(sender.socket.recv(1), b"")
            sender.close()
            self.exporter.start()
            with server.accept() as sender:
                sender.start().send(frames(100))
                self.wait_for(100, "dnstap_frames_total")
                self.assertEqual(self.exporter.stop(signal.SIGKILL), -signal.SIGKILL)
                self.exporter.start()
                with server.accept() as other:
                    other.start().send(frames(100))
                    other.stop()
                self.wait_for(100, "dnstap_frames_total")

    def test_what_was_sent_is_counted_at_the_end(self):
        with self.listen("tcp") as server:
            self.start(self.input("tcp", "tcp"))
            with server.accept() as sender:
                sender.start().send(frames(2000))
                self.wait_for(2000, "dnstap_frames_total")
                sender.send(frames(1))
                self.assertEqual(self.exporter.stop(), 0)
        self.assertNotIn("Connection reset", self.exporter.log())


class Trouble(ConnectTest):

    def test_server_that_hangs_up(self):
        """It is asked again, and more and more seldom."""
        with self.listen("tcp") as server:
            self.start(self.input("tcp", "tcp"))
            count, until = 0, time.monotonic() + 8
            while (left := until - time.monotonic()) > 0:
                server.listener.settimeout(left)
                with contextlib.suppress(TimeoutError):
                    server.listener.accept()[0].close()
                    count += 1
            self.assertIn(count, range(1, 6))
            self.assertLessEqual(self.exporter.log().count("level=warn"), 2, self.exporter.log())

    def test_server_that_ends_each_session(self):
        """CoreDNS under load: sessions that last a moment are no reason to stay away."""
        with self.listen("tcp") as server:
            self.start(self.input("tcp", "tcp"))
            begin = time.monotonic()
            for number in range(1, 5):
                with server.accept() as sender:
                    sender.start().send(frames(50))
                    self.wait_for(50 * number, "dnstap_frames_total")
            self.assertLess(time.monotonic() - begin, limit(8))

    def test_silence(self):
        """No handshake, of Frame Streams or of TLS."""
        with self.listen("tcp"), ListeningSender(self.addresses["tls"]):
            self.start(self.input("tcp", "tcp"), self.input("tls", "tls"), more="limits: {handshake_timeout: 1s}\n")
            for name in "tcp", "tls":
                reasons = {"tcp": "handshake_timeout", "tls": "timeout"}
                wait_until(lambda name=name: self.reasons(name) == {reasons[name]}, RECONNECTED, name)

    WRONG = (
        ("http", b"HTTP/1.1 400 Bad Request\r\n\r\n", "handshake"),
        ("kind", control(ACCEPT, CONTENT_TYPE), "handshake"),
        ("content", control(READY, b"protobuf:other"), "content_type"),
        ("content_of_start", control(START, b"protobuf:other"), "content_type"),
    )

    def test_other_protocols(self):
        for name, content, reason in self.WRONG:
            with self.subTest(name), self.listen("tcp") as server:
                self.start(self.input("tcp", "tcp"))
                with server.accept() as sender:
                    sender.raw(content)
                    sender.wait_closed()
                wait_until(lambda: self.reasons("tcp"), 10, "a reason")
                self.assertEqual(self.reasons("tcp"), {reason})
                self.assertEqual(self.exporter.stop(), 0)

    # The server's TLS, keys of ours, the reason, words of the log.
    REFUSED = (
        (lambda: server_context(DIR, "elsewhere"), "", "tls_wrong_name", "server_name"),
        (lambda: server_context(DIR, "expired"), "", "tls_expired", "expired"),
        (lambda: server_context(DIR, "foreign-server"), "", "tls_unknown_ca", "ca_file"),
        (lambda: server_context(DIR, "client"), ", server_name: ns1.example", "tls_certificate", "certificate"),
        (lambda: of_version(NEW, server_context(DIR, "server", "ca")), "", "tls_refused", "cert_file"),
        (lambda: of_version(OLD, server_context(DIR, "server", "ca")), "", "tls_refused", "cert_file"),
        (lambda: of_version(OLD, server_context(DIR)), ", min_version: TLS13", "tls_version", "min_version"),
    )

    def test_tls_refused(self):
        """A wrong certificate of either side."""
        for make, keys, reason, words in self.REFUSED:
            with self.subTest(reason), self.listen("tls", make()) as server:
                self.start(self.input("tls", "tls", keys))
                with contextlib.suppress(OSError), server.accept() as sender:
                    sender.ready()
                wait_until(lambda: self.reasons("tls"), RECONNECTED, reason)
                self.assertEqual(self.reasons("tls"), {reason})
                self.assertIn(words, "".join(line for line in self.exporter.log().split("\n") if "level=warn" in line))
                self.assertEqual(self.exporter.stop(), 0)

    def test_plain_and_tls(self):
        """TLS to a plain server, which does not wait; and plain to one of TLS, which waits for a hello."""
        with ListeningSender(self.addresses["tls"]) as plain, self.listen("tcp", server_context(DIR)):
            self.start(self.input("tcp", "tcp"), self.input("tls", "tls"), more="limits: {handshake_timeout: 1s}\n")
            with plain.accept() as sender:
                sender.raw(control(READY, CONTENT_TYPE))
                wait_until(lambda: self.reasons("tls") == {"not_tls"}, 10, "not_tls")
            wait_until(lambda: self.reasons("tcp") == {"handshake_timeout"}, 20, "the other's end")


class Reload(ConnectTest):

    def reload(self, *inputs, refused=None):
        before = len(self.exporter.log())
        self.exporter.write_config('web: {listen_addresses: ["{web}"]}\ninputs:\n' + "".join(inputs))
        self.exporter.process.send_signal(signal.SIGHUP)
        said = wait_until(lambda: [line for line in self.exporter.log()[before:].split("\n") if "reloaded" in line],
                          10, "the reload")[0]
        self.assertIn(refused or "configuration reloaded", said)

    def test_comes_changes_and_goes(self):
        with self.listen("tcp") as first, self.listen("unix") as second:
            self.start(self.input("a", "tcp"))
            a = self.enterContext(first.accept()).start()
            a.send(frames(10))
            self.reload(self.input("a", "tcp"), self.input("b", "unix"))
            b = self.enterContext(second.accept()).start()
            b.send(frames(20))
            a.send(frames(10))
            self.wait_for(20, "dnstap_frames_total", input="a")
            self.wait_for(20, "dnstap_frames_total", input="b")
            self.assertEqual(self.exporter.scrape().by("input", "dnstap_input_connected"), {"a": 1, "b": 1})

            self.reload(self.input("a", "tcp"))  # b goes
            self.assertEqual(b.wait_closed(), b"")
            self.assertEqual(self.closed("b"), {"input_removed": 1})
            self.assertEqual(self.exporter.scrape().select("dnstap_input_connected", input="b"), [])

            self.reload(self.input("a", "unix"))  # a is somewhere else
            self.assertEqual(a.wait_closed(), b"")
            with second.accept() as sender:
                sender.start().send(frames(5))
                self.wait_for(25, "dnstap_frames_total", input="a")
                sender.stop()
            first.listener.settimeout(2)
            with self.assertRaises(TimeoutError):
                first.listener.accept()

    def test_away_and_removed(self):
        """One that is just not connected goes as well."""
        self.start(self.input("a", "tcp"), self.input("b", "unix"))
        wait_until(lambda: self.failures("a"), 10, "a failure")
        self.reload(self.input("b", "unix"))
        with self.listen("tcp") as server:
            server.listener.settimeout(3)
            with self.assertRaises(TimeoutError):
                server.listener.accept()

    def test_listening_becomes_connecting(self):
        path = f"{self.folder}/own.sock"
        self.start(f'  - {{name: a, unix: "{path}"}}\n')
        with self.listen("unix") as server:
            self.reload(self.input("a", "unix"))
            self.assertFalse(os.path.exists(path))
            with server.accept() as sender:
                sender.start().send(frames(5))
                sender.stop()
            self.wait_for(5, "dnstap_frames_total", input="a")
            self.reload(f'  - {{name: a, unix: "{path}"}}\n')
            wait_until(lambda: os.path.exists(path), 10, "the socket")

    def test_tls_changes(self):
        """Other keys of the same server are another connection."""
        with self.listen("tls", server_context(DIR, "server", "ca")) as server:
            self.start(self.input("a", "tls"))
            with contextlib.suppress(OSError), server.accept() as sender:
                sender.ready()
            wait_until(lambda: self.reasons("a") == {"tls_refused"}, 10, "a refusal")
            self.reload(self.input("a", "tls", f", cert_file: {DIR}/client.crt, key_file: {DIR}/client.key"))
            with self.accepted(server) as sender:
                sender.start().send(frames(5))
                sender.stop()
            self.wait_for(5, "dnstap_frames_total", input="a")

    def accepted(self, server):
        """The first connection that has a certificate."""
        until = time.monotonic() + limit(RECONNECTED)
        while time.monotonic() < until:
            with contextlib.suppress(OSError):
                return server.accept(RECONNECTED)
        raise AssertionError("nobody with a certificate")


class Exposed(ConnectTest):

    def test_ourselves(self):
        """An input that leads to an input of this exporter is refused."""
        exporter = Exporter('inputs:\n  - {name: a, unix: "{dir}/a.sock"}\n  - {name: b, connect: "unix:{dir}/a.sock"}\n')
        self.addCleanup(exporter.discard)
        with self.assertRaises(AssertionError):
            exporter.start()
        self.assertIn("another input has this endpoint", exporter.log())

    def test_no_such_inputs_no_series(self):
        with Exporter() as exporter:
            text = exporter.get("/metrics")[2].decode()
            self.assertNotIn("dnstap_input_connected", text)
            self.assertNotIn("dnstap_input_connection_failures_total", text)

    def test_finish(self):
        """The receiver's side of the handshake, word by word."""
        with self.listen("tcp") as server:
            self.start(self.input("tcp", "tcp"))
            with server.accept() as sender:
                self.assertEqual(sender.ready(), (ACCEPT, [CONTENT_TYPE]))
                sender.raw(control(START, CONTENT_TYPE))
                sender.send(frames(1))
                sender.raw(control(3))
                self.assertEqual(sender.read_control(), (FINISH, []))
                self.assertEqual(sender.wait_closed(), b"")


if __name__ == "__main__":
    unittest.main(verbosity=2)
