#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The Prometheus rules are sound, pass their tests, and name only what the exporter has.

What has an instance has its namespace, too. Every alert has a severity, the texts that somebody on
call needs, a test in which it fires and one in which it does not; every record has a test.

Usage: check_rules.py PRINT_CATALOGUE
"""

import pathlib
import re
import subprocess
import sys

from promql_names import METRIC, catalogue, records, rules, unknown_names

TOP = pathlib.Path(__file__).resolve().parents[2]
RULES = [TOP / "deploy/prometheus/dnstap.rules.yml", TOP / "deploy/prometheus/dnstap.alerts.yml"]
TESTS = [TOP / f"tests/rules/dnstap.{name}.test.yml" for name in ("rules", "alerts", "days")]
ALERT_FIELDS = {"for", "severity", "summary", "description", "runbook"}


def promtool(*arguments):
    run = subprocess.run(["promtool", *map(str, arguments)], check=False, text=True,
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return [] if run.returncode == 0 else [f"promtool {arguments[0]} rules: {run.stdout}"]


def complaints_about(kind, name, expression, text, metrics, tests):
    """What is wrong with one rule."""
    for unknown in unknown_names(expression, metrics):
        yield f"names {unknown}, which there is not"
    for metric in sorted(set(re.findall(METRIC, text)) - metrics.keys()):
        yield f"tells of {metric}, which there is not"
    for labels in re.findall(r"\b(?:by|on) \(([^)]*)\)", expression):
        if "instance" in labels and "namespace" not in labels:
            yield f"has ({labels}), where pods of two namespaces may be one"
    if kind == "record":
        if not re.search(rf"expr: .*\b{name}\b", tests):
            yield "has no test"
        return
    for field in sorted(ALERT_FIELDS - set(re.findall(r"(\w+):[ \n]", text))):
        yield f"has no {field}"
    cases = re.findall(rf"alertname: {name}\n +exp_alerts:( \[\])?\n", tests)
    if "" not in cases:
        yield "has no test in which it fires"
    if " []" not in cases:
        yield "has no test in which it does not fire"


def main():
    complaints = promtool("check", "rules", *RULES) + promtool("test", "rules", *TESTS)
    metrics = catalogue(sys.argv[1]) | records(RULES[0])
    tests = "".join(path.read_text(encoding="utf-8") for path in TESTS)
    found = [rule for path in RULES for rule in rules(path)]
    for kind, name, expression, text in found:
        complaints += [f"{name} {complaint}" for complaint in
                       complaints_about(kind, name, expression, text, metrics, tests)]
    for complaint in complaints:
        print(complaint)
    return 1 if complaints or not found else 0


if __name__ == "__main__":
    sys.exit(main())
