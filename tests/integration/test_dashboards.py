# SPDX-License-Identifier: Apache-2.0
"""Every expression of the dashboards, rules and alerts, asked of a real Prometheus.

An exporter is fed by a real Unbound that asks a real Knot, then also by senders that make every
kind of trouble at once. In both times each query of each panel gives numbers; those that show
trouble give zeros in the first and more in the second. One Prometheus takes the classic
histograms, another one the native ones, from the same exporter.
"""

import itertools
import json
import math
import pathlib
import random
import re
import signal
import sys
import tempfile
import threading
import time
import unittest

from exporter import Exporter, limit, wait_until
from prometheus import Prometheus
from sender import Sender, dns_message, dns_response, dnstap_frame
from servers import Knot, Load, Unbound
from traffic import INFECTED, VICTIM, LookUp, amplification, frames_of, names_under, rebinding, token
from truth import messages

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tests/lint"))
from promql_names import rules as rules_of

# How histograms are scraped, and the flags that make Prometheus do so.
FORMATS = [("classic", []), ("native", ["--enable-feature=native-histograms"])]

CONFIG = """
inputs:
  - name: unix
    unix: "{dir}/dnstap.sock"
  - name: sampled
    unix: "{dir}/sampled.sock"
    sampling: 20
limits:
  servers: 8
  unassigned_qtypes: 1
  frame_size: 4096
matching:
  capacity: 256
  timeout: 2s
detection:
  new_domain: {learning: 0s}
  block_list: {lists: [{name: malware, file: "{dir}/malware.txt"}]}
"""

# What Unbound is asked all the time: nothing fails. Each has something that a panel shows.
QUERIES = [("www.example.test", "A"), ("www.example.test", "TXT"), ("www.upstream.test", "A"),
           ("mail.example.test", "AAAA"), ("alias.example.test", "A")]
RATE = 20  # queries a second

VARIABLES = {"datasource": "prometheus", "job": "dnstap", "instance": ".*", "server": ".*",
             "role": ".*", "__rate_interval": "10s", "__range": "1m"}

# Panels, and columns of tables, that are 0 while nothing is wrong, and more in trouble. All others
# are numbers in both times, and more than 0 in the second, but for the next set.
TROUBLE = {
    "DNS overview": {
        "Alerts firing", "Which alerts", "Exporters down", "SERVFAIL", "NXDOMAIN", "Unanswered",
        "Detections",
        "Servers: SERVFAIL", "Servers: NXDOMAIN", "Servers: REFUSED", "Servers: unanswered",
        "Servers: sends",
        "Response codes other than NOERROR", "SERVFAIL share by server",
        "NXDOMAIN share by server", "Unanswered share by server", "REFUSED share by server",
        "Extended errors", "SERVFAIL share by role", "Unanswered share by role",
        "Truncated responses by server", "Malformed messages", "Query classes other than IN",
        "DoH by HTTP version"},
    "Top talkers and suspicious patterns": {
        "DGA", "Random subdomains", "Tunnels", "Block lists", "Amplification", "Rebinding", "Began", "NXDOMAIN",
        "Queries for listed names", "Answers with private addresses",
        "Names that do not exist", "Active detections", "Detections that last", "Scores over time",
        "NXDOMAIN responses by server", "Clients by NXDOMAIN", "Domains by NXDOMAIN",
        "Names by NXDOMAIN", "Clients by NXDOMAIN over time", "Domains by NXDOMAIN over time",
        "Domains by SERVFAIL", "Names by SERVFAIL",
        "REFUSED responses by server", "Policy actions", "Malformed messages by server"},
    "Exporter health": {
        "Alerts firing", "Exporters down", "Rejected", "Limits reached", "Limits reached by limit",
        "Bad configuration", "Exporters: configuration", "Connections that end", "Rejected frames",
        "Responses without a query", "Queries without a response",
        "Responses before their query", "Evicted from the matching table",
        "Keys that lists let go of", "Duplicate responses", "Messages of servers that left"},
}
ALWAYS_ZERO = {"Unaccounted for"}
QUIET_WITHIN, TROUBLE_WITHIN = 20, 60  # seconds
LOAD_SECONDS = int(limit(QUIET_WITHIN + TROUBLE_WITHIN + 20))  # it is interrupted at the end

ALERT = """
groups:
  - name: test
    rules:
      - alert: DnstapTest
        expr: dnstap_exporter_config_last_reload_successful == 0
        labels: {severity: test}
"""


# --- What is asked ---

def replaced(expression):
    """With Grafana's variables as it would put them in."""
    expression = re.sub(r"\$(?:\{(\w+)\}|(\w+))", lambda m: VARIABLES[m[1] or m[2]], expression)
    assert "$" not in expression, expression
    return expression


def dashboards():
    return [json.loads(path.read_text(encoding="utf-8"))
            for path in sorted((TOP / "dashboards").glob("*.json"))]


def panel_queries():
    """[(title of the dashboard, of the panel, legend, expression)]"""
    return [(dashboard["title"], panel["title"], target["legendFormat"], replaced(target["expr"]))
            for dashboard in dashboards()
            for outer in dashboard["panels"] for panel in (outer, *outer.get("panels", ()))
            for target in panel.get("targets", ())]


def variable_queries():
    """[(label, selector)] of label_values()."""
    return [re.fullmatch(r"label_values\((.*), *(\w+)\)", replaced(variable["definition"])).groups()
            for dashboard in dashboards() for variable in dashboard["templating"]["list"]
            if variable["type"] == "query"]


def rule_files():
    return sorted((TOP / "deploy/prometheus").glob("dnstap.*.yml"))


# --- What goes wrong ---

def changed(frame, change):
    """The dnstap frame after change(message)."""
    parsed = messages()["dnstap.Dnstap"].FromString(frame)
    change(parsed.message)
    return parsed.SerializeToString()


def response(number=0, **values):
    """A response with both times, as dnsdist sends them: it waits for no query."""
    def add_time(message):
        message.query_time_sec = message.response_time_sec - 1
        message.query_time_nsec = message.response_time_nsec
    return changed(dnstap_frame(dns_response(number=number, **values), "CLIENT_RESPONSE",
                                b"trouble"), add_time)


def over_https(message):
    message.socket_protocol = 4


def with_policy(message):
    message.policy.action, message.policy.match = 1, 1


def before_its_query(message):
    message.query_time_sec = message.response_time_sec + 1


def trouble(number):
    """Frames of everything that can go wrong, once each, but for what detectors find."""
    extended_error = b"\0\x0f\0\2\0\x16"  # No Reachable Authority
    cookie = b"\0\x0a\0\x08" + bytes(8)
    twice = {"labels": (b"twice", b"example"), "number": number}
    return [
        response(rcode=2, option=extended_error),
        response(rcode=5),
        response(rcode=3, labels=(b"wpad", b"example")),
        changed(response(rcode=3, labels=(b"bad", b"example")), with_policy),
        changed(response(number=number, labels=(b"clock", b"example")), before_its_query),
        dnstap_frame(dns_message(flags=0x8380), "CLIENT_RESPONSE", b"trouble"),  # truncated, alone
        dnstap_frame(dns_message(number=number, option=cookie), identity=b"trouble"),  # unanswered
        dnstap_frame(dns_message(qtype=255), identity=b"trouble"),
        dnstap_frame(dns_message(flags=0x2000), identity=b"trouble"),  # NOTIFY
        dnstap_frame(dns_message(flags=0x0030, qtype=65280), identity=b"trouble"),  # AD and CD
        dnstap_frame(dns_message(qtype=65281), identity=b"trouble"),  # one more than limits.unassigned_qtypes
        dnstap_frame(b"short", identity=b"trouble"),
        dnstap_frame(b"short", "CLIENT_RESPONSE", b"trouble"),
        dnstap_frame(dns_message(number=number), "RESOLVER_QUERY", b"trouble"),
        dnstap_frame(dns_message(qtype=16)[:-2] + b"\0\3", identity=b"trouble"),  # class CH
        changed(dnstap_frame(dns_message(), identity=b"trouble"), over_https),
        dnstap_frame(dns_message(**twice), identity=b"trouble"),
        dnstap_frame(dns_response(**twice), "CLIENT_RESPONSE", b"trouble"),
        dnstap_frame(dns_response(**twice), "CLIENT_RESPONSE", b"trouble"),
        dnstap_frame(dns_response(), "CLIENT_RESPONSE", b"responses only"),
        b"no dnstap",
        bytes(5000),
    ]


class Trouble:
    """A thread that sends trouble, ten times a second; use as a context manager."""

    FAILING = {VICTIM: 40, "com": 2}  # names each time: random subdomains, and an infected client
    TUNNEL = "evil.example"  # one more name each time
    LISTED = "listed.example"

    def __init__(self, address):
        self.address = address
        self.sender = Sender(address)
        self.done = threading.Event()
        self.thread = threading.Thread(target=self.run)
        self.failure = None

    def __enter__(self):
        self.sender.start()
        self.thread.start()
        return self

    def run(self):
        chance = random.Random(21)
        names = {suffix: names_under(suffix) for suffix in self.FAILING}
        try:
            for number in itertools.count():
                if self.done.wait(0.1):
                    break
                for suffix, count in self.FAILING.items():
                    for name in itertools.islice(names[suffix], count):
                        client = f"172.16.0.{chance.randrange(250)}" if suffix == VICTIM else INFECTED
                        self.look_up(LookUp(0, client, name), chance)
                self.look_up(LookUp(0, INFECTED, f"{token(chance, 40)}.{self.TUNNEL}", True), chance)
                self.look_up(LookUp(0, INFECTED, self.LISTED, True), chance)
                self.look_up(LookUp(0, INFECTED, f"www.new{number}.org", True), chance)
                for look_up in amplification(chance, "203.0.113.", 10, 0, 1) + rebinding(INFECTED, "x.rebound.example", 0):
                    self.look_up(look_up, chance)
                self.sender.send(trouble(number))
                Sender(self.address).close()
                # In a full set it takes the place of an earlier one.
                pod = dnstap_frame(dns_message(), identity=b"pod %d" % number)
                Sender(self.address).send_all([pod])
            self.sender.stop()
        except (OSError, AssertionError) as failure:
            self.failure = failure

    def look_up(self, look_up, chance):
        for _, frame in frames_of(look_up, time.time_ns(), chance):
            self.sender.raw(frame)

    def __exit__(self, *_):
        self.done.set()
        self.thread.join(limit(30))
        self.sender.close()
        assert self.failure is None, self.failure


# --- The test ---

class TestDashboards(unittest.TestCase):

    def setUp(self):
        exporter = Exporter(CONFIG)
        pathlib.Path(exporter.dir, "malware.txt").write_text(f"{Trouble.LISTED}\n", encoding="utf-8")
        self.exporter = self.enterContext(exporter)
        self.other = self.enterContext(Exporter())
        alert = self.enterContext(tempfile.NamedTemporaryFile("w", suffix=".yml"))
        alert.write(ALERT)
        alert.flush()
        self.assertTrue(rule_files())
        upstream = self.enterContext(Knot(self.exporter.socket, identity="upstream"))
        unbound = self.enterContext(Unbound(self.exporter.socket, upstream=upstream))
        wait_until(lambda: self.exporter.scrape().total("dnstap_connections") == 2, 20, "servers")
        self.prometheus = {
            name: self.enterContext(Prometheus(self.exporter.web, self.other.web, flags=flags,
                                               rules=[*rule_files(), alert.name]))
            for name, flags in FORMATS}
        load = Load(unbound, QUERIES, "-l", LOAD_SECONDS, "-Q", RATE)
        self.addCleanup(load.interrupt)

    def faults(self, name, in_trouble):
        """[what is wrong with the answer to a query of a panel]"""
        faults = []
        for dashboard, panel, legend, expression in panel_queries():
            values = [value for _, value in self.prometheus[name].series(expression)]
            numbers = [value for value in values if math.isfinite(value)]
            of_trouble = {panel, f"{panel}: {legend}"} & TROUBLE[dashboard]
            about = f"{name}: {dashboard}: {panel}: {legend}: {values[:5]} of {expression}"
            if not numbers:
                faults.append(f"no number: {about}")
            elif panel in ALWAYS_ZERO or of_trouble and not in_trouble:
                if any(numbers):
                    faults.append(f"not 0: {about}")
            elif in_trouble and max(numbers) <= 0:
                faults.append(f"nothing above 0: {about}")
        return faults

    def settle(self, in_trouble, within):
        """Until no panel is at fault, with each Prometheus."""
        deadline = time.monotonic() + limit(within)
        while True:
            faults = [fault for name in self.prometheus for fault in self.faults(name, in_trouble)]
            if not faults or time.monotonic() > deadline:
                break
            time.sleep(1)
        self.assertFalse(faults, "\n".join(["", *faults]))

    def test_every_expression(self):
        asked = {(dashboard, about) for dashboard, panel, legend, _ in panel_queries()
                 for about in (panel, f"{panel}: {legend}")}
        for dashboard, panels in TROUBLE.items():
            self.assertEqual({panel for panel in panels if (dashboard, panel) not in asked}, set())
        self.settle(False, QUIET_WITHIN)
        with Trouble(self.exporter.socket):
            self.exporter.write_config("nonsense")
            self.exporter.process.send_signal(signal.SIGHUP)
            self.assertEqual(self.other.stop(), 0)
            self.settle(True, TROUBLE_WITHIN)
            for name, prometheus in self.prometheus.items():
                with self.subTest(format=name):
                    self.check_format(prometheus, name)
                    self.check_variables(prometheus)
                    self.check_rules(prometheus)

    def check_format(self, prometheus, name):
        """Each Prometheus has the histograms that it is to have."""
        classic = prometheus.series("count(dnstap_response_time_seconds_bucket)")
        native = prometheus.series("histogram_count(sum(dnstap_response_time_seconds))")
        self.assertEqual((bool(classic), bool(native)), (name == "classic", name == "native"))

    def check_variables(self, prometheus):
        for selector, label in variable_queries():
            self.assertTrue(prometheus.api(f"label/{label}/values", **{"match[]": selector}),
                            (selector, label))

    def check_rules(self, prometheus):
        """All run without an error and as they are; what is recorded is there, but for that of a
        day ago; alerts that need no time to pass are on their way."""
        groups = prometheus.api("rules")["groups"]
        rules = [rule for group in groups for rule in group["rules"]]
        self.assertEqual([rule for rule in rules if rule["health"] != "ok"], [])
        written = [rule[:3] for path in rule_files() for rule in rules_of(path)]
        self.assertEqual(len(rules), len(written) + 1)
        for kind, name, expression in written:
            prometheus.series(expression)
            if kind == "record" and "avg1d" not in name:
                self.assertTrue(prometheus.series(name), name)


if __name__ == "__main__":
    unittest.main(verbosity=2)
