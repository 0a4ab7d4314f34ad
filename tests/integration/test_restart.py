# SPDX-License-Identifier: Apache-2.0
"""Exporter and servers come and go: connections return by themselves, and counting goes on.

Unbound, BIND and Knot are asked all the time while the exporter is killed, ended and started
again; no question stays unanswered. Then each server is killed, ended and started again.
"""

import signal
import time
import unittest

from exporter import Exporter, limit, wait_until, wait_until_equal
from servers import Bind, Knot, Load, Unbound

# libfstrm tries again 5 s after its last attempt, and only when it has something to write.
RECONNECTED = 30

# The load's questions and the exact bursts' are told apart by their rcodes.
LOAD = [("www.example.test", "A")]
BURST = [("absent.example.test", "TXT")]
BURST_PASSES = 200      # fits into libfstrm's queue if that is empty: nothing is dropped


class TestRestart(unittest.TestCase):

    def setUp(self):
        self.exporter = self.enterContext(Exporter())
        self.servers = [self.enterContext(kind(self.exporter.socket))
                        for kind in (Unbound, Bind, Knot)]
        self.wait_for_connections()

    def wait_for_connections(self):
        wait_until(lambda: self.exporter.scrape().total("dnstap_connections") == len(self.servers),
                   RECONNECTED, "the servers' connections")

    def bursts_counted(self):
        page = self.exporter.scrape()
        return {server.identity: page.total("dnstap_response_codes_total", rcode="NXDOMAIN",
                                            server=server.identity)
                for server in self.servers}

    def wait_for_empty_queues(self):
        """What servers have queued they send within a second; until nothing more comes."""
        def nothing_came():
            before = self.exporter.scrape().total("dnstap_frames_total")
            time.sleep(1.5)
            return self.exporter.scrape().total("dnstap_frames_total") == before

        wait_until(nothing_came, 20, "the last frames of the load")

    def check_counting(self):
        """A burst of questions to each server is counted to the last one."""
        before = self.bursts_counted()
        for server in self.servers:
            load = Load(server, BURST, "-n", BURST_PASSES)
            self.addCleanup(load.end)
            self.assertEqual(load.result().rcodes, {"NXDOMAIN": BURST_PASSES})
        expected = {server: value + BURST_PASSES for server, value in before.items()}
        wait_until_equal(lambda: expected, self.bursts_counted, 20, "the bursts")

    def wait_for_counts(self):
        """Each server's load is counted by the exporter that runs now."""
        for server in self.servers:
            wait_until(lambda: self.exporter.scrape().total(
                "dnstap_response_codes_total", rcode="NOERROR", server=server.identity) > 0,
                RECONNECTED, f"counts of {server.identity}")

    def check_exporter_restart(self, sig, status):
        loads = [Load(server, LOAD, "-Q", 200, "-l", int(limit(120))) for server in self.servers]
        for load in loads:
            self.addCleanup(load.end)
        self.wait_for_counts()
        self.assertEqual(self.exporter.stop(sig), status)
        self.exporter.start()
        self.wait_for_counts()
        self.wait_for_connections()
        for load, server in zip(loads, self.servers):
            result = load.interrupt()
            self.assertGreater(result.completed, 0, server.identity)
            self.assertEqual(result.lost, 0, server.identity)
            self.assertEqual(set(result.rcodes), {"NOERROR"}, server.identity)
        self.wait_for_empty_queues()
        self.check_counting()

    def test_exporter_killed(self):
        self.check_exporter_restart(signal.SIGKILL, -signal.SIGKILL)

    def test_exporter_ended(self):
        self.check_exporter_restart(signal.SIGTERM, 0)

    def restart_servers(self, sig, status):
        """Restart each server and return why their connections ended: {reason: number}."""
        for count, server in enumerate(self.servers, 1):
            self.assertEqual(server.stop(sig), status, server.identity)
            wait_until(lambda: self.exporter.scrape().total("dnstap_connections_closed_total")
                       == count, 20, f"the end of {server.identity}'s connection")
            server.start()
            self.wait_for_connections()
        page = self.exporter.scrape()
        self.assertEqual(page.total("dnstap_connections_accepted_total"), 2 * len(self.servers))
        return page.by("reason", "dnstap_connections_closed_total")

    def test_servers_ended(self):
        self.check_counting()
        self.assertEqual(self.restart_servers(signal.SIGTERM, 0), {"finish": 3})
        self.check_counting()

    def test_servers_killed(self):
        self.check_counting()
        # Nothing was being written, so no frame was cut.
        self.assertEqual(self.restart_servers(signal.SIGKILL, -signal.SIGKILL), {"eof": 3})
        self.check_counting()


if __name__ == "__main__":
    unittest.main(verbosity=2)
