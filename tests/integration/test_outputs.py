# SPDX-License-Identifier: Apache-2.0
"""Outputs: each frame of the inputs that an output has comes to its receiver as it was, or is counted as
dropped; a receiver that is slow, away or hostile holds nobody up.

Receivers are another exporter, libfstrm's own fstrm_capture, and one written for the test.
"""

import collections
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import unittest

from exporter import PROGRAM, Exporter, free_port, limit, wait_until
from sender import (ACCEPT, CONTENT_TYPE, FINISH, Sender, control, data, dns_message, dnstap_frame,
                    payloads_of)


class Receiver:
    """Accepts connections on a unix socket, or a TCP port where path is None, and keeps what comes.

    Reads only while `reading` is set; answers the handshake in any case. With an SSLContext it speaks TLS. Use as
    a context manager.
    """

    def __init__(self, path=None, answer=ACCEPT, content_type=CONTENT_TYPE, tls=None, port=0):
        self.listener = socket.socket(socket.AF_UNIX if path else socket.AF_INET)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        if not path:
            self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.path, self.answer, self.content_type = path, answer, content_type
        self.tls, self.port = tls, port
        self.reading = threading.Event()
        self.reading.set()
        self.streams, self.peers, self.finished = [], [], 0

    def __enter__(self):
        self.listener.bind(self.path or ("127.0.0.1", self.port))
        self.listener.listen()
        self.address = self.path or "127.0.0.1:%d" % self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        if self.path:
            os.unlink(self.path)
        self.hang_up()
        self.reading.set()

    def hang_up(self):
        for peer in self.peers:
            try:
                peer.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def accept(self):
        while True:
            try:
                peer, _ = self.listener.accept()
            except OSError:
                return
            if self.tls:
                peer = self.tls.wrap_socket(peer, server_side=True, do_handshake_on_connect=False)
            stream = bytearray()
            self.streams.append(stream)
            self.peers.append(peer)
            threading.Thread(target=self.receive, args=(peer, stream), daemon=True).start()

    def receive(self, peer, stream):
        try:
            if self.tls:
                peer.do_handshake()
            Sender(peer).read_control()  # READY
            peer.settimeout(None)
            peer.sendall(control(self.answer, self.content_type))
            while True:
                self.reading.wait()
                chunk = peer.recv(65536)
                if not chunk:
                    return
                stream += chunk
                if stream.endswith(control(3)):  # STOP
                    self.finished += 1
                    peer.sendall(control(FINISH))
        except OSError:
            pass
        finally:
            peer.close()

    def payloads(self):
        return [payload for stream in self.streams for payload in payloads_of(bytes(stream))]


def frames(count, first=0, size=0):
    padding = b"\0\x0f" + size.to_bytes(2, "big") + bytes(size) if size else b""
    return [dnstap_frame(dns_message(number=first + i, option=padding), identity=b"ns%d" % (i % 3),
                         when_ns=(first + i) * 1000) for i in range(count)]


def config_for(*outputs, inputs=("one", "two")):
    lines = ["inputs:"]
    for name in inputs:
        lines.append(f'  - {{name: {name}, unix: "{{dir}}/{name}.sock"}}')
    lines.append("outputs:")
    lines += [f"  - {{{output}}}" for output in outputs]
    return "\n".join(lines) + "\n"


class OutputTest(unittest.TestCase):

    def start(self, config, before=None):
        exporter = Exporter(config)
        if before:
            before(exporter)
        self.addCleanup(exporter.discard)
        self.enterContext(exporter)
        return exporter

    def folder(self):
        exporter = Exporter()
        self.addCleanup(exporter.discard)
        return exporter.dir

    @staticmethod
    def send(exporter, payloads, to="one"):
        Sender(os.path.join(exporter.dir, f"{to}.sock")).send_all(payloads)

    @staticmethod
    def counts(exporter, output):
        page = exporter.scrape()
        return (page.total("dnstap_output_frames_total", output=output),
                page.total("dnstap_output_frames_dropped_total", output=output))

    def connected(self, exporter, output):
        wait_until(lambda: exporter.scrape().total("dnstap_output_connected", output=output) == 1, 10,
                   f"output {output}")


class Forwarding(OutputTest):

    def test_unchanged_over_unix_and_tcp(self):
        """Also what is no dnstap at all; from the inputs that an output names, or from all."""
        folder = self.folder()
        with Receiver(f"{folder}/r.sock") as every, Receiver() as second:
            exporter = self.start(config_for(
                f'name: every, unix: "{every.address}"',
                f'name: second, tcp: "{second.address}", inputs: [two]'))
            self.connected(exporter, "every")
            self.connected(exporter, "second")
            first = frames(500) + [b"\xff", b"x" * 3000]
            other = frames(300, 1000)
            self.send(exporter, first, "one")
            self.send(exporter, other, "two")
            wait_until(lambda: self.counts(exporter, "every")[0] == 802, 10, "all frames")
            wait_until(lambda: self.counts(exporter, "second")[0] == 300, 10, "its frames")
            wait_until(lambda: len(every.payloads()) == 802, 10, "all frames")
            wait_until(lambda: len(second.payloads()) == 300, 10, "its frames")
            self.assertEqual(every.payloads()[:502], first)
            self.assertEqual(every.payloads()[502:], other)
            self.assertEqual(second.payloads(), other)
            page = exporter.scrape()
            self.assertEqual(page.total("dnstap_output_frames_dropped_total"), 0)
            self.assertEqual(len(page.select("dnstap_output_frames_dropped_total")), 6)

    def test_pieces(self):
        """However the frames are cut on their way in, oversize ones apart."""
        folder = self.folder()
        with Receiver(f"{folder}/r.sock") as receiver:
            exporter = self.start(config_for(f'name: out, unix: "{receiver.address}"')
                                  + "limits: {frame_size: 5000}\n")
            self.connected(exporter, "out")
            sent = frames(40) + [b"y" * 5000] + frames(5, 100)
            with Sender(os.path.join(exporter.dir, "one.sock")) as sender:
                sender.start()
                content = (b"".join(map(data, frames(40))) + data(b"z" * 5001) + data(b"y" * 5000)
                           + b"".join(map(data, frames(5, 100))))
                for at in range(0, len(content), 7):
                    sender.raw(content[at:at + 7])
                sender.stop()
            wait_until(lambda: len(receiver.payloads()) == len(sent), 10, "all frames")
            self.assertEqual(receiver.payloads(), sent)

    def test_to_another_exporter(self):
        """Which counts what this one counts; in a chain of three."""
        folder = self.folder()
        last = self.start(f'inputs: [{{name: in, unix: "{folder}/last.sock"}}]')
        middle = self.start(f'inputs: [{{name: in, unix: "{folder}/middle.sock"}}]\n'
                            f'outputs: [{{name: out, unix: "{folder}/last.sock"}}]')
        first = self.start(config_for(f'name: out, unix: "{folder}/middle.sock"'))
        self.connected(first, "out")
        self.connected(middle, "out")
        self.send(first, frames(3000) + [b"\xff"])
        wait_until(lambda: last.scrape().total("dnstap_frames_total") == 3001, 10, "the frames")

        def counted(exporter):
            return {key: value for key, value in exporter.scrape().samples.items()
                    if key[0].startswith(("dnstap_quer", "dnstap_resp", "dnstap_malformed"))}
        self.assertEqual(counted(last), counted(first))
        self.assertEqual(counted(middle), counted(first))

    def test_fstrm_capture(self):
        """Libfstrm's receiver takes the handshake, the frames, and the STOP at the end."""
        folder = self.folder()
        path, file = f"{folder}/capture.sock", f"{folder}/capture.fstrm"
        capture = subprocess.Popen(
            ["fstrm_capture", "-t", "protobuf:dnstap.Dnstap", "-u", path, "-w", file],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(lambda: (capture.kill(), capture.wait()))
        wait_until(lambda: os.path.exists(path), 10, "fstrm_capture")
        sent = frames(2000)
        exporter = self.start(config_for(f'name: out, unix: "{path}"'))
        self.connected(exporter, "out")
        self.send(exporter, sent)
        wait_until(lambda: self.counts(exporter, "out")[0] == 2000, 10, "the frames")
        self.assertEqual(exporter.stop(), 0)
        capture.send_signal(signal.SIGTERM)
        self.assertEqual(capture.wait(limit(10)), 0)
        with open(file, "rb") as content:
            self.assertEqual(payloads_of(content.read()), sent)

    def test_the_end(self):
        """What is queued when the exporter ends is sent, and STOP is said."""
        folder = self.folder()
        with Receiver(f"{folder}/r.sock") as receiver:
            exporter = self.start(config_for(f'name: out, unix: "{receiver.address}"'))
            self.connected(exporter, "out")
            receiver.reading.clear()
            sent = frames(4000, size=200)
            self.send(exporter, sent)
            self.assertLess(self.counts(exporter, "out")[0], 4000)
            threading.Timer(0.1, receiver.reading.set).start()
            self.assertEqual(exporter.stop(), 0)
            wait_until(lambda: receiver.finished == 1, 5, "STOP")
            self.assertEqual(receiver.payloads(), sent)

    def test_an_end_that_does_not_wait(self):
        folder = self.folder()
        with Receiver(f"{folder}/r.sock") as receiver:
            exporter = self.start(config_for(f'name: out, unix: "{receiver.address}"'))
            self.connected(exporter, "out")
            receiver.reading.clear()
            self.send(exporter, frames(4000, size=200))
            exporter.wait_for_new_page()
            begin = time.monotonic()
            exporter.process.send_signal(signal.SIGTERM)
            # Meanwhile it says that nothing listens any more, and still shows what it has.
            wait_until(lambda: exporter.get("/-/ready")[0] == 503, 1, "the end of readiness")
            self.assertEqual(exporter.get("/-/ready")[2], b"dnstap_exporter is not ready.\n")
            self.assertEqual(exporter.scrape().total("dnstap_frames_total"), 4000)
            self.assertEqual(exporter.wait(), 0)
            self.assertLess(time.monotonic() - begin, limit(4))


class Trouble(OutputTest):

    def test_a_receiver_that_does_not_read(self):
        """The queue fills, the rest is dropped and counted; ingest and another output go on. When it
        reads again, it gets what was queued, in order."""
        folder = self.folder()
        with Receiver(f"{folder}/slow.sock") as slow, Receiver(f"{folder}/quick.sock") as quick:
            exporter = self.start(config_for(
                f'name: slow, unix: "{slow.address}", queue: 2097152',
                f'name: quick, unix: "{quick.address}", queue: 16777216'))
            self.connected(exporter, "slow")
            self.connected(exporter, "quick")
            slow.reading.clear()
            sent = frames(20000, size=200)
            begin = time.monotonic()
            self.send(exporter, sent)
            elapsed = time.monotonic() - begin
            wait_until(lambda: self.counts(exporter, "quick") == (20000, 0), 20, "the quick one")
            self.assertEqual(exporter.scrape().total("dnstap_frames_total"), 20000)
            self.assertLess(elapsed, limit(10))
            dropped = exporter.scrape().by("reason", "dnstap_output_frames_dropped_total",
                                           output="slow")
            self.assertEqual(set(dropped), {"queue_full"})
            self.assertGreater(dropped["queue_full"], 2000)
            slow.reading.set()
            wait_until(lambda: sum(self.counts(exporter, "slow")) == 20000, 20, "the slow one")
            passed = int(self.counts(exporter, "slow")[0])
            wait_until(lambda: len(slow.payloads()) == passed, 10, "the slow one's frames")
            self.assert_in_order(slow.payloads(), sent)
            wait_until(lambda: len(quick.payloads()) == 20000, 10, "the quick one's frames")
            self.assertEqual(quick.payloads(), sent)

    def assert_in_order(self, part, whole):
        rest = iter(whole)
        self.assertTrue(all(any(frame == other for other in rest) for frame in part))

    def test_a_receiver_that_comes_and_goes(self):
        """Every frame is passed on, still queued, or dropped; none comes twice, none in part."""
        folder = self.folder()
        received = collections.Counter()
        exporter = self.start(config_for(f'name: out, unix: "{folder}/r.sock"'))
        sent = []
        for _ in range(3):
            with Receiver(f"{folder}/r.sock") as receiver:
                self.connected(exporter, "out")
                for _ in range(5):
                    batch = frames(300, len(sent), size=100)
                    sent += batch
                    self.send(exporter, batch)
                receiver.reading.clear()
                batch = frames(1500, len(sent), size=300)
                sent += batch
                self.send(exporter, batch)
                time.sleep(0.1)
            received.update(receiver.payloads())
            wait_until(lambda: exporter.scrape().total("dnstap_output_connected") == 0, 10, "the loss")
        passed_before = self.counts(exporter, "out")[0]
        with Receiver(f"{folder}/r.sock") as receiver:
            wait_until(lambda: sum(self.counts(exporter, "out")) == len(sent), 10, "the rest")
            passed, dropped = self.counts(exporter, "out")
            wait_until(lambda: len(receiver.payloads()) == passed - passed_before, 10, "the rest")
            received.update(receiver.payloads())
        self.assertEqual(max(received.values()), 1)
        self.assertEqual(set(received) - set(sent), set())
        self.assertLessEqual(dropped, 3)  # those that were cut
        self.assertLessEqual(received.total(), passed)
        self.assertGreater(received.total(), passed - 3 * 1500)  # the rest was on its way
        exporter.wait_for_log("output connected", 4)

    def test_a_receiver_that_accepts_and_goes(self):
        """It is tried once a second and no more."""
        folder = self.folder()
        with Receiver(f"{folder}/r.sock") as receiver:
            begin = time.monotonic()
            exporter = self.start(config_for(f'name: out, unix: "{receiver.address}"'))
            until = time.monotonic() + 3.5
            while time.monotonic() < until or len(receiver.streams) < 3:
                self.assertLess(time.monotonic(), until + limit(5))
                receiver.hang_up()
                time.sleep(0.02)
            connections = len(receiver.streams)
            self.assertLessEqual(connections, time.monotonic() - begin + 1.5)
            self.assertLessEqual(exporter.log().count("output "), 2 * connections + 2)

    def test_a_receiver_that_speaks(self):
        """After ACCEPT it has nothing to say: that is the end of the connection, noticed when idle."""
        folder = self.folder()
        with Receiver(f"{folder}/r.sock") as receiver:
            exporter = self.start(config_for(f'name: out, unix: "{receiver.address}"'))
            self.connected(exporter, "out")
            receiver.peers[0].sendall(b"x")
            wait_until(lambda: "Protocol error" in exporter.log(), 3, "the loss")
            wait_until(lambda: len(receiver.streams) == 2, 3, "the next connection")

    def test_ourselves(self):
        """An output that leads back to an input, by another name, is not connected."""
        port = free_port()
        folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, folder)
        os.symlink(folder, f"{folder}/link")
        exporter = self.start(f"""
inputs: [{{name: one, unix: "{folder}/one.sock"}}, {{name: two, tcp: ":{port}"}}]
outputs:
  - {{name: unix, unix: "{folder}/link/one.sock"}}
  - {{name: tcp, tcp: "127.0.0.1:{port}"}}
  - {{name: six, tcp: "[::1]:{port}"}}
""")
        wait_until(lambda: exporter.log().count("the receiver is this exporter itself") == 3, 5,
                   "three complaints")
        Sender(f"{folder}/one.sock").send_all(frames(10))
        time.sleep(1.2)
        page = exporter.scrape()
        self.assertEqual(page.total("dnstap_frames_total"), 10)
        self.assertEqual(page.total("dnstap_output_connected"), 0)

    def test_nobody_there(self):
        exporter = self.start(config_for('name: out, unix: "/nowhere/r.sock"',
                                         f'name: tcp, tcp: "127.0.0.1:{free_port()}"'))
        self.send(exporter, frames(2000))
        wait_until(lambda: exporter.log().count("output cannot connect") == 2, 10, "complaints")
        time.sleep(2.2)
        self.assertEqual(exporter.scrape().total("dnstap_frames_total"), 2000)
        self.assertEqual(exporter.scrape().total("dnstap_output_connected"), 0)
        for name, error in ("out", "No such file or directory"), ("tcp", "Connection refused"):
            lines = [line for line in exporter.log().split("\n")
                     if "output cannot connect" in line and f"output={name}" in line]
            self.assertEqual(len(lines), 1, lines)
            self.assertIn(error, lines[0])

    def test_receivers_that_are_none(self):
        """The wrong answer to READY, or the wrong contents, is no connection."""
        folder = self.folder()
        with Receiver(f"{folder}/a.sock", answer=FINISH) as wrong, \
                Receiver(f"{folder}/b.sock", content_type=b"other") as other:
            exporter = self.start(config_for(f'name: wrong, unix: "{wrong.address}"',
                                             f'name: other, unix: "{other.address}"'))
            wait_until(lambda: exporter.log().count("output cannot connect") == 2, 10, "complaints")
            self.assertEqual(exporter.scrape().total("dnstap_output_connected"), 0)
            exporter.wait_for_log("Protocol error", 2)


class Configuration(unittest.TestCase):

    MISTAKES = (
        ("{unix: /a}", 2, "outputs[0]: an output needs a name"),
        ("{name: a}", 2, "outputs[0]: an output needs one of the keys unix and tcp"),
        ("{name: 'a b', unix: /a}", 2,
         "outputs[0].name: expected 1 to 64 letters, digits, '_', '.' and '-', got 'a b'"),
        ("{name: a, unix: /a, tcp: 'b:1'}", 2, "outputs[0].tcp: this entry has unix already"),
        ("{name: a, unix: a}", 2,
         "outputs[0].unix: expected an absolute path of at most 107 bytes, got 'a'"),
        ("{name: a, tcp: ':1'}", 2, "outputs[0].tcp: expected ADDRESS:PORT without a name, an IPv6 "
         "address in brackets, got ':1'"),
        ("{name: a, tcp: 'archive:1'}", 2, "outputs[0].tcp: expected ADDRESS:PORT without a name, an "
         "IPv6 address in brackets, got 'archive:1'"),
        ("{name: a, unix: /in.sock}", 2, "outputs[0].unix: this is an input of this exporter"),
        ("{name: a, unix: /a, inputs: [in, out]}", 2,
         "outputs[0].inputs[1]: expected the name of an input, got 'out'"),
        ("{name: a, unix: /a, queue: 1}", 2,
         "outputs[0].queue: expected a number of bytes from 2097152 to 1073741824, got '1'"),
        ("{name: a, unix: /a}, {name: a, unix: /b}", 2,
         "outputs[1].name: another output has this name"),
    )

    def test_mistakes(self):
        exporter = Exporter()
        self.addCleanup(exporter.discard)
        path = os.path.join(exporter.dir, "c.yml")
        for outputs, line, complaint in self.MISTAKES:
            with open(path, "w", encoding="utf-8") as file:
                file.write(f"inputs: [{{name: in, unix: /in.sock}}]\noutputs: [{outputs}]\n")
            done = subprocess.run([PROGRAM, f"--config.file={path}", "--config.check"], check=False,
                                  capture_output=True, text=True)
            self.assertEqual((done.returncode, done.stderr),
                             (2, f"dnstap_exporter: {path}:{line}: {complaint}\n"))

    def test_no_outputs_no_series(self):
        with Exporter() as exporter:
            self.assertNotIn("dnstap_output", exporter.get("/metrics")[2].decode())


if __name__ == "__main__":
    unittest.main(verbosity=2)
