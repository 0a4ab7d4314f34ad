# SPDX-License-Identifier: Apache-2.0
"""Allocations fail at random, in the program and in its libraries, while servers come and go, pages
are asked for and the configuration is reloaded: the program goes on, and accounts for every frame.
Without TLS: libtasn1 and GMP, on which GnuTLS stands, end the process (unit/test_tls_allocation.c
has our own allocations).
Environment: FAILING_MALLOC_LIBRARY, besides the exporter's.
"""

import contextlib
import http.client
import os
import signal
import time
import unittest
import urllib.error

from exporter import Exporter, limit, wait_until
from sender import Sender, dns_message, dns_response, dnstap_frame

LIBRARY = os.environ["FAILING_MALLOC_LIBRARY"]
RATES = 100, 1000, 10000  # of a million
SECONDS = 8

CONFIG = """
inputs: [{name: unix, unix: "{dir}/dnstap.sock"}, {name: dialled, connect: "unix:{dir}/nobody.sock"}]
web: {listen_addresses: ["{web}"]}
"""
ACCEPTS = ("", "application/openmetrics-text", "application/vnd.google.protobuf;"
           "proto=io.prometheus.client.MetricFamily;encoding=delimited")


class NoMemory(unittest.TestCase):

    def bother(self, exporter, number):
        """A server, and a client of each page; each may be turned away for want of memory."""
        frames = [dnstap_frame(dns_message(number=n), identity=b"ns%d" % (number % 100))
                  for n in range(20)]
        frames += [dnstap_frame(dns_response(number=n, rcode=n % 4), "CLIENT_RESPONSE")
                   for n in range(20)]
        with contextlib.suppress(OSError, AssertionError):
            Sender(exporter.socket).send_all(frames)
        paths = ("/metrics", "/api/v1/status", "/api/v1/top", "/config", "/status", "/")
        with contextlib.suppress(OSError, http.client.HTTPException, urllib.error.URLError):
            exporter.get(paths[number % len(paths)],
                         headers={"Accept": ACCEPTS[number % 3],
                                  "Accept-Encoding": ("gzip", "identity")[number % 2]})
        if number % 5 == 0:
            exporter.process.send_signal(signal.SIGHUP)

    def whole_page(self, exporter):
        with contextlib.suppress(OSError, http.client.HTTPException, AssertionError):
            return exporter.scrape()
        return None

    def test_it_goes_on(self):
        for rate in RATES:
            with self.subTest(rate):
                exporter = Exporter(CONFIG)
                self.addCleanup(exporter.discard)
                begin = os.path.join(exporter.dir, "begin")
                exporter.env = {"LD_PRELOAD": LIBRARY, "FAILING_MALLOC": str(rate),
                                "FAILING_MALLOC_FROM": begin}
                exporter.start()
                open(begin, "w", encoding="ascii").close()
                end = time.monotonic() + SECONDS
                number = 0
                while time.monotonic() < end:
                    self.bother(exporter, number)
                    number += 1
                    self.assertIsNone(exporter.process.poll(), exporter.log()[-2000:])
                page = wait_until(lambda: self.whole_page(exporter), 60, "a whole page")
                self.assertGreater(page.total("dnstap_frames_total"), 40)
                print(f"{rate} of a million allocations failed: {number} rounds, "
                      f"{page.total('dnstap_frames_total'):.0f} frames")
                self.assertEqual(exporter.stop(timeout=limit(20)), 0, exporter.log()[-2000:])
                self.assertNotIn("(null)", exporter.log())


if __name__ == "__main__":
    unittest.main()
