#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What detectors find and what they leave alone: recordings (tests/captures/detection), attacks, and a modelled
network. All goes through `read`, which judges by the frames' own times; test_detection_live.py has a socket.
tests/bench/detection.py has more of it."""

import collections
import json
import operator
import pathlib
import random
import re
import shlex
import subprocess
import tempfile
import unittest
from datetime import datetime

from exporter import PROGRAM, Page, limit
from traffic import (INFECTED, SECOND, VICTIM, LookUp, Zipf, amplification, at_random, browsing, content_networks, exfiltration,
                     generated_names, infected, modelled_network, often, random_subdomains, rebinding, render, sites, word,
                     write_recording)

FOLDER = pathlib.Path(__file__).resolve().parents[1] / "captures" / "detection"
START_S = 1_700_000_000

# Recording: client, domain, and the second after BEGINS by which the tunnel is named.
TUNNELS = {
    "exfil-5Bps-48": ("10.9.0.66", "attacker.example", 300),
    "exfil-20Bps-120": ("10.9.0.66", "attacker.example", 150),
    "c2-beacon-task": ("10.9.0.66", "cs-team.example", 410),
    "c2-dnscat-like-idle": ("10.9.0.66", "c2-host2.example", 180),
    "c2-null-like": ("10.9.0.66", "example-c2.example", 300),
    "lab-iodine-NULL-idle": ("127.0.0.1", "tunnel-lab.example", 2),
    "lab-iodine-TXT-load": ("127.0.0.1", "tunnel-lab.example", 2),
    "lab-iodine-MX-idle": ("127.0.0.1", "tunnel-lab.example", 2),
    "lab-iodine-A-load": ("127.0.0.1", "tunnel-lab.example", 2),
    "lab-dns2tcp-KEY": ("127.0.0.1", "tunnel-lab.example", 10),
}

# Recording: the most findings.
QUIET = {
    "k8s-search-15": 0, "k8s-blackbox-40": 0, "ad-laptops": 0, "mail-policies-10": 0, "rpz-ads": 0,
    "same-60-names-again": 0, "av-lookups": 1, "dnsbl-mail": 0, "monitoring-internal": 1, "rum-beacons": 1,
}

# When the first message was sent, in seconds since 1970: all modelled ones at START_S.
BEGINS = {
    "lab-iodine-NULL-idle": 1795953388, "lab-iodine-TXT-load": 1795953497, "lab-iodine-MX-idle": 1795953387,
    "lab-iodine-A-load": 1795953497, "lab-dns2tcp-KEY": 1795953502,
}

TITLES = {"tunnel": "DNS tunnel", "nxdomain_client": "DGA", "nxdomain_domain": "Random-subdomain attack",
          "amplification": "Amplification", "rebinding": "DNS rebinding", "block_list": "Listed name"}


def parse_line(line):
    """A logfmt line as a dict."""
    return {key: json.loads(value) if value.startswith('"') else value
            for key, value in re.findall(r'(\w+)=("(?:[^"\\]|\\.)*"|\S*)', line)}


class Finding:
    """A line of the log that tells of one."""

    def __init__(self, line):
        self.line = line
        self.detector, self.client, self.domain = (line[key] for key in ("detector", "client", "domain"))
        self.second = datetime.fromisoformat(line["time"].replace("Z", "+00:00")).timestamp() - START_S
        self.examples = [line[f"example_{n}"] for n in (1, 2, 3) if line[f"example_{n}"]]

    def who(self):
        return self.detector, self.client, self.domain


# What a detector looks at besides client, domain and time.
FLAGS = {"nxdomain_client": ["--rcode=NXDOMAIN"], "nxdomain_domain": ["--rcode=NXDOMAIN"], "rebinding": ["--type=A", "--type=AAAA"]}


def check_command(finding, path):
    """Its command shows its messages: those with its examples among them."""
    if re.fullmatch("[0-9a-f]{16}", finding.client):
        assert "command" not in finding.line, finding.line
        return
    program, command, *flags, of = shlex.split(finding.line["command"])
    assert (program, command, of) == ("dnstap_exporter", "print", str(path)), finding.line
    expected = [f"--client={finding.client}"] * bool(finding.client) + [f"--name={finding.domain}"] * bool(finding.domain)
    if finding.detector == "block_list":
        expected += [f"--name={example}" for example in finding.examples]
    times = [flag for flag in flags if re.fullmatch(r"--(from|until)=20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ", flag)]
    assert flags == expected + FLAGS.get(finding.detector, []) + times, finding.line
    assert len(times) == (2 if finding.line["msg"].endswith("ends") else 1), finding.line
    done = subprocess.run(["/bin/sh", "-c", finding.line["command"].replace("dnstap_exporter", shlex.quote(str(PROGRAM)), 1)],
                          capture_output=True, text=True, timeout=limit(120), check=False)
    assert done.returncode == 0, done.stderr
    asked = {json.loads(line)["dns"]["question"]["name"] for line in done.stdout.splitlines()}
    assert asked >= set(finding.examples), (finding.line, asked)


Result = collections.namedtuple("Result", "page begins ends notes")


def read(path, config=""):
    """The page, the findings that begin and end, and notes."""
    with tempfile.NamedTemporaryFile("w", suffix=".yml") as file:
        file.write(config)
        file.flush()
        done = subprocess.run([PROGRAM, "read", f"--config.file={file.name}", path], capture_output=True, text=True,
                              timeout=limit(120), check=False)
    assert done.returncode == 0, done.stderr
    lines = [parse_line(line) for line in done.stderr.splitlines()]
    notes = [line for line in lines if line["msg"] == "New domain"]
    lines = [line for line in lines if line not in notes]
    found = {f"{title} {what}": what for title in TITLES.values() for what in ("begins", "ends")}
    assert all(line["msg"] in found for line in lines), done.stderr
    page = Page(done.stdout)
    page.check_conservation()
    findings = [(Finding(line), found[line["msg"]]) for line in lines]
    for finding, _ in findings:
        check_command(finding, path)
    return Result(page, *([finding for finding, what in findings if what == of] for of in ("begins", "ends")), notes)


def read_look_ups(look_ups, config=""):
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "look_ups.fstrm")
        frames = render(look_ups, START_S * SECOND)
        write_recording(path, frames)
        return read(path, config)


class Recordings(unittest.TestCase):

    def test_tunnels(self):
        for recording, (client, domain, most) in TUNNELS.items():
            with self.subTest(recording=recording):
                found, = read(FOLDER / f"{recording}.fstrm.zst").begins
                self.assertEqual(found.who(), ("tunnel", client, domain))
                self.assertLessEqual(found.second + START_S - BEGINS.get(recording, START_S), most + 1)

    def test_quiet(self):
        for recording, most in QUIET.items():
            with self.subTest(recording=recording):
                found = read(FOLDER / f"{recording}.fstrm.zst").begins
                self.assertLessEqual(len(found), most, [finding.line for finding in found])

    def test_own_domains(self):
        """Once the own domain is configured, its monitoring is quiet."""
        found = read(FOLDER / "monitoring-internal.fstrm.zst",
                     "detection: {own_domains: [corp.bigco.example, bigco.example]}\n").begins
        self.assertEqual(found, [])

    def test_all_recordings_are_here(self):
        self.assertEqual(sorted([*TUNNELS, *QUIET]),
                         sorted(path.name.removesuffix(".fstrm.zst") for path in FOLDER.glob("*.zst")))


class Network(unittest.TestCase):
    """Twelve minutes of a modelled network."""

    SECONDS, ALONE_MOST = 720, {"anti-virus": 1, "beacons": 1, "monitoring": 1}

    def test_quiet(self):
        parts = modelled_network("test", self.SECONDS)
        for name, look_ups in parts.items():
            with self.subTest(part=name):
                result = read_look_ups(look_ups)
                self.assertLessEqual(len(result.begins), self.ALONE_MOST.get(name, 0),
                                     [finding.line for finding in result.begins])
                self.check_search_list(result.page, look_ups)
        found = read_look_ups([look_up for look_ups in parts.values() for look_up in look_ups]).begins
        self.assertLessEqual(len(found), 4, [finding.line for finding in found])

    def check_search_list(self, page, look_ups):
        """What the search list of Kubernetes and of laptops costs is counted."""
        outside = sum(not look_up.exists and re.search(r"\.(com|org|net|de|io|uk|fr|br|nl|it)\.", look_up.name) is not None
                      and look_up.name.endswith((".cluster.local", ".compute.internal", ".bigcorp.example"))
                      for look_up in look_ups)
        self.assertEqual(page.total("dnstap_search_list_queries_total"), outside)


def background(seconds, clients=60):
    people = [f"192.168.0.{n + 1}" for n in range(clients)]
    chance = random.Random("background")
    return [*browsing(chance, people, seconds), *content_networks(chance, people, seconds)]


class Attacks(unittest.TestCase):

    BEGIN = 60

    @classmethod
    def setUpClass(cls):
        cls.background = background(240)

    def find(self, look_ups, config="", others=0):
        """The one finding in these look-ups and the background."""
        result = read_look_ups(self.background + look_ups, config)
        self.assertEqual(len(result.begins), 1 + others, [finding.line for finding in result.begins])
        return result

    def check(self, look_ups, who, within, config=""):
        result = self.find(look_ups, config)
        found, = result.begins
        self.assertEqual(found.who(), who)
        self.assertTrue(self.BEGIN <= found.second <= self.BEGIN + within + 1, found.second)
        self.assertLessEqual(set(found.examples), {look_up.name for look_up in look_ups})
        self.assertEqual(len(set(found.examples)), 3)
        (labels, score), = result.page.select("dnstap_detection_score")
        self.assertEqual(tuple(labels[key] for key in ("detector", "client", "domain")), who)
        self.assertGreater(score, 0)
        self.assertEqual(result.page.by("detector", "dnstap_detections_total")[who[0]], 1)
        return found

    def dga(self, rate, browsed_a_minute, client=INFECTED):
        chance = random.Random(f"dga {rate}")
        web = Zipf(sites(chance, 2000))
        look_ups = infected(client, generated_names(chance), rate, self.BEGIN, 240)
        look_ups += [LookUp(when, client, f"www.{web.choose(chance, 1)[0]}", True)
                     for when in at_random(chance, browsed_a_minute / 60, 0, 240)]
        return look_ups

    def test_dga(self):
        for rate, browsed, within in ((2, 10, 6), (0.5, 10, 40), (0.2, 10, 150), (0.5, 60, 120)):
            with self.subTest(rate=rate, browsed=browsed):
                found = self.check(self.dga(rate, browsed), ("nxdomain_client", INFECTED, ""), within)
                self.assertLessEqual(float(found.line["missing_domains"]), 30 if browsed > 10 else 12)
                self.assertGreaterEqual(float(found.line["responses"]), float(found.line["missing_domains"]))

    def test_dga_master(self):
        """The domain that exists among those that do not."""
        look_ups = self.dga(1, 0)
        look_ups.append(LookUp(self.BEGIN + 30.5, INFECTED, "themaster.com", True))
        finding, = (finding for finding in self.end(look_ups) if finding.detector == "nxdomain_client")
        self.assertEqual(finding.line["existing_1"], "themaster.com")
        self.assertGreater(float(finding.line["missing_domains"]), 100)

    def end(self, look_ups):
        """The findings as they end, an hour later."""
        later = LookUp(3800, "192.168.0.1", "www.example.com", True)
        return read_look_ups(self.background + look_ups + [later]).ends

    def test_dga_in_ipv6(self):
        """A host has four addresses, or a new one for each look-up."""
        for addresses in (4, 10**6):
            with self.subTest(addresses=addresses):
                look_ups = [look_up._replace(client=f"2001:db8:99::{n % addresses + 1:x}")
                            for n, look_up in enumerate(self.dga(1, 0))]
                self.check(look_ups, ("nxdomain_client", "2001:db8:99::/64", ""), 12)

    def test_dga_beside_a_busy_network(self):
        """One /64 with 540 changing addresses at 300/s, and an infected client elsewhere."""
        chance = random.Random(31)
        noise = [LookUp(when, f"2001:db8:98::{n % 540 + 1:x}", f"{word(chance, 8, 12)}{n}.com")
                 for n, when in enumerate(often(300, 0, 120))]
        result = self.find(noise + self.dga(1, 0), others=1)
        self.assertEqual({finding.client for finding in result.begins}, {"2001:db8:98::/64", INFECTED})

    def test_dga_beside_failures_of_many(self):
        """600 names a second that do not exist, of clients that have few each."""
        chance = random.Random(32)
        noise = [LookUp(when, f"10.{chance.randrange(8)}.{chance.randrange(256)}.{chance.randrange(1, 250)}",
                        f"{word(chance, 8, 12)}.d{chance.randrange(20000)}.org") for when in often(600, 0, 120)]
        self.check(noise + self.dga(0.5, 0), ("nxdomain_client", INFECTED, ""), 40)

    SHAPES = {
        "a domain": ("shop-of-the-victim.com", lambda chance: word(chance, 10, 16)),
        "a public suffix": ("co.uk", lambda chance: word(chance, 10, 16)),
        "addresses backwards": ("shop-of-the-victim.com",
                                lambda chance: ".".join(str(chance.randrange(256)) for _ in range(4))),
    }

    def test_random_subdomains(self):
        participants = [f"10.77.0.{n}" for n in range(1, 101)]
        for shape, (victim, label) in self.SHAPES.items():
            for rate in (5, 200):
                with self.subTest(shape=shape, rate=rate):
                    chance = random.Random(f"{shape} {rate}")
                    look_ups = random_subdomains(chance, victim, rate, participants, self.BEGIN, self.BEGIN + 120, label)
                    found = self.check(look_ups, ("nxdomain_domain", "", victim), 60)
                    self.assertLessEqual(float(found.line["failing_names"]), float(found.line["responses"]))
                    self.assertTrue(30 < float(found.line["clients"]) < 170, found.line["clients"])

    def test_random_subdomains_beside_a_wildcard(self):
        """40 names a second that exist below the victim."""
        participants = [f"10.77.0.{n}" for n in range(1, 101)]
        chance = random.Random(33)
        wildcard = [LookUp(when, chance.choice(participants), f"u{chance.randrange(2000)}.{VICTIM}", True)
                    for when in often(40, 0, 240)]
        look_ups = random_subdomains(chance, VICTIM, 5, participants, self.BEGIN, self.BEGIN + 120)
        found, = (finding for finding in read_look_ups(self.background + wildcard + look_ups).begins
                  if finding.detector == "nxdomain_domain")
        self.assertEqual(found.domain, VICTIM)
        self.assertLessEqual(found.second, self.BEGIN + 61)

    def test_exfiltration(self):
        for rate, within in ((100, 12), (20, 60)):
            for exists in (True, False):
                with self.subTest(rate=rate, exists=exists):
                    look_ups = exfiltration(INFECTED, "evil.example", random.Random(34), rate, 48, self.BEGIN, 160, exists)
                    found = self.find(look_ups, others=int(not exists and rate > 50)).begins[0]
                    self.assertEqual(found.who(), ("tunnel", INFECTED, "evil.example"))
                    self.assertLessEqual(found.second, self.BEGIN + within + 1)

    def test_amplification(self):
        """Of a network; not where few bytes go to it, or over many names."""
        chance = random.Random(36)
        look_ups = amplification(chance, "203.0.113.", 100, self.BEGIN, 200)
        found = self.find(look_ups).begins[0]
        self.assertEqual(found.who(), ("amplification", "203.0.113.0/24", ""))
        self.assertLessEqual(found.second, self.BEGIN + 20)
        self.assertEqual(set(found.examples), {"big.example.org"})
        self.assertGreater(float(found.line["amplification"]), 30)
        quiet = amplification(chance, "203.0.113.", 20, self.BEGIN, 200)
        quiet += [look_up._replace(client="198.51.100.7", name=f"h{n}.example.org") for n, look_up in enumerate(look_ups)]
        found = read_look_ups(quiet, "detection: {tunnel: {enabled: false}}\n").begins
        self.assertEqual(found, [])

    def test_rebinding(self):
        look_ups = rebinding(INFECTED, "x1.evil.example", self.BEGIN)
        found = self.find(look_ups).begins[0]
        self.assertEqual(found.who(), ("rebinding", "", "evil.example"))
        self.assertEqual(found.examples, ["x1.evil.example"])
        page = read_look_ups(look_ups + [look_ups[1]._replace(name="nas.home.example")]).page
        self.assertEqual(page.total("dnstap_private_answers_total"), 2)
        for private in ("7f000001", "00000000", "c0000207"):
            found = read_look_ups(rebinding(INFECTED, "x1.evil.example", 1, bytes.fromhex(private))).begins
            self.assertEqual(found, [], private)

    def test_new_domain(self):
        """Each that is first seen after the learning time, once, and that exists."""
        look_ups = self.background + [
            LookUp(100, INFECTED, "www.brand-new.com", True), LookUp(150, "192.168.0.1", "api.brand-new.com", True),
            LookUp(100, INFECTED, "not-registered.com", False, zone="com"), LookUp(101, INFECTED, "host.own.test", True)]
        result = read_look_ups(look_ups, "detection: {new_domain: {learning: 90s}, own_domains: [own.test]}\n")
        first = {}
        for look_up in sorted(look_ups):
            if look_up.exists and not look_up.name.endswith("own.test"):
                first.setdefault(".".join(look_up.name.split(".")[-2:]), look_up)
        expected = {domain: look_up.client for domain, look_up in first.items() if look_up.when > 92}
        early = {domain for domain, look_up in first.items() if look_up.when < 88}
        noted = {line["domain"]: line["client"] for line in result.notes}
        self.assertEqual(len(noted), len(result.notes))
        self.assertEqual(noted["brand-new.com"], INFECTED)
        self.assertEqual(noted.keys() & early, set())
        self.assertGreater(len(noted.keys() & expected.keys()), 0.95 * len(expected))
        self.assertEqual(result.page.total("dnstap_detections_total", detector="new_domain"), len(noted))
        self.assertEqual(result.page.total("dnstap_detections_active", detector="new_domain"), 0)
        self.assertEqual(read_look_ups(look_ups).notes, [])

    def test_configuration(self):
        """What is told about the network."""
        chance = random.Random(35)
        tunnel = exfiltration(INFECTED, "evil.example", chance, 100, 48, self.BEGIN, 160)
        attack = random_subdomains(chance, VICTIM, 200, [f"10.77.0.{n}" for n in range(1, 101)], self.BEGIN, 160)
        for look_ups, config in (
                (tunnel, "allow: [evil.example]"), (tunnel, "own_domains: [example]"), (tunnel, "forwarders: [10.9.9.0/24]"),
                (tunnel, "tunnel: {enabled: false}"), (attack, f"allow: [{VICTIM}]"),
                (attack, "nxdomain_domain: {enabled: false}, tunnel: {enabled: false}"), (self.dga(2, 0), "forwarders: [10.9.9.9]"),
                (self.dga(2, 0), "nxdomain_client: {enabled: false}")):
            with self.subTest(config=config):
                found = read_look_ups(look_ups, f"detection: {{{config}}}\n").begins
                self.assertEqual([finding.who() for finding in found], [])

    def test_privacy(self):
        """Found, but no address of those that ask is anywhere on the page or in the log."""
        for privacy, shown in (("client_hash: true", "[0-9a-f]{16}"), ("client_ipv4_prefix: 24", r"10\.9\.9\.0/24")):
            with self.subTest(privacy=privacy):
                result = read_look_ups(self.background[:300] + self.dga(1, 0), f"privacy: {{{privacy}}}\n")
                found, = result.begins
                self.assertRegex(found.client, f"^{shown}$")
                for text in (result.page.text, str(found.line)):
                    self.assertNotRegex(text, rf"(?<![\d.]){re.escape(INFECTED)}(?![\d.])")

    def test_one_frame_with_a_wrong_time(self):
        """Ten minutes ahead of all others: nothing begins twice."""
        look_ups = self.background + self.dga(1, 0)
        frames = render(look_ups, START_S * SECOND)
        wrong = render([LookUp(900, "10.0.0.5", "www.example.com", True)], START_S * SECOND)
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, "wrong.fstrm")
            middle = len(frames) // 2
            write_recording(path, [*frames[:middle], *wrong, *frames[middle:]])
            page = read(path).page
        self.assertLessEqual(page.by("detector", "dnstap_detections_total")["nxdomain_client"], 2)


if __name__ == "__main__":
    unittest.main(verbosity=2)
