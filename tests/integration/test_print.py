# SPDX-License-Identifier: Apache-2.0
"""`dnstap_exporter print` on captures of real servers, against an independent decoder (decoder.py): every member of
every line, every filter, all four formats; and on frames, files and arguments that are wrong."""

import contextlib
import functools
import gzip
import itertools
import json
import os
import pathlib
import random
import re
import resource
import signal
import subprocess
import tempfile
import threading
import time
import unittest

import decoder
from exporter import PROGRAM, limit, wait_until
from sender import (CONTENT_TYPE, START, STOP, control, data, dns_message, dns_response, dnstap_frame, payloads_of,
                    stream)
from truth import messages

FOLDERS = [pathlib.Path(__file__).resolve().parent.parent / "captures"]
if os.environ.get("DNSTAP_CAPTURES"):
    FOLDERS.append(pathlib.Path(os.environ["DNSTAP_CAPTURES"]))
SMALL = 10**6  # bytes of the captures in the repository, none of which is larger

# Members stand in this order.
ORDER = {
    "": ["@timestamp", "network", "observer", "client", "server", "event", "dns", "dnstap"],
    "observer": ["name", "version"],
    "client": ["ip", "port"],
    "network": ["protocol", "transport", "type"],
    "dns": ["type", "id", "op_code", "header_flags", "response_code", "question", "answers", "resolved_ip"],
    "question": ["name", "type", "class"],
    "answers": ["name", "type", "class", "ttl", "data"],
    "dnstap": ["type", "transport", "query_time", "response_time", "message_size", "malformed", "authorities",
               "additionals"],
}


def zstd(content, *flags):
    return subprocess.run(["zstd", "-q", "-c", *flags], input=content, stdout=subprocess.PIPE, check=True).stdout


class Capture:
    """A recording, and what the independent decoder makes of it."""

    def __init__(self, path):
        self.path = path

    def __repr__(self):
        return self.path.name

    @functools.cached_property
    def content(self):
        content = self.path.read_bytes()
        return zstd(content, "-d") if self.path.suffix == ".zst" else content

    @functools.cached_property
    def payloads(self):
        return payloads_of(self.content)

    @functools.cached_property
    def messages(self):
        return list(map(decoder.message_of, self.payloads))


CAPTURES = [Capture(path) for folder in FOLDERS
            for path in sorted([*folder.rglob("*.fstrm"), *folder.rglob("*.fstrm.zst")])]
BY_NAME = {capture.path.name.split(".")[0]: capture for capture in CAPTURES}


def run(*arguments, content=None, status=0, log=""):
    """Standard output of `print`, whose exit status and standard error have to be these."""
    done = subprocess.run([PROGRAM, "print", *map(str, arguments)], input=content, capture_output=True, check=False,
                          timeout=limit(300))
    assert (done.returncode, done.stderr.decode()) == (status, log), (done.returncode, done.stderr.decode()[:2000])
    return done.stdout


def lines_of(*arguments, **expected):
    """The objects of JSON lines."""
    return list(map(json.loads, run(*arguments, **expected).splitlines()))


def comparable(line):
    """An object without empty arrays, and without the data of records that the decoder does not print."""
    found = decoder.without_nothing(line)
    dns, dnstap = found.get("dns", {}), found.get("dnstap", {})
    for records in dns.get("answers", ()), dnstap.get("authorities", ()), dnstap.get("additionals", ()):
        for record in records:
            if record["type"] in decoder.OTHER_DATA:
                assert record["data"], record
                record["data"] = None
    return found


class Case(unittest.TestCase):

    maxDiff = 4000

    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))

    def file(self, name, content):
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
        return path

    def check(self, found, expected):
        """Lines against messages, one by one: a difference of lists would be unreadable."""
        for number, (line, message) in enumerate(zip(found, expected)):
            self.assertEqual(comparable(line), message.as_json(), f"line {number + 1}")
        self.assertEqual(len(found), len(expected))


class Json(Case):

    def test_captures(self):
        for capture in CAPTURES:
            with self.subTest(capture=capture):
                self.check(lines_of(capture.path), capture.messages)

    def test_order_of_members(self):
        def check(name, value):
            if isinstance(value, dict):
                order = ORDER.get({"server": "client", "authorities": "answers", "additionals": "answers"}.get(name, name))
                if order:
                    places = list(map(order.index, value))
                    self.assertEqual(places, sorted(places), value)
                for member, inner in value.items():
                    check(member, inner)
            elif isinstance(value, list):
                for inner in value:
                    check(name, inner)

        for line in lines_of(BY_NAME["unbound-small"].path, BY_NAME["bind-small"].path):
            check("", line)

    def test_every_byte(self):
        """Bytes of all values in names, in strings and in the server's identity."""
        frames, names, texts = [], [], []
        for byte in range(256):
            label = bytes([byte, byte, ord("x")])
            data = bytes([3]) + label
            question = data + b"\0" + b"\0\x10\0\1"
            message = (b"\0\0\x81\x80\0\1\0\1\0\0\0\0" + question + b"\xc0\x0c\0\x10\0\1\0\0\1\x2c\0\4" + data)
            frames.append(dnstap_frame(message, "CLIENT_RESPONSE", bytes([byte, ord("i")]), when_ns=decoder.SECOND))
            names.append(decoder.name_text((label.lower(),)))
            texts.append(decoder.quoted(label))
        path = self.file("bytes", stream(frames))
        output = run(path)
        self.assertTrue(all(0x20 <= byte < 0x7f or byte == 0x0a for byte in output), "not ASCII")
        lines = list(map(json.loads, output.splitlines()))
        self.assertEqual([line["dns"]["question"]["name"] for line in lines], names)
        self.assertEqual([line["dns"]["answers"][0]["data"] for line in lines], texts)
        servers = [line["observer"]["name"] for line in lines]
        self.assertEqual(len(set(servers)), 256)
        self.assertEqual([servers[byte] for byte in b"Ab~ "], ["Ai", "bi", "~i", " i"])
        for line in run("--format=text", path).decode().splitlines():
            self.assertEqual(len(line.split(" ", 10)), 11, line)
            self.assertEqual(line.split(" ")[3:5], ["CLIENT_RESPONSE", "udp"], line)

    def test_mutations(self):
        """Frames with damaged bytes: each that is a dnstap message is a line of valid JSON in its place."""
        chance = random.Random(19)
        frames = []
        for capture in CAPTURES:
            if len(capture.content) > SMALL:
                continue
            for payload in chance.sample(capture.payloads, min(700, len(capture.payloads))):
                mutated = bytearray(payload)
                for _ in range(chance.choice((1, 1, 2, 8))):
                    mutated[chance.randrange(len(mutated))] = chance.choice((0, 0xff, 0xc0, chance.randrange(256)))
                frames.append(bytes(mutated))
        frames += [payload[:chance.randrange(1, len(payload))] for payload in BY_NAME["nsd-small"].payloads]
        expected = [message for message in map(decoder.message_of, frames) if message]
        self.assertGreater(len(expected), 5000)
        self.assertGreater(len(frames) - len(expected), 500)
        path = self.file("mutated", stream(frames))
        done = subprocess.run([PROGRAM, "print", path], capture_output=True, check=False, timeout=limit(120))
        self.check([json.loads(line) for line in done.stdout.decode("ascii").splitlines()], expected)
        log = done.stderr.decode().splitlines()
        self.assertEqual(len(log), 1, log[:3])
        self.assertIn(str(len(frames) - len(expected)), log[0])
        # The other formats show the same messages, and frames keeps their bytes.
        for which in "text", "pdns":
            done = subprocess.run([PROGRAM, "print", f"--format={which}", path], capture_output=True, check=False,
                                  timeout=limit(120))
            lines = done.stdout.decode("ascii").splitlines()
            if which == "text":
                self.assertEqual(len(lines), len(expected))
            else:
                self.assertTrue(all(map(json.loads, lines)))
        done = subprocess.run([PROGRAM, "print", "--format=frames", path], capture_output=True, check=False,
                              timeout=limit(120))
        self.assertEqual(payloads_of(done.stdout), [frame for frame in frames if decoder.message_of(frame)])

    def test_times(self):
        """What is there of a query's and a response's time."""
        message = messages()["dnstap.Dnstap"].FromString(dnstap_frame(dns_response(), "CLIENT_RESPONSE", when_ns=0))
        frames = []
        for query, response in ((None, None), (5, None), (None, 7), (5, 7), (7, 5), (5, 5)):
            for side, seconds in (("query", query), ("response", response)):
                message.message.ClearField(f"{side}_time_sec")
                message.message.ClearField(f"{side}_time_nsec")
                if seconds is not None:
                    setattr(message.message, f"{side}_time_sec", seconds)
                    setattr(message.message, f"{side}_time_nsec", 42)
            frames.append(message.SerializeToString())
        path = self.file("times", stream(frames))
        self.check(lines_of(path), list(map(decoder.message_of, frames)))
        stamps = [line.split()[0] for line in run("--format=text", path).decode().splitlines()]
        five, seven = (f"1970-01-01T00:00:0{second}.000000042Z" for second in (5, 7))
        self.assertEqual(stamps, ["-", five, seven, seven, five, five])
        # A message without a time is in no span of time.
        self.assertEqual(len(lines_of("--from=1970-01-01T00:00:01Z", path)), 5)
        self.assertEqual(len(lines_of("--until=2100-01-01T00:00:00Z", path)), 5)
        self.assertEqual(len(lines_of("--slow=2s", path)), 1)


class Filters(Case):

    ALONE = {
        "client": ("127.0.0.1", "127.0.0.0/8", "::1", "2001:db8::/32", "0.0.0.0/0", "::/0", "192.0.2.1"),
        "name": ("com", "example", "example.com", "EXAMPLE.com.", ".", "nowhere.invalid", "arpa"),
        "type": ("A", "AAAA", "aaaa", "TXT", "TYPE65400", "ANY", "HTTPS"),
        "rcode": ("NOERROR", "NXDOMAIN", "servfail", "BADVERS", "RCODE15", "REFUSED"),
        "role": tuple(decoder.ROLES),
        "answer": ("192.0.2.0/24", "0.0.0.0/0", "::/0", "example", ".", "nowhere.invalid", "127.0.0.1"),
        "slow": ("1ms", "3ms", "50ms", "1s"),
    }

    def setUp(self):
        super().setUp()
        self.captures = [capture for capture in CAPTURES if len(capture.content) <= SMALL]

    def check_filters(self, capture, filters):
        """A run of the command, and how many messages matched."""
        flags = [f"--{which}={value}" for which, value in filters]
        expected = decoder.matching(capture.messages, filters)
        with self.subTest(capture=capture, flags=flags):
            self.check(lines_of(*flags, capture.path), expected)
        return len(expected)

    def test_each_alone(self):
        for which, values in self.ALONE.items():
            matched = sum(self.check_filters(capture, [(which, value)])
                          for capture in self.captures[:8] for value in values)
            self.assertGreater(matched, 0, which)

    def test_values_of_captures(self):
        """Values that are in the capture: names, answers, identities and times."""
        chance = random.Random(3)
        for capture in self.captures:
            times = sorted(message.time_ns for message in capture.messages if message.time_ns)
            middle, late = (decoder.time_text(times[len(times) * part // 4]) for part in (2, 3))
            self.assertGreater(self.check_filters(capture, [("from", middle)]), 0)
            self.assertGreater(self.check_filters(capture, [("until", middle)]), 0)
            self.check_filters(capture, [("from", middle), ("until", late)])
            for identity in {message.identity for message in capture.messages if message.identity}:
                self.assertGreater(self.check_filters(capture, [("server", identity.decode())]), 0)
            asked = [message for message in capture.messages if message.question and message.question[0]]
            answered = [record for message in capture.messages for record in message.records
                        if record.section == "answers" and message.kind == "response"]
            for message in chance.sample(asked, 4):
                labels = message.question[0]
                self.check_filters(capture, [("name", decoder.name_text(labels[chance.randrange(len(labels)):]))])
            addresses = [record.address for record in answered if record.address]
            targets = [record.target for record in answered if record.target]
            for address in chance.sample(addresses, min(2, len(addresses))):
                self.assertGreater(self.check_filters(capture, [("answer", str(address))]), 0)
            for target in chance.sample(targets, min(3, len(targets))):
                self.assertGreater(self.check_filters(capture, [("answer", decoder.name_text(target))]), 0)

    def test_combinations(self):
        """Two and three at a time, and several values of one."""
        chance = random.Random(4)
        matched = 0
        for _ in range(120):
            filters = []
            for which in chance.sample(sorted(self.ALONE), chance.choice((1, 2, 2, 3))):
                filters += [(which, value) for value in chance.sample(
                    self.ALONE[which], 1 if which == "slow" else chance.choice((1, 2, 3)))]
            matched += self.check_filters(chance.choice(self.captures), filters) > 0
        self.assertGreater(matched, 15)

    def test_separate_values(self):
        """`--flag VALUE` is `--flag=VALUE`."""
        path = BY_NAME["unbound-small"].path
        for which, value in (("client", "127.0.0.1"), ("type", "AAAA"), ("limit", "7"), ("format", "text")):
            self.assertEqual(run(f"--{which}", value, path), run(f"--{which}={value}", path))

    def test_until_is_exclusive(self):
        frames = [dnstap_frame(dns_message(number=n), when_ns=(1_800_000_000 + n) * 10**9) for n in range(3)]
        path = self.file("three", stream(frames))
        second = decoder.time_text(1_800_000_001 * 10**9)
        for flag, ids in (("from", ["1", "2"]), ("until", ["0"])):
            for value in second, second.replace(".000000000Z", "Z"), second.replace(".000000000Z", "+00:00"):
                self.assertEqual([line["dns"]["id"] for line in lines_of(f"--{flag}={value}", path)], ids)
        # The same moment in another zone.
        elsewhere = "2027-01-15T10:00:01+02:00"
        self.assertEqual(decoder.nanoseconds("2027-01-15T08:00:01Z"), 1_800_000_001 * 10**9)
        self.assertEqual([line["dns"]["id"] for line in lines_of(f"--until={elsewhere}", path)], ["0"])

    def test_time_ago(self):
        now = time.time_ns()
        frames = [dnstap_frame(dns_message(number=hours), when_ns=now - hours * 3600 * 10**9) for hours in (5, 3, 1)]
        path = self.file("ago", stream(frames))
        self.assertEqual([line["dns"]["id"] for line in lines_of("--from=-4h", path)], ["3", "1"])
        self.assertEqual([line["dns"]["id"] for line in lines_of("--from", "-4h", "--until", "-2h", path)], ["3"])

    def test_limit(self):
        capture = BY_NAME["knot-small"]
        expected = run(capture.path).splitlines()
        for count in 1, 2, 100, len(expected), len(expected) + 1:
            self.assertEqual(run(f"--limit={count}", capture.path).splitlines(), expected[:count])
        both = run("--limit=2000", capture.path, capture.path).splitlines()
        self.assertEqual(both, (expected + expected)[:2000])
        answers = run("--rcode=NXDOMAIN", capture.path).splitlines()
        self.assertGreater(len(answers), 5)
        self.assertEqual(run("--rcode=NXDOMAIN", "--limit=5", capture.path).splitlines(), answers[:5])
        limited = run("--limit=10", "--format=frames", capture.path)
        self.assertEqual(payloads_of(limited), capture.payloads[:10])

    def test_values_that_are_wrong(self):
        path = BY_NAME["knot-small"].path
        wrong = {
            "client": ("300.1.1.1", "example.com", "192.0.2.0/33", ""), "name": ("a..b", "x" * 64, ""),
            "type": ("NOTYPE", "TYPE65536", ""), "rcode": ("NOCODE", "RCODE4096", ""), "role": ("CLIENT_QUERY", "server", ""),
            "answer": ("192.0.2.0/33", "a..b", ""), "server": ("",),
            "from": ("yesterday", "2026-13-01T00:00:00Z", "2026-11-29T25:00:00Z", "-", ""), "until": ("noon", "-2x"),
            "slow": ("fast", "-1s", ""), "limit": ("none", "-1", "1.5", ""), "format": ("xml", ""),
        }
        for which, values in wrong.items():
            for value in values:
                with self.subTest(flag=which, value=value):
                    done = subprocess.run([PROGRAM, "print", f"--{which}={value}", path], capture_output=True,
                                          check=False, timeout=limit(30))
                    log = done.stderr.decode()
                    self.assertEqual((done.returncode, done.stdout), (2, b""), log)
                    self.assertIn(f"--{which}", log)
                    self.assertRegex(log, "expected|needs")

    def test_seventeen_values(self):
        path = BY_NAME["knot-small"].path
        flags = [f"--client=192.0.2.{n}" for n in range(16)]
        self.assertEqual(run(*flags, path), b"")
        done = subprocess.run([PROGRAM, "print", *flags, "--client=192.0.2.16", path], capture_output=True, check=False,
                              timeout=limit(30))
        self.assertEqual((done.returncode, done.stdout), (2, b""))
        self.assertIn("--client", done.stderr.decode())
        self.assertIn("16", done.stderr.decode())

    def test_flags_of_print(self):
        """They go with nothing else."""
        for which in (*self.ALONE, "server", "from", "until", "limit", "format"):
            if which == "server":
                continue  # a flag of read, too
            done = subprocess.run([PROGRAM, f"--{which}=1"], capture_output=True, check=False, timeout=limit(30))
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertIn(f"--{which}", done.stderr.decode())


class Formats(Case):

    def test_text(self):
        for capture in CAPTURES:
            if len(capture.content) > SMALL:
                continue
            with self.subTest(capture=capture):
                lines = run("--format=text", capture.path).decode("ascii").splitlines()
                self.assertEqual(len(lines), len(capture.messages))
                for line, message in zip(lines, capture.messages):
                    self.check_columns(line, message)

    def check_columns(self, line, message):
        *columns, duration, answers = line.split(" ", 10)
        labels, qtype, _ = message.question or (None, None, None)
        self.assertEqual(columns, [
            decoder.time_text(message.time_ns) or "-", decoder.address_text(message.query_address) or "-",
            decoder.text_of(message.identity) or "-", message.dnstap_type, message.transport or "unknown",
            str(len(message.wire or b"")), "-" if labels is None else decoder.name_text(labels),
            "-" if labels is None else decoder.type_name(qtype),
            decoder.rcode_text(message.rcode) if message.kind == "response" and message.flags is not None else "-"], line)
        self.check_duration(duration, message.duration_ns, line)
        records = [record for record in message.records if record.section == "answers"]
        if all(record.data is not None for record in records):
            self.assertEqual(answers, ", ".join(f"{decoder.type_name(record.rtype)} {record.data}" for record in records)
                             or "-", line)

    def check_duration(self, text, duration_ns, line):
        if duration_ns is None:
            self.assertEqual(text, "-", line)
            return
        self.assertRegex(text, r"^\d+\.\d{3}ms$", line)
        self.assertEqual(int(text.removesuffix("ms").replace(".", "")), duration_ns // 1000, line)

    def test_frames(self):
        """Everything is frame for frame what went in; the result, printed again, is the same."""
        for capture in CAPTURES:
            with self.subTest(capture=capture):
                output = run("--format=frames", capture.path)
                self.assertEqual(output, stream(capture.payloads))
                again = self.file("again", output)
                self.assertEqual(run("--format=frames", again), output)
                self.assertEqual(run("--format=text", again), run("--format=text", capture.path))

    def test_frames_of_filters(self):
        capture = BY_NAME["unbound-small"]
        for flags in (["--role=resolver"], ["--type=AAAA", "--rcode=NOERROR"], ["--name=nowhere.invalid"]):
            with self.subTest(flags=flags):
                output = run("--format=frames", *flags, capture.path)
                filters = [tuple(flag.removeprefix("--").split("=")) for flag in flags]
                expected = [payload for payload, message in zip(capture.payloads, capture.messages)
                            if decoder.matching([message], filters)]
                self.assertEqual(output, stream(expected))
                self.assertEqual(run("-", content=output), run(*flags, capture.path))

    def test_passive_dns(self):
        for capture in CAPTURES:
            with self.subTest(capture=capture):
                self.check_passive_dns(lines_of("--format=pdns", capture.path), capture.messages)

    def check_passive_dns(self, found, messages_of_it):
        expected = decoder.passive_dns(messages_of_it)
        for line in found:
            self.assertEqual(list(line), ["rrname", "rrtype", "rdata", "time_first", "time_last", "count"])
        # The decoder does not print the data of some types: without them, and how many records they are.
        known = [line for line in found if line["rrtype"] not in decoder.OTHER_DATA]
        self.assertEqual(known, [line for line in expected if line["rdata"] is not None])
        self.assertEqual(sum(line["count"] for line in found), sum(line["count"] for line in expected))

    def test_passive_dns_of_several(self):
        """One result of all files, and of the messages that match."""
        captures = [capture for capture in CAPTURES if len(capture.content) <= SMALL]
        everything = list(itertools.chain.from_iterable(capture.messages for capture in captures))
        paths = [capture.path for capture in captures]
        self.check_passive_dns(lines_of("--format=pdns", *paths), everything)
        filters = [("role", "client"), ("type", "A")]
        self.check_passive_dns(lines_of("--format=pdns", "--role=client", "--type=A", *paths),
                               decoder.matching(everything, filters))


class Files(Case):

    def test_compressed(self):
        capture = BY_NAME["kresd-small"]
        expected = run(capture.path)
        for name, content in (("a.fstrm.gz", gzip.compress(capture.content)), ("a.fstrm.zst", zstd(capture.content)),
                              ("no-suffix", zstd(capture.content)),
                              ("parts", gzip.compress(capture.content[:70_000]) + gzip.compress(capture.content[70_000:]))):
            self.assertEqual(run(self.file(name, content)), expected)
            self.assertEqual(run("-", content=content), expected)
        self.assertEqual(run("-", content=capture.content), expected)

    def test_order(self):
        """Several files come in the order given, however long each takes."""
        names = ["kdig-tool", "unbound-small", "knot-small", "kdig-tool", "bind-small", "nsd-small"]
        paths = [BY_NAME[name].path for name in names]
        for which in "json", "text":
            parts = [run(f"--format={which}", path) for path in paths]
            for _ in range(3):
                self.assertEqual(run(f"--format={which}", *paths), b"".join(parts))
        output = run("--format=frames", *paths)
        self.assertEqual(output, stream(itertools.chain.from_iterable(BY_NAME[name].payloads for name in names)))

    def test_many_files(self):
        """More than there are threads, in the order of their numbers."""
        frames = [[dnstap_frame(dns_message(number=file * 8 + n), when_ns=10**18) for n in range(file % 8)]
                  for file in range(200)]
        paths = [self.file(f"many{n}", stream(some)) for n, some in enumerate(frames)]
        numbers = [int(line["dns"]["id"]) for line in lines_of(*paths)]
        self.assertEqual(numbers, [file * 8 + n for file in range(200) for n in range(file % 8)])

    def test_folder(self):
        """Its recordings in the order of their names, and nothing else that is there."""
        def frame(number):
            return stream([dnstap_frame(dns_message(number=number), when_ns=10**18)])

        for name, content in (("archive/b.fstrm", frame(2)), ("archive/a.fstrm.zst", zstd(frame(1))),
                              ("archive/c.fstrm.gz", gzip.compress(frame(3))), ("archive/B.fstrm", frame(0)),
                              ("archive/a.fstrm.zst.index", b"an index"), ("archive/README", b"not dnstap\n"),
                              ("last", frame(4))):
            self.file(name, content)
        (self.folder / "archive/d.fstrm").mkdir()
        folder, last = self.folder / "archive", self.folder / "last"
        self.assertEqual([line["dns"]["id"] for line in lines_of(folder)], list("0123"))
        self.assertEqual([line["dns"]["id"] for line in lines_of(last, folder, last)], list("401234"))
        self.assertEqual([line["dns"]["id"] for line in lines_of("--limit=2", folder)], list("01"))

    def test_progress(self):
        """On a terminal it is shown, and gone at the end; the output is as without."""
        controller, terminal = os.openpty()
        path = self.folder / "many.fstrm"
        path.write_bytes(b"".join(capture.path.read_bytes() for capture in CAPTURES if capture.path.suffix == ".fstrm") * 10)
        with subprocess.Popen([PROGRAM, "print", path, path], stdout=subprocess.PIPE, stderr=terminal) as process:
            os.close(terminal)
            screen = b""
            reader = threading.Thread(target=process.stdout.read)
            reader.start()
            try:
                while chunk := os.read(controller, 4096):
                    screen += chunk
            except OSError:  # nobody has the terminal any more
                pass
            reader.join()
        os.close(controller)
        self.assertEqual(process.returncode, 0)
        self.assertRegex(screen, rb"\r[01] of 2 files, \d+ frames, \d+ match\x1b\[K")
        self.assertTrue(screen.endswith(b"\r\x1b[K"), screen[-80:])

    def test_empty_folder(self):
        """It is named, and what else is there is printed; of a file of frames there is its begin and its end."""
        (self.folder / "empty").mkdir()
        for form in "json", "text", "pdns", "frames":
            done = subprocess.run([PROGRAM, "print", f"--format={form}", self.folder / "empty"], capture_output=True, check=False,
                                  timeout=limit(30))
            self.assertEqual(done.stdout, control(START, CONTENT_TYPE) + control(STOP) if form == "frames" else b"")
            self.assertIn(str(self.folder / "empty"), done.stderr.decode())
            self.assertEqual(done.returncode, 1)
        capture = BY_NAME["kdig-tool"]
        done = subprocess.run([PROGRAM, "print", self.folder / "empty", capture.path], capture_output=True, check=False,
                              timeout=limit(30))
        self.assertEqual((done.returncode, done.stdout.count(b"\n")), (1, len(capture.messages)))

    def test_damage_behind_the_limit(self):
        path = self.folder / "late.fstrm"
        path.write_bytes(stream([dnstap_frame(dns_message()), b"no dnstap"]))
        self.assertEqual(len(lines_of("--limit=1", path)), 1)

    def test_damaged(self):
        """The sound part is printed, the file named; what else is there goes on."""
        capture, other = BY_NAME["knot-small"], BY_NAME["kdig-tool"]
        before, after = run(capture.path), run(other.path)
        broken = zstd(capture.content)
        for name, content in (("cut", capture.content[:-200]), ("empty", b""), ("text", b"# a configuration\n"),
                              ("cut.zst", broken[:len(broken) // 2])):
            with self.subTest(name):
                path = self.file(name, content)
                done = subprocess.run([PROGRAM, "print", other.path, path, other.path], capture_output=True, check=False,
                                      timeout=limit(60))
                log = done.stderr.decode()
                self.assertEqual((done.returncode, log.count(str(path)), len(log.splitlines())), (1, 1, 1), log)
                self.assertTrue(done.stdout.startswith(after) and done.stdout.endswith(after))
                part = done.stdout[len(after):len(done.stdout) - len(after)]
                self.assertTrue(before.startswith(part))
                self.assertTrue(part.endswith(b"\n") or not part)
                if name.startswith("cut"):
                    self.assertGreater(len(part), 0)

    def test_missing(self):
        missing, there = self.folder / "missing", BY_NAME["kdig-tool"].path
        done = subprocess.run([PROGRAM, "print", missing, there], capture_output=True, check=False, timeout=limit(30))
        self.assertEqual((done.returncode, done.stdout), (1, run(there)))
        self.assertIn(str(missing), done.stderr.decode())
        self.assertIn("No such file or directory", done.stderr.decode())

    def test_no_file(self):
        done = subprocess.run([PROGRAM, "print"], capture_output=True, check=False, timeout=limit(30))
        self.assertEqual((done.returncode, done.stdout), (2, b""))
        self.assertIn("file", done.stderr.decode().lower())

    def test_joined(self):
        """Recordings that were joined are all printed."""
        frames = [dnstap_frame(dns_message(number=n), when_ns=10**18) for n in range(4)]
        path = self.file("joined", stream(frames[:2]) + stream(frames[2:]))
        self.assertEqual([line["dns"]["id"] for line in lines_of(path)], list("0123"))
        self.assertEqual(run("--format=frames", path), stream(frames))

    def test_while_it_is_written(self):
        """A file without STOP, as a running archive has it: what is whole is printed."""
        frames = [dnstap_frame(dns_message(number=n), when_ns=10**18) for n in range(3)]
        path = self.file("open", control(START, CONTENT_TYPE) + b"".join(map(data, frames)))
        done = subprocess.run([PROGRAM, "print", path], capture_output=True, check=False, timeout=limit(30))
        self.assertEqual([json.loads(line)["dns"]["id"] for line in done.stdout.splitlines()], list("012"))

    def test_frames_that_are_no_messages(self):
        """Each file's are counted in a line, and the rest is printed."""
        frames = [dnstap_frame(dns_message(number=n), when_ns=10**18) for n in range(3)]
        bad = [b"\xff\xff", b"\x78\2", frames[0].replace(b"\x08\5", b"\x08\x7f")]
        path = self.file("bad", stream([bad[0], frames[0], bad[1], frames[1], bad[2], frames[2]]))
        done = subprocess.run([PROGRAM, "print", path, path], capture_output=True, check=False, timeout=limit(30))
        self.assertEqual([json.loads(line)["dns"]["id"] for line in done.stdout.splitlines()], list("012012"))
        log = done.stderr.decode().splitlines()
        self.assertEqual(done.returncode, 1)
        self.assertEqual(len(log), 2, log)
        for line in log:
            self.assertIn(f"{path}: offset 42: ", line)
            self.assertIn("(3 of 6)", line)


class Output(Case):

    def long_file(self):
        """A recording whose lines are more than pipes hold."""
        return self.file("long", stream(BY_NAME["unbound-small"].payloads * 20))

    def test_broken_pipe(self):
        """`| head -n 1` ends it, at once and without a word."""
        path = self.long_file()
        everything = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
        run(path)
        everything = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - everything
        for which in "json", "text", "frames":
            with self.subTest(which):
                before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
                process = subprocess.Popen([PROGRAM, "print", f"--format={which}", path, path, path],
                                           stdout=subprocess.PIPE, stderr=subprocess.PIPE)
                self.assertTrue(process.stdout.read(1000))
                process.stdout.close()
                log = process.stderr.read()
                process.stderr.close()
                status = process.wait(limit(30))
                self.assertEqual(log, b"")
                self.assertIn(status, (0, -signal.SIGPIPE))
                used = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before
                self.assertLess(used, max(1.5 * everything, 0.5))  # of three times as much

    def test_broken_pipe_of_standard_input(self):
        """A recording that goes on ends with the reader."""
        frames = [data(payload) for payload in BY_NAME["unbound-small"].payloads]
        process = subprocess.Popen([PROGRAM, "print", "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE)
        began = time.monotonic()
        process.stdin.write(control(START, CONTENT_TYPE) + b"".join(frames[:20]))  # less than a pipe holds
        process.stdin.flush()
        self.assertTrue(process.stdout.read(1000))
        process.stdout.close()
        with contextlib.suppress(BrokenPipeError):
            for _ in range(200):
                process.stdin.write(b"".join(frames))
                self.assertLess(time.monotonic() - began, limit(60))
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()
        self.assertIn(process.wait(limit(30)), (0, -signal.SIGPIPE))
        self.assertEqual(process.stderr.read(), b"")
        process.stderr.close()

    def test_full_disk(self):
        """A disk that is full is said, for every format, and for what only shows at the end."""
        for path in self.long_file(), BY_NAME["kdig-tool"].path:
            for which in "json", "text", "frames", "pdns":
                with self.subTest(which=which, path=path.name), open("/dev/full", "wb") as full:
                    done = subprocess.run([PROGRAM, "print", f"--format={which}", path], stdout=full,
                                          stderr=subprocess.PIPE, check=False, timeout=limit(60))
                    log = done.stderr.decode()
                    self.assertEqual(done.returncode, 1, log)
                    self.assertIn("No space left on device", log)
                    self.assertEqual(len(log.splitlines()), 1, log)

    def test_slow_reader(self):
        """A reader that waits holds the rest back; all comes in the end, and memory has a bound."""
        path = self.long_file()
        expected = run("--format=text", path)
        process = subprocess.Popen([PROGRAM, "print", "--format=text", path, path, path, path], stdout=subprocess.PIPE)
        time.sleep(0.5)
        first = process.stdout.read(len(expected))
        rest = process.stdout.read()
        process.stdout.close()
        self.assertEqual(process.wait(limit(30)), 0)
        self.assertEqual(first, expected)
        self.assertEqual(rest, expected * 3)

    def test_lines_as_they_come(self):
        """Frames that come slowly by standard input are printed as they come."""
        process = subprocess.Popen([PROGRAM, "print", "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE)
        os.set_blocking(process.stdout.fileno(), False)
        process.stdin.write(control(START, CONTENT_TYPE))
        for number in range(3):
            process.stdin.write(data(dnstap_frame(dns_message(number=number), when_ns=10**18)))
            process.stdin.flush()
            line = wait_until(process.stdout.readline, 10, "a line")
            self.assertEqual(json.loads(line)["dns"]["id"], str(number))
        process.stdin.write(control(STOP))
        process.stdin.close()
        self.assertEqual(process.wait(limit(30)), 0)
        self.assertEqual((process.stdout.read(), process.stderr.read()), (b"", b""))
        process.stdout.close()
        process.stderr.close()


if __name__ == "__main__":
    unittest.main()
