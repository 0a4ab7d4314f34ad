#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Real tunnels: iodine and dns2tcp through a real Unbound, each side in a network namespace of its own, and the
second after their first query in which the detector names them. Needs root, /dev/net/tun and the packages.

Environment: DNSTAP_EXPORTER
"""

import contextlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))
from exporter import Exporter, wait_until  # noqa: E402

SERVER, CLIENT = f"dnstap-s{os.getpid()}", f"dnstap-c{os.getpid()}"
RESOLVER, AUTHORITY, CLIENT_ADDRESS = "10.53.0.1", "10.53.0.2", "10.53.0.66"
WITHIN = 120  # seconds, of which a tunnel takes a few

UNBOUND = """
server:
  interface: {resolver}
  access-control: 10.53.0.0/24 allow
  do-daemonize: no
  use-syslog: no
  logfile: "{folder}/unbound.log"
  username: ""
  chroot: ""
  directory: "{folder}"
  pidfile: "{folder}/unbound.pid"
  module-config: iterator
  qname-minimisation: no
dnstap:
  dnstap-enable: yes
  dnstap-socket-path: "{socket}"
  dnstap-send-identity: yes
  dnstap-identity: tunnels
  dnstap-log-client-query-messages: yes
  dnstap-log-client-response-messages: yes
stub-zone:
  name: tunnel.example
  stub-addr: {authority}
remote-control:
  control-enable: no
"""

DNS2TCPD = """
listen = {authority}
port = 53
user = nobody
chroot = /tmp
domain = tunnel.example
key = secret
resources = echo:127.0.0.1:7007
"""


def run(*words):
    subprocess.run(words, check=True)


def inside(namespace, *words):
    return ["ip", "netns", "exec", namespace, *words]


@contextlib.contextmanager
def namespaces():
    """Two hosts, the second with the addresses of resolver and authority."""
    try:
        for name in (SERVER, CLIENT):
            run("ip", "netns", "add", name)
            run(*inside(name, "ip", "link", "set", "lo", "up"))
        run("ip", "link", "add", "veth0", "netns", SERVER, "type", "veth", "peer", "name", "veth0", "netns", CLIENT)
        for name, addresses in ((SERVER, (RESOLVER, AUTHORITY)), (CLIENT, (CLIENT_ADDRESS,))):
            for address in addresses:
                run(*inside(name, "ip", "address", "add", f"{address}/24", "dev", "veth0"))
            run(*inside(name, "ip", "link", "set", "veth0", "up"))
        yield
    finally:
        for name in (SERVER, CLIENT):
            subprocess.run(["ip", "netns", "delete", name], check=False)


@contextlib.contextmanager
def process(log, *words):
    with open(log, "ab") as out:
        child = subprocess.Popen(words, stdout=out, stderr=out, stdin=subprocess.DEVNULL)
    try:
        yield child
    finally:
        child.terminate()
        child.wait()


def until_named(exporter):
    """Seconds from the first query to the second in which the tunnel is named."""
    began = None
    for _ in range(10 * WITHIN):
        if began is None and exporter.scrape().total("dnstap_queries_total") > 0:
            began = time.monotonic()
        active = json.loads(exporter.get("/api/v1/findings")[2])["active"]
        tunnels = [(finding["client"], finding["domain"]) for finding in active if finding["detector"] == "tunnel"]
        if tunnels:
            assert tunnels == [(CLIENT_ADDRESS, "tunnel.example")], tunnels
            return time.monotonic() - began
        time.sleep(0.1)
    raise AssertionError(f"no tunnel named within {WITHIN} s")


@contextlib.contextmanager
def iodine(folder, record_type):
    with process(folder / "iodined.log", *inside(SERVER, "iodined", "-f", "-c", "-P", "secret", "-l", AUTHORITY,
                                                 "10.99.0.1", "tunnel.example")):
        time.sleep(1)
        with process(folder / "iodine.log", *inside(CLIENT, "iodine", "-f", "-P", "secret", "-T", record_type, "-r",
                                                    RESOLVER, "tunnel.example")):
            yield


ECHO = """
import socketserver
class Echo(socketserver.BaseRequestHandler):
    def handle(self):
        while data := self.request.recv(4096):
            self.request.sendall(data)
socketserver.TCPServer(("127.0.0.1", 7007), Echo).serve_forever()
"""

TALK = """
import socket, time
for _ in range(100):
    with socket.create_connection(("127.0.0.1", 7008), timeout=5) as peer:
        for _ in range(100):
            peer.sendall(b"some text that goes through the tunnel ")
            peer.recv(100)
            time.sleep(0.2)
"""


@contextlib.contextmanager
def dns2tcp(folder, record_type):
    (folder / "dns2tcpd.conf").write_text(DNS2TCPD.format(authority=AUTHORITY), encoding="utf-8")
    with contextlib.ExitStack() as stack:
        for name, words in (
                ("echo", inside(SERVER, sys.executable, "-c", ECHO)),
                ("dns2tcpd", inside(SERVER, "dns2tcpd", "-F", "-f", str(folder / "dns2tcpd.conf"))),
                ("dns2tcpc", inside(CLIENT, "dns2tcpc", "-T", record_type, "-z", "tunnel.example", "-k", "secret",
                                    "-r", "echo", "-l", "7008", RESOLVER)),
                ("talk", inside(CLIENT, sys.executable, "-c", TALK))):
            stack.enter_context(process(folder / f"{name}.log", *words))
            time.sleep(1)
        yield


# Not iodine with A: its answers are aliases, which a resolver follows, and the tool gives up.
TOOLS = [(iodine, record_type) for record_type in ("NULL", "TXT", "SRV", "MX", "CNAME")]
TOOLS += [(dns2tcp, record_type) for record_type in ("TXT", "KEY")]


def main():
    for tool, record_type in TOOLS:
        with Exporter() as exporter, tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            config = folder / "unbound.conf"
            config.write_text(UNBOUND.format(resolver=RESOLVER, authority=AUTHORITY, folder=folder,
                                             socket=exporter.socket), encoding="utf-8")
            with namespaces(), process(folder / "out.log", *inside(SERVER, "unbound", "-d", "-c", str(config))):
                wait_until(lambda: exporter.scrape().total("dnstap_connections") == 1, 20, "Unbound")
                with tool(folder, record_type):
                    try:
                        print(f"{tool.__name__:8} {record_type:6} named after {until_named(exporter):5.1f} s", flush=True)
                    except AssertionError:
                        for log in sorted(folder.glob("*.log")):
                            print(f"--- {log.name}\n{log.read_text(encoding='utf-8', errors='replace')[-2000:]}")
                        raise


if __name__ == "__main__":
    main()
