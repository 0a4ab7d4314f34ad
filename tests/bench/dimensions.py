#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""CPU time of a frame through the whole program, with each dimension off and on.

`read` takes a million frames (Zipf 1.0 over names and clients, 5 % NXDOMAIN), all configurations in
turn in each round; ratios are to everything off in the same round. The file's five minutes are judged
in a third of a second, so of the detectors' share some 40 ns are what a live one spends between
frames, a millisecond or two every ten seconds.
"""

import os
import pathlib
import subprocess
import tempfile

from common import median, rounds, table, zipf
from exporter import DETECTORS, detection_of

EXPORTER = os.environ["DNSTAP_EXPORTER"]
FRAMES, ROUNDS = 1_000_000, rounds(11)

KEYS = {
    "top": [f"{what}_{count}" for what in ("client", "qname", "domain")
            for count in ("queries", "nxdomains", "response_bytes" if what == "client"
                          else "servfails")]
    + [f"upstream_{count}" for count in ("queries", "unanswered", "servfails", "response_seconds")],
    "distinct": ["clients", "qnames", "nxdomain_qnames", "domains"],
    "detection": DETECTORS,
}
ON = {
    "everything off": lambda section, key: False,
    "client lists": lambda section, key: section == "top" and key.startswith("client"),
    "query name lists": lambda section, key: section == "top" and key.startswith("qname"),
    "domain lists": lambda section, key: section == "top" and key.startswith("domain"),
    "upstream server lists": lambda section, key: section == "top" and key.startswith("upstream"),
    "distinct counts": lambda section, key: section == "distinct",
    "detectors": lambda section, key: section == "detection",
    "everything on": lambda section, key: True,
}


def configuration(is_on):
    on = {section: [key for key in keys if is_on(section, key)] for section, keys in KEYS.items()}
    return (f"top: {{lists: [{', '.join(on['top'])}]}}\n"
            f"distinct: {{counts: [{', '.join(on['distinct'])}]}}\n"
            f"{detection_of(*on['detection'])}")


def cpu_ns(config, path):
    """User and system time of a frame."""
    process = subprocess.Popen([EXPORTER, "read", f"--config.file={config}", path],
                               stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    assert status == 0, status
    return (usage.ru_utime + usage.ru_stime) * 1e9 / FRAMES


def main():
    with tempfile.TemporaryDirectory() as folder:
        path = zipf()
        configs = {}
        for what, is_on in ON.items():
            configs[what] = pathlib.Path(folder, what.replace(" ", "_") + ".yml")
            configs[what].write_text(configuration(is_on), encoding="utf-8")
        measured = [{what: cpu_ns(config, path) for what, config in configs.items()}
                    for _ in range(ROUNDS)]
    rows = []
    for what in ON:
        times = [one[what] for one in measured]
        ratio = median(one[what] / one["everything off"] for one in measured)
        rows.append((what, f"{median(times):.0f}", f"{min(times):.0f}", f"{ratio:.2f}"))
    table("CPU time of a frame in read, ns", ("median", "min", "ratio"), rows)


if __name__ == "__main__":
    main()
