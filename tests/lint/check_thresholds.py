#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The health indicators of the program have the thresholds of the alerts.

Usage: check_thresholds.py PRINT_THRESHOLDS
"""

import pathlib
import re
import subprocess
import sys

from promql_names import rules

ALERTS = pathlib.Path(__file__).resolve().parents[2] / "deploy/prometheus/dnstap.alerts.yml"

# What of an alert's expression is compared with the threshold.
COMPARED = {
    "servfail": r"dnstap_servfails_per_response:ratio_rate5m\{[^}]*\}",
    "refused": r"dnstap_refused_per_response:ratio_rate5m\{[^}]*\}",
    "unanswered": r"instance_server:dnstap_unanswered_per_query:ratio_rate5m",
    "upstream_unanswered": r"dnstap_unanswered_per_query:ratio_rate5m\{[^}]*\}",
    "upstream_silent": r"instance_upstream:dnstap_unanswered_per_query:ratio",
    "upstream_failures": r"dnstap_top_upstream_unanswered:sum",
    "upstream_seconds": r"dnstap_response_time_seconds:mean",
    "upstream_time_ratio": r"dnstap_response_time_seconds:mean\s+",
    "unmatched": r"dnstap_unmatched_per_response:ratio_rate5m",
    "failures": r"dnstap_servfails:increase10m",
    "response_time_ratio": r"dnstap_response_time_seconds:p90_rate5m\s+",
    "response_time_seconds": r"dnstap_response_time_seconds:p90_rate5m",
    "rejected": r"dnstap_rejected_per_frame:ratio_rate5m",
    "ingest_delay_seconds": r"dnstap_ingest_delay_seconds:p90_rate5m",
    "certificate_seconds": r"dnstap_exporter_tls_certificate_expiry_timestamp_seconds\s*-\s*time\(\)",
}


def complaint(line, expressions):
    """What is wrong with a threshold; "" for nothing."""
    name, value, alert = line.split()
    if alert not in expressions:
        return f"there is no alert {alert}"
    if name not in COMPARED:
        return "nothing is compared"
    behind = r"\s*\*" if name.endswith("_ratio") else r"(?![\d.])"
    comparison = "<" if name == "certificate_seconds" else ">"
    found = re.search(COMPARED[name] + rf"\s*{comparison}\s*" + re.escape(value) + behind, expressions[alert])
    return "" if found else f"{alert} has another threshold than {value}: {expressions[alert]}"


def main():
    expressions = {name: expression for kind, name, expression, _ in rules(ALERTS) if kind == "alert"}
    lines = subprocess.run(sys.argv[1], check=True, capture_output=True, text=True).stdout.splitlines()
    complaints = {line: complaint(line, expressions) for line in lines}
    for line, text in complaints.items():
        if text:
            print(f"{line}: {text}")
    return 1 if any(complaints.values()) or not complaints else 0


if __name__ == "__main__":
    sys.exit(main())
