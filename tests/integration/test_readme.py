# SPDX-License-Identifier: Apache-2.0
"""What README shows works: its configurations are sound, say its programs' own checkers, and an Unbound that has
README's lines sends to an exporter that has README's input."""

import os
import pathlib
import re
import subprocess
import tempfile
import unittest

from exporter import PROGRAM, Exporter, wait_until
from servers import Unbound, page_blocks

TOP = pathlib.Path(__file__).resolve().parents[2]


def section(heading, text):
    return re.search(rf"^## {heading}\n(.*?)(?=^## |\Z)", text, re.DOTALL | re.MULTILINE)[1]


def blocks(text, language):
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


class Readme(unittest.TestCase):

    def setUp(self):
        self.text = (TOP / "README.md").read_text(encoding="utf-8")
        self.quick_start = section("Quick start", self.text)
        self.unbound, = blocks(section("A DNS server", self.text), "yaml")
        # The package's, whose socket is systemd's; and the one that makes its socket itself.
        self.package_config = re.search(r"<<END\n(.*?)^END$", self.quick_start, re.DOTALL | re.MULTILINE)[1]
        self.config, = blocks(self.quick_start, "yaml")
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))

    def check(self, content, *command):
        """FILE in the command is the file with this content."""
        path = self.folder / "configuration"
        path.write_text(content, encoding="utf-8")
        done = subprocess.run([path if word == "FILE" else word for word in command],
                              capture_output=True, text=True, check=False,
                              env={**os.environ, "PATH": os.environ["PATH"] + ":/usr/sbin"})
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_shell(self):
        for block in blocks(self.text, "sh"):
            self.check(block, "sh", "-n", "FILE")

    def test_unbound(self):
        self.check("server:\n  chroot: \"\"\n" + self.unbound, "unbound-checkconf", "FILE")
        page = page_blocks("unbound", "Configuration")[1].splitlines()
        self.assertEqual([line for line in self.unbound.splitlines() if line not in page], [])

    def test_exporter(self):
        for config in self.package_config, self.config:
            self.check(config, PROGRAM, "--config.check", "--config.file", "FILE")
        self.assertEqual(self.package_config, self.config.replace(", group: unbound", ""))

    def test_prometheus(self):
        block, = blocks(section("Prometheus", self.text), "yaml")
        self.assertIn("cp deploy/prometheus/dnstap.*.yml /etc/prometheus/", self.text)
        self.check(block.replace("/etc/prometheus/", f"{TOP}/deploy/prometheus/"), "promtool", "check", "config", "FILE")
        self.assertIn(block, (TOP / "deploy/prometheus/README.md").read_text(encoding="utf-8"))

    def test_files_that_commands_name(self):
        for name in re.findall(r"\b(?:deploy|tests)/[\w/.-]+(?:sh|yml)\b", self.text):
            self.assertTrue((TOP / name).exists(), name)

    @unittest.skipIf(os.geteuid(), "only root may give the socket to Unbound's group")
    def test_source(self):
        """From the input and Unbound's lines to the metrics that README asks for."""
        class ReadmeUnbound(Unbound):
            lines = self.unbound

            def tap(self, *_, **__):
                return self.lines.replace("/run/dnstap_exporter/unbound.sock", self.dnstap)

        with Exporter(self.config.replace("/run/dnstap_exporter", "{dir}")) as exporter, \
                ReadmeUnbound(f"{exporter.dir}/unbound.sock", user="unbound") as server:
            subprocess.run(["kdig", "@127.0.0.1", "-p", str(server.port), "www.example.test"], check=True,
                           stdout=subprocess.DEVNULL)
            for metric in re.findall(r"\^(dnstap_\w+)", self.text):
                wait_until(lambda: exporter.scrape().total(metric), 20, metric)


if __name__ == "__main__":
    unittest.main()
