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
RULE = KUBERNETES / "components/prometheus-operator/prometheusrule.yaml"
VERSION = re.compile(r"dnstap_(?:exporter|unbound):(\d[\w.]*)|image\.version=\"(.*)\""
                     r"|^(?:v|appV)ersion: (.*)", re.MULTILINE)


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
    for found in map("".join, VERSION.findall(text)):
        if found != version:
            yield f"version {found}, meson.build says {version}"


def complaints_about_compose():
    """Prometheus' configuration there, with its rules where the compose file mounts them."""
    with tempfile.TemporaryDirectory() as folder:
        config = pathlib.Path(folder, "prometheus.yml")
        config.write_bytes((TOP / "deploy/docker/prometheus.yml").read_bytes())
        pathlib.Path(folder, "rules").symlink_to(TOP / "deploy/prometheus")
        check = run("promtool", "check", "config", config)
    return [] if check.returncode == 0 else [check.stdout]


def main(exporter):
    project = (TOP / "meson.build").read_text(encoding="utf-8")
    version = re.search(r"version: '(.*)'", project)[1]
    files = [path for path in sorted((TOP / "deploy").rglob("*")) if path.is_file()]
    complaints = [f"{path.relative_to(TOP)}: {complaint}" for path in files
                  for complaint in complaints_about(path, version, exporter)]
    if run(KUBERNETES / "prometheusrule.sh").stdout != RULE.read_text(encoding="utf-8"):
        complaints.append(f"{RULE.relative_to(TOP)}: prometheusrule.sh writes another")
    complaints += complaints_about_compose()
    for complaint in complaints:
        print(complaint)
    return 1 if complaints or not files else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
