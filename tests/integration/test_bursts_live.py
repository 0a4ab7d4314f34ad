# SPDX-License-Identifier: Apache-2.0
"""Two bursts of names that do not exist, one of a client and one below a domain, go through a socket in
real time: each is found within a minute, and ended when it ends.
"""

import collections
import itertools
import json
import random
import time
import unittest

from exporter import Exporter, limit, wait_until
from sender import Sender
from test_bursts import (CLIENT, DOMAIN, ENDED_WITHIN, FOUND_WITHIN, INFECTED, VICTIM, LookUp,
                         burst_lines, examples, frames_of, names_under)


class Live(unittest.TestCase):
    """Through a socket, in real time, over two connections."""

    STEP = 0.05

    def setUp(self):
        self.exporter = self.enterContext(Exporter())
        self.senders = [self.enterContext(Sender(self.exporter.socket)).start() for _ in range(2)]
        self.chance = random.Random(14)
        self.names = {DOMAIN: names_under(VICTIM), CLIENT: names_under("com")}
        self.asked = {DOMAIN: set(), CLIENT: set()}
        self.stopped = {}

    def send(self, detector, count):
        """So many new names of a scenario, half of them over each connection."""
        frames = []
        for name in itertools.islice(self.names[detector], count):
            client = INFECTED if detector == CLIENT else f"172.16.0.{self.chance.randrange(250)}"
            frames += frames_of(LookUp(0, client, name), time.time_ns(), self.chance)
            self.asked[detector].add(name)
        for n, sender in enumerate(self.senders):
            sender.raw(b"".join(frame for _, frame in frames[n::2]))

    def active(self):
        page = self.exporter.scrape()
        return page, page.by("detector", "dnstap_detections_active")

    def run_until_found(self, rates):
        """Send so much a second of each, until it is found."""
        begin = time.monotonic()
        sent, scraped = collections.Counter(), begin
        while len(self.stopped) < len(rates):
            now = time.monotonic()
            self.assertLess(now, begin + limit(FOUND_WITHIN), self.exporter.log())
            for detector in rates.keys() - self.stopped.keys():
                due = int((now - begin) * rates[detector]) - sent[detector]
                self.send(detector, due)
                sent[detector] += due
            if now > scraped + 0.5:
                scraped = now
                for detector in self.active()[1].keys() - self.stopped.keys():
                    self.check_suspect(detector)
                    self.stopped[detector] = now
            time.sleep(self.STEP)

    def check_suspect(self, detector):
        """On the page and in the JSON, which has the evidence, too."""
        expected = {CLIENT: (INFECTED, ""), DOMAIN: ("", VICTIM)}[detector]
        (labels, value), = self.exporter.scrape().select("dnstap_detection_score", detector=detector)
        suspects = json.loads(self.exporter.get("/api/v1/top")[2])["suspects"]
        suspect, = [suspect for suspect in suspects if suspect["detector"] == detector]
        for found in (labels, suspect):
            self.assertEqual((found["client"], found["domain"]), expected)
        self.assertGreaterEqual(value, 1)
        self.assertAlmostEqual(suspect["score"], value, places=2)
        self.assertLessEqual(set(suspect["examples"]), self.asked[detector])

    def test_two_bursts(self):
        self.run_until_found({DOMAIN: 200, CLIENT: 1})
        for detector in sorted(self.stopped, key=self.stopped.get):
            wait_until(lambda: detector not in self.active()[1],
                       ENDED_WITHIN, "the end", self.stopped[detector])
        page = self.exporter.scrape()
        self.assertEqual(page.by("detector", "dnstap_detections_total"), {CLIENT: 1, DOMAIN: 1})
        self.assertEqual(page.select("dnstap_detection_score"), [])
        for lines in burst_lines(self.exporter.log()):
            self.assertEqual({line["detector"]: line["client"] for line in lines},
                             {CLIENT: INFECTED, DOMAIN: ""})
            self.assertEqual(len(lines), 2)
            for line in lines:
                self.assertLessEqual(set(examples(line)), self.asked[line["detector"]])


if __name__ == "__main__":
    unittest.main()
