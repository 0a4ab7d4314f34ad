#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Write the Grafana dashboards: dashboards/generate.py [FOLDER], by default next to this file.

Edit the tables below, never the JSON; tests/lint/check_dashboards.py compares the two.

Expressions are PromQL with abbreviations. A selector begins with its scope: {E} what an
exporter says of itself or of all its servers, {S} narrowed to $server, {R} narrowed to $server and
$role, {C} what clients ask: $server, and the roles client and auth. [I] is [$__rate_interval].

What must not be empty in quiet times goes through quiet() or share(): a panel shows 0 as long as
there is an exporter, and "No data" only where nothing is scraped. A tile is stricter: it asks for
this moment, and shows "no data" in grey while there is nothing to judge by.

Queries are counted through queries(), which takes responses of servers that send nothing else. A
share of queries is of the roles client and auth together: BIND logs a query as AUTH_QUERY and its
response as CLIENT_RESPONSE. A share of messages without their counterpart goes through complete(),
which leaves out the servers of which such a share means nothing.

The exporter's lists and distinct counts are of a window that advances in tenths, by default every
30 seconds, and make saw teeth of that. Graphs of them go through smooth().
"""

import json
import pathlib
import re
import sys

EXPORTER = 'job=~"$job",instance=~"$instance"'
SERVER = EXPORTER + ',server=~"$server"'
SCOPES = {"E": EXPORTER, "S": SERVER, "R": SERVER + ',role=~"$role"',
          "C": SERVER + ',role=~"client|auth"'}
DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}

# A colour that has a meaning is the same in all panels; the rest go by name.
COLOURS = {
    "answer": "green", "nodata": "light-green", "referral": "blue",
    "nxdomain": "orange", "servfail": "red", "refused": "purple", "other": "#808080",
    "NXDOMAIN": "orange", "SERVFAIL": "red", "REFUSED": "purple",
    "p50": "light-blue", "p95": "blue", "p99": "dark-blue",
    "nxdomain_client": "orange", "nxdomain_domain": "dark-orange", "tunnel": "red",
    "block_list": "dark-red", "amplification": "blue", "rebinding": "purple",
    "none": "green",
    "names": "blue", "names that do not exist": "orange", "registered domains": "purple",
    "clients": "green",
    "tc": "red",
}


# --- Expressions ---

def expand(expression):
    """PromQL of an abbreviated expression."""
    expression = re.sub(r"\{([ESRC])\b", lambda match: "{" + SCOPES[match[1]], expression)
    return expression.replace("[I]", "[$__rate_interval]")


def rate(selector, by=""):
    """Per second, all in one or for each of the labels."""
    return f"sum by ({by}) (rate({selector}[I]))" if by else f"sum(rate({selector}[I]))"


def quiet(expression, label=None):
    """The expression, or one 0 where it has no series; label: the one that says "none" then."""
    zero = "0 * max(dnstap_exporter_build_info{E})"
    if label:
        zero = f'label_replace({zero}, "{label}", "none", "", "")'
    return f"{expression} or on() {zero}"


def share(part, whole, by=""):
    """Rate by rate; 0 where there is no traffic, which would be NaN."""
    return f"{rate(part, by)} / ({rate(whole, by)} > 0) or 0 * {rate(whole, by)}"


EACH = "job, instance, server, role"


def queries(scope, by=""):
    """Per second, of servers that send responses only as many as these."""
    responses = f"rate(dnstap_responses_total{{{scope}}}[I])"
    only = f"dnstap_responses_only{{{scope}}} == 1"
    count = f"({responses} and on ({EACH}) {only} or rate(dnstap_queries_total{{{scope}}}[I]))"
    return f"sum by ({by}) {count}" if by else f"sum{count}"


def complete_rate(metric, scope, by=""):
    """Per second, of servers that send both directions and all messages."""
    states = f"dnstap_responses_only{{{scope}}} + dnstap_queries_only + dnstap_sampled > 0"
    total = "sum" + (f" by ({by}) " if by else "")
    return f"{total}(rate({metric}{{{scope}}}[I]) unless on ({EACH}) {states})"


def complete(part, whole, scope, by=""):
    """Rate by rate, of servers that send both directions and all messages; 0 without traffic."""
    part, whole = (complete_rate(metric, scope, by) for metric in (part, whole))
    return f"{part} / ({whole} > 0) or 0 * {whole}"


def unanswered(scope, by="", roles=""):
    """Share of queries, without a role or of these roles."""
    scope += f",role{roles}" if roles else ""
    return complete("dnstap_unanswered_queries_total", "dnstap_queries_total", scope, by)


ASKED, ASKING = '=~"client|auth"', '!~"client|auth"'


def share_of_each(part, whole, label):
    """Rate by rate for each value of the label, of a whole that does not have it."""
    return f"{rate(part, label)} / on() group_left() ({whole} > 0) or 0 * {rate(part, label)}"


def quantile(q, metric, scope, by=""):
    """From native histograms, or from classic ones."""
    labels = f"le, {by}" if by else "le"
    return (f"histogram_quantile({q}, {rate(f'{metric}{{{scope}}}', by)})"
            f" or histogram_quantile({q}, {rate(f'{metric}_bucket{{{scope}}}', labels)})")


def histogram_sum(metric, scope, by=""):
    """Per second, from native histograms or from classic ones."""
    return (f"(histogram_sum({rate(f'{metric}{{{scope}}}', by)})"
            f" or {rate(f'{metric}_sum{{{scope}}}', by)})")


# A share of less traffic than this, messages a second, is nobody's worst: one failure of two.
LEAST = 0.1
ALL_SERVERS = "all servers"


def measured(expression):
    """Nothing as soon as no exporter is scraped; a rate alone lasts for its interval."""
    return f"({expression}) and on() up{{E}} == 1"


def worst(each, of_all):
    """The highest of the servers, or without a failure or with little traffic that of all."""
    return measured(f'topk(1, ({each}) > 0) or on()'
                    f' label_replace({of_all}, "server", "{ALL_SERVERS}", "", "")')


def worst_share(part, whole, by):
    """part, whole: functions of the labels to sum by."""
    return worst(f"{part(by)} / ({whole(by)} > {LEAST})", f"{part('')} / ({whole('')} > 0)")


def smooth(selector):
    """Over two slides of the exporter's window."""
    return f"avg_over_time({selector}[1m])"


# --- Panels: each helper gives a panel without its id and place ---

def override(name, **properties):
    """For the field of that name; properties with _ for the dots of Grafana's ids."""
    return {"matcher": {"id": "byName", "options": name},
            "properties": [{"id": identifier.replace("_", "."), "value": value}
                           for identifier, value in properties.items()]}


def fixed(colour):
    return {"mode": "fixed", "fixedColor": colour}


def steps(warning=None, bad=None):
    """Green, from `warning` on orange, from `bad` on red."""
    limits = [{"color": "green", "value": None}]
    limits += [{"color": "orange", "value": warning}] if warning is not None else []
    limits += [{"color": "red", "value": bad}] if bad is not None else []
    return {"mode": "absolute", "steps": limits}


def targets_of(queries, **settings):
    """queries: an expression, or {legend: expression}."""
    if isinstance(queries, str):
        queries = {"": queries}
    return [{"refId": chr(ord("A") + n), "datasource": DATASOURCE, "editorMode": "code",
             "expr": expand(expression), "legendFormat": legend, **settings}
            for n, (legend, expression) in enumerate(queries.items())]


def panel(kind, title, description, width, targets, unit, options, **rest):
    return {"type": kind, "title": title, "description": description, "datasource": DATASOURCE,
            "width": width, "height": rest.pop("height", 8), "targets": targets,
            "fieldConfig": {"defaults": {"unit": unit, **rest.pop("defaults", {})},
                            "overrides": rest.pop("overrides", [])},
            "options": options, **rest}


# Grafana asks for at most so many points of a series. Tiles and tables get one, and this only makes
# their [$__rate_interval] short: four scrapes, until a point is longer than that.
GRAPH_POINTS, HEATMAP_POINTS, MOMENT_POINTS = 200, 120, 1000

# How far an axis goes at least, or that of zeros would go to 100.
LEAST_AXIS = {"percentunit": 0.01, "s": 0.001, "bytes": 100}


def graph(title, description, width, unit, queries, *, stack=False, limits=None):
    """A time series. limits: those of the tile, drawn as dashed lines."""
    custom = {"drawStyle": "line", "lineWidth": 1, "fillOpacity": 60 if stack else 10,
              "showPoints": "never", "spanNulls": False,
              "axisSoftMax": LEAST_AXIS.get(unit, 1),
              "stacking": {"mode": "normal" if stack else "none", "group": "A"},
              "thresholdsStyle": {"mode": "dashed" if limits else "off"}}
    defaults = {"color": {"mode": "palette-classic"}, "min": 0, "custom": custom}
    if limits:
        defaults["thresholds"] = limits
    # The height gives the legend whole rows: its head and three series.
    options = {"legend": {"displayMode": "table", "placement": "bottom", "showLegend": True,
                          "calcs": ["lastNotNull", "max"], "sortBy": "Max", "sortDesc": True},
               "tooltip": {"mode": "multi", "sort": "desc"}}
    overrides = [override(name, color=fixed(colour)) for name, colour in COLOURS.items()
                 if name in names_in(title, queries)]
    return panel("timeseries", title, description, width, targets_of(queries), unit, options,
                 defaults=defaults, overrides=overrides, height=9, maxDataPoints=GRAPH_POINTS)


# What a legend of one label can say, as far as it has a colour of its own.
LABEL_COLOURS = {
    "{{outcome}}": ("answer", "nodata", "referral", "nxdomain", "servfail", "refused", "other"),
    "{{rcode}}": ("NXDOMAIN", "SERVFAIL", "REFUSED"),
    "{{flag}}": ("tc",),
}


def names_in(title, queries):
    """The series names of a graph that may have a colour of their own."""
    if isinstance(queries, str):
        raise ValueError(f"{title}: a graph's queries need legends")
    return {name for legend in queries for name in LABEL_COLOURS.get(legend, (legend,))}


GREY = "#808080"


def mapped(values, missing):
    """Mappings of {value: (text, colour)}; what is missing is grey, or it would look healthy."""
    return [{"type": "value", "options": {value: {"text": text, "color": colour}
                                          for value, (text, colour) in values.items()}},
            {"type": "special", "options": {"match": "null+nan",
                                            "result": {"text": missing, "color": GREY}}}]


def stat(title, description, unit, expression, limits=None, *, width=4, name="", link=None,
         decimals=None, values=None):
    """One number of this moment; green, orange or red where it has limits, else blue.

    name: a legend to write beside it. link: (identifier of a dashboard, title of its panel or
    None). values: {value: (text, colour)}.
    """
    defaults = {"noValue": "no data", "mappings": mapped(values or {}, "no data"),
                "color": {"mode": "thresholds"} if limits else fixed("blue")}
    if limits:
        defaults["thresholds"] = limits
    if decimals is not None:
        defaults["decimals"] = decimals
    if link:
        identifier, target = link
        defaults["links"] = [{"title": f"Open {target or DASHBOARDS[identifier][0]}",
                              "url": address(identifier, target)}]
    options = {"colorMode": "background_solid" if limits else "value",
               "graphMode": "none", "justifyMode": "auto", "orientation": "auto",
               "textMode": "value_and_name" if name else "value",
               "text": {"titleSize": 14, "valueSize": 26},
               "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False}}
    return panel("stat", title, description, width,
                 targets_of({name: expression}, instant=True, range=False), unit, options,
                 defaults=defaults, height=3, maxDataPoints=MOMENT_POINTS)


def table(title, description, width, labels, columns, *, sort, widths, least, height=9,
          links=None, values=None, hidden=()):
    """A row for each combination of labels.

    labels: {label: heading}. columns: {heading: (expression, unit, steps, "bar" or None or
    {value: (text, colour)})}; those in `hidden` only give labels. sort: {heading: descending}.
    widths: {heading: pixels}. least: {heading: pixels at least} of columns that share the rest.
    links: {heading of a label: (title, url)}. values: {heading of a label: {value: (text, colour)}}.
    """
    targets = targets_of({heading: column[0] for heading, column in columns.items()},
                         format="table", instant=True, range=False)
    fields = [f"Value #{target['refId']}" for target in targets] if len(columns) > 1 else ["Value"]
    rename = {**labels, **dict(zip(fields, columns))}
    order = {name: place for place, name in enumerate(rename)}
    properties = {heading: {} for heading in rename.values() if heading not in hidden}
    for heading, (_, unit, limits, cell) in columns.items():
        if heading in hidden:
            continue
        properties[heading]["unit"] = unit
        if limits:
            properties[heading] |= {"thresholds": limits, "color": {"mode": "thresholds"}}
        if cell == "bar":
            properties[heading]["custom_cellOptions"] = {"type": "gauge", "mode": "basic",
                                                         "valueDisplayMode": "text"}
        elif cell:
            properties[heading]["mappings"] = mapped(cell, "–")
        if limits or isinstance(cell, dict):
            properties[heading]["custom_cellOptions"] = {"type": "color-text"}
    for heading, cell in (values or {}).items():
        properties[heading] |= {"mappings": mapped(cell, "–"),
                                "custom_cellOptions": {"type": "color-text"}}
    for heading, (name, url) in (links or {}).items():
        properties[heading]["links"] = [{"title": name, "url": url}]
    for heading, pixels in widths.items():
        properties[heading]["custom_width"] = pixels
    for heading, pixels in least.items():
        properties[heading]["custom_minWidth"] = pixels
    excluded = {"Time": True, **{field: True for field, heading in rename.items()
                                 if heading in hidden}}
    return panel(
        "table", title, description, width, targets, "short",
        {"showHeader": True, "cellHeight": "sm",
         "sortBy": [{"displayName": heading, "desc": descending}
                    for heading, descending in sort.items()]},
        defaults={"color": fixed("blue"), "noValue": "–", "min": 0, "mappings": mapped({}, "–"),
                  "custom": {"align": "auto", "filterable": False}},
        overrides=[override(heading, **properties[heading]) for heading in properties],
        height=height, maxDataPoints=MOMENT_POINTS,
        transformations=[
            {"id": "merge", "options": {}},
            {"id": "organize", "options": {"excludeByName": excluded,
                                           "indexByName": order, "renameByName": rename}}])


UPSTREAM = ("Servers that yours ask in the roles resolver, forwarder and stub, if they log that: over the "
            "exporter's window (5 minutes by default). ")

# Of a list's label: its heading, and the variable that narrows the lists to one value.
LISTED = {"client": ("client", "client"), "domain": ("domain", "domain"),
          "qname": ("name", "domain"), "upstream": ("upstream server", None)}
NARROWED = {"client": '{E,client=~"$client"}', "domain": '{E,domain=~"$domain"}',
            "qname": '{E,qname=~"(.*[.])?$domain"}', "upstream": "{E}"}


def top(title, description, metric, label, counted, unit="short", colour="blue"):
    """One of the exporter's lists: the most that it can be, and the least."""
    heading, variable = LISTED[label]
    selector = NARROWED[label]
    most = f"topk(20, sum by (instance, {label}) ({metric}{selector}))"
    least = f"sum by (instance, {label}) ({metric}{selector} - {metric}_error) and {most}"
    result = table(title, description, 12, {label: heading, "instance": "exporter"}, {
        counted: (quiet(most, label), unit, None, "bar"),
        "at least": (quiet(least, label), unit, None, None),
    }, sort={counted: True}, widths={counted: 115, "at least": 80},
        least={heading: 150, "exporter": 105},
        links={heading: narrowed(variable)} if variable else {})
    result["fieldConfig"]["defaults"]["color"] = fixed(colour)
    return result


def upstream_ratio(metric):
    """What a list says of each upstream server by its queries; 0 of what is not in the list."""
    def by_upstream(name):
        return f"sum by (instance, upstream) ({smooth(name + NARROWED['upstream'])})"
    counted = by_upstream("dnstap_top_upstream_queries")
    return quiet(f"({by_upstream(metric)} or 0 * {counted}) / ({counted} > 0)", "upstream")


def top_graph(title, description, metric, label):
    """A list over time."""
    most = f"topk(10, sum by (instance, {label}) ({smooth(metric + NARROWED[label])}))"
    return graph(title, description, 12, "short",
                 {f"{{{{{label}}}}} {{{{instance}}}}": quiet(most, label)})


# Rows of the heatmap: some of the bounds of the exporter's classic buckets, in seconds.
HEATMAP_BOUNDS = ("0.0001", "0.0005", "0.001", "0.005", "0.01", "0.05", "0.1", "0.5", "1", "5",
                  "+Inf")


def heatmap(title, description, width, unit, metric, scope):
    """Rows of classic buckets; of a native histogram the same ones are worked out.

    Grafana draws the buckets of a native histogram on a logarithmic axis. The bucket of zero has
    a negative bound and leaves that axis without a scale.
    """
    native = rate(f"{metric}{{{scope}}}")
    rows = " or ".join(
        f'label_replace(histogram_fraction(-Inf, {bound}, {native}) * histogram_count({native}), '
        f'"le", "{bound}", "", "")' for bound in HEATMAP_BOUNDS)
    # As a label a whole number is 1 or 1.0, by the format that Prometheus scrapes.
    labels = "|".join("[+]Inf" if bound == "+Inf" else bound if "." in bound else f"{bound}([.]0)?"
                      for bound in HEATMAP_BOUNDS)
    classic = rate(f'{metric}_bucket{{{scope},le=~"{labels}"}}', "le")
    options = {"calculate": False, "cellGap": 0, "showValue": "never",
               "color": {"mode": "scheme", "scheme": "Blues", "scale": "exponential",
                         "exponent": 0.5, "steps": 64, "reverse": False, "fill": "dark-blue"},
               "yAxis": {"axisPlacement": "left", "unit": unit, "reverse": False},
               "cellValues": {"unit": "reqps"}, "filterValues": {"le": 1e-9},
               "rowsFrame": {"layout": "auto"}, "legend": {"show": False},
               "tooltip": {"mode": "single", "yHistogram": False, "showColorScale": True},
               "exemplars": {"color": "rgba(255,0,255,0.7)"}}
    return panel("heatmap", title, description, width,
                 targets_of({"{{le}}": f"{rows} or on() {classic}"}, format="heatmap"), unit,
                 options, height=9, maxDataPoints=HEATMAP_POINTS)


# --- The dashboards ---

# identifier: (title, file)
DASHBOARDS = {
    "dnstap-overview": ("DNS overview", "dns-overview.json"),
    "dnstap-suspicious": ("Top talkers and suspicious patterns", "suspicious.json"),
    "dnstap-exporter": ("Exporter health", "exporter-health.json"),
}


def address(identifier, target=None):
    """Of a dashboard, or of its panel with that title, with the time and the variables of the one
    that one is at. with_panel_numbers() puts in the number of the panel."""
    return (f"/d/{identifier}?${{__url_time_range}}&${{__all_variables}}"
            + (f"&viewPanel=<{target}>" if target else ""))


SAME_CHOICE = "&".join(["${__url_time_range}", *(
    f"${{{name}:queryparam}}" for name in ("datasource", "job", "instance"))])
ONE_SERVER = ("Show this server alone", f"/d/dnstap-overview?{SAME_CHOICE}&${{role:queryparam}}"
              "&var-server=${__value.raw}")
# Grafana's own page of rules shows all annotations of a rule, the runbook among them.
RUNBOOK = ("Runbook", "/alerting/list?search=${__value.raw}")


def narrowed(variable):
    """To the dashboard of clients and names, with one value."""
    return (f"Show this {variable} alone", f"/d/dnstap-suspicious?{SAME_CHOICE}"
            f"&${{server:queryparam}}&var-{variable}=${{__value.raw}}")


ALERTS = 'ALERTS{alertname=~"Dnstap.*",alertstate="firing"'
# An attack that several exporters see is one alert; the exporter's own alerts have its address.
FIRING = (
    'count by (alertname, severity, client, domain)'
    f' ({ALERTS},client!=""}} or {ALERTS},domain!=""}})'
    f' or count by (alertname, severity, server) ({ALERTS},client="",domain="",server!=""}})'
    f' or count by (alertname, severity, server) (label_replace('
    f'{ALERTS},client="",domain="",server=""}}, "server", "$1", "instance", "(.*)"))')
DOWN = (
    "Exporters", "Exporters that Prometheus cannot scrape. While one is down nothing is known of "
    "its servers. Red “none”: Prometheus has no exporter at all.", "suffix:down",
    "count(up{E} == 0) or on() 0 * count(up{E}) or on() vector(-1)", steps(bad=1))
DOWN_VALUES = {"-1": ("none", "red")}


def outcome(name, scope="R"):
    return f'dnstap_response_outcomes_total{{{scope},outcome="{name}"}}'


RESPONSES = "dnstap_response_outcomes_total{R}"
# Orange from where the alerts of deploy/prometheus warn.
SERVFAIL_STEPS, NXDOMAIN_STEPS = steps(0.05, 0.25), steps(0.5, 0.8)
UNANSWERED_STEPS, SLOW_STEPS = steps(0.05, 0.3), steps(0.5, 2)
BY = "server, role"
WHO = "{{server}} {{role}}"
# What a server sends of its messages: the sum of its states.
SENDS = ("max by (server, role) "
         "(dnstap_responses_only{R} + 2 * dnstap_queries_only + 4 * dnstap_sampled)")
SENT = {"0": ("all", "green"), "1": ("responses", "orange"), "2": ("queries", "orange"),
        "4": ("a part", "blue"), "5": ("few resp.", "orange"), "6": ("few queries", "orange")}
# Knot Resolver with log_queries=false sends each query without its message.
MALFORMED = ('sum by ({by}) (rate(dnstap_malformed_messages_total{{{scope},reason!="missing"}}[I])'
             ' or rate(dnstap_malformed_messages_total{{{scope},kind="response"}}[I]))')


def messages(span, least):
    """Servers with more messages a second than that, of either direction."""
    return "({})".format(" or ".join(
        f"sum by ({EACH}) (rate({metric}{{R}}[{span}])) > {least}"
        for metric in ("dnstap_queries_total", "dnstap_responses_total")))


# 2: the exporter of a server with traffic in the last hour is down. 1: the server has been silent
# for five minutes. 0: it sends. A server whose place in the exporter another one took is gone.
KNOWN = "dnstap_unanswered_queries_total{R}"
BUSY = messages("1h", LEAST)
SILENT = (f"{BUSY} and on (job, instance) up{{E}} == 1 unless {messages('5m', 0)} unless"
          f" ({BUSY} unless on ({EACH}) {KNOWN}"
          " and on (job, instance) dnstap_expired_messages_total > 0)")
STATE = (f"max by (server, role) (2 + 0 * ({BUSY} and on (job, instance) up{{E}} == 0))"
         f" or max by (server, role) (1 + 0 * ({SILENT})) or 0 * max by (server, role) ({KNOWN})")
STATES = {"0": ("active", "green"), "1": ("silent", "red"), "2": ("not scraped", "red")}

# Of a server that logs both: client queries that needed no query to another server.
CACHE_HITS = (
    'clamp_min(1 - '
    'sum by (job, instance, server) (rate(dnstap_queries_total{S,role="resolver"}[I]))'
    ' / (sum by (job, instance, server) (rate(dnstap_queries_total{S,role="client"}[I])) > 0), 0)')

P99 = quantile(0.99, "dnstap_response_time_seconds", "R", BY)
BUSY_NOW = f"sum by ({BY}) (rate({RESPONSES}[I])) > {LEAST}"
DETECTIONS = "dnstap_detection_score{E}"
# A client or domain that several exporters found is one.
FOUND = "count(count by (detector, client, domain) ({}))"

# Who fails most, in three lists.
FAILURES = quiet(" or ".join(
    f'label_replace(topk(2, max by ({label}) ({metric}{{E}})), "outcome", "{name}", "", "")'
    for label, metric, name in (("client", "dnstap_top_client_nxdomains", "NXDOMAIN"),
                                ("domain", "dnstap_top_domain_nxdomains", "NXDOMAIN"),
                                ("domain", "dnstap_top_domain_servfails", "SERVFAIL"))), "outcome")

OVERVIEW = {
    "Now": [
        stat("Alerts", "Alerts of the rules in deploy/prometheus that fire now, of all exporters; "
             "one that several exporters raise counts once. Any is bad: the list below names them.",
             "suffix:firing", f"count({FIRING}) or on() 0 * count(up{{E}} == 1)", steps(bad=1),
             link=("dnstap-overview", "Firing alerts")),
        stat(*DOWN, values=DOWN_VALUES, link=("dnstap-exporter", "Exporters and versions")),
        stat("Servers", "Servers and roles that had traffic in the last hour and have been silent "
             "for five minutes, or whose exporter is down. Any is bad: the table below names them.",
             "suffix:silent", f"count(({STATE}) > 0) or on() 0 * count({STATE})", steps(bad=1),
             link=("dnstap-overview", "Servers by role")),
        stat("Findings", "Clients and domains that detectors have found and that are active now; "
             "one that several exporters see counts once.", "suffix:active",
             f"{FOUND.format(DETECTIONS)} or on() 0 * count(up{{E}} == 1)", steps(bad=1),
             link=("dnstap-suspicious", "Findings by client and domain")),
        stat("Queries", "Queries a second of the chosen servers and roles. A sudden drop is as bad "
             "as a peak: clients or the dnstap stream are gone.", "reqps", measured(queries("R")),
             link=("dnstap-overview", "Queries by server")),
        stat("Cache hit", "Cache-hit ratio of the resolver that has the lowest: client queries "
             "that needed no query to another server. Low after a restart, and while ever new "
             "names are asked for. No data: no server logs the roles client and resolver.",
             "percentunit", measured(f"bottomk(1, {CACHE_HITS})"), name="{{server}}",
             link=("dnstap-overview", "Cache-hit ratio by server")),
        stat("Worst SERVFAIL", "Highest share of SERVFAIL among the responses of a server and "
             "role. Some are always there, from broken zones of others; above 5 % names that work "
             "elsewhere fail here.",
             "percentunit", worst_share(lambda by: rate(outcome("servfail"), by),
                                        lambda by: rate(RESPONSES, by), BY), SERVFAIL_STEPS,
             width=6, name=WHO, link=("dnstap-overview", "SERVFAIL by server")),
        stat("Worst NXDOMAIN", "Highest share among the responses of a server and role. 5 to 20 % "
             "is usual for a resolver; a jump is an attack, malware or a broken search domain.",
             "percentunit", worst_share(lambda by: rate(outcome("nxdomain"), by),
                                        lambda by: rate(RESPONSES, by), BY), NXDOMAIN_STEPS,
             width=6, name=WHO, link=("dnstap-overview", "NXDOMAIN by server")),
        stat("Worst unanswered", "Highest share of a server's queries that got no response within "
             "the matching time-out: the server drops them, or frames are lost. Without servers "
             "that send one direction only, or a part of their messages.",
             "percentunit", worst_share(
                 lambda by: complete_rate("dnstap_unanswered_queries_total", "R", by),
                 lambda by: complete_rate("dnstap_queries_total", "R", by), "server"),
             UNANSWERED_STEPS, width=6, name="{{server}}",
             link=("dnstap-overview", "Unanswered by server")),
        stat("Worst response time", "99 of 100 responses of the slowest server and role are faster "
             "(p99). Above a second clients ask again.", "s",
             worst(f"({P99}) and {BUSY_NOW}",
                   f"({quantile(0.99, 'dnstap_response_time_seconds', 'R')}) >= 0"),
             SLOW_STEPS, width=6, name=WHO,
             link=("dnstap-overview", "Response time p99 by server")),
        table("Servers by role", "One line for each server and role, the silent ones on top. "
              "Orange: worth a look. Red: silent, above 25 % SERVFAIL, 30 % unanswered, 80 % "
              "NXDOMAIN, or two seconds. A click on the name shows that server alone. “sends” says "
              "which of its messages reach the exporter: all, responses or queries only, a sampled "
              "part of both, few responses or few queries. A server that does not send all of its "
              "messages has no share of unanswered queries; one that sends responses only has as "
              "many queries.",
              24, {"server": "server", "role": "role"}, {
                  "state": (STATE, "short", None, STATES),
                  "queries/s": (measured(queries("R", BY)), "short", None, None),
                  "SERVFAIL": (measured(share(outcome("servfail"), RESPONSES, BY)),
                               "percentunit", SERVFAIL_STEPS, None),
                  "NXDOMAIN": (measured(share(outcome("nxdomain"), RESPONSES, BY)),
                               "percentunit", NXDOMAIN_STEPS, None),
                  "REFUSED": (measured(share(outcome("refused"), RESPONSES, BY)),
                              "percentunit", steps(0.1, 0.5), None),
                  "unanswered": (measured(unanswered("R", BY)), "percentunit",
                                 UNANSWERED_STEPS, None),
                  "p99": (measured(P99), "s", SLOW_STEPS, None),
                  "sends": (SENDS, "short", None, SENT),
              }, sort={"state": True, "SERVFAIL": True}, height=7, links={"server": ONE_SERVER},
              widths={"role": 81, "state": 97, "queries/s": 84, "SERVFAIL": 107, "NXDOMAIN": 97,
                      "REFUSED": 86, "unanswered": 98, "p99": 70, "sends": 97},
              least={"server": 110}),
        table("Firing alerts", "The alerts of deploy/prometheus that fire now, whatever is chosen "
              "above, and whom each is about; an exporter's own alert has its address. A click on "
              "the alert opens the rule with its runbook. One line “none” is good.", 13,
              {"alertname": "alert", "severity": "severity", "client": "client",
               "domain": "domain", "server": "server"}, {
                  "firing": (quiet(FIRING, "alertname"), "short", None, None),
              }, sort={"severity": False}, height=7, hidden={"firing"},
              values={"severity": {"critical": ("critical", "red"),
                                   "warning": ("warning", "orange")}},
              widths={"severity": 89},
              least={"alert": 165, "client": 85, "domain": 80, "server": 72},
              links={"alert": RUNBOOK, "client": narrowed("client"),
                     "domain": narrowed("domain")}),
        table("Most failures", "Responses in the exporter's window (5 minutes by default): the two "
              "clients and domains with the most NXDOMAIN, and the two domains with the most "
              "SERVFAIL, of all servers of the exporters. One far above the others is the cause.",
              11, {"client": "client", "domain": "domain", "outcome": "outcome"}, {
                  "count": (FAILURES, "short", None, None),
              }, sort={"count": True}, height=7,
              widths={"outcome": 97, "count": 75}, least={"client": 100, "domain": 120},
              links={"client": narrowed("client"), "domain": narrowed("domain")}),
    ],
    "Traffic": [
        graph("Queries by server", "Queries a second. A line that falls to 0 is a server that died "
              "or lost its dnstap connection; compare with the exporter's health.",
              12, "reqps", {WHO: queries("R", BY)}),
        graph("Responses by outcome", "Responses a second, stacked. Green shades are fine; red "
              "and orange that grow are not. “other” is truncated, broken or other codes.",
              12, "reqps", {"{{outcome}}": rate(RESPONSES, "outcome")}, stack=True),
        graph("Query types", "The ten types asked for most, a second. Much ANY, TXT or NULL is "
              "suspicious; a flood of one type often comes from one program.",
              12, "reqps",
              {"{{qtype}}": f'topk(10, {rate("dnstap_query_types_total{R}", "qtype")})'}),
        graph("Transports", "Queries a second by transport. A rise of TCP follows truncation; a "
              "transport that falls to 0 has a dead listener or an expired certificate.",
              12, "reqps", {"{{transport}} {{family}}": queries("R", "transport, family")}),
    ],
    "Failures: the dashed lines are where orange and red begin above": [
        graph("SERVFAIL by server", "Share of a server's responses. One server alone: its "
              "own trouble (validation, upstream, disk); all at once: a popular zone or the "
              "network.", 12, "percentunit",
              {WHO: share(outcome("servfail"), RESPONSES, BY)}, limits=SERVFAIL_STEPS),
        graph("NXDOMAIN by server", "Share of a server's responses. A step up is worth a "
              "look at the suspicious patterns.", 12, "percentunit",
              {WHO: share(outcome("nxdomain"), RESPONSES, BY)}, limits=NXDOMAIN_STEPS),
        graph("Unanswered by server", "Share of queries without a response in time. Of role "
              "resolver: servers out there that do not answer. Without a role, that is, client and "
              "auth together: we drop. A server that does not send all messages has no line.",
              8, "percentunit",
              {"{{server}}": unanswered("R", "server", ASKED),
               WHO: unanswered("R", BY, ASKING)}, limits=UNANSWERED_STEPS),
        graph("REFUSED by server", "Share of a server's responses. Strangers who try, or an "
              "access list that shuts out our own.", 8, "percentunit",
              {WHO: share(outcome("refused"), RESPONSES, BY)}, limits=steps(0.1, 0.5)),
        graph("Extended errors", "Why responses failed (RFC 8914), a second, as far as servers "
              "say so. “DNSSEC Bogus” or “Signature Expired” that rises is a broken zone or a "
              "wrong clock; “No Reachable Authority” is the network.", 8, "reqps",
              {"{{error}}": quiet(f'topk(10, {rate("dnstap_extended_errors_total{R}", "error")})',
                                  "error")}),
    ],
    "Response time": [
        graph("Response time p99 by server", "99 of 100 responses are faster. One line apart from "
              "the others is the server to look at.", 12, "s", {WHO: P99}, limits=SLOW_STEPS),
        heatmap("Response times", "How many responses took how long: answers from the cache are "
                "one band, those from other servers another. The upper band that grows is a cache "
                "that does not help or an upstream that is slow.", 12, "s",
                "dnstap_response_time_seconds", "R"),
    ],
    "All roles, whatever is chosen: client and auth ask us, as resolver and forwarder we ask": [
        graph("Cache-hit ratio by server", "Client queries that needed no query to another server, "
              "of servers that log the roles client and resolver. A fall is a restart, an emptied "
              "cache, or ever new names.", 12, "percentunit", {"{{server}}": CACHE_HITS}),
        graph("SERVFAIL by role", "Share of responses. High for “resolver” first and for “client” "
              "after it: the trouble is upstream. For “client” alone: it is ours.", 12,
              "percentunit",
              {"{{role}}": share(outcome("servfail", "S"), "dnstap_response_outcomes_total{S}",
                                 "role")}),
        graph("Unanswered by role", "Share of queries. High for “resolver”: others, or our way to "
              "them, do not answer. High for “client and auth”: we do not.", 12, "percentunit",
              {"client and auth": unanswered("S", "", ASKED),
               "{{role}}": unanswered("S", "role", ASKING)}),
        graph("Response time p99 by role", "“client” follows “resolver”: slow servers elsewhere. "
              "“client” alone: this machine is slow.", 12, "s",
              {"{{role}}": quantile(0.99, "dnstap_response_time_seconds", "S", "role")}),
    ],
    "Upstream servers, of all servers of the exporters, over the exporter's window": [
        top("Upstream servers by queries", UPSTREAM + "Those with the most queries. Of a forwarder these "
            "are all; one that gets none any more was given up.",
            "dnstap_top_upstream_queries", "upstream", "queries"),
        top("Upstream servers by unanswered queries", UPSTREAM + "Those with the most queries without a "
            "response. One far above the others is down or cannot be reached; all alike: the way out.",
            "dnstap_top_upstream_unanswered", "upstream", "unanswered", colour="red"),
        top("Upstream servers by SERVFAIL", UPSTREAM + "Those with the most SERVFAIL responses. One "
            "alone: its own trouble, as a zone that has expired there; all: the names that are asked for.",
            "dnstap_top_upstream_servfails", "upstream", "SERVFAIL", colour="red"),
        top("Upstream servers by time spent", UPSTREAM + "The response times of each added up: where "
            "your servers wait most. Few queries and much time is a slow one.",
            "dnstap_top_upstream_response_seconds", "upstream", "time", "s", colour="orange"),
        graph("Unanswered by upstream server", "Share of the queries to each of those asked most. One line "
              "above the others is the server that does not answer.", 12, "percentunit",
              {"{{upstream}} {{instance}}": upstream_ratio("dnstap_top_upstream_unanswered")}),
        graph("Mean response time by upstream server", "Of each of those asked most: the sum of its response "
              "times by its queries. One line above the others is the server that is slow.", 12, "s",
              {"{{upstream}} {{instance}}": upstream_ratio("dnstap_top_upstream_response_seconds")}),
    ],
    "Protocol details": [
        graph("Response codes", "Responses a second by code, without NOERROR. FORMERR and NOTIMP "
              "are broken programs.", 12, "reqps",
              {"{{rcode}}": quiet(rate('dnstap_response_codes_total{R,rcode!="NOERROR"}', "rcode"),
                                  "rcode")}),
        graph("Response flags", "Share of responses with AA, TC, RA or AD. AD that falls: "
              "validation is off.", 12, "percentunit",
              {"{{flag}}": share_of_each("dnstap_response_flags_total{R}",
                                         rate("dnstap_responses_total{R}"), "flag")}),
        graph("Truncated by server", "Share of responses with TC: clients come back over "
              "TCP. Above a few percent look at the EDNS buffer size, or for an attack.", 12,
              "percentunit",
              {WHO: share('dnstap_response_flags_total{R,flag="tc"}', "dnstap_responses_total{R}",
                          BY)}),
        graph("Response size p99 by transport", "Bytes of DNS message. Above 1232 over UDP "
              "fragments are lost.", 12, "bytes",
              {"{{transport}}": quantile(0.99, "dnstap_response_size_bytes", "R", "transport")}),
        graph("Opcodes", "Queries a second by opcode. NOTIFY and UPDATE belong to authoritative "
              "servers only; from clients of a resolver they are probes or misconfigured hosts.",
              12, "reqps", {"{{opcode}}": rate("dnstap_query_opcodes_total{R}", "opcode")}),
        graph("Malformed messages", "Messages a second whose DNS part is broken, and responses "
              "without one. A few are scanners; many are a broken program or an attack.",
              12, "reqps",
              {"{{server}} {{kind}}": MALFORMED.format(scope="R", by="server, kind")}),
    ],
    "Answers: of exporters with `answers: true` in their configuration": [
        graph("Records by type", "Records in the answer sections of responses, a second: the ten types "
              "with the most. A rise of TXT or NULL without one of its queries is large answers, as "
              "tunnels get; RRSIG that falls to 0 is a zone that is no longer signed.", 8, "count:records/s",
              {"{{type}}": f'topk(10, {rate("dnstap_answer_records_total{R}", "type")})'}),
        graph("Least TTL of an answer", "Of a resolver, what is left of it. A median that falls: "
              "names that change fast, as of load balancers and fast flux, or a cache that serves "
              "expired answers; with the p5 at 0 nothing of these is cached.", 8, "s",
              {f"p{int(q * 100)}": quantile(q, "dnstap_answer_ttl_seconds", "R")
               for q in (0.05, 0.5, 0.95)}),
        graph("Private addresses by server", "A and AAAA records with a private address, a second. "
              "Usual for names of one's own network. From a resolver's servers outside they are "
              "misconfigured zones or DNS rebinding.", 8, "count:records/s",
              {WHO: rate("dnstap_answer_private_addresses_total{R}", BY)}),
    ],
}

LISTS = ("Of all servers of the exporter, whichever are chosen, in its window (5 minutes by "
         "default); a resolver is a client of its own authoritative server. ")
# Large answers for small queries, and types that can carry anything.
ODD_QUERIES = 'dnstap_query_types_total{C,qtype=~"ANY|AXFR|DNSKEY|IXFR|NULL|RRSIG|TXT"}'
FINDINGS = 'dnstap_detection_score{E,client=~"$client",domain=~"$domain"}'
FINDING = "detector, client, domain"
WHOSE = "lists of each exporter, all of its servers together"


def detector(name, title, description):
    """The findings of one detector that are active."""
    found = FOUND.format(f'dnstap_detection_score{{E,detector="{name}"}}')
    return stat(title, description, "suffix:active",
                f"{found} or on() 0 * count(up{{E}} == 1)", steps(bad=1), width=8,
                link=("dnstap-suspicious", "Findings by client and domain"))


SUSPICIOUS = {
    "Now": [
        detector("nxdomain_client", "DGA", "Clients that look up ever new domains that do not "
                 "exist, as malware with a domain generation algorithm does. Any is worth a look."),
        detector("nxdomain_domain", "Random subdomains", "Domains below which ever new names are "
                 "asked for that do not exist: an attack on their servers. Any is worth a look."),
        detector("tunnel", "Tunnels", "Clients that send information below a domain in ever new "
                 "names, and services that many clients tell something. Any is worth a look."),
        detector("block_list", "Block lists", "Clients that ask for names of a list, for each "
                 "list. Any is worth a look."),
        detector("amplification", "Amplification", "Networks that get large responses again and "
                 "again: victims of queries with forged addresses."),
        detector("rebinding", "Rebinding", "Domains with a name that got a private address after "
                 "a public one."),
    ],
    "Findings": [
        table("Findings by client and domain", "Who was found in the chosen time, and by which "
              "detector. The score is the evidence divided by what suffices; 0: no longer active. "
              "One line “none” is good. Names as examples are in the exporter's log and under "
              "/api/v1/findings.", 24,
              {"detector": "detector", "client": "client", "domain": "domain"}, {
                  "score": (quiet(
                      f"max by ({FINDING}) ({FINDINGS})"
                      f" or 0 * max by ({FINDING}) (max_over_time({FINDINGS}[$__range]))",
                      "detector"), "short", steps(1, 3), None),
                  "highest": (quiet(f"max by ({FINDING}) (max_over_time({FINDINGS}[$__range]))",
                                    "detector"), "short", None, None),
                  "exporters": (quiet(f"count by ({FINDING}) (max_over_time({FINDINGS}[$__range]))",
                                      "detector"), "short", None, None),
              }, sort={"score": True, "highest": True}, height=8,
              widths={"detector": 150, "score": 85, "highest": 85, "exporters": 90},
              least={"client": 150, "domain": 150},
              links={"client": narrowed("client"), "domain": narrowed("domain")}),
        graph("Scores over time", "Of each client or domain while its finding is active. Who comes "
              "back every day at the same time is a program.", 24, "short",
              {"{{client}} {{domain}}": quiet(
                  f"topk(20, max by (client, domain) ({FINDINGS}))", "client")}),
        graph("Queries for listed names", "A second, by block list.", 12, "reqps",
              {"{{list}}": quiet(rate("dnstap_block_list_hits_total{E}", "list"), "list")}),
        graph("New domains", "A second, registered domains that exist and were not asked for "
              "before; a domain of two exporters counts twice. No alarm: see the log, or "
              "/api/v1/findings, for which.", 12, "reqps",
              {"{{instance}}": quiet(
                  rate('dnstap_detections_total{E,detector="new_domain"}', "instance"),
                  "instance")}),
    ],
    f"NXDOMAIN: {WHOSE}": [
        top("Clients by NXDOMAIN", LISTS + "Clients with the most NXDOMAIN responses. One far "
            "above the rest is infected or misconfigured.",
            "dnstap_top_client_nxdomains", "client", "NXDOMAIN", colour="orange"),
        top("Domains by NXDOMAIN", LISTS + "Registered domains with the most NXDOMAIN responses. "
            "Your own search domain here is a misconfiguration, a stranger's is an attack.",
            "dnstap_top_domain_nxdomains", "domain", "NXDOMAIN", colour="orange"),
        top("Names by NXDOMAIN", LISTS + "Query names with the most NXDOMAIN responses. One name "
            "asked for over and over is a broken program, not an attack. A name of one label at an "
            "authoritative server is a resolver's minimised query (RFC 9156).",
            "dnstap_top_qname_nxdomains", "qname", "NXDOMAIN", colour="orange"),
        graph("Distinct names and clients", LISTS + "Sums of the exporters: what two of them see "
              "counts twice. Names that do not exist near all names: they are being made up. "
              "Names that rise while domains do not: tunnelling or an attack below one domain. "
              "Clients that jump: forged addresses, or an open resolver.", 12, "short",
              {"names": quiet(f"sum({smooth('dnstap_distinct_qnames{E}')})"),
               "names that do not exist":
               quiet(f"sum({smooth('dnstap_distinct_nxdomain_qnames{E}')})"),
               "registered domains": quiet(f"sum({smooth('dnstap_distinct_domains{E}')})"),
               "clients": quiet(f"sum({smooth('dnstap_distinct_clients{E}')})")}),
        top_graph("Clients by NXDOMAIN over time", LISTS + "NXDOMAIN responses of the clients "
                  "with the most. A line that starts from nothing is the one to ask about.",
                  "dnstap_top_client_nxdomains", "client"),
        top_graph("Domains by NXDOMAIN over time", LISTS + "NXDOMAIN responses of the domains "
                  "with the most. A line that starts from nothing is an attack or a zone that went "
                  "away.", "dnstap_top_domain_nxdomains", "domain"),
    ],
    f"SERVFAIL: {WHOSE}": [
        top("Domains by SERVFAIL", LISTS + "Registered domains with the most SERVFAIL responses. "
            "One: that zone is broken or attacked; many: the trouble is ours.",
            "dnstap_top_domain_servfails", "domain", "SERVFAIL", colour="red"),
        top("Names by SERVFAIL", LISTS + "Query names with the most SERVFAIL responses: what to "
            "try by hand first.",
            "dnstap_top_qname_servfails", "qname", "SERVFAIL", colour="red"),
    ],
    f"Traffic: {WHOSE}": [
        top("Clients by queries", LISTS + "Clients with the most queries. One that makes most of "
            "the traffic is a forwarder, a loop or an attacker.",
            "dnstap_top_client_queries", "client", "queries"),
        top("Clients by bytes", LISTS + "Clients that were sent the most bytes. One that is high "
            "here and low in queries gets large answers: a victim of amplification, or data that "
            "leaves in TXT.", "dnstap_top_client_response_bytes", "client", "bytes", "bytes"),
        top("Domains by queries", LISTS + "Registered domains with the most queries. A domain that "
            "nobody knows at the top is a tunnel or an attack.",
            "dnstap_top_domain_queries", "domain", "queries"),
        top("Names by queries", LISTS + "Query names asked for most. One name far above the rest "
            "is a program that does not cache, or an amplification attack. A name of one label at "
            "an authoritative server is a resolver's minimised query (RFC 9156).",
            "dnstap_top_qname_queries", "qname", "queries"),
        top_graph("Clients by queries over time", LISTS + "Queries of the clients with the most. "
                  "A step from nothing to the top is a loop or an attack.",
                  "dnstap_top_client_queries", "client"),
        top_graph("Domains by queries over time", LISTS + "Queries for the domains with the most. "
                  "A step from nothing to the top is an event, a tunnel or an attack.",
                  "dnstap_top_domain_queries", "domain"),
    ],
    "Signs of misuse": [
        graph("Odd query types", "Share of clients' queries that ask for types which attackers "
              "like: ANY, DNSKEY and RRSIG amplify, TXT and NULL carry data, AXFR and IXFR take "
              "whole zones. More than usual is bad.", 8, "percentunit",
              {"{{qtype}}": quiet(share_of_each(ODD_QUERIES, queries("C"), "qtype"), "qtype")}),
        graph("Bytes out for each byte in", "Bytes of responses by bytes of queries, of clients. "
              "Two to five is usual; ten is amplification.", 8, "short",
              {"{{server}}": f"{histogram_sum('dnstap_response_size_bytes', 'C', 'server')} / "
                             f"({histogram_sum('dnstap_query_size_bytes', 'C', 'server')} > 0) or "
                             f"0 * {queries('C', 'server')}"}),
        graph("Policy actions", "What response policy zones (RPZ) did, a second, as far as a "
              "server says so in dnstap. Known bad names that are asked for: find the client.", 8,
              "reqps",
              {"{{action}} {{match}}": quiet(
                  rate("dnstap_policy_actions_total{S}", "action, match"), "action")}),
    ],
}

FRAMES, EVENTS = "count:frames/s", "count:/s"

HEALTH = {
    "Now": [
        stat(*DOWN, values=DOWN_VALUES, width=8,
             link=("dnstap-exporter", "Exporters and versions")),
        stat("Frames", "Frames a second that DNS servers send. 0 while servers answer: they are "
             "not connected.", FRAMES, measured(rate("dnstap_frames_total{E}")), width=8,
             link=("dnstap-exporter", "Frames by input")),
        stat("Rejected", "Share of frames that are no usable dnstap. Any is bad: a server and the "
             "exporter do not speak the same, or a stranger writes to an input.", "percentunit",
             measured(share("dnstap_frames_rejected_total{E}", "dnstap_frames_total{E}")),
             steps(1e-9, 0.01), decimals=2, width=8, link=("dnstap-exporter", "Rejected frames")),
        stat("Unaccounted for",
             "Frames less queries, responses, rejected ones and messages of servers that left, "
             "since the start. Anything but 0 is a fault of the exporter: please report it.",
             "short",
             "abs(sum(dnstap_frames_total{E}) - sum(dnstap_queries_total{E})"
             " - sum(dnstap_responses_total{E}) - sum(dnstap_frames_rejected_total{E})"
             " - sum(dnstap_expired_messages_total{E}))",
             steps(bad=1), width=8),
        stat("Limits reached", "How often a limit of the configuration was reached in the chosen "
             "time. Above 0 something is counted under “other”, turned away or not watched.",
             "short",
             measured("round(sum(increase(dnstap_limit_overflows_total{E}[$__range])))"), steps(1),
             width=8, link=("dnstap-exporter", "Limits reached by limit")),
        stat("Bad configuration", "Exporters whose configuration file was unsound when it was last "
             "read. They run with the one before and will not start again.", "short",
             "count(dnstap_exporter_config_last_reload_successful{E} == 0)"
             " or on() 0 * count(dnstap_exporter_config_last_reload_successful{E})",
             steps(bad=1), width=8, link=("dnstap-exporter", "Exporters and versions")),
        table("Exporters and versions", "One line for each exporter, those that are down on top. "
              "Bad: down, started a moment ago although nobody restarted it, versions that differ.", 24,
              {"instance": "exporter", "job": "job", "version": "version",
               "revision": "revision"}, {
                  "state": ("1 - max by (job, instance) (up{E})", "short", None,
                            {"1": ("down", "red"), "0": ("up", "green")}),
                  "started": ("1000 * max by (job, instance) (process_start_time_seconds{E})",
                              "dateTimeFromNow", None, None),
                  "configuration": (
                      "1 - max by (job, instance) "
                      "(dnstap_exporter_config_last_reload_successful{E})",
                      "short", None, {"0": ("sound", "green"), "1": ("unsound", "red")}),
                  "last reload": (
                      "1000 * max by (job, instance) "
                      "(dnstap_exporter_config_last_reload_success_timestamp_seconds{E})",
                      "dateTimeFromNow", None, None),
                  "samples": ("max by (job, instance) (scrape_samples_scraped{E})",
                              "short", None, None),
                  "build": ("max by (job, instance, version, revision) "
                            "(dnstap_exporter_build_info{E})", "short", None, None),
              }, sort={"state": True, "started": True}, height=7, hidden={"build"},
              widths={"version": 80, "revision": 90, "state": 80, "started": 130,
                      "configuration": 115, "last reload": 130, "samples": 80},
              least={"exporter": 130, "job": 80}),
    ],
    "Ingest": [
        graph("Frames by input", "A second. A line that falls to 0: its server is gone or has lost "
              "the connection.", 12, FRAMES,
              {"{{instance}} {{input}}": rate("dnstap_frames_total{E}", "instance, input")}),
        graph("Rejected frames", "A second, by reason. Should be 0. protobuf and not_message: "
              "something else than a DNS server writes; message_type: a newer dnstap; oversize: "
              "limits.frame_size.", 12, FRAMES,
              {"{{instance}} {{input}} {{reason}}": rate("dnstap_frames_rejected_total{E}",
                                                         "instance, input, reason")}),
        graph("Open connections", "By input. Saw teeth: a server that reconnects again and again; "
              "0: none is connected.", 8, "short",
              {"{{instance}} {{input}}": "sum by (instance, input) (dnstap_connections{E})"}),
        graph("Closed connections", "A second, by reason. finish, eof and shutdown are ordinary; "
              "the others are wrong clients, time-outs or the limit.", 8, EVENTS,
              {"{{input}} {{reason}}": rate("dnstap_connections_closed_total{E}",
                                            "input, reason")}),
        graph("Ingest delay", "From a message's own time to its arrival, by input. A second or two "
              "is usual of idle servers; more is a busy server, a wrong clock, or an exporter that "
              "does not keep up.", 8, "s",
              {f"{{{{instance}}}} {{{{input}}}} p{int(q * 100)}":
               quantile(q, "dnstap_ingest_delay_seconds", "E", "instance, input")
               for q in (0.5, 0.99)}),
    ],
    "Archive": [
        graph("Archived frames", "A second. Those that are not archived are beside their reason: "
              "disk_full, write_error, or queue_full if the disk is too slow. Nothing without an "
              "archive.", 12, FRAMES,
              {"{{instance}} archived": rate("dnstap_archive_frames_total{E}", "instance"),
               "{{instance}} {{reason}}": rate("dnstap_archive_frames_dropped_total{E}",
                                               "instance, reason")}),
        graph("Archive size", "Files and indexes, up to archive.max_bytes.", 6, "bytes",
              {"{{instance}}": "sum by (instance) (dnstap_archive_size_bytes{E})"}),
        graph("Archive age", "Time that the archive reaches back.", 6, "s",
              {"{{instance}}": "time() - max by (instance) "
                               "(dnstap_archive_oldest_timestamp_seconds{E} > 0)"}),
    ],
    "Matching and limits": [
        graph("Responses without a query", "Share of responses for which no query was found. Some "
              "after a start; else frames are lost, or the table is too small. A server that does "
              "not send all of its messages has no line.", 12, "percentunit",
              {WHO: complete("dnstap_unmatched_responses_total", "dnstap_responses_total", "S",
                             BY)}),
        graph("Matching faults", "A second, by exporter. Duplicate responses: Unbound sends them "
              "when it serves an expired answer first (serve-expired); otherwise two servers share "
              "an identity. Response before query: a clock that was set back. Evictions: raise "
              "matching.capacity, or a server logs queries only.", 12, EVENTS,
              {"{{instance}} duplicate response":
               rate("dnstap_duplicate_responses_total{S}", "instance"),
               "{{instance}} response before query":
               rate("dnstap_negative_response_times_total{S}", "instance"),
               "{{instance}} eviction": rate("dnstap_matching_evictions_total{E}", "instance")}),
        graph("Limits reached by limit",
              "A second, by limit. Should be 0. servers, qtypes, rcodes and "
              "info_codes: counted under “other”; connections: turned away; detection_…: not "
              "watched, under an attack with many addresses.", 12, EVENTS,
              {"{{instance}} {{limit}}": rate("dnstap_limit_overflows_total{E}",
                                              "instance, limit")}),
        table("Sampling", "Inputs whose servers send one in N messages, as the key sampling says. "
              "Their rates times N estimate the traffic. One line “none”: no input is sampled.",
              12, {"instance": "exporter", "input": "input"}, {
                  "one in": (quiet(
                      "1 / (min by (instance, input) (dnstap_input_sampling_ratio{E}) < 1)",
                      "input"), "short", None, None),
              }, sort={"one in": True}, height=9, widths={"one in": 85},
              least={"exporter": 120, "input": 120}),
    ],
    "The process": [
        graph("CPU", "Cores in use. Near the number of workers: it does not keep up.", 12,
              "count:cores", {"{{instance}}": rate("process_cpu_seconds_total{E}", "instance")}),
        graph("Memory", "Resident. Taken at the start and level after that; steady growth is a "
              "leak: please report it.", 12, "bytes",
              {"{{instance}}": "max by (instance) (process_resident_memory_bytes{E})"}),
        graph("Scrape duration", "What the exporter needs to answer a scrape, and what Prometheus "
              "waits for it. Near the scrape time-out scrapes are lost.", 12, "s",
              {"{{instance}} {{format}}": "max by (instance, format) "
                                          "(dnstap_exporter_scrape_duration_seconds{E})",
               "{{instance}} Prometheus": "max by (instance) (scrape_duration_seconds{E})"}),
        graph("Samples per scrape", "What Prometheus stores of each scrape. Grows with servers, "
              "roles and types only; a steady rise is somebody who makes up identities.", 12,
              "short", {"{{instance}}": "max by (instance) (scrape_samples_scraped{E})"}),
    ],
}

ROWS = {"dnstap-overview": OVERVIEW, "dnstap-suspicious": SUSPICIOUS, "dnstap-exporter": HEALTH}
COLLAPSED = {"Protocol details", "Answers: of exporters with `answers: true` in their configuration"}


# --- From tables to JSON ---

def variable(name, label, query, *, everything=None):
    """A choice of label values. everything: what All stands for; None: every value in the list."""
    current = {"selected": True, "text": ["All"], "value": ["$__all"]}
    return {"name": name, "label": label, "type": "query", "datasource": DATASOURCE,
            "definition": query, "query": {"qryType": 1, "query": query, "refId": name},
            "refresh": 2, "sort": 1, "multi": True, "includeAll": True,
            **({"allValue": everything} if everything else {}),
            "current": current, "options": [], "regex": "", "hide": 0, "skipUrlSync": False}


def variables(identifier):
    # Every server that is seen has it, whatever it logs.
    known = "dnstap_unanswered_queries_total"
    result = [
        {"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus",
         "current": {}, "options": [], "regex": "", "refresh": 1, "multi": False,
         "includeAll": False, "hide": 0, "skipUrlSync": False},
        # All jobs are those of this list: process_… of other programs must not be among them.
        variable("job", "Job", "label_values(dnstap_exporter_build_info, job)"),
        # By `up`, so that an exporter that has been down for long is there, too.
        variable("instance", "Exporter", 'label_values(up{job=~"$job"}, instance)',
                 everything=".*"),
        variable("server", "Server", f"label_values({expand(known + '{E}')}, server)",
                 everything=".*"),
    ]
    if identifier == "dnstap-overview":
        result.append(ROLE)
    if identifier == "dnstap-suspicious":
        result += [{"name": name, "label": label, "type": "textbox", "query": ".*", "hide": 0,
                    "current": {"text": ".*", "value": ".*"}, "skipUrlSync": False,
                    "options": [{"selected": True, "text": ".*", "value": ".*"}]}
                   for name, label in (("client", "Client"), ("domain", "Domain"))]
    return result


# Its values are fixed: a query of an empty time range would put All in the place of the choice.
ASKED_ROLES = ("client", "auth")
ROLES = (*ASKED_ROLES, "resolver", "forwarder", "stub", "tool", "update")
ROLE = {"name": "role", "label": "Role", "type": "custom", "query": ",".join(ROLES),
        "multi": True, "includeAll": True, "allValue": ".*", "hide": 0, "skipUrlSync": False,
        "current": {"selected": True, "text": list(ASKED_ROLES), "value": list(ASKED_ROLES)},
        "options": [{"selected": role in ASKED_ROLES, "text": role, "value": role}
                    for role in ROLES]}


def annotations():
    """Findings as long as they last, starts and reloads of exporters."""
    def annotation(name, colour, expression, title, text="{{instance}}", *, moment=False):
        # moment: the series' value is the time, in milliseconds.
        return {"name": name, "enable": True, "hide": False, "iconColor": colour,
                "datasource": DATASOURCE, "expr": expand(expression), "step": "60s",
                "titleFormat": title, "textFormat": text, "tagKeys": "",
                "useValueForTime": moment}
    reload = "dnstap_exporter_config_last_reload_success_timestamp_seconds{E}"
    return [
        annotation("Findings", "red", f"max by ({FINDING}) ({DETECTIONS}) > 0", "{{detector}}",
                   "{{client}} {{domain}}"),
        annotation("Restarts", "purple", "1000 * process_start_time_seconds{E}",
                   "exporter started", moment=True),
        annotation("Reloads", "blue", f"1000 * {reload}", "configuration read", moment=True)]


def placed(rows):
    """Panels with identifiers and places: from left to right, 24 columns wide."""
    panels, identifier, y = [], 0, 0
    for title, members in rows.items():
        identifier += 1
        row = {"id": identifier, "type": "row", "title": title, "collapsed": title in COLLAPSED,
               "gridPos": {"x": 0, "y": y, "w": 24, "h": 1}, "panels": []}
        panels.append(row)
        x, y, line = 0, y + 1, 0
        for member in members:
            member = dict(member)
            width, height = member.pop("width"), member.pop("height")
            if x + width > 24:
                x, y, line = 0, y + line, 0
            identifier += 1
            member = {"id": identifier, **member,
                      "gridPos": {"x": x, "y": y, "w": width, "h": height}}
            (row["panels"] if row["collapsed"] else panels).append(member)
            x, line = x + width, max(line, height)
        y += line
    return panels


def dashboard(identifier):
    title, _ = DASHBOARDS[identifier]
    links = [{"type": "link", "title": name, "url": f"/d/{other}", "tooltip": f"Open {name}",
              "icon": "dashboard", "keepTime": True, "includeVars": True, "targetBlank": False,
              "asDropdown": False, "tags": []}
             for other, (name, _) in DASHBOARDS.items() if other != identifier]
    return {"uid": identifier, "title": title, "tags": ["dns", "dnstap"], "schemaVersion": 39,
            "version": 1, "editable": True, "graphTooltip": 1, "refresh": "30s",
            "time": {"from": "now-3h", "to": "now"}, "timepicker": {}, "timezone": "browser",
            "fiscalYearStartMonth": 0, "weekStart": "", "links": links,
            "annotations": {"list": annotations()}, "templating": {"list": variables(identifier)},
            "panels": placed(ROWS[identifier])}


def with_panel_numbers(node, numbers):
    """The same JSON, with the panel's number in each address() of a panel."""
    if isinstance(node, dict):
        return {key: with_panel_numbers(value, numbers) for key, value in node.items()}
    if isinstance(node, list):
        return [with_panel_numbers(value, numbers) for value in node]
    if not isinstance(node, str):
        return node
    return re.sub(r"^/d/([\w-]+)(\?.*&viewPanel=)<(.*)>$",
                  lambda match: f"/d/{match[1]}{match[2]}{numbers[match[1], match[3]]}", node)


def files():
    """{file name: text} of all dashboards."""
    boards = {identifier: dashboard(identifier) for identifier in DASHBOARDS}
    numbers = {(identifier, member["title"]): member["id"] for identifier, board in boards.items()
               for outer in board["panels"] for member in (outer, *outer.get("panels", ()))}
    return {file: json.dumps(with_panel_numbers(boards[identifier], numbers), indent=2,
                             ensure_ascii=False) + "\n"
            for identifier, (_, file) in DASHBOARDS.items()}


def main():
    folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent)
    for name, text in files().items():
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
