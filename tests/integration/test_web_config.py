# SPDX-License-Identifier: Apache-2.0
"""The web configuration: TLS, client certificates, passwords, headers, limits; and its reload.

The client is curl; promtool checks the same files; certificates are openssl's.
"""

import base64
import contextlib
import ctypes
import http.client
import os
import re
import shutil
import signal
import socket
import ssl
import statistics
import subprocess
import threading
import time
import unittest
import urllib.error
import urllib.request

from certificates import Authority
from exporter import PAGE_AGE, Exporter, limit, wait_until

PASSWORD = "correct horse"
COST = 10

# What a user has to be.
USER = "a name without a colon (RFC 7617), and a bcrypt hash of a cost from 04 to 14, $2y$10$ and so on"

# An idle peer may stay longer than what its neighbours may take.
CONFIG = f"""
inputs: [{{name: unix, unix: "{{dir}}/dnstap.sock"}}]
web: {{timeout: {limit(10):.0f}s}}
"""


# Python 3.13 has no module for it.
libcrypt = ctypes.CDLL("libcrypt.so.1")
libcrypt.crypt.argtypes = [ctypes.c_char_p, ctypes.c_char_p]
libcrypt.crypt.restype = ctypes.c_char_p


def bcrypt(password, cost=COST):
    setting = f"$2b${cost:02}$abcdefghijklmnopqrstuu"
    return libcrypt.crypt(password.encode(), setting.encode()).decode()


class WebTest(unittest.TestCase):
    """An exporter with the web configuration `web`, in which {dir} is a folder with certificates."""

    web = ""
    flags = ()
    scheme = "https"

    @classmethod
    def setUpClass(cls):
        cls.exporter = Exporter(CONFIG)
        cls.addClassCleanup(cls.exporter.discard)
        cls.dir = cls.exporter.dir
        cls.path = os.path.join(cls.dir, "web.yml")
        ours, foreign = Authority(cls.dir, "ca"), Authority(cls.dir, "foreign")
        ours.sign("server", "DNS:localhost,IP:127.0.0.1")
        ours.sign("renewed", "DNS:localhost,IP:127.0.0.1")
        ours.sign("expired", "DNS:localhost", days=None)
        ours.sign("longer", "DNS:localhost,IP:127.0.0.1", days=9)
        ours.sign("alice", "DNS:alice.example,email:alice@example.org", "clientAuth")
        ours.sign("machine", "IP:192.0.2.7,IP:2001:db8::7,URI:spiffe://example/machine", "clientAuth")
        ours.sign("mallory", "DNS:mallory.example", "clientAuth")
        ours.sign("wrongly-used", "DNS:alice.example", "serverAuth")
        foreign.sign("stranger", "DNS:alice.example", "clientAuth")
        cls.write(cls.web)
        cls.exporter.flags += [f"--web.config.file={cls.path}", *cls.flags]
        cls.exporter.ready = lambda: "serving metrics" in cls.exporter.log()
        cls.enterClassContext(cls.exporter)

    @classmethod
    def write(cls, web):
        with open(cls.path, "w", encoding="utf-8") as file:
            file.write(web)

    def curl(self, path="/-/healthy", *arguments, ca="ca"):
        """(status or 0, body, headers) as curl sees them."""
        done = subprocess.run(
            ["curl", "-s", "-m", f"{limit(10):.0f}", "--cacert", f"{self.dir}/{ca}.crt",
             "-D", "/dev/stderr", "-w", "\n%{http_code}", *arguments, f"{self.scheme}://{self.exporter.web}{path}"],
            check=False, capture_output=True)
        body, _, status = done.stdout.decode().rpartition("\n")
        headers = dict(line.split(": ", 1) for line in done.stderr.decode().split("\r\n")
                       if ": " in line)
        return int(status), body, headers

    def as_client(self, name):
        return ["--cert", f"{self.dir}/{name}.crt", "--key", f"{self.dir}/{name}.key"]

    def reload(self, web):
        """Write the file and let it be read; what the log then says."""
        before = len(self.exporter.log())
        self.write(web)
        self.exporter.process.send_signal(signal.SIGHUP)
        return wait_until(lambda: [line for line in self.exporter.log()[before:].split("\n")
                                   if "reloaded" in line], 10, "the reload")[0]

    def promtool(self):
        return subprocess.run(["promtool", "check", "web-config", self.path], check=False,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode


class Refusals:
    """Who is refused is counted by reason, and has a line in the log, once a minute."""

    def refusals(self, *credentials):
        time.sleep(PAGE_AGE)
        page = self.curl("/metrics", *credentials)[1]
        return {match["reason"]: int(match["count"]) for match in re.finditer(
            r'^dnstap_exporter_http_refusals_total\{reason="(?P<reason>\w+)"\} (?P<count>\d+)$', page, re.MULTILINE)}

    @contextlib.contextmanager
    def refused(self, reason, count, words, *credentials):
        before = self.refusals(*credentials)
        yield
        after = wait_until(lambda: next((now for now in [self.refusals(*credentials)]
                                         if now[reason] >= before[reason] + count), None), 10, reason)
        self.assertEqual(after, before | {reason: before[reason] + count})
        lines = [line for line in self.exporter.log().split("\n") if words in line]
        self.assertEqual(len(lines), 1, words)
        self.assertIn('msg="HTTP client refused" client=127.0.0.1', lines[0])


TLS = """tls_server_config:
  cert_file: server.crt
  key_file: server.key
"""


class Tls(Refusals, WebTest):
    web = TLS

    def test_what_is_no_tls_is_refused(self):
        with self.refused("not_tls", 2, "takes https:// only"):
            for _ in range(2):
                subprocess.run(["curl", "-s", "-m", "5", f"http://{self.exporter.web}/"], check=False)
        with self.refused("tls_handshake", 1, "does not trust the certificate"):
            self.curl(ca="foreign")
        with self.refused("tls_version", 1, "no version of TLS from min_version to max_version"):
            done = subprocess.run(
                ["curl", "-sS", "-k", "--tls-max", "1.1", "--ciphers", "DEFAULT:@SECLEVEL=0", f"https://{self.exporter.web}/"],
                check=False, capture_output=True, text=True)
            self.assertIn("alert protocol version", done.stderr)

    def test_a_version_that_is_too_new(self):
        self.reload(TLS + "  max_version: TLS12\n")
        before = self.refusals()
        self.assertEqual(self.curl("/", "--tlsv1.3")[0], 0)
        wait_until(lambda: self.refusals()["tls_version"] == before["tls_version"] + 1, 10, "the refusal")
        self.reload(TLS)

    def test_who_is_let_wait_is_not_refused(self):
        """A handshake that this side ends, for its time-out or for room, is not its client's fault."""
        before = self.refusals()
        host, port = self.exporter.web.split(":")
        with contextlib.ExitStack() as stack:
            context = ssl.create_default_context()
            for _ in range(100):  # more than web.connections
                incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
                with contextlib.suppress(ssl.SSLWantReadError):
                    context.wrap_bio(incoming, outgoing, server_hostname="localhost").do_handshake()
                peer = stack.enter_context(socket.create_connection((host, int(port))))
                with contextlib.suppress(OSError):
                    peer.sendall(outgoing.read())
            time.sleep(1)
            self.assertEqual(self.refusals(), before)

    def test_who_only_connects_is_not_refused(self):
        before = self.refusals()
        host, port = self.exporter.web.split(":")
        socket.create_connection((host, int(port))).close()
        self.assertEqual(self.refusals(), before)

    def expiry(self):
        time.sleep(PAGE_AGE)
        return re.search(r"^dnstap_exporter_tls_certificate_expiry_timestamp_seconds (.*)$",
                         self.curl("/metrics")[1], re.MULTILINE)[1]

    def test_a_new_certificate_needs_no_signal(self):
        """Also where it takes the old one's place by a rename, and where the key comes later."""
        def replace(name, source):
            shutil.copy(f"{self.dir}/{source}", f"{self.dir}/fresh")
            os.rename(f"{self.dir}/fresh", f"{self.dir}/{name}")
        self.write(TLS.replace("server.", "used."))
        for suffix in "crt", "key":
            shutil.copy(f"{self.dir}/server.{suffix}", f"{self.dir}/used.{suffix}")
        self.exporter.process.send_signal(signal.SIGHUP)
        before = self.expiry()
        enddate = subprocess.run(["openssl", "x509", "-enddate", "-noout", "-in", f"{self.dir}/used.crt"],
                                 check=True, capture_output=True, text=True).stdout.strip().removeprefix("notAfter=")
        self.assertEqual(ssl.cert_time_to_seconds(enddate), float(before))
        replace("used.crt", "longer.crt")
        wait_until(lambda: "not the key of the certificate" in self.exporter.log(), 10, "half a renewal")
        self.assertEqual(self.expiry(), before)
        replace("used.key", "longer.key")
        wait_until(lambda: self.expiry() != before, 10, "the new certificate")
        self.assertEqual(self.curl()[0], 200)
        self.assertIn("configuration reloaded", self.reload(TLS))

    def test_an_expired_certificate_is_named(self):
        path = f"{self.dir}/expired.yml"
        with open(path, "w", encoding="utf-8") as file:
            file.write(TLS.replace("server.", "expired."))
        done = subprocess.run([os.environ["DNSTAP_EXPORTER"], f"--web.config.file={path}", "--config.check"],
                              check=False, capture_output=True, text=True)
        self.assertEqual(done.returncode, 0)
        self.assertRegex(done.stderr, r'has expired" expired=2020-02-01T00:00:00Z')

    def test_speaks_tls(self):
        self.assertEqual(self.promtool(), 0)
        self.assertEqual(self.curl()[:2], (200, "dnstap_exporter is healthy.\n"))
        self.assertEqual(self.curl("/metrics")[0], 200)
        self.exporter.wait_for_log("tls=on")

    def test_who_does_not_know_the_authority_turns_away(self):
        self.assertEqual(self.curl(ca="foreign")[0], 0)

    def test_plain_http_gets_no_answer(self):
        with self.assertRaises((OSError, urllib.error.URLError)):
            urllib.request.urlopen(f"http://{self.exporter.web}/metrics", timeout=limit(5))

    def test_old_versions_are_refused(self):
        for version in "1.0", "1.1":
            self.assertEqual(self.curl("/", "--tls-max", version)[0], 0)
        self.assertEqual(self.curl("/", "--tls-max", "1.2")[0], 200)

    def test_reload(self):
        self.assertIn("configuration reloaded", self.reload(TLS + "  min_version: TLS13\n"))
        self.assertEqual(self.curl("/", "--tls-max", "1.2")[0], 0)
        self.assertEqual(self.curl("/", "--tls-max", "1.3")[0], 200)
        self.reload(TLS + "  max_version: TLS12\n")
        self.assertEqual(self.curl("/", "--tlsv1.3")[0], 0)
        self.reload(TLS)
        self.assertEqual(self.curl("/", "--tls-max", "1.2")[0], 200)

    def test_renewed_certificate(self):
        def subject():
            done = subprocess.run(["openssl", "s_client", "-connect", self.exporter.web], check=False,
                                  stdin=subprocess.DEVNULL, capture_output=True)
            return next(line for line in done.stdout.decode().split("\n") if "subject=" in line)
        self.assertIn("server", subject())
        self.reload(TLS.replace("server.", "renewed."))
        self.assertIn("renewed", subject())
        self.reload(TLS)

    def test_turning_tls_off_takes_a_restart(self):
        line = self.reload("")
        self.assertIn(f"{self.path}: turning TLS off takes a restart", line)
        self.reload(TLS)
        self.assertEqual(self.curl()[0], 200)

    def test_a_broken_file_changes_nothing(self):
        for web, complaint in (
                (TLS + "  min_version: TLS9\n",
                 ":4: tls_server_config.min_version: expected TLS10, TLS11, TLS12 or TLS13"),
                (TLS.replace("server.crt", "absent.crt"),
                 f":2: tls_server_config.cert_file: {self.dir}/absent.crt: No such file"),
                (TLS.replace("server.key", "alice.key"),
                 f":3: tls_server_config.key_file: {self.dir}/alice.key: not the key of the "),
                ("basic_auth_users:\n  a: b\n", ":2: basic_auth_users.a: expected " + USER),
                ("x: [\n", ":2: expected a value"),
        ):
            line = self.reload(web)
            self.assertIn("not reloaded", line)
            self.assertIn(self.path + complaint, line.replace('\\"', '"'))
            self.assertEqual(self.curl()[0], 200)
            time.sleep(PAGE_AGE)
            page = self.curl("/metrics")[1]
            self.assertIn("\ndnstap_exporter_config_last_reload_successful 0\n", page)
        self.assertIn("configuration reloaded", self.reload(TLS))

    def test_idle_tls_client_holds_nobody_up(self):
        with contextlib.ExitStack() as stack:
            for _ in range(8):
                peer = stack.enter_context(subprocess.Popen(
                    ["openssl", "s_client", "-quiet", "-connect", self.exporter.web],
                    stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
                stack.callback(peer.kill)
            for _ in range(5):
                begin = time.monotonic()
                self.assertEqual(self.curl("/metrics")[0], 200)
                self.assertLess(time.monotonic() - begin, limit(3))


class Certificates(Refusals, WebTest):
    web = TLS + "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.crt\n"

    def test_required_and_verified(self):
        self.assertEqual(self.promtool(), 0)
        self.assertEqual(self.curl()[0], 0)
        for name, served in (("alice", 200), ("mallory", 200), ("stranger", 0),
                             ("wrongly-used", 0)):
            self.assertEqual(self.curl("/", *self.as_client(name))[0], served, name)

    def test_connections_of_before(self):
        """Who came without a certificate is served no more once one is required."""
        self.reload(TLS)
        context = ssl.create_default_context(cafile=f"{self.dir}/ca.crt")
        host, port = self.exporter.web.split(":")
        with contextlib.closing(http.client.HTTPSConnection(host, int(port), context=context, timeout=limit(10))) as kept:
            for _ in range(2):
                kept.request("GET", "/-/healthy")
                self.assertEqual(kept.getresponse().read(), b"dnstap_exporter is healthy.\n")
            kept.auto_open = False
            self.reload(self.web)
            with self.assertRaises((OSError, http.client.HTTPException)):
                kept.request("GET", "/-/healthy")
                kept.getresponse()

    def refusal(self, version, *arguments):
        """What curl says. With TLS 1.3 its side of the handshake is done before ours: it sends its request, and may find the
        connection closed before it reads the alert."""
        for _ in range(20):
            done = subprocess.run(["curl", "-sS", "-k", "--tls-max", version, *arguments, f"https://{self.exporter.web}/"],
                                  check=False, capture_output=True, text=True)
            if "Broken pipe" not in done.stderr and "reset by peer" not in done.stderr:
                break
        return done.stderr

    def test_who_is_refused_gets_an_alert(self):
        alice = self.as_client("alice")
        for version, alert in ("1.2", "handshake failure"), ("1.3", "certificate required"):
            self.assertIn(alert, self.refusal(version))
            self.assertIn("alert unknown ca", self.refusal(version, *self.as_client("stranger")))
        with self.refused("no_client_certificate", 1, "no client certificate", *alice):
            self.curl()
        with self.refused("client_certificate", 1, "its certificate is not of", *alice):
            self.curl("/", *self.as_client("stranger"))

    def test_allowed_names(self):
        for san, name in (("alice.example", "alice"), ("alice@example.org", "alice"),
                          ("192.0.2.7", "machine"), ("2001:db8::7", "machine"),
                          ("spiffe://example/machine", "machine")):
            self.reload(self.web + f'  client_allowed_sans: ["other.example", "{san}"]\n')
            self.assertEqual(self.curl("/", *self.as_client(name))[0], 200, san)
            self.assertEqual(self.curl("/", *self.as_client("mallory"))[0], 0, san)
            self.assertEqual(self.curl("/", *self.as_client("stranger"))[0], 0, san)
        self.reload(self.web)

    def test_authorities_of_the_system(self):
        """Without client_ca_file, as exporter-toolkit does it."""
        for kind, without in ("RequireAndVerifyClientCert", 0), ("VerifyClientCertIfGiven", 200):
            self.assertIn("configuration reloaded", self.reload(TLS + f"  client_auth_type: {kind}\n"))
            self.assertEqual(self.promtool(), 0)
            self.assertEqual(self.curl()[0], without, kind)
            self.assertEqual(self.curl("/", *self.as_client("alice"))[0], 0, kind)
        self.reload(self.web)

    def test_what_other_exporters_take(self):
        """The kinds of files that exporter-toolkit's tests call good: taken, or refused by the key's name."""
        full = TLS + "  client_ca_file: ca.crt\n  client_auth_type: RequireAndVerifyClientCert\n"
        for web, refused in (
                ("", None),
                (TLS + "  client_auth_type: RequireAnyClientCert\n", None),
                (full + "  client_allowed_sans: [one, test3, two]\n", None),
                (full + "http_server_config: {http2: false}\n", None),
                (full + "  min_version: TLS12\n  max_version: TLS12\n  prefer_server_cipher_suites: false\n", None),
                ("http_server_config:\n  headers:\n    Content-Security-Policy: default-src 'self'\n    X-Frame-Options: deny\n"
                 "    X-Content-Type-Options: nosniff\n    X-XSS-Protection: '1'\n    Strict-Transport-Security: max-age=31536000\n", None),
                ("rate_limit: {interval: 1s, burst: 1}\n", None),
                ("rate_limit: {burst: 1}\n", None),
                (f"basic_auth_users: {{alice: {bcrypt(PASSWORD)}}}\n", None),
                ("basic_auth_users:\n  bob: $2y$18$" + 53 * "." + "\n", ":2: basic_auth_users.bob: expected " + USER),
                (full + "  cipher_suites: [TLS_AES_128_GCM_SHA256]\n", ":6: tls_server_config.cipher_suites: not to be chosen here"),
                (full + "  curve_preferences: [CurveP256]\n", ":6: tls_server_config.curve_preferences: not to be chosen here")):
            path = f"{self.dir}/other.yml"
            with open(path, "w", encoding="utf-8") as file:
                file.write(web)
            done = subprocess.run([os.environ["DNSTAP_EXPORTER"], f"--web.config.file={path}", "--config.check"],
                                  check=False, capture_output=True, text=True)
            self.assertEqual(done.returncode, 2 if refused else 0, web)
            self.assertIn(refused or "", done.stderr)

    def test_other_kinds(self):
        for kind, without, stranger in (("RequireAnyClientCert", 0, 200),
                                        ("RequestClientCert", 200, 200),
                                        ("VerifyClientCertIfGiven", 200, 0)):
            self.reload(self.web.replace("RequireAndVerifyClientCert", kind))
            self.assertEqual(self.curl()[0], without, kind)
            self.assertEqual(self.curl("/", *self.as_client("alice"))[0], 200, kind)
            self.assertEqual(self.curl("/", *self.as_client("stranger"))[0], stranger, kind)
        self.reload(self.web)


class Passwords(Refusals, WebTest):
    scheme = "http"
    web = f"""basic_auth_users:
  alice: {bcrypt(PASSWORD)}
  "b ob": {bcrypt("other").replace("$2b$", "$2y$")}
http_server_config:
  headers:
    X-Frame-Options: deny
    Strict-Transport-Security: max-age=60
    Content-Security-Policy: default-src 'self'
"""

    def login(self, user, password, path="/-/healthy"):
        return self.curl(path, "-u", f"{user}:{password}")

    def test_passwords(self):
        self.assertEqual(self.promtool(), 0)
        for user, password, status in (("alice", PASSWORD, 200), ("alice", PASSWORD, 200),
                                       ("alice", "wrong", 401), ("b ob", "other", 200),
                                       ("alice", "other", 401), ("", "", 401), ("nobody", "x", 401),
                                       ("alice", "", 401), ("ALICE", PASSWORD, 401)):
            self.assertEqual(self.login(user, password)[0], status, (user, password))
        status, body, headers = self.curl()
        self.assertEqual(status, 401)
        self.assertEqual(headers["WWW-Authenticate"],
                         'Basic realm="dnstap_exporter", charset="UTF-8"')
        self.assertEqual(body, "A user name and a password are needed.\n")
        for header in ("Authorization: Basic", "Authorization: Basic !!!", "Authorization: Bearer x",
                       "Authorization: Basic YWxpY2U="):
            self.assertEqual(self.curl("/", "-H", header)[0], 401, header)

    def test_a_password_with_nul_is_another(self):
        right, cut = (base64.b64encode(word).decode() for word in
                      (f"alice:{PASSWORD}".encode(), f"alice:{PASSWORD}\0more".encode()))
        self.assertEqual(self.curl("/", "-H", f"Authorization: basic   {right}")[0], 200)
        with self.refused("password", 1, "wrong user name or password", "-u", f"alice:{PASSWORD}"):
            self.assertEqual(self.curl("/", "-H", f"Authorization: Basic {cut}")[0], 401)
        with self.refused("password", 0, "wrong user name or password", "-u", f"alice:{PASSWORD}"):
            self.assertEqual(self.curl("/")[0], 401)

    def test_every_page_needs_one(self):
        for path in "/", "/metrics", "/status", "/config", "/-/healthy", "/-/ready", "/nothing":
            self.assertEqual(self.curl(path)[0], 401, path)
        self.assertEqual(self.curl("/-/reload", "-X", "POST")[0], 401)

    def test_headers(self):
        for path in "/", "/metrics", "/status", "/nothing":
            headers = self.login("alice", PASSWORD, path)[2]
            self.assertEqual(headers["X-Frame-Options"], "deny")
            self.assertEqual(headers["Strict-Transport-Security"], "max-age=60")
            self.assertEqual(headers["Content-Security-Policy"], "default-src 'self'")

    def test_configuration_shows_no_secret(self):
        page = self.login("alice", PASSWORD, "/config")[1]
        self.assertIn('# basic_auth_users: {"alice": <secret>, "b ob": <secret>}\n', page)
        self.assertNotIn("$2", page)
        path = os.path.join(self.dir, "shown.yml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(page)
        done = subprocess.run([os.environ["DNSTAP_EXPORTER"], f"--config.file={path}",
                               "--config.check"], check=False, capture_output=True, text=True)
        self.assertEqual(done.returncode, 0)
        self.assertRegex(done.stderr, r"\A(dnstap_exporter: in use, by this exporter if it runs: .*\n)*\Z")

    def test_a_password_changes_with_a_reload(self):
        self.assertEqual(self.login("alice", PASSWORD)[0], 200)
        self.reload(self.web.replace(bcrypt(PASSWORD), bcrypt("new")))
        self.assertEqual(self.login("alice", PASSWORD)[0], 401)
        self.assertEqual(self.login("alice", "new")[0], 200)
        self.reload(self.web)
        self.assertEqual(self.login("alice", PASSWORD)[0], 200)

    def seconds(self, user, password):
        """The exporter's own CPU time: unlike the time that passes, it is the same on a busy machine."""
        clock = ~self.exporter.process.pid << 3 | 2  # as clock_getcpuclockid(3) has it
        begin = time.clock_gettime(clock)
        self.assertEqual(self.login(user, password)[0], 401)
        return time.clock_gettime(clock) - begin

    def test_unknown_users_take_as_long(self):
        pairs = [(self.seconds("nobody", f"u{i}"), self.seconds("alice", f"k{i}"))
                 for i in range(10)]
        unknown, known = map(statistics.median, zip(*pairs))
        ratio = unknown / known
        self.assertGreater(ratio, 0.7)
        self.assertLess(ratio, 1.4)

    def test_a_flood_of_wrong_passwords(self):
        """Who has the right one is served meanwhile, and no page waits until a password is checked."""
        self.assertEqual(self.login("alice", PASSWORD)[0], 200)
        statuses, checks = [], []  # how long it took to refuse a wrong password
        ending = threading.Event()

        def flood(number):
            i = 0
            while not ending.is_set():
                i += 1
                begin = time.monotonic()
                status, _ = self.request("alice", f"wrong {number} {i}")
                statuses.append(status)
                if status == 401:
                    checks.append(time.monotonic() - begin)

        threads = [threading.Thread(target=flood, args=(i,)) for i in range(6)]
        quiet = self.latencies()
        for thread in threads:
            thread.start()
        try:
            wait_until(lambda: statuses.count(429) > statuses.count(401) > 0, 10, "a flood")
            flooded = self.latencies()
        finally:
            ending.set()
            for thread in threads:
                thread.join()
        self.assertEqual(set(statuses), {401, 429})
        self.assertGreater(statuses.count(429), statuses.count(401))
        self.assertLess(statistics.median(flooded), statistics.median(quiet) + statistics.median(checks))

    def test_a_reload_under_a_flood(self):
        """Whose password and hash are the same is known after it, too."""
        self.assertEqual(self.login("alice", PASSWORD)[0], 200)
        ending = threading.Event()

        def flood(number):
            while not ending.is_set():
                self.request("alice", f"wrong {number} {time.monotonic()}",
                             source=f"127.0.0.{2 + number % 5}")

        threads = [threading.Thread(target=flood, args=(i,)) for i in range(20)]
        for thread in threads:
            thread.start()
        try:
            time.sleep(0.3)
            self.assertIn("configuration reloaded", self.reload(self.web + "# again\n"))
            self.assertEqual([self.request("alice", PASSWORD)[0] for _ in range(10)], [200] * 10)
        finally:
            ending.set()
            for thread in threads:
                thread.join()
        self.reload(self.web)

    def latencies(self):
        seconds = []
        for _ in range(30):
            begin = time.monotonic()
            self.assertEqual(self.request("alice", PASSWORD, "/metrics")[0], 200)
            seconds.append(time.monotonic() - begin)
        return seconds

    def request(self, user, password, path="/-/healthy", source="127.0.0.1"):
        host, port = self.exporter.web.split(":")
        word = base64.b64encode(f"{user}:{password}".encode()).decode()
        with contextlib.closing(http.client.HTTPConnection(
                host, int(port), timeout=limit(10), source_address=(source, 0))) as connection:
            connection.request("GET", path, headers={"Authorization": f"Basic {word}"})
            with connection.getresponse() as response:
                return response.status, response.read()


class InlineCertificate(WebTest):
    """A certificate with its key, in the configuration itself."""

    @classmethod
    def write(cls, web):
        def indented(name):
            with open(os.path.join(cls.dir, name), encoding="ascii") as file:
                return "".join(f"    {line}" for line in file)
        super().write("tls_server_config:\n  cert: |\n" + indented("server.crt")
                      + indented("server.key") + "  key: |\n" + indented("server.key"))

    def test_it_works_and_is_not_shown(self):
        status, page, _ = self.curl("/config")
        self.assertEqual(status, 200)
        self.assertNotIn("PRIVATE", page)
        self.assertIn('#   cert: <secret>\n#   key: <secret>\n', page)


class TlsAndPasswords(WebTest):
    web = TLS + f"basic_auth_users:\n  alice: {bcrypt(PASSWORD)}\n"

    def test_both(self):
        self.assertEqual(self.promtool(), 0)
        self.assertEqual(self.curl()[0], 401)
        self.assertEqual(self.curl("/metrics", "-u", f"alice:{PASSWORD}")[0], 200)
        self.assertEqual(self.curl("/metrics", "-u", "alice:wrong")[0], 401)


class RateLimit(WebTest):
    scheme = "http"
    web = "rate_limit:\n  interval: 1h\n  burst: 5\n"

    def test_rate_limit(self):
        self.assertEqual([self.curl()[0] for _ in range(7)], [200] * 5 + [429] * 2)
        self.reload("rate_limit:\n  interval: 0\n  burst: 1\n")
        self.assertEqual([self.curl()[0] for _ in range(3)], [200] * 3)


class Lifecycle(WebTest):
    scheme = "http"
    flags = ("--web.enable-lifecycle",)

    def test_reload(self):
        for method in "POST", "PUT":
            self.assertEqual(self.curl("/-/reload", "-X", method)[:2],
                             (200, "Configuration reloaded.\n"))
        status, _, headers = self.curl("/-/reload")
        self.assertEqual((status, headers["Allow"]), (405, "POST, PUT, OPTIONS"))
        self.exporter.wait_for_log("configuration reloaded")

    def test_other_sites(self):
        """A page of another site does not make a browser reload it; our own may."""
        for origin, status in (("https://evil.example", 403), ("null", 403), (f"http://{self.exporter.web}.evil.example", 403),
                               (f"http://{self.exporter.web}", 200)):
            self.assertEqual(self.curl("/-/reload", "-X", "POST", "-H", f"Origin: {origin}")[0], status, origin)

    def test_a_broken_file(self):
        self.write("tls: {}\n")
        self.assertEqual(self.curl("/-/reload", "-X", "POST")[:2],
                         (500, f"{self.path}:1: tls: there is no such key\n"))
        self.write("")
        self.assertEqual(self.curl("/-/reload", "-X", "POST", "-d", "some body")[0], 200)

    def test_many_at_once(self):
        statuses = []
        threads = [threading.Thread(target=lambda: statuses.append(
            self.curl("/-/reload", "-X", "POST")[0])) for _ in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(statuses, [200] * 12)


class TlsLifecycle(WebTest):
    web = TLS
    flags = ("--web.enable-lifecycle",)

    def is_reading_the_list(self):
        folder = f"/proc/{self.exporter.process.pid}/fd"
        links = []
        for name in os.listdir(folder):
            with contextlib.suppress(OSError):
                links.append(os.readlink(os.path.join(folder, name)))
        return os.path.join(self.dir, "list.dat") in links

    def test_who_asks_during_a_reload_gets_another(self):
        """The first one takes long to read its suffix list; the second one sees what is there by
        then."""
        with open(os.path.join(self.dir, "list.dat"), "w", encoding="ascii") as file:
            file.writelines(f"x{number}.test\n" for number in range(1_000_000))
        self.exporter.write_config(CONFIG + 'public_suffix_list: "{dir}/list.dat"\n')
        answers = {}
        first = threading.Thread(target=lambda: answers.update(
            first=self.curl("/-/reload", "-X", "POST")[0]))
        second = threading.Thread(target=lambda: answers.update(
            second=self.curl("/-/reload", "-X", "POST")[0]))
        first.start()
        wait_until(self.is_reading_the_list, 20, "the first reload")
        second.start()
        self.write("broken: {}\n")
        first.join()
        second.join()
        self.assertEqual(answers, {"first": 200, "second": 500})
        self.exporter.write_config(CONFIG)
        self.write(TLS)
        self.assertEqual(self.curl("/-/reload", "-X", "POST")[0], 200)

    def test_a_certificate_that_is_a_pipe(self):
        """It is refused, and nobody waits for it."""
        path = os.path.join(self.dir, "pipe.crt")
        os.mkfifo(path)
        self.write(TLS.replace("server.crt", "pipe.crt"))
        status, body, _ = self.curl("/-/reload", "-X", "POST")
        self.assertEqual(status, 500)
        self.assertRegex(body, r"web\.yml:\d+: tls_server_config\.cert_file: .*pipe\.crt: not a regular file")
        self.write(TLS)
        self.assertEqual(self.curl("/-/reload", "-X", "POST")[0], 200)


class Mistakes(unittest.TestCase):
    """Each is one line with file, line and key, and exporter-toolkit's own check agrees."""

    CASES = (
        ("tls_server_config: {cert_file: a}\n", 1, "tls_server_config: missing key_file"),
        ("tls_server_config: {key_file: a}\n", 1, "tls_server_config: missing cert_file"),
        ("\ntls_server_config:\n  cert_file: a\n  cert_file: b\n", 4,
         "tls_server_config.cert_file: given twice"),
        ("tls_server_config:\n  nonsense: a\n", 2,
         "tls_server_config.nonsense: there is no such key"),
        ("tls_server_config: 1\n", 1, "tls_server_config: expected keys and values"),
        ("tls_server_config:\n  cert_file: [a]\n", 2,
         "tls_server_config.cert_file: expected a single value"),
        ("tls_server_config:\n  cert_file: a\n  key_file: b\n  client_auth_type: Maybe\n", 4,
         "tls_server_config.client_auth_type: expected NoClientCert, RequestClientCert, "
         "RequireAnyClientCert, VerifyClientCertIfGiven or RequireAndVerifyClientCert, got 'Maybe'"),
        ("tls_server_config:\n  cert_file: a\n  key_file: b\n  client_ca_file: c\n", 1,
         "tls_server_config: client_ca_file needs a client_auth_type"),
        ("http_server_config:\n  headers:\n    X-Other: a\n", 3,
         "http_server_config.headers.X-Other: there is no such key"),
        ("http_server_config:\n  headers:\n    X-Frame-Options: allow\n", 3,
         "http_server_config.headers.X-Frame-Options: expected deny or sameorigin, got 'allow'"),
        ("http_server_config:\n  http2: maybe\n", 2,
         "http_server_config.http2: expected true or false, got 'maybe'"),
        ("basic_auth_users:\n  a: secret\n", 2,
         "basic_auth_users.a: expected " + USER),
        ("nonsense: {}\n", 1, "nonsense: there is no such key"),
    )

    # What exporter-toolkit of Debian 12 does not know, or does not look at.
    OURS = (
        ("tls_server_config:\n  cert_file: a\n  key_file: b\n  client_allowed_sans: [a]\n", 1,
         "tls_server_config: client_allowed_sans needs the client_auth_type RequireAnyClientCert or "
         "RequireAndVerifyClientCert"),
        ("tls_server_config:\n  cert_file: a\n  key_file: b\n  min_version: TLS13\n"
         "  max_version: TLS12\n", 1, "tls_server_config: min_version is above max_version"),
        ("tls_server_config:\n  cipher_suites: [a]\n", 2,
         "tls_server_config.cipher_suites: not to be chosen here: GnuTLS's own order is used"),
        ("basic_auth_users:\n  a: $2y$15$" + 53 * "." + "\n", 2,
         "basic_auth_users.a: expected " + USER),
        ("basic_auth_users:\n  a: $2y$10$" + 21 * "." + "x" + 31 * "." + "\n", 2,
         "basic_auth_users.a: expected " + USER),
        ("basic_auth_users:\n  'a:b': x\n", 2,
         "basic_auth_users.a:b: expected " + USER),
        ("rate_limit: {interval: fast}\n", 1,
         "rate_limit.interval: expected a duration up to 1h, such as 1s, got 'fast'"),
        ("rate_limit: {burst: -1}\n", 1,
         "rate_limit.burst: expected a number up to 1000000, got '-1'"),
        ("http_server_config:\n  headers:\n    X-XSS-Protection: \"a\\nb\"\n", 3,
         "http_server_config.headers.X-XSS-Protection: expected a text without line breaks, got 'a?b'"),
    )

    def test_mistakes(self):
        exporter = Exporter()
        self.addCleanup(exporter.discard)
        path = os.path.join(exporter.dir, "web.yml")
        for cases, promtool_too in (self.CASES, True), (self.OURS, False):
            for web, line, complaint in cases:
                with open(path, "w", encoding="utf-8") as file:
                    file.write(web)
                done = subprocess.run(
                    [os.environ["DNSTAP_EXPORTER"], f"--web.config.file={path}", "--config.check"],
                    check=False, capture_output=True, text=True)
                self.assertEqual((done.returncode, done.stderr),
                                 (2, f"dnstap_exporter: {path}:{line}: {complaint}\n"))
                if promtool_too:
                    self.assertEqual(subprocess.run(
                        ["promtool", "check", "web-config", path], check=False,
                        capture_output=True).returncode, 1, web)

    def test_absent_file(self):
        exporter = Exporter(flags=["--web.config.file=/absent.yml", "--config.check"])
        self.addCleanup(exporter.discard)
        done = subprocess.run([os.environ["DNSTAP_EXPORTER"], *exporter.flags], check=False,
                              capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stderr),
                         (2, "dnstap_exporter: /absent.yml: No such file or directory\n"))


if __name__ == "__main__":
    unittest.main(verbosity=2)
