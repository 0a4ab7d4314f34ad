# SPDX-License-Identifier: Apache-2.0
"""An independent decoder: what dnstap frames say, and the response times that follow from them.

protobuf's own library reads the frames (from the same .proto that the C tests use), dnspython
reads the names; nothing is shared with the program under test.
"""

import bisect
import collections
import dataclasses
import functools
import pathlib
import struct
import subprocess

import dns.exception
import dns.wire
from google.protobuf import descriptor_pb2, message_factory

PROTO = pathlib.Path(__file__).resolve().parents[2] / "proto"

TRANSPORTS = {0: "unknown", 1: "udp", 2: "tcp", 3: "dot", 4: "doh", 5: "dnscrypt_udp",
              6: "dnscrypt_tcp", 7: "doq"}
FAMILIES = {0: "unknown", 1: "ipv4", 2: "ipv6"}
OPT = 41

# Upper bounds of the response time's buckets in ns: integers, so that no rounding decides.
BOUNDS_NS = [m * 10**e // 10 for e in range(4, 10) for m in (10, 25, 50)] + [10**10]


@functools.cache
def messages(proto="dnstap.proto"):
    """{full name: class} of the messages in one of our .proto files."""
    described = subprocess.run(
        ["protoc", f"--proto_path={PROTO}", "--descriptor_set_out=/dev/stdout", proto],
        stdout=subprocess.PIPE, check=True).stdout
    return message_factory.GetMessages(descriptor_pb2.FileDescriptorSet.FromString(described).file)


@dataclasses.dataclass
class Frame:
    """One frame's facts; None where the frame does not say, or not legibly."""

    server: bytes
    role: str
    kind: str  # "query" or "response"
    family: str
    transport: str
    message: object  # the protobuf message, for what is not listed here
    query_ns: int
    response_ns: int
    header: tuple = None  # id, flags, and the four counts
    question: tuple = None  # lower-case labels, type
    extended_rcode: int = None
    answers: list = dataclasses.field(default_factory=list)  # (type, TTL, data) of the answer section


def lower(labels):
    """Only ASCII letters fold (RFC 4343), which is what bytes.lower does."""
    return tuple(label.lower() for label in labels)


def nanoseconds(message, field):
    if getattr(message, f"{field}_time_sec") == 0:  # absent, or as good as that
        return None
    return getattr(message, f"{field}_time_sec") * 10**9 + getattr(message, f"{field}_time_nsec")


def decode_dns(wire, frame):
    """Fill in what the DNS message says, as far as it is legible."""
    if len(wire) < 12:
        return
    frame.header = struct.unpack_from(">6H", wire)
    frame.extended_rcode = frame.header[1] & 15
    parser = dns.wire.Parser(wire, 12)
    try:
        for number in range(frame.header[2]):
            labels, qtype = lower(parser.get_name().labels), parser.get_struct(">HH")[0]
            if number == 0:
                frame.question = labels, qtype
        for number in range(sum(frame.header[3:])):
            parser.get_name()
            rtype, _, ttl, length = parser.get_struct(">HHIH")
            data = parser.get_bytes(length)
            if number < frame.header[3]:
                frame.answers.append((rtype, ttl, data))
            if rtype == OPT:
                frame.extended_rcode |= ttl >> 24 << 4
    except (dns.exception.DNSException, struct.error):
        pass


def decode(payload):
    """The Frame of one data frame; raises protobuf's DecodeError."""
    outer = messages()["dnstap.Dnstap"].FromString(payload)
    message = outer.message
    role, kind = message.DESCRIPTOR.fields_by_name["type"].enum_type.values_by_number[
        message.type].name.lower().split("_")
    frame = Frame(
        server=outer.identity, role=role, kind=kind, message=message,
        family=FAMILIES[message.socket_family if message.HasField("socket_family") else 0],
        transport=TRANSPORTS[message.socket_protocol if message.HasField("socket_protocol") else 0],
        query_ns=nanoseconds(message, "query"), response_ns=nanoseconds(message, "response"))
    decode_dns(getattr(message, f"{kind}_message"), frame)
    return frame


def exchange_of(frame):
    """What a query and its response have in common besides the question, or None if nothing.

    The port and the querying address of upstream queries are left out: Unbound's differ between
    query and response. Client and auth share their keys: BIND answers some queries across them. An
    id of 0 tells no exchanges apart (RFC 8484, RFC 9250): then the question is part of it.
    """
    if frame.header is None:
        return None
    message = frame.message
    common = (frame.transport, message.response_address, frame.header[0],
              frame.question if frame.header[0] == 0 else None)
    if frame.role in ("resolver", "forwarder"):
        return (frame.role, *common)
    role = "client" if frame.role == "auth" else frame.role
    return (role, message.query_address, message.query_port, *common)


def event_ns(frame):
    """When the server saw the message."""
    own, other = frame.query_ns, frame.response_ns
    return (own or other or 0) if frame.kind == "query" else (other or own or 0)


REMEMBERED_NS = 2 * 10**9  # how long a query that was answered is known


class ResponseTimes:
    """Response times in ns by (server, role) of a capture's frames, by the rule of include/count/matcher.h:
    what arrives meets, of the messages of the other kind that wait for it, one of its own server,
    with its own question, that is nearest in time, a query before its response if there is one.
    """

    def __init__(self, frames):
        self.samples = collections.defaultdict(list)
        self.unmatched = collections.Counter()
        self.negative = collections.Counter()
        self.duplicates = collections.Counter()
        self.waiting = collections.defaultdict(list)  # by exchange and kind
        self.answered = collections.defaultdict(list)  # by exchange: (question, server, when)
        self.clock = 0
        for frame in frames:
            self.take(frame)
        for (_, kind), frames_left in self.waiting.items():
            if kind == "response":
                for frame in frames_left:
                    if not self.is_settled(frame):
                        self.unmatched[frame.server, frame.role] += 1

    @staticmethod
    def is_settled(frame):
        """It tells its response time by itself, or cannot have one."""
        return frame.kind == "response" and (frame.query_ns is not None
                                             or frame.response_ns is None)

    def take(self, frame):
        self.clock = max(self.clock, event_ns(frame))
        exchange = exchange_of(frame)
        met = None
        if exchange is not None:
            met = self.meet(exchange, frame)
            if met is None and frame.kind == "response" and self.was_answered(exchange, frame):
                self.duplicates[frame.server, frame.role] += 1
                return
        query, response = (frame, met) if frame.kind == "query" else (met, frame)
        if self.is_settled(frame) or (response is frame and exchange is None):
            self.record(frame, frame.query_ns)
        elif met and not self.is_settled(response):
            self.record(response, query.query_ns)
        if met is None and exchange is not None:
            self.waiting[exchange, frame.kind].append(frame)

    def meet(self, exchange, frame):
        """The message of the other kind that the frame meets, which waits no longer, or None."""
        other = "response" if frame.kind == "query" else "query"
        waiting = self.waiting[exchange, other]
        fitting = [one for one in waiting if self.fits(frame, one)]
        if not fitting:
            return None
        met = min(fitting, key=lambda one: self.misfit(frame, one))
        waiting.remove(met)
        response = frame if frame.kind == "response" else met
        self.answered[exchange].append((met.question, response.server, self.clock))
        return met

    def fits(self, frame, other):
        response = frame if frame.kind == "response" else other
        return self.same_question(frame.question, other.question) and (
            frame.server == other.server or self.is_settled(response))

    @staticmethod
    def same_question(one, other):
        return one is None or other is None or one == other

    def was_answered(self, exchange, response):
        return any(self.same_question(question, response.question)
                   and (server == response.server or self.is_settled(response))
                   and self.clock - when <= REMEMBERED_NS
                   for question, server, when in self.answered[exchange])

    @staticmethod
    def misfit(frame, other):
        """Sorts what fits best first: another question or server behind the own, and negative times
        behind all others."""
        query, response = (frame, other) if frame.kind == "query" else (other, frame)
        elapsed = (response.response_ns or 0) - (query.query_ns or 0)
        return (frame.question != other.question, frame.server != other.server, elapsed < 0,
                abs(elapsed))

    def record(self, response, query_ns):
        group = response.server, response.role
        if query_ns is None or response.response_ns is None:
            self.unmatched[group] += 1
            return
        elapsed = response.response_ns - query_ns
        if elapsed < 0:
            self.negative[group] += 1
        else:
            self.samples[group].append(elapsed)

    def buckets(self, group):
        """Cumulative counts, one for each bound and one for +Inf."""
        counts = [0] * (len(BOUNDS_NS) + 1)
        for elapsed in self.samples[group]:
            counts[bisect.bisect_left(BOUNDS_NS, elapsed)] += 1
        for index in range(1, len(counts)):
            counts[index] += counts[index - 1]
        return counts
