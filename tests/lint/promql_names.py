# SPDX-License-Identifier: Apache-2.0
"""Which metrics there are, and which a PromQL expression names. Shared by the checks of rules and dashboards."""

import json
import re
import subprocess

PROMETHEUS_LABELS = {"job", "instance", "namespace"}

METRIC = r"\b(?:(?:dnstap|process)_\w+|\w+:\w+:\w+)"


def catalogue(program):
    """{metric: set of labels} of what print_catalogue prints; a histogram also as _bucket, _sum and
    _count."""
    entries = json.loads(subprocess.run([program], capture_output=True, check=True).stdout)
    metrics = {}
    for entry in entries:
        name, labels = entry["name"], PROMETHEUS_LABELS | set(entry["labels"])
        metrics[name] = labels
        if entry["type"] == "histogram":
            metrics[name + "_sum"] = metrics[name + "_count"] = labels
            metrics[name + "_bucket"] = labels | {"le"}
    return metrics


def rules(path):
    """[(kind, name, expression, all of its text)...] of a rule file; kind is record or alert."""
    with open(path, encoding="utf-8") as file:
        items = re.split(r"^( *)- (record|alert): (\S+)\n", file.read(), flags=re.MULTILINE)[1:]
    found = []
    for indent, kind, name, text in zip(*[iter(items)] * 4):
        text = re.split(rf"\n(?!{indent}  |\n|$)", text)[0] + "\n"
        expression = re.search(rf"^{indent}  expr: (?:\|\n((?:{indent}    .*\n)+)|(.*)\n)", text,
                               re.MULTILINE)
        found.append((kind, name, (expression[1] or expression[2]).strip(), text))
    return found


def records(path):
    """{record: set of labels} of a rule file. The first part of a record's name lists its labels, but for
    the job, and the namespace that an instance may be in."""
    levels = {name: {"job", *name.split(":")[0].split("_")}
              for kind, name, _, _ in rules(path) if kind == "record"}
    return {name: labels | PROMETHEUS_LABELS if "instance" in labels else labels
            for name, labels in levels.items()}


def names_of(expression):
    """{(metric, label or None)...}: each metric with None and with each label that it is selected or grouped
    by. A label that two sides are matched by (on, ignoring, group_left) has no metric: ("", label).
    """
    text = re.sub(r'"(?:[^"\\]|\\.)*"|\'[^\']*\'', '""', expression)
    names = {(metric, None) for metric in re.findall(METRIC, text)}
    for metric, matchers in re.findall(rf"({METRIC})\s*{{([^}}]*)}}", text):
        names |= {(metric, label) for label in re.findall(r"(\w+)\s*[=!]", matchers)}
    for group in re.finditer(r"\b(?:by|without)\s*\(([^)]*)\)", text):
        # What only chooses among the series of another metric is not grouped.
        grouped = re.sub(rf"\b(?:and|unless)\s+on\s*\([^)]*\)\s*{METRIC}", "", _aggregated(text, group))
        metrics = re.findall(METRIC, grouped)
        names |= {(metric, label) for label in re.findall(r"\w+", group[1]) for metric in metrics}
    for labels in re.findall(r"\b(?:on|ignoring|group_left|group_right)\s*\(([^)]*)\)", text):
        names |= {("", label) for label in re.findall(r"\w+", labels)}
    for metric, label in re.findall(rf"\blabel_values\(\s*({METRIC}).*,\s*(\w+)\s*\)", text):
        names.add((metric, label))
    return names


def _aggregated(text, group):
    """What is within the parentheses after `sum by (x)`, or before `by (x)`."""
    after = text[group.end():].lstrip()
    if after.startswith("("):
        return _parenthesis(after, "(", ")")
    return _parenthesis(text[:group.start()].rstrip()[::-1], ")", "(")[::-1]


def _parenthesis(text, opening, closing):
    depth = 0
    for position, character in enumerate(text):
        depth += (character == opening) - (character == closing)
        if depth == 0:
            return text[:position + 1]
    return text


def unknown_names(expression, metrics):
    """What an expression names that `metrics` does not have, as [text...]."""
    labels = set().union(*metrics.values())
    unknown = []
    for metric, label in sorted(names_of(expression), key=str):
        if metric and metric not in metrics:
            unknown.append(metric)
        elif label and label not in (metrics[metric] if metric else labels):
            unknown.append(f"{metric}{{{label}}}")
    return sorted(set(unknown))
