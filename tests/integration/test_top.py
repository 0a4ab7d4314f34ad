# SPDX-License-Identifier: Apache-2.0
"""Who and what: the lists and the distinct counts, on the page and as JSON, are what independent
decoders count in the captures; privacy holds everywhere; the window moves; the suffix list and the
names that detectors leave alone are read again.
"""

import collections
import ipaddress
import json
import pathlib
import re
import signal
import subprocess
import tempfile
import time
import unittest

import truth
from exporter import PROGRAM, Exporter, Page, detection_of, limit, wait_until
from sender import Sender, data_frames, dns_message, dns_response, dnstap_frame

CAPTURES = pathlib.Path(__file__).resolve().parent.parent / "captures"
NXDOMAIN, SERVFAIL = 3, 2
LISTS = {
    "client_queries": "client", "client_nxdomains": "client", "client_response_bytes": "client",
    "qname_queries": "qname", "qname_nxdomains": "qname", "qname_servfails": "qname",
    "domain_queries": "domain", "domain_nxdomains": "domain", "domain_servfails": "domain",
}
EVERYTHING = 1000

CONFIG = """
inputs:
  - name: unix
    unix: "{dir}/dnstap.sock"
"""


def read(path, config=""):
    """The page of a file, read with this configuration."""
    with tempfile.NamedTemporaryFile("w", suffix=".yml") as file:
        file.write(config)
        file.flush()
        done = subprocess.run([PROGRAM, "read", f"--config.file={file.name}", path],
                              stdout=subprocess.PIPE, timeout=limit(120), check=False)
    return Page(done.stdout.decode())


def text_of(labels):
    """A name's labels as text: RFC 1035's \\DDD for all but the printable ASCII."""
    parts = ["".join(chr(byte) if 32 < byte < 127 and byte not in b".\\" else f"\\{byte:03d}"
                     for byte in label) for label in labels if label]
    return ".".join(parts) or "."


class Counts:
    """What the lists should have, counted exactly from a capture's frames."""

    def __init__(self, frames):
        self.lists = {name: collections.Counter() for name in LISTS}
        for frame in frames:
            if frame.role in ("client", "auth"):
                self.take(frame)

    def take(self, frame):
        address = frame.message.query_address
        client = str(ipaddress.ip_address(address)) if any(address) else None
        name = text_of(frame.question[0]) if frame.question and self.is_short(frame) else None
        if frame.kind == "query":
            self.count("queries", client, name)
            return
        size = len(frame.message.response_message)
        if client and size:
            self.lists["client_response_bytes"][client] += size
        opcode = frame.header[1] >> 11 & 15 if frame.header else None
        if opcode == 0 and frame.extended_rcode == NXDOMAIN:
            self.count("nxdomains", client, name)
        elif opcode == 0 and frame.extended_rcode == SERVFAIL:
            self.count("servfails", None, name)

    @staticmethod
    def is_short(frame):
        """Longer names are malformed (RFC 1035 section 2.3.4)."""
        return sum(len(label) + 1 for label in frame.question[0]) <= 255

    def count(self, what, client, name):
        if client:
            self.lists[f"client_{what}"][client] += 1
        if name is not None:
            self.lists[f"qname_{what}"][name] += 1


NOTHING = """
top: {lists: []}
distinct: {counts: []}
""" + detection_of()


class Captures(unittest.TestCase):
    """Captures of real servers, each shorter than the window."""

    def test_lists_are_exact(self):
        for path in sorted(CAPTURES.glob("*.fstrm")):
            frames = [truth.decode(payload) for _, payload in data_frames(path.read_bytes())]
            counts = Counts(frames)
            page = read(path, f"top: {{max_series: {EVERYTHING}}}\nwindow: 1h\n")
            for name, label in LISTS.items():
                if label == "domain":
                    continue  # tests/oracle compares them with libpsl's
                with self.subTest(capture=path.stem, list=name):
                    self.assertLess(len(counts.lists[name]), EVERYTHING)
                    self.assertEqual(page.by(label, f"dnstap_top_{name}"), counts.lists[name])
                    self.assertFalse(page.by(label, f"dnstap_top_{name}_error"))
            for what in ("queries", "nxdomains", "servfails"):
                self.assertEqual(page.total(f"dnstap_top_domain_{what}"),
                                 counts.lists[f"qname_{what}"].total())
            qnames = len(counts.lists["qname_queries"])
            self.assertAlmostEqual(page.total("dnstap_distinct_qnames"), qnames,
                                   delta=0.05 * qnames + 1)

    def test_default_length(self):
        """Ten, the largest, and among equals the first by their bytes."""
        path = CAPTURES / "unbound-small.fstrm"
        everything = read(path, f"top: {{max_series: {EVERYTHING}}}\n")
        page = read(path)
        for name, label in LISTS.items():
            full = everything.by(label, f"dnstap_top_{name}")
            top = page.by(label, f"dnstap_top_{name}")
            self.assertEqual(len(top), min(10, len(full)))
            self.assertEqual(sorted(top.values()), sorted(full.values())[-len(top):])

    def test_what_is_off(self):
        path = CAPTURES / "unbound-small.fstrm"
        lists = ", ".join(name for name in LISTS if name != "qname_queries")
        page = read(path, f"top: {{lists: [{lists}]}}\n"
                          "distinct: {counts: [qnames, nxdomain_qnames, domains]}\n"
                          + detection_of("nxdomain_domain"))
        self.assertNotIn("dnstap_top_qname_queries", page.text)
        self.assertNotIn("dnstap_distinct_clients", page.text)
        self.assertTrue(page.select("dnstap_top_qname_nxdomains"))
        self.assertTrue(page.select("dnstap_distinct_qnames"))
        self.assertEqual([pairs["detector"] for pairs, _ in
                          page.select("dnstap_detections_total")], ["nxdomain_domain"])
        page = read(path, NOTHING)
        self.assertFalse(re.findall("dnstap_(?:top|distinct|detection)", page.text))
        self.assertTrue(page.total("dnstap_queries_total"))


def seen_by(client, labels=(b"www", b"site", b"example"), rcode=None):
    """A frame of this client: a query, or with an rcode a response."""
    kind = "CLIENT_QUERY" if rcode is None else "CLIENT_RESPONSE"
    dns = dns_message(labels=labels) if rcode is None else dns_response(labels=labels, rcode=rcode)
    frame = truth.messages()["dnstap.Dnstap"].FromString(dnstap_frame(dns, kind))
    frame.message.query_address = ipaddress.ip_address(client).packed
    return frame.SerializeToString()


class Service(unittest.TestCase):
    """Through a socket."""

    def start(self, config=""):
        return self.enterContext(Exporter(CONFIG + config, flags=["--log.level=debug"]))

    def top(self, exporter, query=""):
        status, headers, body = exporter.get("/api/v1/top" + query)
        self.assertEqual((status, headers["Content-Type"]), (200, "application/json"))
        return json.loads(body)

    def test_json_agrees_with_the_page(self):
        exporter = self.start()
        for number in range(40):
            Sender(exporter.socket).send_all(
                [seen_by(f"192.0.2.{number}", (b"n%d" % number, b"site", b"com"))] * (number + 1)
                + [seen_by("2001:db8::1", (b'"<b>\\', b"\xff"), NXDOMAIN)])
        exporter.wait_for_evaluation()
        page, document = exporter.scrape(), self.top(exporter)
        self.assertEqual(document["window_seconds"], 300)
        self.assertEqual({name for name in document["lists"] if not name.startswith("upstream_")}, set(LISTS))
        for name, label in LISTS.items():
            values = document["lists"][name]
            self.assertEqual({entry[label]: entry["value"] for entry in values["entries"]},
                             page.by(label, f"dnstap_top_{name}"))
            for entry in values["entries"]:
                self.assertAlmostEqual(entry["share"], entry["value"] / values["total"], places=4)
                self.assertEqual(entry["error"], 0)
            self.assertEqual(values["unlisted_at_most"], 0)
        self.assertEqual(document["lists"]["domain_queries"]["entries"],
                         [{"domain": "site.com", "value": 820, "error": 0, "share": 1.0}])
        self.assertEqual(document["lists"]["qname_nxdomains"]["entries"][0]["qname"],
                         '"<b>\\092.\\255')
        for name, count in {"clients_ipv4": 40, "clients_ipv6": 0, "qnames": 40,
                            "nxdomain_qnames": 1, "domains": 1}.items():
            self.assertAlmostEqual(document["distinct"][name], count, delta=0.05 * count)
        self.assertEqual(len(document["distinct"]), 5)
        self.assertEqual(document["findings"], [])
        for limit in (1, 25, 1000):
            entries = self.top(exporter, f"?limit={limit}")["lists"]["qname_queries"]["entries"]
            self.assertEqual(len(entries), min(limit, 40))
            self.assertEqual([entry["value"] for entry in entries],
                             list(range(40, 40 - len(entries), -1)))

    def test_by_server(self):
        """Each server has lists of its own, of the same length; together they are the lists of all."""
        with Exporter(CONFIG + "top: {by_server: true, max_series: 3}\n") as exporter:
            for server, names in ((b"ns1", 20), (b"ns2", 2)):
                frames = [dnstap_frame(dns_message(labels=(b"n%d" % n, b"example"), number=n), identity=server)
                          for n in range(names) for _ in range(n + 1)]
                Sender(exporter.socket).send_all(frames)
            exporter.wait_for_evaluation()
            page = exporter.scrape()
            queries = {(labels["server"], labels["qname"]): value
                       for labels, value in page.select("dnstap_top_qname_queries")}
            self.assertEqual(queries, {("ns1", "n19.example"): 20, ("ns1", "n18.example"): 19, ("ns1", "n17.example"): 18,
                                       ("ns2", "n1.example"): 2, ("ns2", "n0.example"): 1})
            self.assertEqual(page.total("dnstap_top_client_queries", server="ns2"), 3)
            self.assertEqual(page.total("dnstap_top_domain_queries_error", server="ns1"), 0)
            top = json.loads(exporter.get("/api/v1/top?limit=1")[2])["lists"]["qname_queries"]["entries"]
            self.assertEqual([(entry["server"], entry["qname"], entry["value"]) for entry in top],
                             [("ns1", "n19.example", 20), ("ns2", "n1.example", 2)])

    def test_limit_that_is_none(self):
        exporter = self.start()
        for limit in ("0", "1001", "-1", "x", "", "1x", "%20", "99999999999999999999999"):
            status, _, body = exporter.get(f"/api/v1/top?limit={limit}")
            self.assertEqual((status, body), (400, b"limit: expected a number from 1 to 1000.\n"))
        self.assertEqual(exporter.get("/api/v1/top?other=1")[0], 200)

    def test_everything_off(self):
        exporter = self.start(NOTHING)
        Sender(exporter.socket).send_all([seen_by("192.0.2.1")])
        self.assertEqual(self.top(exporter), {"window_seconds": 300, "lists": {}, "distinct": {},
                                              "findings": []})

    def test_privacy(self):
        """Networks, numbers, or nothing: and the address is nowhere else."""
        shown = {
            "{client_ipv4_prefix: 24, client_ipv6_prefix: 48}":
                {"192.0.2.0/24", "198.51.100.0/24", "2001:db8:1::/48"},
            "{client_ipv4_prefix: 0}": {"2001:db8:1:2::3"},
            "{client_ipv6_prefix: 0, client_ipv4_prefix: 8}": {"192.0.0.0/8", "198.0.0.0/8"},
            "{client_hash: true}": None,
        }
        clients = ["192.0.2.1", "192.0.2.200", "198.51.100.7", "2001:db8:1:2::3", "0.0.0.0", "::"]
        for privacy, expected in shown.items():
            with self.subTest(privacy=privacy):
                exporter = self.start(f"privacy: {privacy}\n")
                Sender(exporter.socket).send_all(
                    seen_by(client, rcode=rcode) for client in clients for rcode in (None, 3))
                exporter.wait_for_evaluation()
                page = exporter.scrape()
                text = page.text + json.dumps(self.top(exporter)) + exporter.log()
                for name in ("client_queries", "client_nxdomains", "client_response_bytes"):
                    found = set(page.by("client", f"dnstap_top_{name}"))
                    if expected is None:
                        self.assertEqual(len(found), 4)
                        for client in found:
                            self.assertRegex(client, "^[0-9a-f]{16}$")
                    else:
                        self.assertEqual(found, expected)
                for client in set(clients[:4]) - (expected or set()):
                    self.assertNotIn(client, text)
                self.assertEqual(page.total("dnstap_top_qname_queries"), len(clients))

    def test_window_moves_on(self):
        """What was counted is there in about a second, stays for nine steps and is gone after ten."""
        exporter = self.start("window: 10s\n")
        sent = time.monotonic()
        Sender(exporter.socket).send_all([seen_by("192.0.2.1")] * 7)

        def queries():
            return exporter.scrape().total("dnstap_top_client_queries", client="192.0.2.1")

        wait_until(lambda: queries() == 7, 3, "the list")
        while time.monotonic() < sent + 8.5:
            count, now = queries(), time.monotonic()
            self.assertTrue(count == 7 or now > sent + 8.5, (count, now - sent))
            time.sleep(0.2)
        wait_until(lambda: queries() == 0, 3, "an empty window")
        page = exporter.scrape()
        self.assertEqual(page.total("dnstap_distinct_qnames"), 0)
        self.assertEqual(page.total("dnstap_queries_total"), 7)

    def test_suffix_list_is_read_again(self):
        """On SIGHUP; one that is broken or gone is refused with its line, and the old one stays."""
        folder = self.enterContext(tempfile.TemporaryDirectory())
        path = pathlib.Path(folder, "list.dat")
        labels = (b"a", b"b", b"c", b"example")
        path.write_text("example\n", encoding="utf-8")
        exporter = self.start(f"public_suffix_list: {path}\n")

        def domain():
            """Of a query that is sent now: what has counted since the last call."""
            before = exporter.scrape().by("domain", "dnstap_top_domain_queries")
            Sender(exporter.socket).send_all([seen_by("192.0.2.1", labels)])
            exporter.wait_for_evaluation()
            after = exporter.scrape().by("domain", "dnstap_top_domain_queries")
            return {key for key in after if after[key] != before.get(key, 0)}

        def reload(successful):
            exporter.process.send_signal(signal.SIGHUP)
            wait_until(lambda: exporter.scrape().total(
                "dnstap_exporter_config_last_reload_successful") == successful)

        self.assertEqual(domain(), {"c.example"})
        path.write_text("c.example\n", encoding="utf-8")
        exporter.process.send_signal(signal.SIGHUP)
        wait_until(lambda: domain() == {"b.c.example"}, what="the new list")
        path.write_text("example\nnot a..rule\n..\n", encoding="utf-8")
        reload(0)
        exporter.wait_for_log(f"public_suffix_list: {path}:3: not a rule of a public suffix list")
        self.assertEqual(domain(), {"b.c.example"})
        path.unlink()
        exporter.process.send_signal(signal.SIGHUP)
        wait_until(lambda: f"{path}: No such file or directory" in exporter.log())
        self.assertEqual(domain(), {"b.c.example"})
        path.write_text("*.c.example\n", encoding="utf-8")
        reload(1)
        self.assertEqual(domain(), {"a.b.c.example"})

    def test_suffix_list_on_start(self):
        """One that was asked for must be there; without Debian's the program runs all the same."""
        with tempfile.NamedTemporaryFile("w", suffix=".yml") as config:
            config.write("public_suffix_list: /nonexistent.dat\n")
            config.flush()
            done = subprocess.run([PROGRAM, f"--config.file={config.name}", "read",
                                   CAPTURES / "kdig-tool.fstrm"], capture_output=True, text=True,
                                  timeout=limit(60), check=False)
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertEqual(done.stderr,
                         "dnstap_exporter: public_suffix_list: /nonexistent.dat: "
                         "No such file or directory\n")


if __name__ == "__main__":
    unittest.main()
