#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""New domains over restarts: known ones stay known after an end, after kill -9, and with a damaged file."""

import json
import os
import pathlib
import random
import signal
import time
import unittest

from exporter import Exporter, wait_until
from sender import Sender
from traffic import LookUp, frames_of

CLIENT = "10.0.0.7"
CONFIG = """
inputs: [{name: unix, unix: "{dir}/dnstap.sock"}]
detection: {new_domain: {learning: LEARNING, state_file: "FILE"}}
"""


class NewDomain(unittest.TestCase):

    def start(self, learning="0s", file="{dir}/known", env=None):
        self.exporter = Exporter(CONFIG.replace("LEARNING", learning).replace("FILE", file), env=env)
        self.addCleanup(self.exporter.discard)
        self.file = pathlib.Path(self.exporter.dir, "known")
        self.exporter.start()

    def restart(self, sig=signal.SIGTERM):
        self.exporter.stop(sig)
        self.exporter.start()

    def ask(self, *domains):
        chance = random.Random(16)
        with Sender(self.exporter.socket).start() as sender:
            for domain in domains:
                frames = frames_of(LookUp(0, CLIENT, f"www.{domain}", True), time.time_ns(), chance)
                sender.raw(b"".join(frame for _, frame in frames))
        wait_until(lambda: self.exporter.scrape().total("dnstap_connections") == 0, 10, "the end")
        self.exporter.wait_for_evaluation()
        return self.noted()

    def noted(self):
        notes = json.loads(self.exporter.get("/api/v1/findings")[2])["notes"]
        return {note["domain"] for note in notes}

    def test_restarts(self):
        self.start()
        self.assertEqual(self.ask("one.example", "two.example"), {"one.example", "two.example"})
        self.assertEqual(self.ask("one.example", "two.example"), {"one.example", "two.example"})
        page = self.exporter.scrape()
        self.assertEqual(page.total("dnstap_detections_total", detector="new_domain"), 2)
        self.assertEqual(page.total("dnstap_detections_active", detector="new_domain"), 0)
        self.assertEqual(self.exporter.log().count('msg="New domain"'), 2)
        self.assertIn(f'msg="New domain" detector=new_domain client={CLIENT} domain=one.example', self.exporter.log())
        self.restart()
        self.assertEqual(self.ask("one.example", "two.example", "three.example"), {"three.example"})
        self.restart(signal.SIGKILL)
        self.assertEqual(self.ask("one.example", "three.example", "four.example"), {"four.example"})
        self.assertEqual(self.file.stat().st_mode & 0o777, 0o600)

    def test_damaged(self):
        """It is named and set aside; what is sound in front of the damage is still known."""
        self.start()
        self.ask("one.example", "two.example", "three.example")
        self.exporter.stop()
        content = self.file.read_bytes()
        self.file.write_bytes(content[:-5])
        self.exporter.start()
        self.exporter.wait_for_log("file of known domains is damaged and set aside", 1)
        self.assertIn(f"file={self.file} set_aside={self.file}.damaged", self.exporter.log())
        self.assertEqual(pathlib.Path(f"{self.file}.damaged").read_bytes(), content[:-5])
        self.assertEqual(len(self.ask("one.example", "two.example", "three.example")), 1)
        self.exporter.stop()
        self.file.write_bytes(os.urandom(5000))
        self.exporter.start()
        self.exporter.wait_for_log("set_aside", 2)
        self.assertEqual(len(self.ask("one.example", "two.example", "three.example")), 3)

    def test_learning(self):
        """Its time goes on over a restart, and without the exporter."""
        self.start("25s")
        self.assertEqual(self.ask("one.example"), set())
        self.exporter.stop()
        time.sleep(25)
        self.exporter.start()
        self.assertEqual(self.ask("one.example", "two.example"), {"two.example"})

    def test_systemd(self):
        """Without a key the file is in the folder that systemd gives."""
        folder = Exporter()
        self.addCleanup(folder.discard)
        self.start(file="", env={"STATE_DIRECTORY": folder.dir})
        self.ask("one.example")
        self.assertTrue(pathlib.Path(folder.dir, "known_domains").exists())
        self.restart()
        self.assertEqual(self.ask("one.example"), set())

    def test_no_place(self):
        """It is logged, and everything else works."""
        self.start(file="/nowhere/known")
        self.exporter.wait_for_log("new domains are not remembered over a restart", 1)
        self.assertEqual(self.ask("one.example"), {"one.example"})
        self.assertEqual(self.exporter.stop(), 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
