# SPDX-License-Identifier: Apache-2.0
"""Debian's Prometheus scrapes the exporter and answers with the same numbers as the page.

The exporter is fed by a real Unbound that asks a real Knot. promtool finds nothing to say. Native and
classic histograms give the quantiles that the response times, taken from the same frames by an
independent decoder, have.
"""

import http.server
import math
import subprocess
import threading
import unittest
import urllib.request

import truth
from exporter import Exporter, limit, wait_until
from prometheus import Prometheus
from sender import Tee
from servers import Knot, Load, Unbound

ZERO = 2 ** -20  # seconds: what a native histogram takes for no time at all
NATIVE = "--enable-feature=native-histograms"

# What a scrape itself changes; every other number stands still once the load has ended.
MOVED_BY_TIME = {"dnstap_exporter_scrapes_total", "dnstap_exporter_scrape_duration_seconds",
                 "dnstap_exporter_evaluations_total"}

QUERIES = [("www.example.test", "A"), ("absent.example.test", "AAAA"), ("www.upstream.test", "TXT"),
           ("www.refused.test", "A"), ("www.broken.test", "MX")]
PASSES = 41  # of 205 samples no quantile asked for lies between two


class TextOnly:
    """Something before the exporter that asks it for text, whatever the scraper wants."""

    def __init__(self, web):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):  # pylint: disable=invalid-name
                request = urllib.request.Request(f"http://{web}{self.path}",
                                                 headers={"Accept": "text/plain"})
                with urllib.request.urlopen(request, timeout=limit(5)) as response:
                    body, kind = response.read(), response.headers["Content-Type"]
                assert kind.startswith("text/plain"), kind
                self.send_response(200)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return "%s:%d" % self.server.server_address

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


class TestPrometheus(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        """Feed an exporter until every query has its response, and no frame is under way."""
        cls.exporter = cls.enterClassContext(Exporter())
        upstream = cls.enterClassContext(Knot(cls.exporter.socket, identity="upstream"))
        cls.tee = cls.enterClassContext(Tee(cls.exporter.socket))
        unbound = cls.enterClassContext(Unbound(cls.tee.path, upstream=upstream))
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
        cls.exporter.wait_for_evaluation()

    def dnstap_samples(self):
        return {key: value for key, value in self.exporter.scrape().samples.items()
                if key[0].startswith("dnstap_")}

    def scraped_in(self, name):
        """Asserts that the scrapes of Prometheus, and only they, come in a format."""
        def scrapes():
            return self.exporter.scrape().by("format", "dnstap_exporter_scrapes_total")
        before = scrapes()
        wait_until(lambda: scrapes()[name] > before.get(name, 0) + 2, 20, f"scrapes in {name}")
        return True

    @staticmethod
    def unmoved(samples):
        """Bounds are numbers: OpenMetrics writes them as 1.0."""
        return {(name, frozenset((label, float(text) if label == "le" else text)
                                 for label, text in pairs)): value
                for (name, pairs), value in samples.items() if name not in MOVED_BY_TIME}

    def check_numbers(self, prometheus):
        page = self.dnstap_samples()
        self.assertTrue(page)
        wait_until(lambda: prometheus.query('up{job="dnstap"} == 1'), 20, "the first scrape")
        stored = prometheus.query('{__name__=~"dnstap_.*"}')
        self.assertEqual(self.unmoved(stored), self.unmoved(page))
        self.assertEqual(len(stored), len(self.dnstap_samples()))

    def test_openmetrics(self):
        """What Prometheus asks for by itself."""
        with Prometheus(self.exporter.web) as prometheus:
            self.check_numbers(prometheus)
            self.scraped_in("openmetrics")

    def test_text(self):
        """What it gets from a server that has nothing else."""
        with TextOnly(self.exporter.web) as target, Prometheus(target) as prometheus:
            self.check_numbers(prometheus)

    def test_protobuf(self):
        with Prometheus(self.exporter.web, flags=[NATIVE]) as prometheus:
            wait_until(lambda: prometheus.query('up{job="dnstap"} == 1'), 20, "the first scrape")
            self.scraped_in("protobuf")
            page = self.dnstap_samples()
            plain = {key: value for key, value in page.items()
                     if not key[0].endswith(("_bucket", "_sum", "_count"))}
            stored = prometheus.query('{__name__=~"dnstap_.*"}')
            histograms = {key for key in stored if key[0] + "_count" in
                          {name for name, _ in page}}
            self.assertEqual(self.unmoved({key: value for key, value in stored.items()
                                           if key not in histograms}), self.unmoved(plain))
            self.assertEqual({(name + "_count", pairs): stored[name, pairs]
                              for name, pairs in histograms},
                             {key: value for key, value in page.items()
                              if key[0].endswith("_count")})

    def test_quantiles(self):
        """Native within a native bucket, classic within a classic one, of what they really are."""
        frames = map(truth.decode, self.tee.payloads())
        times = truth.ResponseTimes(frames).samples[b"unbound", "client"]
        times = sorted(elapsed / 1e9 for elapsed in times)
        self.assertEqual(len(times), len(QUERIES) * PASSES)
        bounds = [0, *(bound / 1e9 for bound in truth.BOUNDS_NS)]
        selector = '{role="client",server="unbound"}'
        with Prometheus(self.exporter.web) as classic, \
                Prometheus(self.exporter.web, flags=[NATIVE]) as native:
            for prometheus in classic, native:
                wait_until(lambda it=prometheus: it.query('up{job="dnstap"} == 1'), 20, "a scrape")
            for q in 0.1, 0.5, 0.9, 0.99:
                exact = times[math.ceil(q * len(times)) - 1]
                in_native = self.value(native, f"histogram_quantile({q}, sum("
                                       f"dnstap_response_time_seconds{selector}))")
                in_classic = self.value(classic, f"histogram_quantile({q}, sum by (le) ("
                                        f"dnstap_response_time_seconds_bucket{selector}))")
                if exact <= ZERO:  # a cached answer within a tick of the server's clock
                    self.assertLessEqual(in_native, ZERO)
                else:
                    self.assertLess(abs(math.log2(in_native / exact)), 1 / 8 + 1e-6, (q, exact))
                place = next(i for i, bound in enumerate(bounds) if i > 0 and bound >= exact)
                self.assertGreaterEqual(in_classic, bounds[place - 1])
                self.assertLessEqual(in_classic, bounds[place])

    @staticmethod
    def value(prometheus, expression):
        return prometheus.series(expression)[0][1]

    def test_promtool(self):
        status, _, page = self.exporter.get("/metrics")
        self.assertEqual(status, 200)
        check = subprocess.run(["promtool", "check", "metrics"], input=page, check=False,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.assertEqual((check.stdout.decode(), check.returncode), ("", 0))


if __name__ == "__main__":
    unittest.main(verbosity=2)
