# SPDX-License-Identifier: Apache-2.0
"""dnstap over TLS, inputs and outputs: what is sent is counted to the last frame, certificates change while
connections stay, and who is refused is counted by reason and told what to do.

Peers are Unbound with the lines of its page, another exporter, and Python's ssl, which is OpenSSL's.
"""

import contextlib
import os
import shutil
import signal
import socket
import ssl
import tempfile
import time
import unittest

from certificates import client_context, make_certificates, server_context
from exporter import Exporter, free_port, limit, wait_until, wait_until_equal
from sender import ListeningSender, Sender, data, dns_message, dnstap_frame
from servers import Load, Unbound
from test_outputs import Receiver, frames

DIR = None  # the folder of the certificates
MATCHING = "matching: {timeout: 1s}\n"
# Unbound tries again within a second.
RECONNECTED = 20

OLD, NEW = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3


def setUpModule():
    global DIR
    DIR = unittest.enterModuleContext(tempfile.TemporaryDirectory(prefix="dnstap_exporter_tls."))
    os.chmod(DIR, 0o755)
    make_certificates(DIR)


def files(certificate, ca=None, ca_key="client_ca_file", folder=None):
    """The keys of a mapping `tls`."""
    folder = folder or DIR
    keys = [f"cert_file: {folder}/{certificate}.crt, key_file: {folder}/{certificate}.key"] if certificate else []
    return ", ".join(keys + ([f"{ca_key}: {folder}/{ca}.crt"] if ca else []))


def tls_input(name, port, keys):
    return f'  - {{name: {name}, tcp: "127.0.0.1:{port}", tls: {{{keys}}}}}\n'


def version(context, *, least=None, most=None):
    """The context, with bounds of the version of TLS."""
    context.minimum_version = least or context.minimum_version
    context.maximum_version = most or context.maximum_version
    return context


class TlsTest(unittest.TestCase):

    def start(self, config):
        exporter = Exporter(config)
        self.addCleanup(exporter.discard)
        return self.enterContext(exporter)

    def wait_for(self, exporter, value, metric, timeout=10, **labels):
        def found():
            return exporter.scrape().total(metric, **labels)

        try:
            wait_until(lambda: found() == value, timeout, metric)
        except AssertionError:
            self.fail(f"{metric} {labels}: expected {value}, found {found()}\n{exporter.log()}")


# --- Inputs

class Inputs(TlsTest):

    def setUp(self):
        self.ports = {name: free_port() for name in ("open", "mutual", "named", "new", "plain")}
        self.exporter = self.start(
            "inputs:\n"
            + tls_input("open", self.ports["open"], files("server"))
            + tls_input("mutual", self.ports["mutual"], files("server", "ca"))
            + tls_input("named", self.ports["named"], files("server", "ca") + ", client_allowed_sans: [ns1.example]")
            + tls_input("new", self.ports["new"], files("server") + ", min_version: TLS13")
            + f'  - {{name: plain, tcp: "127.0.0.1:{self.ports["plain"]}"}}\n'
            + "limits: {handshake_timeout: 2s}\n" + MATCHING)

    def address(self, name):
        return "127.0.0.1", self.ports[name]

    def closed(self, name):
        return self.exporter.scrape().by("reason", "dnstap_connections_closed_total", input=name)

    def wait_closed(self, name, reasons):
        wait_until_equal(lambda: reasons, lambda: self.closed(name), 10, f"closed connections of {name}")

    def test_exact(self):
        """Both versions, with a certificate of the client and without, in both forms of Frame Streams."""
        total = 0
        for name, certificate in ("open", None), ("open", "client"), ("mutual", "client"), ("named", "client"):
            for bounds in {"most": OLD}, {"least": NEW}:
                for is_bidirectional in True, False:
                    sender = Sender(self.address(name), tls=version(client_context(DIR, "ca", certificate), **bounds))
                    sender.send_all(frames(1500, total), is_bidirectional)
                    total += 1500
        self.wait_for(self.exporter, total, "dnstap_frames_total")
        page = self.exporter.scrape()
        self.assertEqual(page.total("dnstap_queries_total"), total)
        self.assertEqual(page.by("reason", "dnstap_connections_closed_total"), {"finish": 16})

    def test_pieces(self):
        """However records cut the frames."""
        sent = frames(40) + [dnstap_frame(dns_message(option=b"\0\x0f\x75\x30" + bytes(30000)))]
        content = b"".join(map(data, sent))
        for step in 1, 7, 16384:
            with Sender(self.address("open"), tls=client_context(DIR)) as sender:
                sender.start()
                for at in range(0, min(len(content), 3000 * step), step):
                    sender.raw(content[at:at + step])
                sender.raw(content[3000 * step:])
                sender.stop()
        self.wait_for(self.exporter, 3 * len(sent), "dnstap_frames_total")

    def test_ends(self):
        """With close_notify and without it, within a frame and between frames."""
        for rest in b"", data(frames(1)[0])[:-1]:
            for is_secure in True, False:
                with Sender(self.address("open"), tls=client_context(DIR)) as sender:
                    sender.start().send(frames(3))
                    sender.raw(rest)
                    if is_secure:
                        with contextlib.suppress(OSError):
                            sender.socket.unwrap()
        self.wait_closed("open", {"eof": 2, "eof_in_frame": 2})
        self.wait_for(self.exporter, 12, "dnstap_frames_total")

    def attempt(self, name, tls=None, server_name="127.0.0.1"):
        """Try to send a stream; it may not be taken."""
        with contextlib.suppress(OSError, AssertionError):
            with Sender(self.address(name), tls=tls, name=server_name) as sender:
                sender.start().send(frames(1))
                sender.stop()
            self.fail(f"{name} takes it")

    # Input, reason, words of the log, and the client's TLS, for both versions.
    REFUSED = (
        ("mutual", "tls_no_certificate", "certificate", lambda: client_context(DIR)),
        ("mutual", "tls_unknown_ca", "client_ca_file", lambda: client_context(DIR, "ca", "foreign-client")),
        ("mutual", "tls_expired", "expired", lambda: client_context(DIR, "ca", "expired-client")),
        ("mutual", "tls_certificate", "certificate", lambda: client_context(DIR, "ca", "renewed")),
        ("named", "tls_wrong_name", "client_allowed_sans", lambda: client_context(DIR, "ca", "stranger")),
        ("open", "tls_refused", "certificate", lambda: client_context(DIR, "foreign")),
    )

    def test_refused(self):
        """Three times each, in either version: one line in the log, which says what to do."""
        for name, reason, words, make in self.REFUSED:
            for bounds in {"most": OLD}, {"least": NEW}:
                before = self.closed(name).get(reason, 0)
                for _ in range(3):
                    self.attempt(name, version(make(), **bounds))
                with self.subTest(input=name, reason=reason, **bounds):
                    self.wait_for(self.exporter, before + 3, "dnstap_connections_closed_total", input=name,
                                  reason=reason)
            self.check_log(name, words)
        self.assertEqual(self.exporter.scrape().total("dnstap_frames_total"), 0)

    def lines(self, name):
        return [line for line in self.exporter.log().split("\n")
                if f" input={name} " in line and "level=warn" in line]

    def check_log(self, name, words):
        self.assertTrue([line for line in self.lines(name) if words in line], self.exporter.log())

    def test_once_a_minute(self):
        for _ in range(5):
            self.attempt("mutual", client_context(DIR, "ca", "expired-client"))
        self.wait_closed("mutual", {"tls_expired": 5})
        self.assertEqual(len(self.lines("mutual")), 1, self.exporter.log())

    def test_too_old(self):
        self.attempt("new", version(client_context(DIR), most=OLD))
        self.wait_closed("new", {"tls_version": 1})
        self.check_log("new", "min_version")
        Sender(self.address("new"), tls=client_context(DIR)).send_all(frames(5))
        self.wait_for(self.exporter, 5, "dnstap_frames_total", input="new")

    def test_plain_and_tls(self):
        """Bytes of the other kind, on both sides."""
        self.attempt("open")
        with socket.create_connection(self.address("open")) as client:
            client.sendall(b"GET / HTTP/1.1\r\n\r\n")
            self.wait_closed("open", {"not_tls": 2})
        self.check_log("open", "TLS")
        self.attempt("plain", client_context(DIR))
        self.wait_closed("plain", {"tls": 1})
        self.check_log("plain", "tls")

    def test_broken_handshakes(self):
        """Nothing, half a hello, and a hello with something else behind it."""
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        with contextlib.suppress(ssl.SSLWantReadError):
            client_context(DIR).wrap_bio(incoming, outgoing, server_hostname="127.0.0.1").do_handshake()
        hello = outgoing.read()
        silent, half = (socket.create_connection(self.address("open")) for _ in range(2))
        self.addCleanup(silent.close)
        self.addCleanup(half.close)
        half.sendall(hello[:100])
        with socket.create_connection(self.address("open")) as client:
            client.sendall(hello[:100])
        with socket.create_connection(self.address("open")) as client:
            client.sendall(hello + b"\xff" * 100)
            with contextlib.suppress(OSError):
                while client.recv(4096):
                    pass
        wait_until(lambda: sum(self.closed("open").values()) == 4, 10, "four ends")
        found = self.closed("open")
        self.assertEqual(found.pop("handshake_timeout"), 2)
        self.assertEqual(found, {"tls_handshake": 1, "not_tls": 1})

    def test_neighbours(self):
        """Handshakes that nobody goes on with hold nobody up: the oldest make room."""
        for _ in range(100):
            self.addCleanup(socket.create_connection(self.address("open")).close)
        begin = time.monotonic()
        Sender(self.address("mutual"), tls=client_context(DIR, "ca", "client")).send_all(frames(500))
        self.assertLess(time.monotonic() - begin, limit(2))
        self.wait_for(self.exporter, 500, "dnstap_frames_total")
        wait_until(lambda: sum(self.closed("open").values()) == 100, 10, "the end of all")
        self.assertEqual(self.closed("open").keys(), {"tls_limit", "handshake_timeout"})


class Renewal(TlsTest):
    """Certificates that change in their place."""

    def setUp(self):
        self.folder = self.enterContext(tempfile.TemporaryDirectory())
        self.put("server", "server")
        self.put("ca", "client-ca")
        self.port = free_port()
        self.exporter = self.start("inputs:\n" + tls_input(
            "in", self.port, f"cert_file: {self.folder}/server.crt, key_file: {self.folder}/server.key, "
            f"client_ca_file: {self.folder}/client-ca.crt"))

    def put(self, source, name, endings=("crt", "key"), rename=False):
        """Write the certificate into the file, or rename another over it, as mounted secrets do."""
        for ending in endings:
            path = f"{self.folder}/{name}.{ending}"
            target = f"{path}.new" if rename else path
            shutil.copy(f"{DIR}/{source}.{ending}", target)
            os.rename(target, path)

    def shown(self):
        """The certificate that a new connection gets."""
        with Sender(("127.0.0.1", self.port), tls=client_context(DIR, "ca", "client")) as sender:
            sender.start().stop()
            return ssl.DER_cert_to_PEM_cert(sender.socket.getpeercert(True))

    @staticmethod
    def pem(name):
        with open(f"{DIR}/{name}.crt", encoding="ascii") as file:
            return file.read()

    def test_renewal(self):
        with Sender(("127.0.0.1", self.port), tls=client_context(DIR, "ca", "client")) as old:
            old.start().send(frames(10))
            self.assertEqual(self.shown(), self.pem("server"))
            for rename in False, True:
                for name in "renewed", "server":
                    self.put(name, "server", rename=rename)
                    wait_until(lambda name=name: self.shown() == self.pem(name), 10, f"{name}, renamed: {rename}")
            old.send(frames(10))
            old.stop()
        self.wait_for(self.exporter, 20, "dnstap_frames_total")
        self.assertEqual(self.exporter.scrape().by("reason", "dnstap_connections_closed_total").keys(), {"finish"})

    def test_half_a_renewal(self):
        """A certificate that the key does not fit changes nothing, and is told; with its key it is taken."""
        self.put("renewed", "server", ["crt"])
        complaint = "server.key: not the key of the certificate"
        self.exporter.wait_for_log(complaint)
        self.assertEqual(self.shown(), self.pem("server"))
        time.sleep(2.5)
        self.exporter.wait_for_log(complaint, 1)
        self.put("renewed", "server", ["key"])
        wait_until(lambda: self.shown() == self.pem("renewed"), 10, "the new certificate")

    def test_other_authority(self):
        self.put("foreign", "client-ca", ["crt"], rename=True)

        def is_taken(certificate):
            with contextlib.suppress(OSError, AssertionError):
                with Sender(("127.0.0.1", self.port), tls=client_context(DIR, "ca", certificate)) as sender:
                    sender.start().stop()
                    return True
            return False

        wait_until(lambda: is_taken("foreign-client"), 10, "the other authority")
        self.assertFalse(is_taken("client"))


class Unbounds(TlsTest):
    """Unbound with the lines of its page, and with the exporter's input of that page."""

    BURST = 200

    def setUp(self):
        self.port = free_port()

    def begin(self, client_ca="ca", kind=Unbound, certificate="server"):
        self.exporter = self.start("inputs:\n" + tls_input("tls", self.port, files(certificate, client_ca)))
        self.server = self.enterContext(kind(("127.0.0.1", self.port), tls=DIR))

    def counted(self):
        page = self.exporter.scrape()
        return {what: page.total(f"dnstap_{what}_total", server="unbound", role="client")
                for what in ("queries", "responses")}

    def check_counting(self):
        """A burst is counted to the last question."""
        wait_until(lambda: self.exporter.scrape().total("dnstap_connections"), RECONNECTED, "a connection")
        before = self.counted()
        load = Load(self.server, [("absent.example.test", "TXT")], "-n", self.BURST)
        self.addCleanup(load.end)
        self.assertEqual(load.result().completed, self.BURST)
        wait_until_equal(lambda: {what: value + self.BURST for what, value in before.items()}, self.counted, 20,
                         "the burst")

    def check_restarts(self):
        self.check_counting()
        for sig, status in (signal.SIGTERM, 0), (signal.SIGKILL, -signal.SIGKILL):
            self.assertEqual(self.exporter.stop(sig), status)
            self.exporter.start()
            self.check_counting()
        for sig, status in (signal.SIGTERM, 0), (signal.SIGKILL, -signal.SIGKILL):
            self.assertEqual(self.server.stop(sig), status)
            wait_until(lambda: not self.exporter.scrape().total("dnstap_connections"), 20, "the end")
            self.server.start()
            self.check_counting()
        reasons = self.exporter.scrape().by("reason", "dnstap_connections_closed_total")
        self.assertEqual(reasons, {"finish": 1, "eof": 1})

    def test_with_certificate(self):
        self.begin()
        self.check_restarts()

    def test_without_certificate(self):
        class Anonymous(Unbound):
            def tap(self, *arguments, **named):
                return "\n".join(line for line in super().tap(*arguments, **named).split("\n")
                                 if "dnstap-tls-client" not in line)

        self.begin(None, Anonymous)
        self.check_restarts()

    def check_refused(self, said):
        wait_until(lambda: self.exporter.scrape().by("reason", "dnstap_connections_closed_total"), 20, "an end")
        wait_until(lambda: said in self.server.log(), 20, f"Unbound's {said!r}")
        page = self.exporter.scrape()
        self.assertEqual(set(page.by("reason", "dnstap_connections_closed_total")), {"tls_refused"})
        self.assertEqual(page.total("dnstap_frames_total"), 0)

    def test_wrong_name(self):
        self.begin(certificate="elsewhere")
        self.check_refused("certificate verify failed")

    def test_foreign(self):
        self.begin(certificate="foreign-server")
        self.check_refused("certificate verify failed")

    def test_expired(self):
        self.begin(certificate="expired")
        self.check_refused("certificate verify failed")

    def test_renewal(self):
        """The connection stays, the next one has the new certificate."""
        folder = self.enterContext(tempfile.TemporaryDirectory())
        for name in "server.crt", "server.key":
            shutil.copy(f"{DIR}/{name}", folder)
        self.exporter = self.start("inputs:\n" + tls_input("tls", self.port, files("server", folder=folder)))
        self.server = self.enterContext(Unbound(("127.0.0.1", self.port), tls=DIR))
        self.check_counting()
        for ending in "crt", "key":
            shutil.copy(f"{DIR}/renewed.{ending}", f"{folder}/new.{ending}")
            os.rename(f"{folder}/new.{ending}", f"{folder}/server.{ending}")
        time.sleep(2.5)
        self.check_counting()
        self.assertEqual(self.exporter.scrape().total("dnstap_connections_accepted_total"), 1)
        self.assertEqual(self.server.stop(), 0)
        self.server.start()
        self.check_counting()


# --- Outputs

class Outputs(TlsTest):

    def output(self, name, address, certificate="client", ca="ca", more=""):
        keys = files(certificate, ca, "ca_file")
        return f'  - {{name: {name}, tcp: "{address}", tls: {{{keys}{more}}}}}\n'

    def begin(self, *outputs):
        return self.start('inputs: [{name: in, unix: "{dir}/in.sock"}]\noutputs:\n' + "".join(outputs))

    @staticmethod
    def send(exporter, payloads):
        Sender(os.path.join(exporter.dir, "in.sock")).send_all(payloads)

    def connected(self, exporter, count=1):
        self.wait_for(exporter, count, "dnstap_output_connected")

    def test_exact(self):
        """Both versions, with and without a certificate of our own, to receivers that send tickets."""
        for bounds in {"most": OLD}, {"least": NEW}:
            for client_ca in None, "ca":
                tls = version(server_context(DIR, "server", client_ca), **bounds)
                with self.subTest(client_ca=client_ca, **bounds), Receiver(tls=tls) as receiver:
                    exporter = self.begin(self.output("out", receiver.address, "client" if client_ca else None))
                    self.connected(exporter)
                    sent = frames(3000, size=100) + [dnstap_frame(dns_message(option=b"\0\x0f\x75\x30" + bytes(30000)))]
                    self.send(exporter, sent)
                    wait_until(lambda: len(receiver.payloads()) == len(sent), 20, "all frames")
                    self.assertEqual(exporter.stop(), 0)
                    wait_until(lambda: receiver.finished == 1, 5, "STOP")
                    self.assertEqual(receiver.payloads(), sent)

    def test_server_name(self):
        """The name of the certificate where it is not the address."""
        with Receiver(tls=server_context(DIR, "elsewhere")) as receiver:
            exporter = self.begin(self.output("out", receiver.address, more=", server_name: elsewhere.example"))
            self.connected(exporter)

    # The receiver's TLS, keys of ours, the reason, words of the log.
    REFUSED = (
        ("wrong_name", lambda: server_context(DIR, "elsewhere"), "", "tls_wrong_name", "server_name"),
        ("expired", lambda: server_context(DIR, "expired"), "", "tls_expired", "expired"),
        ("foreign", lambda: server_context(DIR, "foreign-server"), "", "tls_unknown_ca", "ca_file"),
        ("misused", lambda: server_context(DIR, "client"), ", server_name: ns1.example", "tls_certificate",
         "certificate"),
        ("old", lambda: version(server_context(DIR), most=OLD), ", min_version: TLS13", "tls_version", "min_version"),
        ("old_refuses", lambda: version(server_context(DIR, "server", "foreign"), most=OLD), "", "tls_refused",
         "cert_file"),
        ("new_refuses", lambda: version(server_context(DIR, "server", "foreign"), least=NEW), "", "tls_refused",
         "cert_file"),
    )

    def test_refused(self):
        receivers = {name: self.enterContext(Receiver(tls=make())) for name, make, *_ in self.REFUSED}
        exporter = self.begin(*(self.output(name, receivers[name].address, more=more)
                                for name, _, more, *_ in self.REFUSED))
        for name, _, _, reason, words in self.REFUSED:
            with self.subTest(output=name):
                wait_until(lambda: sum(self.failures(exporter, name).values()) >= 2, 20, "two failures")
                self.assertEqual(set(self.failures(exporter, name)), {reason})
                lines = [line for line in exporter.log().split("\n") if f" output={name} " in line and "warn" in line]
                self.assertEqual(len(lines), 1, lines)
                self.assertIn(words, lines[0])
        self.assertEqual(exporter.scrape().total("dnstap_output_connected"), 0)

    def failures(self, exporter, name):
        return exporter.scrape().by("reason", "dnstap_output_connection_failures_total", output=name)

    def test_no_receiver(self):
        """Nobody there, one that says nothing, and one that speaks something else."""
        with ListeningSender(("127.0.0.1", free_port())) as silent, ListeningSender(("127.0.0.1", free_port())) as plain:
            exporter = self.begin(self.output("absent", f"127.0.0.1:{free_port()}"),
                                  self.output("silent", "%s:%d" % silent.address),
                                  self.output("plain", "%s:%d" % plain.address))
            with plain.accept() as peer:
                peer.raw(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            for name, reason in ("absent", "connect"), ("plain", "not_tls"), ("silent", "timeout"):
                wait_until(lambda: self.failures(exporter, name).keys() == {reason}, 30, f"{name}: {reason}")

    def test_tls_of_one_side(self):
        """To another exporter, whose input has TLS where the output has none, and the other way round."""
        ports = free_port(), free_port()
        last = self.start("inputs:\n" + tls_input("secure", ports[0], files("server"))
                          + f'  - {{name: plain, tcp: "127.0.0.1:{ports[1]}"}}\n')
        first = self.begin(f'  - {{name: plain, tcp: "127.0.0.1:{ports[0]}"}}\n',
                           self.output("secure", f"127.0.0.1:{ports[1]}"))
        for name, reason, closed in ("plain", "tls", "not_tls"), ("secure", "tls_handshake", "tls"):
            wait_until(lambda: self.failures(first, name).keys() == {reason}, 20, f"{name}: {reason}")
            other = {"plain": "secure", "secure": "plain"}[name]
            wait_until(lambda: last.scrape().by("reason", "dnstap_connections_closed_total", input=other).keys()
                       == {closed}, 20, closed)
        first.wait_for_log("give the output a tls")
        first.wait_for_log("closed the connection in the handshake of TLS")
        last.wait_for_log("does not speak TLS")
        last.wait_for_log("speaks TLS, this input does not")

    def test_receiver_comes_and_goes(self):
        port = free_port()
        exporter = self.begin(self.output("out", f"127.0.0.1:{port}"))
        for life in range(3):
            with Receiver(tls=server_context(DIR, "server", "ca"), port=port) as receiver:
                self.connected(exporter)
                sent = frames(500, 500 * life)
                self.send(exporter, sent)
                wait_until(lambda: len(receiver.payloads()) == 500, 20, "all frames")
                self.assertEqual(receiver.payloads(), sent)
            self.connected(exporter, 0)

    def test_renewal(self):
        """The receiver begins to want another certificate, and the output's file gets it."""
        folder, port = self.enterContext(tempfile.TemporaryDirectory()), free_port()
        for name in "client.crt", "client.key", "ca.crt":
            shutil.copy(f"{DIR}/{name}", folder)
        exporter = self.begin(f'  - {{name: out, tcp: "127.0.0.1:{port}", tls: '
                              f'{{{files("client", "ca", "ca_file", folder)}}}}}\n')
        with Receiver(tls=server_context(DIR, "server", "ca"), port=port):
            self.connected(exporter)
        with Receiver(tls=server_context(DIR, "foreign-server", "foreign"), port=port) as receiver:
            self.wait_for(exporter, 0, "dnstap_output_connected")
            for source, name in ("foreign-client.crt", "client.crt"), ("foreign-client.key", "client.key"), \
                    ("foreign.crt", "ca.crt"):
                shutil.copy(f"{DIR}/{source}", f"{folder}/new")
                os.rename(f"{folder}/new", f"{folder}/{name}")
            self.connected(exporter)
            self.send(exporter, frames(100))
            wait_until(lambda: len(receiver.payloads()) == 100, 20, "all frames")


class Chain(TlsTest):
    """Two exporters, each of which verifies the other."""

    def setUp(self):
        self.port = free_port()
        self.last = self.start("inputs:\n" + tls_input("in", self.port, files("server", "ca")))
        self.first = self.start(f"""
inputs: [{{name: in, unix: "{{dir}}/in.sock"}}]
outputs:
  - name: out
    tcp: "127.0.0.1:{self.port}"
    tls: {{{files("client", "ca", "ca_file")}, server_name: exporter.example}}
""")

    def pass_on(self, count):
        """The last one counts `count` frames more."""
        self.wait_for(self.first, 1, "dnstap_output_connected", RECONNECTED)
        before = self.last.scrape().total("dnstap_frames_total")
        Outputs.send(self.first, frames(count))
        self.wait_for(self.last, before + count, "dnstap_frames_total", 20)

    def test_same_counts(self):
        self.pass_on(5000)

        def counted(exporter):
            return {key: value for key, value in exporter.scrape().samples.items()
                    if key[0].startswith(("dnstap_quer", "dnstap_resp", "dnstap_malformed"))}
        self.assertEqual(counted(self.last), counted(self.first))

    def test_comes_and_goes(self):
        self.pass_on(1000)
        for exporter in self.last, self.first:
            for sig, status in (signal.SIGTERM, 0), (signal.SIGKILL, -signal.SIGKILL):
                self.assertEqual(exporter.stop(sig), status)
                if exporter is self.last:
                    self.wait_for(self.first, 0, "dnstap_output_connected")
                exporter.start()
                self.pass_on(1000)
        reasons = self.last.scrape().by("reason", "dnstap_connections_closed_total")
        self.assertEqual(reasons.pop("finish"), 1)
        self.assertEqual(sum(reasons.values()), 1)  # of the one that was killed


if __name__ == "__main__":
    unittest.main(verbosity=2)
