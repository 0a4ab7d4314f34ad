#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The tables of deploy/metrics.md are what the catalogue gives, and no page names a metric that there is not.
With --write the page gets its tables.

Usage: check_catalogue.py PRINT_CATALOGUE [--write]
"""

import json
import pathlib
import re
import subprocess
import sys

TOP = pathlib.Path(__file__).resolve().parents[2]
PAGE = TOP / "deploy/metrics.md"

BEGIN = "<!-- Generated: tests/lint/check_catalogue.py --write: {} -->\n"
END = "<!-- End of what is generated -->\n"

# The tables of the page: a metric is in the first one that its name fits. One that fits none is of the first table if
# it has a role, and of the last one otherwise.
TABLES = (
    ("queries and responses",
     r"dnstap_(quer|response_(codes|flags|outcomes)|responses_total|doh_|edns_|extended_|policy_|search_list_"
     r"|private_|answer_(records|private)|malformed_)(?!.*(bytes|only)$)"),
    ("times and sizes",
     r"dnstap_(\w+_(time_seconds|ttl_seconds|delay_seconds|size_bytes)$|un|duplicate|negative|matching_)"),
    ("what servers send", r"dnstap_(responses_only|queries_only|sampled|input_sampling_ratio)"),
    ("lists", r"dnstap_(top|distinct)_"),
    ("detection", r"dnstap_(detection|block_list)"),
    ("inputs and outputs", r"dnstap_(frame|input|connection|output|archive)"),
    ("limits", r"dnstap_(limit|expired)_"),
    ("exporter", r"dnstap_exporter_|process_"),
)

NEEDS = {"service": "Not in the output of `read`.", "process": "Not in the output of `read`.",
         "start time": "Not where `/proc/stat` is hidden.", "outputs": "Only with outputs.",
         "dialled": "Only of inputs with `connect`.", "archive": "Only with an archive.",
         "block lists": "Only with block lists.", "answers": "Only with `answers`.", "certificate": "Only with TLS."}

# Settings of DNS servers, and no metrics.
OTHER_NAMES = {"dnstap_nod_framestream_servers"}


def words(texts):
    return " ".join(f"`{text}`" for text in texts)


def table(entries):
    """The errors of lists share a row with their lists."""
    names = [entry["name"] for entry in entries]
    lines = ["| metric | type | labels | |", "|---|---|---|---|"]
    for entry in entries:
        name, error = entry["name"], entry["name"] + "_error"
        if name.removesuffix("_error") in names and name.endswith("_error"):
            continue
        said = f"{entry['help']} {NEEDS.get(entry['needs'], '')}".strip()
        shown = words([name, error] if error in names else [name])
        lines.append(f"| {shown} | {entry['type']} | {words(entry['labels'])} | {said} |".replace("  ", " "))
    return "\n".join(lines) + "\n"


def values(entries):
    """Each label that has a table of values; with its metrics where another has other values."""
    found = {}
    for entry in entries:
        for label, texts in entry["values"].items():
            found.setdefault(label, {}).setdefault(tuple(texts), []).append(entry["name"])
    lines = ["| label | of | values |", "|---|---|---|"]
    for label, sets in sorted(found.items()):
        for texts, names in sets.items():
            of = words(names) if len(sets) > 1 or len(names) == 1 else "all that have it"
            lines.append(f"| `{label}` | {of} | {words(texts)} |")
    return "\n".join(lines) + "\n"


def tables(entries):
    """{name of the table: its text}"""
    chosen = {name: [] for name, _ in TABLES}
    for entry in entries:
        fits = [name for name, pattern in TABLES if re.match(pattern, entry["name"])]
        chosen[(fits or [TABLES[0 if "role" in entry["labels"] else -1][0]])[0]].append(entry)
    return {"values of labels": values(entries)} | {name: table(rows) for name, rows in chosen.items()}


def with_tables(text, made):
    for name, content in made.items():
        begin = BEGIN.format(name)
        if text.count(begin) != 1:
            raise ValueError(f"{PAGE.name}: it needs one line {begin.strip()!r}")
        before, _, rest = text.partition(begin)
        _, end, after = rest.partition(END)
        text = before + begin + content + end + after
    return text


def unknown_names(entries):
    """(page, name) of what the pages call a metric and the catalogue does not have."""
    ours = OTHER_NAMES | {entry["name"] + suffix for entry in entries
                          for suffix in ("", *(("_bucket", "_sum", "_count") if entry["type"] == "histogram" else ()))}
    for path in [TOP / "README.md", *sorted(TOP.glob("deploy/**/*.md"))]:
        for name in sorted(set(re.findall(r"`((?:dnstap|process)_\w+)", path.read_text(encoding="utf-8"))) - ours):
            if not name.startswith("dnstap_exporter"):
                yield path.relative_to(TOP), name


def main():
    entries = json.loads(subprocess.run(sys.argv[1], capture_output=True, check=True).stdout)
    text = PAGE.read_text(encoding="utf-8")
    expected = with_tables(text, tables(entries))
    faults = [f"{page} tells of {name}, which there is not" for page, name in unknown_names(entries)]
    if text != expected and "--write" in sys.argv:
        PAGE.write_text(expected, encoding="utf-8")
        print(f"{PAGE.name}: written")
    elif text != expected:
        faults.append(f"{PAGE.name}: differs from what the catalogue gives; {pathlib.Path(__file__).name} --write "
                      "makes it so")
    print(*faults, sep="\n", end="\n" if faults else "")
    return 1 if faults or not entries else 0


if __name__ == "__main__":
    sys.exit(main())
