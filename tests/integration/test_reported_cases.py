# SPDX-License-Identifier: Apache-2.0
"""Cases that operators of dnstap tools report, with the real servers that cause them.

Identities that differ by direction (dnsdist), queries without a message (Knot Resolver), responses
only, responses without a question and answers that are sent twice (Unbound, NSD), and an exchange
whose halves differ in role (BIND). Every scrape checks the conservation law.
"""

import collections
import json
import re
import unittest

import dns.exception
import dns.flags
import dns.message
import dns.opcode
import dns.query
import dns.rcode

from exporter import Exporter, limit, wait_until, wait_until_equal
from servers import Bind, DnsDist, Knot, KnotResolver, Load, Nsd, Unbound
from test_real_servers import QUICK_TIMEOUT, SETTLED

# The exporter waits 15 s before it takes questions from responses; then comes a busy machine.
RESPONSES_ONLY = 60

NOWHERE = "/nonexistent/dnstap.sock"


def ask(server, name, rtype="A", source="127.0.0.1", rclass="IN", flags=dns.flags.RD,
        exchange=dns.query.udp):
    """Ask once from a port of its own, return the response."""
    query = dns.message.make_query(name, rtype, rclass, flags=flags)
    return exchange(query, "127.0.0.1", port=server.port, source=source, timeout=limit(20))


def start(case, kind, exporter, upstream=None):
    """Start a server of this kind, and wait until its connection is there."""
    before = exporter.scrape().total("dnstap_connections")
    server = case.enterContext(kind(exporter.socket, upstream=upstream))
    wait_until(lambda: exporter.scrape().total("dnstap_connections") > before,
               SETTLED, f"the connection of {server.identity}")
    return server


def totals(exporter, server, *whats):
    """{what: the total of dnstap_{what} of this server}"""
    page = exporter.scrape()
    return {what: page.total(f"dnstap_{what}", server=server) for what in whats}


def check_totals(exporter, server, expected):
    wait_until_equal(lambda: expected, lambda: totals(exporter, server, *expected),
                     SETTLED, f"the counts of {server}")


def check_all_matched(exporter, server, exchanges):
    """Each exchange is a query, a response and a response time: then none of them waits."""
    wait_until_equal(
        lambda: {"queries_total": exchanges, "responses_total": exchanges, "times": exchanges},
        lambda: {**totals(exporter, server, "queries_total", "responses_total"),
                 "times": sum(totals(exporter, server, "response_time_seconds_count",
                                     "negative_response_times_total").values())},
        SETTLED, f"the exchanges of {server}")
    page = exporter.scrape()
    for what in "unanswered_queries", "unmatched_responses":
        assert not page.total(f"dnstap_{what}_total", server=server), what


class TestDnsDist(unittest.TestCase):

    def test_identity_by_direction(self):
        """Published configurations call queries, responses and cache hits by different names.

        A response that carries its query's time settles the query all the same.
        """
        class Directions(DnsDist):
            def tap(self, number=1):
                text = super().tap(number).replace(
                    'DnstapLogAction("dnsdist"', 'DnstapLogAction("query"')
                for hook, name in (("", "response"), ("CacheHit", "cache-response"),
                                   ("SelfAnswered", "self-response")):
                    text = text.replace(
                        f'add{hook}ResponseAction(AllRule(), DnstapLogResponseAction("dnsdist"',
                        f'add{hook}ResponseAction(AllRule(), DnstapLogResponseAction("{name}"')
                # What is dropped is a query that nobody answers, and shows that time has passed.
                line, rest = text.split("\n", 1)
                return (f'{line}\naddAction("dropped.test.", DnstapLogAction("dropped", tap))\n'
                        f'addAction("dropped.test.", DropAction())\n{rest}')

        exporter = self.enterContext(Exporter(QUICK_TIMEOUT))
        server = start(self, Directions, exporter, self.enterContext(Knot(NOWHERE)))
        names = [f"host{number}.upstream.test" for number in range(10)]
        for name in names + names:
            self.assertEqual(ask(server, name).rcode(), dns.rcode.NXDOMAIN)
        self.assertEqual(ask(server, "www.refused.test").rcode(), dns.rcode.REFUSED)
        for count in 1, 2:
            with self.assertRaises(dns.exception.Timeout):
                dns.query.udp(dns.message.make_query("dropped.test", "A"), "127.0.0.1",
                              port=server.port, timeout=0.1)
            check_totals(exporter, "dropped", {"unanswered_queries_total": count})
        page = exporter.scrape()
        self.assertEqual(page.by("server", "dnstap_queries_total"), {"query": 21, "dropped": 2})
        answered = {"response": 10, "cache-response": 10, "self-response": 1}
        self.assertEqual(page.by("server", "dnstap_responses_total"), answered)
        self.assertEqual(page.by("server", "dnstap_response_time_seconds_count"), answered)
        self.assertEqual(page.by("server", "dnstap_unmatched_responses_total"), {})
        self.assertEqual(page.by("server", "dnstap_unanswered_queries_total"), {"dropped": 2})


class TestKnotResolver(unittest.TestCase):

    def test_queries_without_a_message(self):
        """`log_queries = false` leaves out the query's message, not its frame."""
        class Brief(KnotResolver):
            def tap(self, number=1):
                return super().tap(number).replace("log_queries = true", "log_queries = false")

        exporter = self.enterContext(Exporter())
        server = start(self, Brief, exporter, self.enterContext(Knot(NOWHERE)))
        for number in range(20):
            ask(server, f"host{number}.upstream.test")
            ask(server, "www.upstream.test", exchange=dns.query.tcp)
        # Several on their way on one connection: the addresses and ports of these are the same.
        load = Load(server, [("www.upstream.test", "A"), ("absent.upstream.test", "MX")],
                    "-m", "tcp", "-c", 1, "-q", 4, "-n", 20)
        self.addCleanup(load.end)
        self.assertEqual(load.result().completed, 40)
        check_all_matched(exporter, "kresd", 80)
        page = exporter.scrape()
        self.assertEqual(page.by("qtype", "dnstap_query_types_total"), {"none": 80})
        self.assertEqual(page.by("reason", "dnstap_malformed_messages_total"), {"missing": 80})


class TestUnbound(unittest.TestCase):

    def test_responses_only(self):
        """With client responses alone, what was asked is taken from them, but for the queries."""
        class ResponsesOnly(Unbound):
            def tap(self, number=1):
                return re.sub(r".*-query-messages.*\n", "", super().tap(number))

        exporter = self.enterContext(Exporter())
        labels = {"server": "unbound", "role": "client"}
        with ResponsesOnly(exporter.socket) as server:
            asked = 0

            def responses_only():
                nonlocal asked
                ask(server, "ns.example.test")
                asked += 1
                return exporter.scrape().total("dnstap_responses_only", **labels) == 1

            wait_until(responses_only, RESPONSES_ONLY, "that there are only responses")
            check_totals(exporter, "unbound", {"responses_total": asked})
            before = exporter.scrape().by("qtype", "dnstap_query_types_total", **labels)
            names = "www.example.test", "mail.example.test"
            for _ in range(5):
                for name in names:
                    ask(server, name, "MX")
                ask(server, "absent.example.test", "TXT")
            check_totals(exporter, "unbound", {"responses_total": asked + 15})
            exporter.wait_for_evaluation()
            page = exporter.scrape()
            after = page.by("qtype", "dnstap_query_types_total", **labels)
            self.assertEqual(collections.Counter(after) - collections.Counter(before),
                             {"MX": 10, "TXT": 5})
            self.assertEqual(page.total("dnstap_query_name_size_bytes_count", **labels),
                             sum(after.values()))
            self.assertEqual(page.total("dnstap_queries_total"), 0)
            self.assertEqual(page.total("dnstap_distinct_clients", family="ipv4"), 1)
            self.assertGreaterEqual(page.total("dnstap_distinct_qnames"), 3)
            lists = json.loads(exporter.get("/api/v1/top?limit=100")[2])["lists"]
            listed = {entry["qname"]: entry["value"] for entry in lists["qname_queries"]["entries"]}
            self.assertLessEqual({"www.example.test": 5, "mail.example.test": 5,
                                  "absent.example.test": 5}.items(), listed.items())
            self.assertEqual([entry["client"] for entry in lists["client_queries"]["entries"]],
                             ["127.0.0.1"])
            self.assertEqual(page.total("dnstap_responses_only", **labels), 1)
        # The operator turns queries on: the server comes back with them.
        server = start(self, Unbound, exporter)
        ask(server, "www.example.test", "MX")
        check_totals(exporter, "unbound", {"queries_total": 1, "responses_total": asked + 16})
        page = exporter.scrape()
        self.assertEqual(page.total("dnstap_responses_only", **labels), 0)
        self.assertEqual(page.total("dnstap_query_types_total", qtype="MX", **labels), 11)

    def test_refused_by_access_control(self):
        """12 bytes without a question: REFUSED belongs to its query by id, addresses and port."""
        class Picky(Unbound):
            def tap(self, number=1):
                return "server:\n    access-control: 127.0.0.9/32 refuse\n" + super().tap(number)

        exporter = self.enterContext(Exporter(QUICK_TIMEOUT))
        server = start(self, Picky, exporter)
        for exchange in dns.query.udp, dns.query.tcp:
            for _ in range(10):
                response = ask(server, "www.example.test", source="127.0.0.9", exchange=exchange)
                self.assertEqual((response.rcode(), response.question), (dns.rcode.REFUSED, []))
        self.assertEqual(ask(server, "www.example.test").rcode(), dns.rcode.NOERROR)
        check_all_matched(exporter, "unbound", 21)
        self.assertEqual(exporter.scrape().by("rcode", "dnstap_response_codes_total"),
                         {"REFUSED": 20, "NOERROR": 1})

    def test_answered_twice(self):
        """With `serve-expired` an answer out of date is logged twice: the second is a duplicate."""
        if Unbound.version() >= (1, 26):
            self.skipTest("this release logs it once")

        class Stale(Unbound):
            def tap(self, number=1):
                return "server:\n    serve-expired: yes\n" + super().tap(number)

        class Short(Knot):
            def files(self):
                files = super().files()
                files["upstream.zone"] = files["upstream.zone"].replace("$TTL 300", "$TTL 1")
                return files

        exporter = self.enterContext(Exporter(QUICK_TIMEOUT))
        server = start(self, Stale, exporter, self.enterContext(Short(NOWHERE)))
        asked = 0

        def surplus():
            """How many responses there are more than questions."""
            page = exporter.scrape()
            return page.total("dnstap_responses_total", role="client") - asked

        def answered_twice():
            nonlocal asked
            ask(server, "www.upstream.test")
            asked += 1
            wait_until(lambda: surplus() >= 0, SETTLED, "the response")
            return surplus() >= 2

        wait_until(answered_twice, 60, "answers that are logged twice")
        labels = {"server": "unbound", "role": "client"}
        wait_until_equal(
            lambda: {"duplicate_responses": surplus(), "queries": asked},
            lambda: {what: exporter.scrape().total(f"dnstap_{what}_total", **labels)
                     for what in ("duplicate_responses", "queries")},
            SETTLED, "the duplicates")
        page = exporter.scrape()
        self.assertEqual(page.total("dnstap_unmatched_responses_total", **labels), 0)
        self.assertEqual(page.total("dnstap_response_time_seconds_count", **labels), asked)


class TestNsd(unittest.TestCase):

    def test_response_without_a_question(self):
        """A refused NOTIFY."""
        exporter = self.enterContext(Exporter(QUICK_TIMEOUT))
        server = start(self, Nsd, exporter)
        notify = dns.message.make_query("example.test", "SOA")
        notify.set_opcode(dns.opcode.NOTIFY)
        response = dns.query.udp(notify, "127.0.0.1", port=server.port, timeout=limit(20))
        self.assertEqual(response.question, [])
        ask(server, "www.example.test")
        check_all_matched(exporter, "nsd", 2)


class TestBind(unittest.TestCase):

    def test_recursion_no(self):
        """A query with RD set is `auth`, its response `client`: one exchange."""
        class Authoritative(Bind):
            def files(self):
                files = super().files()
                files["named.conf"] = files["named.conf"].replace("recursion yes", "recursion no")
                return files

        exporter = self.enterContext(Exporter(QUICK_TIMEOUT))
        server = start(self, Authoritative, exporter)
        for number in range(10):
            ask(server, "www.example.test")
            ask(server, f"host{number}.example.test", exchange=dns.query.tcp)
            ask(server, "mail.example.test", flags=0)
        self.assertEqual(ask(server, "version.bind", "TXT", rclass="CH").rcode(),
                         dns.rcode.NOERROR)
        check_all_matched(exporter, "bind", 31)
        page = exporter.scrape()
        self.assertEqual(page.by("role", "dnstap_queries_total"), {"auth": 31})
        self.assertEqual(page.by("role", "dnstap_responses_total"), {"auth": 10, "client": 21})
        self.assertEqual(page.by("class", "dnstap_query_classes_total"), {"IN": 30, "CH": 1})


if __name__ == "__main__":
    unittest.main(verbosity=2)
