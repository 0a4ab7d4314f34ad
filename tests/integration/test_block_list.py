#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Block lists: the four formats, hits and findings through a socket, files that are replaced, and mistakes."""

import json
import os
import pathlib
import random
import re
import signal
import subprocess
import time
import unittest

from exporter import PROGRAM, Exporter, Page, limit, wait_until
from sender import Sender
from test_detection import parse_line
from traffic import LookUp, frames_of, render, write_recording

LISTS = {
    "plain": "# C&C\nevil.example\nBAD.Example.  # with all below it\n\nnot a name!\n",
    "hosts": "127.0.0.1 localhost\n0.0.0.0 ads.example track.example\n",
    "rpz": "$TTL 300\n@ SOA ns. root. (1 ; serial\n  1h 1\n  1 1 )\nworm.example CNAME .\n*.worm.example 60 IN CNAME .\n"
           "*.only-below.example CNAME rpz-drop.\n32.1.2.0.192.rpz-ip CNAME .\n",
    "adblock": "[Adblock]\n! a comment\n||cc.example^\n||x.example^$third-party\n@@||good.example^\n",
}
NAMES = {"plain": 2, "hosts": 2, "rpz": 3, "adblock": 1}
UNSUPPORTED = {"plain": 1, "hosts": 0, "rpz": 1, "adblock": 2}
LISTED = {
    "plain": {"evil.example", "a.b.evil.example", "EVIL.example", "www.bad.example"},
    "hosts": {"ads.example", "track.example"},
    "rpz": {"worm.example", "a.worm.example", "x.y.only-below.example"},
    "adblock": {"cc.example", "www.cc.example"},
}
UNLISTED = {"example", "notevil.example", "www.ads.example", "only-below.example", "x.example", "good.example",
            "localhost", "evil.example.org", "vil.example"}
CLIENT = "10.0.0.7"
START_NS = 1_700_000_000 * 10**9


def section(lists, more=""):
    entries = "".join(f'      - {{name: {name}, file: "{{dir}}/{name}.txt", severity: ticket}}\n' for name in lists)
    return f"detection:\n{more}  block_list:\n    lists:\n{entries}"


CONFIG = 'inputs:\n  - {name: unix, unix: "{dir}/dnstap.sock"}\n' + section(LISTS)


class BlockListTest(unittest.TestCase):

    def setUp(self):
        self.exporter = Exporter(CONFIG)
        self.addCleanup(self.exporter.discard)
        self.folder = pathlib.Path(self.exporter.dir)
        self.chance = random.Random(16)
        for name, text in LISTS.items():
            self.write(name, text)

    def write(self, name, text):
        """Replaces the file, as `mv` does."""
        (self.folder / "fresh").write_text(text)
        os.rename(self.folder / "fresh", self.folder / f"{name}.txt")

    def ask(self, names, client=CLIENT):
        with Sender(self.exporter.socket).start() as sender:
            for name in names:
                frames = frames_of(LookUp(0, client, name, True), time.time_ns(), self.chance)
                sender.raw(b"".join(frame for _, frame in frames))

    def hits(self):
        return self.exporter.scrape().by("list", "dnstap_block_list_hits_total")


class Live(BlockListTest):

    def setUp(self):
        super().setUp()
        self.enterContext(self.exporter)

    def findings(self):
        return json.loads(self.exporter.get("/api/v1/findings")[2])["active"]

    def test_formats_and_findings(self):
        page = self.exporter.scrape()
        self.assertEqual(page.by("list", "dnstap_block_list_names"), NAMES)
        self.assertEqual(page.by("list", "dnstap_block_list_unsupported_lines"),
                         {name: count for name, count in UNSUPPORTED.items() if count})
        self.assertEqual(self.hits(), {})
        self.ask(sorted(UNLISTED) + [name for names in LISTED.values() for name in names])
        expected = {name: len(names) for name, names in LISTED.items()}
        wait_until(lambda: self.hits() == expected, 10, "the hits")
        wait_until(lambda: len(self.findings()) == 4, 10, "a finding of each list")
        for finding in self.findings():
            names = LISTED[finding["list"]]
            self.assertEqual((finding["detector"], finding["client"], finding["domain"]), ("block_list", CLIENT, ""))
            self.assertEqual((finding["severity"], finding["queries"]), ("ticket", len(names)))
            self.assertLessEqual(set(finding["examples"]), {name.lower() for name in names})
        page = self.exporter.scrape()
        self.assertEqual(page.total("dnstap_detections_total", detector="block_list"), 4)
        (labels, value), = page.select("dnstap_detection_score", detector="block_list")
        self.assertEqual((labels["client"], value), (CLIENT, 4))
        self.assertEqual(page.by("list", "dnstap_block_list_finding_queries", client=CLIENT, severity="ticket"), expected)
        lines = [parse_line(line) for line in self.exporter.log().splitlines()]
        begins = {line["list"]: line for line in lines if line.get("msg") == "Listed name begins"}
        self.assertEqual(begins.keys(), LISTS.keys())
        unsupported = {line["list"]: (line["lines"], line["first_line"]) for line in lines
                       if line.get("msg") == "a block list has lines that are not supported"}
        self.assertEqual(unsupported, {"plain": ("1", "5"), "rpz": ("1", "8"), "adblock": ("2", "4")})

    def test_replaced(self):
        """The new file counts from then on; a broken one, or none, leaves the old list."""
        self.write("plain", "new.example\n")
        self.exporter.wait_for_log('msg="block list loaded" list=plain names=1', 1)
        self.ask(["new.example", "evil.example"])
        wait_until(lambda: self.hits().get("plain") == 1, 10, "the hit")
        self.write("plain", "<html>\n")
        self.exporter.wait_for_log("block list not loaded, the old one stays in force", 1)
        self.assertIn("plain.txt:1: not a list of names", self.exporter.log())
        self.write("plain", "")
        self.exporter.wait_for_log("plain.txt: it is empty", 1)
        (self.folder / "plain.txt").unlink()
        self.exporter.wait_for_log("plain.txt: No such file or directory", 1)
        self.ask(["new.example"])
        wait_until(lambda: self.hits().get("plain") == 2, 10, "the old list's hit")
        self.assertEqual(self.exporter.scrape().by("list", "dnstap_block_list_names")["plain"], 1)

    def test_reload(self):
        self.exporter.process.send_signal(signal.SIGHUP)
        self.exporter.wait_for_log("configuration reloaded", 1)
        self.exporter.wait_for_log('msg="block list loaded"', 8)
        self.exporter.write_config(CONFIG.replace("plain", "other"))
        self.write("other", "evil.example\n")
        self.exporter.process.send_signal(signal.SIGHUP)
        self.exporter.wait_for_log("takes effect after a restart only\" key=detection.block_list.lists", 1)
        status, _, page = self.exporter.get("/config")
        self.assertEqual(status, 200)
        self.assertIn(b"  block_list:\n    enabled: true\n    max_names: 1000000\n    lists:\n      - name: \"plain\"\n", page)


class OffLine(BlockListTest):

    def run_program(self, *arguments):
        run = subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, check=False, timeout=limit(60))
        return run.returncode, run.stdout, run.stderr

    def check(self, config):
        self.exporter.write_config(config)
        return self.run_program("--config.check", f"--config.file={self.exporter.config_path}")

    def test_mistakes(self):
        line = CONFIG.count("\n") + 1
        for added, place, why in (
                ("      - {name: x}\n", "lists[4]", "a list needs a file"),
                ('      - {file: "/x"}\n', "lists[4]", "a list needs a name"),
                ('      - {name: plain, file: "/x"}\n', "lists[4].name", "another list has this name"),
                ('      - {name: x, file: "x"}\n', "lists[4].file", "expected an absolute path, got 'x'"),
                ('      - {name: "a b", file: "/x"}\n', "lists[4].name", "expected 1 to 64 letters"),
                ('      - {name: x, file: "/x", format: rpz}\n', "lists[4].format", "there is no such key"),
        ):
            with self.subTest(added):
                status, _, error = self.check(CONFIG + added)
                self.assertNotEqual(status, 0)
                self.assertIn(f"exporter.yml:{line}: detection.block_list.{place}: {why}", error)

    def test_files_that_are_no_lists(self):
        status, out, _ = self.check(CONFIG)
        self.assertEqual(status, 0)
        self.assertRegex(out, r"block lists +55\.6 MiB")  # of four lists, and one more in a reload
        (self.folder / "hosts.txt").unlink()
        status, _, error = self.check(CONFIG)
        self.assertNotEqual(status, 0)
        self.assertRegex(error, r"detection\.block_list\.lists\[1\]\.file: /\S+/hosts\.txt: No such file or directory\n")
        status, _, error = self.check(CONFIG.replace("    lists:", "    max_names: 1\n    lists:"))
        self.assertNotEqual(status, 0)
        self.assertRegex(error, r"lists\[0\]\.file: /\S+/plain\.txt: 2 names, of at most 1\n")
        status, out, _ = self.check(CONFIG.replace("    lists:", "    enabled: false\n    lists:"))
        self.assertEqual(status, 0)

    def test_recording(self):
        """The same by the time of frames; the finding ends an hour after the last query."""
        look_ups = [LookUp(when, client, "a.evil.example", True) for when, client in
                    ((1, CLIENT), (1800, CLIENT), (3000, "10.0.0.8"), (9000, "10.0.0.9"),
                     (9000, "10.0.0.7"))]  # in the last second
        look_ups += [LookUp(when, "10.0.0.1", f"h{when}.example", True) for when in range(0, 9000, 10)]
        recording = self.folder / "recording.fstrm"
        write_recording(recording, render(look_ups, START_NS))
        config = 'detection:\n  forwarders: ["10.0.0.9"]\n' + section(["plain"]).partition("\n")[2]
        self.exporter.write_config(config)
        status, out, error = self.run_program("read", f"--config.file={self.exporter.config_path}", str(recording))
        self.assertEqual(status, 0, error)
        page = Page(out)
        self.assertEqual(page.total("dnstap_block_list_hits_total", list="plain"), 5)
        self.assertEqual(page.total("dnstap_detections_total", detector="block_list"), 3)
        lines = [parse_line(line) for line in error.splitlines()]
        ends = {line["client"]: line for line in lines if line.get("msg") == "Listed name ends"}
        self.assertEqual(ends[CLIENT]["queries"], "2.0")
        self.assertAlmostEqual(float(ends[CLIENT]["lasted_seconds"]), 1799 + 3600, delta=2)
        self.assertTrue(re.match(r"20\d\d-", ends[CLIENT]["time"]))


if __name__ == "__main__":
    unittest.main(verbosity=2)
