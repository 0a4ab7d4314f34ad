# SPDX-License-Identifier: Apache-2.0
"""The configurations that README shows are sound: each server's own checker and ours say so."""

import os
import pathlib
import re
import subprocess
import tempfile
import unittest

from exporter import PROGRAM

README = pathlib.Path(__file__).resolve().parents[2] / "README.md"


def block_after(heading, text):
    """The first fenced block behind the heading."""
    return re.search(re.escape(heading) + r".*?```\w*\n(.*?)```", text, re.DOTALL)[1]


class Readme(unittest.TestCase):

    def setUp(self):
        self.text = README.read_text(encoding="utf-8")
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))

    def check(self, content, *command):
        """FILE in the command is the file with this content."""
        path = self.folder / "configuration"
        path.write_text(content, encoding="utf-8")
        done = subprocess.run([path if word == "FILE" else word for word in command],
                              capture_output=True, text=True, check=False,
                              env={**os.environ, "PATH": os.environ["PATH"] + ":/usr/sbin"})
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_unbound(self):
        self.check("server:\n  chroot: \"\"\n" + block_after("**Unbound**", self.text),
                   "unbound-checkconf", "FILE")

    def test_bind(self):
        self.check("options {\n" + block_after("**BIND**", self.text) + "};\n",
                   "named-checkconf", "FILE")

    def test_knot(self):
        """As README says: the module's part before Debian's template, one line into the template."""
        module = block_after("**Knot DNS**", self.text)
        line = re.search(r"`(global-module: [^`]*)`", self.text)[1]
        self.check(f"{module}\ntemplate:\n  - id: default\n    {line}\n",
                   "knotc", "-c", "FILE", "conf-check")

    def test_exporter(self):
        config = block_after("group:\n", self.text)
        self.check(config, PROGRAM, "--config.check", "--config.file", "FILE")


if __name__ == "__main__":
    unittest.main()
