# SPDX-License-Identifier: Apache-2.0
"""Real DNS servers on loopback that send dnstap to the exporter, and dnsperf to ask them.

They serve the same names, so that one list of queries fits them all: example.test is their own
(where they have zones), upstream.test comes from the server named as upstream (which makes resolver
frames), refused.test is refused and broken.test ends in SERVFAIL. What each is told about dnstap is
what its page in deploy/servers tells an operator.
"""

import collections
import contextlib
import functools
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile

from exporter import free_port, limit, wait_until

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

PAGES = pathlib.Path(__file__).resolve().parents[2] / "deploy" / "servers"

LOOPBACK = {"ipv4": "127.0.0.1", "ipv6": "::1"}
FAMILIES = {"ipv4": socket.AF_INET, "ipv6": socket.AF_INET6}


def can_bind(family):
    try:
        with socket.socket(FAMILIES[family], socket.SOCK_STREAM) as probe:
            probe.bind((LOOPBACK[family], 0))
    except OSError:
        return False
    return True


ADDRESSES = {family: LOOPBACK[family] for family in LOOPBACK if can_bind(family)}


def zone_text(origin, records=RECORDS):
    lines = [f"$ORIGIN {origin}.", "$TTL 300"]
    return "\n".join(lines + [" ".join(record) for record in records]) + "\n"


def page_blocks(page, heading):
    """The fenced blocks below a heading of a server's page."""
    text = (PAGES / f"{page}.md").read_text(encoding="utf-8")
    section = re.search(rf"^## {heading}\n(.*?)(?=^## |\Z)", text, re.DOTALL | re.MULTILINE)[1]
    return re.findall(r"^```\w*\n(.*?)^```$", section, re.DOTALL | re.MULTILINE)


def with_certificates(text, folder):
    """A page's lines with the certificates and keys of this folder."""
    return re.sub(r"/etc/[\w/]+/((?:ca|client|server)\.(?:crt|key))", rf"{folder}/\1", text)


def release(text):
    """Major and minor number of the first version in a text: (9, 20) for 9.20.1."""
    return tuple(map(int, re.search(r"\b(\d+)\.(\d+)\.\d", text).groups()))


class Server:
    """A DNS server with a private folder; use as a context manager.

    dnstap: where to send frames, the path of a unix socket or (address, port). identity: what the
    frames call the server.
    upstream: the Server that answers for upstream.test, or None. user: whose rights it has once it
    runs, as a packaged service; None: those of the test. tls: the folder of the certificates with which
    it sends to the address over TLS; None: without TLS.
    """

    program = None      # found on PATH and in the administrator's folders
    version_flag = "-V"
    ready = None        # what the log says as soon as queries are answered
    page = None         # the name of its page
    identity = None     # that of the page
    package_user = None  # as whom Debian's package runs it
    drops_root = True   # becomes its user by itself; or else it is started as that, as by systemd

    def __init__(self, dnstap, identity=None, upstream=None, user=None, tls=None):
        self.dnstap = dnstap
        self.identity = identity or self.identity
        self.upstream = upstream
        self.user = user
        self.tls = tls
        self.port = free_port()
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

    @classmethod
    def found(cls):
        program = shutil.which(cls.program, path=os.environ["PATH"] + ":/usr/sbin:/sbin")
        assert program, f"{cls.program} is not installed"
        return program

    @classmethod
    @functools.cache
    def version(cls):
        """The installed release, as (9, 20)."""
        done = subprocess.run([cls.found(), cls.version_flag], check=False, text=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT)
        return release(done.stdout)

    @classmethod
    def upstream_role(cls):
        """The role under which the server logs what it asks upstream."""
        return "resolver"

    def path(self, name):
        return os.path.join(self.dir, name)

    def tap(self, number=1, tcp=0):
        """A block of the page's configuration, for our socket and identity; 0 is the exporter's.

        tcp: the block of its section TCP that has the line for an address; that for TLS is the second of its
        section TLS.
        """
        text = page_blocks(self.page, "Configuration")[number]
        if isinstance(self.dnstap, str):
            text = re.sub(r"/run/dnstap_exporter/[\w-]+\.sock", self.dnstap, text)
        else:
            heading, block = ("TLS", 1) if self.tls else ("TCP", tcp)
            line = page_blocks(self.page, heading)[block].replace("6000", str(self.dnstap[1]))
            line = with_certificates(line, self.tls)
            text = re.sub(r"^.*/run/dnstap_exporter/.*\n", line, text, flags=re.MULTILINE)
        return text.replace(f'"{type(self).identity}"', f'"{self.identity}"')

    def start(self):
        for name, text in self.files().items():
            with open(self.path(name), "w", encoding="ascii") as file:
                file.write(text)
        if self.user:
            shutil.chown(self.dir, self.user)
        user = None if self.drops_root else self.user
        with open(self.path("log"), "wb") as log:
            self.process = subprocess.Popen(
                [self.found(), *self.arguments()], cwd=self.dir, stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, user=user, group=user, extra_groups=[] if user else None)
        wait_until(lambda: self.ready in self.log() or self.process.poll() is not None,
                   20, f"{self.program}: {self.ready!r}")
        assert self.process.poll() is None, f"{self.program} ended early:\n{self.log()}"
        return self

    def stop(self, sig=signal.SIGTERM, timeout=20):
        """Send the signal, return the exit status."""
        self.process.send_signal(sig)
        return self.process.wait(limit(timeout))

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
    page = "unbound"
    package_user = "unbound"
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
{self.tap()}
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
    page = "bind"
    package_user = "bind"
    ready = " running\n"
    identity = "bind"

    def role(self, recursion_desired):
        return "client" if recursion_desired else "auth"

    @classmethod
    def upstream_role(cls):
        return "forwarder" if cls.version() >= (9, 20) else "resolver"

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
    allow-transfer {{ any; }};
    dnssec-validation no;
    empty-zones-enable no;
    notify no;
    server-id "{self.identity}";
{self.tap()}
}};
controls {{ }};
zone "example.test" {{ type primary; file "example.zone"; }};
zone "broken.test" {{ type primary; file "absent.zone"; }};
zone "refused.test" {{ type primary; file "refused.zone"; allow-query {{ none; }}; }};
{forward}
"""}


class Knot(Server):
    program = "knotd"
    page = "knot"
    package_user = "knot"
    ready = "server started"
    identity = "knot"

    def role(self, recursion_desired):
        return "auth"

    def arguments(self):
        return ["-c", self.path("knot.conf")]

    def files(self):
        user = f"user: {self.user}:{self.user}" if self.user else ""
        listen = ", ".join(f'"{address}@{self.port}"' for address in ADDRESSES.values())
        module = re.search("global-module: ([^`]*)",
                           (PAGES / "knot.md").read_text(encoding="utf-8"))[1]
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
{self.tap()}
mod-cookies:
  - id: default
template:
  - id: default
    storage: "{self.dir}"
    global-module: [ "{module}", "mod-cookies/default" ]
zone:
  - domain: example.test
    file: example.zone
  - domain: upstream.test
    file: upstream.zone
  - domain: broken.test
    file: absent.zone
"""}


class Nsd(Server):
    program = "nsd"
    page = "nsd"
    package_user = "nsd"
    ready = "nsd started"
    identity = "nsd"

    def role(self, recursion_desired):
        return "auth"

    def arguments(self):
        return ["-d", "-c", self.path("nsd.conf")]

    def files(self):
        addresses = "\n".join(f"    ip-address: {a}@{self.port}" for a in ADDRESSES.values())
        zones = "\n".join(f'zone:\n    name: "{zone}"\n    zonefile: "{file}"' for zone, file in (
            ("example.test", "example.zone"), ("upstream.test", "upstream.zone"),
            ("broken.test", "absent.zone")))
        return {"example.zone": zone_text("example.test", RECORDS + DELEGATION),
                "upstream.zone": zone_text("upstream.test"),
                "nsd.conf": f"""
server:
{addresses}
    server-count: 2
    username: "{self.user or ''}"
    zonesdir: "{self.dir}"
    pidfile: ""
    xfrdfile: "{self.path('xfrd.state')}"
    xfrdir: "{self.dir}"
    database: ""
    zonelistfile: "{self.path('zone.list')}"
    nsid: "ascii_{self.identity}"
    rrl-ratelimit: 0
    verbosity: 1
remote-control:
    control-enable: no
{self.tap()}
{zones}
"""}


class DnsDist(Server):
    """Everything but refused.test comes from upstream."""

    program = "dnsdist"
    page = "dnsdist"
    package_user = "_dnsdist"
    ready = "Listening on"
    identity = "dnsdist"
    drops_root = False

    def role(self, recursion_desired):
        return "client"

    def arguments(self):
        return ["--supervised", "--disable-syslog", "-C", self.path("dnsdist.conf")]

    def files(self):
        listen = "\n".join(f'addLocal("{address}:{self.port}")' if family == "ipv4" else
                           f'addLocal("[{address}]:{self.port}")'
                           for family, address in ADDRESSES.items())
        # Checks of the upstream server's health would be queries of nobody's.
        return {"dnsdist.conf": f"""
setSecurityPollSuffix("")
{listen}
newServer("127.0.0.1:{self.upstream.port}"):setUp()
getPool(""):setCache(newPacketCache(1000))
{self.tap()}
addAction("refused.test.", RCodeAction(DNSRCode.REFUSED))
"""}


class Recursor(Server):
    program = "pdns_recursor"
    version_flag = "--version"
    page = "recursor"
    package_user = "pdns"
    ready = "Enabled multiplexer"
    identity = "recursor"
    drops_root = False
    threads = 2

    def role(self, recursion_desired):
        return None  # it says nothing of its clients

    def arguments(self):
        return [f"--config-dir={self.dir}", "--daemon=no", "--write-pid=no", "--disable-syslog"]

    def files(self):
        return self.yaml_files() if self.version() >= (5, 0) else self.ini_files()

    def yaml_files(self):
        """What 5.0 and later read: Debian's recursor.conf includes a folder."""
        listen = ", ".join(f'"{a}:{self.port}"' if family == "ipv4" else f'"[{a}]:{self.port}"'
                           for family, a in ADDRESSES.items())
        upstream = f"127.0.0.1:{self.upstream.port}"
        zones = "\n".join(f"    - {{zone: {zone}.test, forwarders: ['{upstream}']}}"
                          for zone in ("example", "upstream", "broken", "refused"))
        tap = self.tap(3, tcp=1).replace(f"server_id: {type(self).identity}",
                                         f"server_id: {self.identity}")
        return {"dnstap.yml": tap,
                "recursor.conf": f"""
incoming:
  listen: [{listen}]
outgoing:
  dont_query: []
dnssec:
  validation: off
recursor:
  include_dir: "{self.dir}"
  socket_dir: "{self.dir}"
  security_poll_suffix: ""
  hint_file: no
  threads: {self.threads}
  forward_zones:
{zones}
"""}

    def ini_files(self):
        addresses = ",".join(f"{a}:{self.port}" if family == "ipv4" else f"[{a}]:{self.port}"
                             for family, a in ADDRESSES.items())
        # Each zone by itself, or it would follow example.test's NS record to port 53.
        zones = ",".join(f"{zone}.test=127.0.0.1:{self.upstream.port}"
                         for zone in ("example", "upstream", "broken", "refused"))
        identity = self.tap(2).replace(type(self).identity, self.identity)
        return {"recursor.lua": self.tap(),
                "recursor.conf": f"""
local-address={addresses}
socket-dir={self.dir}
lua-config-file={self.path('recursor.lua')}
{identity}
security-poll-suffix=
dnssec=off
threads={self.threads}
forward-zones={zones}
dont-query=
hint-file=no
"""}


class KnotResolver(Server):
    """Everything but refused.test comes from upstream."""

    program = "kresd"
    page = "kresd"
    package_user = "knot-resolver"
    ready = "listening"
    identity = "kresd"
    drops_root = False

    def role(self, recursion_desired):
        return "client"

    def arguments(self):
        return ["-c", self.path("kresd.conf"), "-n", self.dir]

    def files(self):
        listen = "\n".join(f"net.listen('{a}', {self.port}, {{ kind = 'dns' }})"
                           for a in ADDRESSES.values())
        return {"kresd.conf": f"""
{listen}
cache.size = 10 * MB
trust_anchors.remove('.')
modules.unload('priming')
{self.tap()}
policy.add(policy.suffix(policy.REFUSE, {{todname('refused.test.')}}))
policy.add(policy.suffix(policy.FORWARD('127.0.0.1@{self.upstream.port}'), {{todname('test.')}}))
io.stderr:write('listening\\n')
"""}


class CoreDns(Server):
    """upstream.test and broken.test come from upstream; example.test is its own."""

    program = "coredns"     # not a Debian package: see tests/deploy/coredns.py
    version_flag = "-version"
    page = "coredns"
    ready = "CoreDNS-"
    identity = "coredns"

    def role(self, recursion_desired):
        return "client"

    @classmethod
    def upstream_role(cls):
        return "forwarder"

    def arguments(self):
        return ["-conf", self.path("Corefile")]

    def files(self):
        return {"example.zone": zone_text("example.test", RECORDS + DELEGATION),
                "Corefile": f"""
.:{self.port} {{
    bind {' '.join(ADDRESSES.values())}
    {self.tap()}
    file example.zone example.test
    forward . 127.0.0.1:{self.upstream.port} {{
        health_check 3600s
    }}
}}
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
             "-t", f"{limit(20):.0f}", *map(str, flags)],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def result(self, timeout=60):
        """Wait for the end, return what dnsperf counted."""
        try:
            output, _ = self.process.communicate(timeout=limit(timeout))
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
