# SPDX-License-Identifier: Apache-2.0
"""The command top: in a terminal of 80 columns and 24 lines, which is tmux, and once as text."""

import os
import pathlib
import signal
import subprocess
import tempfile
import time
import unittest

from exporter import Exporter, PROGRAM, free_port, limit, wait_until
from sender import Neighbour

CONFIG = """
inputs: [{name: unix, unix: "{dir}/dnstap.sock"}]
web:
  listen_addresses: ["{web}"]
"""


def top(*arguments):
    return subprocess.run([PROGRAM, "top", *arguments], capture_output=True, text=True, check=False,
                          timeout=limit(30), stdin=subprocess.DEVNULL)


class Tmux:
    """A terminal with the program in it; use as a context manager."""

    def __init__(self, *arguments):
        self.folder = tempfile.TemporaryDirectory()
        self.server = ["tmux", "-f", "/dev/null", "-S", str(pathlib.Path(self.folder.name) / "tmux")]
        self.arguments = arguments

    def run(self, *arguments):
        return subprocess.run([*self.server, *arguments], capture_output=True, text=True, check=False,
                              timeout=limit(10), env={**os.environ, "LC_ALL": "C.UTF-8"}).stdout

    def __enter__(self):
        self.run("new-session", "-d", "-x", "80", "-y", "24", "sh")
        self.run("send-keys", " ".join([PROGRAM, "top", *self.arguments, "; echo exit status $?"]), "Enter")
        return self

    def screen(self):
        return self.run("capture-pane", "-p")

    def __exit__(self, *_):
        self.run("kill-server")
        self.folder.cleanup()


class Terminal(unittest.TestCase):

    def test_in_a_terminal(self):
        """It goes on by itself, tells when the exporter is away, and leaves the terminal as it was."""
        with Exporter(CONFIG) as exporter, Neighbour(exporter.socket, batch=5, pause=0.05), Tmux(f"http://{exporter.web}") as tmux:
            wait_until(lambda: "neighbour" in tmux.screen() and "QUERY/s" in tmux.screen(), 20, "a server and its rate")
            screen = tmux.screen()
            self.assertIn("up 0 h 00 min", screen)
            self.assertRegex(screen, r"neighbour +client +\d")
            self.assertRegex(screen, r"TOP CLIENTS +QUERIES")
            self.assertTrue(all(len(line) <= 80 for line in screen.splitlines()))
            self.assertLessEqual(len(screen.rstrip().splitlines()), 24)
            clock = screen[:8]
            wait_until(lambda: tmux.screen()[:8] != clock, 10, "the next second")
            exporter.process.send_signal(signal.SIGSTOP)
            wait_until(lambda: "No answer from" in tmux.screen(), 20, "that there is no answer")
            self.assertIn("neighbour", tmux.screen())
            exporter.process.send_signal(signal.SIGCONT)
            wait_until(lambda: "No answer from" not in tmux.screen(), 20, "an answer")
            tmux.run("send-keys", "q")
            wait_until(lambda: "exit status 0" in tmux.screen(), 10, "its end")
            self.assertNotIn("QUERY/s", tmux.screen())

    def test_signal(self):
        with Exporter(CONFIG) as exporter, Tmux(f"http://{exporter.web}") as tmux:
            wait_until(lambda: "up 0 h" in tmux.screen(), 10, "the exporter")
            tmux.run("send-keys", "C-c")
            wait_until(lambda: "exit status 0" in tmux.screen(), 10, "its end")

    def test_once(self):
        with Exporter(CONFIG) as exporter, Neighbour(exporter.socket, batch=5, pause=0.05):
            wait_until(lambda: "neighbour" in top("--once", exporter.web).stdout, 10, "a server")
            for address in (f"http://{exporter.web}", f"http://{exporter.web}/", exporter.web):
                done = top("--once", address)
                self.assertEqual((done.returncode, done.stderr), (0, ""))
                self.assertRegex(done.stdout, r"neighbour +client +\d")
                self.assertNotIn("\033", done.stdout)

    def test_mistakes(self):
        for arguments, status, error in (
                ([f"127.0.0.1:{free_port()}"], 1, r"127.0.0.1:\d+: Connection refused"),
                (["/nowhere/socket"], 1, "/nowhere/socket: No such file or directory"),
                (["https://127.0.0.1:1"], 2, "expected http://HOST:PORT or the path of a socket"),
                (["nonsense"], 2, "expected http://HOST:PORT or the path of a socket"),
                (["127.0.0.1:1", "127.0.0.1:2"], 2, "top takes one address")):
            done = top("--once", *arguments)
            self.assertEqual(done.returncode, status, done.stderr)
            self.assertRegex(done.stderr, error)
            self.assertEqual(done.stdout, "")
        done = top(f"127.0.0.1:{free_port()}")
        self.assertEqual(done.returncode, 1)
        self.assertIn("top needs a terminal; --once prints text", done.stderr)

    def test_full_disk(self):
        with Exporter(CONFIG) as exporter, open("/dev/full", "w", encoding="utf-8") as full:
            done = subprocess.run([PROGRAM, "top", "--once", exporter.web], stdout=full, check=False, timeout=limit(30))
            self.assertEqual(done.returncode, 1)


if __name__ == "__main__":
    unittest.main()
