#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Write the Grafana dashboards: dashboards/generate.py [FOLDER], by default next to this file.

Edit the tables below, never the JSON; tests/lint/check_dashboards.py compares the two.

Expressions are PromQL with abbreviations. A selector begins with its scope: {E} what an
exporter says of itself or of all its servers, {S} narrowed to $server, {R} narrowed to $server and
$role, {C} what clients ask: $server, and the roles client and auth. [I] is [$__rate_interval].

What must not be empty in quiet times goes through quiet() or share(): a panel shows 0 as long as
there is an exporter, and "No data" only where nothing is scraped.

Queries are counted through queries(), which takes responses of servers that send nothing else. A
share of queries is of the roles client and auth together: BIND logs a query as AUTH_QUERY and its
response as CLIENT_RESPONSE. A share of messages without their counterpart goes through complete(),
which leaves out the servers of which such a share means nothing.
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
    "different names": "blue", "names that do not exist": "orange", "registered domains": "purple",
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


def complete(part, whole, scope, by=""):
    """Rate by rate, of servers that send both directions and all messages; 0 without traffic."""
    states = f"dnstap_responses_only{{{scope}}} + dnstap_queries_only + dnstap_sampled > 0"
    total = "sum" + (f" by ({by}) " if by else "")
    part, whole = (f"{total}(rate({metric}{{{scope}}}[I]) unless on ({EACH}) {states})"
                   for metric in (part, whole))
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


def graph(title, description, width, unit, queries, *, stack=False, shades=None, maximum=None):
    """A time series. shades: one colour for all, where all mean the same."""
    colour = {"mode": "shades", "fixedColor": shades} if shades else {
        "mode": "palette-classic-by-name"}
    defaults = {
        "color": colour, "min": 0,
        "custom": {"drawStyle": "line", "lineWidth": 1, "fillOpacity": 60 if stack else 10,
                   "showPoints": "never", "spanNulls": False,
                   "stacking": {"mode": "normal" if stack else "none", "group": "A"}}}
    if maximum is not None:
        defaults["max"] = maximum
    options = {"legend": {"displayMode": "table", "placement": "bottom", "showLegend": True,
                          "calcs": ["lastNotNull", "max"], "sortBy": "Max", "sortDesc": True},
               "tooltip": {"mode": "multi", "sort": "desc"}}
    overrides = [] if shades else [override(name, color=fixed(colour))
                                   for name, colour in COLOURS.items()
                                   if name in names_in(title, queries)]
    return panel("timeseries", title, description, width, targets_of(queries), unit, options,
                 defaults=defaults, overrides=overrides)


# What a legend of one label can say, as far as it has a colour of its own.
LABEL_COLOURS = {
    "{{outcome}}": ("answer", "nodata", "referral", "nxdomain", "servfail", "refused", "other"),
    "{{rcode}}": ("NXDOMAIN", "SERVFAIL", "REFUSED"),
    "{{detector}}": ("nxdomain_client", "nxdomain_domain", "tunnel", "block_list", "amplification", "rebinding",
                     "none"),
    "{{flag}}": ("tc",),
}


def names_in(title, queries):
    """The series names of a graph that may have a colour of their own."""
    if isinstance(queries, str):
        raise ValueError(f"{title}: a graph's queries need legends")
    return {name for legend in queries for name in LABEL_COLOURS.get(legend, (legend,))}


def stat(title, description, unit, expression, limits=None, *, width=3, decimals=None, link=None,
         instant=False):
    """One number and its course; green, orange or red where it has limits, else blue."""
    defaults = {"min": 0, "noValue": "–",
                "color": {"mode": "thresholds"} if limits else fixed("blue")}
    if limits:
        defaults["thresholds"] = limits
    if decimals is not None:
        defaults["decimals"] = decimals
    if link:
        defaults["links"] = [{"title": f"Open {DASHBOARDS[link][0]}", "url": address(link)}]
    options = {"colorMode": "background_solid" if limits else "value",
               "graphMode": "none" if instant else "area", "justifyMode": "auto",
               "textMode": "value", "orientation": "auto",
               "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False}}
    settings = {"instant": True, "range": False} if instant else {}
    return panel("stat", title, description, width, targets_of(expression, **settings), unit,
                 options, defaults=defaults, height=4)


# Grafana's columns are 150 pixels wide; so many of them and the labels' do not fit.
MANY_COLUMNS = 6


def table(title, description, width, labels, columns, *, sort, height=9, links=None):
    """A row for each combination of labels. labels: {label: heading}; columns: {heading:
    (expression, unit, steps, "bar" or None or {value: (text, colour)})}; links: {heading of a
    label: (title, url)}."""
    targets = targets_of({heading: column[0] for heading, column in columns.items()},
                         format="table", instant=True, range=False)
    values = [f"Value #{target['refId']}" for target in targets]
    if len(columns) == 1:
        values = ["Value"]
    rename = {**labels, **dict(zip(values, columns))}
    order = {name: place for place, name in enumerate(rename)}
    overrides = []
    for heading, (_, unit, limits, cell) in columns.items():
        properties = {"unit": unit}
        if limits:
            properties |= {"thresholds": limits, "color": {"mode": "thresholds"}}
        if cell == "bar":
            properties["custom_cellOptions"] = {"type": "gauge", "mode": "basic",
                                                "valueDisplayMode": "text"}
        elif cell:
            properties["mappings"] = [{"type": "value", "options": {
                value: {"text": text, "color": colour} for value, (text, colour) in cell.items()}}]
        if limits or isinstance(cell, dict):
            properties["custom_cellOptions"] = {"type": "color-text"}
        if len(columns) > MANY_COLUMNS:
            properties["custom_width"] = 130 if isinstance(cell, dict) else 95
        overrides.append(override(heading, **properties))
    overrides += [override(heading, links=[{"title": name, "url": url}])
                  for heading, (name, url) in (links or {}).items()]
    return panel(
        "table", title, description, width, targets, "short",
        {"showHeader": True, "cellHeight": "sm", "sortBy": [{"displayName": sort, "desc": True}]},
        defaults={"color": fixed("blue"), "noValue": "–", "min": 0,
                  "custom": {"align": "auto", "filterable": False}},
        overrides=overrides, height=height,
        transformations=[
            {"id": "merge", "options": {}},
            {"id": "organize", "options": {"excludeByName": {"Time": True},
                                           "indexByName": order, "renameByName": rename}}])


def top(title, description, metric, label, heading, counted, width=8, unit="short", colour="blue"):
    """One of the exporter's lists: the most that it can be, and the least."""
    most = f"topk(20, sum by ({label}) ({metric}{{E}}))"
    least = f"sum by ({label}) ({metric}{{E}} - {metric}_error{{E}}) and {most}"
    result = table(title, description, width, {label: heading}, {
        counted: (quiet(most, label), unit, None, "bar"),
        "at least": (quiet(least, label), unit, None, None),
    }, sort=counted)
    result["fieldConfig"]["defaults"]["color"] = fixed(colour)
    return result


def heatmap(title, description, width, unit, metric, scope):
    """Cells of native histograms, or rows of classic ones, one query for both."""
    query = f"{rate(f'{metric}{{{scope}}}')} or on() {rate(f'{metric}_bucket{{{scope}}}', 'le')}"
    options = {"calculate": False, "cellGap": 0, "showValue": "never",
               "color": {"mode": "scheme", "scheme": "Blues", "scale": "exponential",
                         "exponent": 0.5, "steps": 64, "reverse": False, "fill": "dark-blue"},
               "yAxis": {"axisPlacement": "left", "unit": unit, "reverse": False},
               "cellValues": {"unit": "reqps"}, "filterValues": {"le": 1e-9},
               "rowsFrame": {"layout": "auto"}, "legend": {"show": False},
               "tooltip": {"mode": "single", "yHistogram": False, "showColorScale": True},
               "exemplars": {"color": "rgba(255,0,255,0.7)"}}
    return panel("heatmap", title, description, width,
                 targets_of({"{{le}}": query}, format="heatmap"), unit, options)


# --- The dashboards ---

# identifier: (title, file)
DASHBOARDS = {
    "dnstap-overview": ("DNS overview", "dns-overview.json"),
    "dnstap-suspicious": ("Top talkers and suspicious patterns", "suspicious.json"),
    "dnstap-exporter": ("Exporter health", "exporter-health.json"),
}


def address(identifier):
    """Of a dashboard, with the time and the variables of the one that one is at."""
    return f"/d/{identifier}?${{__url_time_range}}&${{__all_variables}}"


ALERTS = 'ALERTS{alertname=~"Dnstap.*",alertstate="firing"}'
ALERTS_STAT = (
    "Alerts firing", "Alerts of the rules in deploy/prometheus that fire now, of all exporters. "
    "Any is bad: which, says the table on the overview.",
    "short", quiet(f"count({ALERTS})"), steps(bad=1))
DOWN = (
    "Exporters down", "Exporters that Prometheus cannot scrape. While one is down nothing is known "
    "of its servers, and what they send meanwhile is lost.",
    "short", quiet('count(up{E} == 0)'), steps(bad=1))

ONE_SERVER = ("Show this server alone", "/d/dnstap-overview?${__url_time_range}"
              "&${datasource:queryparam}&${job:queryparam}&${instance:queryparam}"
              "&var-server=${__value.raw}&${role:queryparam}")


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
SENT = {"0": ("all", "green"), "1": ("responses only", "orange"), "2": ("queries only", "orange"),
        "4": ("a part", "blue"), "5": ("part of responses", "orange"),
        "6": ("part of queries", "orange")}
# Knot Resolver with log_queries=false sends each query without its message.
MALFORMED = ('sum by ({by}) (rate(dnstap_malformed_messages_total{{{scope},reason!="missing"}}[I])'
             ' or rate(dnstap_malformed_messages_total{{{scope},kind="response"}}[I]))')

OVERVIEW = {
    "Now": [
        stat(*ALERTS_STAT),
        stat(*DOWN, link="dnstap-exporter"),
        stat("Queries", "Queries a second of the chosen servers and roles. A sudden drop is as bad "
             "as a peak: clients or the dnstap stream are gone.", "reqps", queries("R")),
        stat("SERVFAIL", "Share of responses that are SERVFAIL. Some are always there, from broken "
             "zones of others; above 5 % names that work elsewhere fail here.",
             "percentunit", share(outcome("servfail"), RESPONSES), SERVFAIL_STEPS),
        stat("NXDOMAIN", "Share of responses that say that a name does not exist. 5 to 20 % is "
             "usual for a resolver; a jump is an attack, malware or a broken search domain.",
             "percentunit", share(outcome("nxdomain"), RESPONSES), NXDOMAIN_STEPS,
             link="dnstap-suspicious"),
        stat("Unanswered", "Share of queries that got no response within the matching time-out: the "
             "server drops them, or frames are lost. Without servers that send one direction only, "
             "or a part of their messages.",
             "percentunit", unanswered("R"), UNANSWERED_STEPS),
        stat("Response time, p99", "99 of 100 responses are faster, of all chosen servers and "
             "roles together. Above a second clients ask again.",
             "s", quantile(0.99, "dnstap_response_time_seconds", "R"), SLOW_STEPS),
        stat("Detections", "Findings that are active now: who, and by which detector, is behind the link.",
             "short", quiet("sum(dnstap_detections_active{E})"), steps(bad=1),
             link="dnstap-suspicious"),
    ],
    "Servers": [
        table("Servers", "One line for each server and role. Orange: worth a look. Red: above 25 % "
              "SERVFAIL, 30 % unanswered, 80 % NXDOMAIN, or two seconds. A click on the name "
              "shows that server alone. A server that does not send all of its messages has no "
              "share of unanswered queries; one that sends responses only has as many queries.",
              16, {"server": "server", "role": "role"}, {
                  "queries": (queries("R", BY), "reqps", None, None),
                  "SERVFAIL": (share(outcome("servfail"), RESPONSES, BY), "percentunit",
                               SERVFAIL_STEPS, None),
                  "NXDOMAIN": (share(outcome("nxdomain"), RESPONSES, BY), "percentunit",
                               NXDOMAIN_STEPS, None),
                  "REFUSED": (share(outcome("refused"), RESPONSES, BY), "percentunit",
                              steps(0.1, 0.5), None),
                  "unanswered": (unanswered("R", BY), "percentunit", UNANSWERED_STEPS, None),
                  "p50": (quantile(0.5, "dnstap_response_time_seconds", "R", BY), "s",
                          steps(0.2, 1), None),
                  "p99": (quantile(0.99, "dnstap_response_time_seconds", "R", BY), "s",
                          SLOW_STEPS, None),
                  "sends": (SENDS, "short", None, SENT),
              }, sort="queries", links={"server": ONE_SERVER}),
        table("Which alerts", "The alerts of deploy/prometheus that fire now, whatever is chosen "
              "above. One line “none” is good.", 8,
              {"alertname": "alert", "severity": "severity", "server": "server",
               "instance": "instance"}, {
                  "firing": (quiet(f"count by (alertname, severity, server, instance) ({ALERTS})",
                                   "alertname"), "short", steps(bad=1), None),
              }, sort="firing"),
    ],
    "Traffic": [
        graph("Queries by server", "Queries a second. A line that falls to 0 is a server that died "
              "or lost its dnstap connection; compare with the exporter's health.",
              12, "reqps", {WHO: queries("R", BY)}),
        graph("What responses amount to", "Responses a second, stacked. Green shades are fine; red "
              "and orange that grow are not. “other” is truncated, broken or other codes.",
              12, "reqps", {"{{outcome}}": rate(RESPONSES, "outcome")}, stack=True),
        graph("Query types", "The ten types asked for most, a second. Much ANY, TXT or NULL is "
              "suspicious; a flood of one type often comes from one program.",
              8, "reqps",
              {"{{qtype}}": f'topk(10, {rate("dnstap_query_types_total{R}", "qtype")})'}),
        graph("Transports", "Queries a second by transport. A rise of TCP follows truncation; a "
              "transport that falls to 0 has a dead listener or an expired certificate.",
              8, "reqps", {"{{transport}} {{family}}": queries("R", "transport, family")}),
        graph("Response codes other than NOERROR", "Responses a second by code. NXDOMAIN is "
              "ordinary in bounds, SERVFAIL is our trouble or a zone's, REFUSED is for strangers, "
              "FORMERR and NOTIMP are broken programs.",
              8, "reqps",
              {"{{rcode}}": quiet(rate('dnstap_response_codes_total{R,rcode!="NOERROR"}', "rcode"),
                                  "rcode")}),
    ],
    "Failures": [
        graph("SERVFAIL share by server", "Share of a server's responses. One server alone: its "
              "own trouble (validation, upstream, disk); all at once: a popular zone or the "
              "network.", 8, "percentunit",
              {WHO: share(outcome("servfail"), RESPONSES, BY)}, shades="red"),
        graph("NXDOMAIN share by server", "Share of a server's responses. A step up is worth a "
              "look at the suspicious patterns.", 8, "percentunit",
              {WHO: share(outcome("nxdomain"), RESPONSES, BY)}, shades="orange"),
        graph("Unanswered share by server", "Share of queries without a response in time. Of role "
              "resolver: servers out there that do not answer. Without a role, that is, client and "
              "auth together: we drop. A server that does not send all messages has no line.",
              8, "percentunit",
              {"{{server}}": unanswered("R", "server", ASKED),
               WHO: unanswered("R", BY, ASKING)}, shades="red"),
        graph("REFUSED share by server", "Share of a server's responses. Strangers who try, or an "
              "access list that shuts out our own.", 12, "percentunit",
              {WHO: share(outcome("refused"), RESPONSES, BY)}, shades="purple"),
        graph("Extended errors", "Why responses failed (RFC 8914), a second, as far as servers "
              "say so. “DNSSEC Bogus” or “Signature Expired” that rises is a broken zone or a "
              "wrong clock; “No Reachable Authority” is the network.", 12, "reqps",
              {"{{error}}": quiet(f'topk(10, {rate("dnstap_extended_errors_total{R}", "error")})',
                                  "error")}),
    ],
    "Response time": [
        graph("Response time", "Quantiles of all chosen servers and roles together. p50 that rises "
              "is a slow server, p99 alone is slow zones elsewhere.", 8, "s",
              {f"p{int(q * 100)}": quantile(q, "dnstap_response_time_seconds", "R")
               for q in (0.5, 0.95, 0.99)}),
        graph("Response time, p99 by server", "One line apart from the others is the server to "
              "look at.", 8, "s",
              {WHO: quantile(0.99, "dnstap_response_time_seconds", "R", BY)}),
        heatmap("Response times", "How many responses took how long: answers from the cache are "
                "one band, those from other servers another. The upper band that grows is a cache "
                "that does not help or an upstream that is slow.", 8, "s",
                "dnstap_response_time_seconds", "R"),
    ],
    "Our clients, or those we ask: all roles side by side, whatever is chosen": [
        graph("Queries by role", "“client” and “auth” are asked of us, “resolver” and “forwarder” "
              "are what we ask. The second near the first: the cache does not help.", 6, "reqps",
              {"{{role}}": queries("S", "role")}),
        graph("SERVFAIL share by role", "High for “resolver” first and for “client” after it: the "
              "trouble is upstream. For “client” alone: it is ours.", 6, "percentunit",
              {"{{role}}": share(outcome("servfail", "S"), "dnstap_response_outcomes_total{S}",
                                 "role")}),
        graph("Unanswered share by role", "High for “resolver”: others, or our way to them, do not "
              "answer. High for “client and auth”: we do not.", 6, "percentunit",
              {"client and auth": unanswered("S", "", ASKED),
               "{{role}}": unanswered("S", "role", ASKING)}),
        graph("Response time, p99 by role", "“client” follows “resolver”: slow servers elsewhere. "
              "“client” alone: this machine is slow.", 6, "s",
              {"{{role}}": quantile(0.99, "dnstap_response_time_seconds", "S", "role")}),
    ],
    "Protocol details": [
        graph("Query flags", "Share of queries with RD, CD, AD, EDNS or its DO bit. These change "
              "with client software only; a jump is a new crowd of clients.", 8, "percentunit",
              {"{{flag}}": share_of_each("dnstap_query_flags_total{R}",
                                         rate("dnstap_queries_total{R}"), "flag")}),
        graph("Response flags", "Share of responses with AA, TC, RA or AD. TC that rises: answers "
              "too large for UDP, or rate limiting; AD that falls: validation is off.", 8,
              "percentunit",
              {"{{flag}}": share_of_each("dnstap_response_flags_total{R}",
                                         rate("dnstap_responses_total{R}"), "flag")}),
        graph("Truncated responses by server", "Share of responses with TC: clients come back over "
              "TCP. Above a few percent look at the EDNS buffer size, or for an attack.", 8,
              "percentunit",
              {WHO: share('dnstap_response_flags_total{R,flag="tc"}', "dnstap_responses_total{R}",
                          BY)}, shades="red"),
        graph("Response size, p99 by transport", "Bytes of DNS message. Above 1232 over UDP "
              "fragments are lost.", 8, "bytes",
              {"{{transport}}": quantile(0.99, "dnstap_response_size_bytes", "R", "transport")}),
        graph("Query size, p99 by transport", "Bytes of DNS message. Large queries are cookies and "
              "padding, or data that leaves in names.", 8, "bytes",
              {"{{transport}}": quantile(0.99, "dnstap_query_size_bytes", "R", "transport")}),
        graph("EDNS options", "Messages a second that carry an option. For information; client "
              "subnet (ecs) from your own resolvers may be a privacy matter.", 8, "reqps",
              {"{{option}} {{kind}}": rate("dnstap_edns_options_total{R}", "option, kind")}),
        graph("Opcodes", "Queries a second by opcode. NOTIFY and UPDATE belong to authoritative "
              "servers only; from clients of a resolver they are probes or misconfigured hosts.",
              6, "reqps", {"{{opcode}}": rate("dnstap_query_opcodes_total{R}", "opcode")}),
        graph("Query classes other than IN", "Queries a second by class. CH asks who the server is "
              "(version.bind, id.server): monitoring, or somebody who looks for known faults.",
              6, "reqps",
              {"{{class}}": quiet(rate('dnstap_query_classes_total{R,class!="IN"}', "class"),
                                  "class")}),
        graph("DoH by HTTP version", "Queries over HTTPS, a second. “unknown”: the server does not "
              "say so in dnstap. A version that falls to 0: clients fell back.", 6, "reqps",
              {"HTTP {{http_version}}": quiet(rate("dnstap_doh_queries_total{R}", "http_version"),
                                              "http_version")}),
        graph("Malformed messages", "Messages a second whose DNS part is broken, and responses "
              "without one. A few are scanners; many are a broken program or an attack.",
              6, "reqps",
              {"{{kind}} {{reason}}": MALFORMED.format(scope="R", by="kind, reason")}),
    ],
}

ALL = ("Of all servers of the exporters, whichever are chosen, in the exporter's "
       "window (5 minutes by default). ")
NXDOMAINS = "dnstap_response_outcomes_total{C,outcome=\"nxdomain\"}"
FROM_CLIENTS = "dnstap_response_outcomes_total{C}"
# Large answers for small queries, and types that can carry anything.
ODD_QUERIES = 'dnstap_query_types_total{C,qtype=~"ANY|AXFR|DNSKEY|IXFR|NULL|RRSIG|TXT"}'

SUSPICIOUS = {
    "Now": [
        stat("DGA", "Clients that look up ever new domains that do not exist, as malware with a "
             "domain generation algorithm does. Any is worth a look.",
             "short", quiet('sum(dnstap_detections_active{E,detector="nxdomain_client"})'),
             steps(bad=1), width=3),
        stat("Random subdomains", "Domains below which ever new names are asked for that do not "
             "exist: an attack on their servers. Any is worth a look.",
             "short", quiet('sum(dnstap_detections_active{E,detector="nxdomain_domain"})'),
             steps(bad=1), width=3),
        stat("Tunnels", "Clients that send information below a domain in ever new names, and "
             "services that many clients tell something. Any is worth a look.",
             "short", quiet('sum(dnstap_detections_active{E,detector="tunnel"})'),
             steps(bad=1), width=3),
        stat("Block lists", "Clients that ask for names of a list, for each list. Any is worth a look.",
             "short", quiet('sum(dnstap_detections_active{E,detector="block_list"})'),
             steps(bad=1), width=3),
        stat("Amplification", "Networks that get large responses again and again: victims of "
             "queries with forged addresses.",
             "short", quiet('sum(dnstap_detections_active{E,detector="amplification"})'),
             steps(bad=1), width=3),
        stat("Rebinding", "Domains with a name that got a private address after a public one.",
             "short", quiet('sum(dnstap_detections_active{E,detector="rebinding"})'),
             steps(bad=1), width=3),
        stat("Began", "Detections that began in the chosen time. More than a few a day: malware "
             "in the house, or a name that belongs into detection.allow.", "short",
             quiet('round(sum(increase(dnstap_detections_total{E,detector!="new_domain"}[$__range])))'),
             steps(1, 10), width=3, instant=True),
        stat("New domains", "Registered domains that were first asked for in the chosen time. No "
             "alarm: see the log, or /api/v1/findings, for which.", "short",
             quiet('round(sum(increase(dnstap_detections_total{E,detector="new_domain"}[$__range])))'),
             width=3, instant=True),
        stat("NXDOMAIN", "Share of the responses to clients that say that a name does not exist. "
             "A jump is an attack, malware or a broken search domain.", "percentunit",
             share(NXDOMAINS, FROM_CLIENTS), NXDOMAIN_STEPS, width=8),
        stat("Names that do not exist", ALL + "Share of the different names asked for. Near 100 %: "
             "names are being made up.", "percentunit",
             quiet("sum(dnstap_distinct_nxdomain_qnames{E})"
                   " / (sum(dnstap_distinct_qnames{E}) > 0)"), steps(0.5, 0.8), width=8),
        stat("Different clients", ALL + "A client of two exporters counts twice. A jump: forged "
             "addresses, or an open resolver.", "short",
             quiet("sum(dnstap_distinct_clients{E})"), width=8),
    ],
    "Detections": [
        table("Active detections", "Who was found, and by which detector; the score is the evidence "
              "divided by what suffices. One line “none” is good. Names as examples are in the "
              "exporter's log and under /api/v1/findings. For an earlier time let the time range end "
              "then.", 14,
              {"detector": "detector", "client": "client", "domain": "domain"}, {
                  "score": (quiet("max by (detector, client, domain) (dnstap_detection_score{E})",
                                  "detector"), "short", steps(1, 3), None)},
              sort="score", height=8),
        graph("Detections that last", "By detector. Minutes are an event, hours are an infected host "
              "or a standing attack.", 10, "short",
              {"{{detector}}": quiet('sum by (detector) (dnstap_detections_active{E,detector!="new_domain"})',
                                     "detector")}),
        graph("Scores over time", "Of each client or domain while its detection is active. Who comes "
              "back every day at the same time is a program.", 24, "short",
              {"{{client}} {{domain}}": quiet(
                  "topk(20, max by (client, domain) (dnstap_detection_score{E}))", "client")}),
        graph("Queries for listed names", "A second, by block list.", 8, "reqps",
              {"{{list}}": quiet("sum by (list) (rate(dnstap_block_list_hits_total{E}[I]))",
                                 "list")}),
        graph("New domains over time", "A second, registered domains that exist and were not asked for before.", 8, "reqps",
              {"new domains": quiet(
                  'sum(rate(dnstap_detections_total{E,detector="new_domain"}[I]))')}),
        graph("Answers with private addresses", "A second, by server: hosts of your own, or of "
              "somebody who wants to reach them.", 8, "reqps",
              {"{{server}}": rate("dnstap_private_answers_total{C}", "server")}),
    ],
    "Names that do not exist": [
        graph("NXDOMAIN responses by server",
              "A second, to clients. All servers at once: an attack "
              "on a domain; one: its clients.", 12, "reqps",
              {"{{server}}": rate(NXDOMAINS, "server")}, shades="orange"),
        graph("Different names", ALL + "Names that do not exist near all names: they are being "
              "made up. Names that rise while domains do not: tunnelling or an attack below one "
              "domain.", 12, "short",
              {"different names": quiet("sum(dnstap_distinct_qnames{E})"),
               "names that do not exist": quiet("sum(dnstap_distinct_nxdomain_qnames{E})"),
               "registered domains": quiet("sum(dnstap_distinct_domains{E})")}),
        top("Clients by NXDOMAIN",
            ALL + "Clients with the most NXDOMAIN responses. One far above the rest is "
            "infected or misconfigured.", "dnstap_top_client_nxdomains", "client", "client",
            "NXDOMAIN", colour="orange"),
        top("Domains by NXDOMAIN",
            ALL + "Registered domains with the most NXDOMAIN responses. Your own search "
            "domain here is a misconfiguration, a stranger's is an attack.",
            "dnstap_top_domain_nxdomains", "domain", "domain", "NXDOMAIN", colour="orange"),
        top("Names by NXDOMAIN",
            ALL + "Query names with the most NXDOMAIN responses. One name asked for over "
            "and over is a broken program, not an attack.",
            "dnstap_top_qname_nxdomains", "qname", "name", "NXDOMAIN", colour="orange"),
        graph("Clients by NXDOMAIN over time",
              ALL + "NXDOMAIN responses of the clients with the most. A line "
              "that starts from nothing is the one to ask about.", 12, "short",
              {"{{client}}": quiet("topk(10, sum by (client) (dnstap_top_client_nxdomains{E}))",
                                   "client")}),
        graph("Domains by NXDOMAIN over time",
              ALL + "NXDOMAIN responses of the domains with the most. A line "
              "that starts from nothing is an attack or a zone that went away.", 12, "short",
              {"{{domain}}": quiet("topk(10, sum by (domain) (dnstap_top_domain_nxdomains{E}))",
                                   "domain")}),
    ],
    "Names that fail": [
        top("Domains by SERVFAIL", ALL + "Registered domains with the most SERVFAIL responses. "
            "One: that zone is broken or attacked; many: the trouble is ours.",
            "dnstap_top_domain_servfails", "domain", "domain", "SERVFAIL", 12, colour="red"),
        top("Names by SERVFAIL", ALL + "Query names with the most SERVFAIL responses: what to "
            "try by hand first.",
            "dnstap_top_qname_servfails", "qname", "name", "SERVFAIL", 12, colour="red"),
    ],
    "Who and what makes the traffic": [
        top("Clients by queries",
            ALL + "Clients with the most queries. One that makes most of the traffic "
            "is a forwarder, a loop or an attacker.",
            "dnstap_top_client_queries", "client", "client", "queries", 12),
        top("Clients by bytes", ALL + "Clients that were sent the most bytes. One that is high "
            "here and low in queries gets large answers: a victim of amplification, or data that "
            "leaves in TXT.", "dnstap_top_client_response_bytes", "client", "client", "bytes", 12,
            "bytes"),
        top("Domains by queries",
            ALL + "Registered domains with the most queries. A domain that nobody knows "
            "at the top is a tunnel or an attack.",
            "dnstap_top_domain_queries", "domain", "domain", "queries", 12),
        top("Names by queries",
            ALL + "Query names asked for most. One name far above the rest is a program "
            "that does not cache, or an amplification attack.",
            "dnstap_top_qname_queries", "qname", "name", "queries", 12),
        graph("Clients by queries over time",
              ALL + "Queries of the clients with the most. A step from "
              "nothing to the top is a loop or an attack.", 12, "short",
              {"{{client}}": quiet("topk(10, sum by (client) (dnstap_top_client_queries{E}))",
                                   "client")}),
        graph("Domains by queries over time",
              ALL + "Queries for the domains with the most. A step from "
              "nothing to the top is an event, a tunnel or an attack.", 12, "short",
              {"{{domain}}": quiet("topk(10, sum by (domain) (dnstap_top_domain_queries{E}))",
                                   "domain")}),
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
        graph("Query name size, p99", "Bytes on the wire, of what clients ask. 30 to 60 is usual; "
              "above 100 data leaves in names.", 8, "bytes",
              {"{{server}}": quantile(0.99, "dnstap_query_name_size_bytes", "C", "server")}),
        graph("REFUSED responses by server", "A second, to clients. Strangers who look for an open "
              "resolver.", 8, "reqps",
              {"{{server}}": rate(outcome("refused", "C"), "server")}, shades="purple"),
        graph("Policy actions",
              "What response policy zones (RPZ) did, a second, as far as a server "
              "says so in dnstap. Known bad names that are asked for: find the client.", 8, "reqps",
              {"{{action}} {{match}}": quiet(
                  rate("dnstap_policy_actions_total{S}", "action, match"), "action")}),
        graph("Malformed messages by server", "A second, from and to clients. Scanners send a few; "
              "a steady stream is an attack on the server's parser or a broken program.", 8,
              "reqps",
              {"{{server}} {{kind}}": MALFORMED.format(scope="C", by="server, kind")},
              shades="red"),
    ],
}

HEALTH = {
    "Now": [
        stat(*DOWN),
        stat(*ALERTS_STAT, link="dnstap-overview"),
        stat("Frames", "Frames a second that DNS servers send. 0 while servers answer: they are "
             "not connected.", "cps", rate("dnstap_frames_total{E}")),
        stat("Rejected", "Share of frames that are no usable dnstap. Any is bad: a server and the "
             "exporter do not speak the same, or a stranger writes to an input.", "percentunit",
             share("dnstap_frames_rejected_total{E}", "dnstap_frames_total{E}"),
             steps(1e-9, 0.01), decimals=2),
        stat("Unaccounted for",
             "Frames less queries, responses, rejected ones and messages of servers that left, "
             "since the start. Anything but 0 is a fault of the exporter: please report it.", "short",
             quiet("abs(sum(dnstap_frames_total{E}) - sum(dnstap_queries_total{E})"
                   " - sum(dnstap_responses_total{E}) - sum(dnstap_frames_rejected_total{E})"
                   " - sum(dnstap_expired_messages_total{E}))"),
             steps(bad=1)),
        stat("Connections", "Connections from DNS servers now. Fewer than servers: one is not "
             "connected, most often for want of the right to write to the socket.", "short",
             "sum(dnstap_connections{E})"),
        stat("Limits reached", "How often a limit of the configuration was reached in the chosen "
             "time. Above 0 something is counted under “other”, turned away or not watched: see "
             "the panel of limits.", "short",
             quiet("round(sum(increase(dnstap_limit_overflows_total{E}[$__range])))"), steps(1),
             instant=True),
        stat("Bad configuration", "Exporters whose configuration file was unsound when it was last "
             "read. They run with the one before and will not start again.", "short",
             quiet("count(dnstap_exporter_config_last_reload_successful{E} == 0)"), steps(bad=1)),
    ],
    "Exporters": [
        table("Exporters", "One line for each exporter. Bad: not up, started a moment ago although "
              "nobody restarted it, versions that differ.", 24,
              {"instance": "instance", "job": "job", "version": "version",
               "revision": "revision"}, {
                  "up": ("max by (job, instance) (up{E})", "short", None,
                         {"0": ("down", "red"), "1": ("up", "green")}),
                  "started": ("1000 * max by (job, instance) (process_start_time_seconds{E})",
                              "dateTimeFromNow", None, None),
                  "configuration": (
                      "1 - max by (job, instance) "
                      "(dnstap_exporter_config_last_reload_successful{E})",
                      "short", None, {"0": ("sound", "green"), "1": ("unsound", "red")}),
                  "sound configuration read": (
                      "1000 * max by (job, instance) "
                      "(dnstap_exporter_config_last_reload_success_timestamp_seconds{E})",
                      "dateTimeFromNow", None, None),
                  "samples in a page": ("max by (job, instance) (scrape_samples_scraped{E})",
                                        "short", None, None),
                  "build": ("max by (job, instance, version, revision) "
                            "(dnstap_exporter_build_info{E})", "short", None, None),
              }, sort="started", height=6),
    ],
    "What comes in": [
        graph("Frames by input", "A second. A line that falls to 0: its server is gone or has lost "
              "the connection.", 8, "cps",
              {"{{instance}} {{input}}": rate("dnstap_frames_total{E}", "instance, input")}),
        graph("Bytes by input",
              "A second, of the frames themselves. Grows with frames; bytes alone "
              "that grow are larger answers.", 8, "Bps",
              {"{{instance}} {{input}}": rate("dnstap_frame_bytes_total{E}", "instance, input")}),
        graph("Rejected frames", "A second, by reason. Should be 0. protobuf and not_message: "
              "something else than a DNS server writes; message_type: a newer dnstap; oversize: "
              "limits.frame_size.", 8, "cps",
              {"{{instance}} {{input}} {{reason}}": rate("dnstap_frames_rejected_total{E}",
                                                         "instance, input, reason")},
              shades="red"),
        graph("Open connections", "By input. Saw teeth: a server that reconnects again and again; "
              "0: none is connected.", 8, "short",
              {"{{instance}} {{input}}": "sum by (instance, input) (dnstap_connections{E})"}),
        graph("Connections that end", "A second, by reason. finish, eof and shutdown are ordinary; "
              "the others are wrong clients, time-outs or the limit.", 8, "cps",
              {"{{input}} {{reason}}": rate("dnstap_connections_closed_total{E}",
                                            "input, reason")}),
        graph("Ingest delay", "From a message's own time to its arrival, by input. A second or two "
              "is usual of idle servers; more is a busy server, a wrong clock, or an exporter that "
              "does not keep up.", 8, "s",
              {f"{{{{instance}}}} {{{{input}}}} p{int(q * 100)}":
               quantile(q, "dnstap_ingest_delay_seconds", "E", "instance, input")
               for q in (0.5, 0.99)}),
    ],
    "What is matched": [
        graph("Responses without a query", "Share of responses for which no query was found. Some "
              "after a start; else frames are lost, or the table is too small. A server that does "
              "not send all of its messages has no line.", 8, "percentunit",
              {WHO: complete("dnstap_unmatched_responses_total", "dnstap_responses_total", "S",
                             BY)}),
        graph("Queries without a response",
              "Share of queries that ran into matching.timeout, by server for client and auth "
              "together. A server that does not send all of its messages has no line.",
              8, "percentunit",
              {"{{server}}": unanswered("S", "server", ASKED),
               WHO: unanswered("S", BY, ASKING)}),
        graph("Duplicate responses",
              "A second: further responses to a query within two seconds. Unbound sends them "
              "when it serves an expired answer first (serve-expired); otherwise two servers share "
              "an identity.", 8, "cps",
              {WHO: rate("dnstap_duplicate_responses_total{S}", BY)}),
        graph("Responses before their query",
              "A second. Should be 0: a clock that was set back, or "
              "two servers of one identity.", 8, "cps",
              {WHO: rate("dnstap_negative_response_times_total{S}", BY)}),
        graph("Evicted from the matching table",
              "A second. Should be 0: raise matching.capacity, or "
              "a server logs queries only.", 8, "cps",
              {"{{instance}}": rate("dnstap_matching_evictions_total{E}", "instance")}),
        table("Sampling", "Inputs whose servers send one in N messages, as the key sampling says. "
              "Their rates times N estimate the traffic. One line “none”: no input is sampled.", 8, {"instance": "instance", "input": "input"}, {
                  "one in": (quiet(
                      "1 / (min by (instance, input) (dnstap_input_sampling_ratio{E}) < 1)",
                      "input"), "short", None, None),
              }, sort="one in", height=8),
    ],
    "Limits": [
        graph("Limits reached by limit",
              "A second, by limit. Should be 0. servers, qtypes, rcodes and "
              "info_codes: counted under “other”; connections: turned away; detection_…: not "
              "watched, under an attack with many addresses.", 8, "cps",
              {"{{instance}} {{limit}}": rate("dnstap_limit_overflows_total{E}",
                                              "instance, limit")}),
        graph("Keys that lists let go of", "A second, by list. Usual with many clients and names; "
              "the lists stay right for whoever makes more than a thousandth.", 8, "cps",
              {"{{list}}": quiet(rate("dnstap_top_evictions_total{E}", "list"), "list")}),
        graph("Messages of servers that left", "Queries and responses, a second, whose series "
              "ended because a new server took the server's place. Usual where pods come and go; "
              "otherwise somebody makes identities up.", 8, "cps",
              {"{{instance}}": rate("dnstap_expired_messages_total{E}", "instance")}),
    ],
    "The process": [
        graph("CPU", "Cores in use. Near the number of workers: it does not keep up.", 8, "short",
              {"{{instance}}": rate("process_cpu_seconds_total{E}", "instance")}),
        graph("Memory", "Resident. Taken at the start and level after that; steady growth is a "
              "leak: please report it.", 8, "bytes",
              {"{{instance}}": "max by (instance) (process_resident_memory_bytes{E})"}),
        graph("File descriptors", "Share of those that may be open. Near 100 % no DNS server can "
              "connect.", 8, "percentunit",
              {"{{instance}}": "max by (instance) (process_open_fds{E} / process_max_fds{E})"}),
        graph("Time for a page", "What the exporter needs to make a page, and what Prometheus "
              "waits for it. Near the scrape time-out pages are lost.", 8, "s",
              {"{{instance}} {{format}}": "max by (instance, format) "
                                          "(dnstap_exporter_scrape_duration_seconds{E})",
               "{{instance}} Prometheus": "max by (instance) (scrape_duration_seconds{E})"}),
        graph("Pages", "A second, by format. More than your Prometheus asks for: somebody else "
              "does.", 8, "cps",
              {"{{instance}} {{format}}": rate("dnstap_exporter_scrapes_total{E}",
                                               "instance, format")}),
        graph("Samples in a page", "What Prometheus stores of each scrape. Grows with servers, "
              "roles and types only; a steady rise is somebody who makes up identities.", 8,
              "short", {"{{instance}}": "max by (instance) (scrape_samples_scraped{E})"}),
    ],
}

ROWS = {"dnstap-overview": OVERVIEW, "dnstap-suspicious": SUSPICIOUS, "dnstap-exporter": HEALTH}
COLLAPSED = {"Protocol details"}


# --- From tables to JSON ---

def variable(name, label, query, *, everything=None, chosen=()):
    """A choice of label values. everything: what All stands for; None: every value in the list."""
    current = {"selected": True, "text": list(chosen), "value": list(chosen)} if chosen else {
        "selected": True, "text": ["All"], "value": ["$__all"]}
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
        result.append(variable("role", "Role", f"label_values({expand(known + '{S}')}, role)",
                               everything=".*", chosen=("client", "auth")))
    return result


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
            "annotations": {"list": []}, "templating": {"list": variables(identifier)},
            "panels": placed(ROWS[identifier])}


def files():
    """{file name: text} of all dashboards."""
    return {file: json.dumps(dashboard(identifier), indent=2, ensure_ascii=False) + "\n"
            for identifier, (_, file) in DASHBOARDS.items()}


def main():
    folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent)
    for name, text in files().items():
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
