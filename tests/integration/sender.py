# SPDX-License-Identifier: Apache-2.0
"""Speak Frame Streams as a DNS server does, well or badly; read and build streams and frames.

Written from the protocol's description and sharing no code with the program under test, so that
a misunderstanding on one side shows.
"""

import os
import socket
import struct
import threading
import time

from exporter import limit
from truth import messages

CONTENT_TYPE = b"protobuf:dnstap.Dnstap"
ACCEPT, START, STOP, READY, FINISH = 1, 2, 3, 4, 5
FIELD_CONTENT_TYPE = 1


def control(kind, *content_types):
    """A control frame: escape, length, kind, then one field for each content type."""
    fields = b"".join(struct.pack(">II", FIELD_CONTENT_TYPE, len(value)) + value
                      for value in content_types)
    return struct.pack(">III", 0, 4 + len(fields), kind) + fields


def data(payload):
    return struct.pack(">I", len(payload)) + payload


def stream(payloads):
    """A whole unidirectional stream, which is also what a .fstrm file holds."""
    return control(START, CONTENT_TYPE) + b"".join(map(data, payloads)) + control(STOP)


def data_frames(content):
    """Yield (offset, payload) of each whole data frame in the bytes of a stream."""
    offset = 0
    while offset + 4 <= len(content):
        escape = 4 if content[offset:offset + 4] == bytes(4) else 0
        start = offset + escape + 4
        length, = struct.unpack_from(">I", content, start - 4)
        if not escape and start + length <= len(content):
            yield offset, content[start:start + length]
        offset = start + length


def payloads_of(content):
    return [payload for _, payload in data_frames(content)]


def connect(address, timeout, tls=None, name="127.0.0.1"):
    """A socket connected to the path of a unix socket, or to (address, port); with an SSLContext over TLS, to a
    peer that should have the name."""
    connected = socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET)
    try:
        connected.connect(address)  # waits for room among those that wait to be accepted
        connected.settimeout(timeout)
        return tls.wrap_socket(connected, server_hostname=name) if tls else connected
    except OSError:
        connected.close()
        raise


class Sender:
    """One connection to a receiver: an address as of connect(), or a socket that is connected."""

    def __init__(self, address, timeout=20, **tls):
        is_connected = isinstance(address, socket.socket)
        self.socket = address if is_connected else connect(address, limit(timeout), **tls)
        self.socket.settimeout(limit(timeout))
        self.bidirectional = True

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def raw(self, content):
        self.socket.sendall(content)

    def ready(self, *content_types):
        """The first half of the bidirectional handshake: READY, then the receiver's answer."""
        self.raw(control(READY, *(content_types or (CONTENT_TYPE,))))
        return self.read_control()

    def start(self, bidirectional=True):
        """Shake hands. Unbound accepts nothing but one field with our content type in ACCEPT."""
        self.bidirectional = bidirectional
        if bidirectional:
            answer = self.ready()
            assert answer == (ACCEPT, [CONTENT_TYPE]), answer
        self.raw(control(START, CONTENT_TYPE))
        return self

    def send(self, payloads):
        self.raw(b"".join(map(data, payloads)))

    def stop(self):
        """Say STOP and wait until the receiver has read it: FINISH, or the end of one-way ones."""
        self.raw(control(STOP))
        if self.bidirectional:
            answer = self.read_control()
            assert answer == (FINISH, []), answer
        else:
            self.wait_closed()

    def send_all(self, payloads, bidirectional=True):
        """A connection's whole life; on return the receiver has read every frame."""
        with self:
            self.start(bidirectional).send(payloads)
            self.stop()

    def read_control(self):
        """(kind, content types) of the next control frame; None at the connection's end."""
        head = self.read_exactly(8)
        if len(head) < 8:
            return None
        escape, length = struct.unpack(">II", head)
        assert escape == 0 and 4 <= length <= 512, head
        body = self.read_exactly(length)
        assert len(body) == length, body
        kind, = struct.unpack_from(">I", body)
        content_types, offset = [], 4
        while offset < length:
            field, size = struct.unpack_from(">II", body, offset)
            assert field == FIELD_CONTENT_TYPE, body
            content_types.append(body[offset + 8:offset + 8 + size])
            offset += 8 + size
        assert offset == length, body
        return kind, content_types

    def read_exactly(self, size):
        """size bytes, fewer only at the end. A reset is an end too: the receiver hung up while
        bytes of ours lay unread."""
        content = b""
        while len(content) < size:
            try:
                chunk = self.socket.recv(size - len(content))
            except ConnectionResetError:
                chunk = b""
            if not chunk:
                break
            content += chunk
        return content

    def wait_closed(self):
        """Read until the receiver closes, return what it still said."""
        said = b""
        while True:
            chunk = self.read_exactly(4096)
            if not chunk:
                return said
            said += chunk


def dns_message(labels=(b"www", b"example"), qtype=1, number=0, flags=0x0100, rcode=0, option=b""):
    """A DNS message with one question; rcodes over 15 and EDNS options bring an OPT record."""
    name = b"".join(bytes([len(label)]) + label for label in labels) + b"\0"
    edns = rcode > 15 or option
    head = struct.pack(">6H", number & 0xffff, flags | rcode & 15, 1, 0, 0, int(bool(edns)))
    opt = struct.pack(">BHHIH", 0, 41, 1232, rcode >> 4 << 24, len(option)) + option
    return head + name + struct.pack(">HH", qtype, 1) + (opt if edns else b"")


def dns_response(**values):
    return dns_message(flags=0x8180, **values)


def with_answers(dns, answers):
    """A DNS message with these answers, (type, TTL, data), to its one question; without an OPT record."""
    records = b"".join(struct.pack(">HHHIH", 0xc00c, rtype, 1, ttl, len(data)) + data for rtype, ttl, data in answers)
    return dns[:6] + struct.pack(">H", len(answers)) + dns[8:] + records


def dnstap_frame(dns, kind="CLIENT_QUERY", identity=b"", when_ns=None):
    """A dnstap frame as a server would pack it, seen now if not told otherwise."""
    seconds, nanoseconds = divmod(time.time_ns() if when_ns is None else when_ns, 10**9)
    frame = messages()["dnstap.Dnstap"](identity=identity, type=1)
    message = frame.message
    message.type = message.DESCRIPTOR.fields_by_name["type"].enum_type.values_by_name[kind].number
    message.socket_family, message.socket_protocol = 1, 1
    message.query_address, message.response_address = bytes([127, 0, 0, 1]), bytes([127, 0, 0, 2])
    message.query_port, message.response_port = 5353, 53
    side = kind.rpartition("_")[2].lower()
    setattr(message, f"{side}_time_sec", seconds)
    setattr(message, f"{side}_time_nsec", nanoseconds)
    setattr(message, f"{side}_message", dns)
    return frame.SerializeToString()


class ListeningSender:
    """A DNS server to which receivers connect: at the path of a unix socket, or at (address, port); with an
    SSLContext over TLS. Use as a context manager, for one life; the next one may have the same address."""

    def __init__(self, address, tls=None):
        self.address, self.tls = address, tls

    def __enter__(self):
        self.listener = socket.socket(socket.AF_UNIX if isinstance(self.address, str) else socket.AF_INET)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(self.address)
        self.listener.listen()
        return self

    def __exit__(self, *_):
        self.listener.close()
        if isinstance(self.address, str):
            os.unlink(self.address)

    def accept(self, timeout=20):
        """The next receiver that connects: a Sender to it, before the handshake of Frame Streams."""
        self.listener.settimeout(limit(timeout))
        receiver, _ = self.listener.accept()
        receiver.settimeout(limit(timeout))
        if self.tls:
            try:
                receiver = self.tls.wrap_socket(receiver, server_side=True)
            except OSError:
                receiver.close()
                raise
        return Sender(receiver, timeout)


class Neighbour:
    """A well-behaved server beside others: sends queries from a thread, and knows how many."""

    IDENTITY = b"neighbour"

    def __init__(self, address, batch=20, pause=0.005):
        self.sent = 0
        self.batch, self.pause = batch, pause
        self.sender = Sender(address)
        self.done = threading.Event()
        self.failure = None
        self.thread = threading.Thread(target=self.run)

    def __enter__(self):
        self.sender.start()
        self.thread.start()
        return self

    def run(self):
        try:
            while not self.done.wait(self.pause):
                self.sender.send(dnstap_frame(dns_message(number=self.sent + n),
                                              identity=self.IDENTITY) for n in range(self.batch))
                self.sent += self.batch
            self.sender.stop()
        except (OSError, AssertionError) as failure:
            self.failure = failure

    def finish(self):
        """Say STOP, be answered; return how many frames the receiver has now read."""
        self.done.set()
        self.thread.join(limit(30))
        assert not self.thread.is_alive() and self.failure is None, self.failure
        return self.sent

    def __exit__(self, *_):
        self.done.set()
        self.thread.join(limit(30))
        self.sender.close()


class Tee:
    """A unix socket before a receiver's: passes everything on, both ways, and keeps what was sent.

    Use as a context manager; `path` is where servers connect.
    """

    def __init__(self, receiver):
        self.receiver, self.path = receiver, receiver + ".tee"
        self.sent = []  # a bytearray for each connection
        self.listener = socket.socket(socket.AF_UNIX)

    def __enter__(self):
        self.listener.bind(self.path)
        os.chmod(self.path, 0o666)
        self.listener.listen()
        threading.Thread(target=self.accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.listener.close()
        os.unlink(self.path)

    def accept(self):
        while True:
            try:
                server, _ = self.listener.accept()
            except OSError:
                return
            receiver = socket.socket(socket.AF_UNIX)
            receiver.connect(self.receiver)
            kept = bytearray()
            self.sent.append(kept)
            for source, sink, keep in (server, receiver, kept), (receiver, server, bytearray()):
                threading.Thread(target=self.pass_on, args=(source, sink, keep),
                                 daemon=True).start()

    @staticmethod
    def pass_on(source, sink, keep):
        try:
            while chunk := source.recv(65536):
                keep += chunk
                sink.sendall(chunk)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            sink.close()

    def payloads(self):
        return [payload for kept in self.sent for payload in payloads_of(bytes(kept))]
