# SPDX-License-Identifier: Apache-2.0
"""Look-ups as dnstap frames: packed by hand, since there are hundreds of thousands of them; and traffic of known
kinds, made up, for the detectors."""

import collections
import functools
import ipaddress
import itertools
import operator
import random
import string
import struct

from sender import CONTENT_TYPE, START, STOP, control

A, NS, CNAME, PTR, MX, TXT, AAAA, SRV = 1, 2, 5, 12, 15, 16, 28, 33
SECOND = 10**9

# The zone that denies a name is the name without its first label.
PARENT = "parent"

# What is looked up: when, in seconds since the beginning, by whom, and what comes of it. `zone` is the owner of the
# SOA record with which a name that does not exist is denied; None: there is no such record. `data` is that of the
# answer's record.
LookUp = collections.namedtuple("LookUp", "when client name exists qtype zone data",
                                defaults=(False, A, PARENT, b"\xc0\0\2\1"))


def varint(number):
    packed = bytearray()
    while number > 127:
        packed.append(number & 127 | 128)
        number >>= 7
    packed.append(number)
    return bytes(packed)


@functools.lru_cache(1 << 16)
def seconds(field, number):
    return bytes([field << 3]) + varint(number)


@functools.lru_cache(1 << 12)
def addresses(client):
    """Family, transport, and the two addresses and ports of a client's message."""
    packed = ipaddress.ip_address(client).packed
    family, server = (1, bytes([192, 0, 2, 53])) if len(packed) == 4 else (2, bytes(15) + b"\x35")
    return (bytes([0x10, family, 0x18, 1, 0x22, len(packed)]) + packed
            + bytes([0x2a, len(server)]) + server + b"\x30" + varint(5353) + b"\x38\x35")


def data_frame(kind, parts):
    message = b"\x08" + kind + b"".join(parts)
    payload = b"\x72" + varint(len(message)) + message + b"\x78\x01"
    return struct.pack(">I", len(payload)) + payload


def part(tag, content):
    return tag + varint(len(content)) + content


def wire(name):
    return b"".join(bytes([len(label)]) + label for label in name.encode().split(b".") if label) + b"\0"


@functools.lru_cache(1 << 12)
def denial(zone):
    """The SOA record of a zone, "" for the root: its owner is not compressed."""
    data = b"\2ns\0\4root\0" + struct.pack(">5I", 1, 7200, 900, 1209600, 300)
    return wire(zone) + struct.pack(">HHIH", 6, 1, 300, len(data)) + data


def frames_of(look_up, start_ns, chance):
    """A look-up's two frames, each with its time: CLIENT_QUERY and CLIENT_RESPONSE."""
    query_ns = start_ns + int(look_up.when * SECOND)
    response_ns = query_ns + chance.randrange(100_000, 30_000_000)
    zone = look_up.name.partition(".")[2] if look_up.zone == PARENT else look_up.zone
    denied = not look_up.exists and zone is not None
    question = wire(look_up.name) + struct.pack(">HH", look_up.qtype, 1)
    number = chance.randrange(1 << 16)
    query = struct.pack(">6H", number, 0x0100, 1, 0, 0, 0) + question
    response = struct.pack(">6H", number, 0x8180 if look_up.exists else 0x8183, 1,
                           int(look_up.exists), int(denied), 0) + question
    if look_up.exists:
        response += struct.pack(">HHHIH", 0xc00c, look_up.qtype, 1, 300, len(look_up.data)) + look_up.data
    elif denied:
        response += denial(zone)
    about = addresses(look_up.client)
    asked = seconds(8, query_ns // SECOND) + struct.pack("<BI", 0x4d, query_ns % SECOND)
    answered = seconds(12, response_ns // SECOND) + struct.pack("<BI", 0x6d, response_ns % SECOND)
    return ((query_ns, data_frame(b"\5", (about, asked, part(b"\x52", query)))),
            (response_ns, data_frame(b"\6", (about, asked, answered, part(b"\x72", response)))))


def render(look_ups, start_ns):
    """[(time, frame)] of look-ups, in the order of time."""
    chance = random.Random(1)
    frames = [frame for look_up in look_ups for frame in frames_of(look_up, start_ns, chance)]
    return sorted(frames, key=operator.itemgetter(0))


def write_recording(path, frames):
    with open(path, "wb") as stream:
        stream.write(control(START, CONTENT_TYPE))
        stream.writelines(map(operator.itemgetter(1), frames))
        stream.write(control(STOP))


# --- Names and times ---

class Zipf:
    """Things of which the n-th is chosen 1/n times as often as the first."""

    def __init__(self, things):
        self.things = things
        self.weights = list(itertools.accumulate(1 / n for n in range(1, len(things) + 1)))

    def choose(self, chance, count):
        return chance.choices(self.things, cum_weights=self.weights, k=count)


def word(chance, least=4, most=10):
    return "".join(chance.choices(string.ascii_lowercase, k=chance.randint(least, most)))


def token(chance, length, alphabet=string.ascii_lowercase + "234567"):
    return "".join(chance.choices(alphabet, k=length))


def often(rate, begin, end):
    """The times at which something is done, so many times a second."""
    return (begin + n / rate for n in range(int((end - begin) * rate)))


def at_random(chance, rate, begin, end):
    """The times of a Poisson process."""
    if rate == 0:
        return
    when = begin + chance.expovariate(rate)
    while when < end:
        yield when
        when += chance.expovariate(rate)


# --- What attackers do ---

def generated_names(chance, suffixes=("com", "net", "org", "info", "biz", "ru")):
    """Domains as an algorithm makes them."""
    while True:
        yield f"{word(chance, 8, 16)}.{chance.choice(suffixes)}"


def infected(client, names, rate, begin, end, zone=PARENT):
    """A name after the other; none of them exists."""
    return [LookUp(when, client, name, zone=zone) for when, name in zip(often(rate, begin, end), names)]


def exfiltration(client, domain, chance, bytes_a_second, length, begin, end, exists=True):
    """Data in labels of base32: eight characters are five bytes."""
    return [LookUp(when, client, f"{token(chance, length)}.{domain}", exists)
            for when in often(bytes_a_second / (length * 5 / 8), begin, end)]


def random_subdomains(chance, victim, rate, clients, begin, end, label=lambda chance: word(chance, 10, 16)):
    return [LookUp(when, chance.choice(clients), f"{label(chance)}.{victim}", zone=victim)
            for when in often(rate, begin, end)]


# --- A modelled network: each part alone is quiet ---

TOP_LEVELS = ("com", "com", "com", "org", "net", "de", "io", "co.uk", "fr", "com.br", "nl", "it")
HOSTS = ("www", "mail", "api", "cdn", "img", "static", "login", "m", "assets", "app", "edge", "media")


def amplification(chance, network, rate, begin, end, size=2000):
    """Large responses to queries in the name of all addresses of a /24, "192.0.2."."""
    return [LookUp(when, f"{network}{chance.randrange(256)}", "big.example.org", True, TXT, PARENT, bytes(size))
            for when in often(rate, begin, end)]


def rebinding(client, name, begin, private=b"\xc0\xa8\1\1"):
    """A name that has a public address, then a private one."""
    return [LookUp(begin, client, name, True), LookUp(begin + 30, client, name, True, data=private)]


def sites(chance, count):
    return [f"{word(chance)}{n}.{chance.choice(TOP_LEVELS)}" for n, _ in enumerate(range(count))]


def browsing(chance, clients, seconds_long, pages_a_minute=0.7, domains=6000):
    """Pages with the hosts that they are made of; one look-up in a hundred is mistyped."""
    web = Zipf([(domain, [f"{host}.{domain}" for host in chance.sample(HOSTS, chance.randint(1, 4))])
                for domain in sites(chance, domains)])
    third = Zipf([f"{chance.choice(HOSTS)}.{domain}" for domain in sites(chance, 800)])
    for client in clients:
        for when in at_random(chance, pages_a_minute / 60, 0, seconds_long):
            (domain, hosts), = web.choose(chance, 1)
            for name in [*hosts, *third.choose(chance, 5)]:
                yield LookUp(when + chance.random(), client, name, True, chance.choice((A, A, AAAA)))
            if chance.random() < 0.05:
                yield LookUp(when, client, f"{word(chance)}{domain}", zone=domain.partition(".")[2])


def content_networks(chance, clients, seconds_long):
    """Names of video and content servers, of which there are many, and of a distribution each."""
    video = [f"rr{n % 6 + 1}---sn-{token(chance, 8)}.video-servers.com" for n in range(400)]
    edges = [f"e{n}.a.edge-servers.net" for n in range(3000)]
    distributions = [f"d{token(chance, 13)}.cloudfront.net" for n in range(3000)]
    for client in clients:
        for names, rate in ((video, 1 / 300), (edges, 1 / 60), (distributions, 1 / 60)):
            for when in at_random(chance, rate, 0, seconds_long):
                yield LookUp(when, client, chance.choice(names), True)


def kubernetes(chance, seconds_long, pods=30, hosts_a_minute=12):
    """ndots:5: each outside name is tried below three search domains, and that of the nodes."""
    search = ("shop.svc.cluster.local", "svc.cluster.local", "cluster.local", "eu-west-1.compute.internal")
    for pod in range(pods):
        client = f"10.244.{pod % 3}.{pod + 10}"
        for when in at_random(chance, hosts_a_minute / 60, 0, seconds_long):
            name = f"{chance.choice(HOSTS)}.{word(chance, 5, 12)}.{chance.choice(TOP_LEVELS)}"
            for n, suffix in enumerate(search):
                zone = "cluster.local" if n < 3 else suffix
                for qtype in (A, AAAA):
                    yield LookUp(when + n / 500, client, f"{name}.{suffix}", False, qtype, zone)
            for qtype in (A, AAAA):
                yield LookUp(when + 0.01, client, name, True, qtype)


def active_directory(chance, seconds_long, computers=300, laptops=50):
    """Computers of a domain, and laptops away from it whose names nobody outside knows."""
    domain = "ad.bigcorp.example"
    services = [f"{service}.{domain}" for service in
                ("_ldap._tcp.dc._msdcs", "_kerberos._tcp.dc._msdcs", "_ldap._tcp.berlin._sites.dc._msdcs",
                 "_gc._tcp", "_kerberos._tcp.berlin._sites")]
    servers = [f"{chance.choice(('file', 'print', 'sql', 'app', 'dc'))}{n}.{domain}" for n in range(40)]
    for computer in range(computers):
        client = f"10.20.{computer // 200}.{computer % 200 + 1}"
        for when in at_random(chance, 1 / 120, 0, seconds_long):
            yield LookUp(when, client, chance.choice(services), True, SRV)
            yield LookUp(when + 0.01, client, chance.choice(servers), True)
        yield LookUp(chance.random() * seconds_long, client, f"pc-{computer:04}.{domain}", True)
        yield LookUp(chance.random() * seconds_long, client, f"wpad.{domain}", zone=domain)
    for laptop in range(laptops):
        client = f"10.30.0.{laptop + 1}"
        for when in at_random(chance, 1 / 60, 0, seconds_long):
            for name in chance.sample(services + servers, 4):
                yield LookUp(when, client, name, False, SRV if name.startswith("_") else A, "example")
            outside = f"www.{word(chance)}.com"
            yield LookUp(when + 0.1, client, f"{outside}.{domain}", zone="example")
            yield LookUp(when + 0.2, client, outside, True)


def mail_servers(chance, seconds_long, senders_a_minute=10):
    """Policies of each new sender, and its routes; one sender in twenty does not exist."""
    for server in ("10.40.0.1", "10.40.0.2"):
        for when in at_random(chance, senders_a_minute / 60, 0, seconds_long):
            sender = f"{word(chance, 6, 14)}.{chance.choice(TOP_LEVELS)}"
            if chance.random() < 0.05:
                yield LookUp(when, server, sender, False, MX, sender.partition(".")[2])
                continue
            yield LookUp(when, server, sender, True, MX)
            yield LookUp(when, server, sender, True, TXT)
            host = (f"{sender.replace('.', '-')}.mail.protection.outlook.com" if chance.random() < 0.3
                    else f"mx.{sender}")
            yield LookUp(when + 0.01, server, host, True)
            yield LookUp(when + 0.02, server, f"selector{chance.randint(1, 3)}._domainkey.{sender}", True, TXT)
            for label, exists in (("_dmarc", 0.6), ("_mta-sts", 0.1), ("_smtp._tls", 0.1), ("default._bimi", 0.05),
                                  (f"_25._tcp.mx", 0.05)):
                yield LookUp(when + 0.03, server, f"{label}.{sender}", chance.random() < exists, TXT, sender)
            if chance.random() < 0.1:
                yield LookUp(when + 0.04, server, f"{sender}._report._dmarc.dmarc-reports.example", True, TXT)
            address = ".".join(str(chance.randrange(1, 255)) for _ in range(4))
            for block_list in ("zen.spamhaus.org", "bl.spamcop.net"):
                yield LookUp(when + 0.05, server, f"{address}.{block_list}", chance.random() < 0.05, A, block_list)
            yield LookUp(when + 0.06, server, f"{address}.in-addr.arpa", chance.random() < 0.7, PTR, "in-addr.arpa")


def ad_policy(chance, seconds_long, clients=20):
    """A policy answers NXDOMAIN for advertising, without a record of a zone, or with one of its own."""
    blocked = [f"{chance.choice(HOSTS)}.{domain}" for domain in sites(chance, 300)]
    for n in range(clients):
        for when in at_random(chance, 1 / 20, 0, seconds_long):
            for name in chance.sample(blocked, 5):
                yield LookUp(when, f"10.50.0.{n + 1}", name, zone=chance.choice((None, "rpz.ads.example")))


def anti_virus(chance, seconds_long, clients=40):
    """Hashes of files that are asked for by DNS: of one maker that is known, and of one that is not."""
    for n in range(clients):
        for when in at_random(chance, 1 / 15, 0, seconds_long):
            for domain in ("avqs.mcafee.com", "cloud.files-av.example"):
                name = f"{token(chance, 32, string.hexdigits.lower())}.{domain}"
                yield LookUp(when, f"10.60.0.{n + 1}", name, chance.random() < 0.1, A, domain)


def beacons(chance, clients, seconds_long):
    """User measurement: a name for each page view."""
    for client in clients:
        for when in at_random(chance, 1 / 240, 0, seconds_long):
            yield LookUp(when, client, f"{token(chance, 24)}.clients.measure-us.example", True)


def monitoring(seconds_long):
    """150 hosts of one's own, every minute."""
    for minute in range(0, int(seconds_long), 60):
        for n in range(150):
            yield LookUp(minute + n / 5, "10.70.0.1", f"host-{n:03}.rack{n // 20}.infra.bigcorp.example", True)


def reverse_sweep(seconds_long):
    """A scanner that wants the names of all addresses."""
    for n, when in enumerate(often(5, 0, seconds_long)):
        yield LookUp(when, "10.70.0.2", f"{n % 256}.{n // 256 % 256}.20.10.in-addr.arpa", n % 9 == 0, PTR,
                     "10.in-addr.arpa")


def modelled_network(seed, seconds_long, clients=300):
    """{part: its look-ups} of a network."""
    people = [f"10.10.{n // 200}.{n % 200 + 1}" for n in range(clients)]
    people += [f"2001:db8:10:{n:x}::{n + 1:x}" for n in range(clients // 10)]
    parts = {
        "browsing": lambda chance: browsing(chance, people, seconds_long),
        "content networks": lambda chance: content_networks(chance, people, seconds_long),
        "Kubernetes": lambda chance: kubernetes(chance, seconds_long),
        "Active Directory": lambda chance: active_directory(chance, seconds_long),
        "mail servers": lambda chance: mail_servers(chance, seconds_long),
        "ad policy": lambda chance: ad_policy(chance, seconds_long),
        "anti-virus": lambda chance: anti_virus(chance, seconds_long),
        "beacons": lambda chance: beacons(chance, people, seconds_long),
        "monitoring": lambda chance: monitoring(seconds_long),
        "reverse sweep": lambda chance: reverse_sweep(seconds_long),
    }
    return {name: list(make(random.Random(f"{seed} {name}"))) for name, make in parts.items()}


# --- What the tests of pages use ---

INFECTED = "10.9.9.9"
VICTIM = "victim.example"


def names_under(*suffixes):
    """Ever new names, below one suffix after the other."""
    chance = random.Random(7)
    for suffix in itertools.cycle(suffixes):
        yield f"{word(chance, 10, 16)}.{suffix}"
