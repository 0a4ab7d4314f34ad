#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The fleet's README says of every metric how to add it up, with a query that does.

Every record of the fleet's level is told of as well, and the fleet's configurations are sound.

Usage: check_fleet.py PRINT_CATALOGUE
"""

import pathlib
import re
import subprocess
import sys

from promql_names import catalogue, records, unknown_names

TOP = pathlib.Path(__file__).resolve().parents[2]
README = TOP / "deploy/fleet/README.md"
RULES = TOP / "deploy/prometheus/dnstap.rules.yml"
CONFIGURATIONS = [TOP / f"deploy/prometheus/fleet.{name}.yml" for name in ("shard", "global")]

# How a query begins, by the word in the table. Each keeps the job, or several fleets get mixed up.
FORMS = {"sum": r"sum by \(job\b", "max": r"max by \(job\b", "min": r"min by \(job\b",
         "merge": r"histogram_quantile\(0\.99, sum by \(job\b",
         "not summed": r"(?:max by \(job\b|topk by \(job\) \(10, sum by \(job\b)"}


def rows(text):
    """[(metric, how, query)...] of the table."""
    return re.findall(r"^\| `(\w+)` \| ([\w ]+) \| `([^`]+)` \|", text, re.MULTILINE)


def complaints_about(metric, how, query, metrics):
    if how not in FORMS:
        yield f"is to be added up by {how!r}, which is none of {', '.join(FORMS)}"
    elif not re.match(FORMS[how], query):
        yield f"is said to be {how}, which its query does not do"
    if not re.search(rf"\b{metric}\b", query):
        yield "is not in its own query"
    for unknown in unknown_names(query, metrics):
        yield f"has a query that names {unknown}, which there is not"


def main():
    text = README.read_text(encoding="utf-8")
    metrics = catalogue(sys.argv[1])
    recorded = records(RULES)
    families = {name for name in metrics if not re.fullmatch(r"(\w+)_(?:bucket|sum|count)", name)
                or name.rpartition("_")[0] not in metrics}
    told = [metric for metric, _, _ in rows(text)]
    complaints = [f"{metric} is not in the table" for metric in sorted(families - set(told))]
    complaints += [f"{metric} is in the table, and no metric" for metric in told
                   if metric not in families]
    complaints += [f"{metric} is in the table twice" for metric in families
                   if told.count(metric) > 1]
    for metric, how, query in rows(text):
        complaints += [f"{metric} {complaint}" for complaint in
                       complaints_about(metric, how, query, metrics | recorded)]
    complaints += [f"{name} is not told of" for name in recorded
                   if name.startswith(("job:", "job_role:")) and f"`{name}`" not in text]
    complaints += [f"{name} is told of, and not recorded" for name in
                   sorted(set(re.findall(r"\b\w+:dnstap_\w+:\w+", text)) - recorded.keys())]
    for path in CONFIGURATIONS:
        run = subprocess.run(["promtool", "check", "config", path], check=False, text=True,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        complaints += [run.stdout] if run.returncode else []
    for complaint in complaints:
        print(complaint)
    return 1 if complaints or not told or not families else 0


if __name__ == "__main__":
    sys.exit(main())
