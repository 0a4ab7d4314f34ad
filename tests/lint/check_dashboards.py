#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The dashboards are what their generator writes, name what exists, and are whole.

Usage: check_dashboards.py PRINT_CATALOGUE
"""

import json
import pathlib
import re
import sys

from promql_names import catalogue, unknown_names

TOP = pathlib.Path(__file__).resolve().parents[2]
FOLDER = TOP / "dashboards"
sys.path.insert(0, str(FOLDER))
sys.dont_write_bytecode = True
import generate

# Made by Prometheus itself.
OF_PROMETHEUS = {"up", "ALERTS", "scrape_duration_seconds", "scrape_samples_scraped"}
VARIABLES = {"datasource", "job", "instance", "server"}
# All of Grafana's and ours that an expression may have.
KNOWN_VARIABLES = VARIABLES | {"role", "__rate_interval", "__range"}


def panels_of(dashboard):
    """Every panel, those in collapsed rows too."""
    for panel in dashboard["panels"]:
        yield panel
        yield from panel.get("panels", [])


def faults_of_expression(expression, metrics):
    for name in unknown_names(expression, metrics):
        yield f"there is no {name}"
    text = re.sub(r'"(?:[^"\\]|\\.)*"', '""', expression)
    for name in re.findall(r"([A-Za-z_:][\w:]*)\s*\{", text):
        if name not in metrics and name not in OF_PROMETHEUS:
            yield f"there is no {name}"
    for name in re.findall(r"\$\{?(\w+)", expression):
        if name not in KNOWN_VARIABLES:
            yield f"there is no variable {name}"


def faults_of_target(target, metrics):
    yield from faults_of_expression(target["expr"], metrics)
    if target["datasource"]["uid"] != "${datasource}":
        yield "a query does not use ${datasource}"
    groups = " ".join(re.findall(r"\bby \(([^)]*)\)", target["expr"]))
    labels = set(re.findall(r"\w+", groups))
    for label in re.findall(r"\{\{\s*(\w+)\s*\}\}", target["legendFormat"]):
        if label not in labels:
            yield f"a legend names {label}, which the query does not group by"


def faults_of_panel(panel, metrics):
    if not panel["title"]:
        yield "no title"
    if panel["type"] == "row":
        return
    if len(panel.get("description", "")) < 20:
        yield "no description"
    if panel.get("datasource", {}).get("uid") != "${datasource}":
        yield "does not use ${datasource}"
    if not panel["fieldConfig"]["defaults"].get("unit"):
        yield "no unit"
    if not panel["targets"]:
        yield "no query"
    for target in panel["targets"]:
        yield from faults_of_target(target, metrics)


def overlaps(panels):
    """Pairs of titles of panels that cover each other."""
    cells = {}
    for panel in panels:
        place = panel["gridPos"]
        if place["x"] + place["w"] > 24:
            yield panel["title"], "the right edge"
        for cell in ((x, y) for x in range(place["x"], place["x"] + place["w"])
                     for y in range(place["y"], place["y"] + place["h"])):
            if cell in cells:
                yield panel["title"], cells[cell]
                break
            cells[cell] = panel["title"]


def faults_of_dashboard(dashboard, others, metrics):
    variables = {variable["name"]: variable for variable in dashboard["templating"]["list"]}
    for name in VARIABLES - variables.keys():
        yield f"no variable {name}"
    for name, variable in variables.items():
        if variable["type"] == "query":
            for fault in faults_of_expression(variable["query"]["query"], metrics):
                yield f"variable {name}: {fault}"
    linked = {link["url"] for link in dashboard["links"]
              if link["keepTime"] and link["includeVars"]}
    for uid in others - linked:
        yield f"no link to {uid} that keeps time and variables"
    panels = list(panels_of(dashboard))
    if len({panel["id"] for panel in panels}) != len(panels):
        yield "two panels have the same id"
    titles = [panel["title"] for panel in panels if panel["type"] != "row"]
    if len(set(titles)) != len(titles):
        yield "two panels have the same title"
    for one, other in overlaps(dashboard["panels"]):
        yield f"{one!r} covers {other!r}"
    for panel in panels:
        for fault in faults_of_panel(panel, metrics):
            yield f"{panel['title']!r}: {fault}"
    used = json.dumps(panels)
    for name in variables:
        if not re.search(rf"\$\{{?{name}\b", used):
            yield f"variable {name} is not used"


def main():
    metrics = catalogue(sys.argv[1])
    faults = [] if metrics else ["the catalogue cannot be read"]
    generated = generate.files()
    for stray in {path.name for path in FOLDER.glob("*.json")} ^ generated.keys():
        faults.append(f"{stray}: not both there and made by dashboards/generate.py")
    for name, text in generated.items():
        path = FOLDER / name
        if path.exists() and path.read_text(encoding="utf-8") != text:
            faults.append(f"{name}: not what dashboards/generate.py writes: run it again")
        dashboard = json.loads(text)
        others = {f"/d/{uid}" for uid in generate.DASHBOARDS if uid != dashboard["uid"]}
        faults += [f"{name}: {fault}" for fault in faults_of_dashboard(dashboard, others, metrics)]
    for fault in faults:
        print(fault)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
