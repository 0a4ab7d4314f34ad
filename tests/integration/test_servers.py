# SPDX-License-Identifier: Apache-2.0
"""The pages in deploy/servers are true: servers with the pages' configuration send what these say.

NSD, dnsdist, Knot Resolver and PowerDNS Recursor are asked, and our counters equal what the clients
saw, or what the server that was asked in turn saw. (Unbound, BIND and Knot, which have their pages'
configuration too, are counted in test_real_servers.) For all the index says which roles they
send and where response times come from: their frames must agree. Then the exporter goes, and
comes again.
"""

import os
import pathlib
import re
import socket
import subprocess
import tempfile
import time
import unittest

import test_real_servers as real
import truth
from exporter import PROGRAM, Exporter, free_port, limit, wait_until, wait_until_equal
from sender import Tee, dns_message
from servers import (ADDRESSES, PAGES, Bind, DnsDist, Knot, KnotResolver, Load, Nsd, Recursor,
                     Unbound, page_blocks, release, with_certificates)

HEADINGS = ["Configuration", "What it sends", "What is missing or odd", "Reconnecting", "Rights",
            "TCP", "TLS"]

# Each server's kdig cases over these; the other two combinations are test_real_servers' part.
WAYS = [("+notcp", "ipv4"), ("+tcp", "ipv6" if "ipv6" in ADDRESSES else "ipv4")]

KINDS = Nsd, DnsDist, KnotResolver, Recursor, Unbound, Bind, Knot

# libfstrm tries again 5 s after its last attempt; then come its idle flush and a busy machine.
RECONNECTED = 20


def index_rows():
    """[(page, {column: cell})] of the index's table."""
    lines = (PAGES / "README.md").read_text(encoding="utf-8").splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")]
            for line in lines if line.startswith("|")]
    return [(re.search(r"\((\w+)\.md\)", row[0])[1], dict(zip(rows[0], row))) for row in rows[2:]]


def index():
    """{page: {column: cell}}; of the newest release where the index has several."""
    return dict(index_rows())


def index_of(kind):
    """A server's row; of several, the last whose release is not newer than the installed one."""
    first, *newer = [row for page, row in index_rows() if page == kind.page]
    return [first, *(row for row in newer if release(row["run here"]) <= kind.version())][-1]


def response_times(kind):
    """{role: where its response times come from} as the index has it, without unseen roles.

    Nobody sends an UPDATE here, and a server asks others as a resolver or as a forwarder.
    """
    cell = index_of(kind)["roles: where response times come from"]
    unseen = {"update", "resolver", "forwarder"} - {kind.upstream_role()}
    return {role: where for roles, where in re.findall(r"((?:`\w+` ?)+): ([^;]+)", cell)
            for role in re.findall(r"\w+", roles) if role not in unseen}


def response_times_seen(payloads):
    """The same of frames, with every place that was found."""
    seen = {}
    for frame in map(truth.decode, payloads):
        if frame.kind == "response":
            where = "matched" if frame.query_ns is None else "in the response"
            seen.setdefault(frame.role, set()).add(where)
    return seen


def exporter_input(page):
    """(line of the configuration, socket's name, group) that the page gives the exporter."""
    line = page_blocks(page, "Configuration")[0].removeprefix("inputs:\n")
    name = re.search(r"unix: /run/dnstap_exporter/([\w-]+\.sock)", line)[1]
    group = re.search(r"group: ([\w-]+)}", line)[1]
    return line, name, group


def exporter_config(*pages):
    """The inputs of the pages; only root may give sockets to other groups."""
    text = "inputs:\n" + "".join(exporter_input(page)[0] for page in pages)
    return (text if os.geteuid() == 0 else re.sub(r", group: [\w-]+", "", text)).replace(
        "/run/dnstap_exporter", "{dir}")


def socket_of(exporter, page):
    return os.path.join(exporter.dir, exporter_input(page)[1])


def user_of(kind):
    return kind.package_user if os.geteuid() == 0 else None


def accepts(port):
    """Whether somebody listens on this TCP port."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class TestPages(unittest.TestCase):

    def test_one_form(self):
        for page in index():
            text = (PAGES / f"{page}.md").read_text(encoding="utf-8")
            self.assertEqual(re.findall(r"^## (.*)$", text, re.MULTILINE)[:len(HEADINGS)], HEADINGS, page)

    def test_index_is_complete(self):
        self.assertEqual(set(index()), {path.stem for path in PAGES.glob("*.md")} - {"README"})

    def test_tcp_and_tls_are_told_where_they_are(self):
        for page, row in index().items():
            for heading in "TCP", "TLS":
                self.assertEqual(heading in row["sockets"], bool(page_blocks(page, heading)), page)

    def test_users(self):
        for kind in KINDS:
            self.assertEqual(index()[kind.page]["user"], f"`{kind.package_user}`")

    def test_exporter_takes_all_inputs_at_once(self):
        with tempfile.NamedTemporaryFile("w", suffix=".yml") as file:
            file.write("inputs:\n" + "".join(
                exporter_input(page)[0] for page in index()))
            file.flush()
            done = subprocess.run([PROGRAM, "--config.check", "--config.file", file.name],
                                  capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_server_and_exporter_mean_the_same_socket(self):
        """The blocks that name one: the exporter's, and one for each form of the server's."""
        for page in index():
            sockets = [set(re.findall(r"/run/dnstap_exporter/[\w-]+\.sock", block))
                       for block in page_blocks(page, "Configuration")]
            self.assertTrue(sockets[0] and sockets[1], page)
            self.assertEqual(len(set().union(*sockets)), 1, page)


class TestServers(unittest.TestCase):
    """All servers at once, each behind a tee that keeps what it sent."""

    @classmethod
    def setUpClass(cls):
        cls.exporter = cls.enterClassContext(
            Exporter(exporter_config(*(kind.page for kind in KINDS))))
        cls.tees = {kind.page: cls.enterClassContext(Tee(socket_of(cls.exporter, kind.page)))
                    for kind in KINDS}
        cls.knot = cls.enterClassContext(Knot(cls.tees["knot"].path))
        # What the Recursor asks is compared with what its own upstream is asked.
        cls.asked = cls.enterClassContext(
            Knot(socket_of(cls.exporter, "knot"), identity="asked"))
        cls.servers = {
            kind: cls.enterClassContext(kind(
                cls.tees[kind.page].path, user=user_of(kind),
                upstream=cls.asked if kind is Recursor else cls.knot))
            for kind in KINDS if kind is not Knot}

    def check_tally(self, server, tally, metrics):
        wait_until_equal(
            lambda: tally.select(metrics),
            lambda: real.counted(self.exporter.scrape(), server.identity, metrics,
                                 ("client", "auth")),
            real.SETTLED, f"the client's and our counts of {server.identity}")

    def check_response_times(self, server, role):
        """Each response has its time, by whichever way."""
        page = self.exporter.scrape()
        labels = {"server": server.identity, "role": role}
        responses = page.total("dnstap_responses_total", **labels)
        times = (page.total("dnstap_response_time_seconds_count", **labels)
                 + page.total("dnstap_negative_response_times_total", **labels))
        self.assertGreater(responses, 0)
        self.assertEqual(times, responses)
        self.assertEqual(page.total("dnstap_unmatched_responses_total", **labels), 0)

    def check_clients_counts(self, kind):
        self.server, tally = self.servers[kind], real.Tally()
        server = self.server
        for transport, family in WAYS:
            for case in real.KDIG_CASES:
                for message in real.kdig(server, ADDRESSES[family], transport, *case):
                    message.count(tally, server.role("+nordflag" not in case))
        self.check_tally(server, tally, real.COMPARED)
        for transport in "udp", "tcp":
            # With few questions on their way: NSD drops frames of a burst of a hundred.
            load = Load(server, real.DNSPERF_QUERIES, "-m", transport, "-n", real.DNSPERF_PASSES,
                        "-q", 4, "-Q", 400)
            self.addCleanup(load.end)
            real.RealServer.count_load(self, tally, load.result(), "ipv4", transport, [])
        self.check_tally(server, tally, real.COMPARED_WITH_DNSPERF)
        self.check_response_times(server, server.role(True))
        self.check_frames(kind)

    def check_frames(self, kind):
        """The frames are what the index says; all of them carry the page's identity."""
        payloads = self.tees[kind.page].payloads()
        self.assertEqual({truth.decode(payload).server for payload in payloads},
                         {kind.identity.encode()})
        said = {role: {where} for role, where in response_times(kind).items()}
        self.assertEqual(response_times_seen(payloads), said)

    def test_nsd(self):
        self.check_clients_counts(Nsd)

    def test_dnsdist(self):
        self.check_clients_counts(DnsDist)

    def test_knot_resolver(self):
        self.check_clients_counts(KnotResolver)

    def test_recursor(self):
        """It tells what it asks, all of it, and nothing of its own clients."""
        server = self.servers[Recursor]

        def told(identity, role):
            found = real.counted(self.exporter.scrape(), identity, real.COMPARED, (role,))
            return {key[1:]: value for key, value in found.items()}

        for transport, family in WAYS:
            for name, rtype in real.DNSPERF_QUERIES:
                real.kdig(server, ADDRESSES[family], transport, name, rtype)
        wait_until(lambda: told("asked", "auth"), real.SETTLED, "the asked server's counts")
        wait_until_equal(lambda: told("asked", "auth"), lambda: told("recursor", "resolver"),
                         real.SETTLED, "the asking and the asked server's counts")
        page = self.exporter.scrape()
        self.assertEqual(set(page.by("role", "dnstap_queries_total", server="recursor")),
                         {"resolver"})
        qtypes = page.by("qtype", "dnstap_query_types_total", server="recursor")
        self.assertLessEqual({rtype for _, rtype in real.DNSPERF_QUERIES}, set(qtypes))
        rcodes = page.by("rcode", "dnstap_response_codes_total", server="recursor")
        self.assertEqual(set(rcodes), {"NOERROR", "NXDOMAIN", "SERVFAIL", "REFUSED"})
        self.check_response_times(server, "resolver")
        self.assertEqual(page.total("dnstap_connections", input="pdns"), Recursor.threads + 3)
        self.check_frames(Recursor)

    def test_index_of_the_others(self):
        """Unbound, BIND and Knot, of which only the frames' form is looked at here."""
        for kind in Unbound, Bind:
            for case in (["www.example.test"], ["www.example.test", "+nordflag"],
                         ["www.upstream.test"]):
                real.kdig(self.servers[kind], "127.0.0.1", *case)
        real.kdig(self.knot, "127.0.0.1", "www.example.test")
        for kind in Unbound, Bind, Knot:
            with self.subTest(server=kind.page):
                wait_until(lambda: len(response_times_seen(self.tees[kind.page].payloads()))
                           == len(response_times(kind)),
                           real.SETTLED, "responses of each role")
                self.check_frames(kind)


class Asker:
    """Asks servers for ever new names, and does not wait for answers."""

    def __init__(self):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.number = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def ask(self, *servers):
        self.number += 1
        labels = b"new%d" % self.number, b"upstream", b"test"
        for server in servers:
            self.socket.sendto(dns_message(labels, number=self.number),
                               ("127.0.0.1", server.port))


class TestReconnection(unittest.TestCase):
    """The exporter goes and comes; each server's user writes the socket of its own group."""

    def ask_until_counted(self, exporter, asker, servers):
        """{identity: seconds from now until a response of the server was counted}"""
        begin, took = time.monotonic(), {}
        while len(took) < len(servers):
            self.assertLess(time.monotonic() - begin, limit(RECONNECTED), f"counted only {took}")
            asker.ask(*servers)
            time.sleep(0.1)
            page = exporter.scrape()
            for server in servers:
                if page.total("dnstap_responses_total", server=server.identity):
                    took.setdefault(server.identity, round(time.monotonic() - begin, 1))
        return took

    def test_exporter_comes_and_goes(self):
        kinds = Nsd, DnsDist, Recursor, KnotResolver
        exporter = Exporter(exporter_config(*(kind.page for kind in kinds)))
        self.addCleanup(exporter.discard)
        upstream = self.enterContext(Knot(exporter.socket))
        asker = self.enterContext(Asker())

        def start(kind, identity=None):
            return self.enterContext(kind(socket_of(exporter, kind.page), identity, upstream,
                                          user_of(kind)))

        # Before the exporter: all but Knot Resolver find it later.
        early = [start(kind) for kind in (Nsd, DnsDist, Recursor)]
        blind = start(KnotResolver, "blind")
        self.assertIn("failed to open socket", blind.log())
        asker.ask(*early, blind)
        with exporter:
            first = self.ask_until_counted(exporter, asker, early)
            asker.ask(blind)
            servers = [*early, start(KnotResolver)]
            self.ask_until_counted(exporter, asker, servers)
            self.assertEqual(exporter.stop(), 0)
            asker.ask(*servers, blind)
            exporter.start()
            again = self.ask_until_counted(exporter, asker, servers)
            page = exporter.scrape()
            self.assertEqual(set(page.by("server", "dnstap_queries_total")),
                             {server.identity for server in servers})
            self.check_ends(exporter, servers)
        print(f"seconds until counted: from the exporter's start {first}, from its restart {again}")


    def check_ends(self, exporter, servers):
        """NSD and Knot Resolver say STOP, PowerDNS programs do not."""
        def reasons():
            page = exporter.scrape()
            return {server.identity: set(page.by("reason", "dnstap_connections_closed_total",
                                                 input=exporter_input(server.page)[2])) for server in servers}

        for server in servers:
            server.stop()
        wait_until(lambda: not exporter.scrape().total("dnstap_connections"), 20, "the ends")
        self.assertEqual(reasons(), {"nsd": {"finish"}, "kresd": {"finish"},
                                     "dnsdist": {"eof"}, "recursor": {"eof"}})


class TestOddities(unittest.TestCase):
    """What the pages name as missing."""

    def test_halves(self):
        """NSD's refusal of a NOTIFY repeats no question, and answers it all the same; dnsdist has no
        response to AXFR."""
        exporter = self.enterContext(Exporter(real.QUICK_TIMEOUT))
        upstream = self.enterContext(Knot("/nonexistent/dnstap.sock"))
        asked = (Nsd, "example.test", "NOTIFY"), (Nsd, "example.test", "AXFR"), \
            (DnsDist, "example.test", "AXFR"), (DnsDist, "www.example.test", "A")
        servers = {kind: self.enterContext(kind(exporter.socket, upstream=upstream))
                   for kind in (Nsd, DnsDist)}
        for kind, name, rtype in asked:
            subprocess.run(["kdig", "@127.0.0.1", "-p", str(servers[kind].port), name, rtype],
                           check=False, capture_output=True)  # they refuse
        expected = {("nsd", "queries"): 2, ("nsd", "responses"): 2,
                    ("nsd", "unmatched_responses"): 0, ("nsd", "unanswered_queries"): 0,
                    ("dnsdist", "queries"): 2, ("dnsdist", "responses"): 1,
                    ("dnsdist", "unanswered_queries"): 1}

        def found():
            page = exporter.scrape()
            return {(server, what): value
                    for what in ("queries", "responses", "unmatched_responses",
                                 "unanswered_queries")
                    for server, value in page.by("server", f"dnstap_{what}_total").items()}

        wait_until_equal(lambda: expected, found, real.SETTLED, "the halves")

    def test_encrypted(self):
        """dnsdist and Knot Resolver name TLS and HTTPS for what they are."""
        folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        certificate, key = str(folder / "certificate"), str(folder / "key")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=localhost",
                        "-out", certificate, "-keyout", key], check=True, capture_output=True)
        ports = {kind: (free_port(), free_port()) for kind in (DnsDist, KnotResolver)}
        lines = {
            DnsDist: ('addTLSLocal("127.0.0.1:{}", "{}", "{}")\n'
                      'addDOHLocal("127.0.0.1:{}", "{}", "{}", "/dns-query")\n'),
            KnotResolver: ("net.listen('127.0.0.1', {}, {{kind = 'tls'}})\nnet.tls('{}', '{}')\n"
                           "net.listen('127.0.0.1', {}, {{kind = 'doh2'}})\nnet.tls('{}', '{}')\n")}

        def encrypted(kind):
            dot, doh = ports[kind]

            class Encrypted(kind):
                def files(self):
                    (name, text), = super().files().items()
                    return {name: text + lines[kind].format(dot, certificate, key,
                                                            doh, certificate, key)}

            return Encrypted

        exporter = self.enterContext(Exporter())
        upstream = self.enterContext(Knot("/nonexistent/dnstap.sock"))
        expected = {}
        for kind in DnsDist, KnotResolver:
            server = self.enterContext(encrypted(kind)(exporter.socket, kind.identity, upstream))
            for port, flag, transport in zip(ports[kind], ("+tls", "+https"), ("dot", "doh")):
                # Their logs may say "listening" before each port is open.
                wait_until(lambda port=port: accepts(port), 20, f"port {port}")
                subprocess.run(["kdig", "@127.0.0.1", "-p", str(port), flag,
                                f"+timeout={limit(20):.0f}", "www.upstream.test"],
                               check=True, capture_output=True)
                for what in "queries", "responses":
                    expected[server.identity, what, transport] = 1

        def found():
            page = exporter.scrape()
            return {(labels["server"], what, labels["transport"]): value
                    for what in ("queries", "responses")
                    for labels, value in page.select(f"dnstap_{what}_total")}

        wait_until_equal(lambda: expected, found, real.SETTLED, "transports")
        versions = {(labels["server"], labels["http_version"]): value for labels, value
                    in exporter.scrape().select("dnstap_doh_queries_total") if value}
        told = "2" if DnsDist.version() >= (2, 1) else "unknown"
        self.assertEqual(versions, {("kresd", "unknown"): 1, ("dnsdist", told): 1})

    @unittest.skipIf(os.geteuid(), "only root may change users")
    def test_socket_of_another(self):
        """They answer, do not get in, and only Knot Resolver says so."""
        exporter = self.enterContext(Exporter(
            'inputs:\n  - {name: root, unix: "{dir}/dnstap.sock", mode: "0600"}\n'))
        upstream = self.enterContext(Knot("/nonexistent/dnstap.sock"))
        servers = [self.enterContext(kind(exporter.socket, upstream=upstream,
                                          user=user_of(kind)))
                   for kind in (Nsd, DnsDist, Recursor, KnotResolver)]
        for server in servers:
            answer = real.kdig(server, "127.0.0.1", "www.upstream.test")[-1]
            self.assertEqual(answer.rcode, "NOERROR", server.identity)
        complaint = re.compile("permission|failed to open socket|unable|denied", re.IGNORECASE)
        self.assertEqual([server.identity for server in servers if complaint.search(server.log())],
                         ["kresd"])
        self.assertEqual(exporter.scrape().total("dnstap_connections_accepted_total"), 0)


class TestTcp(unittest.TestCase):
    """The lines that a page's sections TCP and TLS put in the place of the unix socket's."""

    KINDS = Unbound, DnsDist, Recursor, Nsd, Knot
    ROLES = {Recursor: "resolver", Nsd: "auth", Knot: "auth"}  # the others': client

    def able(self, way):
        """The kinds whose installed release can, by the index: "TCP (3.4)" is 3.4 and later."""
        for kind in self.KINDS:
            if said := re.search(rf"{way}(?: \((\d+)\.(\d+)\))?", index_of(kind)["sockets"]):
                if said[1] is None or kind.version() >= (int(said[1]), int(said[2])):
                    yield kind

    def check(self, exporter, servers):
        """One question to each of them is counted."""
        def found():
            page = exporter.scrape()
            return {server.identity: page.total(
                "dnstap_query_types_total", server=server.identity, qtype="MX",
                role=self.ROLES.get(type(server), "client")) for server in servers}

        for server in servers:
            real.kdig(server, "127.0.0.1", "www.upstream.test", "MX")
        wait_until_equal(lambda: {server.identity: 1 for server in servers}, found,
                         real.SETTLED, "what came over TCP")

    def test_tcp(self):
        port = free_port()
        exporter = self.enterContext(
            Exporter(f'inputs:\n  - {{name: tcp, tcp: "127.0.0.1:{port}"}}\n'))
        upstream = self.enterContext(Knot(exporter.socket))
        self.check(exporter, [self.enterContext(kind(("127.0.0.1", port), upstream=upstream))
                              for kind in self.able("TCP")])

    def test_tls(self):
        """With the certificates that the index says how to make, of both sides."""
        folder = self.enterContext(tempfile.TemporaryDirectory())
        commands, chain = page_blocks("README", "TLS")
        subprocess.run(["sh", "-e"], input=commands, text=True, check=True, cwd=folder, capture_output=True)
        upstream = self.enterContext(Knot("/nonexistent/dnstap.sock"))
        ports = {kind: free_port() for kind in self.able("TLS")}
        exporter = self.enterContext(Exporter("inputs:\n" + "".join(
            with_certificates(page_blocks(kind.page, "TLS")[0], folder).removeprefix("inputs:\n")
            .replace("6000", str(port)) for kind, port in ports.items())))
        self.check(exporter, [self.enterContext(kind(("127.0.0.1", port), upstream=upstream, tls=folder))
                              for kind, port in ports.items()])
        # A server without TLS, and an exporter beside it.
        text = with_certificates(chain, folder).replace("192.0.2.1:6000", f"127.0.0.1:{ports[Unbound]}")
        beside = self.enterContext(Exporter(re.sub(", group: [\\w-]+", "", text).replace("/run/dnstap_exporter", "{dir}")))
        self.check(exporter, [self.enterContext(DnsDist(socket_of(beside, "dnsdist"), upstream=upstream))])


if __name__ == "__main__":
    unittest.main(verbosity=2)
