# SPDX-License-Identifier: Apache-2.0
"""Run the exporter under test and read its pages; shared by every integration test.

The program's path comes from the environment variable DNSTAP_EXPORTER. TEST_TIME_FACTOR makes every
time limit longer, for machines that are busy. Everything listens on loopback, every process started
here is ended here, by its own pid.
"""

import errno
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

PROGRAM = os.environ.get("DNSTAP_EXPORTER", "build/dnstap_exporter")
TIME_FACTOR = float(os.environ.get("TEST_TIME_FACTOR", "1"))
PAGE_AGE = 0.26  # seconds; requests within 0.25 s may get the same page of /metrics


def limit(seconds):
    """The longest time that something may take on this machine, if an idle one needs `seconds`."""
    return seconds * TIME_FACTOR


def free_port():
    """A port that nobody uses at this moment, by UDP or TCP, on any address. It is below the ephemeral
    ports: one of those could become the local port of a connection before the server listens."""
    with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii") as ephemeral:
        first_ephemeral = int(ephemeral.read().split()[0])
    while True:
        port = random.randrange(10000, first_ephemeral)
        try:
            for kind in socket.SOCK_STREAM, socket.SOCK_DGRAM:
                with socket.socket(socket.AF_INET6, kind) as probe:
                    probe.bind(("::", port))  # both families
            return port
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise


def wait_until(condition, timeout=10.0, what="condition", since=None):
    """Poll until condition() is true and return its value; fail limit(timeout) seconds after `since`,
    which is now if not given."""
    timeout = limit(timeout)
    deadline = (time.monotonic() if since is None else since) + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"timed out after {timeout} s waiting for {what}")
        time.sleep(0.02)


def wait_until_equal(expected, found, timeout=20.0, what="counts"):
    """Poll until the dicts that expected() and found() return are equal, or show what differs."""
    def differences():
        left, right = expected(), found()
        return {key: (left.get(key, 0), right.get(key, 0)) for key in left.keys() | right.keys()
                if left.get(key, 0) != right.get(key, 0)}

    try:
        wait_until(lambda: not differences(), timeout, what)
    except AssertionError as timed_out:
        lines = [f"{key}: expected {left}, found {right}"
                 for key, (left, right) in differences().items()]
        raise AssertionError("\n".join([str(timed_out), *sorted(lines)])) from None


SAMPLE = re.compile(r'^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$')
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\\\|\\"|\\n)*)"(?:,|$)')


def unescape(value):
    return re.sub(r'\\(.)', lambda m: {"n": "\n"}.get(m.group(1), m.group(1)), value)


class Page:
    """A parsed text exposition: samples as {(name, frozenset of label pairs): float}."""

    def __init__(self, text):
        self.text = text
        self.samples = {}
        for line in text.split("\n"):
            if not line or line.startswith("#"):
                continue
            match = SAMPLE.match(line)
            assert match, f"not a sample: {line!r}"
            name, labels, value = match.groups()
            pairs = LABEL.findall(labels or "")
            rebuilt = ",".join(f'{k}="{v}"' for k, v in pairs)
            assert rebuilt == (labels or "").rstrip(","), f"bad labels: {line!r}"
            key = (name, frozenset((k, unescape(v)) for k, v in pairs))
            assert key not in self.samples, f"duplicate series: {line!r}"
            self.samples[key] = float(value)

    def select(self, metric, **labels):
        """[(labels as dict, value)] of every series of the metric that has these labels."""
        wanted = set(labels.items())
        return [(dict(pairs), value) for (found, pairs), value in self.samples.items()
                if found == metric and wanted <= pairs]

    def total(self, metric, **labels):
        """Sum over the matching series; 0 where there is none."""
        return sum(value for _, value in self.select(metric, **labels))

    def by(self, label, metric, **labels):
        """{value of label: sum} over the matching series, zeros left out."""
        sums = {}
        for pairs, value in self.select(metric, **labels):
            if value:
                sums[pairs[label]] = sums.get(pairs[label], 0) + value
        return sums

    def check_conservation(self):
        """Frames = queries + responses + rejected + expired, exactly."""
        frames = self.total("dnstap_frames_total")
        counted = (self.total("dnstap_queries_total") + self.total("dnstap_responses_total")
                   + self.total("dnstap_frames_rejected_total")
                   + self.total("dnstap_expired_messages_total"))
        assert frames == counted, f"{frames} frames but {counted} accounted for"


DETECTORS = ("nxdomain_domain", "nxdomain_client", "tunnel", "amplification", "rebinding", "new_domain", "block_list")


def detection_of(*names):
    """The section of a configuration that leaves these detectors on."""
    return "detection: {" + ", ".join(f"{name}: {{enabled: {str(name in names).lower()}}}" for name in DETECTORS) + "}\n"


class Exporter:
    """One running exporter with a unix socket (and what the given configuration adds).

    config: text of a configuration file, or None for flags only; {dir} in it is replaced by the
    private folder, {web} by the web address. before: words of a command that runs the program, such
    as one that gives it other mounts. Use as a context manager.
    """

    def __init__(self, config=None, flags=(), env=None, before=()):
        self.before = before
        self.dir = tempfile.mkdtemp(prefix="dnstap_exporter_test.")
        os.chmod(self.dir, 0o755)  # DNS servers that drop root must reach the socket
        self.socket = os.path.join(self.dir, "dnstap.sock")
        self.web = f"127.0.0.1:{free_port()}"
        self.log_path = os.path.join(self.dir, "exporter.log")
        self.config_path = os.path.join(self.dir, "exporter.yml")
        self.flags = [f"--web.listen-address={self.web}", *flags]
        if config is None:
            self.flags.append(f"--input.unix={self.socket}")
        else:
            self.write_config(config)
            self.flags.append(f"--config.file={self.config_path}")
        self.env = env
        self.program = PROGRAM
        self.may_violate = False  # the sandbox; no other test may show a call that its list lacks
        self.process = None
        self.page_seen = 0.0  # when the last answer to a request for /metrics was there

    def write_config(self, config):
        with open(self.config_path, "w", encoding="utf-8") as file:
            file.write(config.replace("{dir}", self.dir).replace("{web}", self.web))

    def start(self):
        with self.open_log() as log:
            self.process = subprocess.Popen([*self.before, self.program, *self.flags], stdout=log, stderr=log,
                                            env={**os.environ, **(self.env or {})})
        wait_until(lambda: self.ready() or self.process.poll() is not None, 20, "readiness")
        assert self.process.poll() is None, f"exporter ended early:\n{self.log()}"
        return self

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            self.discard()  # __exit__ is not called then
            raise

    def __exit__(self, *_):
        try:
            if self.process.poll() is None:
                status = self.stop()
                assert status == 0, f"exit status {status}:\n{self.log()}"
            # What sanitizers report with: address and leak, undefined behaviour.
            assert not re.search("ERROR: |runtime error: ", self.log()), self.log()
            assert self.may_violate or "the sandbox refused" not in self.log(), self.log()
        finally:
            self.discard()

    def discard(self):
        """Leave no process and no folder behind, whatever happened."""
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.dir, ignore_errors=True)

    def ready(self):
        try:
            return self.get("/-/ready")[0] == 200
        except OSError:
            return False

    def open_log(self):
        return open(self.log_path, "ab")

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def wait_for_log(self, part, count=None):
        """Until the log, which a thread of its own writes, has `part`; exactly `count` times, if given."""
        wait_until(lambda: self.log().count(part) >= (count or 1), 10, f"{part!r} in the log")
        assert count in (None, self.log().count(part)), self.log()

    def stop(self, sig=signal.SIGTERM, timeout=10):
        """Send the signal, return the exit status."""
        self.process.send_signal(sig)
        return self.wait(timeout)

    def wait(self, timeout=10):
        """Wait until the program ends by itself, return the exit status."""
        return self.process.wait(limit(timeout))

    def get(self, path, method="GET", headers=None):
        """(status, headers, body) of one request; error statuses are returned, not raised."""
        request = urllib.request.Request(f"http://{self.web}{path}", method=method,
                                         headers=headers or {})
        try:
            with urllib.request.urlopen(request, timeout=limit(10)) as response:
                return response.status, response.headers, response.read()
        except urllib.error.HTTPError as error:
            return error.code, error.headers, error.read()
        finally:
            if path.startswith("/metrics"):
                self.page_seen = time.monotonic()

    def wait_for_new_page(self):
        """Until the next request for /metrics gets a page that is made for it."""
        time.sleep(max(0, self.page_seen + PAGE_AGE - time.monotonic()))

    def wait_for_evaluation(self):
        """Until lists and detectors, which are evaluated once a second, have all that was counted."""
        def evaluations():
            return self.scrape().total("dnstap_exporter_evaluations_total")

        before = evaluations()  # one may be under way
        wait_until(lambda: evaluations() >= before + 2, 10, "two evaluations")

    def scrape(self):
        """The parsed /metrics page, made now, with the conservation law checked."""
        self.wait_for_new_page()
        status, _, body = self.get("/metrics")
        assert status == 200, status
        page = Page(body.decode("utf-8"))
        page.check_conservation()
        return page
