# SPDX-License-Identifier: Apache-2.0
"""Real servers, real clients: our counters equal what dnsperf and kdig counted, one by one.

Unbound, BIND and Knot are asked over UDP and TCP, IPv4 and IPv6. kdig prints every message that it
sends and receives, so each flag, option, size and outcome is compared; dnsperf asks many questions
at once. Where a server asks another one, both send dnstap, and must tell the same story.
"""

import collections
import json
import re
import subprocess
import unittest

from exporter import Exporter, limit, wait_until, wait_until_equal
from servers import ADDRESSES, RECORDS, Bind, Knot, Load, Unbound

COMPARED = (
    "dnstap_queries_total",
    "dnstap_query_types_total",
    "dnstap_query_opcodes_total",
    "dnstap_query_flags_total",
    "dnstap_query_size_bytes_sum",
    "dnstap_query_size_bytes_count",
    "dnstap_query_name_size_bytes_sum",
    "dnstap_query_name_size_bytes_count",
    "dnstap_responses_total",
    "dnstap_response_codes_total",
    "dnstap_response_flags_total",
    "dnstap_response_outcomes_total",
    "dnstap_response_size_bytes_sum",
    "dnstap_response_size_bytes_count",
    "dnstap_edns_options_total",
    "dnstap_extended_errors_total",
    "dnstap_malformed_messages_total",
)

# Everything dnsperf lets us know.
COMPARED_WITH_DNSPERF = (
    "dnstap_queries_total",
    "dnstap_query_types_total",
    "dnstap_query_opcodes_total",
    "dnstap_query_flags_total",
    "dnstap_responses_total",
    "dnstap_response_codes_total",
    "dnstap_malformed_messages_total",
)

OPTIONS = {"NSID": "nsid", "CLIENT-SUBNET": "ecs", "COOKIE": "cookie", "PADDING": "padding",
           "EDE": "ede", "Option (11)": "keepalive", "Option (65001)": "other"}

OWN = [(f"{owner}.example.test".removeprefix("@."), rtype) for owner, rtype, _ in RECORDS]

# Each line is one kdig command; what comes back is not foreseen here but read from its output.
KDIG_CASES = [[name, rtype] for name, rtype in OWN] + [
    ["absent.example.test", "A"],
    ["mail.example.test", "AAAA", "+dnssec"],
    ["alias.example.test", "A", "+cdflag", "+noadflag"],
    ["www.example.test", "TYPE65280"],
    ["www.example.test", "ANY"],
    ["www.refused.test", "A"],
    ["www.broken.test", "A", "+edns"],
    ["host.sub.example.test", "A", "+nordflag"],
    ["big.example.test", "TXT", "+bufsize=512"],
    ["big.example.test", "TXT", "+bufsize=4096"],
    ["www.example.test", "A", "+nsid"],
    ["www.example.test", "A", "+cookie"],
    ["www.example.test", "A", "+padding=64", "+nordflag"],
    ["www.example.test", "A", "+subnet=192.0.2.0/24"],
    ["www.example.test", "A", "+subnet=2001:db8::/48"],
    ["www.example.test", "A", "+ednsopt=11", "+ednsopt=65001:abcd", "+nsid"],
    ["www.upstream.test", "A"],
    ["www.upstream.test", "MX"],
    ["absent.upstream.test", "A"],
    ["big.upstream.test", "TXT", "+bufsize=512"],
    ["phone.upstream.test", "NAPTR", "+dnssec"],
]

# 24 queries that dnsperf repeats.
DNSPERF_QUERIES = OWN[:16] + [
    ("absent.example.test", "A"),
    ("absent.example.test", "TXT"),
    ("www.refused.test", "A"),
    ("www.refused.test", "MX"),
    ("www.broken.test", "A"),
    ("mail.example.test", "AAAA"),
    ("www.upstream.test", "A"),
    ("absent.upstream.test", "SRV"),
]
# A burst fits into the queue that libfstrm has for a thread (512 frames), so that a server drops
# nothing, however long its writing thread has to wait for a processor.
DNSPERF_PASSES = 10

QUICK_TIMEOUT = """
inputs:
  - name: unix
    unix: "{dir}/dnstap.sock"
matching:
  timeout: 2s
"""

SETTLED = 20  # seconds; a second is usual: libfstrm flushes that often


class Tally:
    """What a client counted, as our metrics would: {(role, metric, labels): value}."""

    def __init__(self):
        self.counts = collections.Counter()

    def add(self, role, metric, value=1, **labels):
        self.counts[role, metric, frozenset(labels.items())] += value

    def select(self, metrics):
        return {key: value for key, value in self.counts.items() if key[1] in metrics and value}


def counted(page, server, metrics, roles):
    """The page's series of one server in the form of a tally; zeros left out."""
    own = {"server", "role"}
    return {(labels["role"], metric, frozenset(i for i in labels.items() if i[0] not in own)): value
            for metric in metrics for labels, value in page.select(metric, server=server)
            if value and labels["role"] in roles}


class Message:
    """One message of kdig's output: its text from the header line on."""

    def __init__(self, text):
        self.rcode = re.search(r"status: (\w+);", text)[1]
        self.opcode = re.search(r"opcode: (\w+);", text)[1]
        self.flags = re.search(r"^;; Flags: ([a-z ]*);", text, re.M)[1].split()
        edns = re.search(r"^;; EDNS PSEUDOSECTION:\n;; Version: \d+; flags: ([a-z ]*);[^\n]*\n"
                         r"((?:;; .*\n)*)", text, re.M)
        self.edns = bool(edns)
        self.dnssec_ok = bool(edns) and "do" in edns[1].split()
        self.options = re.findall(r"^;; ([^:]+):", edns[2], re.M) if edns else []
        self.extended_errors = re.findall(r"^;; EDE: (\d+) \(([^)]*)\)", text, re.M)
        self.qname, self.qtype = re.search(
            r"QUESTION SECTION:\n;; (\S+)\s+\w+\s+(\w+)", text).groups()
        self.answers = self.section(text, "ANSWER")
        self.authorities = self.section(text, "AUTHORITY")
        self.size = int(re.search(r"^;; (?:Sent|Received) (\d+) B", text, re.M)[1])
        peer, transport = re.search(r"^;; (?:To|From) (\S+)@\d+\((\w+)\)", text, re.M).groups()
        self.family = "ipv6" if ":" in peer else "ipv4"
        self.transport = transport.lower()

    @staticmethod
    def section(text, name):
        """Types of the records in a section."""
        match = re.search(rf"^;; {name} SECTION:\n((?:[^;\n].*\n)*)", text, re.M)
        return [line.split()[3] for line in match[1].splitlines()] if match else []

    def outcome(self):
        if self.rcode in ("NXDOMAIN", "SERVFAIL", "REFUSED"):
            return self.rcode.lower()
        if self.rcode != "NOERROR" or "tc" in self.flags and not self.answers:
            return "other"
        if self.answers and not (set(self.answers) == {"CNAME"} and "SOA" in self.authorities):
            return "answer"
        return "referral" if set(self.authorities) == {"NS"} else "nodata"

    def count(self, tally, role):
        if "qr" in self.flags:
            self.count_response(tally, role)
        else:
            self.count_query(tally, role)
        kind = "response" if "qr" in self.flags else "query"
        for option in {OPTIONS[option] for option in self.options}:
            tally.add(role, "dnstap_edns_options_total", kind=kind, option=option)
        tally.add(role, f"dnstap_{kind}_size_bytes_count", transport=self.transport)
        tally.add(role, f"dnstap_{kind}_size_bytes_sum", self.size, transport=self.transport)

    def count_query(self, tally, role):
        flags = {flag for flag in ("rd", "cd", "ad") if flag in self.flags}
        flags |= {"edns"} if self.edns else set()
        flags |= {"do"} if self.dnssec_ok else set()
        tally.add(role, "dnstap_queries_total", family=self.family, transport=self.transport)
        tally.add(role, "dnstap_query_types_total", qtype=self.qtype)
        tally.add(role, "dnstap_query_opcodes_total", opcode=self.opcode)
        for flag in flags:
            tally.add(role, "dnstap_query_flags_total", flag=flag)
        tally.add(role, "dnstap_query_name_size_bytes_count")
        tally.add(role, "dnstap_query_name_size_bytes_sum", len(self.qname) + 1)

    def count_response(self, tally, role):
        tally.add(role, "dnstap_responses_total", family=self.family, transport=self.transport)
        tally.add(role, "dnstap_response_codes_total", rcode=self.rcode)
        for flag in ("aa", "tc", "ra", "ad"):
            if flag in self.flags:
                tally.add(role, "dnstap_response_flags_total", flag=flag)
        tally.add(role, "dnstap_response_outcomes_total", outcome=self.outcome())
        for info_code, error in self.extended_errors:
            tally.add(role, "dnstap_extended_errors_total", info_code=info_code, error=error)


def kdig(server, address, *arguments):
    """Run kdig once, return the messages that it sent and received."""
    output = subprocess.run(
        ["kdig", f"@{address}", "-p", str(server.port), "+qr", "+ignore", "+retry=0",
         f"+timeout={limit(20):.0f}", *arguments],
        check=True, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT).stdout
    texts = output.split(";; ->>HEADER<<- ")[1:]
    assert texts, f"kdig {arguments}: {output}"
    return [Message(text) for text in texts]


class RealServer:
    """The tests that every server passes; a subclass starts its servers in setUp."""

    kind = None             # class of the server under test
    upstream_kind = None    # class of the one it asks, if it does

    def setUp(self):
        self.exporter = self.enterContext(Exporter())
        self.upstream = None
        if self.upstream_kind:
            self.upstream = self.enterContext(
                self.upstream_kind(self.exporter.socket, identity="upstream"))
        self.server = self.enterContext(self.kind(self.exporter.socket, upstream=self.upstream))
        connections = 2 if self.upstream else 1
        wait_until(lambda: self.exporter.scrape().total("dnstap_connections") == connections,
                   SETTLED, "the servers' connections")

    def check_tally(self, tally, metrics):
        wait_until_equal(
            lambda: tally.select(metrics),
            lambda: counted(self.exporter.scrape(), self.server.identity, metrics,
                            ("client", "auth")),
            SETTLED, "the client's and our counts to agree")

    def check_upstream(self):
        """What the server says that it asked is what the other says that it was asked."""
        if not self.upstream:
            return

        def seen_as(server, role):
            found = counted(self.exporter.scrape(), server.identity, COMPARED, (role,))
            return {key[1:]: value for key, value in found.items()}

        wait_until_equal(lambda: seen_as(self.server, self.server.upstream_role()),
                         lambda: seen_as(self.upstream, "auth"),
                         SETTLED, "the asking and the asked server's counts to agree")
        self.assertTrue(seen_as(self.server, self.server.upstream_role()), "nothing was asked")

    def check_response_times(self, page):
        """Every response has its time, unless the clock went backwards."""
        roles = page.by("role", "dnstap_responses_total", server=self.server.identity)
        for role, responses in roles.items():
            labels = {"server": self.server.identity, "role": role}
            self.assertEqual(page.total("dnstap_unmatched_responses_total", **labels), 0, role)
            self.assertEqual(page.total("dnstap_unanswered_queries_total", **labels), 0, role)
            samples = page.total("dnstap_response_time_seconds_count", **labels)
            negative = page.total("dnstap_negative_response_times_total", **labels)
            self.assertEqual(samples + negative, responses, role)
            self.assertEqual(
                page.total("dnstap_response_time_seconds_bucket", le="+Inf", **labels), samples)

    def check_nothing_follows(self):
        """Stop the servers: nothing more is counted than what was right before."""
        def totals(page):
            return {key: value for key, value in page.samples.items()
                    if key[0] in ("dnstap_queries_total", "dnstap_responses_total")}

        before = self.exporter.scrape()
        self.check_response_times(before)
        for server in filter(None, (self.server, self.upstream)):
            self.assertEqual(server.stop(), 0, server.program)
        wait_until(lambda: self.exporter.scrape().total("dnstap_connections") == 0,
                   SETTLED, "the end of the connections")
        after = self.exporter.scrape()
        self.assertEqual(totals(after), totals(before))
        self.assertEqual(after.total("dnstap_frames_rejected_total"), 0)

    def test_kdig(self):
        tally = Tally()
        for address in ADDRESSES.values():
            for transport in "+notcp", "+tcp":
                for case in KDIG_CASES:
                    for message in kdig(self.server, address, transport, *case):
                        role = self.server.role("+nordflag" not in case)
                        message.count(tally, role)
        self.check_cases(tally)
        self.check_tally(tally, COMPARED)
        self.check_upstream()
        self.check_nothing_follows()

    def check_cases(self, tally):
        """The cases are what they are meant to be, or equality would prove little."""
        def seen(label):
            return {value for key in tally.counts for name, value in key[2] if name == label}

        self.assertLessEqual({"NOERROR", "NXDOMAIN", "SERVFAIL", "REFUSED"}, seen("rcode"))
        self.assertLessEqual({"answer", "nodata", "nxdomain", "servfail", "refused", "other"},
                             seen("outcome"))
        self.assertLessEqual({"rd", "cd", "ad", "do", "edns", "aa", "tc"}, seen("flag"))
        self.assertEqual(seen("option") - {"ede"},
                         {"nsid", "cookie", "padding", "ecs", "keepalive", "other"})
        self.assertEqual(seen("transport"), {"udp", "tcp"})
        self.assertEqual(seen("family"), set(ADDRESSES))
        self.assertGreater(len(seen("qtype")), 18)

    def test_dnsperf(self):
        tally = Tally()
        latency = 0
        for family in ADDRESSES:
            for transport, flags in ("udp", []), ("udp", ["-D"]), ("tcp", ["-e", "-c", 4]):
                load = Load(self.server, DNSPERF_QUERIES, "-m", transport, "-n", DNSPERF_PASSES,
                            *flags, family=family)
                self.addCleanup(load.end)
                result = load.result()
                latency += result.completed * result.latency
                self.count_load(tally, result, family, transport, flags)
                self.check_tally(tally, COMPARED_WITH_DNSPERF)
        self.assertLessEqual({"NOERROR", "NXDOMAIN", "SERVFAIL", "REFUSED"},
                             {value for key in tally.counts for name, value in key[2]
                              if name == "rcode"})
        self.check_upstream()
        self.check_mean_response_time(latency)
        self.check_nothing_follows()
        self.check_lists(tally)

    def check_lists(self, tally):
        """Names and clients are what was asked, and by whom; an upstream server adds what it was asked
        for what was not in the cache."""
        self.exporter.wait_for_evaluation()
        lists = json.loads(self.exporter.get("/api/v1/top?limit=1000")[2])["lists"]
        loads = 3 * len(ADDRESSES)
        asked = collections.Counter(name for name, _ in DNSPERF_QUERIES)
        found = {entry["qname"]: entry["value"] for entry in lists["qname_queries"]["entries"]}
        clients = {entry["client"]: entry["value"] for entry in lists["client_queries"]["entries"]}
        sent = sum(value for (_, metric, _), value in tally.counts.items()
                   if metric == "dnstap_queries_total")
        compare = self.assertGreaterEqual if self.upstream else self.assertEqual
        for name, count in asked.items():
            compare(found[name], count * DNSPERF_PASSES * loads)
        compare(sum(clients.values()), sent)
        self.assertLessEqual(set(ADDRESSES.values()), set(clients))
        nxdomains = {entry["qname"] for entry in lists["qname_nxdomains"]["entries"]}
        self.assertIn("absent.example.test", nxdomains)
        self.assertEqual({entry["domain"] for entry in lists["domain_nxdomains"]["entries"]}
                         - {"example.test", "upstream.test"}, set())

    def check_mean_response_time(self, latency):
        """The server takes no longer than its client waits, but for ticks of 4 ms, a busy CPU."""
        labels = {"server": self.server.identity, "role": self.server.role(True)}
        page = self.exporter.scrape()
        count = page.total("dnstap_response_time_seconds_count", **labels)
        self.assertLess(page.total("dnstap_response_time_seconds_sum", **labels),
                        latency + 0.01 * count)

    def count_load(self, tally, result, family, transport, flags):
        sent = len(DNSPERF_QUERIES) * DNSPERF_PASSES
        self.assertEqual((result.sent, result.completed, result.lost), (sent, sent, 0))
        role = self.server.role(True)
        for kind in "queries", "responses":
            tally.add(role, f"dnstap_{kind}_total", sent, family=family, transport=transport)
        for _, qtype in DNSPERF_QUERIES:
            tally.add(role, "dnstap_query_types_total", DNSPERF_PASSES, qtype=qtype)
        tally.add(role, "dnstap_query_opcodes_total", sent, opcode="QUERY")
        for flag in ["rd"] + (["edns"] if flags else []) + (["do"] if "-D" in flags else []):
            tally.add(role, "dnstap_query_flags_total", sent, flag=flag)
        for rcode, value in result.rcodes.items():
            tally.add(role, "dnstap_response_codes_total", value, rcode=rcode)


class TestUnbound(RealServer, unittest.TestCase):
    kind = Unbound
    upstream_kind = Knot


class TestBind(RealServer, unittest.TestCase):
    kind = Bind
    upstream_kind = Knot


class TestKnot(RealServer, unittest.TestCase):
    kind = Knot


class TestHalves(unittest.TestCase):
    """Exchanges of which a server logs only one half are counted as such, and nothing else is."""

    def check(self, kind, cases, **expected):
        exporter = self.enterContext(Exporter(QUICK_TIMEOUT))
        server = self.enterContext(kind(exporter.socket))
        wait_until(lambda: exporter.scrape().total("dnstap_connections") == 1,
                   SETTLED, "the server's connection")
        for case in cases:
            subprocess.run(["kdig", "@127.0.0.1", "-p", str(server.port),
                            f"+timeout={limit(20):.0f}", *case],
                           check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)

        def found():
            page = exporter.scrape()
            return {what: page.total(f"dnstap_{what}") for what in expected}

        wait_until_equal(lambda: expected, found, SETTLED, "the unmatched messages")

    def test_bind(self):
        """No response to AXFR, no query of a NOTIFY; in class CH the two halves differ in role.

        A response of 9.20 needs no query: it has both times.
        """
        cases = (["example.test", "AXFR"], ["example.test", "NOTIFY"],
                 ["version.bind", "TXT", "CH"], ["www.example.test", "A"])
        both_times = Bind.version() >= (9, 20)
        self.check(Bind, cases, queries_total=3, responses_total=3, unanswered_queries_total=1,
                   unmatched_responses_total=0 if both_times else 1,
                   response_time_seconds_count=3 if both_times else 2)

    def test_knot(self):
        """No query of which it does not know the EDNS version."""
        cases = ["www.example.test", "A", "+edns=1"], ["www.example.test", "A"]
        self.check(Knot, cases, queries_total=1, responses_total=2, unanswered_queries_total=0,
                   unmatched_responses_total=1, response_time_seconds_count=1)


if __name__ == "__main__":
    unittest.main(verbosity=2)
