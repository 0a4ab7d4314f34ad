# SPDX-License-Identifier: Apache-2.0
"""The truth: captures of real servers, counted as the files beside them say, to the last frame.

Each capture goes through `read` and through a socket; compressed, by standard input, several at
once, and damaged. Response times agree bucket by bucket with an independent decoder (truth.py).
The folder is tests/captures and whatever the environment variable DNSTAP_CAPTURES names.
"""

import bz2
import contextlib
import functools
import gzip
import ipaddress
import json
import math
import os
import pathlib
import re
import subprocess
import tempfile
import unittest
from collections import Counter

import dns.rdatatype

import truth
from exporter import PROGRAM, Exporter, Page, limit, wait_until
from sender import Sender, data_frames

FOLDERS = [pathlib.Path(__file__).resolve().parent.parent / "captures"]
if os.environ.get("DNSTAP_CAPTURES"):
    FOLDERS.append(pathlib.Path(os.environ["DNSTAP_CAPTURES"]))

FAMILIES = {"INET": "ipv4", "INET6": "ipv6", "None": "unknown"}
# Mnemonics that the counting decoder does not know, and the way it writes opcodes without any.
QTYPES = {"TYPE10": "NULL", "TYPE253": "MAILB"}
OPCODES = {str(number): f"OPCODE{number}" for number in range(16)}


def zstd(content, *flags):
    return subprocess.run(["zstd", "-q", "-c", *flags], input=content, stdout=subprocess.PIPE,
                          check=True).stdout


class Capture:
    """A capture, its counts, and its frames as our independent decoder sees them."""

    def __init__(self, path):
        self.path = path
        self.name = path.name.split(".")[0]
        self.counts = json.loads(path.with_name(self.name + ".json").read_text())

    def __repr__(self):
        return self.name

    @functools.cached_property
    def content(self):
        content = self.path.read_bytes()
        return zstd(content, "-d") if self.path.suffix == ".zst" else content

    @functools.cached_property
    def payloads(self):
        return [payload for _, payload in data_frames(self.content)]

    @functools.cached_property
    def frames(self):
        return [truth.decode(payload) for payload in self.payloads]

    @functools.cached_property
    def response_times(self):
        return truth.ResponseTimes(self.frames)


CAPTURES = [Capture(path) for folder in FOLDERS
            for path in sorted([*folder.glob("*.fstrm"), *folder.glob("*.fstrm.zst")])
            if path.with_name(path.name.split(".")[0] + ".json").exists()]
SMALL = 8  # as many are in the repository
BY_NAME = {capture.name: capture for capture in CAPTURES}


def read(*arguments, content=None):
    """(exit status, page, standard error) of `dnstap_exporter read`."""
    run = subprocess.run([PROGRAM, "read", *map(str, arguments)], input=content, timeout=limit(300),
                         capture_output=True, check=False)
    page = Page(run.stdout.decode())
    page.check_conservation()
    return run.returncode, page, run.stderr.decode()


def about_traffic(page):
    """The page without what tells of the program and of this run of it, such as what its secret
    decides: estimates, and which keys of detectors make room for others; all inputs together."""
    sums = Counter()
    for (name, labels), value in page.samples.items():
        by_secret = name.startswith("dnstap_distinct_") or ("limit", "detection") in labels
        if not by_secret and not name.startswith(("process_", "dnstap_exporter_")):
            sums[name, frozenset(pair for pair in labels if pair[0] != "input")] += value
    return sums


def roles(counts, kind):
    """{role: count} of a table by dnstap type, for one kind of message."""
    return {name.rpartition("_")[0].lower(): count for name, count in counts.items()
            if name.endswith(kind)}


def settled(page):
    """Every response is one of these; the missing ones still wait for their query."""
    return page.total("dnstap_responses_total") == sum(map(page.total, (
        "dnstap_response_time_seconds_count", "dnstap_unmatched_responses_total",
        "dnstap_negative_response_times_total", "dnstap_duplicate_responses_total")))


class Counts(unittest.TestCase):
    """Compare a page with a capture's counts; shared by the ways a capture can come in."""

    def check(self, capture, page):
        self.check_frames(capture, page)
        self.check_queries(capture, page)
        self.check_responses(capture, page)
        self.check_sizes(capture, page)
        self.check_response_times(capture, page)

    def check_frames(self, capture, page):
        counts = capture.counts
        self.assertEqual(page.total("dnstap_frames_total"), counts["data_frames"])
        self.assertEqual(page.total("dnstap_frame_bytes_total"), counts["payload_bytes"])
        self.assertEqual(page.total("dnstap_frames_rejected_total"), 0)
        kinds = {"QUERY": "dnstap_queries_total", "RESPONSE": "dnstap_responses_total"}
        for kind, metric in kinds.items():
            self.assertEqual(page.by("role", metric), roles(counts["by_type"], kind))
        for label, table, rename in (("family", "by_family", FAMILIES.get),
                                     ("transport", "by_protocol", self.transport)):
            seen = Counter()
            for metric in kinds.values():
                seen.update(page.by(label, metric))
            self.assertEqual(seen, {rename(name): n for name, n in counts[table].items()})
        servers = Counter()
        for metric in kinds.values():
            servers.update(page.by("server", metric))
        named = Counter(frame.server.decode() for frame in capture.frames if frame.server)
        self.assertEqual({server: servers[server] for server in named}, named)

    @staticmethod
    def transport(name):
        return {"None": "unknown"}.get(name, name.lower())

    def check_queries(self, capture, page):
        counts = capture.counts
        queries = roles(counts["by_type"], "QUERY")
        for role, total in queries.items():
            types = page.by("qtype", "dnstap_query_types_total", role=role)
            self.assertEqual(sum(types.values()), total)
            for unusable in ("none", "malformed"):
                types.pop(unusable, None)
            by_role = roles(counts["query_qtype_by_type"], "QUERY")
            expected = {QTYPES.get(name, name): n for name, n in by_role.get(role, {}).items()}
            self.assertEqual(types, expected)
        self.assertEqual(page.by("opcode", "dnstap_query_opcodes_total"),
                         {OPCODES.get(name, name): n
                          for name, n in counts["query_opcode"].items()})
        self.assertEqual(page.total("dnstap_query_flags_total", flag="edns"),
                         counts["query_edns"].get("True", 0))
        self.assertEqual(page.total("dnstap_malformed_messages_total", kind="query"),
                         counts["query_unparsable"])

    def check_responses(self, capture, page):
        counts = capture.counts
        responses = [frame for frame in capture.frames if frame.kind == "response"]
        extended = {(frame.role, frame.extended_rcode): 0 for frame in responses}
        for frame in responses:
            extended[frame.role, frame.extended_rcode] += 1
        codes = page.by("rcode", "dnstap_response_codes_total")
        legible = sum(counts["response_rcode_extended"].values())
        self.assertEqual(codes.pop("malformed", 0), len(responses) - legible)
        self.assertEqual(codes, counts["response_rcode_extended"])
        for role, by_header in roles(counts["response_rcode_by_type"], "RESPONSE").items():
            codes = page.by("rcode", "dnstap_response_codes_total", role=role)
            codes.pop("malformed", 0)
            self.assertEqual(sum(codes.values()), sum(by_header.values()))
            self.assertEqual(sorted(codes.values()), sorted(
                n for (of, rcode), n in extended.items() if of == role and rcode is not None))
        self.assertEqual(page.total("dnstap_response_flags_total", flag="tc"),
                         counts["response_tc"])
        self.assertEqual(page.total("dnstap_malformed_messages_total", kind="response"),
                         counts["response_unparsable"])
        self.assertEqual(page.total("dnstap_response_outcomes_total"), len(responses))

    def check_sizes(self, capture, page):
        for kind in ("query", "response"):
            sizes = [len(getattr(frame.message, f"{kind}_message")) for frame in capture.frames
                     if frame.kind == kind]
            metric = f"dnstap_{kind}_size_bytes"
            self.assertEqual(page.total(metric + "_sum"), sum(sizes))
            self.assertEqual(page.total(metric + "_bucket", le="+Inf"), len(sizes))

    def check_response_times(self, capture, page):
        """Bucket by bucket, and no response unaccounted for."""
        times = capture.response_times
        self.assertTrue(settled(page))
        bounds = [bound / 10**9 for bound in truth.BOUNDS_NS] + [float("inf")]
        for server, role in {(frame.server, frame.role) for frame in capture.frames}:
            labels = {"role": role, **({"server": server.decode()} if server else {})}
            with self.subTest(**labels):
                buckets = {float(labels["le"]): value for labels, value in
                           page.select("dnstap_response_time_seconds_bucket", **labels)}
                self.assertEqual([buckets.pop(bound) for bound in bounds],
                                 times.buckets((server, role)))
                self.assertEqual(buckets, {})
                self.assertEqual(page.total("dnstap_unmatched_responses_total", **labels),
                                 times.unmatched[server, role])
                self.assertEqual(page.total("dnstap_negative_response_times_total", **labels),
                                 times.negative[server, role])
                self.assertEqual(page.total("dnstap_duplicate_responses_total", **labels),
                                 times.duplicates[server, role])
                self.assertAlmostEqual(page.total("dnstap_response_time_seconds_sum", **labels),
                                       sum(times.samples[server, role]) / 10**9, places=6)


class Files(Counts):
    """Captures through `dnstap_exporter read`."""

    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))

    def test_captures(self):
        for capture in CAPTURES:
            with self.subTest(capture=capture):
                status, page, log = read(capture.path)
                # The large captures hold real bursts.
                complaints = [line for line in log.splitlines() if "NXDOMAIN burst" not in line]
                self.assertEqual((status, complaints), (0, []))
                self.check(capture, page)

    def test_compressed(self):
        """Plain, gzip and zstd are recognised by their content and give the same page."""
        file = self.folder / "capture"
        for capture in CAPTURES[:SMALL]:
            with self.subTest(capture=capture):
                pages = []
                for pack in (bytes, functools.partial(gzip.compress, compresslevel=1), zstd):
                    file.write_bytes(pack(capture.content))
                    status, page, complaint = read(file)
                    self.assertEqual((status, complaint), (0, ""))
                    pages.append(about_traffic(page))
                self.assertEqual(pages[0], pages[1])
                self.assertEqual(pages[0], pages[2])

    def test_standard_input(self):
        capture = BY_NAME["knot-small"]
        for content in (capture.content, gzip.compress(capture.content), zstd(capture.content)):
            status, page, _ = read("-", content=content)
            self.assertEqual(status, 0)
            self.check(capture, page)

    def test_members_in_a_row(self):
        """gzip and zstd files may be concatenations, as log rotation makes them."""
        capture = BY_NAME["knot-small"]
        half = len(capture.content) // 2
        parts = capture.content[:half], capture.content[half:]
        for pack in (gzip.compress, zstd):
            status, page, complaint = read("-", content=b"".join(map(pack, parts)))
            self.assertEqual((status, complaint), (0, ""))
            self.check(capture, page)

    def test_several_files(self):
        """The page of several files is the sum of theirs, but for the lists, which are of a window."""
        captures = CAPTURES[:SMALL]
        status, together, _ = read(*(capture.path for capture in captures))
        self.assertEqual(status, 0)
        total = Counter()
        for capture in captures:
            total.update(about_traffic(read(capture.path)[1]))
        for key, value in about_traffic(together).items():
            if not key[0].startswith("dnstap_top_"):
                self.assertAlmostEqual(value, total[key], places=6, msg=key)


class Answers(unittest.TestCase):
    """What `answers: true` counts, record by record as our decoder reads them."""

    PRIVATE = [ipaddress.ip_network(network) for network in (
        "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "100.64.0.0/10", "fc00::/7", "fe80::/10")]
    BOUNDS = [0, 1, 5, 30, 60, 300, 900, 3600, 14400, 86400, 172800, float("inf")]  # seconds
    TTL_MAX = 7 * 24 * 3600

    def setUp(self):
        self.config = self.enterContext(tempfile.NamedTemporaryFile("w", suffix=".yml"))
        self.config.write("answers: true\n")
        self.config.flush()

    def is_private(self, rtype, data):
        if (rtype, len(data)) not in ((1, 4), (28, 16)):
            return False
        address = ipaddress.ip_address(data)
        address = getattr(address, "ipv4_mapped", None) or address
        return any(address in network for network in self.PRIVATE if network.version == address.version)

    def check(self, capture, page):
        types, ttls, private = Counter(), {}, Counter()
        for frame in capture.frames:
            if frame.kind == "response" and frame.answers and frame.header[1] >> 11 & 15 == 0:
                types.update((frame.role, dns.rdatatype.to_text(rtype)) for rtype, _, _ in frame.answers)
                ttls.setdefault(frame.role, []).append(
                    min(self.TTL_MAX, *(ttl for _, ttl, _ in frame.answers)))
                private[frame.role] += sum(self.is_private(rtype, data) for rtype, _, data in frame.answers)
        self.assertGreater(sum(types.values()), 0)
        for role in {frame.role for frame in capture.frames}:
            self.assertEqual(page.by("type", "dnstap_answer_records_total", role=role),
                             {name: count for (of, name), count in types.items() if of == role})
            self.assertEqual(page.total("dnstap_answer_private_addresses_total", role=role), private[role])
            least = ttls.get(role, [])
            self.assertEqual(page.total("dnstap_answer_ttl_seconds_sum", role=role), sum(least))
            self.assertEqual(page.total("dnstap_answer_ttl_seconds_count", role=role), len(least))
            for bound in self.BOUNDS:
                le = "+Inf" if math.isinf(bound) else str(bound)
                self.assertEqual(page.total("dnstap_answer_ttl_seconds_bucket", role=role, le=le),
                                 sum(ttl <= bound for ttl in least))

    def test_captures(self):
        for capture in CAPTURES:
            with self.subTest(capture=capture):
                status, page, _ = read(f"--config.file={self.config.name}", capture.path)
                self.assertEqual(status, 0)
                self.check(capture, page)

    def test_nothing_else_changes(self):
        """With them off the families are not there; everything else is the same."""
        capture = BY_NAME["unbound-small"]
        pages = [about_traffic(read(*flags, capture.path)[1])
                 for flags in ([], [f"--config.file={self.config.name}"])]
        of_answers = {key for key in pages[1] if key[0].startswith("dnstap_answer_")}
        self.assertTrue(of_answers)
        self.assertEqual(pages[0], {key: value for key, value in pages[1].items() if key not in of_answers})

    def test_socket(self):
        """And of a running service, of a capture that is sent twice."""
        capture = BY_NAME["unbound-small"]
        with Exporter('inputs: [{name: unix, unix: "{dir}/dnstap.sock"}]\nanswers: true\n') as exporter:
            for _ in range(2):
                Sender(exporter.socket).send_all(capture.payloads)
            page = exporter.scrape()
        self.assertEqual(page.total("dnstap_answer_records_total"), 2 * sum(
            len(frame.answers) for frame in capture.frames
            if frame.kind == "response" and frame.header and frame.header[1] >> 11 & 15 == 0))

    def test_memory(self):
        """--config.check has their memory in its sum."""
        def total(*flags):
            done = subprocess.run([PROGRAM, "--config.check", *flags], check=True, capture_output=True, text=True)
            return max(float(number) for number in re.findall(r"([\d.]+) MiB", done.stdout))
        self.assertGreater(total(f"--config.file={self.config.name}"), total() + 1)


class Damage(unittest.TestCase):
    """Files that are not whole: the sound part is printed, the damage named, the status is 1."""

    def setUp(self):
        self.capture = BY_NAME["knot-small"]
        self.content = self.capture.content
        self.offsets = [offset for offset, _ in data_frames(self.content)]
        self.file = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()), "damaged")

    def read_damaged(self, content):
        """(frames that counted, offset named) of a damaged file."""
        self.file.write_bytes(content)
        status, page, complaint = read(self.file)
        self.assertEqual(status, 1, complaint)
        self.assertIn(str(self.file), complaint)
        named = re.search(r"offset (\d+)", complaint)
        self.assertTrue(named, complaint)
        counted = page.total("dnstap_queries_total") + page.total("dnstap_responses_total")
        return counted, int(named[1])

    def test_truncated(self):
        """Cut inside the first control frame, a length, a payload, the last control frame."""
        cuts = {0: [1, 7, 30], 100: [1, 3, 4, 5], 1000: [60], len(self.offsets) - 1: [3]}
        for frame, places in cuts.items():
            start = self.offsets[frame] if frame else 0
            for place in places:
                with self.subTest(frame=frame, place=place):
                    counted, offset = self.read_damaged(self.content[:start + place])
                    self.assertEqual(counted, frame)
                    self.assertTrue(start <= offset <= start + place, offset)
        with self.subTest("inside STOP"):
            counted, offset = self.read_damaged(self.content[:-3])
            self.assertEqual(counted, len(self.offsets))
            self.assertTrue(len(self.content) - 12 <= offset <= len(self.content) - 3, offset)

    def test_damaged_length(self):
        """One byte of a length: from there on nothing can be told apart any more."""
        for frame in (0, 1, 700, len(self.offsets) - 1):
            with self.subTest(frame=frame):
                start = self.offsets[frame]
                content = bytearray(self.content)
                content[start] = 0xff
                counted, offset = self.read_damaged(content)
                self.assertEqual(counted, frame)
                self.assertTrue(start <= offset <= len(content), offset)

    def test_damaged_start(self):
        for place, value in ((3, 1), (7, 0), (11, 77), (11, 3), (20, 88), (30, 88)):
            with self.subTest(place=place):
                content = bytearray(self.content)
                content[place] = value
                counted, offset = self.read_damaged(content)
                self.assertEqual(counted, 0)
                self.assertLessEqual(offset, self.offsets[0])

    def test_damaged_payload(self):
        """A frame that is rejected is damage too; all those around it count."""
        start = self.offsets[500]
        content = bytearray(self.content)
        content[start + 4] = 0xff  # its first tag becomes a field with a foreign type
        counted, offset = self.read_damaged(content)
        self.assertEqual((counted, offset), (len(self.offsets) - 1, start))

    def test_damaged_compression(self):
        for pack in (gzip.compress, zstd):
            with self.subTest(pack=pack):
                packed = pack(self.content)
                truncated, _ = self.read_damaged(packed[:len(packed) // 2])
                self.assertTrue(0 < truncated < len(self.offsets), truncated)
                damaged = bytearray(packed)
                damaged[len(packed) // 2] ^= 0xff
                self.read_damaged(damaged)

    def test_not_a_capture(self):
        for content in (b"", b"PK\3\4", b"<html></html>", bytes(100), bz2.compress(self.content)):
            with self.subTest(content=content[:8]):
                self.assertEqual(self.read_damaged(content)[0], 0)

    def test_damage_does_not_stop_the_next_file(self):
        """Nor does a file that is not there."""
        self.file.write_bytes(self.content[:-20])
        missing = self.file.with_name("missing")
        status, page, complaint = read(missing, self.file, self.capture.path)
        self.assertEqual(status, 1)
        self.assertIn(str(missing), complaint)
        self.assertEqual(page.total("dnstap_frames_total"), 2 * len(self.offsets) - 1)


class Live(Counts):
    """Captures through a socket, as the server would have sent them."""

    def test_captures(self):
        with contextlib.ExitStack() as stack:
            running = []
            for capture in CAPTURES:
                exporter = stack.enter_context(Exporter())
                Sender(exporter.socket, timeout=120).send_all(capture.payloads)
                running.append((capture, exporter))
            for capture, exporter in running:
                with self.subTest(capture=capture):
                    page = wait_until(lambda: self.settled_page(exporter), 20, "settling")
                    self.check(capture, page)

    @staticmethod
    def settled_page(exporter):
        page = exporter.scrape()
        return page if settled(page) else None

    def test_one_way(self):
        """Unbound with `dnstap-bidirectional: no` sends START at once; and over TCP."""
        capture = BY_NAME["unbound-small"]
        with Exporter() as exporter:
            Sender(exporter.socket).send_all(capture.payloads, bidirectional=False)
            self.check(capture, wait_until(lambda: self.settled_page(exporter), 20, "settling"))


if __name__ == "__main__":
    unittest.main()
