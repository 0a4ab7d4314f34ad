#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""README's table of metrics and the catalogue name the same metrics.

Usage: check_catalogue.py PRINT_CATALOGUE
"""

import json
import pathlib
import re
import subprocess
import sys

TOP = pathlib.Path(__file__).resolve().parents[2]


def main():
    readme = (TOP / "README.md").read_text(encoding="utf-8")
    entries = json.loads(subprocess.run(sys.argv[1], capture_output=True, check=True).stdout)
    ours = {entry["name"] for entry in entries}
    told = set(re.findall(r"`((?:dnstap|process)_\w+)`", readme))
    missing = sorted(ours - told)
    unknown = sorted(name for name in told - ours if not name.startswith("dnstap_exporter"))
    for name in missing:
        print(f"README.md does not tell of {name}")
    for name in unknown:
        print(f"README.md tells of {name}, which there is not")
    return 1 if missing or unknown or not ours else 0


if __name__ == "__main__":
    sys.exit(main())
