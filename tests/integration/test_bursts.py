# SPDX-License-Identifier: Apache-2.0
"""Bursts of names that do not exist: found in the midst of ordinary traffic within a minute, ended
when they end, and nothing else taken for one.

Six minutes of ordinary look-ups with a scenario in them, from the third minute on, go through
`read`, which judges by the frames' own times; test_bursts_live.py has two in real time. The ordinary
look-ups are made up, and taken from the capture `ordinary` where the folder that the environment
variable DNSTAP_CAPTURES names has it.
"""

import bisect
import collections
import functools
import ipaddress
import itertools
import json
import operator
import os
import pathlib
import random
import re
import string
import struct
import subprocess
import tempfile
import unittest
from datetime import datetime, timezone

from exporter import PROGRAM, Page, limit
from sender import CONTENT_TYPE, START, STOP, control, data_frames
from truth import messages

CLIENT, DOMAIN = "nxdomain_client", "nxdomain_domain"
BEGIN, END, WHOLE = 120, 240, 360  # of a burst and of a file, in seconds
CUT = 200  # in the midst of a burst, when it must have been found
FOUND_WITHIN, ENDED_WITHIN = 60, 75
A, AAAA = 1, 28
SECOND = 10**9

INFECTED = "10.9.9.9"
VICTIM = "victim.example"

# What is looked up: when, in seconds since the file's begin, by whom, and what comes of it.
LookUp = collections.namedtuple("LookUp", "when client name exists qtype", defaults=(False, A))


# --- Frames: packed by hand, since there are hundreds of thousands of them ---

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


def frames_of(look_up, start_ns, chance):
    """A look-up's two frames, each with its time: CLIENT_QUERY and CLIENT_RESPONSE."""
    query_ns = start_ns + int(look_up.when * SECOND)
    response_ns = query_ns + chance.randrange(100_000, 30_000_000)
    name = b"".join(bytes([len(label)]) + label for label in look_up.name.encode().split(b"."))
    question = name + b"\0" + struct.pack(">HH", look_up.qtype, 1)
    number = chance.randrange(1 << 16)
    query = struct.pack(">6H", number, 0x0100, 1, 0, 0, 0) + question
    response = struct.pack(">6H", number, 0x8180 if look_up.exists else 0x8183, 1,
                           int(look_up.exists), 0, 0) + question
    if look_up.exists:
        response += struct.pack(">HHHIH4s", 0xc00c, look_up.qtype, 1, 300, 4, b"\xc0\0\2\1")
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


# --- Ordinary traffic ---

class Zipf:
    """Things of which the n-th is chosen 1/n times as often as the first."""

    def __init__(self, things):
        self.things = things
        self.weights = list(itertools.accumulate(1 / n for n in range(1, len(things) + 1)))

    def choose(self, chance, count):
        return chance.choices(self.things, cum_weights=self.weights, k=count)


def word(chance, least=4, most=10):
    return "".join(chance.choices(string.ascii_lowercase, k=chance.randint(least, most)))


def ordinary_look_ups(chance, rate=200, missing=0.03):
    """200 clients and 5,000 domains; of the look-ups, three of a hundred are mistaken."""
    clients = [f"192.168.{n // 100}.{n % 100 + 1}" for n in range(180)]
    clients += [f"2001:db8:7::{n:x}" for n in range(1, 21)]
    chance.shuffle(clients)
    domains = [word(chance) + chance.choice((".com", ".org", ".net", ".de", ".co.uk", ".com.br"))
               for _ in range(5000)]
    hosts = ("www", "mail", "api", "cdn", "img", "static", "login", "m")
    names = [f"{host}.{domain}" for domain in domains
             for host in chance.sample(hosts, chance.randint(1, 4))]
    mistakes = [f"{word(chance)}.{domain}" if chance.random() < 0.5 else word(chance) + domain
                for domain in domains]
    count = rate * WHOLE
    existing = Zipf(names).choose(chance, count)
    mistaken = Zipf(mistakes).choose(chance, count)
    whose = Zipf(clients).choose(chance, count)
    for n in range(count):
        exists = chance.random() >= missing
        yield LookUp(chance.random() * WHOLE, whose[n], existing[n] if exists else mistaken[n],
                     exists, chance.choice((A, A, AAAA)))


@functools.cache
def ordinary_made_up():
    """(time of the begin, frames). Minutes and intervals do not begin with the file."""
    start_ns = 1_700_000_003 * SECOND + 700_000_000
    return start_ns, render(ordinary_look_ups(random.Random(9353)), start_ns)


def ordinary_capture():
    """The path of the capture, or None."""
    folder = os.environ.get("DNSTAP_CAPTURES")
    path = pathlib.Path(folder, "ordinary.fstrm.zst") if folder else None
    return path if path and path.exists() else None


def own_time(payload):
    message = messages()["dnstap.Dnstap"].FromString(payload).message
    if message.HasField("response_message"):
        return message.response_time_sec * SECOND + message.response_time_nsec
    return message.query_time_sec * SECOND + message.query_time_nsec


@functools.cache
def ordinary_captured():
    """(time of the begin, frames) of the capture's busiest minutes, in the order of time."""
    content = subprocess.run(["zstd", "-q", "-d", "-c", ordinary_capture()],
                             stdout=subprocess.PIPE, check=True).stdout
    frames = [(own_time(payload), struct.pack(">I", len(payload)) + payload)
              for _, payload in data_frames(content)]
    minutes = collections.Counter(when // (60 * SECOND) for when, _ in frames)
    busiest = max(minutes, key=lambda minute: sum(minutes[minute + n] for n in range(WHOLE // 60)))
    start_ns = busiest * 60 * SECOND
    return start_ns, sorted((frame for frame in frames
                             if start_ns <= frame[0] < start_ns + WHOLE * SECOND),
                            key=operator.itemgetter(0))


# --- Scenarios: generators of look-ups ---

def often(rate, begin=BEGIN, end=END):
    """The times at which something is done, so many times a second."""
    return (begin + n / rate for n in range(int((end - begin) * rate)))


def names_under(*suffixes):
    """Ever new names, below one suffix after the other."""
    chance = random.Random(7)
    for suffix in itertools.cycle(suffixes):
        yield f"{word(chance, 10, 16)}.{suffix}"


def infected_host(*suffixes):
    """A new name a second, and none of them exists."""
    return [LookUp(when, INFECTED, name) for when, name in zip(often(1), names_under(*suffixes))]


def random_subdomains(names, qtypes=(A,), clients=500):
    """200 queries a second, for a new name each or for each type in turn."""
    chance = random.Random(8)
    asked = (name for name in names for _ in qtypes)
    return [LookUp(when, f"172.16.{client // 250}.{client % 250 + 1}", name, False, qtype)
            for when, name, qtype, client in zip(
                often(200), asked, itertools.cycle(qtypes),
                iter(lambda: chance.randrange(clients), None))]


def browsing(client, rate, sites):
    """Names that exist, all the time."""
    chance = random.Random(client)
    return [LookUp(when, client, name, True)
            for when, name in zip(often(rate, 0, WHOLE), Zipf(sites).choose(chance, rate * WHOLE))]


def backwards(address):
    """An address as look-ups in block lists have it (RFC 5782 sections 2.1 and 2.4)."""
    return re.sub(r"\.(in-addr|ip6)\.arpa$", "", ipaddress.ip_address(address).reverse_pointer)


def mail_server(subjects, block_lists, rate):
    """Each sender is looked up in each list, and 19 of 20 are not in it."""
    chance = random.Random(10)
    return [LookUp(when, "10.0.0.25", f"{next(subjects)}.{block_list}", chance.random() < 0.05)
            for when in often(rate) for block_list in block_lists]


def addresses_backwards(version):
    chance = random.Random(11)
    while True:
        if version == 4:
            yield backwards(ipaddress.IPv4Address(chance.randrange(1 << 24, 224 << 24)))
        else:
            yield backwards(ipaddress.IPv6Address(0x2a << 120 | chance.getrandbits(120)))


def browser_starts(clients, within):
    """Three random names of one label each, as Chromium asks to know a resolver that lies."""
    chance = random.Random(12)
    return [LookUp(BEGIN + chance.random() * within, f"10.1.{n // 100}.{n % 100 + 1}",
                   word(chance, 7, 15))
            for n in range(clients) for _ in range(3)]


# --- What the exporter makes of them ---

def parse_line(line):
    """A logfmt line as a dict."""
    return {key: json.loads(value) if value.startswith('"') else value
            for key, value in re.findall(r'(\w+)=("(?:[^"\\]|\\.)*"|\S*)', line)}


def burst_lines(log):
    """The lines that tell of bursts: (those that begin, those that end)."""
    lines = [parse_line(line) for line in log.split("\n") if "NXDOMAIN burst" in line]
    return tuple([line for line in lines if line["msg"] == f"NXDOMAIN burst {what}"]
                 for what in ("begins", "ends"))


def read(frames, config=""):
    """(page, log) of the frames, read from a file."""
    with tempfile.TemporaryDirectory() as folder:
        file, settings = pathlib.Path(folder, "mix.fstrm"), pathlib.Path(folder, "exporter.yml")
        with file.open("wb") as stream:
            stream.write(control(START, CONTENT_TYPE))
            stream.writelines(map(operator.itemgetter(1), frames))
            stream.write(control(STOP))
        settings.write_text(config, encoding="utf-8")
        done = subprocess.run([PROGRAM, f"--config.file={settings}", "read", file],
                              capture_output=True, text=True, timeout=limit(120), check=False)
    assert done.returncode == 0, done.stderr
    # What sanitizers report with.
    assert not re.search("ERROR: |runtime error: ", done.stderr), done.stderr
    page = Page(done.stdout)
    page.check_conservation()
    assert page.total("dnstap_frames_total") == len(frames)
    return page, done.stderr


def examples(line):
    return [line[f"example_{n}"] for n in (1, 2, 3)]


class Mix:
    """Scenarios in the midst of ordinary traffic; shared by the kinds of it."""

    @staticmethod
    def ordinary():
        raise NotImplementedError

    def mix(self, look_ups):
        """The frames of ordinary traffic and of these look-ups, and when all begins."""
        start_ns, frames = self.ordinary()
        return start_ns, sorted(frames + render(look_ups, start_ns), key=operator.itemgetter(0))

    def check_quiet(self, look_ups, config=""):
        page, log = read(self.mix(look_ups)[1], config)
        self.assertEqual(log, "")
        self.assertEqual([value for _, value in page.select("dnstap_detections_total")], [0, 0])
        self.assertEqual(page.select("dnstap_detection_score"), [])

    def check_found(self, look_ups, detector, **suspect):
        """One burst, in time, of this suspect; returns the line with which it begins."""
        suspect = {"client": "", "domain": "", **suspect}
        start_ns, frames = self.mix(look_ups)
        page, log = read(frames)
        self.assertEqual(page.by("detector", "dnstap_detections_total"), {detector: 1}, log)
        self.assertEqual(page.total("dnstap_detections_active"), 0)
        self.assertEqual(page.select("dnstap_detection_score"), [])
        (begins,), (ends,) = burst_lines(log)
        self.check_times(begins, ends, start_ns)
        self.check_line(begins, detector, suspect, look_ups)
        self.assertEqual((ends["detector"], ends["client"]), (detector, begins["client"]))
        self.check_lasting([frame for frame in frames if frame[0] < start_ns + CUT * SECOND],
                           begins)
        return begins

    def check_times(self, begins, ends, start_ns):
        found, ended = (
            datetime.strptime(line["time"], "%Y-%m-%dT%H:%M:%SZ").replace(
                tzinfo=timezone.utc).timestamp() - start_ns / SECOND for line in (begins, ends))
        self.assertTrue(BEGIN < found <= BEGIN + FOUND_WITHIN, found)
        self.assertTrue(END < ended <= END + ENDED_WITHIN, ended)
        self.assertAlmostEqual(float(ends["lasted_seconds"]), ended - found, places=3)

    def check_line(self, line, detector, suspect, look_ups):
        self.assertEqual({"detector": detector, **suspect},
                         {key: line[key] for key in ("detector", "client", "domain")})
        names = {look_up.name for look_up in look_ups if not look_up.exists}
        self.assertLessEqual(set(examples(line)), names)
        self.assertEqual(len(set(examples(line))), 3)

    def check_lasting(self, frames, begins):
        """A file that is cut off in the midst of it."""
        page, log = read(frames)
        self.assertEqual(page.by("detector", "dnstap_detections_total"), {begins["detector"]: 1})
        self.assertEqual(page.by("detector", "dnstap_detections_active"), {begins["detector"]: 1})
        (labels, value), = page.select("dnstap_detection_score")
        self.assertEqual(labels, {key: begins[key] for key in ("detector", "client", "domain")})
        self.assertGreaterEqual(value, 1)
        self.assertEqual([len(lines) for lines in burst_lines(log)], [1, 0])

    # --- An infected host ---

    def test_infected_host(self):
        """Every name is a registered domain of its own."""
        self.check_found(infected_host("com"), CLIENT, client=INFECTED)

    def test_infected_host_of_many_suffixes(self):
        look_ups = infected_host("com", "net", "co.uk", "ru", "info", "example", "com.br")
        self.check_found(look_ups, CLIENT, client=INFECTED)

    def test_infected_host_of_dynamic_dns(self):
        """Every name is below the same domain, which is told; too few for a burst of its own."""
        self.check_found(infected_host("dynamic.example"), CLIENT, client=INFECTED,
                         domain="dynamic.example")

    def test_infected_host_that_is_used(self):
        sites = [f"www.{word(random.Random(n))}.org" for n in range(40)]
        look_ups = infected_host("com", "net") + browsing(INFECTED, 1, sites)
        line = self.check_found(look_ups, CLIENT, client=INFECTED)
        self.assertGreater(float(line["existing_names_per_minute"]), 5)

    def test_infected_host_without_its_address(self):
        for privacy, shown in (("client_hash: true", "[0-9a-f]{16}"),
                               ("client_ipv4_prefix: 24", r"10\.9\.9\.0/24")):
            with self.subTest(privacy=privacy):
                self.check_private(infected_host("com"), CLIENT, f"privacy: {{{privacy}}}\n", shown)

    def check_private(self, look_ups, detector, config, shown):
        """Found, but no address of those that ask is anywhere on the page or in the log."""
        start_ns, frames = self.mix(look_ups)
        page, log = read([frame for frame in frames if frame[0] < start_ns + CUT * SECOND], config)
        self.assertEqual(page.by("detector", "dnstap_detections_active"), {detector: 1})
        (begins,), _ = burst_lines(log)
        (labels, _), = page.select("dnstap_detection_score")
        self.assertRegex(begins["client"], f"^{shown}$")
        self.assertEqual(labels["client"], begins["client"])
        for client in {look_up.client for look_up in look_ups}:
            self.assertNotRegex(page.text + log, rf"(?<![\d.]){re.escape(client)}(?![\d.])")

    def test_broken_search_domain(self):
        """Each name is tried below the search domain first; it exists as it is."""
        names = names_under("com", "org")
        look_ups = [LookUp(when + later, INFECTED, name + search, not search)
                    for when, name in zip(often(2), names)
                    for later, search in ((0, ".corp.example.com"), (0.03, ""))]
        self.check_found(look_ups, CLIENT, client=INFECTED, domain="example.com")

    # --- Random subdomains ---

    def check_attack(self, look_ups):
        line = self.check_found(look_ups, DOMAIN, domain=VICTIM)
        # 491 clients are to be expected of 500 in an interval; the counter's error is 13 %.
        self.assertTrue(491 * 0.4 < float(line["clients"]) < 491 * 1.6, line)
        return line

    def test_random_subdomains(self):
        line = self.check_attack(random_subdomains(names_under(VICTIM)))
        self.assertEqual(line["existing_names_per_minute"], "0.0")

    def test_random_subdomains_of_two_types(self):
        self.check_attack(random_subdomains(names_under(VICTIM), qtypes=(A, AAAA)))

    def test_random_subdomains_of_a_popular_domain(self):
        """Its honest hosts are asked for, too, and are evidence against a burst."""
        sites = [f"{host}.{VICTIM}" for host in ("www", "mail", "api", *map(str, range(300)))]
        look_ups = random_subdomains(names_under(VICTIM))
        for n in range(20):
            look_ups += browsing(f"10.3.0.{n + 1}", 5, sites)
        line = self.check_attack(look_ups)
        self.assertGreater(float(line["existing_names_per_minute"]), 50)

    def test_random_subdomains_of_two_labels(self):
        self.check_attack(random_subdomains(map(".".join, zip(
            map(word, itertools.repeat(random.Random(3))), names_under(VICTIM)))))

    def test_random_subdomains_without_addresses(self):
        look_ups = random_subdomains(names_under(VICTIM))
        for privacy in ("client_hash: true", "client_ipv4_prefix: 24"):
            with self.subTest(privacy=privacy):
                self.check_private(look_ups, DOMAIN, f"privacy: {{{privacy}}}\n", "")

    def test_what_is_allowed(self):
        self.check_quiet(random_subdomains(names_under(VICTIM)),
                         f"detection: {{allow: [{VICTIM}]}}\n")

    def test_what_is_off(self):
        page, log = read(self.mix(random_subdomains(names_under(VICTIM)))[1],
                         "detection: {nxdomain_domain: {enabled: false}}\n")
        self.assertTrue(page.select("dnstap_detections_total", detector=CLIENT))
        self.assertNotIn(DOMAIN, page.text + log)

    def test_random_subdomains_by_hosts_that_are_used(self):
        """Those who took part mistype a name when it is over."""
        look_ups = random_subdomains(names_under(VICTIM), clients=50)
        clients = sorted({look_up.client for look_up in look_ups})
        look_ups += [LookUp(END + 5 + n / 10, client, "www.mistyped.example")
                     for n, client in enumerate(clients)]
        self.check_found(look_ups, DOMAIN, domain=VICTIM)

    # --- Labels and clocks ---

    def test_suspect_stays_the_same(self):
        """As long as a burst lasts, whatever else its client mistypes."""
        start_ns, frames = self.mix(
            [*infected_host("com"), LookUp(END + 10, INFECTED, "www.mistyped.example")])
        page, log = read([frame for frame in frames if frame[0] < start_ns + 270 * SECOND])
        (begins,), _ = burst_lines(log)
        self.assertEqual([labels for labels, _ in page.select("dnstap_detection_score")],
                         [{key: begins[key] for key in ("detector", "client", "domain")}])

    def test_one_frame_with_a_wrong_time(self):
        """Ten minutes ahead of all others."""
        start_ns, frames = self.mix(infected_host("com"))
        wrong = render([LookUp(BEGIN + 600, "10.0.0.5", "www.example.com", True)], start_ns)[0]
        place = bisect.bisect(frames, start_ns + BEGIN * SECOND, key=operator.itemgetter(0))
        page, _ = read([*frames[:place], wrong, *frames[place:]])
        self.assertEqual(page.by("detector", "dnstap_detections_total"), {CLIENT: 1})

    # --- What is no burst ---

    def test_ordinary(self):
        self.check_quiet([])

    def test_mail_server(self):
        """Senders in block lists of addresses, known or not, and in known ones of domains."""
        for look_ups in (
                mail_server(addresses_backwards(4), ("zen.spamhaus.org", "bl.example.net"), 4),
                mail_server(addresses_backwards(6), ("zen.spamhaus.org", "bl.example.net"), 4),
                mail_server(names_under("com", "net"), ("multi.surbl.org", "dbl.spamhaus.org"), 4)):
            with self.subTest(name=look_ups[0].name):
                self.check_quiet(look_ups)

    def test_browser_starts(self):
        for within in (10, 60):
            with self.subTest(within=within):
                self.check_quiet(browser_starts(100, within))

    def test_flash_crowd(self):
        """5,000 clients that follow a link with a misspelt name, each several times; and as
        resolvers ask that mix upper and lower case to have more to check an answer by."""
        chance = random.Random(13)
        name = "www.misspelt-shop.example"
        mixed = ["".join(map(chance.choice, zip(name, name.upper()))) for _ in range(1000)]
        for spellings in ([name], mixed):
            with self.subTest(spellings=len(spellings)):
                self.check_quiet([LookUp(BEGIN + chance.random() * 60,
                                         f"10.2.{n // 250}.{n % 250 + 1}",
                                         chance.choice(spellings))
                                  for n in range(5000) for _ in range(3)])

    def test_monitoring(self):
        """The same dead names every ten seconds."""
        names = list(itertools.islice(names_under("corp.example", "com"), 25))
        self.check_quiet([LookUp(when + n / 100, "10.0.0.3", name)
                          for when in often(0.1, 0, WHOLE) for n, name in enumerate(names)])

    def test_monitoring_that_begins(self):
        """The same names again and again, one after the other."""
        names = list(itertools.islice(names_under("corp.example", "com"), 25))
        self.check_quiet([LookUp(when, "10.0.0.3", name)
                          for when, name in zip(often(2.5, BEGIN + 3, WHOLE),
                                                itertools.cycle(names))])

    def test_office(self):
        """Many behind one address, who ask for 500 names that exist every minute; of the
        different names that they ask for in the third minute, every ninth fails."""
        chance = random.Random(15)
        look_ups = [LookUp(when, "10.0.0.6", f"www.site{chance.randrange(500)}.org", True)
                    for when in often(50, 0, WHOLE)]
        self.check_quiet(look_ups + [LookUp(when, "10.0.0.6", name)
                                     for when, name in zip(often(1), names_under("com", "net"))])

    def test_popular_domain(self):
        """A thousand hosts of it are asked for every minute, and then 360 that are gone."""
        chance = random.Random(16)
        look_ups = [LookUp(when, f"10.6.0.{chance.randrange(250)}",
                           f"h{chance.randrange(1000)}.popular.example", True)
                    for when in often(100, 0, WHOLE)]
        look_ups += [LookUp(when, f"10.6.0.{chance.randrange(250)}",
                            f"old{chance.randrange(200)}.popular.example")
                     for when in often(1, 0, WHOLE)]
        look_ups += [LookUp(when, f"10.6.0.{chance.randrange(250)}", name)
                     for when, name in zip(often(6), names_under("popular.example"))]
        self.check_quiet(look_ups)

    def test_broken_host(self):
        """One name, again and again."""
        self.check_quiet([LookUp(when, "10.0.0.4", "gone.example") for when in often(50)])


class MadeUp(Mix, unittest.TestCase):
    """Among look-ups that are made up."""

    @staticmethod
    def ordinary():
        return ordinary_made_up()


@unittest.skipUnless(ordinary_capture(), "there is no capture of ordinary look-ups")
class Captured(Mix, unittest.TestCase):
    """Among look-ups of a real network."""

    @staticmethod
    def ordinary():
        return ordinary_captured()

    def test_whole_capture(self):
        done = subprocess.run([PROGRAM, "read", ordinary_capture()], capture_output=True,
                              text=True, timeout=limit(120), check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        page = Page(done.stdout)
        self.assertEqual(len(page.select("dnstap_detections_total")), 2)
        self.assertEqual(page.total("dnstap_detections_total"), 0)


if __name__ == "__main__":
    unittest.main()
