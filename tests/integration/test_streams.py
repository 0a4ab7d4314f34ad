# SPDX-License-Identifier: Apache-2.0
"""Live streams as people have them: one direction, sampled, servers that come and go; and a process
that may not see everything of its machine.
"""

import ipaddress
import json
import os
import shutil
import subprocess
import time
import unittest

import truth
from exporter import Exporter, wait_until
from sender import Sender, dns_message, dns_response, dnstap_frame

CONFIG = """
inputs:
  - name: all
    unix: "{dir}/dnstap.sock"
  - name: sampled
    unix: "{dir}/sampled.sock"
    sampling: 10
limits:
  servers: 4
"""


def frame_of(kind, number, *, identity=b"ns", client="192.0.2.1", response=None, query=None,
             query_ns=None):
    """A frame of one exchange: `response` and `query` are DNS messages; the time of the query, in ns
    since 1970, in a response frame too."""
    dns = response if kind.endswith("RESPONSE") else query
    frame = truth.messages()["dnstap.Dnstap"].FromString(
        dnstap_frame(dns or b"", kind, identity=identity))
    message = frame.message
    message.query_address = ipaddress.ip_address(client).packed
    message.query_port = 1024 + number % 60000
    if dns is None:
        message.ClearField("query_message")
    if query is not None:
        message.query_message = query
    if query_ns is not None:
        message.query_time_sec, message.query_time_nsec = divmod(query_ns, 10**9)
    return frame.SerializeToString()


class Streams(unittest.TestCase):

    def setUp(self):
        self.start(CONFIG)

    def start(self, config):
        self.exporter = self.enterContext(Exporter(config))
        self.input = self.exporter.socket
        self.sampled = os.path.join(self.exporter.dir, "sampled.sock")

    def state(self, name, server="ns"):
        return self.exporter.scrape().total(f"dnstap_{name}", server=server)

    def status(self, server="ns"):
        servers = json.loads(self.exporter.get("/api/v1/status")[2])["servers"]
        return next(one for one in servers if one["server"] == server)

    def test_responses_only(self):
        """As blocky sends it: one CLIENT_RESPONSE with both messages. Names, types and clients come
        from it after 15 s, and never a query."""
        names = [(b"n%d" % number, b"example") for number in range(40)]
        with Sender(self.input) as sender:
            sender.start()
            began = time.monotonic()
            for number, labels in enumerate(names):
                sender.send([frame_of(
                    "CLIENT_RESPONSE", number, client=f"192.0.2.{number % 4}",
                    response=dns_response(labels=labels, number=number, rcode=3 * (number % 2)),
                    query=dns_message(labels=labels, number=number, qtype=28))])
            self.assertEqual(self.state("query_types_total"), 0)
            wait_until(lambda: self.state("responses_only") == 1, 30, "responses only")
            self.assertGreater(time.monotonic() - began, 14)
            self.assertTrue(self.status()["responses_only"])
            for number, labels in enumerate(names):
                sender.send([frame_of(
                    "CLIENT_RESPONSE", number, client=f"192.0.2.{number % 4}",
                    response=dns_response(labels=labels, number=1 + number, rcode=3 * (number % 2)),
                    query=dns_message(labels=labels, number=1 + number, qtype=28))])
            page = wait_until(lambda: (page := self.exporter.scrape()).total(
                "dnstap_responses_total") == 80 and page)
            self.exporter.wait_for_evaluation()
            page = self.exporter.scrape()
            self.assertEqual(page.by("qtype", "dnstap_query_types_total"), {"AAAA": 40})
            self.assertEqual(page.total("dnstap_query_name_size_bytes_count"), 40)
            self.assertEqual(page.total("dnstap_top_qname_queries"), 10)  # of 40, once each
            self.assertEqual(page.by("client", "dnstap_top_client_queries"),
                             {f"192.0.2.{number}": 10 for number in range(4)})
            self.assertAlmostEqual(page.total("dnstap_distinct_qnames"), 40, delta=2)
            self.assertEqual(page.total("dnstap_queries_total"), 0)
            sender.send([frame_of("CLIENT_QUERY", 1, query=dns_message(labels=names[0]))])
            wait_until(lambda: self.state("responses_only") == 0, 10, "the first query")
            sender.stop()

    def test_a_sampled_input(self):
        """What has no counterpart there says nothing; the ratio is exported and scales no counter."""
        Sender(self.sampled).send_all(
            frame_of("CLIENT_RESPONSE", number, response=dns_response(number=number))
            for number in range(20))
        page = wait_until(lambda: (page := self.exporter.scrape()).by("role", "dnstap_sampled") ==
                          {"client": 1} and page, 10, "the state to be handed in")
        self.assertEqual(page.by("input", "dnstap_input_sampling_ratio"),
                         {"all": 1, "sampled": 0.1})
        self.assertEqual(page.total("dnstap_responses_total"), 20)
        time.sleep(3)  # a response waits for two seconds
        page = self.exporter.scrape()
        self.assertEqual(page.total("dnstap_unmatched_responses_total"), 0)
        self.assertTrue(self.status()["sampled"])

    def test_servers_come_and_go(self):
        """Three rollouts of as many pods as there are places, and then the first ones again: none
        is `other`, and nothing gets lost between the series that end and the ones that begin."""
        for rollout in (0, 1, 2, 0):
            time.sleep(0.6)  # twice a second is noted when a server was last seen
            for pod in range(4):
                name = b"pod-%d-%d" % (rollout, pod)
                Sender(self.input).send_all(
                    [frame_of("CLIENT_QUERY", n, identity=name, query=dns_message(number=n))
                     for n in range(7)])
                page = self.exporter.scrape()
                self.assertEqual(page.by("server", "dnstap_queries_total")[name.decode()], 7)
        self.assertEqual(page.by("server", "dnstap_queries_total"),
                         {f"pod-0-{pod}": 7 for pod in range(4)})
        self.assertEqual(page.total("dnstap_expired_messages_total"), 3 * 4 * 7)
        self.assertEqual(page.total("dnstap_limit_overflows_total", limit="servers"), 0)

    def test_a_connection_gets_half_of_the_places(self):
        with Sender(self.input) as attacker, Sender(self.input) as server:
            attacker.start().send(
                frame_of("CLIENT_QUERY", n, identity=b"made-up-%d" % n, query=dns_message(number=n))
                for n in range(100))
            wait_until(lambda: self.exporter.scrape().total("dnstap_queries_total") == 100)
            server.start().send([frame_of("CLIENT_QUERY", 1, query=dns_message())])
            page = wait_until(lambda: (page := self.exporter.scrape()).total(
                "dnstap_queries_total") == 101 and page)
            servers = page.by("server", "dnstap_queries_total")
            self.assertEqual(servers.pop("other"), 98)
            self.assertEqual(servers.pop("ns"), 1)
            self.assertEqual(sorted(servers.values()), [1, 1])
            server.stop()
            attacker.stop()

    def test_duplicates_count_once(self):
        """A second response, as Unbound's serve-expired sends it, is in no list and not unmatched."""
        Sender(self.input).send_all([
            frame_of("CLIENT_QUERY", 1, query=dns_message(number=1)),
            frame_of("CLIENT_RESPONSE", 1, response=dns_response(number=1, rcode=3)),
            frame_of("CLIENT_RESPONSE", 1, response=dns_response(number=1, rcode=3)),
            frame_of("CLIENT_RESPONSE", 2, response=dns_response(number=1, rcode=3)),
        ])
        time.sleep(3)  # a response waits for two seconds
        wait_until(lambda: self.exporter.scrape().total("dnstap_unmatched_responses_total") == 1)
        self.exporter.wait_for_evaluation()
        page = self.exporter.scrape()
        self.assertEqual(page.total("dnstap_duplicate_responses_total"), 1)
        self.assertEqual(page.total("dnstap_responses_total"), 3)
        self.assertEqual(page.total("dnstap_top_qname_nxdomains"), 2)
        self.assertEqual(page.total("dnstap_top_client_nxdomains"), 2)

    def test_identities_by_direction(self):
        """Of dnsdist's published configurations: the response carries its query's time."""
        self.start(CONFIG + "matching: {timeout: 4s}\n")
        now = time.time_ns()
        Sender(self.input).send_all(
            frame for n in range(20) for frame in (
                frame_of("CLIENT_QUERY", n, identity=b"query", query=dns_message(number=n)),
                frame_of("CLIENT_RESPONSE", n, identity=b"response" if n % 2 else b"cache-response",
                         response=dns_response(number=n), query_ns=now)))
        time.sleep(3)
        page = self.exporter.scrape()
        self.assertEqual(page.total("dnstap_response_time_seconds_count"), 20)
        self.assertEqual(page.total("dnstap_unmatched_responses_total"), 0)
        self.assertEqual(page.total("dnstap_queries_total", server="query"), 20)
        time.sleep(3)  # a query waits for 4 s
        self.assertEqual(self.exporter.scrape().total("dnstap_unanswered_queries_total"), 0)


class Process(unittest.TestCase):

    def start(self, hide):
        """An exporter with other mounts, or no test where that is not allowed."""
        if not shutil.which("unshare") or subprocess.run(
                ["unshare", "--mount", "sh", "-c", hide], capture_output=True,
                check=False).returncode != 0:
            self.skipTest("no mount namespaces here")
        return self.enterContext(Exporter(
            before=["unshare", "--mount", "sh", "-c", f'{hide} && exec "$0" "$@"']))

    def test_a_start_time_that_cannot_be_known(self):
        page = self.start("mount --bind /dev/null /proc/stat").scrape()
        self.assertFalse(page.select("process_start_time_seconds"))
        self.assertTrue(page.total("process_threads"))
        with Exporter() as exporter:
            self.assertGreater(exporter.scrape().total("process_start_time_seconds"), 1.7e9)

    def test_without_proc(self):
        exporter = self.start("mount -t tmpfs none /proc")
        Sender(exporter.socket).send_all([dnstap_frame(dns_message())])
        page = exporter.scrape()
        self.assertEqual(page.total("dnstap_queries_total"), 1)
        self.assertFalse([name for name, _ in page.samples if name.startswith("process_")])
        self.assertEqual(exporter.get("/api/v1/status")[0], 200)
        exporter.process.kill()  # the leak sanitizer's report needs /proc
        exporter.process.wait()


if __name__ == "__main__":
    unittest.main()
