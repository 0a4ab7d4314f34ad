#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Two modelled sites over a week: which alerts fire, how often, and whether there was any trouble.

The table in deploy/prometheus/README.md says so, and every trouble of the model has its alerts. --write writes
the table. Rates and shares are those of recordings: an office's browsers, Active Directory and mail server
(block lists: 81 % NXDOMAIN; policies of senders: 43 %), pods with search lists (62 %), a cache that answers two
thirds. promtool evaluates the rules every five minutes, over samples of every minute.

Usage: model_sites.py [--write]
"""

import collections
import pathlib
import random
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

TOP = pathlib.Path(__file__).resolve().parents[2]
README = TOP / "deploy/prometheus/README.md"
RULES = [TOP / f"deploy/prometheus/dnstap.{name}.yml" for name in ("rules", "alerts")]
BEGIN, END = "<!-- tests/rules/model_sites.py --write -->\n", "<!-- end -->\n"

HOUR, DAY = 60, 24 * 60
MINUTES = 8 * DAY  # a Sunday, so that there is a day before, then the week
STEP = 5
LATE = 40  # an alert may begin so many minutes after its trouble: it waits, and an average falls slowly
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
TIMES = ("0.001", "0.01", "0.05", "0.1", "0.5", "+Inf")
DELAYS = ("0.1", "1", "2.5", "5", "60", "+Inf")
IN_TIME = (0.3, 0.9, 1, 1, 1, 1)


def at(day, time):
    """The minute of a time in the week, as at("Tue", "10:30")."""
    hours, minutes = map(int, time.split(":"))
    return DAY * (1 + DAYS.index(day)) + HOUR * hours + minutes


class Span:
    """A part of the week; how long a trouble or a habit lasts."""

    def __init__(self, day, begin, end):
        self.begin, self.end = at(day, begin), at(day, end)

    def __contains__(self, minute):
        return self.begin <= minute < self.end


class Trouble:
    """What goes wrong, the alerts that must fire, and those that may besides."""

    def __init__(self, what, span, alerts, consequences=()):
        self.what, self.span = what, span
        self.alerts, self.consequences = set(alerts), set(consequences)

    def explains(self, alert, minute):
        return (alert in self.alerts | self.consequences
                and self.span.begin <= minute <= self.span.end + LATE)


class Site:
    """The samples of one exporter."""

    def __init__(self, instance, seed):
        self.instance = instance
        self.chance = random.Random(seed)
        self.samples = collections.defaultdict(lambda: [None] * MINUTES)
        self.counts = collections.Counter()
        self.started = 0

    def gauge(self, minute, metric, value, **labels):
        self.samples[metric, tuple(labels.items())][minute] = value

    def count(self, minute, metric, mean, **labels):
        """Add about `mean` events of this minute to a counter. Returns how many."""
        key = metric, tuple(labels.items())
        events = max(0, round(self.chance.gauss(mean, mean ** 0.5)))
        self.counts[key] += events
        self.samples[key][minute] = self.counts[key]
        return events

    def histogram(self, minute, metric, events, shares, **labels):
        """Add events to a histogram, of which the shares are up to each bound: {bound: share}."""
        for bound, share in shares.items():
            key = metric + "_bucket", tuple({**labels, "le": bound}.items())
            self.counts[key] += events * share
            self.samples[key][minute] = round(self.counts[key])

    def restart(self, minute):
        self.counts.clear()
        self.started = minute

    def exporter(self, minute, frames, connections, delays=IN_TIME):
        self.gauge(minute, "up", 1)
        self.gauge(minute, "dnstap_exporter_build_info", 1, version="1")
        self.gauge(minute, "dnstap_exporter_config_last_reload_successful", 1)
        self.gauge(minute, "process_start_time_seconds", 60 * self.started)
        self.gauge(minute, "dnstap_connections", connections, input="dns")
        self.count(minute, "dnstap_frames_total", frames, input="dns")
        self.count(minute, "dnstap_frames_rejected_total", 0, input="dns", reason="oversize")
        self.histogram(minute, "dnstap_ingest_delay_seconds", frames, dict(zip(DELAYS, delays)), input="dns")

    def role(self, minute, server, role, queries, times, **shares):
        """Queries of a minute and their responses: shares of the outcomes, and of what stays unanswered."""
        labels = {"server": server, "role": role}
        way = {"family": "ipv4", "transport": "udp"}
        unanswered = self.count(minute, "dnstap_unanswered_queries_total",
                                queries * shares.pop("unanswered", 0), **labels)
        responses = max(0, queries - unanswered)
        self.count(minute, "dnstap_queries_total", queries, **labels, **way)
        self.count(minute, "dnstap_responses_total", responses, **labels, **way)
        self.count(minute, "dnstap_unmatched_responses_total", 0.002 * responses, **labels)
        self.count(minute, "dnstap_response_flags_total", 0.01 * responses, **labels, flag="tc")
        self.count(minute, "dnstap_query_types_total", queries * shares.pop("txt", 0.005), **labels, qtype="TXT")
        self.count(minute, "dnstap_query_types_total", 0, **labels, qtype="ANY")
        for outcome in ("nxdomain", "servfail", "refused"):
            self.count(minute, "dnstap_response_outcomes_total", responses * shares.get(outcome, 0),
                       **labels, outcome=outcome)
        self.histogram(minute, "dnstap_response_time_seconds", responses, dict(zip(TIMES, times)), **labels)
        for state in ("dnstap_responses_only", "dnstap_queries_only", "dnstap_sampled"):
            self.gauge(minute, state, 0, **labels)

    def upstreams(self, minute, servers):
        """The lists of five minutes: {address: (queries a minute, share without a response, mean time in seconds)}."""
        for address, (queries, unanswered, seconds) in servers.items():
            count = 5 * queries * self.chance.uniform(0.9, 1.1)
            for what, value in (("queries", count), ("unanswered", count * unanswered * self.chance.uniform(0.5, 1.5)),
                                ("response_seconds", count * (1 - unanswered) * seconds * self.chance.uniform(0.7, 1.4))):
                value = min(value, count) if what == "unanswered" else value
                self.gauge(minute, f"dnstap_top_upstream_{what}", round(value, 3), upstream=address)
                self.gauge(minute, f"dnstap_top_upstream_{what}_error", 0, upstream=address)

    def silent(self, minute, server):
        """The series of a server stay as they are while it sends nothing."""
        for metric, labels in list(self.samples):
            if ("server", server) in labels and self.samples[metric, labels][minute - 1] is not None:
                self.samples[metric, labels][minute] = self.samples[metric, labels][minute - 1]


def working_hours(minute, days_off=()):
    """From 0.08 at night to 1: people come from seven to nine and leave from half past four to seven."""
    day, time = divmod(minute, DAY)
    if day in (0, 6, 7) or day in days_off:
        return 0.08
    rise = min(1, max(0, (time - 7 * HOUR) / (2 * HOUR)))
    fall = min(1, max(0, (19 * HOUR - time) / (2.5 * HOUR)))
    lunch = 0.7 if 12 * HOUR <= time < 13 * HOUR else 1
    return max(0.08, min(rise, fall) * lunch)


# --- An office: 150 computers of an Active Directory domain, a mail server, Unbound, and BIND for its own zones

OFFICE_TROUBLES = [
    Trouble("BIND has lost a zone of its configuration, and refuses", Span("Mon", "13:00", "14:00"),
            ["DnstapRefusedHigh"]),
    Trouble("the trust anchor is wrong: an hour of SERVFAIL", Span("Tue", "10:00", "11:00"),
            ["DnstapServfailsHigh", "DnstapServfailsCritical"]),
    Trouble("the way out is dead", Span("Wed", "10:00", "10:45"),
            ["DnstapUpstreamUnanswered", "DnstapServfailsHigh", "DnstapServfailsCritical"],
            ["DnstapResponseTimeHigh"]),
    Trouble("Unbound's stream stops: nobody may write to the socket", Span("Wed", "15:00", "16:30"),
            ["DnstapServerSilent"]),
    Trouble("one infected client, in short bursts", Span("Thu", "09:30", "12:00"), ["DnstapDga"]),
    Trouble("a tenth of the clients is left: the others got another server by DHCP", Span("Thu", "14:00", "15:30"),
            ["DnstapTrafficLow"]),
    Trouble("the clock of the server is wrong by 20 seconds", Span("Sat", "08:00", "12:00"),
            ["DnstapIngestDelayHigh"]),
]


def office():
    refused, anchor, outage, silent, infected, left, clock = (trouble.span for trouble in OFFICE_TROUBLES)
    spam = [Span("Tue", "02:00", "03:00"), Span("Sat", "22:00", "23:30")]
    scan = Span("Sun", "02:00", "04:00")  # of the network, with a look-up of each address
    update = at("Tue", "22:00")           # of the exporter
    site = Site("office:9353", 1)
    for minute in range(MINUTES):
        if minute == update:
            site.restart(minute)
            continue
        work = working_hours(minute, days_off=(5,))  # a holiday on Friday
        mail = (0.6 + 0.4 * work) * (4 if any(minute in wave for wave in spam) else 1)
        people = 60 * 14 * work * (0.1 if minute in left else 1)
        directory = 60 * 2.5 * work * (0.1 if minute in left else 1)
        lists, policies = 60 * 2.7 * mail, 60 * 1.7 * mail
        scanned = 60 * 30 if minute in scan else 0
        broken = 2  # a device asks for a broken name twice a minute
        queries = people + directory + lists + policies + scanned + broken
        if minute in left:
            queries *= 0.3  # the mail server, too
        nxdomain = (0.02 * people + 0.03 * directory + 0.81 * lists + 0.43 * policies + 0.6 * scanned) / queries
        servfail = 0.007 + broken / queries
        upstream = queries * (0.35 if work > 0.2 else 0.5)
        lost = 0.7 if minute in outage else 0.04
        if minute in anchor:
            servfail = 0.6
        if minute in outage:
            servfail = 0.35
        if minute in left:
            nxdomain = 0.2
        frames = 0
        # The server restarts every night at three, and is away for a minute.
        if minute % DAY == 3 * HOUR or minute in silent:
            site.silent(minute, "unbound")
        else:
            site.role(minute, "unbound", "client", queries,
                      (0.65, 0.70, 0.93, 0.97, 0.995, 1) if work > 0.2 else (0.5, 0.56, 0.9, 0.95, 0.99, 1),
                      nxdomain=nxdomain, servfail=servfail, unanswered=0.008, txt=0.68 * policies / queries)
            site.role(minute, "unbound", "resolver", upstream, (0, 0.2, 0.8, 0.92, 0.99, 1), nxdomain=0.15,
                      servfail=0.02, unanswered=lost)
            frames += 2 * queries + 2 * upstream
            # Those asked most, of a thousand others: top-level domains and large services, near and far.
            site.upstreams(minute, {f"192.0.2.{number}": (upstream * 0.04 / (1 + number / 5), lost, 0.008 * 1.5 ** number)
                                    for number in range(10)})
        # BIND's clock ticks every 4 ms: most of its answers take no time. A few strangers are refused.
        own = 60 * (0.4 + 2 * work)
        site.role(minute, "bind", "auth", own, (0.98, 1, 1, 1, 1, 1), nxdomain=0.1,
                  refused=1 if minute in refused else 0.1)
        site.exporter(minute, frames + 2 * own, 1 if minute in silent else 2,
                      delays=(0, 0, 0, 0, 1, 1) if minute in clock else IN_TIME)
        if minute in infected and minute % 4 == 0:
            site.gauge(minute, "dnstap_detection_score", 2, detector="nxdomain_client", client="10.0.0.66", domain="")
        site.gauge(minute, "dnstap_distinct_clients", round(20 + 150 * work), family="ipv4")
        top = max(300 * lists / 60, 300 * scanned / 60)
        site.gauge(minute, "dnstap_top_client_queries", round(top), client="10.0.0.25")
        site.gauge(minute, "dnstap_top_client_queries_error", 0, client="10.0.0.25")
    return [site]


# --- A Kubernetes cluster: pods of CoreDNS without `identity` send to one exporter

CLUSTER_TROUBLES = [
    Trouble("the node's resolver is dead", Span("Mon", "11:00", "12:00"),
            ["DnstapUpstreamUnanswered", "DnstapQueriesUnanswered"]),
    Trouble("an hour of SERVFAIL", Span("Thu", "10:00", "11:00"),
            ["DnstapServfailsHigh", "DnstapServfailsCritical"]),
    Trouble("a pod lost its Service, and keeps a twentieth", Span("Thu", "16:00", "17:00"), ["DnstapTrafficLow"]),
    Trouble("one of two upstream servers is dead", Span("Wed", "10:00", "11:00"), ["DnstapUpstreamServerSilent"]),
    Trouble("one of two upstream servers is overloaded", Span("Fri", "09:00", "10:00"), ["DnstapUpstreamServerSlow"]),
    Trouble("one infected pod: a tunnel", Span("Fri", "15:00", "18:00"), ["DnstapTunnel"]),
    Trouble("a NetworkPolicy cuts all streams", Span("Sat", "09:00", "10:30"), ["DnstapServerSilent"]),
    Trouble("the exporter is out of memory every eight minutes", Span("Sun", "12:00", "13:30"),
            ["DnstapExporterRestarts"]),
]


def cluster():
    dead, servfails, lost, one_dead, one_slow, tunnel, cut, memory = (trouble.span for trouble in CLUSTER_TROUBLES)
    rollout = at("Tue", "14:00")
    busy = Span("Wed", "18:00", "23:00")  # three more pods
    batch = Span("Thu", "02:00", "05:00")  # asks for many outside names
    site = Site("exporter:9353", 2)
    for minute in range(MINUTES):
        if minute in memory and minute % 8 == 0:
            site.restart(minute)
            continue
        pods = []
        for number in range(3):  # a pod is replaced every two minutes
            old, new = f"coredns-a{number}", f"coredns-b{number}"
            is_new = minute >= rollout + 2 * number
            pods.append(new if is_new else old)
            if is_new and minute > 0:
                site.silent(minute, old)
        more = [f"coredns-c{number}" for number in range(3)]
        if minute in busy:
            pods += more
        elif minute > busy.end:
            for pod in more:
                site.silent(minute, pod)
        demand = 60 * 60 * (0.5 + 0.5 * working_hours(minute)) * (2 if minute in busy else 1)
        demand *= 2.5 if minute % HOUR < 3 else 1  # every hour's jobs
        nxdomain = 0.8 if minute in batch else 0.62
        frames = 0
        for pod in pods:
            queries = demand / len(pods)
            if minute in lost:
                queries = 0.05 * queries if pod == pods[0] else 1.45 * queries
            if minute in cut:
                site.silent(minute, pod)
                continue
            site.role(minute, pod, "client", queries, (0.8, 0.85, 0.96, 0.98, 0.995, 1), nxdomain=nxdomain,
                      servfail=0.4 if minute in servfails else 0.003, unanswered=0.3 if minute in dead else 0.003)
            site.role(minute, pod, "forwarder", 0.2 * queries, (0.1, 0.5, 0.9, 0.95, 0.99, 1), nxdomain=0.1,
                      unanswered=0.8 if minute in dead else 0.1 if minute in one_dead else 0.01)
            frames += 2.4 * queries
        # The pods soon ask the dead one for its health only.
        site.upstreams(minute, {
            "10.0.0.2": (0.1 * demand, 0.8 if minute in dead else 0.01, 0.02),
            "10.0.0.3": (5 if minute in one_dead else 0.1 * demand,
                         1 if minute in one_dead else 0.8 if minute in dead else 0.01, 1 if minute in one_slow else 0.03)})
        site.exporter(minute, frames, 0 if minute in cut else len(pods))
        if minute in tunnel and minute % 3 == 0:
            site.gauge(minute, "dnstap_detection_score", 3, detector="tunnel", client="10.244.1.9",
                       domain="evil.example")
    return [site]


SITES = {"office": (office, OFFICE_TROUBLES), "cluster": (cluster, CLUSTER_TROUBLES)}


# --- What the rules make of them

def notation(values):
    """A series as promtool reads it: a series that has no sample is stale at once."""
    words = []
    for index, value in enumerate(values):
        has_ended = value is None and index > 0 and values[index - 1] is not None
        words.append("stale" if has_ended else "_" if value is None else str(value))
    return " ".join(words)


def test_file(sites):
    yield f"rule_files: [{', '.join(map(str, RULES))}]\nevaluation_interval: {STEP}m\n"
    yield ("group_eval_order: [dnstap_rates, dnstap_counts, dnstap_inputs_and_lists, dnstap_normal, dnstap_upstream_servers, "
           "dnstap_answers, dnstap_clients, dnstap_exporter]\n")
    yield "tests:\n  - interval: 1m\n    input_series:\n"
    for site in sites:
        for (metric, labels), values in site.samples.items():
            text = ", ".join(f'{name}="{value}"' for name, value in
                             (("job", "dnstap"), ("instance", site.instance), *labels))
            yield f"      - {{series: '{metric}{{{text}}}', values: '{notation(values)}'}}\n"
    yield "    promql_expr_test:\n"
    for minute in range(DAY, MINUTES, STEP):
        yield (f"      - {{expr: 'ALERTS{{alertstate=\"firing\"}}', eval_time: {minute}m, exp_samples: []}}\n")


def minutes(duration):
    """Minutes of a duration as Prometheus writes it, such as 1d10h20m."""
    unit = {"w": 7 * DAY, "d": DAY, "h": HOUR, "m": 1}
    return sum(int(number) * unit[letter] for number, letter in re.findall(r"(\d+)([wdhm])", duration))


def firing(sites):
    """{minute: {alert with its labels...}}: what promtool complains of, as it is told to expect no alert."""
    with tempfile.NamedTemporaryFile("w", suffix=".yml", encoding="utf-8") as file:
        file.writelines(test_file(sites))
        file.flush()
        run = subprocess.run(["promtool", "test", "rules", file.name], check=False, text=True,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    found = re.findall(r"time: (\w+),\s+exp:.*\n\s+got: *(.*)", run.stdout)
    if not found:
        sys.exit(f"promtool names no alert:\n{run.stdout[:2000]}")
    return {minutes(time): set(re.findall(r"\{(.*?)\} \S+", got)) for time, got in found}


def begins(alerts):
    """[(minute, alert)...] of each alert that began to fire."""
    found = []
    for minute in sorted(alerts):
        for labels in alerts[minute] - alerts.get(minute - STEP, set()):
            found.append((minute, re.search(r'alertname="(\w+)"', labels)[1], labels))
    return found


def judge(name):
    """({alert: [true, false]}, complaints) of one site."""
    make, troubles = SITES[name]
    counts, complaints, seen = collections.defaultdict(lambda: [0, 0]), [], set()
    for minute, alert, labels in begins(firing(make())):
        causes = [trouble for trouble in troubles if trouble.explains(alert, minute)]
        seen |= {(trouble.what, alert) for trouble in causes}
        counts[alert][0 if causes else 1] += 1
        if not causes:
            day, time = divmod(minute - DAY, DAY)
            print(f"{name}: {DAYS[day]} {time // HOUR:02}:{time % HOUR:02} without trouble: {labels}")
    for trouble in troubles:
        complaints += [f"{name}: {trouble.what}: no {alert}" for alert in sorted(trouble.alerts)
                       if (trouble.what, alert) not in seen]
    return counts, complaints


def table(results):
    lines = ["| alert | " + " | ".join(f"{name}: true | false" for name in results) + " |",
             "|---|" + "--:|--:|" * len(results)]
    for alert in sorted(set().union(*results.values())):
        numbers = [str(number) for counts in results.values() for number in counts.get(alert, (0, 0))]
        lines.append(f"| {alert} | " + " | ".join(numbers) + " |")
    sums = [str(sum(count[which] for count in counts.values())) for counts in results.values() for which in (0, 1)]
    lines.append("| all | " + " | ".join(sums) + " |")
    return "\n".join(lines) + "\n"


def main(arguments):
    with ThreadPoolExecutor() as pool:
        judged = dict(zip(SITES, pool.map(judge, SITES)))
    complaints = [complaint for _, found in judged.values() for complaint in found]
    written = table({name: dict(counts) for name, (counts, _) in judged.items()})
    text = README.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    is_there, _, after = rest.partition(END)
    if arguments == ["--write"]:
        README.write_text(before + BEGIN + written + END + after, encoding="utf-8")
    elif is_there != written:
        complaints.append(f"{README.relative_to(TOP)} has another table than\n{written}")
    print(*complaints, sep="\n")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
