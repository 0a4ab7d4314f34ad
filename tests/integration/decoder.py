# SPDX-License-Identifier: Apache-2.0
"""An independent decoder of dnstap frames, for what `dnstap_exporter print` says of them.

Written from the RFCs and dnstap.proto with Python's standard library alone: Frame Streams, protobuf, DNS messages,
the data of records, filters and passive DNS. Nothing is shared with the program under test, nor with truth.py, which
uses protobuf's own library and dnspython.
"""

import base64
import dataclasses
import datetime
import ipaddress
import re
import socket
import struct

SECOND = 10**9

TYPES = {
    1: "A", 2: "NS", 3: "MD", 4: "MF", 5: "CNAME", 6: "SOA", 7: "MB", 8: "MG", 9: "MR", 10: "NULL", 11: "WKS", 12: "PTR",
    13: "HINFO", 14: "MINFO", 15: "MX", 16: "TXT", 17: "RP", 18: "AFSDB", 19: "X25", 20: "ISDN", 21: "RT", 22: "NSAP",
    23: "NSAP-PTR", 24: "SIG", 25: "KEY", 26: "PX", 27: "GPOS", 28: "AAAA", 29: "LOC", 30: "NXT", 31: "EID", 32: "NIMLOC",
    33: "SRV", 34: "ATMA", 35: "NAPTR", 36: "KX", 37: "CERT", 38: "A6", 39: "DNAME", 40: "SINK", 41: "OPT", 42: "APL",
    43: "DS", 44: "SSHFP", 45: "IPSECKEY", 46: "RRSIG", 47: "NSEC", 48: "DNSKEY", 49: "DHCID", 50: "NSEC3",
    51: "NSEC3PARAM", 52: "TLSA", 53: "SMIMEA", 55: "HIP", 56: "NINFO", 57: "RKEY", 58: "TALINK", 59: "CDS",
    60: "CDNSKEY", 61: "OPENPGPKEY", 62: "CSYNC", 63: "ZONEMD", 64: "SVCB", 65: "HTTPS", 66: "DSYNC", 67: "HHIT",
    68: "BRID", 99: "SPF", 100: "UINFO", 101: "UID", 102: "GID", 103: "UNSPEC", 128: "NXNAME", 104: "NID", 105: "L32", 106: "L64", 107: "LP", 108: "EUI48", 109: "EUI64", 249: "TKEY", 250: "TSIG",
    251: "IXFR", 252: "AXFR", 253: "MAILB", 254: "MAILA", 255: "ANY", 256: "URI", 257: "CAA", 258: "AVC",
    259: "DOA", 260: "AMTRELAY", 261: "RESINFO", 262: "WALLET", 263: "CLA", 264: "IPN", 32768: "TA", 32769: "DLV",
}
CLASSES = {1: "IN", 3: "CH", 4: "HS", 254: "NONE", 255: "ANY"}
RCODES = dict(enumerate("NOERROR FORMERR SERVFAIL NXDOMAIN NOTIMP REFUSED YXDOMAIN YXRRSET NXRRSET NOTAUTH NOTZONE "
                        "DSOTYPENI".split()))
RCODES |= dict(enumerate("BADVERS BADKEY BADTIME BADMODE BADNAME BADALG BADTRUNC BADCOOKIE".split(), 16))
OPCODES = {0: "QUERY", 1: "IQUERY", 2: "STATUS", 4: "NOTIFY", 5: "UPDATE", 6: "DSO"}
FLAGS = {0x0400: "AA", 0x0200: "TC", 0x0100: "RD", 0x0080: "RA", 0x0020: "AD", 0x0010: "CD"}
ROLES = "auth resolver client forwarder stub tool update".split()
TRANSPORTS = (None, "udp", "tcp", "dot", "doh", "dnscrypt_udp", "dnscrypt_tcp", "doq")
# What carries them; HTTP/3 has UDP, so that it is not known of doh.
CARRIERS = {"udp": "udp", "tcp": "tcp", "dot": "tcp", "dnscrypt_udp": "udp", "dnscrypt_tcp": "tcp", "doq": "udp"}
OPT = 41


class Damaged(Exception):
    """The bytes are not what they should be."""


# --- Bytes and protobuf ---

class Reader:
    """Bytes, read from the front to the back."""

    def __init__(self, content, at=0, end=None):
        self.content, self.at, self.end = content, at, len(content) if end is None else end

    def left(self):
        return self.end - self.at

    def take(self, size):
        if size > self.left():
            raise Damaged("short")
        self.at += size
        return self.content[self.at - size:self.at]

    def number(self, size):
        return int.from_bytes(self.take(size), "big")

    def rest(self, least=0):
        if self.left() < least:
            raise Damaged("short")
        return self.take(self.left())

    def varint(self, most):
        number = 0
        for place in range(most):
            byte = self.take(1)[0]
            number |= (byte & 127) << 7 * place
            if byte < 128:
                return number & (1 << 64) - 1
        raise Damaged("varint")


VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5
DNSTAP_FIELDS = {1: LENGTH, 2: LENGTH, 3: LENGTH, 14: LENGTH, 15: VARINT}
MESSAGE_FIELDS = {1: VARINT, 2: VARINT, 3: VARINT, 4: LENGTH, 5: LENGTH, 6: VARINT, 7: VARINT, 8: VARINT, 9: FIXED32,
                  10: LENGTH, 11: LENGTH, 12: VARINT, 13: FIXED32, 14: LENGTH, 15: LENGTH, 16: VARINT}
POLICY_FIELDS = {1: LENGTH, 2: LENGTH, 3: VARINT, 4: VARINT, 5: LENGTH}


def protobuf(content, known):
    """[(field, value)]; a known field of a foreign wire type is damage, as for protobuf-c."""
    reader, fields = Reader(content), []
    while reader.left():
        if reader.content[reader.at] < 8:
            raise Damaged("field 0")
        key = reader.varint(5)
        field, wire_type = key >> 3, key & 7
        if known.get(field, wire_type) != wire_type:
            raise Damaged("wire type")
        if wire_type == VARINT:
            value = reader.varint(10)
        elif wire_type == LENGTH:
            value = reader.take(reader.varint(5))
        elif wire_type in (FIXED64, FIXED32):
            value = int.from_bytes(reader.take(8 if wire_type == FIXED64 else 4), "little")
        else:
            raise Damaged("group")
        fields.append((field, value))
    return fields


# --- Names and the data of records ---

def name_at(reader):
    """The labels of the name at the reader, in lower case; a pointer leads to an earlier name, which ends before the
    pointer does (RFC 1035 section 4.1.4)."""
    labels, length, source = [], 1, reader
    while True:
        start = source.at
        size = source.number(1)
        if size == 0:
            return tuple(labels)
        if size >= 192:
            target = (size & 63) << 8 | source.number(1)
            if target >= start:
                raise Damaged("pointer")
            source = Reader(reader.content, target, start)
            continue
        if size >= 64:
            raise Damaged("label")
        labels.append(source.take(size).lower())
        length += 1 + size
        if length > 255:
            raise Damaged("long name")


def skip_name(reader):
    """Go behind a name without following its pointer."""
    while True:
        size = reader.number(1)
        if size >= 192:
            reader.take(1)
            return
        if size >= 64:
            raise Damaged("label")
        if size == 0:
            return
        reader.take(size)


def name_text(labels):
    """Lower case, no dot at the end; what is not printable, dots and backslashes as \\DDD."""
    return ".".join("".join(chr(byte) if 32 < byte < 127 and byte not in b".\\" else f"\\{byte:03}" for byte in label)
                    for label in labels) or "."


def quoted(content):
    return '"' + "".join("\\" + chr(byte) if byte in b'"\\' else chr(byte) if 32 <= byte < 127 else f"\\{byte:03}"
                         for byte in content) + '"'


def type_name(number):
    return TYPES.get(number, f"TYPE{number}")


def type_map(reader):
    """The type bit map of RFC 4034 section 4.1.2, each type behind a blank."""
    text, last = "", -1
    while reader.left():
        window, size = reader.number(1), reader.number(1)
        if window <= last or not 1 <= size <= 32:
            raise Damaged("type map")
        last = window
        for place, byte in enumerate(reader.take(size)):
            for bit in range(8):
                if byte & 128 >> bit:
                    text += " " + type_name(window << 8 | place << 3 | bit)
    return text


def strings(reader):
    texts = []
    while not texts or reader.left():
        texts.append(quoted(reader.take(reader.number(1))))
    return " ".join(texts)


def date(seconds):
    return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).strftime("%Y%m%d%H%M%S")


def base64_of(content):
    return base64.b64encode(content).decode()


SERVICE_KEYS = "mandatory alpn no-default-alpn port ipv4hint ech ipv6hint dohpath ohttp".split()


def service_key(number):
    return SERVICE_KEYS[number] if number < len(SERVICE_KEYS) else f"key{number}"


def service_parameters(reader):
    """RFC 9460 section 2.2 and appendix A."""
    text, last = "", -1
    while reader.left():
        key = reader.number(2)
        value = Reader(reader.take(reader.number(2)))
        if key <= last:
            raise Damaged("order of keys")
        last = key
        text += " " + service_key(key)
        if key == 0:
            keys = [value.number(2) for _ in range(0, max(value.left(), 2), 2)]
            if any(one <= other for one, other in zip(keys, [0] + keys)):
                raise Damaged("mandatory")
            text += "=" + ",".join(map(service_key, keys))
        elif key == 1:
            items = []
            while not items or value.left():
                item = value.take(value.number(1))
                if not item:
                    raise Damaged("alpn")
                items.append(b"".join(b"\\" + bytes([byte]) if byte in b",\\" else bytes([byte]) for byte in item))
            text += "=" + quoted(b",".join(items))
        elif key == 3:
            text += f"={value.number(2)}"
        elif key in (4, 6):
            size, family = (4, socket.AF_INET) if key == 4 else (16, socket.AF_INET6)
            text += "=" + ",".join(socket.inet_ntop(family, value.take(size))
                                   for _ in range(0, max(value.left(), size), size))
        elif key == 5:
            text += "=" + base64_of(value.rest(1))
        elif key == 7 or (key > 8 and value.left()):
            text += "=" + quoted(value.rest())
        if value.left():
            raise Damaged("value")
    return text


def tag(reader):
    text = reader.take(reader.number(1)).decode("latin-1")
    if not text or not text.isascii() or not text.isalnum():
        raise Damaged("tag")
    return text


def salt(reader):
    return reader.take(reader.number(1)).hex() or "-"


def next_hash(reader):
    value = reader.take(reader.number(1))
    if not value:
        raise Damaged("hash")
    return base64.b32hexencode(value).decode().lower().rstrip("=")


def name(reader):
    return name_text(name_at(reader))


def numbers(*sizes):
    return lambda reader: " ".join(str(reader.number(size)) for size in sizes)


def string(reader):
    return quoted(reader.take(reader.number(1)))


def hexadecimal(reader):
    return reader.rest(1).hex()


def base64_rest(reader):
    return base64_of(reader.rest(1))


def signature(reader):
    covered, algorithm, labels, ttl, expires, begins, key = struct.unpack(">HBBIIIH", reader.take(18))
    return (f"{type_name(covered)} {algorithm} {labels} {ttl} {date(expires)} {date(begins)} {key} {name(reader)} "
            f"{base64_rest(reader)}")


def ipv4(reader):
    return socket.inet_ntop(socket.AF_INET, reader.take(4))


def ipv6(reader):
    return socket.inet_ntop(socket.AF_INET6, reader.take(16))


NAME, PREFERENCE = [name], [numbers(2), name]
# What the data consists of. Texts are joined by blanks; type_map and service_parameters bring their own.
DATA = {
    "A": [ipv4], "NS": NAME, "CNAME": NAME, "SOA": [name, name, numbers(4, 4, 4, 4, 4)], "PTR": NAME,
    "HINFO": [string, string], "MX": PREFERENCE, "TXT": [strings], "AAAA": [ipv6], "SRV": [numbers(2, 2, 2), name],
    "NAPTR": [numbers(2, 2), string, string, string, name], "DNAME": NAME, "DS": [numbers(2, 1, 1), hexadecimal],
    "SSHFP": [numbers(1, 1), hexadecimal], "RRSIG": [signature], "NSEC": [name, type_map],
    "DNSKEY": [numbers(2, 1, 1), base64_rest], "NSEC3": [numbers(1, 1, 2), salt, next_hash, type_map],
    "NSEC3PARAM": [numbers(1, 1, 2), salt], "TLSA": [numbers(1, 1, 1), hexadecimal], "SPF": [strings],
    "SVCB": [numbers(2), name, service_parameters], "HTTPS": [numbers(2), name, service_parameters],
    "CAA": [numbers(1), tag, lambda reader: quoted(reader.rest())],
    "URI": [numbers(2, 2), lambda reader: quoted(reader.rest())],
}
# Types whose data is printed in a way that is not written down here.
OTHER_DATA = {"MD", "MF", "MB", "MG", "MR", "MINFO", "RP", "AFSDB", "X25", "ISDN", "RT", "NSAP", "SIG", "KEY", "PX",
              "GPOS", "LOC", "KX", "CERT", "APL", "DHCID", "SMIMEA", "NINFO", "TALINK", "CDS", "CDNSKEY", "OPENPGPKEY",
              "CSYNC", "ZONEMD", "NID", "L32", "L64", "LP", "EUI48", "EUI64", "AVC", "RESINFO"}


@dataclasses.dataclass
class Record:
    """A resource record; `data` is None where its type's presentation is not written down here."""

    section: str  # "answers", "authorities" or "additionals"
    owner: tuple  # None: it cannot be read
    rtype: int
    rclass: int
    ttl: int
    data: str
    is_sound: bool  # the data fits its type, or nobody knows the type
    address: object = None  # of A and AAAA
    target: tuple = None  # the name in the data of CNAME, NS, PTR, DNAME, MX and SRV

    def as_json(self):
        found = {} if self.owner is None else {"name": name_text(self.owner)}
        return found | {"type": type_name(self.rtype), "class": CLASSES.get(self.rclass, f"CLASS{self.rclass}"),
                        "ttl": self.ttl, "data": self.data}


TARGETS = {"CNAME": 0, "NS": 0, "PTR": 0, "DNAME": 0, "MX": 2, "SRV": 6}


def data_text(rtype, wire, start, end):
    """The data in presentation format, and whether it fits its type; what does not is unknown data (RFC 3597)."""
    kind = type_name(rtype)
    if kind in OTHER_DATA:
        return None, True
    reader = Reader(wire, start, end)
    try:
        text = ""
        for place, part in enumerate(DATA[kind]):
            piece = part(reader)
            text += (" " if place and part not in (type_map, service_parameters) else "") + piece
        if reader.left():
            raise Damaged("too long")
        return text, True
    except (Damaged, KeyError) as failure:
        content = wire[start:end]
        return f"\\# {len(content)}" + (" " + content.hex() if content else ""), isinstance(failure, KeyError)


def record_at(reader, section):
    wire = reader.content
    owner_at = reader.at
    skip_name(reader)
    rtype, rclass, ttl, size = struct.unpack(">HHIH", reader.take(10))
    start = reader.at
    content = reader.take(size)
    try:
        owner = name_at(Reader(wire, owner_at))
    except Damaged:
        owner = None
    record = Record(section, owner, rtype, rclass, ttl, *data_text(rtype, wire, start, reader.at))
    if (rtype, size) in ((1, 4), (28, 16)):
        record.address = ipaddress.ip_address(content)
    elif type_name(rtype) in TARGETS:
        try:
            record.target = name_at(Reader(wire, start + TARGETS[type_name(rtype)], reader.at))
        except Damaged:
            pass
    if rtype == OPT:
        record.options_fit = options_fit(content)
    return record


def options_fit(content):
    reader = Reader(content)
    try:
        while reader.left():
            reader.take(2)
            reader.take(reader.number(2))
    except Damaged:
        return False
    return True


# --- Messages ---

@dataclasses.dataclass
class Message:
    """A frame's facts; None where it does not say."""

    role: str
    kind: str  # "query" or "response"
    transport: str
    family: str
    identity: bytes
    version: bytes
    query_address: object
    response_address: object
    query_port: int
    response_port: int
    query_ns: int
    response_ns: int
    wire: bytes  # None: the frame has no DNS message of its kind
    ident: int = None
    flags: int = None
    rcode: int = None
    question: tuple = None  # labels, type, class
    records: list = dataclasses.field(default_factory=list)
    malformed: str = None  # what is wrong with it: "missing", "short", "question" or "truncated"

    @property
    def time_ns(self):
        return (self.response_ns if self.kind == "response" else None) or self.query_ns

    @property
    def dnstap_type(self):
        return f"{self.role}_{self.kind}".upper()

    @property
    def duration_ns(self):
        both = self.kind == "response" and self.query_ns is not None and self.response_ns is not None
        return self.response_ns - self.query_ns if both and self.response_ns >= self.query_ns else None

    def section(self, which):
        return [record for record in self.records if record.section == which and record.rtype != OPT]

    def as_json(self):
        """The object that `print` makes of it, without what is not there."""
        return without_nothing({
            "@timestamp": time_text(self.time_ns),
            "observer": {"name": text_of(self.identity), "version": text_of(self.version)},
            "client": {"ip": address_text(self.query_address), "port": self.query_port},
            "server": {"ip": address_text(self.response_address), "port": self.response_port},
            "network": {"protocol": "dns", "type": self.family,
                        "transport": CARRIERS.get(self.transport)},
            "event": {"duration": self.duration_ns},
            "dns": self.dns_json(),
            "dnstap": {
                "type": self.dnstap_type, "transport": self.transport,
                "query_time": time_text(self.query_ns), "response_time": time_text(self.response_ns),
                "message_size": len(self.wire or b""),
                "authorities": [record.as_json() for record in self.section("authorities")],
                "additionals": [record.as_json() for record in self.section("additionals")],
                "malformed": self.malformed,
            },
        })

    @property
    def opcode(self):
        return None if self.flags is None else self.flags >> 11 & 15

    def dns_json(self):
        found = {"type": "query" if self.kind == "query" else "answer"}
        if self.flags is not None:
            found |= {"id": str(self.ident), "op_code": opcode_text(self.flags),
                      "header_flags": [text for bit, text in FLAGS.items() if self.flags & bit]}
            if self.kind == "response":
                found["response_code"] = rcode_text(self.rcode)
        if self.question is not None:
            labels, qtype, qclass = self.question
            found["question"] = {"name": name_text(labels), "type": type_name(qtype),
                                 "class": CLASSES.get(qclass, f"CLASS{qclass}")}
        answers = self.section("answers")
        found["answers"] = [record.as_json() for record in answers]
        if self.opcode == 0:  # an UPDATE has prerequisites there
            found["resolved_ip"] = [record.data for record in answers if record.address is not None]
        return found


def rcode_text(rcode):
    return RCODES.get(rcode, f"RCODE{rcode}")


def opcode_text(flags):
    return OPCODES.get(flags >> 11 & 15, f"OPCODE{flags >> 11 & 15}")


def without_nothing(value):
    """None and what is empty left out."""
    if not isinstance(value, dict):
        return value
    kept = {key: without_nothing(member) for key, member in value.items()}
    return {key: member for key, member in kept.items() if member is not None and member not in ("", [], {})}


LABEL_MAX = 64  # bytes, where a quote or a backslash counts twice
HASH_SIZE = len("-01234567")


def text_of(content):
    """An identity or a version as labels of the metrics have them: what is not printable as \\xNN; what is too long is
    cut, and ends in the hash of all of it (FNV-1a, RFC 9923)."""
    pieces = []
    for character in content.decode("utf-8", "surrogateescape"):
        is_printable = character.isprintable()
        shown = character if is_printable else "".join(
            f"\\x{byte:02x}" for byte in character.encode("utf-8", "surrogateescape"))
        pieces += [shown] if is_printable else [shown[at:at + 4] for at in range(0, len(shown), 4)]
    text, printed, cut = "", 0, ""
    for piece in pieces:
        printed += len(piece.encode()) + (piece[0] in '\\"')
        if printed > LABEL_MAX:
            number = 0x811c9dc5
            for byte in content:
                number = (number ^ byte) * 0x01000193 & 0xffffffff
            return f"{cut}-{number:08x}"
        text += piece
        if printed <= LABEL_MAX - HASH_SIZE:
            cut = text
    return text


def time_text(when_ns):
    if when_ns is None:
        return None
    seconds, nanoseconds = divmod(when_ns, SECOND)
    whole = datetime.datetime(1970, 1, 1) + datetime.timedelta(seconds=seconds)
    return f"{whole:%Y-%m-%dT%H:%M:%S}.{nanoseconds:09}Z"


def address_text(address):
    """As inet_ntop() has it: ipaddress does not write the last four bytes of ::192.0.2.1 as IPv4."""
    return address and socket.inet_ntop(socket.AF_INET if address.version == 4 else socket.AF_INET6, address.packed)


def address_of(content):
    """An IPv4 or IPv6 address; an IPv4 address in an IPv6 one is IPv4 (RFC 4291 section 2.5.5.2)."""
    if len(content or b"") not in (4, 16):
        return None
    address = ipaddress.ip_address(content)
    return getattr(address, "ipv4_mapped", None) or address


def time_of(fields, side):
    seconds, nanoseconds = fields.get(side, 0), fields.get(side + 1, 0)
    if seconds == 0 or nanoseconds >= SECOND or seconds >= (2**63 - 1) // SECOND:
        return None
    return seconds * SECOND + nanoseconds


def message_of(payload):
    """The Message of one data frame, or None where it is not a dnstap DNS message."""
    try:
        outer, inner, has_message = {}, {}, False
        for field, value in protobuf(payload, DNSTAP_FIELDS):
            if field == 14:
                has_message = True
                for number, part in protobuf(value, MESSAGE_FIELDS):
                    if number == 15:
                        protobuf(part, POLICY_FIELDS)
                    inner[number] = part
            outer[field] = value
    except Damaged:
        return None
    kind = inner.get(1, 0) & 0xffffffff
    if outer.get(15, 0) & 0xffffffff != 1 or not has_message or not 1 <= kind <= 14:
        return None
    message = Message(
        role=ROLES[(kind - 1) // 2], kind="query" if kind % 2 else "response",
        transport=dict(enumerate(TRANSPORTS)).get(inner.get(3, 0) & 0xffffffff), family=None,
        identity=outer.get(1, b""), version=outer.get(2, b""),
        query_address=address_of(inner.get(4)), response_address=address_of(inner.get(5)),
        query_port=inner.get(6, 0) & 0xffff or None, response_port=inner.get(7, 0) & 0xffff or None,
        query_ns=time_of(inner, 8), response_ns=time_of(inner, 12), wire=inner.get(10 if kind % 2 else 14))
    peer = message.response_address if message.role in ("resolver", "forwarder") else message.query_address
    version = peer.version if peer else {1: 4, 2: 6}.get(inner.get(2, 0) & 0xffffffff)
    message.family = version and f"ipv{version}"
    read_dns(message)
    return message


def read_dns(message):
    """What the DNS message says, as far as it can be read."""
    if message.wire is None or len(message.wire) < 12:
        message.malformed = "missing" if message.wire is None else "short"
        return
    message.ident, message.flags, *counts = struct.unpack_from(">6H", message.wire)
    message.rcode = message.flags & 15
    reader = Reader(message.wire, 12)
    try:
        for place in range(counts[0]):
            if place == 0:
                message.question = (name_at(reader), reader.number(2), reader.number(2))
            else:
                skip_name(reader)
                reader.take(4)
    except Damaged:
        message.malformed = "question"
        return
    try:
        for section, count in zip(("answers", "authorities", "additionals"), counts[1:]):
            for _ in range(count):
                record = record_at(reader, section)
                message.records.append(record)
                if record.rtype == OPT and section == "additionals":
                    message.rcode = message.flags & 15 | record.ttl >> 24 << 4
                    if not record.options_fit:
                        message.malformed = "truncated"
    except Damaged:
        message.malformed = "truncated"


# --- Filters ---

def is_below(labels, ancestor):
    return len(labels) >= len(ancestor) and labels[len(labels) - len(ancestor):] == ancestor


def labels_of(text):
    """Of a name as name_text() writes it."""
    return tuple(re.sub(rb"\\(\d{3})", lambda escape: bytes([int(escape[1])]), label.encode()).lower()
                 for label in text.rstrip(".").split(".") if label)


def network_of(text):
    try:
        return ipaddress.ip_network(text)
    except ValueError:
        return None


def in_network(address, network):
    return address is not None and address.version == network.version and address in network


def answer_matches(message, value):
    network = network_of(value)
    if message.kind != "response":
        return False
    answers = [record for record in message.records if record.section == "answers"]
    if network is not None:
        return any(in_network(record.address, network) for record in answers)
    return any(record.target is not None and is_below(record.target, labels_of(value)) for record in answers)


FILTERS = {
    "client": lambda message, value: in_network(message.query_address, network_of(value)),
    "name": lambda message, value: message.question is not None and is_below(message.question[0], labels_of(value)),
    "type": lambda message, value: message.question is not None and type_name(message.question[1]) == value.upper(),
    "rcode": lambda message, value: (message.kind == "response" and message.rcode is not None
                                     and rcode_text(message.rcode) == value.upper()),
    "role": lambda message, value: message.role == value,
    "answer": answer_matches,
    "server": lambda message, value: message.identity == value.encode(),
    "from": lambda message, value: message.time_ns is not None and message.time_ns >= nanoseconds(value),
    "until": lambda message, value: message.time_ns is not None and message.time_ns < nanoseconds(value),
    "slow": lambda message, value: message.duration_ns is not None and message.duration_ns >= duration(value),
}


def nanoseconds(text):
    """Of a time as time_text() writes it."""
    whole, _, fraction = text.rstrip("Z").partition(".")
    moment = datetime.datetime.fromisoformat(whole).replace(tzinfo=datetime.timezone.utc)
    return int(moment.timestamp()) * SECOND + int((fraction or "0").ljust(9, "0"))


def duration(text):
    for unit, size in (("ms", 10**6), ("us", 10**3), ("s", SECOND), ("m", 60 * SECOND)):
        if text.endswith(unit):
            return int(text[:-len(unit)]) * size
    raise ValueError(text)


def matching(messages, filters):
    """Those that match every filter of [(name, value)]; of one that is given again any of its values."""
    values = {}
    for which, value in filters:
        values.setdefault(which, []).append(value)
    return [message for message in messages
            if all(any(FILTERS[which](message, value) for value in some) for which, some in values.items())]


# --- Passive DNS ---

def passive_dns(messages):
    """The objects of the Passive DNS Common Output Format, in their order."""
    seen = {}
    for message in messages:
        for record in message.section("answers") if message.kind == "response" and message.opcode == 0 else ():
            if record.owner is None or record.rclass != 1 or not record.is_sound:
                continue
            when = (message.time_ns or 0) // SECOND
            key = name_text(record.owner), record.rtype, record.data
            first, last, count = seen.get(key, (when, when, 0))
            seen[key] = min(first, when), max(last, when), count + 1
    return [{"rrname": rrname, "rrtype": type_name(rtype), "rdata": rdata, "time_first": first, "time_last": last,
             "count": count} for (rrname, rtype, rdata), (first, last, count) in sorted(seen.items())]
