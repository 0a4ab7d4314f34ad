# SPDX-License-Identifier: Apache-2.0
"""A made incident in a day's recording of a resolver: 58 hosts, 85,724 frames, the same ones each time.

One host has malware: it asks for generated domains until one answers, which is the C&C domain, and then asks for that at
a regular interval. Another host asks for the C&C domain once. The C&C domain moves twice. A third host carries files out
through a tunnel. Beside them is what people and machines of an office ask for, among it a name whose address changes.
"""

import collections
import functools
import ipaddress
import operator
import random
import struct

from sender import stream
from traffic import (A, AAAA, CNAME, HOSTS, MX, PTR, SRV, TXT, Zipf, generated_names, part, sites, token, varint, wire, word)

SECOND = 10**9
MINUTE = 60 * SECOND
FRAMES = 85_724
NULL, HTTPS, OPT = 10, 65, 41
NOERROR, SERVFAIL, NXDOMAIN = 0, 2, 3
UDP, TCP, DOT = 1, 2, 3

BEGIN_NS = 1_794_808_800 * SECOND  # 2026-11-16T06:00:00Z, a Monday
END_NS = BEGIN_NS + 8 * 60 * MINUTE
IDENTITY, VERSION = b"resolver1.office.example", b"unbound 1.17.1"

CLIENTS = [f"10.20.0.{n}" for n in range(11, 61)] + [f"2001:db8:20::{n:x}" for n in range(0x11, 0x19)]
INFECTED, SECOND_INFECTED, THIEF, MAIL_SERVER = "10.20.0.23", "10.20.0.37", "10.20.0.41", "10.20.0.12"

GENERATED = 412  # names that do not exist
BURST_NS = BEGIN_NS + 193 * MINUTE + 7_311_904_212  # 09:13:07
BEACON_NS = 60 * SECOND
C2 = "kzvqtwmxjrpl.example"
# Where it points, from when on.
C2_ADDRESSES = [(0, "203.0.113.77"), (BEGIN_NS + 285 * MINUTE, "198.51.100.14"), (BEGIN_NS + 401 * MINUTE, "203.0.113.190")]

MOVED = "portal.partner-company.example"
MOVED_ADDRESSES = [(0, "192.0.2.31"), (BEGIN_NS + 340 * MINUTE, "192.0.2.154")]

TUNNEL = "t.files-sync.example"
TUNNEL_NS = BEGIN_NS + 252 * MINUTE
TUNNEL_QUERIES = 3_117

# Long-lived names of an office, the one that is asked for most first.
WELL_KNOWN = """outlook.office365.com www.google.com teams.microsoft.com clients4.google.com login.microsoftonline.com
    safebrowsing.googleapis.com www.gstatic.com fonts.googleapis.com update.googleapis.com www.wikipedia.org
    ctldl.windowsupdate.com v10.events.data.microsoft.com self.events.data.microsoft.com github.com api.github.com
    raw.githubusercontent.com deb.debian.org security.debian.org pypi.org files.pythonhosted.org registry.npmjs.org
    www.linkedin.com slack.com edgeapi.slack.com zoom.us time.windows.com ntp.ubuntu.com connectivitycheck.gstatic.com
    captive.apple.com gateway.icloud.com gs-loc.apple.com itunes.apple.com mesu.apple.com ocsp.digicert.com
    r3.o.lencr.org detectportal.firefox.com push.services.mozilla.com incoming.telemetry.mozilla.org www.bbc.co.uk
    www.spiegel.de www.tagesschau.de www.bahn.de maps.googleapis.com i.ytimg.com www.youtube.com
    fileserver.office.example printer3.office.example wiki.office.example git.office.example sso.office.example""".split()

# What is looked up: when, by whom, what, and how the server answers. A record is (owner, type, TTL, data).
LookUp = collections.namedtuple("LookUp", "when_ns client name qtype rcode records transport",
                                defaults=(A, NOERROR, (), UDP))


def address(text):
    return ipaddress.ip_address(text).packed


def at(when_ns, places):
    """The last of [(from when on, what)] that has begun."""
    return [what for begin_ns, what in places if begin_ns <= when_ns][-1]


# --- What the attackers do ---

def malware(chance):
    """Generated names until one exists; then that one each minute, not quite to the second."""
    names = generated_names(chance, ("com", "net", "info", "example"))
    when_ns = BURST_NS
    for _ in range(GENERATED):
        yield LookUp(when_ns, INFECTED, next(names), rcode=NXDOMAIN)
        when_ns += chance.randrange(150, 900) * 10**6
    while when_ns < END_NS - SECOND:
        yield beacon(when_ns, INFECTED)
        when_ns += BEACON_NS + chance.randrange(-400, 400) * 10**6
    yield beacon(BURST_NS + 97 * MINUTE + 29_005_777_001, SECOND_INFECTED)


def beacon(when_ns, client):
    return LookUp(when_ns, client, C2, records=((C2, A, 30, address(at(when_ns, C2_ADDRESSES))),))


def tunnel(chance):
    """A file in names of four labels, taken out in TXT and NULL records' questions; answers carry commands."""
    when_ns = TUNNEL_NS
    for n in range(TUNNEL_QUERIES):
        labels = [token(chance, chance.randint(40, 60)) for _ in range(3)] + [f"{n:04x}"]
        name = ".".join(labels) + "." + TUNNEL
        size = chance.choice((16, 16, 64, 180))
        data = bytes(chance.randrange(256) for _ in range(size))
        qtype = chance.choice((TXT, TXT, NULL))
        yield LookUp(when_ns, THIEF, name, qtype,
                     records=((name, qtype, 0, bytes([size]) + data if qtype == TXT else data),))
        when_ns += chance.randrange(300, 1500) * 10**6


# --- What the office does ---

def stable_address(name, family):
    """The same for a name each time: documentation addresses are left to the incident."""
    chance = random.Random(f"{name} {family}")
    if family == A:
        return bytes([chance.choice((23, 52, 93, 104, 142, 185)), *(chance.randrange(256) for _ in range(2)),
                      chance.randrange(1, 255)])
    return bytes([0x2a, 0x02]) + bytes(chance.randrange(256) for _ in range(14))


@functools.cache
def records_of(name, qtype):
    """Some names are aliases of a content network's, some have several addresses."""
    chance = random.Random(f"{name} {qtype}")
    ttl = chance.choice((30, 60, 300, 300, 3600))
    owner, found = name, ()
    if chance.random() < 0.35:
        owner = f"{token(chance, 12)}.edge{chance.randrange(9)}.content-network.example"
        found = ((name, CNAME, ttl, wire(owner)),)
    if qtype == HTTPS:
        return found + ((owner, HTTPS, ttl, b"\0\1\0" + b"\0\1\0\6\2h2\2h3"),)
    return found + tuple((owner, qtype, ttl, stable_address(f"{owner} {n}", qtype))
                         for n in range(chance.choice((1, 1, 1, 2, 4))))


def browsing(chance, client, when_ns, web):
    """A site or a mistyped one."""
    name, = web.choose(chance, 1)
    transport = chance.choices((UDP, TCP, DOT), (96, 1, 3))[0]
    drawn = chance.random()
    if drawn < 0.02:
        return LookUp(when_ns, client, f"{word(chance)}{name}", rcode=NXDOMAIN, transport=transport)
    if drawn < 0.025:
        return LookUp(when_ns, client, name, rcode=SERVFAIL, transport=transport)
    qtype = chance.choices((A, AAAA, HTTPS), (6, 3, 1))[0]
    if drawn < 0.1 and qtype != A:
        return LookUp(when_ns, client, name, qtype, transport=transport)  # NODATA
    return LookUp(when_ns, client, name, qtype, records=records_of(name, qtype), transport=transport)


def mail(chance, when_ns):
    """Where mail goes to, its policies, and who brings it."""
    domain = f"{word(chance, 6, 14)}.{chance.choice(('com', 'de', 'org', 'co.uk'))}"
    drawn = chance.random()
    if drawn < 0.4:
        name, qtype, data = domain, MX, struct.pack(">H", 10) + wire(f"mx1.{domain}")
    elif drawn < 0.7:
        name, qtype, data = f"_dmarc.{domain}", TXT, b"\x11v=DMARC1; p=none;"
    else:
        name = ".".join(str(chance.randrange(1, 255)) for _ in range(4)) + ".in-addr.arpa"
        qtype, data = PTR, wire(f"mail.{domain}")
    return LookUp(when_ns, MAIL_SERVER, name, qtype, records=((name, qtype, 3600, data),))


def office(chance, count):
    """So many look-ups; every host makes some."""
    long_tail = [f"{chance.choice(HOSTS)}.{domain}" for domain in sites(chance, 2_500)]
    web = Zipf(WELL_KNOWN + long_tail)
    service = "_ldap._tcp.dc._msdcs.office.example"
    for n in range(count):
        when_ns = chance.randrange(BEGIN_NS, END_NS - SECOND)
        client = CLIENTS[n] if n < len(CLIENTS) else chance.choice(CLIENTS)
        drawn = chance.random()
        if drawn < 0.05:
            yield mail(chance, when_ns)
        elif drawn < 0.07:
            yield LookUp(when_ns, client, service, SRV,
                         records=((service, SRV, 600, struct.pack(">3H", 0, 100, 389) + wire("dc1.office.example")),))
        elif drawn < 0.08:
            yield LookUp(when_ns, client, MOVED,
                         records=((MOVED, A, 300, address(at(when_ns, MOVED_ADDRESSES))),))
        else:
            yield browsing(chance, client, when_ns, web)


# --- Frames ---

def dns_query(look_up, number):
    edns = struct.pack(">BHHIH", 0, OPT, 1232, 0, 0)
    return (struct.pack(">6H", number, 0x0100, 1, 0, 0, 1) + wire(look_up.name)
            + struct.pack(">HH", look_up.qtype, 1) + edns)


def dns_response(look_up, number):
    """Owners that are the question's name point at it."""
    denial = b""
    if not look_up.records and look_up.rcode != SERVFAIL:
        data = b"\2ns\0\4root\0" + struct.pack(">5I", 1, 7200, 900, 1209600, 300)
        denial = wire(look_up.name.rpartition(".")[2]) + struct.pack(">HHIH", 6, 1, 300, len(data)) + data
    answers = b"".join((b"\xc0\x0c" if owner == look_up.name else wire(owner))
                       + struct.pack(">HHIH", rtype, 1, ttl, len(data)) + data
                       for owner, rtype, ttl, data in look_up.records)
    return (struct.pack(">6H", number, 0x8180 | look_up.rcode, 1, len(look_up.records), int(bool(denial)), 1)
            + wire(look_up.name) + struct.pack(">HH", look_up.qtype, 1) + answers + denial
            + struct.pack(">BHHIH", 0, OPT, 1232, 0, 0))


def time_fields(first, when_ns):
    return (bytes([first << 3]) + varint(when_ns // SECOND)
            + bytes([first + 1 << 3 | 5]) + struct.pack("<I", when_ns % SECOND))


@functools.lru_cache(1 << 10)
def socket_fields(client, transport):
    packed = address(client)
    server = bytes([10, 20, 0, 2]) if len(packed) == 4 else address("2001:db8:20::2")
    return bytes([0x10, 1 if len(packed) == 4 else 2, 0x18, transport]) + part(b"\x22", packed) + part(b"\x2a", server)


def frame(kind, parts):
    message = b"\x08" + bytes([kind]) + b"".join(parts)
    return part(b"\x0a", IDENTITY) + part(b"\x12", VERSION) + part(b"\x72", message) + b"\x78\x01"


# A frame, and what it has of its look-up.
Sent = collections.namedtuple("Sent", "when_ns payload is_response look_up size")


class Incident:
    """The frames in the order of their times, and what there is to find out."""

    def __init__(self):
        attack = [*malware(random.Random("malware")), *tunnel(random.Random("tunnel"))]
        ordinary = office(random.Random("office"), FRAMES // 2 - len(attack))
        self.sent = sorted(self.frames_of([*attack, *ordinary]), key=operator.attrgetter("when_ns"))
        self.payloads = [sent.payload for sent in self.sent]
        self.clients = {sent.look_up.client for sent in self.sent}

    @staticmethod
    def frames_of(look_ups):
        chance = random.Random("frames")
        for look_up in look_ups:
            number, port = chance.randrange(1 << 16), chance.randrange(1024, 1 << 16)
            response_ns = look_up.when_ns + chance.randrange(100_000, 60_000_000)
            about = (socket_fields(look_up.client, look_up.transport) + b"\x30" + varint(port)
                     + b"\x38" + varint(853 if look_up.transport == DOT else 53))
            asked, answered = time_fields(8, look_up.when_ns), time_fields(12, response_ns)
            query, response = dns_query(look_up, number), dns_response(look_up, number)
            yield Sent(look_up.when_ns, frame(5, (about, asked, part(b"\x52", query))), False, look_up, len(query))
            yield Sent(response_ns, frame(6, (about, asked, answered, part(b"\x72", response))), True, look_up, len(response))

    def below(self, domain):
        return [sent for sent in self.sent if sent.look_up.name == domain or sent.look_up.name.endswith("." + domain)]

    def write(self, path):
        path.write_bytes(stream(self.payloads))
