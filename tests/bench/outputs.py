#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What an output costs: none, one whose receiver only drains, one that does not read, one that is away.

CPU time is the exporter's, user and system, of all threads. All of them have one core, so that what the
output's thread takes is missing in the speed.
"""

import os
import socket
import sys
import threading

from common import TOP, Drain, Ours, median, replay, rounds, table, wait_until, zipf

sys.path.insert(0, str(TOP / "tests/integration"))
from sender import ACCEPT, CONTENT_TYPE, control  # noqa: E402

ROUNDS = rounds(5)
FRAMES = "--frames=3000000"


class Stalled:
    """A receiver that accepts and never reads."""

    def __init__(self, folder):
        self.socket = os.path.join(folder, "stalled.sock")
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.socket)
        self.listener.listen()
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        self.peer, _ = self.listener.accept()
        self.peer.recv(42)  # READY
        self.peer.sendall(control(ACCEPT, CONTENT_TYPE))


def with_output(path):
    ours = Ours()
    if path:
        ours.exporter.write_config(
            open(ours.exporter.config_path, encoding="utf-8").read()
            + f"outputs: [{{name: out, unix: {path}}}]\n")
    return ours


def main():
    with Drain() as drain:
        stalled = Stalled(drain.dir.name)
        kinds = {"none": None, "drains": drain.socket, "does not read": stalled.socket,
                 "is away": os.path.join(drain.dir.name, "nobody.sock")}
        ours = {}
        try:
            for kind, path in kinds.items():
                ours[kind] = with_output(path).__enter__()
            for kind in "drains", "does not read":
                wait_until(lambda it=ours[kind]: it.exporter.scrape().total(
                    "dnstap_output_connected") == 1, 10, kind)
            measured = [{kind: replay(it, zipf(), FRAMES) for kind, it in ours.items()}
                        for _ in range(ROUNDS)]
            dropped = {kind: it.exporter.scrape().total("dnstap_output_frames_dropped_total")
                       for kind, it in ours.items()}
            frames = {kind: it.exporter.scrape().total("dnstap_frames_total")
                      for kind, it in ours.items()}
        finally:
            for it in ours.values():
                it.__exit__(None, None, None)
    table("the output's receiver", ("CPU ns/frame", "ratio", "M frames/s", "ratio", "dropped"),
          [(kind, f"{median(one[kind].cpu_ns for one in measured):.0f}",
            f"{median(one[kind].cpu_ns / one['none'].cpu_ns for one in measured):.2f}",
            f"{median(one[kind].speed for one in measured) / 1e6:.2f}",
            f"{median(one[kind].speed / one['none'].speed for one in measured):.2f}",
            f"{dropped[kind] / frames[kind]:.0%}") for kind in kinds])


if __name__ == "__main__":
    main()
