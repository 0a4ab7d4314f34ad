#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Each detector through a socket, in real time, over two connections: metrics, JSON and log have what it found."""

import collections
import itertools
import json
import random
import time
import unittest

from exporter import Exporter, limit, wait_until
from sender import Sender
from test_detection import TITLES, parse_line
from traffic import INFECTED, VICTIM, LookUp, amplification, exfiltration, frames_of, names_under, rebinding

FOUND_WITHIN = 60
EVIL = "evil.example"
CONFIG = 'inputs: [{name: unix, unix: "{dir}/dnstap.sock"}]\ndetection: {new_domain: {learning: 0s}}\n'


class Live(unittest.TestCase):

    STEP = 0.05
    # Detector: who is found, and look-ups a second.
    EXPECTED = {
        "nxdomain_client": (INFECTED, ""),
        "nxdomain_domain": ("", VICTIM),
        "tunnel": ("10.9.0.66", EVIL),
        "amplification": ("203.0.113.0/24", ""),
        "rebinding": ("", "rebound.example"),
    }
    RATES = {"nxdomain_client": 1, "nxdomain_domain": 100, "tunnel": 2, "amplification": 100, "rebinding": 1}

    def setUp(self):
        self.exporter = self.enterContext(Exporter(CONFIG))
        self.senders = [self.enterContext(Sender(self.exporter.socket)).start() for _ in range(2)]
        self.chance = random.Random(14)
        self.asked = collections.defaultdict(set)
        self.look_ups = {
            "nxdomain_client": (LookUp(0, INFECTED, name) for name in names_under("com", "net")),
            "nxdomain_domain": (LookUp(0, f"172.16.0.{self.chance.randrange(250)}", name) for name in names_under(VICTIM)),
            "tunnel": iter(exfiltration("10.9.0.66", EVIL, self.chance, 60, 48, 0, 600)),
            "amplification": iter(amplification(self.chance, "203.0.113.", 100, 0, 600)),
            "rebinding": itertools.cycle(rebinding(INFECTED, "www.rebound.example", 0)),
        }

    def send(self, detector, count):
        """So many look-ups, half of them over each connection."""
        frames = []
        for look_up in itertools.islice(self.look_ups[detector], count):
            frames += frames_of(look_up._replace(when=0), time.time_ns(), self.chance)
            self.asked[detector].add(look_up.name)
        for n, sender in enumerate(self.senders):
            sender.raw(b"".join(frame for _, frame in frames[n::2]))

    def findings(self):
        return json.loads(self.exporter.get("/api/v1/findings")[2])

    def run_until_found(self):
        begin = scraped = time.monotonic()
        sent = collections.Counter()
        found = set()
        while found < self.RATES.keys():
            now = time.monotonic()
            self.assertLess(now, begin + limit(FOUND_WITHIN), self.exporter.log())
            for detector, rate in self.RATES.items():
                due = int((now - begin) * rate) - sent[detector]
                self.send(detector, due)
                sent[detector] += due
            if now > scraped + 0.5:
                scraped = now
                found = {finding["detector"] for finding in self.findings()["active"]}
            time.sleep(self.STEP)

    def test_all(self):
        self.run_until_found()
        wait_until(lambda: self.exporter.scrape().total("dnstap_detections_active") == 5, 5, "the page")
        page = self.exporter.scrape()
        notes = self.findings()["notes"]
        self.assertEqual(page.by("detector", "dnstap_detections_total"),
                         {**dict.fromkeys(self.RATES, 1), "new_domain": len(notes)})
        self.assertLessEqual({"rebound.example", EVIL, "example.org"}, {note["domain"] for note in notes})
        self.assertEqual(notes[0].keys(), {"detector", "client", "domain", "noted"})
        top = json.loads(self.exporter.get("/api/v1/top")[2])["findings"]
        log = [parse_line(line) for line in self.exporter.log().splitlines()]
        for finding in self.findings()["active"]:
            detector = finding["detector"]
            with self.subTest(detector=detector):
                self.assertEqual((finding["client"], finding["domain"]), self.EXPECTED[detector])
                (labels, value), = page.select("dnstap_detection_score", detector=detector)
                self.assertEqual((labels["client"], labels["domain"]), self.EXPECTED[detector])
                self.assertAlmostEqual(finding["score"], value, delta=value / 2)
                self.assertRegex(finding["began"], r"^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
                self.assertAlmostEqual(time.time(), time.mktime(time.strptime(finding["began"], "%Y-%m-%dT%H:%M:%SZ"))
                                       - time.timezone, delta=limit(FOUND_WITHIN))
                self.assertEqual(len(set(finding["examples"])), 1 if detector in ("amplification", "rebinding") else 3)
                self.assertLessEqual(set(finding["examples"]), self.asked[detector])
                self.assertIn(detector, {other["detector"] for other in top})
                line, = (line for line in log if line.get("msg") == f"{TITLES[detector]} begins")
                self.assertEqual((line["detector"], line["client"], line["domain"]), (detector, *self.EXPECTED[detector]))
        self.assertEqual(self.findings()["ended"], [])


if __name__ == "__main__":
    unittest.main(verbosity=2)
