#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The process has given up what it does not need: somebody else's code in it, which tests/support/trespasser.c plays,
reaches no other file, no other port and no other system call; and the exporter goes on."""

import contextlib
import grp
import os
import pathlib
import pwd
import re
import signal
import socket
import subprocess
import tempfile
import unittest

from certificates import client_context, make_certificates
from exporter import PROGRAM, Exporter, free_port, wait_until
from sender import Sender, dns_message, dnstap_frame

ROOT = os.geteuid() == 0
TRESPASSER = os.environ["TRESPASSER"]        # the exporter with the trespasser in it
WITHOUT_CALLS = os.environ["WITHOUT_CALLS"]
SANITIZER = os.environ["SANITIZER"] != "none"  # its list of system calls is longer
CAPTURE = pathlib.Path(__file__).resolve().parents[1] / "captures" / "unbound-small.fstrm"
PARTS = ("no_new_privileges", "files", "network", "system_calls")


def landlock_version():
    """Of this machine's kernel; 0 where it has none."""
    code = ("import ctypes; libc = ctypes.CDLL(None, use_errno=True); "
            "print(max(0, libc.syscall(444, None, ctypes.c_size_t(0), ctypes.c_uint32(1))))")
    return int(subprocess.run(["/usr/bin/python3", "-c", code], check=True, capture_output=True, text=True).stdout)


LANDLOCK = landlock_version()

CONFIG = """
inputs: [{{name: unix, unix: "{{dir}}/dnstap.sock"}}]
outputs: [{{name: archive, tcp: "127.0.0.1:{output}"}}]
archive: {{folder: "{{dir}}/archive"}}
web: {{listen_addresses: ["{{web}}"]}}
sandbox: {sandbox}
"""


class Trespass:
    """An exporter with a trespasser, a port of its output, another port and a secret."""

    def __init__(self, sandbox, before=()):
        self.stack = contextlib.ExitStack()
        self.sandbox = sandbox
        self.before = before

    def __enter__(self):
        enter = self.stack.enter_context
        self.folder = enter(tempfile.TemporaryDirectory(prefix="dnstap_exporter_secret."))
        output = enter(socket.create_server(("127.0.0.1", 0))).getsockname()[1]
        other = enter(socket.create_server(("127.0.0.1", 0))).getsockname()[1]
        self.results = pathlib.Path(self.folder) / "results"
        secret = pathlib.Path(self.folder) / "secret"
        secret.write_text("key", encoding="ascii")
        self.exporter = Exporter(CONFIG.format(output=output, sandbox=self.sandbox), before=self.before)
        self.exporter.program = TRESPASSER
        self.exporter.may_violate = True
        self.exporter.env = {
            "TRESPASS_RESULTS": str(self.results), "TRESPASS_SECRET": str(secret),
            "TRESPASS_CONFIGURATION": self.exporter.config_path, "TRESPASS_NEW": f"{self.exporter.dir}/new",
            "TRESPASS_ARCHIVE": f"{self.exporter.dir}/archive/new",
            "TRESPASS_PORT": str(other), "TRESPASS_OUTPUT_PORT": str(output)}
        enter(self.exporter)
        return self

    def __exit__(self, *exception):
        return self.stack.__exit__(*exception)

    def trespass(self):
        """{what was tried: "done" or the error}"""
        self.exporter.process.send_signal(signal.SIGUSR1)
        wait_until(lambda: "end\n" in self.results.read_text(encoding="ascii"), 10, "the trespasser's results")
        return dict(line.split() for line in self.results.read_text(encoding="ascii").splitlines() if " " in line)

    def active(self):
        return {labels["part"]: value for labels, value in
                self.exporter.scrape().select("dnstap_exporter_sandbox_active")}

    def violations(self):
        return self.exporter.scrape().total("dnstap_exporter_sandbox_violations_total")


def status_of(exporter):
    """{field: its words} of /proc/PID/status."""
    text = pathlib.Path(f"/proc/{exporter.process.pid}/status").read_text(encoding="ascii")
    return {name: words.split() for name, words in (line.split(":", 1) for line in text.splitlines())}


def with_landlock(version, refused):
    return refused if LANDLOCK >= version else "done"


class Refused(unittest.TestCase):
    def expected(self):
        expected = {
            "read_secret": with_landlock(1, "EACCES"), "read_configuration": "done",
            "write_configuration": with_landlock(1, "EACCES"), "make_file": with_landlock(1, "EACCES"), "make_archive_file": "done",
            "connect_other_port": with_landlock(4, "EACCES"), "connect_output_port": "done",
            "packet_socket": "EPERM", "netlink_socket": "EAFNOSUPPORT",
            "memfd_create": "EPERM", "setsid": "EPERM",
            "fork": "EPERM", "write_and_execute": "EPERM", "execute": "done"}
        if SANITIZER:
            expected["fork"] = expected["write_and_execute"] = "done"
        return expected

    def test_files_ports_and_calls(self):
        with Trespass("on") as world:
            self.assertEqual(world.active(), {"no_new_privileges": 1, "files": LANDLOCK >= 1, "network": LANDLOCK >= 4,
                                              "system_calls": 1})
            self.assertEqual(world.violations(), 0)
            expected = self.expected()
            self.assertEqual(world.trespass(), expected)
            refused = sum(result == "EPERM" for result in expected.values())
            wait_until(lambda: world.violations() == refused, 10, f"{refused} violations in the metric")
            for call in "memfd_create", "setsid", "socket":
                world.exporter.wait_for_log(f"call={call}", 1)
            Sender(world.exporter.socket).send_all([dnstap_frame(dns_message())] * 10)
            self.assertEqual(world.exporter.scrape().total("dnstap_frames_total"), 10)

    def test_each_thread(self):
        with Trespass("on") as world:
            pid = world.exporter.process.pid
            for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
                text = (task / "status").read_text(encoding="ascii")
                self.assertIn("NoNewPrivs:\t1\n", text)
                self.assertIn("Seccomp:\t2\n", text)

    def test_another_program_ends_the_process(self):
        with Trespass("on") as world:
            world.exporter.process.send_signal(signal.SIGUSR2)
            self.assertEqual(world.exporter.wait(), 1)
            self.assertIn("dnstap_exporter: the sandbox forbids the system call execve: the process ends\n",
                          world.exporter.log())
            world.exporter.start()  # for the end of the test

    def test_off(self):
        with Trespass("off") as world:
            self.assertEqual(world.active(), dict.fromkeys(PARTS, 0))
            results = world.trespass()
            if not ROOT:
                results["packet_socket"] = "done"
            results["setsid"] = "done"  # it may be the leader of a group
            self.assertEqual(results, dict.fromkeys(self.expected(), "done"))
            self.assertEqual(world.violations(), 0)
            self.assertEqual(status_of(world.exporter)["NoNewPrivs"], ["0"])
            self.assertNotIn("sandbox", world.exporter.log())


class OtherKernels(unittest.TestCase):
    """The program starts where a part of the sandbox is missing, and says so."""

    def test_no_landlock(self):
        with Trespass("on", before=[WITHOUT_CALLS, "landlock_create_ruleset", "--"]) as world:
            self.assertEqual(world.active(), {"no_new_privileges": 1, "files": 0, "network": 0, "system_calls": 1})
            self.assertRegex(world.exporter.log(), 'level=warn msg="the sandbox is incomplete.*files=off')
            results = world.trespass()
            self.assertEqual((results["read_secret"], results["connect_other_port"], results["memfd_create"]),
                             ("done", "done", "EPERM"))

    @unittest.skipUnless(LANDLOCK >= 4, "an older kernel")
    def test_no_seccomp(self):
        with Trespass("on", before=[WITHOUT_CALLS, "seccomp", "--"]) as world:
            self.assertEqual(world.active(), {"no_new_privileges": 1, "files": 1, "network": 1, "system_calls": 0})
            self.assertRegex(world.exporter.log(), 'level=warn msg="the sandbox is incomplete.*calls=off')
            results = world.trespass()
            self.assertEqual((results["read_secret"], results["connect_other_port"], results["memfd_create"]),
                             ("EACCES", "EACCES", "done"))


class Reload(unittest.TestCase):
    """What a reload may name: files in the folders of the start."""

    CONFIG = ('inputs: [{name: unix, unix: "{dir}/dnstap.sock"}]\nweb: {listen_addresses: ["{web}"]}\n'
              "public_suffix_list: '%s'\n")

    @unittest.skipUnless(LANDLOCK, "the kernel has no Landlock")
    def test_other_folders_need_a_restart(self):
        with tempfile.TemporaryDirectory(dir="/var/tmp") as other:
            lists = pathlib.Path(other) / "list.dat"
            lists.write_text("com\norg\n", encoding="ascii")
            with Exporter(self.CONFIG % "") as exporter:
                near = pathlib.Path(exporter.dir) / "list.dat"
                near.write_text("com\n", encoding="ascii")
                web = pathlib.Path(exporter.dir) / "web.yml"
                web.write_text(f"tls_server_config: {{cert_file: {other}/a, key_file: {exporter.dir}/b}}\n",
                               encoding="ascii")
                exporter.write_config(self.CONFIG % near)
                exporter.process.send_signal(signal.SIGHUP)
                exporter.wait_for_log("configuration reloaded", 1)
                for text, key in (
                        (self.CONFIG % lists, "public_suffix_list"),
                        ((self.CONFIG % "").replace("{dir}/dnstap.sock", f"{other}/d.sock"), r"inputs\[0\].unix"),
                        ((self.CONFIG % "").replace("web: {", f"web: {{config_file: {lists}, "), "web.config_file"),
                        ((self.CONFIG % "").replace("web: {", f"web: {{config_file: {web}, "),
                         "tls_server_config.cert_file"),
                        ((self.CONFIG % "").replace("inputs: [", "inputs: [{name: n, tcp: ':1', tls: {key_file: '{dir}/k', "
                                                                 f"cert_file: {other}/c}}}}, "),
                         r"inputs\[0\].tls.cert_file")):
                    with self.subTest(key=key):
                        before = exporter.log().count("configuration not reloaded")
                        exporter.write_config(text)
                        exporter.process.send_signal(signal.SIGHUP)
                        exporter.wait_for_log("configuration not reloaded", before + 1)
                        self.assertRegex(exporter.log().splitlines()[-1], f"{key}.* is outside .*needs a restart")
                self.assertEqual(exporter.stop(), 0)
                exporter.write_config(self.CONFIG % lists)
                exporter.start()


    def test_the_first_tls(self):
        """What opens streams begins with the first input that needs it; connections go to ports of the start alone."""
        with Exporter(self.CONFIG % "") as exporter, socket.create_server(("127.0.0.1", 0)) as server:
            make_certificates(exporter.dir)
            port = free_port()
            more = (f"{{name: net, tcp: '127.0.0.1:{port}', tls: {{cert_file: server.crt, key_file: server.key}}}}, "
                    f"{{name: dialled, connect: 'unix:{exporter.dir}/server.sock'}}, ")
            exporter.write_config((self.CONFIG % "").replace("inputs: [", f"inputs: [{more}"))
            exporter.process.send_signal(signal.SIGHUP)
            exporter.wait_for_log("configuration reloaded", 1)
            Sender(("127.0.0.1", port), tls=client_context(exporter.dir)).send_all([dnstap_frame(dns_message())] * 10)
            self.assertEqual(exporter.scrape().total("dnstap_frames_total"), 10)
            exporter.wait_for_log("input cannot connect", 1)
            self.assertEqual(exporter.scrape().total("dnstap_exporter_sandbox_violations_total"), 0)
            if LANDLOCK >= 4:
                port = server.getsockname()[1]
                exporter.write_config((self.CONFIG % "").replace(
                    "inputs: [", f"inputs: [{{name: other, connect: 'tcp://127.0.0.1:{port}'}}, "))
                exporter.process.send_signal(signal.SIGHUP)
                exporter.wait_for_log("configuration not reloaded", 1)
                self.assertRegex(exporter.log().splitlines()[-1], r"inputs\[0\].connect: .* needs a restart")


class Read(unittest.TestCase):
    def run_read(self, *words, sandbox="on", file=CAPTURE, **options):
        with tempfile.NamedTemporaryFile("w", suffix=".yml") as config:
            config.write(f"sandbox: {sandbox}\n")
            config.flush()
            return subprocess.run([*words, PROGRAM, "read", f"--config.file={config.name}", file], check=False,
                                  capture_output=True, text=True, **options)

    def calls(self, sandbox):
        """Those that `read` makes behind the start of its sandbox."""
        with tempfile.NamedTemporaryFile("r") as trace:
            done = self.run_read("strace", "-f", "-o", trace.name, sandbox=sandbox)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(done.stderr, "")
            return trace.read()

    @unittest.skipIf(SANITIZER, "the leak sanitizer and strace cannot both trace")
    def test_it_is_sandboxed(self):
        on, off = self.calls("on"), self.calls("off")
        self.assertEqual(re.findall(r"landlock_restrict_self\(\d+, 0\) += 0", on) != [], LANDLOCK > 0)
        self.assertIn("SECCOMP_SET_MODE_FILTER", on)
        self.assertNotIn("landlock_restrict_self", off)
        self.assertNotIn("SECCOMP_SET_MODE_FILTER", off)
        self.assertNotIn("socket(", on)

    def test_the_trespasser_in_read(self):
        """It waits for standard input, with no network at all."""
        with tempfile.TemporaryDirectory() as folder, socket.create_server(("127.0.0.1", 0)) as server:
            results, secret = pathlib.Path(folder) / "results", pathlib.Path(folder) / "secret"
            secret.write_text("key", encoding="ascii")
            port = str(server.getsockname()[1])
            environment = {**os.environ, "TRESPASS_RESULTS": str(results), "TRESPASS_SECRET": str(secret),
                           "TRESPASS_CONFIGURATION": "/etc/passwd", "TRESPASS_NEW": f"{folder}/new",
                           "TRESPASS_ARCHIVE": f"{folder}/archive", "TRESPASS_PORT": port, "TRESPASS_OUTPUT_PORT": port}
            with subprocess.Popen([TRESPASSER, "read", "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, env=environment) as process:
                status = pathlib.Path(f"/proc/{process.pid}/status")
                mode = "Seccomp:\t2\n"
                wait_until(lambda: mode in status.read_text(encoding="ascii")
                           and "NoNewPrivs:\t1" in status.read_text(encoding="ascii")
                           and "State:\tS" in status.read_text(encoding="ascii"), 10, "the sandbox of read")
                process.send_signal(signal.SIGUSR1)
                wait_until(lambda: results.exists() and "end\n" in results.read_text(encoding="ascii"), 10, "results")
                page, log = process.communicate(CAPTURE.read_bytes())
            found = dict(line.split() for line in results.read_text(encoding="ascii").splitlines() if " " in line)
            self.assertEqual(process.returncode, 0, log)
            self.assertIn(b"dnstap_queries_total", page)
            for what in "read_secret", "read_configuration", "write_configuration", "make_file", "make_archive_file":
                self.assertEqual(found[what], with_landlock(1, "EACCES"), what)
            for what in "packet_socket", "netlink_socket", "memfd_create":
                self.assertEqual(found[what], "EPERM", what)
            self.assertIn(b"call=socket\n", log)


@unittest.skipUnless(ROOT, "only root becomes another user")
class User(unittest.TestCase):
    CONFIG = ('inputs: [{name: unix, unix: "{dir}/sockets/dnstap.sock"%s}]\nweb: {listen_addresses: ["{web}"]}\n'
              "detection: {new_domain: {state_file: '{dir}/sockets/known'}}\nuser: daemon\n")

    def exporter(self, keys=""):
        exporter = Exporter(self.CONFIG % keys)
        user = pwd.getpwnam("daemon")
        os.mkdir(f"{exporter.dir}/sockets")
        os.chown(f"{exporter.dir}/sockets", user.pw_uid, user.pw_gid)
        exporter.socket = f"{exporter.dir}/sockets/dnstap.sock"
        return exporter

    def test_it_becomes_the_user(self):
        user = pwd.getpwnam("daemon")
        with self.exporter() as exporter:
            status = status_of(exporter)
            self.assertEqual(status["Uid"], [str(user.pw_uid)] * 4)
            self.assertEqual(status["Gid"], [str(user.pw_gid)] * 4)
            self.assertEqual(status["Groups"], [str(group) for group in os.getgrouplist("daemon", user.pw_gid)])
            for kind, only in ("CapPrm", "1"), ("CapEff", "1"), ("CapAmb", "0"):  # CAP_CHOWN
                self.assertEqual(status[kind], ["0" * 15 + only], kind)
            for path in exporter.socket, f"{exporter.dir}/sockets/known":
                self.assertEqual(os.stat(path).st_uid, user.pw_uid, path)
            Sender(exporter.socket).send_all([dnstap_frame(dns_message())] * 10)
            self.assertEqual(exporter.scrape().total("dnstap_frames_total"), 10)
            self.assertGreater(exporter.scrape().total("process_open_fds"), 5)
            exporter.process.send_signal(signal.SIGHUP)
            exporter.wait_for_log("configuration reloaded", 1)
            os.unlink(exporter.socket)
            wait_until(lambda: os.path.exists(exporter.socket), 20, "the socket again")
            self.assertEqual(exporter.stop(), 0)
            self.assertFalse(os.path.exists(exporter.socket))
            exporter.start()

    def test_sockets_for_others(self):
        """It keeps the right to give sockets away, and no other."""
        with self.exporter(", group: nogroup") as exporter:
            self.assertEqual(status_of(exporter)["CapEff"], ["0" * 15 + "1"])
            for again in False, True:
                if again:
                    os.unlink(exporter.socket)
                    wait_until(lambda: os.path.exists(exporter.socket)
                               and os.stat(exporter.socket).st_gid != pwd.getpwnam("daemon").pw_gid, 20, "it again")
                found = os.stat(exporter.socket)
                self.assertEqual((found.st_uid, found.st_gid),
                                 (pwd.getpwnam("daemon").pw_uid, grp.getgrnam("nogroup").gr_gid))

    def test_a_group_that_a_reload_brings(self):
        with self.exporter() as exporter:
            exporter.write_config(self.CONFIG % ", group: nogroup")
            exporter.process.send_signal(signal.SIGHUP)
            exporter.wait_for_log("configuration reloaded", 1)
            self.assertEqual(os.stat(exporter.socket).st_gid, grp.getgrnam("nogroup").gr_gid)

    def test_who_is_not_root(self):
        with tempfile.TemporaryDirectory() as folder:
            os.chmod(folder, 0o777)
            done = subprocess.run([PROGRAM, "--user=daemon", f"--input.unix={folder}/x.sock",
                                   f"--web.listen-address=127.0.0.1:{free_port()}"],
                                  user="nobody", group="nogroup", extra_groups=[], check=False, capture_output=True,
                                  text=True, timeout=60)
            self.assertEqual(done.returncode, 1, done.stderr)
            self.assertRegex(done.stderr, "user: only root can become another user; .* user number [0-9]+")

    def test_no_such_user(self):
        done = subprocess.run([PROGRAM, "--user=no-such-user"], check=False, capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 2)
        self.assertIn("--user: expected", done.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
