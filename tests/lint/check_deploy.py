#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The files of deploy/ parse, suit the exporter, and say the same where they say a thing twice.

Usage: check_deploy.py DNSTAP_EXPORTER
"""

import pathlib
import re
import subprocess
import sys
import tempfile

import yaml

TOP = pathlib.Path(__file__).resolve().parents[2]
KUBERNETES = TOP / "deploy/kubernetes"
CHART = TOP / "deploy/helm/dnstap-exporter"
RULE = KUBERNETES / "components/prometheus-operator/prometheusrule.yaml"
# An image's tag or label, a chart, a label of Kubernetes, a package.
VERSION = re.compile(r"dnstap_(?:exporter|unbound):(\d[\w.]*)|image\.version=\"(.*)\""
                     r"|^(?:v|appV)ersion: (.*)|app\.kubernetes\.io/version: \"?(\d[\w.]*)"
                     r"|name: dnstap-exporter, version: \"?(\d[\w.]*)|dnstap-exporter_(\d[\w.]*)-1", re.MULTILINE)

LABELS = {f"app.kubernetes.io/{name}"
          for name in ("name", "instance", "component", "part-of", "managed-by")}


def run(*command):
    return subprocess.run(command, check=False, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT)


def complaints_about(path, version, exporter):
    """What is wrong with one file."""
    text = path.read_text(encoding="utf-8")
    if path.suffix in (".yml", ".yaml") and path.parent.name != "templates":
        try:
            list(yaml.safe_load_all(text))
        except yaml.YAMLError as error:
            yield str(error)
    if path.name == "dnstap_exporter.yml":
        check = run(exporter, "--config.check", f"--config.file={path}")
        if check.returncode != 0:
            yield check.stdout.strip()
    others = re.findall(r"image: coredns/coredns:(\S+)",
                        (KUBERNETES / "overlays/coredns-sidecar/coredns.yaml").read_text(encoding="utf-8"))
    for found in map("".join, VERSION.findall(text)):
        if found not in (version, *others):
            yield f"version {found}, meson.build says {version}"


def complaints_about_changelogs(version):
    """The newest entry of each is of this version; what comes after it may be in "Unreleased"."""
    text = (TOP / "CHANGELOG.md").read_text(encoding="utf-8")
    newest = next((title for title in re.findall(r"^## (\S+)", text, re.MULTILINE) if title != "Unreleased"), None)
    if newest != version:
        yield f"CHANGELOG.md: the newest release is {newest}, meson.build says {version}"
    first = (TOP / "deploy/debian/changelog").read_text(encoding="utf-8").partition("\n")[0]
    if not first.startswith(f"dnstap-exporter ({version}-"):
        yield f"deploy/debian/changelog: begins with {first}, meson.build says {version}"


def complaints_about_compose():
    """Prometheus' configuration there, with its rules where the compose file mounts them."""
    with tempfile.TemporaryDirectory() as folder:
        config = pathlib.Path(folder, "prometheus.yml")
        config.write_bytes((TOP / "deploy/docker/prometheus.yml").read_bytes())
        pathlib.Path(folder, "rules").symlink_to(TOP / "deploy/prometheus")
        check = run("promtool", "check", "config", config)
    return [] if check.returncode == 0 else [check.stdout]


def labelled(path):
    """(what, its labels)... of objects, of the pods that they make, and of what kustomize makes of files."""
    for document in yaml.safe_load_all(path.read_text(encoding="utf-8")):
        for made in document.get("configMapGenerator", ()):
            if made.get("behavior") != "replace":
                yield made["name"], made.get("options", {}).get("labels", {})
        if "metadata" in document and path.name != "container.yaml":  # which is a patch
            yield document["metadata"]["name"], document["metadata"].get("labels", {})
            if "template" in document.get("spec", {}):
                yield (document["metadata"]["name"] + "'s pods",
                       document["spec"]["template"]["metadata"]["labels"])


def complaints_about_labels(version):
    """Objects without a label that all should have, and those of another version."""
    coredns = re.search(r"image: coredns/coredns:(.*)",
                        (KUBERNETES / "overlays/coredns-sidecar/coredns.yaml").read_text("utf-8"))[1]
    for path in sorted(KUBERNETES.rglob("*.yaml")):
        for what, labels in labelled(path):
            for label in sorted(LABELS - labels.keys()):
                yield f"{path.relative_to(TOP)}: {what} has no label {label}"
            of = coredns if labels.get("app.kubernetes.io/name") == "coredns" else version
            if labels.get("app.kubernetes.io/version", of) != of:
                yield f"{path.relative_to(TOP)}: the version of {what} is not {of}"


def complaints_about_identities():
    """CoreDNS' dnstap without an identity: a pod's name would be the label `server`."""
    files = [*(TOP / "deploy").rglob("Corefile"), *(TOP / "deploy").rglob("*.md"),
             CHART / "templates/NOTES.txt"]
    found = 0
    for path in files:
        for line, rest in re.findall(r"^ *(dnstap \S+ full.*)\n( *identity \S+\n)?",
                                     path.read_text(encoding="utf-8"), re.MULTILINE):
            found += 1
            if not rest and path.name != "coredns.md":
                yield f"{path.relative_to(TOP)}: no identity after {line!r}"
    if found < 6:
        yield f"only {found} times there is a line of CoreDNS' dnstap"


def leaves(values, path=()):
    """{name with dots: value} of what has no keys below."""
    if not isinstance(values, dict) or not values:
        return {".".join(path): values}
    return {name: value for key in values for name, value in leaves(values[key], (*path, key)).items()}


def complaints_about_values():
    """The README's table has every value of the chart, with its default where that is told."""
    values = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
    text = (KUBERNETES / "README.md").read_text(encoding="utf-8").partition("\n### Values\n")[2]
    told = re.findall(r"^\| `([\w.]+)` \| (?:`(.+?)` )?\|", text, re.MULTILINE)
    names = {name for name, _ in told}
    for name in leaves(values):
        if not any(name == one or name.startswith(one + ".") for one in names):
            yield f"{name} of the chart's values is not in the README's table"
    for name, default in told:
        value = values
        for key in name.split("."):
            value = value.get(key) if isinstance(value, dict) else None
        if value is None:
            yield f"{name} is in the README's table, and no value of the chart"
        elif default and yaml.safe_load(default) != value:
            yield f"{name} is {value!r} by default, and {default} in the README's table"


def main(exporter):
    project = (TOP / "meson.build").read_text(encoding="utf-8")
    version = re.search(r"version: '(.*)'", project)[1]
    files = [path for path in sorted((TOP / "deploy").rglob("*")) if path.is_file() and path.suffix != ".png"]
    complaints = [f"{path.relative_to(TOP)}: {complaint}" for path in files
                  for complaint in complaints_about(path, version, exporter)]
    if run(KUBERNETES / "prometheusrule.sh").stdout != RULE.read_text(encoding="utf-8"):
        complaints.append(f"{RULE.relative_to(TOP)}: prometheusrule.sh writes another")
    complaints += complaints_about_changelogs(version)
    complaints += complaints_about_compose()
    complaints += [*complaints_about_labels(version), *complaints_about_identities(),
                   *complaints_about_values()]
    for complaint in complaints:
        print(complaint)
    return 1 if complaints or not files else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
