#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Forty exporters, two Prometheus servers that share them, and two above that have them all.

One above is written to, the other federates. They run on deploy/prometheus/fleet.*.yml and the
job in deploy/fleet/README.md, first with native histograms, then with classic ones. What was sent
is known: sums are exact, quantiles are right within a bucket, and what the README says must not be
summed is seen to be wrong. Takes two minutes, 1 GiB for the exporters and 0.4 for Prometheus. The
program is that of build-release, or else $DNSTAP_EXPORTER.
"""

import collections
import contextlib
import hashlib
import itertools
import json
import math
import os
import pathlib
import re
import sys
import time

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path += [str(TOP / "tests/integration"), str(TOP / "tests/lint")]
if (TOP / "build-release/dnstap_exporter").exists():
    os.environ["DNSTAP_EXPORTER"] = str(TOP / "build-release/dnstap_exporter")

# pylint: disable=wrong-import-position
from exporter import Exporter, wait_until, wait_until_equal
from prometheus import Prometheus
from check_fleet import README, RULES, rows
from promql_names import rules
from sender import Sender, dns_message, dns_response, dnstap_frame
from traffic import denial, names_under
import truth

EXPORTERS = 40
ROUNDS, PAUSE = 6, 10
SECONDS = 5  # between scrapes
FEDERATION = 'max(scrape_duration_seconds{job="fleet"})'
JOB = '{job="dnstap"}'
ALERTS = TOP / "deploy/prometheus/dnstap.alerts.yml"
NATIVE = "--enable-feature=native-histograms"
CONFIG = """
inputs: [{name: tap, unix: '{dir}/dnstap.sock'}]
web: {listen_addresses: ['{web}']}
workers: 1
"""

EVERYWHERE, HIDDEN, INFECTED = (bytes([10, 3, 0, last]) for last in (1, 2, 3))
GENERATED = 8, 40  # domains that the infected one asks two machines for; six suffice for a finding


class Sent:
    """What the fleet was sent: the truth that its metrics are held against."""

    def __init__(self):
        self.queries = collections.Counter()  # by server
        self.clients = collections.Counter()
        self.servfails = 0
        self.times = []  # in seconds


class Server:
    """A DNS server that tells its exporter of queries answered at once."""

    def __init__(self, number, sent):
        self.number, self.sent = number, sent
        self.identity = b"ns%d" % number

    def pair(self, client, labels, rcode=0, zone=None):
        """The frames of one query and its response; a server is slower, the higher its number.

        zone: the one whose SOA record is in the response, as that denies the name.
        """
        number = self.sent.queries[self.identity]
        elapsed = int(100_000 * 1.15 ** self.number * 1.02 ** (number % 100))
        now = time.time_ns()
        self.sent.queries[self.identity] += 1
        self.sent.clients[client] += 1
        self.sent.servfails += rcode == 2
        self.sent.times.append(elapsed / 1e9)
        query = dns_message(labels, number=number)
        response = dns_response(labels=labels, number=number, rcode=rcode)
        if zone is not None:
            response = response[:8] + b"\0\1" + response[10:] + denial(zone)
        return (self.frame(client, query, "CLIENT_QUERY", now - elapsed),
                self.frame(client, response, "CLIENT_RESPONSE", now))

    def frame(self, client, dns, kind, when_ns):
        frame = truth.messages()["dnstap.Dnstap"].FromString(
            dnstap_frame(dns, kind, self.identity, when_ns))
        frame.message.query_address = client
        return frame.SerializeToString()

    def traffic(self, turn):
        """One round: (client, times, rcode) of whomever the checks need."""
        for client in range(200):  # neighbours share most of their clients
            if client % ROUNDS == turn:
                yield bytes([10, 1, *divmod(50 * self.number + client, 256)]), 1, 0
        for client in range(9):  # the lists are full of clients that only this server has
            yield bytes([10, 2, self.number, client]), 6, 2 if self.number < 10 else 0
        yield EVERYWHERE, 10 + self.number, 0
        yield HIDDEN, 4, 0  # always less than what is in the list

    def send(self, turn, address):
        frames = []
        for client, times, rcode in self.traffic(turn):
            for _ in range(times):
                frames += self.pair(client, (b"www", b"example"), rcode)
        if self.number < len(GENERATED):
            names = itertools.islice(names_under("com"), GENERATED[self.number])
            for name in itertools.islice(names, turn, None, ROUNDS):
                frames += self.pair(INFECTED, name.encode().split(b"."), 3, "com")
        Sender(address).send_all(frames)


class Configured(Prometheus):
    """A Prometheus with one of our configuration files, with addresses of now."""

    def __init__(self, text, *flags):
        super().__init__(flags=flags)
        self.text = text

    def configure(self, replaced):
        text = self.text.replace("15s", f"{SECONDS}s")
        for old, new in {**replaced, "dnstap.rules.yml": str(RULES),
                         "dnstap.alerts.yml": str(ALERTS)}.items():
            text = text.replace(old, new)
        assert ".example" not in text and "SHARD" not in text, text
        pathlib.Path(self.dir, "prometheus.yml").write_text(text, encoding="utf-8")

    def value(self, expression, **parameters):
        """The only value of an expression."""
        result = self.api("query", query=expression, **parameters)["result"]
        assert len(result) == 1, (expression, result)
        return float(result[0]["value"][1])

    def resident(self):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text(encoding="utf-8")
        return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) / 1024

    def table(self, expression, moment=None):
        """{labels without shard: value} of an expression, now or then."""
        moment = {} if moment is None else {"time": moment}
        found = {}
        for series in self.api("query", query=expression, **moment)["result"]:
            key = frozenset(pair for pair in series["metric"].items() if pair[0] != "shard")
            assert key not in found, (expression, key)
            found[key] = float(series["value"][1])
        return found


class Servers:
    """Two shards, one server above that is written to and one that federates."""

    def __init__(self, targets, flags):
        folder = TOP / "deploy/prometheus"
        shard, above = ((folder / f"fleet.{name}.yml").read_text(encoding="utf-8")
                        for name in ("shard", "global"))
        readme = (TOP / "deploy/fleet/README.md").read_text(encoding="utf-8")
        federation = re.search(r"```yaml\n(  - job_name: fleet\n.*?)```", readme, re.DOTALL)[1]
        self.shards = [Configured(shard.replace("SHARD", str(number)), *flags) for number in (0, 1)]
        self.written = Configured(above, "--web.enable-remote-write-receiver", *flags)
        self.federated = Configured(above + federation, *flags)
        self.all = [self.written, self.federated, *self.shards]
        self.above = self.all[:2]
        replaced = {"global.example:9090": self.written.address}
        for number, server in enumerate(self.shards):
            replaced[f"shard{number}.example:9090"] = server.address
        for server in self.all:
            path = pathlib.Path(server.dir, "dnstap.targets.json")
            path.write_text(json.dumps([{"targets": targets}]), encoding="utf-8")
            server.configure(replaced)

    def __enter__(self):
        with contextlib.ExitStack() as stack:
            for server in self.all:
                stack.enter_context(server)
            self.stack = stack.pop_all()
        return self

    def __exit__(self, *_):
        self.stack.close()


def near(found, expected, tolerance=1e-9):
    return abs(found - expected) <= tolerance * max(abs(found), abs(expected))


def same(found, expected, what):
    """Asserts that two tables have the same keys, and values but for the rounding of sums."""
    assert found.keys() == expected.keys(), (what, found, expected)
    for key, value in found.items():
        assert near(value, expected[key]) or value != value and expected[key] != expected[key], \
            (what, key, value, expected[key])


def wait_for(server, expression, expected):
    wait_until(lambda: server.table(expression) == {frozenset(): expected}, 60, expression)


def instances(server, expression):
    return sorted(labels["instance"] for labels, _ in server.series(expression))


def said(step):
    print(f"  {step}", flush=True)


def check_shards(servers, targets):
    """Each exporter is scraped by the shard that its address says, and by no other."""
    for number, server in enumerate(servers.shards):
        mine = {address for address in targets
                if int.from_bytes(hashlib.md5(address.encode()).digest()[8:], "big") % 2 == number}
        scraped = {labels["instance"] for labels, _ in server.series('up{job="dnstap"}')}
        assert scraped == mine and mine, (number, scraped ^ mine)
    for server in servers.above:
        up = server.table('up{job="dnstap"} == 1')
        assert len(up) == len(targets), (len(up), server.series("up"))
    said("each exporter is scraped by one shard")


def check_alerts(servers, moment):
    """An alert is about one machine: the shards raise it, each for its own; all are seen above."""
    failing = sorted(f"ns{number}" for number in range(10))
    alert = 'ALERTS{alertname="DnstapServfailsHigh"}'
    for part in servers.shards, servers.above[:1], servers.above[1:]:
        wait_until(lambda it=part: sorted(labels["server"] for server in it
                                          for labels, _ in server.series(alert)) == failing,
                   60, "alerts of the failing servers, once each")
    active = []
    for _, name, expression, _ in rules(ALERTS):
        first, second = (server.table(expression, moment).keys() for server in servers.shards)
        assert not first & second, (name, first, second)
        above = servers.written.table(expression, moment).keys()
        assert above == first | second, (name, above, first, second)
        active += [name] * bool(above)
    assert active == ["DnstapServfailsHigh", "DnstapServfailsCritical",
                      "DnstapDga"], active
    said(f"alerts: {len(failing)} failing servers once each; above they would be the same")


def check_text(server):
    """Who has no native histograms gets none by federation, and is not told."""
    page = server.get("/federate?match[]=%7B__name__=~%22dnstap_.%2B%22%7D").decode()
    assert "dnstap_queries_total{" in page
    assert "dnstap_response_time_seconds" not in page
    said("native histograms are not federated as text")


def check_sums(servers, sent):
    """Above, counters add up to what was sent, of every server and in all."""
    total = sum(sent.queries.values())
    for server in servers.above:
        wait_for(server, "sum(dnstap_frames_total)", 2 * total)
        wait_until_equal(lambda: sent.queries, lambda it=server: {
            dict(key)["server"].encode(): value for key, value
            in it.table("sum by (server) (dnstap_queries_total)").items()})
        for expression, expected in {
                "sum(dnstap_responses_total)": total,
                'sum(dnstap_response_outcomes_total{outcome="servfail"})': sent.servfails,
                'sum(dnstap_query_types_total{qtype="A"})': total,
                "sum(dnstap_unanswered_queries_total)": 0,
                "sum(dnstap_unmatched_responses_total)": 0}.items():
            wait_for(server, expression, expected)
    said(f"counters above are what was sent: {total} queries, {sent.servfails} SERVFAIL")


def check_quantiles(servers, sent, native):
    """Above, of everything that was sent, within a bucket."""
    times = sorted(sent.times)
    bounds = [0, *(bound / 1e9 for bound in truth.BOUNDS_NS)]
    for server in servers.above:
        count = ("histogram_count(sum(dnstap_response_time_seconds))" if native
                 else "sum(dnstap_response_time_seconds_count)")
        wait_for(server, count, len(times))
        for q in 0.1, 0.5, 0.9, 0.99:
            exact = times[math.ceil(q * len(times)) - 1]
            if native:
                found = server.value(
                    f"histogram_quantile({q}, sum(dnstap_response_time_seconds))")
                assert abs(math.log2(found / exact)) < 1 / 8 + 1e-6, (q, found, exact)
            else:
                found = server.value(
                    f"histogram_quantile({q}, sum by (le) (dnstap_response_time_seconds_bucket))")
                place = next(i for i, bound in enumerate(bounds) if bound >= exact)
                assert bounds[place - 1] <= found <= bounds[place], (q, found, exact)
            said(f"p{100 * q:g} above: {found * 1e3:.3f} ms, exactly {exact * 1e3:.3f} ms")


def check_table(servers, moment):
    """Every query of the README answers if the metric is there; where it is a sum, a maximum or a
    minimum, that of the shards' answers is the answer above."""
    names = {dict(key)["__name__"] for key in
             servers.written.table('count by (__name__) ({job="dnstap"})', moment)}
    how_to = {"sum": sum, "max": max, "min": min}
    compared = collections.Counter()
    for metric, how, query in rows(README.read_text(encoding="utf-8")):
        above = servers.written.table(query, moment)
        above = {key: value for key, value in above.items() if ("job", "dnstap") in key}
        assert bool(above) == (metric in names), (metric, query, above)
        if how in how_to:
            parts = [server.table(query, moment) for server in servers.shards]
            same(above, {key: how_to[how](part[key] for part in parts if key in part)
                         for key in parts[0].keys() | parts[1].keys()}, query)
            compared[how] += bool(above)
    assert len(compared) == 3, compared
    said(f"queries of the README that are the shards' put together: {dict(compared)}")


def expanded(expression):
    """A rule's expression with those of the records that it names in their place."""
    known = {name: text for kind, name, text, _ in rules(RULES)}
    while True:
        name = next((name for name in re.findall(r"\w+:\w+:\w+", expression)), None)
        if name is None:
            return expression
        expression = re.sub(rf"\b{name}\b", lambda _, name=name: f"({known[name]})", expression)


def check_rules(servers, moment):
    """Which of the fleet's records may be made of the shards', as the README has it."""
    def values(record):
        text = expanded(record)
        parts = [server.table(text, moment) for server in servers.shards]
        (key, above), = servers.written.table(text, moment).items()
        return [part[key] for part in parts], above

    for name in ("job_role:dnstap_queries", "job_role:dnstap_complete_queries",
                 "job_role:dnstap_responses", "job:dnstap_queries", "job:dnstap_complete_queries",
                 "job:dnstap_query_bytes", "job:dnstap_response_bytes"):
        parts, above = values(f"{name}:rate5m")
        assert near(sum(parts), above) and above > 0, (name, parts, above)
    weights_of = {"job_role:dnstap_servfails_per_response": "job_role:dnstap_responses",
                  "job_role:dnstap_nxdomains_per_response": "job_role:dnstap_responses",
                  "job_role:dnstap_truncated_per_response": "job_role:dnstap_responses",
                  "job:dnstap_unanswered_per_query": "job:dnstap_complete_queries",
                  "job:dnstap_any_per_query": "job:dnstap_queries",
                  "job:dnstap_txt_per_query": "job:dnstap_queries",
                  "job:dnstap_response_bytes_per_query_byte": "job:dnstap_query_bytes"}
    for name, weight in weights_of.items():
        parts, above = values(f"{name}:ratio_rate5m")
        weights, _ = values(f"{weight}:rate5m")
        weighted = sum(p * w for p, w in zip(parts, weights)) / sum(weights)
        assert near(weighted, above), (name, parts, weights, above)
        if name == "job_role:dnstap_servfails_per_response":
            assert not near(sum(parts) / 2, above), (parts, above)
            said(f"SERVFAIL: above {above:.4f}, average of the shards {sum(parts) / 2:.4f}, "
                 f"weighted {weighted:.4f}")
    for q in 50, 90, 99:
        parts, above = values(f"job_role:dnstap_response_time_seconds:p{q}_rate5m")
        assert min(parts) * 0.9 < above < max(parts) * 1.1, (q, parts, above)  # within a bucket
        each = servers.written.table(
            expanded(f"instance_server_role:dnstap_response_time_seconds:p{q}_rate5m"),
            moment).values()
        average = sum(each) / len(each)
        assert not near(average, above, 0.1), (q, average, above)
        said(f"p{q} above {above * 1e3:.3f} ms, shards {parts[0] * 1e3:.3f} and "
             f"{parts[1] * 1e3:.3f}, average of machines {average * 1e3:.3f}")
    for server in servers.above:
        for kind, record, _, _ in rules(RULES):
            # The fleet sends no queries to other servers.
            if re.match("job(_role)?:", record) and kind == "record" \
                    and record != "job_role:dnstap_unanswered_per_query:ratio_rate5m":
                assert server.value(record) >= 0, record
        twice = server.series('{__name__=~".+:.+:.+",shard!=""}')
        assert not twice, twice
    said("all records of the fleet are above, once")


def check_not_summed(server, sent):
    """Distinct counts, lists and findings are bounds, as the README says."""
    distinct = len(sent.clients)
    largest, total = (server.value(f"{how}(dnstap_distinct_clients{{family='ipv4'}})")
                      for how in ("max", "sum"))
    assert largest < 1.1 * distinct and total > 2 * distinct, (largest, distinct, total)
    said(f"distinct clients: {distinct}; greatest of a machine {largest:g}, sum {total:g}")

    listed = {dict(key)["client"]: value for key, value in server.table(
        "sum by (client) (dnstap_top_client_queries - dnstap_top_client_queries_error)").items()}
    assert listed["10.3.0.1"] == sent.clients[EVERYWHERE], listed["10.3.0.1"]
    assert "10.3.0.2" not in listed and "10.3.0.3" in listed, listed
    ranks = [client for client, _ in sent.clients.most_common()]
    assert ranks.index(HIDDEN) == 1, sent.clients.most_common(3)
    least = server.value("sum(min by (instance) (dnstap_top_client_queries))")
    full = server.value("min(count by (instance) (dnstap_top_client_queries))")
    assert full == 10 and sent.clients[HIDDEN] <= least, (full, sent.clients[HIDDEN], least)
    said(f"lists: the second of the fleet, {sent.clients[HIDDEN]} queries, is in none; at most "
         f"{least:g} by them")

    found = server.value('sum(dnstap_detections_active{detector="nxdomain_client"})')
    score = 'dnstap_detection_score{client="10.3.0.3",detector="nxdomain_client"}'
    scores = sorted(server.table(score).values())
    assert found == 2 and len(scores) == 2 and scores[1] > scores[0] >= 1, (found, scores)
    assert server.value(f"max by (detector, client, domain) ({score})") == scores[1]
    assert server.value("count(max by (detector, client, domain) (dnstap_detection_score))") == 1
    said(f"one infected client at two machines: active {found:g}, scores {scores}")


def check_failures(servers, exporters, sent):
    """A machine, then a shard, that is no more."""
    alert = next(text for _, name, text, _ in rules(ALERTS) if name == "DnstapExporterDown")
    total = sum(sent.queries.values())
    gone = exporters[-1]
    assert gone.stop() == 0
    mine = next(server for server in servers.shards if gone.web in instances(server, "up"))
    for server in mine, *servers.above:
        wait_until(lambda it=server: instances(it, alert) == [gone.web], 60, "what the alert asks")
    wait_until(lambda: mine.table('ALERTS{alertname="DnstapExporterDown"}'), 60, "the alert")
    rest = total - sent.queries[b"ns%d" % (len(exporters) - 1)]
    wait_for(servers.written, "sum(dnstap_queries_total)", rest)
    time.sleep(2 * SECONDS)
    assert servers.federated.value("sum(dnstap_queries_total)") == total
    said("a machine that is down: up is 0, the alert sees it, its series end where they are "
         "written, and stay where they are federated")
    servers.shards[0].process.terminate()
    servers.shards[0].process.wait(60)
    for server in servers.above:
        wait_until(lambda it=server: instances(it, 'up{job="prometheus"} == 0')
                   == [servers.shards[0].address], 60, "a shard that is down")
    said("a shard that is down is up{job=\"prometheus\"} == 0 above")


def figures(servers, exporters):
    above = servers.written

    def average_and_most(metric, scale=1.0):
        return " to ".join(f"{above.value(f'{how}({metric}{JOB})') * scale:.1f}"
                           for how in ("avg", "max"))

    said(f"scrape of an exporter: {average_and_most('scrape_duration_seconds', 1e3)} ms, "
         f"{average_and_most('scrape_samples_scraped')} series (average to most)")
    said(f"memory: {len(exporters)} exporters of "
         f"{average_and_most('process_resident_memory_bytes', 2**-20)} MiB; Prometheus "
         + ", ".join(f"{name} {server.resident():.0f}" for name, server in
                     zip(("written to", "federating", "shard 0", "shard 1"), servers.all)))
    said("federation of a shard: "
         f"{1e3 * servers.federated.value(FEDERATION):.0f} ms")


def main():
    sent = Sent()
    with contextlib.ExitStack() as stack:
        exporters = [stack.enter_context(Exporter(CONFIG)) for _ in range(EXPORTERS)]
        targets = [exporter.web for exporter in exporters]
        machines = [Server(number, sent) for number in range(EXPORTERS)]
        print("native histograms", flush=True)
        with Servers(targets, [NATIVE]) as servers:
            for turn in range(ROUNDS):
                begin = time.monotonic()
                for machine, exporter in zip(machines, exporters):
                    machine.send(turn, exporter.socket)
                time.sleep(max(0, begin + PAUSE - time.monotonic()))
            check_sums(servers, sent)
            moment = time.time()
            time.sleep(3 * SECONDS)  # what was scraped until then has arrived
            check_not_summed(servers.written, sent)
            check_shards(servers, targets)
            check_quantiles(servers, sent, native=True)
            check_table(servers, moment)
            check_rules(servers, moment)
            check_alerts(servers, moment)
            check_text(servers.shards[0])
            figures(servers, exporters)
        print("classic histograms", flush=True)
        with Servers(targets, []) as servers:
            check_sums(servers, sent)
            check_shards(servers, targets)
            check_quantiles(servers, sent, native=False)
            figures(servers, exporters)
            check_failures(servers, exporters, sent)
    print("passed")


if __name__ == "__main__":
    main()
