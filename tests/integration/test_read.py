# SPDX-License-Identifier: Apache-2.0
"""`dnstap_exporter read` on the files that people have: rotated, joined, sparse, and no dnstap at all."""

import pathlib
import resource
import subprocess
import tempfile
import unittest

from exporter import PROGRAM, Page, limit
from sender import (CONTENT_TYPE, START, control, data, dns_message, dns_response, dnstap_frame,
                    stream)

START_NS = 1_700_000_000 * 10**9
SECOND = 10**9


def query(number, when_ns, **values):
    return dnstap_frame(dns_message(number=number), when_ns=when_ns, **values)


def response(number, when_ns, **values):
    return dnstap_frame(dns_response(number=number), kind="CLIENT_RESPONSE", when_ns=when_ns,
                        **values)


class Read(unittest.TestCase):

    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))

    def file(self, name, content):
        path = self.folder / name
        path.write_bytes(content)
        return path

    def read(self, *arguments):
        """(exit status, page, standard error)"""
        run = subprocess.run([PROGRAM, "read", *map(str, arguments)], timeout=limit(120),
                             capture_output=True, check=False)
        return run.returncode, Page(run.stdout.decode()), run.stderr.decode()

    def test_rotated_files_are_one_server(self):
        """Frames without an identity are of one server, whatever the files are called, and a query
        finds its response in the next file."""
        first = self.file("dns.fstrm.1", stream([query(1, START_NS)]))
        second = self.file("dns.fstrm.2", stream([response(1, START_NS + 3_000_000)]))
        for flags, server in (([], "file"), (["--server=ns1"], "ns1")):
            with self.subTest(flags=flags):
                status, page, log = self.read(*flags, first, second)
                self.assertEqual((status, log), (0, ""))
                self.assertEqual(page.by("server", "dnstap_queries_total"), {server: 1})
                self.assertEqual(page.by("server", "dnstap_responses_total"), {server: 1})
                self.assertEqual(page.total("dnstap_response_time_seconds_sum"), 0.003)
                self.assertEqual(page.total("dnstap_unanswered_queries_total"), 0)
                self.assertEqual(page.total("dnstap_unmatched_responses_total"), 0)
                self.assertEqual(page.by("input", "dnstap_frames_total"),
                                 {str(first): 1, str(second): 1})

    def test_an_identity_stays(self):
        path = self.file("a", stream([query(1, START_NS, identity=b"unbound"), query(2, START_NS)]))
        page = self.read("--server=other-one", path)[1]
        self.assertEqual(page.by("server", "dnstap_queries_total"), {"unbound": 1, "other-one": 1})

    def test_joined_without_stop(self):
        """`cat a b` counts both, and says where a ends without STOP."""
        first = control(START, CONTENT_TYPE) + data(query(1, START_NS))
        path = self.file("joined", first + stream([query(2, START_NS), query(3, START_NS)]))
        status, page, log = self.read(path)
        self.assertEqual(page.total("dnstap_queries_total"), 3)
        self.assertEqual((status, log.splitlines()), (1, [
            f"dnstap_exporter: {path}: offset {len(first)}: a recording ends here without STOP"]))

    def test_lists_are_of_all(self):
        """Without --window the lists are of all of the files, with it of the time up to the end."""
        frames = [query(number, START_NS + number * 600 * SECOND) for number in range(100)]
        first, second = (self.file(name, stream(part)) for name, part in
                         (("a", frames[:50]), ("b", frames[50:])))
        page = self.read(first, second)[1]
        self.assertEqual(page.total("dnstap_top_qname_queries"), 100)
        self.assertEqual(page.total("dnstap_queries_total"), 100)
        page = self.read("--window=30m", first, second)[1]
        self.assertIn(page.total("dnstap_top_qname_queries"), (3, 4))
        self.assertEqual(page.total("dnstap_queries_total"), 100)

    def test_not_dnstap(self):
        """One error, and no metrics that would say that nothing happened."""
        sound = self.file("sound", stream([query(1, START_NS)]))
        for name, content in (("empty", b""), ("text", b"# a configuration\n"),
                              ("zeros", bytes(100)), ("pcap", b"\xd4\xc3\xb2\xa1\2\0\4\0"),
                              ("other", control(START, b"text"))):
            with self.subTest(name):
                path = self.file(name, content)
                status, page, log = self.read(path)
                self.assertEqual((status, page.text), (1, ""))
                self.assertEqual(len(log.splitlines()), 1, log)
                self.assertIn(str(path), log)
                status, page, log = self.read(path, sound)
                self.assertEqual((status, page.total("dnstap_queries_total")), (1, 1))
                self.assertEqual(len(log.splitlines()), 1, log)
        status, page, log = self.read(self.folder / "missing")
        self.assertEqual((status, page.text), (1, ""))
        self.assertIn("No such file or directory", log)

    def test_a_recording_without_frames(self):
        status, page, log = self.read(self.file("none", stream([])))
        self.assertEqual((status, page.total("dnstap_frames_total"), log), (0, 0, ""))

    def test_flags_of_read(self):
        for flag, commands in (("--server=a", "read and print"), ("--window=5m", "read")):
            run = subprocess.run([PROGRAM, flag], capture_output=True, timeout=limit(20), check=False)
            self.assertEqual(run.returncode, 2)
            name = flag.partition("=")[0]
            self.assertEqual(run.stderr.decode(),
                             f"dnstap_exporter: {name} goes with {commands} only\n"
                             "See dnstap_exporter --help\n")
        path = self.file("a", stream([query(1, START_NS)]))
        status, page, log = self.read("--server=", path)
        self.assertEqual((status, page.text), (2, ""))
        self.assertIn("--server= needs a name", log)
        status, page, log = self.read("--window=1", path)
        self.assertEqual((status, page.text), (2, ""))
        self.assertIn("--window: expected a duration", log)

    def cpu_seconds(self, path):
        """User time of reading a file."""
        before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
        self.assertEqual(self.read(path)[0], 0)
        return resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before

    def test_work_follows_frames(self):
        """The same frames over a second and over two days take about the same time."""
        paths = []
        for name, step in (("dense", SECOND // 20_000), ("sparse", 10 * SECOND)):
            paths.append(self.file(name, stream(
                query(number, START_NS + number * step) for number in range(20_000))))
        dense, sparse = (min(self.cpu_seconds(path) for _ in range(3)) for path in paths)
        self.assertLess(sparse, 2 * dense + 0.05)


if __name__ == "__main__":
    unittest.main()
