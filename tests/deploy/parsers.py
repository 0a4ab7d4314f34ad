#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What the parsers of Prometheus 3 and VictoriaMetrics read in our pages: the same series, values, types and
units in every format. Not in tests/run.sh: the parsers are Go modules, which Debian does not have.

Takes the versions of tests/deploy/parsers/go.mod, or with NEWEST=1 the newest ones that there are. Skipped where
there is no Go, or no Go module proxy. Usage, as that of any integration test:

    DNSTAP_EXPORTER=build-sanitize/dnstap_exporter tests/deploy/parsers.py
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "integration"))

# pylint: disable=wrong-import-position
from exporter import Exporter, wait_until
from sender import Sender, payloads_of

CAPTURES = HERE.parent / "captures"
MODULES = ("github.com/prometheus/prometheus", "github.com/VictoriaMetrics/VictoriaMetrics")
TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
PROTOBUF = ("application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; "
            "encoding=delimited")
# What differs from one page to the next without a message.
MOVING = ("process_", "dnstap_exporter_", "dnstap_detection", "dnstap_top_", "dnstap_distinct_")


def build(folder):
    """Our program around the parsers; skips the tests where it cannot be built."""
    path = os.environ["PATH"] + ":/usr/local/go/bin"
    if not shutil.which("go", path=path):
        raise unittest.SkipTest("no go on this machine: the parsers are not tried")
    shutil.copytree(HERE / "parsers", folder, dirs_exist_ok=True)

    def go(*arguments):
        return subprocess.run([shutil.which("go", path=path), *arguments], cwd=folder, check=False,
                              env={**os.environ, "GOFLAGS": "-mod=mod"}, capture_output=True, text=True,
                              timeout=1800)

    if os.environ.get("NEWEST"):
        for module in MODULES:
            done = go("get", f"{module}@latest")
            if done.returncode:
                print(f"{module}: not its newest version: {done.stderr.strip()}", file=sys.stderr)
        go("mod", "tidy")
    done = go("mod", "download", *MODULES)
    if done.returncode:
        raise unittest.SkipTest(f"the parsers cannot be had: {done.stderr.strip()}")
    done = go("build", "-p", "1", "-o", "parsers", ".")
    assert done.returncode == 0, done.stderr
    print(go("list", "-m", *MODULES).stdout, file=sys.stderr)
    return folder / "parsers"


class Reading:
    """A page as one of the parsers has read it."""

    def __init__(self, program, parser, content_type, content):
        done = subprocess.run([program, parser, content_type], input=content, check=False, capture_output=True,
                              timeout=60)
        if done.returncode:
            raise AssertionError(f"{parser} refuses {content_type}: {done.stderr.decode()}")
        page = json.loads(done.stdout)
        self.families = page["families"]
        self.values = {}
        self.given = {}
        self.starts = {}
        self.native = {}
        for series in page["series"]:
            labels = series["labels"]
            given = {"type": labels.pop("__type__", ""), "unit": labels.pop("__unit__", "")}
            if "le" in labels:
                labels["le"] = str(float(labels["le"]))
            key = tuple(sorted(labels.items()))
            if series["is_native"]:
                self.native[key] = series["value"]
            else:
                assert key not in self.values, f"{parser}, {content_type}: twice: {key}"
                self.values[key] = series["value"]
            self.given[key] = given
            self.starts[key] = series["start"]


def family_of(families, name):
    """The family of a sample's name."""
    for suffix in ("", "_total", "_bucket", "_sum", "_count"):
        family = name.removesuffix(suffix)
        if name.endswith(suffix) and family in families:
            return family
    raise AssertionError(f"{name} is of no family")


def declared(content):
    """The unit of each family that a page of OpenMetrics declares, by the words of its lines alone."""
    units = {}
    for line in content.decode().splitlines():
        words = line.split(" ", 3)
        if words[0] == "#" and words[1] == "TYPE":
            units.setdefault(words[2], "")
        elif words[0] == "#" and words[1] == "UNIT":
            units[words[2]] = words[3] if len(words) > 3 else ""
    return units


def still(page):
    """The lines of a text page, without values that change by themselves."""
    return [line.rpartition(" ")[0] if line.startswith(MOVING) else line for line in page.decode().splitlines()]


def pages_of(exporter):
    """The page in each format; None if something was counted meanwhile, as queries that wait for a response are."""
    pages = []
    for content_type in TEXT, OPENMETRICS, PROTOBUF, TEXT:
        exporter.wait_for_new_page()
        status, headers, content = exporter.get("/metrics", headers={"Accept": content_type})
        assert status == 200 and headers["Content-Type"] == content_type, headers["Content-Type"]
        pages.append(content)
    before, openmetrics, protobuf, after = pages
    if still(before) != still(after):
        return None
    return {TEXT: before, OPENMETRICS: openmetrics, PROTOBUF: protobuf}


class TestParsers(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        program = build(pathlib.Path(cls.enterClassContext(tempfile.TemporaryDirectory())))
        exporter = cls.enterClassContext(Exporter())
        for capture in ("unbound-small.fstrm", "bind-small.fstrm"):
            payloads = payloads_of((CAPTURES / capture).read_bytes())
            before = exporter.scrape().total("dnstap_frames_total")
            Sender(exporter.socket).send_all(payloads)
            wait_until(lambda expected=before + len(payloads):
                       exporter.scrape().total("dnstap_frames_total") == expected, what="all frames")
        cls.pages = wait_until(lambda: pages_of(exporter), timeout=60, what="pages without a message between them")
        cls.prometheus = {content_type: Reading(program, "prometheus", content_type, content)
                          for content_type, content in cls.pages.items()}
        # It asks for text only; OpenMetrics comes to it from files and pushes.
        cls.victoria = {content_type: Reading(program, "victoriametrics", content_type, cls.pages[content_type])
                        for content_type in (TEXT, OPENMETRICS)}

    def readings(self):
        for parser, readings in ("Prometheus", self.prometheus), ("VictoriaMetrics", self.victoria):
            for content_type, reading in readings.items():
                yield f"{parser}, {content_type}", reading

    def test_all_read_the_same_series(self):
        expected = self.prometheus[TEXT].values
        self.assertGreater(len(expected), 500)
        for name, reading in self.readings():
            with self.subTest(name):
                print(f"{name}: {len(reading.values)} series, {len(reading.native)} native histograms",
                      file=sys.stderr)
                self.assertEqual(set(expected) ^ set(reading.values), set())

    def test_all_read_the_same_values(self):
        expected = {key: value for key, value in self.prometheus[TEXT].values.items()
                    if not dict(key)["__name__"].startswith(MOVING)}
        total = sum(value for key, value in expected.items() if dict(key)["__name__"] == "dnstap_frames_total")
        self.assertGreater(total, 7000)
        for name, reading in self.readings():
            with self.subTest(name):
                self.assertEqual({key: reading.values[key] for key in expected}, expected)

    def test_each_sample_has_type_and_unit_of_its_family(self):
        """Prometheus' parser of OpenMetrics keeps a unit until the next UNIT line, also over families."""
        units = declared(self.pages[OPENMETRICS])
        self.assertIn("", units.values())
        self.assertIn("seconds", units.values())
        for content_type in OPENMETRICS, PROTOBUF:
            reading = self.prometheus[content_type]
            wrong = {}
            for key, given in reading.given.items():
                family = family_of(units, dict(key)["__name__"])
                expected = {"type": self.prometheus[OPENMETRICS].families[family]["type"], "unit": units[family]}
                if given != expected:
                    wrong[family] = f"{given}, and should have {expected}"
            with self.subTest(content_type):
                self.assertFalse(wrong, "".join(f"\n{family} has {text}" for family, text in wrong.items()))

    def test_metadata_is_the_same_in_all_formats(self):
        openmetrics = self.prometheus[OPENMETRICS].families
        self.assertEqual(declared(self.pages[OPENMETRICS]),
                         {name: family["unit"] for name, family in openmetrics.items()})
        for content_type in TEXT, PROTOBUF:
            # Families without a series are not in protobuf.
            self.assertGreater(len(self.prometheus[content_type].families), 60)
            for name, family in self.prometheus[content_type].families.items():
                other = openmetrics[name.removesuffix("_total") if family["type"] == "counter" else name]
                self.assertEqual((family["type"], family["help"]), (other["type"], other["help"]), name)
                if content_type == PROTOBUF:
                    self.assertEqual(family["unit"], other["unit"], name)
        for name, family in self.victoria[TEXT].families.items():
            same = self.prometheus[TEXT].families[name]
            self.assertEqual((family["type"], family["help"]), (same["type"], same["help"]), name)

    def test_native_histograms_have_the_count_of_the_classic_ones(self):
        reading = self.prometheus[PROTOBUF]
        counts = {}
        for key, value in reading.values.items():
            name = dict(key)["__name__"]
            if name.endswith("_count") and reading.given[key]["type"] == "histogram":
                counts[tuple(sorted({**dict(key), "__name__": name.removesuffix("_count")}.items()))] = value
        self.assertGreater(len(counts), 10)
        self.assertEqual(reading.native, counts)

    def test_counters_and_histograms_have_a_start_in_protobuf(self):
        reading = self.prometheus[PROTOBUF]
        without = {dict(key)["__name__"] for key, given in reading.given.items()
                   if given["type"] in ("counter", "histogram") and not reading.starts[key]}
        self.assertEqual(without, set())


if __name__ == "__main__":
    unittest.main(verbosity=2)
