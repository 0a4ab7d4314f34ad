# SPDX-License-Identifier: Apache-2.0
"""Debian's Prometheus scrapes the exporter and answers with the same numbers as the page.

The exporter is fed by a real Unbound that asks a real Knot. promtool finds nothing to say.
"""

import json
import os
import shutil
import subprocess
import tempfile
import unittest
import urllib.error
import urllib.parse
import urllib.request

from exporter import Exporter, free_port, wait_until
from servers import Knot, Load, Unbound

# What a scrape itself changes; every other number stands still once the load has ended.
MOVED_BY_SCRAPES = {"dnstap_exporter_scrapes_total", "dnstap_exporter_scrape_duration_seconds"}

QUERIES = [("www.example.test", "A"), ("absent.example.test", "AAAA"), ("www.upstream.test", "TXT"),
           ("www.refused.test", "A"), ("www.broken.test", "MX")]
PASSES = 40


class Prometheus:
    """A Prometheus that scrapes one exporter every second; use as a context manager."""

    def __init__(self, target):
        self.dir = tempfile.mkdtemp(prefix="dnstap_exporter_prometheus.")
        self.address = f"127.0.0.1:{free_port()}"
        self.log_path = os.path.join(self.dir, "log")
        self.process = None
        with open(os.path.join(self.dir, "prometheus.yml"), "w", encoding="ascii") as file:
            file.write(f"""
global:
  scrape_interval: 1s
  scrape_timeout: 1s
scrape_configs:
  - job_name: dnstap
    static_configs:
      - targets: [ "{target}" ]
""")

    def __enter__(self):
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(
                ["prometheus", f"--config.file={self.dir}/prometheus.yml",
                 f"--storage.tsdb.path={self.dir}/data", f"--web.listen-address={self.address}"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            wait_until(self.ready, 30, "Prometheus")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(20)
        finally:
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()
            shutil.rmtree(self.dir, ignore_errors=True)

    def get(self, path):
        with urllib.request.urlopen(f"http://{self.address}{path}", timeout=10) as response:
            return response.read()

    def ready(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as file:
            assert self.process.poll() is None, f"Prometheus ended early:\n{file.read()}"
        try:
            return b"Ready" in self.get("/-/ready")
        except (urllib.error.URLError, ConnectionError):
            return False

    def query(self, expression):
        """{(name, frozenset of label pairs): float}, without the labels that a scrape adds."""
        answer = json.loads(self.get("/api/v1/query?" + urllib.parse.urlencode(
            {"query": expression})))
        assert answer["status"] == "success", answer
        samples = {}
        for series in answer["data"]["result"]:
            labels = series["metric"]
            name = labels.pop("__name__")
            del labels["instance"], labels["job"]
            samples[name, frozenset(labels.items())] = float(series["value"][1])
        return samples


class TestPrometheus(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        """Feed an exporter until every query has its response, and no frame is under way."""
        cls.exporter = cls.enterClassContext(Exporter())
        upstream = cls.enterClassContext(Knot(cls.exporter.socket, identity="upstream"))
        unbound = cls.enterClassContext(Unbound(cls.exporter.socket, upstream=upstream))
        wait_until(lambda: cls.exporter.scrape().total("dnstap_connections") == 2, 20, "servers")
        load = Load(unbound, QUERIES, "-n", PASSES)
        cls.addClassCleanup(load.end)
        result = load.result()
        sent = len(QUERIES) * PASSES
        assert (result.sent, result.completed, result.lost) == (sent, sent, 0), result

        def settled():
            page = cls.exporter.scrape()
            responses = page.total("dnstap_responses_total")
            return (page.total("dnstap_responses_total", role="client") == sent
                    and page.total("dnstap_queries_total") == responses
                    and page.total("dnstap_response_time_seconds_count") == responses
                    and page.total("dnstap_queries_total", role="auth")
                    == page.total("dnstap_queries_total", role="resolver"))
        wait_until(settled, 20, "the end of the load")

    def dnstap_samples(self):
        return {key: value for key, value in self.exporter.scrape().samples.items()
                if key[0].startswith("dnstap_")}

    def test_same_numbers(self):
        def unmoved(samples):
            """Bounds are numbers: OpenMetrics, which Prometheus asks for, writes them as 1.0."""
            return {(name, frozenset((label, float(text) if label == "le" else text)
                                     for label, text in pairs)): value
                    for (name, pairs), value in samples.items() if name not in MOVED_BY_SCRAPES}

        page = self.dnstap_samples()
        self.assertTrue(page)
        with Prometheus(self.exporter.web) as prometheus:
            wait_until(lambda: prometheus.query('up{job="dnstap"} == 1'), 20, "the first scrape")
            stored = prometheus.query('{__name__=~"dnstap_.*"}')
            self.assertEqual(unmoved(stored), unmoved(page))
            self.assertEqual(len(stored), len(self.dnstap_samples()))
            scrapes = 'sum(dnstap_exporter_scrapes_total)'
            first = self.value(prometheus, scrapes)
            wait_until(lambda: self.value(prometheus, scrapes) > first, 20, "the next scrape")
            self.check_quantiles(prometheus)
        self.assertEqual(unmoved(self.dnstap_samples()), unmoved(page))

    @staticmethod
    def value(prometheus, expression):
        answer = json.loads(prometheus.get("/api/v1/query?" + urllib.parse.urlencode(
            {"query": expression})))
        return float(answer["data"]["result"][0]["value"][1])

    def check_quantiles(self, prometheus):
        """The histograms are ones that Prometheus can calculate with."""
        for histogram in "response_time_seconds", "query_size_bytes", "query_name_size_bytes":
            quantile = self.value(prometheus, "histogram_quantile(0.5, sum by (le) "
                                              f"(dnstap_{histogram}_bucket))")
            self.assertGreater(quantile, 0, histogram)
            self.assertLess(quantile, 1000, histogram)

    def test_promtool(self):
        status, _, page = self.exporter.get("/metrics")
        self.assertEqual(status, 200)
        check = subprocess.run(["promtool", "check", "metrics"], input=page, check=False,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.assertEqual((check.stdout.decode(), check.returncode), ("", 0))


if __name__ == "__main__":
    unittest.main(verbosity=2)
