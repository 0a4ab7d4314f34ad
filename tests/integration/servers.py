# SPDX-License-Identifier: Apache-2.0
"""Real DNS servers on loopback that send dnstap to the exporter, and dnsperf to ask them.

All three serve the same names, so that one list of queries fits them all: example.test is their
own, upstream.test comes from the server named as upstream (which makes resolver frames),
refused.test is refused and broken.test ends in SERVFAIL.
"""

import collections
import contextlib
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import tempfile

from exporter import wait_until

RECORDS = (
    ("@", "SOA", "ns admin 1 3600 600 86400 60"),
    ("@", "NS", "ns"),
    ("@", "MX", "10 mail"),
    ("@", "CAA", '0 issue "ca.test"'),
    ("ns", "A", "127.0.0.1"),
    ("mail", "A", "192.0.2.2"),
    ("www", "A", "192.0.2.1"),
    ("www", "AAAA", "2001:db8::1"),
    ("www", "TXT", '"a text"'),
    ("www", "HTTPS", "1 . alpn=h2"),
    ("www", "HINFO", '"a machine" "a system"'),
    ("www", "LOC", "52 22 23 N 4 53 32 E -2m"),
    ("www", "SSHFP", "4 2 " + 32 * "0a"),
    ("alias", "CNAME", "www"),
    ("1.2.0.192", "PTR", "www"),
    ("_dns._udp", "SRV", "0 5 53 ns"),
    ("_dns", "SVCB", "1 ns alpn=dot"),
    ("_dns", "URI", '10 1 "https://www.example.test/"'),
    ("_443._tcp.www", "TLSA", "3 1 1 " + 32 * "0b"),
    ("phone", "NAPTR", '100 10 "u" "E2U+sip" "!^.*$!sip:a@b.test!" .'),
    ("big", "TXT", " ".join(f'"{c * 250}"' for c in "abcd")),  # over 512 bytes, below 1232
)
DELEGATION = (("sub", "NS", "ns.sub"), ("ns.sub", "A", "192.0.2.53"))  # where nobody answers

LOOPBACK = {"ipv4": "127.0.0.1", "ipv6": "::1"}
FAMILIES = {"ipv4": socket.AF_INET, "ipv6": socket.AF_INET6}


def can_bind(family, kind=socket.SOCK_STREAM, port=0):
    try:
        with socket.socket(FAMILIES[family], kind) as probe:
            probe.bind((LOOPBACK[family], port))
    except OSError:
        return False
    return True


ADDRESSES = {family: LOOPBACK[family] for family in LOOPBACK if can_bind(family)}


def free_dns_port():
    """A port that is free for UDP and TCP on every loopback address.

    It lies below Linux's ephemeral range, or some client's socket could take it meanwhile.
    """
    while True:
        port = random.randrange(10000, 30000)
        if all(can_bind(family, kind, port) for family in ADDRESSES
               for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM)):
            return port


def zone_text(origin, records=RECORDS):
    lines = [f"$ORIGIN {origin}.", "$TTL 300"]
    return "\n".join(lines + [" ".join(record) for record in records]) + "\n"


class Server:
    """A DNS server with a private folder; use as a context manager.

    dnstap: path of the unix socket to send frames to. identity: what the frames call the server.
    upstream: the Server that answers for upstream.test, or None. user: whose rights it has once it
    runs, as a packaged service; None: those of the test.
    """

    program = None      # found on PATH and in the administrator's folders
    ready = None        # what the log says as soon as queries are answered
    identity = None

    def __init__(self, dnstap, identity=None, upstream=None, user=None):
        self.dnstap = dnstap
        self.identity = identity or self.identity
        self.upstream = upstream
        self.user = user
        self.port = free_dns_port()
        self.dir = tempfile.mkdtemp(prefix=f"dnstap_exporter_{self.identity}.")
        self.process = None

    def files(self):
        """{file name: text} of the configuration."""
        raise NotImplementedError

    def arguments(self):
        raise NotImplementedError

    def role(self, recursion_desired):
        """The dnstap role under which the server logs a client's query."""
        raise NotImplementedError

    def path(self, name):
        return os.path.join(self.dir, name)

    def start(self):
        for name, text in self.files().items():
            with open(self.path(name), "w", encoding="ascii") as file:
                file.write(text)
        if self.user:
            shutil.chown(self.dir, self.user)
        program = shutil.which(self.program, path=os.environ["PATH"] + ":/usr/sbin:/sbin")
        assert program, f"{self.program} is not installed"
        with open(self.path("log"), "wb") as log:
            self.process = subprocess.Popen([program, *self.arguments()], cwd=self.dir,
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wait_until(lambda: self.ready in self.log() or self.process.poll() is not None,
                   20, f"{self.program}: {self.ready!r}")
        assert self.process.poll() is None, f"{self.program} ended early:\n{self.log()}"
        return self

    def stop(self, sig=signal.SIGTERM, timeout=20):
        """Send the signal, return the exit status."""
        self.process.send_signal(sig)
        return self.process.wait(timeout)

    def log(self):
        with open(self.path("log"), encoding="utf-8", errors="replace") as file:
            return file.read()

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            self.__exit__()
            raise

    def __exit__(self, *_):
        try:
            if self.process and self.process.poll() is None:
                self.stop()
        finally:
            if self.process and self.process.poll() is None:
                self.process.kill()
                self.process.wait()
            shutil.rmtree(self.dir, ignore_errors=True)


class Unbound(Server):
    program = "unbound"
    ready = "start of service"
    identity = "unbound"

    def role(self, recursion_desired):
        return "client"

    def arguments(self):
        return ["-d", "-p", "-c", self.path("unbound.conf")]

    def files(self):
        interfaces = "\n".join(f"    interface: {a}@{self.port}" for a in ADDRESSES.values())
        zone = "example.test"
        records = "\n".join(f"    local-data: '{self.absolute(zone, *record)}'"
                            for record in RECORDS)
        stubs = "\n".join(
            f'stub-zone:\n    name: "{name}"\n    stub-addr: 127.0.0.1@{self.upstream.port}'
            for name in ("upstream.test", "broken.test") if self.upstream)
        # A query that is sent again on a slow machine would be no fault of the exporter's.
        return {"unbound.conf": f"""
server:
{interfaces}
    port: {self.port}
    username: "{self.user or ''}"
    chroot: ""
    directory: "{self.dir}"
    pidfile: "{self.path('pid')}"
    use-syslog: no
    logfile: ""
    verbosity: 1
    num-threads: 2
    module-config: "iterator"
    do-not-query-localhost: no
    infra-cache-min-rtt: 5000
    unknown-server-time-limit: 5000
    nsid: "ascii_{self.identity}"
    ede: yes
    local-zone: "test." nodefault
    local-zone: "refused.test." refuse
    local-zone: "{zone}." static
{records}
{stubs}
remote-control:
    control-enable: no
dnstap:
    dnstap-enable: yes
    dnstap-socket-path: "{self.dnstap}"
    dnstap-send-identity: yes
    dnstap-send-version: yes
    dnstap-identity: "{self.identity}"
    dnstap-log-client-query-messages: yes
    dnstap-log-client-response-messages: yes
    dnstap-log-resolver-query-messages: yes
    dnstap-log-resolver-response-messages: yes
    dnstap-log-forwarder-query-messages: yes
    dnstap-log-forwarder-response-messages: yes
"""}

    @staticmethod
    def absolute(zone, owner, rtype, data):
        """One record without relative names: local-data knows no origin."""
        owner = zone if owner == "@" else f"{owner}.{zone}"
        words = [f"{word}.{zone}." if re.fullmatch("ns|www|mail|admin", word) else word
                 for word in data.split(" ")]
        return f"{owner}. 300 IN {rtype} {' '.join(words)}"


class Bind(Server):
    program = "named"
    ready = " running\n"
    identity = "bind"

    def role(self, recursion_desired):
        return "client" if recursion_desired else "auth"

    def arguments(self):
        user = ["-u", self.user] if self.user else []
        return ["-g", *user, "-n", "2", "-c", self.path("named.conf")]

    def files(self):
        forward = ""
        if self.upstream:
            forward = f"""zone "upstream.test" {{
    type forward;
    forward only;
    forwarders {{ 127.0.0.1 port {self.upstream.port}; }};
}};"""
        listen6 = LOOPBACK["ipv6"] if "ipv6" in ADDRESSES else "none"
        # Nothing of its own accord: no priming, no NOTIFY, no keys, or counts would not be ours.
        return {"example.zone": zone_text("example.test", RECORDS + DELEGATION),
                "refused.zone": zone_text("refused.test"),
                "named.conf": f"""
options {{
    directory "{self.dir}";
    pid-file none;
    session-keyfile none;
    listen-on port {self.port} {{ 127.0.0.1; }};
    listen-on-v6 port {self.port} {{ {listen6}; }};
    recursion yes;
    dnssec-validation no;
    empty-zones-enable no;
    notify no;
    server-id "{self.identity}";
    dnstap {{ all; }};
    dnstap-output unix "{self.dnstap}";
    dnstap-identity "{self.identity}";
    dnstap-version "{self.program}";
}};
controls {{ }};
zone "example.test" {{ type primary; file "example.zone"; }};
zone "broken.test" {{ type primary; file "absent.zone"; }};
zone "refused.test" {{ type primary; file "refused.zone"; allow-query {{ none; }}; }};
{forward}
"""}


class Knot(Server):
    program = "knotd"
    ready = "server started"
    identity = "knot"

    def role(self, recursion_desired):
        return "auth"

    def arguments(self):
        return ["-c", self.path("knot.conf")]

    def files(self):
        user = f"user: {self.user}:{self.user}" if self.user else ""
        listen = ", ".join(f'"{address}@{self.port}"' for address in ADDRESSES.values())
        return {"example.zone": zone_text("example.test", RECORDS + DELEGATION),
                "upstream.zone": zone_text("upstream.test"),
                "knot.conf": f"""
server:
    {user}
    rundir: "{self.dir}"
    listen: [ {listen} ]
    nsid: "{self.identity}"
    udp-workers: 2
    tcp-workers: 2
    background-workers: 1
database:
    storage: "{self.dir}"
log:
  - target: stderr
    any: info
mod-dnstap:
  - id: exporter
    sink: "unix:{self.dnstap}"
    identity: "{self.identity}"
    version: "{self.program}"
mod-cookies:
  - id: default
template:
  - id: default
    storage: "{self.dir}"
    global-module: [ "mod-dnstap/exporter", "mod-cookies/default" ]
zone:
  - domain: example.test
    file: example.zone
  - domain: upstream.test
    file: upstream.zone
  - domain: broken.test
    file: absent.zone
"""}


# latency: the mean in seconds, as the client saw it.
Result = collections.namedtuple("Result", "sent completed lost rcodes latency")


class Load:
    """One dnsperf process asking a server; queries: [(name, type)]."""

    def __init__(self, server, queries, *flags, family="ipv4"):
        self.file = tempfile.NamedTemporaryFile("w", prefix="dnstap_exporter_queries.")
        self.file.writelines(f"{name} {rtype}\n" for name, rtype in queries)
        self.file.flush()
        self.process = subprocess.Popen(
            ["dnsperf", "-s", LOOPBACK[family], "-p", str(server.port), "-d", self.file.name,
             "-t", "20", *map(str, flags)],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def result(self, timeout=60):
        """Wait for the end, return what dnsperf counted."""
        try:
            output, _ = self.process.communicate(timeout=timeout)
        finally:
            self.end()
        counts = {what: int(re.search(rf"Queries {what}: +(\d+)", output)[1])
                  for what in ("sent", "completed", "lost")}
        line = re.search(r"Response codes: +(.*)", output)
        rcodes = {rcode: int(n) for rcode, n in re.findall(r"(\w+) (\d+) \(", line[1])}
        latency = float(re.search(r"Average Latency \(s\): +([0-9.]+)", output)[1])
        return Result(**counts, rcodes=rcodes, latency=latency)

    def interrupt(self):
        """End the load now, return what dnsperf counted until here."""
        self.process.send_signal(signal.SIGINT)
        return self.result()

    def end(self):
        """Leave nothing behind; harmless after result()."""
        with contextlib.suppress(ProcessLookupError):
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()
        self.file.close()
