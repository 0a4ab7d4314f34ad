# SPDX-License-Identifier: Apache-2.0
"""Who makes the mistakes of deploy/troubleshooting.md sees the messages that the page has."""

import http.client
import os
import pathlib
import re
import shutil
import socket
import subprocess
import tempfile
import time
import unittest

from certificates import Authority
from exporter import PROGRAM, Exporter, free_port, wait_until
from servers import Unbound
from test_web_config import TLS

PAGE = pathlib.Path(__file__).resolve().parents[2] / "deploy/troubleshooting.md"
UNIX = "inputs: [{name: unbound, unix: '{dir}/unbound.sock', group: %s}]\n"


def table():
    """{mistake: what one sees}"""
    rows = re.findall(r"^\| ([^|]+) \| ([^|]+) \| [^|]+ \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    return dict(rows[1:] if rows[0][0] == "mistake" else rows)


def patterns(mistake):
    """The messages of a row: regular expressions, in which … is anything."""
    return [".*".join(map(re.escape, code.split("…"))) for code in re.findall("`([^`]+)`", table()[mistake])
            if code not in ("EOF", "top")]


class SecureUnbound(Unbound):
    """It speaks TLS, and takes certificates of the authority `bundle` alone, if there is one."""

    bundle = None

    def tap(self, *arguments, **named):
        line = f'dnstap-tls-cert-bundle: "{self.bundle}"' if self.bundle else ""
        return super().tap(*arguments, **named).replace("dnstap-tls: no", line)


class Mistakes(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        """Others may not reach the folder that the program is built in."""
        folder = cls.enterClassContext(tempfile.TemporaryDirectory())
        os.chmod(folder, 0o755)
        cls.program = shutil.copy(PROGRAM, folder)

    def test_no_row_is_without_a_test(self):
        text = pathlib.Path(__file__).read_text(encoding="utf-8")
        self.assertTrue(table())
        self.assertEqual([mistake for mistake in table() if f'"{mistake}"' not in text], [])

    def check(self, mistake, text):
        """All messages of the row are in the text."""
        self.assertTrue(patterns(mistake))
        for pattern in patterns(mistake):
            self.assertRegex(text, pattern)

    def wait_for(self, mistake, text):
        """Until text() has them."""
        self.assertTrue(patterns(mistake))
        for pattern in patterns(mistake):
            wait_until(lambda: re.search(pattern, text()), 20, f"{pattern!r} of {mistake!r}")

    def ask(self, server):
        subprocess.run(["kdig", "@127.0.0.1", "-p", str(server.port), "www.example.test"], check=True,
                       stdout=subprocess.DEVNULL)

    def refused(self, *flags, config=None, user=None):
        """What the exporter says, which does not start."""
        with tempfile.TemporaryDirectory() as folder:
            os.chmod(folder, 0o755)
            if config:
                path = pathlib.Path(folder, "dnstap_exporter.yml")
                path.write_text(config, encoding="utf-8")
                flags = [*flags, f"--config.file={path}"]
            done = subprocess.run([self.program, f"--web.listen-address=127.0.0.1:{free_port()}", *flags], check=False,
                                  text=True, capture_output=True, timeout=60, user=user, group=user,
                                  extra_groups=[] if user else None)
        self.assertNotEqual(done.returncode, 0)
        return done.stderr

    def test_configuration(self):
        self.check("wrong group, which there is not",
                   self.refused(config="inputs: [{name: unbound, unix: /run/x.sock, group: unbond}]\n"))
        self.check("wrong key", self.refused(config="limits:\n  conections: 3\n"))
        self.check("wrong indentation",
                   self.refused(config="inputs:\n  - name: unbound\n   unix: /run/x.sock\n")
                   + self.refused(config="limits:\n  servers: 3\n series: 4\n"))
        self.check("wrong indentation, a tab", self.refused(config="limits:\n\tservers: 3\n"))

    def test_folder(self):
        self.check("folder missing", self.refused("--input.unix=/run/dnstap_exporter_absent/dnstap.sock"))

    @unittest.skipIf(os.geteuid(), "only root may be another user")
    def test_not_root(self):
        with tempfile.TemporaryDirectory() as roots, tempfile.TemporaryDirectory() as theirs:
            os.chmod(roots, 0o755)
            os.chown(theirs, 65534, 65534)
            self.check("not root, the folder is root's",
                       self.refused(f"--input.unix={roots}/dnstap.sock", user=65534))
            config = UNIX.replace("{dir}", theirs) % "unbound"
            self.check("not root, another group", self.refused(config=config, user=65534))

    @unittest.skipIf(os.geteuid(), "only root may be another user")
    def test_not_root_no_configuration(self):
        """The exporter starts, with another socket."""
        with tempfile.TemporaryDirectory() as runtime:
            os.chown(runtime, 65534, 65534)
            with subprocess.Popen([self.program, f"--web.listen-address=127.0.0.1:{free_port()}"], user=65534, group=65534,
                                  extra_groups=[], env={"XDG_RUNTIME_DIR": runtime}, stderr=subprocess.PIPE,
                                  text=True) as process:
                line = process.stderr.readline()
                process.terminate()
            self.check("not root, no configuration", line)
            self.assertIn(runtime, line)

    @unittest.skipIf(os.geteuid(), "only root may give sockets to others")
    def test_sockets(self):
        with Exporter(UNIX % "root") as exporter:
            with Unbound(f"{exporter.dir}/dnstap.sock", user="unbound") as server:
                self.ask(server)
                self.wait_for("wrong path", server.log)
            with Unbound(f"{exporter.dir}/unbound.sock", user="unbound") as server:
                self.ask(server)
                self.wait_for("wrong group", server.log)

    @unittest.skipIf(os.geteuid(), "only root may give sockets to others")
    def test_responses_not_logged(self):
        class Half(Unbound):
            def tap(self, *arguments, **named):
                return re.sub(".*client-response-messages.*", "", super().tap(*arguments, **named))

        def told():
            self.ask(server)
            time.sleep(0.2)
            return exporter.scrape().text + exporter.get("/api/v1/status")[2].decode()

        with Exporter(UNIX % "unbound") as exporter, Half(f"{exporter.dir}/unbound.sock", user="unbound") as server:
            mistake = "responses not logged"
            for pattern in patterns(mistake):
                wait_until(lambda: re.search(pattern, told()), 100, f"{pattern!r} of {mistake!r}")

    def test_ports(self):
        port = free_port()
        with Exporter(f"inputs: [{{name: unbound, tcp: '127.0.0.1:{port}'}}]\n") as exporter:
            self.check("wrong port: it is taken", self.refused(f"--web.listen-address={exporter.web}"))
            with socket.create_connection(("127.0.0.1", port)) as client:
                client.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
                self.wait_for("wrong port: Prometheus asks at the dnstap port", exporter.log)
            lines = exporter.log()
            with Unbound(("127.0.0.1", int(exporter.web.rpartition(":")[2]))) as server:
                self.ask(server)
                self.check("wrong port: the server sends to the web port", exporter.scrape().text)
                self.assertEqual(exporter.log(), lines)

    def test_tls_to_plain(self):
        port = free_port()
        with Exporter(f"inputs: [{{name: unbound, tcp: '127.0.0.1:{port}'}}]\n") as exporter, \
                SecureUnbound(("127.0.0.1", port)) as server:
            self.ask(server)
            self.wait_for("TLS to a plain input", exporter.log)

    def tls_exporter(self):
        exporter = Exporter("inputs: [{name: net, tcp: '127.0.0.1:%d', tls: {cert_file: server.crt, key_file: server.key}}]\n"
                            % (port := free_port()))
        self.addCleanup(exporter.discard)
        Authority(exporter.dir, "ca").sign("server", "DNS:exporter.example")
        return exporter, port

    def test_plain_to_an_input_with_tls(self):
        exporter, port = self.tls_exporter()
        with exporter, Unbound(("127.0.0.1", port)):
            self.wait_for("plain to an input with TLS", exporter.log)

    def test_a_certificate_that_is_not_trusted(self):
        exporter, port = self.tls_exporter()
        Authority(exporter.dir, "foreign")
        unbound = SecureUnbound(("127.0.0.1", port))
        unbound.bundle = f"{exporter.dir}/foreign.crt"
        with exporter, unbound:
            self.wait_for("a certificate that the server does not trust", lambda: exporter.log() + unbound.log())

    def test_unknown_name(self):
        """Prometheus puts the status line behind words of its own."""
        with Exporter(UNIX % "root") as exporter:
            connection = http.client.HTTPConnection(exporter.web)
            connection.request("GET", "/metrics", headers={"Host": "ns1.example.net:9353"})
            answer = connection.getresponse()
            connection.close()
            exporter.wait_for_log("HTTP client refused")
            self.check("a name that the exporter does not know",
                       f"server returned HTTP status {answer.status} {answer.reason}" + exporter.log())

    def test_plain_to_tls(self):
        exporter = Exporter("inputs: [{name: unix, unix: '{dir}/dnstap.sock'}]\n")
        self.addCleanup(exporter.discard)
        authority = Authority(exporter.dir, "ca")
        authority.sign("server", "IP:127.0.0.1")
        web = pathlib.Path(exporter.dir, "web.yml")
        web.write_text(TLS, encoding="utf-8")
        exporter.flags.append(f"--web.config.file={web}")
        exporter.ready = lambda: "serving metrics" in exporter.log()
        with exporter:
            said = "".join(subprocess.run(command, check=False, text=True, capture_output=True).stderr for command in (
                ["curl", "-sS", f"http://{exporter.web}/metrics"], [PROGRAM, "top", "--once", f"http://{exporter.web}"]))
            exporter.wait_for_log("HTTP client refused")
            self.check("plain HTTP to TLS", said + exporter.log())


if __name__ == "__main__":
    unittest.main()
