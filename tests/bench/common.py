# SPDX-License-Identifier: Apache-2.0
"""What the benchmarks share: captures to send, receivers to send to, and their CPU time.

Everything to compare runs in turn in the same round, and a ratio is of one round: the machine's other
users slow both sides. Environment: DNSTAP_EXPORTER, DNSTAP_BENCH (folder of the benchmarks' programs),
BENCH_DATA (folder for what they make), BENCH_ROUNDS (how many rounds; each has its default).
"""

import os
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))
from exporter import Exporter, free_port, wait_until  # noqa: E402

TOP = pathlib.Path(__file__).resolve().parents[2]
PROGRAMS = pathlib.Path(os.environ["DNSTAP_BENCH"])
DATA = pathlib.Path(os.environ["BENCH_DATA"])
SENDER_CPU, RECEIVER_CPU = 0, 1  # two cores are enough for every benchmark

INPUTS = """
inputs:
  - name: unix
    unix: "{{dir}}/dnstap.sock"
  - name: tcp
    tcp: "127.0.0.1:{port}"
workers: {workers}
"""


def rounds(default):
    return int(os.environ.get("BENCH_ROUNDS", default))


def pinned(cpu):
    """What a child does before it runs: stay on one core (None: on any)."""
    return (lambda: os.sched_setaffinity(0, {cpu})) if cpu is not None else None


def zipf(frames=1_000_000):
    """A file of frames, made once: five minutes of a million names and 100,000 clients by Zipf's law
    (exponent 1.0), 5 % NXDOMAIN."""
    path = DATA / f"zipf-{frames}.fstrm"
    if not path.exists():
        with open(path, "wb") as file:
            subprocess.run([PROGRAMS / "flood", f"--frames={frames}", "--zipf=1.0",
                            "--names=1000000", "--clients=100000", "--nxdomain=5", "-"],
                           stdout=file, stderr=subprocess.DEVNULL, check=True)
    return path


def recorded(name):
    """A capture of a real server, of some 5,000 frames."""
    return TOP / "tests/captures" / f"{name}.fstrm"


def cpu_seconds(pid):
    """User and system time of all threads so far."""
    tasks = pathlib.Path("/proc", str(pid), "task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


class Ours:
    """The exporter with everything on."""

    def __init__(self, workers=1, cpu=RECEIVER_CPU):
        self.port = free_port()
        self.exporter = Exporter(INPUTS.format(port=self.port, workers=workers))
        self.cpu = cpu

    def __enter__(self):
        self.exporter.__enter__()
        self.socket, self.pid = self.exporter.socket, self.exporter.process.pid
        if self.cpu is not None:
            for task in pathlib.Path("/proc", str(self.pid), "task").iterdir():
                os.sched_setaffinity(int(task.name), {self.cpu})
        return self

    def __exit__(self, *failure):
        self.exporter.__exit__(*failure)


class Drain:
    """The receiver that only drains, a unix socket or TCP."""

    def __init__(self, tcp=False, cpu=RECEIVER_CPU):
        self.port = free_port() if tcp else None
        self.cpu = cpu

    def __enter__(self):
        self.dir = tempfile.TemporaryDirectory()
        os.chmod(self.dir.name, 0o755)
        self.socket = os.path.join(self.dir.name, "drain.sock")
        target = f"127.0.0.1:{self.port}" if self.port else self.socket
        self.log = open(os.path.join(self.dir.name, "log"), "w+", encoding="ascii")
        self.process = subprocess.Popen([PROGRAMS / "drain", target], stdout=self.log,
                                        preexec_fn=pinned(self.cpu))
        self.pid = self.process.pid
        wait_until(self.listens, what="drain")
        return self

    def listens(self):
        if not self.port:
            return os.path.exists(self.socket)
        with open("/proc/net/tcp", encoding="ascii") as table:
            return f"0100007F:{self.port:04X} 00000000:0000 0A" in table.read()

    def frames(self):
        """Frames of each connection that has ended, in the order of their ends."""
        self.log.seek(0)
        return [int(count) for count in re.findall(r"frames=(\d+)", self.log.read())]

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
        self.log.close()
        self.dir.cleanup()


class Sent:
    """What one run of the sender cost the receiver."""

    def __init__(self, frames, seconds, cpu):
        self.speed = frames / seconds
        self.cpu_ns = cpu / frames * 1e9
        self.load = cpu / seconds


def replay(receiver, path, *options, tcp=False, cpu=SENDER_CPU):
    """Send a capture and wait until it has been read."""
    target = f"127.0.0.1:{receiver.port}" if tcp else receiver.socket
    before = cpu_seconds(receiver.pid)
    done = subprocess.run([PROGRAMS / "replay", *options, path, target], check=True, timeout=300,
                          stderr=subprocess.PIPE, text=True, preexec_fn=pinned(cpu))
    cpu_used = cpu_seconds(receiver.pid) - before
    frames, seconds = re.search(r"frames=(\d+) seconds=(\S+)", done.stderr).groups()
    return Sent(int(frames), float(seconds), cpu_used)


def median(values):
    return statistics.median(values)


def spread(values):
    """How much a machine that others share blurs a figure: half the range, relative."""
    return (max(values) - min(values)) / 2 / statistics.median(values)


def table(title, columns, rows):
    """Print rows of (label, value...); values are text."""
    width = max(len(title), *(len(row[0]) for row in rows))
    print(f"{title:{width}} " + " ".join(f"{column:>12}" for column in columns))
    for label, *values in rows:
        print(f"{label:{width}} " + " ".join(f"{value:>12}" for value in values))
    print(flush=True)
