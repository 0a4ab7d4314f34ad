#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""README is short and in its order, links lead somewhere, and all examples name things alike.

Usage: check_pages.py
"""

import pathlib
import re
import sys

TOP = pathlib.Path(__file__).resolve().parents[2]

# --- README

README_WORDS = 1200
README_SECTIONS = ["Quick start", "A DNS server", "Prometheus", "Dashboards and alerts", "Pages", "Security",
                   "Licence"]
README_FEATURES = 10
README_WAYS = ["**Package**", "**Container**", "**Source**", "deploy/run.sh ", "tests/run.sh "]


def readme_complaints(text):
    count = len(text.split())
    if count > README_WORDS:
        yield f"{count} words, of at most {README_WORDS}"
    if re.findall(r"^## (.*)$", text, re.MULTILINE) != README_SECTIONS:
        yield f"its sections are not {', '.join(README_SECTIONS)}"
    # A heading, a sentence, a picture, the features.
    if not (head := re.match(r"# .*\n\n(Prometheus exporter for (?:.+\n)+)\n!\[.+\]\(.+\.png\)\n\n((?:- .+\n)+)\n## ", text)):
        yield "it does not begin with a sentence, the picture and one line for each feature"
    elif head[1].count(". ") or head[2].count("\n") != README_FEATURES:
        yield f"it does not begin with one sentence and {README_FEATURES} lines of features"
    places = [text.find(way) for way in README_WAYS]
    if -1 in places or places != sorted(places):
        yield f"its quick start does not have, in this order, {', '.join(README_WAYS)}"
    for page in sorted([*TOP.glob("deploy/*.md"), *TOP.glob("deploy/*/README.md")]):
        if f"({page.relative_to(TOP)})" not in text:
            yield f"it has no link to {page.relative_to(TOP)}"


# --- Links

def without_code(text):
    return re.sub(r"`[^`\n]*`", "`code`", re.sub(r"^ *```.*?^ *```$", "", text, flags=re.DOTALL | re.MULTILINE))


def anchors(text):
    """As GitHub makes them: of the same headings the second ends in -1."""
    found = []
    for heading in re.findall(r"^#+ (.*)$", re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE),
                              re.MULTILINE):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        slug = re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")
        found.append(f"{slug}-{found.count(slug)}" if slug in found else slug)
    return found


def link_complaints(path, text):
    for target in re.findall(r"\]\(([^)\s]+)\)", without_code(text)):
        if re.match(r"\w+:", target):
            continue
        name, _, anchor = target.partition("#")
        place = (path.parent / name).resolve() if name else path
        if not place.exists():
            yield f"a link to {target}, which there is not"
        elif anchor and (place.suffix != ".md" or anchor not in anchors(place.read_text(encoding="utf-8"))):
            yield f"a link to {target}: there is no such heading"


# --- Names in examples

# An input and its socket are named after the group of its server, as systemd's sockets are. The only input of a
# machine or pod may be the built-in one.
GROUPS = ["unbound", "bind", "knot", "nsd", "knot-resolver", "_dnsdist", "pdns"]
NO_GROUP = "coredns"  # has no package, and so no usual group
SOCKETS = {"dnstap", "*", "%i", "GROUP", NO_GROUP, *GROUPS}
OTHER_SOCKETS = {"/run/archive/dnstap.sock"}
CONFIGURATIONS = {"/etc/dnstap_exporter/dnstap_exporter.yml", "/dnstap_exporter.yml"}  # the second in containers
PORTS = {"9353": "pages", "6000": "dnstap", "9090": "Prometheus", "9093": "Alertmanager", "3000": "Grafana",
         "5353": "the Unbound of deploy/docker"}
JOBS = {"dnstap", "fleet", "prometheus"}

EXAMPLES = ("README.md", "config/*", "deploy/*.md", "deploy/*/*", "deploy/kubernetes/**/*", "deploy/helm/**/*")


def name_complaints(text):
    text = re.sub(r" Ns (?:Ar|Pa) | Ns$", "", text, flags=re.MULTILINE).replace("/group", "/GROUP")  # mdoc
    for path, name in re.findall(r"(?<![\w.}])((?:/[\w%@*.-]+)*/([\w%@*-]+)\.sock)\b(?!et)", text):
        if path not in OTHER_SOCKETS and not (path.startswith("/run/dnstap_exporter/") and name in SOCKETS):
            yield f"the socket {path}"
    for name, socket, group in re.findall(
            r"name: ([\w-]+), *unix: /run/dnstap_exporter/([\w-]+)\.sock(?:, *group: ([\w-]+))?", text):
        if (name, socket) != ("unix", "dnstap") and name != socket:
            yield f"the input {name} with the socket {socket}.sock"
        if group and name not in (group, NO_GROUP):
            yield f"the input {name} with the group {group}"
    for path in re.findall(r"(?<![\w.}@*$\"])(?:/[\w.-]+)*/dnstap_exporter\.yml", text):
        if path not in CONFIGURATIONS:
            yield f"the configuration {path}"
    for port in re.findall(r"(?:localhost|127\.0\.0\.1|192\.0\.2\.\d+|[a-z0-9]+\.example)[:@](\d+)", text):
        if port not in PORTS:
            yield f"the port {port}"
    for job in re.findall(r"job_name: (\S+)", text):
        if job not in JOBS:
            yield f"the job {job}"
    for unit in re.findall(r"\bdnstap-exporter[\w@-]*\.(?:service|socket)\b", text):
        yield f"the unit {unit}"


def main():
    complaints = []
    pages = [path for path in sorted(TOP.rglob("*.md")) if not path.relative_to(TOP).parts[0].startswith("build")]
    for path in pages:
        complaints += [(path, complaint) for complaint in link_complaints(path, path.read_text(encoding="utf-8"))]
    examples = sorted({path for pattern in EXAMPLES for path in TOP.glob(pattern) if path.is_file()
                       and path.suffix != ".png"})
    for path in examples:
        complaints += [(path, f"{complaint} has another name elsewhere")
                       for complaint in name_complaints(path.read_text(encoding="utf-8"))]
    readme = TOP / "README.md"
    complaints += [(readme, complaint) for complaint in readme_complaints(readme.read_text(encoding="utf-8"))]
    for path, complaint in complaints:
        print(f"{path.relative_to(TOP)}: {complaint}")
    return 1 if complaints or len(pages) < 20 or len(examples) < 50 else 0


if __name__ == "__main__":
    sys.exit(main())
