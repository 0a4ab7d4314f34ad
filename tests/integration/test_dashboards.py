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
import subprocess
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
sys.path.insert(0, str(TOP / "dashboards"))
sys.dont_write_bytecode = True
import generate

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
answers: true
archive: {folder: "{dir}/archive"}
detection:
  new_domain: {learning: 0s}
  block_list: {lists: [{name: malware, file: "{dir}/malware.txt"}]}
"""

# What Unbound is asked all the time: nothing fails. Each has something that a panel shows.
QUERIES = [("www.example.test", "A"), ("www.example.test", "TXT"), ("www.upstream.test", "A"),
           ("mail.example.test", "AAAA"), ("alias.example.test", "A")]
RATE = 20  # queries a second

VARIABLES = {"datasource": "prometheus", "job": "dnstap", "instance": ".*", "server": ".*",
             "role": ".*", "client": ".*", "domain": ".*",
             "__rate_interval": "10s", "__range": "1m"}

# Panels, and columns of tables, that are 0 while nothing is wrong, and more in trouble. All others
# are numbers in both times, and more than 0 in the second, but for the next set.
TROUBLE = {
    "DNS overview": {
        "Alerts", "Firing alerts", "Exporters", "Servers", "Findings", "Worst SERVFAIL",
        "Worst NXDOMAIN", "Worst unanswered", "Most failures",
        "Servers by role: state", "Servers by role: SERVFAIL", "Servers by role: NXDOMAIN",
        "Servers by role: REFUSED", "Servers by role: unanswered", "Servers by role: sends",
        "SERVFAIL by server", "NXDOMAIN by server", "Unanswered by server", "REFUSED by server",
        "Extended errors", "SERVFAIL by role", "Unanswered by role", "Response codes",
        "Truncated by server", "Malformed messages", "Private addresses by server",
        "Upstream servers by unanswered queries", "Upstream servers by SERVFAIL",
        "Unanswered by upstream server"},
    "Top talkers and suspicious patterns": {
        "DGA", "Random subdomains", "Tunnels", "Block lists", "Amplification", "Rebinding",
        "Findings by client and domain", "Scores over time", "Queries for listed names",
        "Clients by NXDOMAIN", "Domains by NXDOMAIN", "Names by NXDOMAIN",
        "Distinct names and clients: names that do not exist",
        "Clients by NXDOMAIN over time", "Domains by NXDOMAIN over time",
        "Domains by SERVFAIL", "Names by SERVFAIL", "Policy actions"},
    "Exporter health": {
        "Exporters", "Rejected", "Limits reached", "Bad configuration",
        "Exporters and versions: state", "Exporters and versions: configuration",
        "Rejected frames", "Closed connections", "Responses without a query", "Matching faults",
        "Limits reached by limit"},
}
ALWAYS_ZERO = {"Unaccounted for", "Archived frames: {{instance}} {{reason}}"}
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

def replaced(expression, **chosen):
    """With Grafana's variables as it would put them in, or those that are chosen."""
    return re.sub(r"\$(?:\{(\w+)\}|([A-Za-z_]\w*))",
                  lambda m: {**VARIABLES, **chosen}[m[1] or m[2]], expression)


def dashboards():
    return [json.loads(path.read_text(encoding="utf-8"))
            for path in sorted((TOP / "dashboards").glob("*.json"))]


def tiles(**chosen):
    """[(title of the dashboard, of the tile, expression)]"""
    return [(dashboard["title"], panel["title"], replaced(panel["targets"][0]["expr"], **chosen))
            for dashboard in dashboards() for panel in dashboard["panels"]
            if panel["type"] == "stat"]


def panel_queries():
    """[(title of the dashboard, of the panel, legend, expression)]"""
    return [(dashboard["title"], panel["title"], target["legendFormat"], replaced(target["expr"]))
            for dashboard in dashboards()
            for outer in dashboard["panels"] for panel in (outer, *outer.get("panels", ()))
            for target in panel.get("targets", ())]


def annotation_queries():
    return [replaced(annotation["expr"]) for dashboard in dashboards()
            for annotation in dashboard["annotations"]["list"]]


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


def response(number=0, kind="CLIENT_RESPONSE", **values):
    """A response with both times, as dnsdist sends them: it waits for no query."""
    def add_time(message):
        message.query_time_sec = message.response_time_sec - 1
        message.query_time_nsec = message.response_time_nsec
    return changed(dnstap_frame(dns_response(number=number, **values), kind, b"trouble"), add_time)


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
        response(kind="RESOLVER_RESPONSE", rcode=2, labels=(b"upstream", b"example")),
        dnstap_frame(dns_message(qtype=16)[:-2] + b"\0\3", identity=b"trouble"),  # class CH
        changed(dnstap_frame(dns_message(), identity=b"trouble"), over_https),
        dnstap_frame(dns_message(**twice), identity=b"trouble"),
        dnstap_frame(dns_response(**twice), "CLIENT_RESPONSE", b"trouble"),
        dnstap_frame(dns_response(**twice), "CLIENT_RESPONSE", b"trouble"),
        dnstap_frame(dns_response(), "CLIENT_RESPONSE", b"responses only"),
        b"no dnstap",
        bytes(5000),
    ]


def answered(number):
    """Both messages of a look-up that nothing is wrong with, of a server of another exporter."""
    return [dnstap_frame(dns_message(number=number), identity=b"lost"),
            dnstap_frame(dns_response(number=number), "CLIENT_RESPONSE", b"lost")]


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
        # A server that is busy enough to be missed when its exporter ends.
        Sender(self.other.socket).send_all(answered(0))
        for prometheus in self.prometheus.values():
            wait_until(lambda: prometheus.series('dnstap_queries_total{server="lost"}'), 20, "a server")
        Sender(self.other.socket).send_all(
            [frame for number in range(1, 1000) for frame in answered(number)])
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
            elif {panel, f"{panel}: {legend}"} & ALWAYS_ZERO or of_trouble and not in_trouble:
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
                    self.check_heatmap(prometheus)
                    self.check_variables(prometheus)
                    for expression in annotation_queries():
                        self.assertTrue(prometheus.series(expression), expression)
                    self.check_rules(prometheus)
                    self.check_tables(prometheus)
                    self.check_worst(prometheus)
                    self.check_nothing_scraped(prometheus)
        self.exporter.stop()
        for prometheus in self.prometheus.values():
            self.check_all_down(prometheus)

    def check_tables(self, prometheus):
        """Every label of a row has a column that is named, or is left out."""
        for dashboard in dashboards():
            for panel in dashboard["panels"]:
                if panel["type"] == "table":
                    named = panel["transformations"][-1]["options"]["renameByName"]
                    labels = {label for target in panel["targets"]
                              for row, _ in prometheus.series(replaced(target["expr"]))
                              for label in row}
                    self.assertLessEqual(labels, named.keys(), panel["title"])

    def check_worst(self, prometheus):
        """A tile names the one server that fails, and has its share and not that of all."""
        expressions = {tile: expression for _, tile, expression in tiles()}
        (labels, share), = prometheus.series(expressions["Worst SERVFAIL"])
        self.assertEqual(labels, {"server": "trouble", "role": "resolver"})
        of_all, = prometheus.series(
            'sum(rate(dnstap_response_outcomes_total{outcome="servfail"}[10s]))'
            ' / sum(rate(dnstap_response_outcomes_total[10s]))')
        self.assertGreater(share, of_all[1])

    def check_nothing_scraped(self, prometheus):
        """No tile has a number to be green by."""
        for dashboard, tile, expression in tiles(job="nothing"):
            values = [value for _, value in prometheus.series(expression)]
            if tile != "Alerts":  # of all jobs
                self.assertEqual(values, [-1] if tile == "Exporters" else [], (dashboard, tile))

    def check_all_down(self, prometheus):
        """Tiles say so at once, and have no number of before."""
        wait_until(lambda: not prometheus.series("up == 1"), 20, "the last scrape")
        for dashboard, tile, expression in tiles():
            values = [value for _, value in prometheus.series(expression)]
            if tile == "Exporters":
                self.assertEqual(values, [2], dashboard)
            elif tile == "Servers":
                self.assertGreater(values[0], 1)
            elif tile != "Alerts":
                self.assertEqual(values, [], (dashboard, tile))
        for _, panel, column, expression in panel_queries():
            if panel == "Servers by role":
                values = {value for _, value in prometheus.series(expression)}
                self.assertEqual(values, {2} if column == "state" else set(), column)

    def check_format(self, prometheus, name):
        """Each Prometheus has the histograms that it is to have."""
        classic = prometheus.series("count(dnstap_response_time_seconds_bucket)")
        native = prometheus.series("histogram_count(sum(dnstap_response_time_seconds))")
        self.assertEqual((bool(classic), bool(native)), (name == "classic", name == "native"))

    def check_heatmap(self, prometheus):
        """The same rows of native histograms and of classic ones, each with those before it."""
        expression, = (expression for _, panel, legend, expression in panel_queries()
                       if legend == "{{le}}")
        rows = sorted((float(labels["le"]), value)
                      for labels, value in prometheus.series(expression))
        self.assertEqual([bound for bound, _ in rows],
                         [float(bound) for bound in generate.HEATMAP_BOUNDS])
        counts = [count for _, count in rows]
        self.assertEqual(counts, sorted(counts))
        self.assertGreater(counts[0], 0)  # answers that took no time

    def check_variables(self, prometheus):
        for selector, label in variable_queries():
            self.assertTrue(prometheus.api(f"label/{label}/values", **{"match[]": selector}),
                            (selector, label))

    def check_rules(self, prometheus):
        """All run without an error and as they are; what is recorded is there, but for what
        needs hours; alerts that need no time to pass are on their way."""
        groups = prometheus.api("rules")["groups"]
        rules = [rule for group in groups for rule in group["rules"]]
        self.assertEqual([rule for rule in rules if rule["health"] != "ok"], [])
        written = [rule[:3] for path in rule_files() for rule in rules_of(path)]
        self.assertEqual(len(rules), len(written) + 1)
        for kind, name, expression in written:
            prometheus.series(expression)
            if kind == "record" and not re.search("avg1d|normal", name):
                self.assertTrue(prometheus.series(name), name)


class TestExpressions(unittest.TestCase):
    """Of an hour that promtool makes up, in steps of 20 seconds."""

    def setUp(self):
        self.series = []

    def add(self, metric, values, **labels):
        labels = ",".join(f'{name}="{value}"' for name, value in {"job": "dnstap", **labels}.items())
        self.series.append({"series": f"{metric}{{{labels}}}", "values": values})

    def add_server(self, instance, server, messages, known="0x180"):
        labels = {"instance": instance, "server": server, "role": "client"}
        self.add("dnstap_queries_total", messages, **labels)
        self.add("dnstap_responses_total", messages, **labels)
        self.add("dnstap_unanswered_queries_total", known, **labels)

    def check(self, expression, samples):
        """samples: [(labels, value after the hour)]"""
        test = {"interval": "20s", "input_series": self.series, "promql_expr_test": [
            {"expr": replaced(generate.expand(expression), __rate_interval="1m"),
             "eval_time": "60m", "exp_samples": [{"labels": labels, "value": value}
                                                 for labels, value in samples]}]}
        with tempfile.NamedTemporaryFile("w", suffix=".yml") as file:
            json.dump({"evaluation_interval": "20s", "tests": [test]}, file)  # JSON is YAML
            file.flush()
            result = subprocess.run(["promtool", "test", "rules", file.name], capture_output=True,
                                    text=True, check=False)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)

    def test_states_of_servers(self):
        for instance, up, expired in (("a", "1x180", 0), ("b", "1x180", 5), ("c", "1x120 0x60", 0)):
            self.add("up", up, instance=instance)
            self.add("dnstap_expired_messages_total", f"{expired}x180", instance=instance)
        ends, gone = "0+200x120 _x60", "0x120 _x60"
        self.add_server("a", "active", "0+200x180")
        self.add_server("a", "little traffic", "0+1x180")
        self.add_server("a", "silent for three minutes", "0+200x170 34000x10")
        self.add_server("a", "silent", "0+200x120 24000x60")
        self.add_server("a", "gone in a restart", ends, gone)
        self.add_server("b", "another took its place", ends, gone)
        self.add_server("c", "exporter is down", ends, gone)
        self.check(generate.STATE, [(f'{{server="{server}",role="client"}}', state) for server, state in (
            ("active", 0), ("little traffic", 0), ("silent for three minutes", 0), ("silent", 1),
            ("gone in a restart", 1), ("exporter is down", 2))])

    def test_worst_server(self):
        self.add("up", "1x180", instance="a")
        for server, servfails, answers in (("one", 0, 100), ("two", 9, 91), ("three", 0, 100),
                                           ("one failure at night", 1, 0)):
            self.add("dnstap_response_outcomes_total", f"0+{servfails}x180", instance="a",
                     server=server, role="client", outcome="servfail")
            self.add("dnstap_response_outcomes_total", f"0+{answers}x180", instance="a",
                     server=server, role="client", outcome="answer")
        worst, = (expression for _, title, expression in tiles(__rate_interval="1m")
                  if title == "Worst SERVFAIL")
        self.check(worst, [('{server="two",role="client"}', 0.09)])

    def test_cache_hits(self):
        for server, role, rate in (("resolver", "client", 100), ("resolver", "resolver", 20),
                                   ("forgets", "client", 100), ("forgets", "resolver", 150),
                                   ("logs clients only", "client", 100)):
            self.add("dnstap_queries_total", f"0+{rate}x180", instance="a", server=server, role=role)
        self.check(generate.CACHE_HITS, [
            ('{job="dnstap",instance="a",server="resolver"}', 0.8),
            ('{job="dnstap",instance="a",server="forgets"}', 0)])


if __name__ == "__main__":
    unittest.main(verbosity=2)
