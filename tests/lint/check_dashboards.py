#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The dashboards are what their generator writes, name what exists, are whole, and fit.

Usage: check_dashboards.py PRINT_CATALOGUE

The layout is that of Grafana 12 in a window 1280 pixels wide with the menu open, as measured in its
pictures: 24 columns, 8 pixels between panels and 38 to a unit of height. The font is Inter, 14
pixels.
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
KNOWN_VARIABLES = VARIABLES | {"role", "client", "domain", "__rate_interval", "__range"}

GAP, UNIT = 8, 38
CONTENT_WIDTH = 1280 - 300 - 2 * 16  # less the menu and the margins
TITLE_MARGINS = 80  # beside a title: padding, the sign of the description, the panel's menu
WIDE, CAPITAL, LETTER, NARROW = 11, 9.5, 8, 5  # pixels of letters
TABLE_MARGINS, CELL_MARGINS, SORT_ARROW = 18, 17, 17
# A legend below a graph takes up to 35 % of what the title and the padding leave. Its rows are 23.7
# pixels high; the upper quarter of one more is empty.
PANEL_MARGINS, LEGEND_SHARE, LEGEND_ROW, LEGEND_REST = 32 + 16, 0.35, 23.7, 0.25
LEGEND_ROWS = 4  # the head, and three series
FIRST_SCREEN = 21  # units in a window of 1000 pixels, below menu, variables and links
MOST_POINTS = 200


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
    for name in re.findall(r"\$\{?([A-Za-z_]\w*)", expression):
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
    yield from faults_of_title(panel)
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
    yield from FAULTS_OF_TYPE.get(panel["type"], lambda _: ())(panel)
    if any(not target.get("instant") for target in panel["targets"]):
        if not 0 < panel.get("maxDataPoints", 0) <= MOST_POINTS:
            yield f"asks for more than {MOST_POINTS} points of a series"


def width_of(panel):
    """Pixels."""
    return panel["gridPos"]["w"] * (CONTENT_WIDTH + GAP) / 24 - GAP


def width_of_text(text):
    return sum(NARROW if letter in "fijlrtI .,:()-" else WIDE if letter in "mwDGMNOQW" else
               CAPITAL if letter.isupper() else LETTER for letter in text)


def faults_of_title(panel):
    needed = TITLE_MARGINS + width_of_text(panel["title"])
    if needed > width_of(panel):
        yield f"the title needs {needed:.0f} pixels of {width_of(panel):.0f}"


def greys_what_is_missing(mappings):
    return any(mapping["type"] == "special" and mapping["options"]["match"] == "null+nan"
               and mapping["options"]["result"]["color"] == generate.GREY for mapping in mappings)


def faults_of_tile(panel):
    if not all(target.get("instant") and not target["range"] for target in panel["targets"]):
        yield "a tile that is not of this moment"
    if not greys_what_is_missing(panel["fieldConfig"]["defaults"]["mappings"]):
        yield "no data is not grey"


def faults_of_table(panel):
    overrides = {override["matcher"]["options"]: {
        item["id"]: item["value"] for item in override["properties"]}
        for override in panel["fieldConfig"]["overrides"]}
    organize, = (step["options"] for step in panel["transformations"] if step["id"] == "organize")
    headings = {heading for name, heading in organize["renameByName"].items()
                if not organize["excludeByName"].get(name)}
    if headings != overrides.keys():
        yield "its columns are not those that are set"
    widths = {heading: values.get("custom.width", values.get("custom.minWidth"))
              for heading, values in overrides.items()}
    if None in widths.values() or all("custom.width" in values for values in overrides.values()):
        yield "not all of its columns have a width, or none takes the rest"
        return
    needed = TABLE_MARGINS + sum(widths.values())
    if needed > width_of(panel):
        yield f"the columns need {needed} pixels of {width_of(panel):.0f}"
    ordered = {column["displayName"] for column in panel["options"]["sortBy"]}
    for heading in ordered - headings:
        yield f"is sorted by {heading}, which it does not have"
    defaults = panel["fieldConfig"]["defaults"]["mappings"]
    for heading, values in overrides.items():
        mappings = values.get("mappings", defaults)
        if not greys_what_is_missing(mappings):
            yield f"{heading}: no data is not grey"
        texts = [result["text"] for mapping in mappings if mapping["type"] == "value"
                 for result in mapping["options"].values()]
        needed = CELL_MARGINS + max(width_of_text(heading) + SORT_ARROW * (heading in ordered),
                                    *map(width_of_text, texts), 0)
        if needed > widths[heading]:
            yield f"{heading}: its words need {needed:.0f} pixels"


def faults_of_graph(panel):
    legend = panel["options"]["legend"]
    height = panel["gridPos"]["h"] * UNIT - GAP - PANEL_MARGINS
    rows = LEGEND_SHARE * height / LEGEND_ROW
    if (legend["displayMode"], legend["placement"]) != ("table", "bottom"):
        yield "its legend is no table below"
    elif rows < LEGEND_ROWS or rows % 1 > LEGEND_REST:
        yield f"its legend shows {rows:.1f} rows"
    defaults = panel["fieldConfig"]["defaults"]
    if not defaults["custom"].get("axisSoftMax"):
        yield "its axis has no least maximum: of zeros it goes to 100"
    if defaults["color"]["mode"] != "palette-classic":
        yield "its colours do not tell series apart"


FAULTS_OF_TYPE = {"stat": faults_of_tile, "table": faults_of_table, "timeseries": faults_of_graph}


def links_of(panel):
    """The addresses that a panel leads to."""
    fields = panel.get("fieldConfig", {"defaults": {}, "overrides": []})
    yield from (link["url"] for link in fields["defaults"].get("links", ()))
    for override in fields["overrides"]:
        for item in override["properties"]:
            if item["id"] == "links":
                yield from (link["url"] for link in item["value"])


def faults_of_links(panel, boards):
    """boards: {uid: {number: panel}}."""
    for url in links_of(panel):
        if not url.startswith("/d/"):
            continue
        uid, number = re.match(r"/d/([\w-]+)\?(?:.*&viewPanel=(.*))?", url).groups()
        target = boards.get(uid, {}).get(number and int(number))
        if uid not in boards or number and not target:
            yield f"there is no {url}"
        elif target and target["type"] == "timeseries":
            yield from faults_of_thresholds(panel, target)


def faults_of_thresholds(tile, graph):
    """Where both show the same, the graph has the tile's thresholds."""
    one, other = tile["fieldConfig"]["defaults"], graph["fieldConfig"]["defaults"]
    if one["unit"] == other["unit"] and "thresholds" in one and (
            one["thresholds"] != other.get("thresholds")
            or other["custom"]["thresholdsStyle"]["mode"] != "dashed"):
        yield f"its thresholds are not drawn in {graph['title']!r}"


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


def faults_of_dashboard(dashboard, boards, metrics):
    variables = {variable["name"]: variable for variable in dashboard["templating"]["list"]}
    for name in VARIABLES - variables.keys():
        yield f"no variable {name}"
    for name, variable in variables.items():
        if variable["type"] == "query":
            for fault in faults_of_expression(variable["query"]["query"], metrics):
                yield f"variable {name}: {fault}"
    linked = {link["url"] for link in dashboard["links"]
              if link["keepTime"] and link["includeVars"]}
    for uid in boards.keys() - {dashboard["uid"]}:
        if f"/d/{uid}" not in linked:
            yield f"no link to {uid} that keeps time and variables"
    for annotation in dashboard["annotations"]["list"]:
        for fault in faults_of_expression(annotation["expr"], metrics):
            yield f"annotation {annotation['name']}: {fault}"
    panels = list(panels_of(dashboard))
    if len({panel["id"] for panel in panels}) != len(panels):
        yield "two panels have the same id"
    titles = [panel["title"] for panel in panels if panel["type"] != "row"]
    if len(set(titles)) != len(titles):
        yield "two panels have the same title"
    for one, other in overlaps(dashboard["panels"]):
        yield f"{one!r} covers {other!r}"
    for panel in panels:
        for fault in (*faults_of_panel(panel, metrics), *faults_of_links(panel, boards)):
            yield f"{panel['title']!r}: {fault}"
    now, after = [panel for panel in dashboard["panels"] if panel["type"] == "row"][:2]
    if after["gridPos"]["y"] > FIRST_SCREEN:
        yield f"the row {now['title']!r} is more than the first screen"
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
    dashboards = {name: json.loads(text) for name, text in generated.items()}
    boards = {dashboard["uid"]: {panel["id"]: panel for panel in panels_of(dashboard)}
              for dashboard in dashboards.values()}
    for name, dashboard in dashboards.items():
        faults += [f"{name}: {fault}" for fault in faults_of_dashboard(dashboard, boards, metrics)]
    for fault in faults:
        print(fault)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
