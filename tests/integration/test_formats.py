# SPDX-License-Identifier: Apache-2.0
"""Text, OpenMetrics and protobuf carry the same numbers.

Each is read by a parser that is not ours: OpenMetrics by the Prometheus project's own Python client,
protobuf by Google's library.
"""

import gzip
import math
import time
import unittest

from prometheus_client.openmetrics.parser import text_string_to_metric_families

from exporter import Exporter, Page, wait_until
from sender import Sender, dns_message, dns_response, dnstap_frame
from truth import messages

TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
PROTOBUF = ("application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; "
            "encoding=delimited")

# A scrape moves these.
MOVED = ("dnstap_exporter_scrape", "process_")


def is_still(name):
    return not name.startswith(MOVED)


def varint(content, at):
    value = shift = 0
    while True:
        byte = content[at]
        at += 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, at


def families(content):
    """The MetricFamily messages of a delimited page."""
    family = messages("metrics.proto")["io.prometheus.client.MetricFamily"]
    at = 0
    while at < len(content):
        size, at = varint(content, at)
        assert at + size <= len(content)
        yield family.FromString(content[at:at + size])
        at += size


def seconds(timestamp):
    return timestamp.seconds + timestamp.nanos / 10**9


def samples_of_openmetrics(text):
    """As Page.samples."""
    samples = {}
    for family in text_string_to_metric_families(text):
        for name, labels, value, *_ in family.samples:
            if "le" in labels and labels["le"] != "+Inf":
                assert set(labels["le"]) & set(".e"), labels["le"]
                labels = {**labels, "le": float(labels["le"])}
            key = (name, frozenset(labels.items()))
            assert key not in samples, key
            samples[key] = value
    return samples


def samples_of_text(text):
    """As Page.samples, with the bounds as numbers."""
    def number(pairs):
        return frozenset((name, float(value)) if name == "le" and value != "+Inf"
                         else (name, value) for name, value in pairs)
    return {(name, number(pairs)): value for (name, pairs), value in Page(text).samples.items()}


def samples_of_protobuf(content):
    """As Page.samples: of the classic histograms."""
    samples = {}
    for family in families(content):
        for metric in family.metric:
            labels = {pair.name: pair.value for pair in metric.label}
            if metric.HasField("histogram"):
                histogram = metric.histogram
                for bucket in histogram.bucket:
                    samples[family.name + "_bucket", frozenset(
                        {**labels, "le": bucket.upper_bound}.items())] = bucket.cumulative_count
                samples[family.name + "_bucket", frozenset({**labels, "le": "+Inf"}.items())] = \
                    histogram.sample_count
                samples[family.name + "_sum", frozenset(labels.items())] = histogram.sample_sum
                samples[family.name + "_count", frozenset(labels.items())] = histogram.sample_count
            else:
                value = metric.counter if metric.HasField("counter") else metric.gauge
                samples[family.name, frozenset(labels.items())] = value.value
    return samples


def native_buckets(histogram):
    """{index: count} of a native histogram's positive buckets."""
    buckets, index, count = {}, 0, 0
    deltas = iter(histogram.positive_delta)
    for span in histogram.positive_span:
        index += span.offset
        for _ in range(span.length):
            count += next(deltas)
            buckets[index] = count
            index += 1
    assert next(deltas, None) is None
    return buckets


def response_time_ns(i):
    """From 10 microseconds to 1.3 seconds, which is fewer than 160 native buckets."""
    return int(1.03 ** i * 10_000)


class FormatTest(unittest.TestCase):
    flags = ()

    @classmethod
    def setUpClass(cls):
        cls.exporter = cls.enterClassContext(Exporter(flags=cls.flags))
        hostile = (b'a"b\\c\nd<b>', b"\xff\0", b"test")
        begin = 1_700_000_000_000_000_000
        frames = [b"\xff"]
        for i in range(400):
            labels = hostile if i % 7 == 0 else (b"www%d" % i, b"example", b"test")
            query, response = (dns_message(labels, number=i),
                               dns_response(labels=labels, number=i, rcode=i % 4))
            frames.append(dnstap_frame(query, identity=b'n"s\\\n\xff', when_ns=begin))
            frames.append(dnstap_frame(response, "CLIENT_RESPONSE", b'n"s\\\n\xff',
                                       begin + response_time_ns(i)))
        Sender(cls.exporter.socket).send_all(frames)

    def get(self, accept, **headers):
        status, answered, body = self.exporter.get(
            "/metrics", headers={"Accept": accept, **headers} if accept else headers)
        self.assertEqual(status, 200)
        return answered, body


class Formats(FormatTest):

    def test_same_numbers(self):
        pages = {}
        for wanted, read in ((TEXT, lambda body: samples_of_text(body.decode())),
                             (OPENMETRICS, lambda body: samples_of_openmetrics(body.decode())),
                             (PROTOBUF, samples_of_protobuf)):
            headers, body = self.get(wanted)
            self.assertEqual(headers["Content-Type"], wanted)
            pages[wanted] = {key: value for key, value in read(body).items() if is_still(key[0])}
        self.assertGreater(len(pages[TEXT]), 200)
        self.assertEqual(pages[OPENMETRICS], pages[TEXT])
        self.assertEqual(pages[PROTOBUF], pages[TEXT])

    def test_scrapes_are_counted_by_format(self):
        before = self.exporter.scrape()
        self.get(OPENMETRICS)
        self.get(PROTOBUF)
        after = self.exporter.scrape()
        for name in "text", "openmetrics", "protobuf":
            self.assertEqual(after.total("dnstap_exporter_scrapes_total", format=name)
                             - before.total("dnstap_exporter_scrapes_total", format=name), 1)
            self.assertGreater(
                after.total("dnstap_exporter_scrape_duration_seconds", format=name), 0)

    def test_openmetrics(self):
        text = self.get(OPENMETRICS)[1].decode()
        self.assertTrue(text.endswith("\n# EOF\n"))
        self.assertIn("\n# TYPE dnstap_frames counter\n# UNIT dnstap_frames \n# HELP dnstap_frames ", text)
        self.assertIn("\n# UNIT dnstap_frame_bytes bytes\n", text)
        self.assertIn("\n# UNIT dnstap_response_time_seconds seconds\n", text)
        self.assertNotIn("_created", text)

    def test_native_histograms(self):
        created = {False: set(), True: set()}  # by whether a server's
        histograms = 0
        for family in families(self.get(PROTOBUF)[1]):
            self.assertTrue(family.help)
            for metric in family.metric:
                of_server = any(label.name == "server" for label in metric.label)
                if metric.HasField("counter"):
                    created[of_server].add(seconds(metric.counter.created_timestamp))
                if not metric.HasField("histogram"):
                    continue
                histograms += 1
                histogram = metric.histogram
                created[of_server].add(seconds(histogram.created_timestamp))
                buckets = native_buckets(histogram)
                self.assertLessEqual(len(buckets), 160)
                self.assertEqual(histogram.zero_count + sum(buckets.values()),
                                 histogram.sample_count)
                self.assertTrue(histogram.positive_span)
                self.check_against_classic(histogram, buckets)
        self.assertGreater(histograms, 4)
        (process,), (server,) = created[False], created[True]
        self.assertTrue(process < server < time.time(), created)  # since it was first seen

    def check_against_classic(self, histogram, buckets):
        """No classic bucket has more than the native ones that reach into it, none less than the
        ones within it."""
        base = 2 ** (2 ** -histogram.schema)
        for bucket in histogram.bucket:
            within = histogram.zero_count + sum(
                n for i, n in buckets.items() if base ** i <= bucket.upper_bound * (1 + 1e-12))
            reaching = histogram.zero_count + sum(
                n for i, n in buckets.items() if base ** (i - 1) < bucket.upper_bound)
            self.assertLessEqual(within, bucket.cumulative_count)
            self.assertLessEqual(bucket.cumulative_count, reaching)

    def response_times(self):
        for family in families(self.get(PROTOBUF)[1]):
            if family.name == "dnstap_response_time_seconds":
                return family.metric[0].histogram
        self.fail("no response times")

    def test_response_time_buckets(self):
        """Bucket by bucket, from the definition."""
        histogram = self.response_times()
        self.assertEqual(histogram.schema, 3)
        expected = {}
        for i in range(400):
            index = math.ceil(8 * math.log2(response_time_ns(i) / 1e9))
            expected[index] = expected.get(index, 0) + 1
        self.assertEqual(native_buckets(histogram), expected)

    def test_no_compression_unless_asked(self):
        self.assertNotIn("Content-Encoding", self.get(TEXT)[0])

    def test_gzip(self):
        for wanted in TEXT, OPENMETRICS, PROTOBUF:
            headers, body = self.get(wanted, **{"Accept-Encoding": "gzip"})
            self.assertEqual(headers["Content-Encoding"], "gzip")
            self.assertEqual(headers["Content-Type"], wanted)
            plain = gzip.decompress(body)
            self.assertGreater(len(plain), 3 * len(body))
        self.assertEqual(len(list(families(plain))), len(list(families(self.get(PROTOBUF)[1]))))


if __name__ == "__main__":
    unittest.main(verbosity=2)
