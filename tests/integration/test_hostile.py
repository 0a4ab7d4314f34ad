# SPDX-License-Identifier: Apache-2.0
"""What a broken or malicious peer can do: its connection closes, counted by reason, and nothing
else happens. Beside each of them a good server's connection goes on and is counted exactly, and
whatever bytes a peer puts into labels, the page stays valid and bounded.
"""

import contextlib
import pathlib
import random
import shutil
import socket
import struct
import subprocess
import time
import unittest

import sender
from exporter import Exporter, free_port, limit, wait_until
from sender import Neighbour, Sender, control, data, dns_message, dns_response, dnstap_frame
from truth import messages

CAPTURES = pathlib.Path(__file__).resolve().parent.parent / "captures"

CONNECTIONS = 40
FRAME_SIZE = 4096
CONFIG = f"""
inputs:
  - name: unix
    unix: "{{dir}}/dnstap.sock"
  - name: tcp
    tcp: "127.0.0.1:{{port}}"
web:
  listen_addresses: ["{{web}}"]
limits:
  connections: {CONNECTIONS}
  frame_size: {FRAME_SIZE}
  handshake_timeout: 1s
"""

START = control(sender.START, sender.CONTENT_TYPE)
FRAMES = [dnstap_frame(dns_message(number=n), identity=b"hostile") for n in range(3)]


class Beside(unittest.TestCase):
    """Each test has an exporter of its own, with a neighbour whose count must come out exactly."""

    def setUp(self):
        port = free_port()
        self.exporter = self.enterContext(Exporter(CONFIG.replace("{port}", str(port))))
        self.neighbour = self.enterContext(Neighbour(self.exporter.socket))
        self.addresses = {"unix": self.exporter.socket, "tcp": ("127.0.0.1", port)}

    def tearDown(self):
        sent = self.neighbour.finish()
        page = self.exporter.scrape()
        self.assertEqual(page.total("dnstap_queries_total", server="neighbour"), sent)

    def connect(self, name="unix"):
        return self.enterContext(Sender(self.addresses[name]))

    def closed(self, **reasons):
        """Wait until each input has closed that many connections, for these reasons alone."""
        def seen():
            page = self.exporter.scrape()
            return page if all(
                page.by("reason", "dnstap_connections_closed_total", input=name) == reasons
                for name in self.addresses) else None
        try:
            return wait_until(seen, what=f"closed {reasons}")
        except AssertionError as late:
            page = self.exporter.scrape()
            closed = page.select("dnstap_connections_closed_total")
            raise AssertionError(f"{late}; closed: {[c for c in closed if c[1]]}") from late

    def hostile_frames(self, page):
        """How many of the hostile peers' frames count as queries (they all carry this name)."""
        return page.total("dnstap_queries_total", server="hostile")

    def attack(self, *parts):
        """Send the same bytes to every input and hang up, unless it has hung up before."""
        for name in self.addresses:
            with Sender(self.addresses[name]) as peer, contextlib.suppress(OSError):
                for part in parts:
                    peer.raw(part)


class Connections(Beside):
    """Frame Streams broken in every way we could think of."""

    def test_end_inside_a_frame(self):
        whole = START + b"".join(map(data, FRAMES))
        self.attack(whole[:-1])
        self.attack(whole + bytes([0, 0]))
        page = self.closed(eof_in_frame=2)
        self.assertEqual(self.hostile_frames(page), 2 * (2 + 3))

    def test_end_between_frames(self):
        self.attack(START + b"".join(map(data, FRAMES)))
        page = self.closed(eof=1)
        self.assertEqual(self.hostile_frames(page), 2 * 3)

    def test_garbage_instead_of_a_handshake(self):
        self.attack(b"\xff" * 1000)
        self.attack(data(FRAMES[0]))
        page = self.closed(handshake=2)
        self.assertEqual(self.hostile_frames(page), 0)

    def test_other_protocols(self):
        """Each has its reason, and the log says what to do."""
        hello = bytes.fromhex("1603010200010001fc0303") + bytes(500)
        self.attack(hello)
        self.attack(b"GET /metrics HTTP/1.1\r\nHost: example\r\n\r\n")
        self.attack(b"\0\x9a\x08\x01\x12\x10" + bytes(150))  # dnsdist's newRemoteLogger
        self.closed(tls=1, http=1, powerdns_protobuf=1)
        for advice in ("dnstap-tls: no", "web.listen_addresses", "newFrameStreamTcpLogger"):
            self.exporter.wait_for_log(advice)

    def test_garbage_after_the_handshake(self):
        """Garbage reads as a length that cannot be."""
        self.attack(START + data(FRAMES[0]) + b"GET / HTTP/1.1\r\n\r\n")
        page = self.closed(frame_length=1)
        self.assertEqual(self.hostile_frames(page), 2)

    def test_large_lengths(self):
        """1 MiB is passed over and takes no memory; a byte more is no frame, and the connection is
        closed, so that a server which is out of step begins again."""
        before = self.exporter.scrape().total("process_resident_memory_bytes")
        self.attack(START + data(FRAMES[0]) + b"\0\x10\0\0", *[bytes(1 << 16)] * 16,
                    data(FRAMES[1]))
        page = self.closed(eof=1)
        self.assertEqual(self.hostile_frames(page), 2 * 2)
        self.assertEqual(
            page.by("reason", "dnstap_frames_rejected_total", input="unix"), {"oversize": 1})
        self.assertLess(page.total("process_resident_memory_bytes") - before, 64 << 20)
        for length in (b"\0\x10\0\1", b"\xff\xff\xff\xff"):
            self.attack(START + data(FRAMES[0]) + length)
        page = self.closed(eof=1, frame_length=2)
        self.assertEqual(self.hostile_frames(page), 2 * 4)

    def test_oversize_frame_is_skipped(self):
        """One byte over the bound is rejected, the bound itself is not, and the stream goes on."""
        extra = FRAME_SIZE - len(FRAMES[0])
        # An unknown field (100, bytes) pads the frame; its tag and length take four bytes.
        padding = b"\xa2\x06" + bytes([extra - 4 & 0x7f | 0x80, extra - 4 >> 7])
        fits = FRAMES[0] + padding + bytes(extra - 4)
        self.assertEqual(len(fits), FRAME_SIZE)
        for name in self.addresses:
            peer = self.connect(name).start()
            peer.send([FRAMES[1], fits + b"\0", FRAMES[2], fits, bytes(300000), FRAMES[0]])
            peer.stop()
        page = self.closed(finish=1)
        self.assertEqual(self.hostile_frames(page), 2 * 4)
        for name in self.addresses:
            self.assertEqual(page.by("reason", "dnstap_frames_rejected_total", input=name),
                             {"oversize": 2})

    def test_frames_that_are_not_dnstap(self):
        """Rejected one by one, each with its reason, on a connection that stays open."""
        empty_dnstap = b"\x78\x01"  # type MESSAGE, but no message
        other_type = b"\x78\x02"
        unknown_kind = b"\x72\x02\x08\x63\x78\x01"
        for name in self.addresses:
            peer = self.connect(name).start()
            peer.send([FRAMES[0], b"\xff" * 20, empty_dnstap, other_type, unknown_kind, FRAMES[1]])
            peer.stop()
        page = self.closed(finish=1)
        self.assertEqual(self.hostile_frames(page), 2 * 2)
        for name in self.addresses:
            self.assertEqual(page.by("reason", "dnstap_frames_rejected_total", input=name),
                             {"protobuf": 1, "not_message": 2, "message_type": 1})

    def test_frames_that_only_google_takes(self):
        """A known field with a foreign wire type, and an unknown group: rejected, as protobuf-c does."""
        decoder = messages()["dnstap.Dnstap"]
        message = decoder.FromString(dnstap_frame(dns_message())).message
        message.ClearField("socket_family")
        inner = message.SerializeToString()
        frames = []
        for addition in (b"\x12\1x", b"\xa3\6\xa4\6"):  # socket_family as bytes; group 100
            size = len(inner) + len(addition)
            self.assertLess(size, 128)
            frames.append(b"\x72" + bytes([size]) + inner + addition + b"\x78\1")
            self.assertEqual(decoder.FromString(frames[-1]).message.query_message, dns_message())
        Sender(self.exporter.socket).send_all(frames)
        page = self.exporter.scrape()
        self.assertEqual(page.total("dnstap_frames_rejected_total", reason="protobuf"), 2)

    def test_handshake_never_finished(self):
        """Silence, half a handshake, and a byte now and then all end at the same time-out."""
        for name in self.addresses:
            silent, half, dripping = (self.connect(name) for _ in range(3))
            half.ready()
            begin = time.monotonic()
            with self.assertRaises(OSError):
                for byte in control(sender.READY, *[sender.CONTENT_TYPE] * 16):  # of 492 bytes
                    dripping.raw(bytes([byte]))
                    time.sleep(0.1)
            self.assertLess(time.monotonic() - begin, limit(3))
            for peer in (silent, half, dripping):
                self.assertEqual(peer.wait_closed(), b"")
        self.closed(handshake_timeout=3)

    def test_a_host_that_vanishes(self):
        """The kernel asks after a minute of silence whether the server is there still."""
        port = self.addresses["tcp"][1]
        with self.connect("tcp").start():
            wait_until(lambda: self.exporter.scrape().total("dnstap_connections", input="tcp") == 1)
            table = pathlib.Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]
            timers = [line.split()[5] for line in table
                      if line.split()[1].endswith(f":{port:04X}") and line.split()[3] == "01"]
            self.assertEqual([timer.partition(":")[0] for timer in timers], ["02"])  # keepalive
            self.assertLessEqual(int(timers[0].partition(":")[2], 16), 60 * 100)  # in 10 ms

    def test_handshaken_connection_may_be_silent(self):
        """The time-out is the handshake's alone: an idle server keeps its connection."""
        idle, late = self.connect().start(), self.connect("tcp")
        self.assertEqual(late.wait_closed(), b"")  # by now the idle one is older than that
        idle.send(FRAMES)
        idle.stop()
        self.assertEqual(self.hostile_frames(self.exporter.scrape()), len(FRAMES))

    def test_wrong_content_type(self):
        self.attack(control(sender.READY, b"protobuf:something.Else"))
        self.attack(control(sender.START, b"protobuf:something.Else"))
        self.attack(control(sender.START, sender.CONTENT_TYPE + b"2"))
        self.closed(content_type=3)

    def test_offered_content_types(self):
        """Ours among others is accepted, and the answer names it alone."""
        answer = self.connect().ready(b"text/plain", sender.CONTENT_TYPE, b"x")
        self.assertEqual(answer, (sender.ACCEPT, [sender.CONTENT_TYPE]))

    def test_control_frames_out_of_place(self):
        for kind in (sender.STOP, sender.ACCEPT, sender.FINISH, 77):
            self.attack(control(kind))
        self.closed(handshake=4)

    def test_control_frames_later(self):
        for kind in (sender.START, sender.READY, sender.ACCEPT, 77):
            self.attack(START + data(FRAMES[0]) + control(kind, sender.CONTENT_TYPE))
        page = self.closed(control=4)
        self.assertEqual(self.hostile_frames(page), 2 * 4)

    def test_control_frame_length(self):
        """The format bounds control frames at 512 bytes; shorter than its kind cannot be either."""
        for length in (0, 3, 513, 1 << 20, 0xffffffff):
            self.attack(struct.pack(">III", 0, length, sender.START) + bytes(600))
        self.closed(handshake=5)
        for length in (0, 3, 513, 1 << 20, 0xffffffff):
            self.attack(START + struct.pack(">III", 0, length, sender.STOP) + bytes(600))
        self.closed(handshake=5, control=5)

    def test_control_fields(self):
        """A field that reaches past its frame, an unknown one, or a part of one."""
        for field in (struct.pack(">II", 1, 100), struct.pack(">II", 1, 0xffffffff), b"\0\0\0\1"):
            self.attack(struct.pack(">III", 0, 4 + len(field), sender.START) + field)
        self.closed(handshake=3)

    def test_one_byte_at_a_time(self):
        """A stream torn at every byte means the same."""
        for name in self.addresses:
            with self.connect(name) as peer:
                for byte in sender.stream(FRAMES):
                    peer.raw(bytes([byte]))
        page = self.closed(finish=1)
        self.assertEqual(self.hostile_frames(page), 2 * len(FRAMES))

    def test_more_connections_than_the_limit(self):
        """The connection that has been silent longest makes room, one without frames first: silent
        ones lock nobody out."""
        wait_until(lambda: self.exporter.scrape().total(
            "dnstap_queries_total", server="neighbour") > 0, 10, "the neighbour's first frames")
        silent = [self.connect().start() for _ in range(CONNECTIONS - 1)]  # and the neighbour
        places = []
        for _ in silent:
            places.append(self.connect().start())
            places[-1].send(FRAMES)
            wait_until(lambda: self.hostile_frames(self.exporter.scrape())
                       == len(places) * len(FRAMES))
        for peer in silent:
            self.assertEqual(peer.wait_closed(), b"")
        page = self.exporter.scrape()
        self.assertEqual(page.total("dnstap_connections"), CONNECTIONS)
        self.assertEqual(page.by("reason", "dnstap_connections_closed_total"),
                         {"limit": len(silent)})
        self.assertEqual(page.total("dnstap_limit_overflows_total", limit="connections"),
                         len(silent))
        for peer in places[1:]:
            peer.send(FRAMES)
        frames = (2 * len(places) - 1) * len(FRAMES)
        wait_until(lambda: self.hostile_frames(self.exporter.scrape()) == frames)
        late = self.connect().start()
        self.assertEqual(places.pop(0).wait_closed(), b"")
        late.stop()
        for peer in places:
            peer.stop()
        self.exporter.wait_for_log("it has been silent longest")


class FewDescriptors(unittest.TestCase):

    def test_the_web_server_has_its_own(self):
        """Where the limit of open files is low, servers' connections make room, and pages are
        served."""
        with Exporter(before=["prlimit", "--nofile=160"]) as exporter:
            exporter.wait_for_log("leaves room for fewer connections")
            peers = [Sender(exporter.socket) for _ in range(150)]
            for peer in peers:
                self.addCleanup(peer.close)
            Sender(exporter.socket).send_all([dnstap_frame(dns_message())])
            wait_until(lambda: exporter.scrape().total(
                "dnstap_limit_overflows_total", limit="file_descriptors") > 50)
            clients = [socket.create_connection(exporter.web.split(":")) for _ in range(20)]
            page = exporter.scrape()
            for client in clients:
                client.close()
            self.assertEqual(page.total("dnstap_queries_total"), 1)
            self.assertGreater(
                page.total("dnstap_connections_closed_total", reason="file_descriptors"), 50)
            exporter.wait_for_log("too many files are open")


class Mutations(Beside):
    """Streams of real frames with random damage."""

    ROUNDS = 3000
    WORDS = [0, 1, 4, 255, 513, FRAME_SIZE, FRAME_SIZE + 1, 0x7fffffff, 0xffffffff]

    def mutate(self, random, content):
        content = bytearray(content)
        for _ in range(random.randint(1, 6)):
            at = random.randrange(len(content))
            match random.randrange(5):
                case 0:
                    content[at] ^= 1 << random.randrange(8)
                case 1:
                    content[at] = random.randrange(256)
                case 2:
                    del content[at:at + random.randint(1, 8)]
                case 3:
                    content[at:at] = content[at:at + random.randint(1, 200)]
                case 4:
                    content[at:at + 4] = struct.pack(">I", random.choice(self.WORDS))
        return bytes(content)

    def test_mutated_streams(self):
        chance = random.Random(9353)
        frames = [payload for path in sorted(CAPTURES.glob("*.fstrm"))
                  for payload in sender.payloads_of(path.read_bytes()) if len(payload) < 400]
        for turn in range(self.ROUNDS):
            content = self.mutate(chance, sender.stream(chance.sample(frames, 6)))
            with Sender(self.addresses["unix"]) as peer:
                with contextlib.suppress(OSError):  # refused before we had said everything
                    peer.raw(content)
                    peer.socket.shutdown(sender.socket.SHUT_WR)
                peer.wait_closed()
            if turn % 500 == 0:
                self.exporter.scrape()
        page = self.exporter.scrape()
        self.assertEqual(page.total("dnstap_connections_accepted_total"), self.ROUNDS + 1)
        self.assertEqual(page.total("dnstap_connections_closed_total"), self.ROUNDS)
        self.assertGreater(page.total("dnstap_frames_rejected_total", reason="protobuf"), 100)


class Labels(unittest.TestCase):
    """Bytes that peers choose, in label values: shown faithfully, bounded, never invalid."""

    def setUp(self):
        self.exporter = self.enterContext(Exporter())

    def scrape(self):
        """The page, which has to please promtool too, where there is one."""
        page = self.exporter.scrape()
        if shutil.which("promtool"):
            check = subprocess.run(["promtool", "check", "metrics"], input=page.text,
                                   capture_output=True, text=True, timeout=limit(60))
            self.assertEqual((check.returncode, check.stdout, check.stderr), (0, "", ""))
        return page

    def send(self, frames):
        Sender(self.exporter.socket).send_all(frames)

    def test_server_identities(self):
        shown = {
            b"plain": "plain",
            b'quo"te': 'quo"te',
            b"back\\slash": "back\\slash",
            b"new\nline\r\ttab": r"new\x0aline\x0d\x09tab",
            b"n\0ul": r"n\x00ul",
            b"\x7f\x1b[31m": r"\x7f\x1b[31m",
            "zürich-☃-𝄞".encode(): "zürich-☃-𝄞",
            b"\xff\xfe": r"\xff\xfe",
            b"cut\xe2\x98": r"cut\xe2\x98",
            b"overlong\xc0\xaf": r"overlong\xc0\xaf",
            b"surrogate\xed\xa0\x80": r"surrogate\xed\xa0\x80",
            b"beyond\xf4\x90\x80\x80": r"beyond\xf4\x90\x80\x80",
            b'"} 1\nfake_metric{a="': r'"} 1\x0afake_metric{a="',
            b"": "unix",
        }
        for number, identity in enumerate(shown, 1):
            self.send([dnstap_frame(dns_message(), identity=identity)] * number)
        self.assertEqual(self.scrape().by("server", "dnstap_queries_total"),
                         {value: number for number, value in enumerate(shown.values(), 1)})

    def test_long_identity(self):
        self.send([dnstap_frame(dns_message(), identity=b"\xff" * size) for size in (300, 60000)])
        page = self.scrape()
        self.assertEqual(page.total("dnstap_queries_total"), 2)
        self.assertLess(max(map(len, page.text.split("\n"))), 2000)

    def test_more_servers_than_the_limit(self):
        """While their connections are open the first 64 have their own series, at most 32 of each
        connection; all others share one, and nothing is lost."""
        frames = [dnstap_frame(dns_message(), identity=b"server-%d" % number)
                  for number in range(100)]
        with Sender(self.exporter.socket) as first, Sender(self.exporter.socket) as second:
            first.start().send(frames[:32])
            wait_until(lambda: self.scrape().total("dnstap_queries_total") == 32)
            second.start().send(frames[32:])
            first.send(frames[:32])
            second.send(frames[32:])
            page = wait_until(lambda: (page := self.scrape()).total(
                "dnstap_queries_total") == 200 and page)
            first.stop()
            second.stop()
        servers = page.by("server", "dnstap_queries_total")
        self.assertEqual(servers.pop("other"), 2 * 36)
        self.assertEqual(servers, {f"server-{number}": 2 for number in range(64)})
        self.assertGreaterEqual(page.total("dnstap_limit_overflows_total", limit="servers"), 36)

    def test_a_server_called_other(self):
        """A name that looks like the overflow's must not make a series appear twice."""
        self.send([dnstap_frame(dns_message(), identity=b"other")])
        self.send([dnstap_frame(dns_message(), identity=b"server-%d" % number)
                   for number in range(80)])
        self.assertEqual(self.scrape().total("dnstap_queries_total"), 81)

    def test_identities_that_look_alike_when_escaped(self):
        self.send([dnstap_frame(dns_message(), identity=identity)
                   for identity in (b"\xff", rb"\xff", b"unix", b"")])
        self.assertEqual(self.scrape().by("server", "dnstap_queries_total"),
                         {r"\xff": 2, "unix": 2})

    def test_query_types(self):
        """Unassigned numbers by number up to the limit, the rest as one; assigned ones always."""
        self.send([dnstap_frame(dns_message(qtype=qtype)) for qtype in range(65300, 65340)])
        self.send([dnstap_frame(dns_message(qtype=28))] * 5)
        page = self.scrape()
        types = page.by("qtype", "dnstap_query_types_total")
        self.assertEqual(types, {"AAAA": 5, "other": 8,
                                 **{f"TYPE{number}": 1 for number in range(65300, 65332)}})
        self.assertGreaterEqual(page.total("dnstap_limit_overflows_total", limit="qtypes"), 8)

    def test_every_query_type(self):
        self.send(dnstap_frame(dns_message(qtype=qtype)) for qtype in range(65536))
        page = self.scrape()
        self.assertEqual(page.total("dnstap_query_types_total"), 65536)
        self.assertLess(len(page.by("qtype", "dnstap_query_types_total")), 200)

    def test_every_rcode(self):
        self.send(dnstap_frame(dns_response(rcode=rcode), "CLIENT_RESPONSE")
                  for rcode in range(4096))
        page = self.scrape()
        self.assertEqual(page.total("dnstap_response_codes_total"), 4096)
        self.assertEqual(page.total("dnstap_response_codes_total", rcode="BADVERS"), 1)
        self.assertLess(len(page.by("rcode", "dnstap_response_codes_total")), 200)
        self.assertGreater(page.total("dnstap_limit_overflows_total", limit="rcodes"), 3000)

    def test_every_extended_error(self):
        self.send(dnstap_frame(dns_response(option=struct.pack(">HHH", 15, 2, code)),
                               "CLIENT_RESPONSE") for code in range(65536))
        page = self.scrape()
        self.assertEqual(page.total("dnstap_extended_errors_total"), 65536)
        self.assertLess(len(page.by("info_code", "dnstap_extended_errors_total")), 200)
        self.assertGreater(page.total("dnstap_limit_overflows_total", limit="info_codes"), 60000)

    def test_query_names(self):
        """Whatever names hold, they count, and are labels that say which they are."""
        names = {(b'quo"te',): 'quo"te', (b"back\\slash",): r"back\092slash",
                 (b"new\nline",): r"new\010line", (b"n\0ul",): r"n\000ul",
                 (b"\xff\xfe",): r"\255\254", (b"do.t", b"a"): r"do\046t.a", (): ".",
                 (b"MiXeD",): "mixed", tuple([b"x"] * 127): ".".join("x" * 127),
                 tuple([b"\xff" * 63] * 3): ".".join([r"\255" * 63] * 3)}
        self.send(dnstap_frame(dns_message(labels=labels)) for labels in names)
        self.exporter.wait_for_evaluation()
        page = self.scrape()
        self.assertEqual(page.by("qtype", "dnstap_query_types_total"), {"A": len(names)})
        self.assertEqual(page.by("qname", "dnstap_top_qname_queries"),
                         {text: 1 for text in names.values()})


if __name__ == "__main__":
    unittest.main()
