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


def lower(labels):
    """Only ASCII letters fold (RFC 4343), which is what bytes.lower does."""
    return tuple(label.lower() for label in labels)


def nanoseconds(message, field):
    if not message.HasField(f"{field}_time_sec"):
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
        for _ in range(sum(frame.header[3:])):
            parser.get_name()
            rtype, _, ttl, length = parser.get_struct(">HHIH")
            parser.get_bytes(length)
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


def pairing_key(frame):
    """What a query and its response have in common, or None if the frame cannot be paired.

    The port and the querying address of upstream queries are left out: Unbound's differ between
    query and response. Client and auth share their keys: BIND answers CH queries across them.
    Where neither has a legible question, the rest has to do: so NSD answers broken queries.
    """
    if frame.header is None:
        return None
    message = frame.message
    common = (frame.server, frame.transport, message.response_address, frame.header[0],
              frame.question)
    if frame.role in ("resolver", "forwarder"):
        return (frame.role, *common)
    role = "client" if frame.role == "auth" else frame.role
    return (role, message.query_address, message.query_port, *common)


class ResponseTimes:
    """Response times in ns by (server, role) of a capture's frames, by the rule of the design:
    what arrives meets, of the messages of the other kind that wait under its key, the one that is
    nearest in time, a query before its response if there is one.
    """

    def __init__(self, frames):
        self.samples = collections.defaultdict(list)
        self.unmatched = collections.Counter()
        self.negative = collections.Counter()
        self.waiting = collections.defaultdict(list)  # by key and kind
        for frame in frames:
            self.take(frame)
        for (_, kind), frames_left in self.waiting.items():
            if kind == "response":
                for frame in frames_left:
                    self.unmatched[frame.server, frame.role] += 1

    def take(self, frame):
        key = pairing_key(frame)
        own = frame.query_ns if frame.kind == "query" else frame.response_ns
        other = "response" if frame.kind == "query" else "query"
        complete = frame.kind == "response" and None not in (frame.query_ns, frame.response_ns)
        met = None
        if key is not None and own is not None:
            waiting = self.waiting[key, other]
            if waiting:
                met = min(waiting, key=lambda one: self.misfit(frame, one))
                waiting.remove(met)
        if complete:
            self.record(frame, frame.query_ns)
        elif met:
            query, response = (frame, met) if frame.kind == "query" else (met, frame)
            self.record(response, query.query_ns)
        elif key is not None and own is not None:
            self.waiting[key, frame.kind].append(frame)
        elif frame.kind == "response":
            self.unmatched[frame.server, frame.role] += 1

    @staticmethod
    def misfit(frame, other):
        """Sorts what fits best first: negative times behind all others."""
        query, response = (frame, other) if frame.kind == "query" else (other, frame)
        elapsed = response.response_ns - query.query_ns
        return elapsed < 0, abs(elapsed)

    def record(self, response, query_ns):
        group = response.server, response.role
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
