#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The manual and the completions have every flag, and the manual every key with its default and whether it is live."""

import pathlib
import re
import sys

TOP = pathlib.Path(__file__).resolve().parents[2]
# What the configuration shows as an example only; by default there is none.
WITHOUT_DEFAULT = {
    "inputs.tcp", "inputs.owner", "inputs.group", "outputs.name", "outputs.unix", "outputs.tcp", "outputs.inputs",
}
# A list of everything that there is.
OF_ALL = {"top.lists", "distinct.counts"}


def read(path):
    return (TOP / path).read_text(encoding="utf-8")


def flags():
    return re.findall(r'^    \{"([a-z.-]+)", \w+_argument', read("src/config/command_line.c"), re.MULTILINE)


def keys():
    """Of the configuration: a key with its parents, its default (None for a mapping), whether it is live."""
    found = {}
    parents = []  # with the column where each begins
    live = False
    for line in read("config/dnstap_exporter.yml").splitlines():
        line = line.replace("# Or: ", "")
        key = re.match(r"^( *(?:# *)?(?:- )?)(\w+):(?: +(.*))?$", line)
        # Text has blanks after the colon's word.
        if key is None or ("#" in key[1] and " " in (key[3] or "")):
            live = "(live)" in line or (live and line.lstrip().startswith("#"))
            continue
        column = len(key[1].replace("# ", "", 1))
        parents = [parent for parent in parents if parent[0] < column]
        name = ".".join([parent[1] for parent in parents] + [key[2]])
        if key[3] is None:
            parents.append((column, key[2]))
        elif name not in found:
            found[name] = (key[3], live)
        # A live comment may stand above several keys that are commented out.
        live = live and "#" in key[1]
    return found


def told_keys():
    """Of the manual, in the same form; items that follow each other share a text."""
    found = {}
    waiting = {}
    for line in read("deploy/man/dnstap_exporter.yml.5").splitlines():
        item = re.match(r"^\.It Cm (\S+)( Pq live)?$", line)
        default = re.match(r"^Default: (.*)\.$", line)
        if item is not None:
            waiting[item[1]] = item[2] is not None
            continue
        for name, live in waiting.items():
            found[name] = (default[1] if default is not None else None, live)
        waiting = {}
    return found


def compare_keys():
    problems = []
    ours = keys()
    told = told_keys()
    for name, (default, live) in ours.items():
        default = "all of them" if name in OF_ALL else None if name in WITHOUT_DEFAULT else default
        expected = (default, live)
        if name not in told:
            problems.append(f"dnstap_exporter.yml.5 does not tell of {name}")
        elif told[name] != expected:
            problems.append(f"dnstap_exporter.yml.5 has {name} as {told[name]}, the configuration as {expected}")
    problems += [f"dnstap_exporter.yml.5 tells of {name}, which there is not" for name in told if name not in ours]
    return problems if ours else ["no key was found"]


def compare_flags(path, pattern):
    ours = set(flags())
    told = set(re.findall(pattern, read(path), re.MULTILINE))
    return [f"{path} does not have --{name}" for name in sorted(ours - told)] + [
        f"{path} has --{name}, which there is not" for name in sorted(told - ours)
    ] + ([] if ours else ["no flag was found"])


def main():
    problems = compare_keys()
    problems += compare_flags("deploy/man/dnstap_exporter.8", r"^\.It Fl -([a-z.-]+)")
    problems += compare_flags("deploy/completion/dnstap_exporter.bash", r"--([a-z]+[a-z.-]*)")
    problems += compare_flags("deploy/completion/_dnstap_exporter", r"--([a-z]+[a-z.-]*)")
    for problem in problems:
        print(problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
