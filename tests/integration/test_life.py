# SPDX-License-Identifier: Apache-2.0
"""The program's life: start, configuration and its errors, sockets on disk, reload, signals, its
log.
"""

import fcntl
import grp
import json
import os
import pathlib
import pwd
import re
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
import threading
import time
import unittest
import urllib.request

import sender
from exporter import PROGRAM, Exporter, Page, free_port, limit, wait_until
from sender import Sender, control, data, dns_message, dnstap_frame

ROOT = os.geteuid() == 0
SOON = 4  # seconds; "a second or so" with sanitizers

CONFIG = """
inputs:
  - name: unix
    unix: "{dir}/dnstap.sock"
web:
  listen_addresses: ["{web}"]
"""


def run(*flags, config=None, timeout=20, **options):
    """(exit status, standard output, standard error) of a run that ends by itself."""
    with tempfile.TemporaryDirectory() as folder:
        if config is not None:
            path = pathlib.Path(folder, "exporter.yml")
            path.write_bytes(config if isinstance(config, bytes) else config.encode())
            flags = [f"--config.file={path}", *flags]
        done = subprocess.run([PROGRAM, *flags], capture_output=True, text=True,
                              timeout=limit(timeout), check=False, errors="replace", **options)
        return done.returncode, done.stdout, done.stderr


def has_ipv6():
    """Containers often go without."""
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
            return True
    except OSError:
        return False


class CommandLine(unittest.TestCase):
    """Flags alone."""

    FLAGS = ("--config.file", "--config.check", "--web.listen-address", "--input.unix",
             "--input.tcp", "--log.level", "--log.format", "--version", "--help")

    def test_version(self):
        status, output, complaint = run("--version")
        self.assertEqual((status, complaint), (0, ""))
        self.assertRegex(output, r"^dnstap_exporter, version \d+\.\d+")

    def test_help(self):
        status, output, complaint = run("--help")
        self.assertEqual((status, complaint), (0, ""))
        for flag in self.FLAGS:
            self.assertIn(flag, output)
        self.assertIn("read", output)

    def test_who_may_read(self):
        """Without a password, and beyond the loopback, it is said once."""
        word = "without authentication: whoever connects sees clients"
        for address, expected in ("0.0.0.0", 1), ("127.0.0.2", 0), ("localhost", 0):
            with Exporter(CONFIG, flags=[f"--web.listen-address={address}:{free_port()}"]) as exporter:
                exporter.wait_for_log("serving metrics")
                exporter.stop()
                self.assertEqual(exporter.log().count(word), expected, address)

    def test_full_disk(self):
        """An output that is lost is an error status."""
        for arguments in ["--help"], ["--version"], ["--config.check"]:
            with open("/dev/full", "w", encoding="ascii") as full:
                done = subprocess.run([PROGRAM, *arguments], stdout=full, stderr=subprocess.PIPE, check=False)
            self.assertEqual(done.returncode, 1, arguments)
            self.assertIn(b"standard output: No space left on device\n", done.stderr)

    def test_wrong_flags(self):
        """Each is refused with a line that names it."""
        for flag, word in (("--nonsense", "nonsense"), ("--log.level=loud", "loud"),
                           ("--log.format=xml", "xml"), ("--input.tcp=nowhere", "nowhere"),
                           ("--input.tcp=127.0.0.1:70000", "70000"),
                           ("--web.listen-address=127.0.0.1:x", "127.0.0.1:x"),
                           ("--config.file=/nonexistent.yml", "/nonexistent.yml"),
                           ("superfluous", "superfluous"),
                           ("--input.unix=/" + "x" * 200, "x" * 50)):
            with self.subTest(flag=flag):
                status, output, complaint = run(flag, "--config.check")
                self.assertNotEqual(status, 0)
                self.assertEqual(output, "")
                self.assertIn(word, complaint)

    def test_address_forms(self):
        """Without a host every address is served, of IPv6 too; brackets hold an IPv6 address."""
        forms = [("localhost", ["127.0.0.1"]), ("0.0.0.0", ["127.0.0.1"])]
        if has_ipv6():
            forms += [("", ["127.0.0.1", "::1"]), ("[::1]", ["::1"])]
        for host, reachable in forms:
            port = free_port()
            with self.subTest(host=host), Exporter(
                    flags=[f"--input.tcp={host}:{port}"]) as exporter:
                for address in reachable:
                    socket.create_connection((address, port), limit(5)).close()
                wait_until(lambda: exporter.scrape().total(
                    "dnstap_connections_accepted_total", input="tcp") == len(reachable))

    def test_busy_web_address(self):
        """Said on start, and the socket file goes away again."""
        with tempfile.TemporaryDirectory() as folder, socket.socket() as busy:
            busy.bind(("127.0.0.1", 0))
            busy.listen()
            address = f"127.0.0.1:{busy.getsockname()[1]}"
            status, _, complaint = run(f"--web.listen-address={address}",
                                       f"--input.unix={folder}/s.sock")
            self.assertNotEqual(status, 0)
            self.assertIn(address, complaint)
            self.assertEqual(os.listdir(folder), [])


class Configuration(unittest.TestCase):
    """The configuration file: what is accepted, and how errors are told."""

    ERRORS = [  # file, line, key, and sometimes a word of what was expected
        ("wrokers: 1\n", 1, "wrokers"),
        ("workers: 1\nweb:\n  listen_adress: \":1\"\n", 3, "listen_adress"),
        ("web:\n  listen_addresses: [\":9353\"]\n  nested: {a: 1}\n", 3, "nested"),
        ("workers: many\n", 1, "workers"),
        ("workers: -1\n", 1, "workers"),
        ("workers: 100000\n", 1, "workers"),
        ("\n\nworkers: [1]\n", 3, "workers"),
        ("workers: 99999999999999999999\n", 1, "workers"),
        ("web: 9353\n", 1, "web"),
        ("web:\n  listen_addresses: [nonsense]\n", 2, "listen_addresses[0]"),
        ("web:\n  listen_addresses: [\"127.0.0.1:99999\"]\n", 2, "listen_addresses[0]"),
        ("web:\n  timeout: soon\n", 2, "timeout"),
        ("web:\n  timeout: 10\n", 2, "timeout"),
        ("web:\n  timeout: 0s\n", 2, "timeout"),
        ("web:\n  connections: 0\n", 2, "connections"),
        ("limits:\n  servers: 0\n", 2, "servers"),
        ("limits:\n  frame_size: 4294967296\n", 2, "frame_size"),
        ("limits:\n\n  # a comment\n  handshake_timeout: 5 parsecs\n", 4, "handshake_timeout"),
        ("matching: {capacity: 65536, timeout: never}\n", 1, "timeout"),
        ("log:\n  level: loud\n", 2, "level"),
        ("log:\n  format: xml\n", 2, "format"),
        ("log: {level: info}\nworkers: 1\nlog: {level: debug}\n", 3, "log"),
        ("web:\n  connections: 1\n  connections: 2\n", 3, "connections"),
        ("inputs: /run/socket\n", 1, "inputs"),
        ("inputs:\n  - name: a\n", 2, "unix"),
        ("inputs:\n  - unix: /tmp/a.sock\n", 2, "name"),
        ("inputs:\n  - name: a\n    unix: /tmp/a.sock\n    tcp: \":6000\"\n", 4, "tcp"),
        ("inputs:\n  - name: a\n    unix: /tmp/a.sock\n    mode: \"9999\"\n", 4, "mode"),
        ("inputs:\n  - name: a\n    unix: /tmp/a.sock\n    owner: nobody-at-all\n", 4, "owner"),
        ("inputs:\n  - name: a\n    unix: /tmp/a.sock\n    group: nobody-at-all\n", 4, "group"),
        ("inputs:\n  - name: a\n    tcp: here\n", 3, "tcp"),
        ("inputs:\n  - name: a\n    tcp: \":6000\"\n    mode: \"0600\"\n", 4, "mode"),
        ("inputs:\n  - name: a\n    unix: /tmp/a.sock\n  - name: a\n    unix: /tmp/b.sock\n",
         4, "name"),
        ("workers: 1\nweb: {\n", 3, ""),
        ("workers: 1\n\tweb: x\n", 2, ""),
        ("workers: &a 1\nlog: *b\n", 2, ""),
        (b"workers: \xff\n", 1, ""),
    ]

    def test_errors(self):
        """One line each: FILE:LINE: key: what is wrong."""
        for config, line, key in self.ERRORS:
            with self.subTest(config=config):
                status, output, complaint = run("--config.check", config=config)
                self.assertNotEqual(status, 0)
                self.assertEqual(output, "")
                found = re.fullmatch(r"(?:.*[ =\"])?/\S+/exporter\.yml:(\d+): (.*)\n", complaint)
                self.assertTrue(found, complaint)
                # libyaml names a broken place by the line before or after it, as it sees fit.
                self.assertLessEqual(abs(int(found[1]) - line), 0 if key else 1, complaint)
                self.assertIn(key, found[2])

    def test_errors_on_start(self):
        """Without --config.check the same error ends the start."""
        status, _, complaint = run(config="workers: many\n")
        self.assertNotEqual(status, 0)
        self.assertIn("exporter.yml:1: ", complaint)

    def test_check(self):
        """--config.check opens nothing and says so by its exit status."""
        with tempfile.TemporaryDirectory() as folder:
            path = f"{folder}/dnstap.sock"
            for config in ("", "{}\n", "# nothing\n", "---\nworkers: 2\n",
                           f"inputs:\n  - name: a\n    unix: {path}\n    mode: \"0600\"\n"):
                with self.subTest(config=config):
                    status, _, complaint = run("--config.check", config=config)
                    self.assertEqual(status, 0, complaint)
            self.assertFalse(os.path.exists(path))

    def test_example_file(self):
        """The file we ship shows the defaults and is sound."""
        example = pathlib.Path(__file__).resolve().parents[2] / "config" / "dnstap_exporter.yml"
        status, _, complaint = run("--config.check", f"--config.file={example}")
        self.assertEqual(status, 0, complaint)

    def test_every_key(self):
        port = free_port()
        config = f"""
inputs:
  - name: first
    unix: "{{dir}}/dnstap.sock"
    mode: "0660"
  - {{name: second, tcp: "127.0.0.1:{port}"}}
workers: 1
web: {{listen_addresses: ["{{web}}"], connections: 8, timeout: 1500ms}}
limits: {{servers: 2, unassigned_qtypes: 1, connections: 4, frame_size: 2000, handshake_timeout: 2s}}
matching: {{capacity: 64, timeout: 1m}}
log: {{level: debug, format: json}}
"""
        with Exporter(config) as exporter:
            Sender(exporter.socket).send_all([dnstap_frame(dns_message())])
            Sender(("127.0.0.1", port)).send_all([dnstap_frame(dns_message())] * 2)
            self.assertEqual(exporter.scrape().by("input", "dnstap_frames_total"),
                             {"first": 1, "second": 2})

    def test_flags_over_file(self):
        with tempfile.TemporaryDirectory() as folder:
            port = free_port()
            config = f"""
inputs:
  - name: unused
    unix: "{folder}/unused.sock"
web: {{listen_addresses: ["192.0.2.1:1"]}}
log: {{level: error, format: logfmt}}
"""
            flags = [f"--input.unix={folder}/a", f"--input.unix={folder}/b",
                     f"--input.tcp=127.0.0.1:{port}", "--log.level=debug", "--log.format=json"]
            with Exporter(config, flags) as exporter:
                addresses = [f"{folder}/a", f"{folder}/b", ("127.0.0.1", port)]
                for number, address in enumerate(addresses, 1):
                    Sender(address).send_all([dnstap_frame(dns_message())] * number)
                self.assertEqual(exporter.scrape().by("input", "dnstap_frames_total"),
                                 {"unix": 1, "unix2": 2, "tcp": 3})
                self.assertFalse(os.path.exists(f"{folder}/unused.sock"))
                for line in exporter.log().splitlines():
                    json.loads(line)


class DefaultSocket(unittest.TestCase):
    """No configuration at all works: there is a unix socket, and its path is said."""

    def find_socket(self, exporter):
        exporter.wait_for_log("serving metrics")  # after the lines about inputs
        return re.findall(r"/[^\s\"=]+\.sock", exporter.log())[-1]

    @unittest.skipUnless(ROOT, "only root can write into /run")
    def test_with_rights(self):
        path = "/run/dnstap_exporter/dnstap.sock"
        if os.path.exists(path):
            self.skipTest(f"{path} is somebody's")
        if not os.path.exists(os.path.dirname(path)):
            self.addCleanup(os.rmdir, os.path.dirname(path))
        with NoInputs() as exporter:
            self.assertEqual(self.find_socket(exporter), path)
            Sender(path).send_all([dnstap_frame(dns_message())])
            self.assertEqual(exporter.scrape().total("dnstap_frames_total"), 1)
        self.assertFalse(os.path.exists(path))

    @unittest.skipUnless(ROOT, "only root can become somebody else")
    def test_without_rights(self):
        """In the user's own run-time folder if there is one, else in a folder of ours."""
        nobody = pwd.getpwnam("nobody")
        fallback = f"/tmp/dnstap_exporter-{nobody.pw_uid}"
        if os.path.exists(fallback):
            self.skipTest(f"somebody uses {fallback}")
        self.addCleanup(shutil.rmtree, fallback, ignore_errors=True)
        with tempfile.TemporaryDirectory() as runtime:
            os.chown(runtime, nobody.pw_uid, nobody.pw_gid)
            for variable, folder in ((runtime, f"{runtime}/dnstap_exporter"), ("", fallback)):
                with self.subTest(folder), NoInputs(
                        user=nobody, env={"XDG_RUNTIME_DIR": variable}) as exporter:
                    path = self.find_socket(exporter)
                    self.assertEqual(path, f"{folder}/dnstap.sock")
                    self.assertEqual(os.stat(folder).st_mode & 0o022, 0)
                    Sender(path).send_all([dnstap_frame(dns_message())])
                    self.assertEqual(exporter.scrape().total("dnstap_frames_total"), 1)
                self.assertFalse(os.path.exists(path))

    @unittest.skipUnless(ROOT, "only root can become somebody else")
    def test_folder_of_somebody_else(self):
        """Whoever owns the folder owns the socket: a folder that is not ours is not taken."""
        nobody = pwd.getpwnam("nobody")
        with tempfile.TemporaryDirectory() as runtime:
            os.chown(runtime, nobody.pw_uid, nobody.pw_gid)
            trap = f"{runtime}/dnstap_exporter"
            os.mkdir(trap)
            os.chown(trap, pwd.getpwnam("daemon").pw_uid, nobody.pw_gid)
            os.chmod(trap, 0o775)
            self.addCleanup(shutil.rmtree, f"/tmp/dnstap_exporter-{nobody.pw_uid}",
                            ignore_errors=True)
            with NoInputs(user=nobody, env={"XDG_RUNTIME_DIR": runtime}) as exporter:
                self.assertFalse(self.find_socket(exporter).startswith(trap))


class NoInputs(Exporter):
    """An exporter that is told its web address and nothing else, possibly as another user."""

    def __init__(self, user=None, env=None):
        super().__init__(env=env)
        self.flags.pop()  # the input
        self.identity = {"user": user.pw_uid, "group": user.pw_gid,
                         "extra_groups": []} if user else {}

    def start(self):
        program = shutil.copy(PROGRAM, self.dir)  # others may not reach the folder it is built in
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen([program, *self.flags], stdout=log, stderr=log,
                                            env={**os.environ, **(self.env or {})}, cwd="/",
                                            **self.identity)
        wait_until(lambda: self.ready() or self.process.poll() is not None, 20, "readiness")
        assert self.process.poll() is None, f"exporter ended early:\n{self.log()}"
        return self


class SocketFile(unittest.TestCase):
    """The unix socket as a file."""

    def setUp(self):
        self.exporter = Exporter(CONFIG)
        self.addCleanup(shutil.rmtree, self.exporter.dir, ignore_errors=True)

    def refused(self):
        """Start, expect that it fails because of the socket; return what it says."""
        status, _, complaint = run(f"--config.file={self.exporter.config_path}",
                                   f"--web.listen-address=127.0.0.1:{free_port()}")
        self.assertNotEqual(status, 0)
        self.assertIn(self.exporter.socket, complaint)
        return complaint

    def test_stale_socket_is_replaced(self):
        with socket.socket(socket.AF_UNIX) as left_over:
            left_over.bind(self.exporter.socket)
        with self.exporter:
            Sender(self.exporter.socket).send_all([dnstap_frame(dns_message())])

    def test_socket_in_use_is_not(self):
        with socket.socket(socket.AF_UNIX) as other:
            other.bind(self.exporter.socket)
            other.listen()
            self.refused()
            with Sender(self.exporter.socket):
                other.settimeout(limit(5))
                for _ in range(2):  # ours, behind the one that looked whether somebody listens
                    try:
                        peer = other.accept()[0]
                    except TimeoutError:
                        break
                    peer.close()

    def test_second_exporter(self):
        with self.exporter:
            self.refused()
            Sender(self.exporter.socket).send_all([dnstap_frame(dns_message())])

    def test_what_is_no_socket_is_not(self):
        path = pathlib.Path(self.exporter.socket)
        path.write_text("precious")
        self.refused()
        self.assertEqual(path.read_text(), "precious")
        path.unlink()
        path.mkdir()
        self.refused()
        path.rmdir()
        precious = path.with_name("precious")
        precious.write_text("precious")
        path.symlink_to(precious)
        self.refused()
        self.assertEqual(precious.read_text(), "precious")

    def test_folder_that_is_not_there(self):
        self.exporter.write_config(CONFIG.replace("dnstap.sock", "missing/dnstap.sock"))
        self.exporter.socket = f"{self.exporter.dir}/missing/dnstap.sock"
        self.assertRegex(self.refused(), r"No such file or directory: there is no folder /\S+/missing; make it, or let systemd")

    @unittest.skipUnless(ROOT, "only root can be somebody else")
    def test_what_is_not_allowed(self):
        """Who may not do what: the folder, the owner, the group."""
        with tempfile.TemporaryDirectory() as folder:
            os.chmod(folder, 0o755)
            inner = pathlib.Path(folder) / "inner"
            inner.mkdir()
            os.chown(inner, pwd.getpwnam("nobody").pw_uid, -1)
            for path, more, message in (
                    (f"{folder}/a.sock", "", rf"Permission denied: this user \(number \d+\) may not write to the folder {folder}; choose another"),
                    (f"{inner}/a.sock", ", owner: daemon", r"cannot change its owner; root may, and a service with CAP_CHOWN: Operation not permitted"),
                    (f"{inner}/a.sock", ", group: daemon", r"cannot change its group; root may, a service with CAP_CHOWN as that of the package, and a member of the group \(adduser\): Operation not permitted")):
                config = pathlib.Path(folder) / "config.yml"
                config.write_text(f"inputs: [{{name: a, unix: {path}{more}}}]\nweb: {{listen_addresses: ['127.0.0.1:{free_port()}']}}\n")
                done = subprocess.run([PROGRAM, f"--config.file={config}"], user="nobody", group="nogroup", extra_groups=[],
                                      capture_output=True, text=True, check=False, timeout=limit(20))
                self.assertEqual(done.returncode, 1, done.stderr)
                self.assertRegex(done.stderr, message)

    def test_address_of_no_interface(self):
        done = subprocess.run([PROGRAM, "--input.tcp=192.0.2.1:6000", f"--web.listen-address=127.0.0.1:{free_port()}"],
                              capture_output=True, text=True, check=False, timeout=limit(20))
        self.assertEqual((done.returncode, done.stderr), (1, "dnstap_exporter: cannot listen on 192.0.2.1:6000: "
                                                             "Cannot assign requested address: no interface has this address\n"))

    def test_mode(self):
        for mode in ("0600", "0660", "0666", "0620"):
            with self.subTest(mode=mode):
                exporter = Exporter(CONFIG.replace("web:", f"    mode: \"{mode}\"\nweb:"))
                with exporter:
                    found = stat.S_IMODE(os.stat(exporter.socket).st_mode)
                    self.assertEqual(oct(found), oct(int(mode, 8)))

    @unittest.skipUnless(ROOT, "only root can give files away")
    def test_owner_and_group(self):
        for config, owner, group in (
                ("    owner: nobody\n    group: daemon\n", "nobody", "daemon"),
                ("    group: daemon\n", "root", "daemon"),
                ("    owner: \"1\"\n    group: \"2\"\n", 1, 2)):
            with self.subTest(config=config), Exporter(
                    CONFIG.replace("web:", f"{config}web:")) as exporter:
                found = os.stat(exporter.socket)
                self.assertEqual(
                    (found.st_uid, found.st_gid),
                    (owner if isinstance(owner, int) else pwd.getpwnam(owner).pw_uid,
                     group if isinstance(group, int) else grp.getgrnam(group).gr_gid))
                self.assertIn(f'group: "{group}"\n', exporter.get("/config")[2].decode())

    def test_removed_at_the_end(self):
        self.exporter.start()
        self.assertTrue(os.path.exists(self.exporter.socket))
        self.assertEqual(self.exporter.stop(), 0)
        self.assertFalse(os.path.exists(self.exporter.socket))


class Ending(unittest.TestCase):
    """SIGTERM and SIGINT: what has arrived is read, STOP is answered, and it is over soon."""

    FRAMES = [dnstap_frame(dns_message(number=number)) for number in range(500)]

    def end(self, exporter, sig=signal.SIGTERM):
        begin = time.monotonic()
        self.assertEqual(exporter.stop(sig), 0, exporter.log())
        self.assertLess(time.monotonic() - begin, limit(SOON))

    def test_signals(self):
        for sig in (signal.SIGTERM, signal.SIGINT):
            with self.subTest(sig), Exporter() as exporter:
                self.end(exporter, sig)

    def test_open_connections_do_not_delay(self):
        with Exporter() as exporter:
            idle = self.enterContext(Sender(exporter.socket)).start()
            idle.send(self.FRAMES[:1])
            half = self.enterContext(Sender(exporter.socket)).start()
            half.raw(data(self.FRAMES[0])[:-1])
            silent = self.enterContext(Sender(exporter.socket))
            web = self.enterContext(socket.create_connection(exporter.web.split(":")))
            web.sendall(b"GET /met")
            wait_until(lambda: exporter.scrape().total("dnstap_connections_accepted_total") == 3)
            self.end(exporter)
            for peer in (idle, half, silent):
                peer.wait_closed()

    def test_a_loud_peer_does_not_take_all_the_time(self):
        """One that sends without end over TCP, and another whose frames and STOP have arrived."""
        port = free_port()
        config = ("inputs:\n  - {name: unix, unix: '{dir}/dnstap.sock'}\n"
                  f"  - {{name: tcp, tcp: '127.0.0.1:{port}'}}\nworkers: 1\n")
        with Exporter(config) as exporter:
            peer = self.enterContext(Sender(exporter.socket)).start()
            with Sender(("127.0.0.1", port)) as loud:
                loud.start()
                thread = threading.Thread(target=self.blast, args=(loud,))
                thread.start()
                wait_until(lambda: exporter.scrape().total("dnstap_frames_total", input="tcp"))
                exporter.process.send_signal(signal.SIGSTOP)
                peer.raw(b"".join(map(data, self.FRAMES)) + control(sender.STOP))
                exporter.process.send_signal(signal.SIGTERM)
                exporter.process.send_signal(signal.SIGCONT)
                self.assertEqual(peer.read_control(), (sender.FINISH, []))
                exporter.wait(SOON)
                thread.join()

    def blast(self, loud):
        content = 100 * b"".join(map(data, self.FRAMES))
        deadline = time.monotonic() + limit(30)
        try:
            while time.monotonic() < deadline:
                loud.raw(content)
        except OSError:
            pass  # the exporter has gone

    def test_what_had_arrived_is_read(self):
        """FINISH answers a STOP that lies behind 500 frames: whoever answers it has read them all.
        The exporter is kept stopped until all of it and the signal are there, in either order.
        """
        farewell = b"".join(map(data, self.FRAMES)) + control(sender.STOP)
        for before in (True, False):
            with self.subTest(before=before), Exporter() as exporter:
                peer = self.enterContext(Sender(exporter.socket)).start()
                exporter.process.send_signal(signal.SIGSTOP)
                if before:
                    peer.raw(farewell)
                exporter.process.send_signal(signal.SIGTERM)
                if not before:
                    peer.raw(farewell)
                exporter.process.send_signal(signal.SIGCONT)
                self.check_farewell(exporter, peer)

    def test_who_had_come_is_heard(self):
        """The same for a connection that nobody has accepted when the signal comes."""
        with Exporter() as exporter:
            exporter.process.send_signal(signal.SIGSTOP)
            peer = self.enterContext(Sender(exporter.socket))
            peer.raw(control(sender.READY, sender.CONTENT_TYPE) + sender.stream(self.FRAMES))
            exporter.process.send_signal(signal.SIGTERM)
            exporter.process.send_signal(signal.SIGCONT)
            self.assertEqual(peer.read_control(), (sender.ACCEPT, [sender.CONTENT_TYPE]))
            self.check_farewell(exporter, peer)

    def check_farewell(self, exporter, peer):
        self.assertEqual(peer.read_control(), (sender.FINISH, []))
        self.assertEqual(peer.wait_closed(), b"")
        self.assertEqual(exporter.wait(SOON), 0)

    def test_nobody_is_accepted_any_more(self):
        with Exporter() as exporter:
            self.end(exporter)
            with self.assertRaises(OSError):
                Sender(exporter.socket)

    def test_under_load(self):
        """Servers that never stop sending do not keep it alive."""
        port = free_port()
        with Exporter(flags=[f"--input.tcp=127.0.0.1:{port}"]) as exporter:
            for address in (exporter.socket, ("127.0.0.1", port)):
                neighbour = self.enterContext(sender.Neighbour(address, batch=200, pause=0))
                wait_until(lambda: neighbour.sent > 2000)
            self.end(exporter)


class Reload(unittest.TestCase):
    """SIGHUP reads the configuration again."""

    SUCCESS = "dnstap_exporter_config_last_reload_successful"
    WHEN = "dnstap_exporter_config_last_reload_success_timestamp_seconds"

    def setUp(self):
        self.exporter = self.enterContext(Exporter(CONFIG))

    def reload(self, config, successful):
        """Have the exporter read this; return what it logs about it."""
        before = len(self.exporter.log())
        self.exporter.write_config(config)
        self.exporter.process.send_signal(signal.SIGHUP)
        wait_until(lambda: "reload" in self.exporter.log()[before:].lower()
                   or "exporter.yml:" in self.exporter.log()[before:], what="a word on the reload")
        wait_until(lambda: self.exporter.scrape().total(self.SUCCESS) == successful)
        return self.exporter.log()[before:]

    def test_good_and_bad_files(self):
        start = self.exporter.scrape()
        self.assertEqual(start.total(self.SUCCESS), 1)
        self.assertAlmostEqual(start.total(self.WHEN), time.time(), delta=60)
        log = self.reload(CONFIG + "wrokers: 1\n", 0)
        self.assertRegex(log, r"exporter\.yml:7: wrokers")
        self.assertEqual(self.exporter.scrape().total(self.WHEN), start.total(self.WHEN))
        self.reload(CONFIG, 1)
        self.assertGreaterEqual(self.exporter.scrape().total(self.WHEN), start.total(self.WHEN))
        os.unlink(self.exporter.config_path)
        self.exporter.process.send_signal(signal.SIGHUP)
        wait_until(lambda: self.exporter.scrape().total(self.SUCCESS) == 0)

    def test_connections_outlive_it(self):
        """A reload, good or bad, loses no frame and no connection."""
        peer = self.enterContext(Sender(self.exporter.socket)).start()
        for config, successful in ((CONFIG, 1), ("{", 0), (CONFIG, 1)):
            peer.send([dnstap_frame(dns_message())] * 10)
            self.reload(config, successful)
        peer.send([dnstap_frame(dns_message())] * 10)
        peer.stop()
        self.assertEqual(self.exporter.scrape().total("dnstap_queries_total"), 40)

    def test_log_level(self):
        self.reload(CONFIG + "log: {level: debug, format: json}\n", 1)
        before = len(self.exporter.log())
        log = self.reload(CONFIG + "log: {level: debug, format: json}\n", 1)
        self.assertTrue(log)
        for line in self.exporter.log()[before:].splitlines():
            json.loads(line)

    def test_limits(self):
        """Those on connections take effect at once."""
        self.reload(CONFIG + "limits: {handshake_timeout: 1m}\n", 1)
        places = [self.enterContext(Sender(self.exporter.socket)) for _ in range(3)]
        self.reload(CONFIG + "limits: {connections: 2, handshake_timeout: 1s}\n", 1)
        late = self.enterContext(Sender(self.exporter.socket))
        for place in places[:2]:  # they make room for the late one
            self.assertEqual(place.wait_closed(), b"")
        wait_until(lambda: self.exporter.scrape().by(
            "reason", "dnstap_connections_closed_total").get("limit") == 2)
        self.assertEqual(late.wait_closed(), b"")  # it said nothing for a second
        places[2].start().stop()  # what was open keeps the time it had been given
        self.assertEqual(self.exporter.scrape().total(
            "dnstap_connections_closed_total", reason="handshake_timeout"), 1)

    def test_socket_mode(self):
        self.reload(CONFIG.replace("web:", "    mode: \"0600\"\nweb:"), 1)
        wait_until(lambda: stat.S_IMODE(os.stat(self.exporter.socket).st_mode) == 0o600)

    def test_what_needs_a_restart(self):
        """It is named in a warning, and stays as it was."""
        changes = {
            "workers": CONFIG + "workers: 3\n",
            "web.connections": CONFIG + "  connections: 7\n",
            "web.timeout": CONFIG + "  timeout: 7s\n",
            "limits.servers": CONFIG + "limits: {servers: 3}\n",
            "limits.unassigned_qtypes": CONFIG + "limits: {unassigned_qtypes: 3}\n",
            "limits.frame_size": CONFIG + "limits: {frame_size: 3000}\n",
            "matching.capacity": CONFIG + "matching: {capacity: 16}\n",
            "matching.timeout": CONFIG + "matching: {timeout: 3s}\n",
            "window": CONFIG + "window: 1m\n",
            "top.capacity": CONFIG + "top: {capacity: 99}\n",
            "top.lists": CONFIG + "top: {lists: [qname_queries]}\n",
            "privacy.client_hash": CONFIG + "privacy: {client_hash: true}\n",
            "detection.nxdomain_client.min_domains": CONFIG + "detection: {nxdomain_client: {min_domains: 99}}\n",
        }
        for key, config in changes.items():
            with self.subTest(key=key):
                log = self.reload(config, 1)
                warnings = [line for line in log.splitlines() if "level=warn" in line]
                self.assertEqual(len(warnings), 1, log)
                self.assertIn(key, warnings[0])
                self.assertIn("restart", warnings[0])
                Sender(self.exporter.socket).send_all([dnstap_frame(dns_message())])
        self.assertNotIn("level=warn", self.reload(CONFIG, 1))


class Logs(unittest.TestCase):
    """Lines that machines can read, whatever peers say."""

    NASTY = b'quo"te\nnew=line \\ \xff\0{}'

    def provoke(self, *flags):
        """The log of an exporter to which unpleasant things happen."""
        with Exporter(flags=["--log.level=debug", *flags]) as exporter:
            for content in (control(sender.READY, self.NASTY), control(sender.START, self.NASTY),
                            b"garbage", control(77)):
                with Sender(exporter.socket) as peer:
                    peer.raw(content)
            Sender(exporter.socket).send_all(
                [dnstap_frame(dns_message(), identity=self.NASTY)])
            wait_until(lambda: exporter.scrape().total("dnstap_connections_closed_total") == 5)
            self.assertEqual(exporter.stop(), 0)
            return exporter.log().splitlines()

    def lose_lines(self, exporter):
        """Have long lines written until some are lost; returns how many."""
        exporter.write_config(f"window: {'x' * 3000}\n")
        lines = 0
        while not exporter.scrape().total("dnstap_exporter_log_lines_lost_total"):
            for _ in range(10):
                self.assertEqual(exporter.get("/-/reload", "POST")[0], 500)
            lines += 10
        return lines

    def test_nobody_reads_it(self):
        """A log that is a full pipe stops neither counting nor ending."""
        reader, writer = os.pipe()
        fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
        exporter = Exporter(CONFIG, flags=["--web.enable-lifecycle"])
        self.addCleanup(shutil.rmtree, exporter.dir)
        exporter.process = subprocess.Popen([PROGRAM, *exporter.flags], stderr=writer)
        self.addCleanup(exporter.wait, SOON)
        self.addCleanup(exporter.process.kill)
        os.close(writer)
        wait_until(exporter.ready, 20, "readiness")
        self.lose_lines(exporter)
        Sender(exporter.socket).send_all([dnstap_frame(dns_message())])
        self.assertEqual(exporter.scrape().total("dnstap_queries_total"), 1)
        begin = time.monotonic()
        exporter.process.send_signal(signal.SIGTERM)
        self.assertEqual(exporter.wait(SOON), 0)
        self.assertLess(time.monotonic() - begin, limit(SOON))
        os.close(reader)

    def test_somebody_reads_again(self):
        """Nothing that fits the queue is lost, and the first line after a loss has its size."""
        reader, writer = os.pipe()
        exporter = Exporter(CONFIG, flags=["--web.enable-lifecycle"])
        self.addCleanup(shutil.rmtree, exporter.dir)
        exporter.process = subprocess.Popen([PROGRAM, *exporter.flags], stderr=writer)
        self.addCleanup(exporter.process.kill)
        os.close(writer)
        wait_until(exporter.ready, 20, "readiness")
        reloads = self.lose_lines(exporter)
        lost = int(exporter.scrape().total("dnstap_exporter_log_lines_lost_total"))
        with os.fdopen(reader, "rb") as lines:
            said = []
            for line in lines:
                said.append(line)
                if line.startswith(b"ts=") and b"reloaded" in line and len(said) == 10:
                    exporter.get("/-/reload", "POST")
                    exporter.process.send_signal(signal.SIGTERM)
        reloaded = [line for line in said if b"reloaded" in line]
        self.assertEqual(len(reloaded), reloads + 1 - lost)
        counted = [line for line in said if b"lines_lost_before=" in line]
        self.assertEqual(len(counted), 1)
        self.assertIn(f"lines_lost_before={lost}\n".encode(), counted[0])
        self.assertEqual(exporter.wait(SOON), 0)

    def test_a_reconnect_loop(self):
        """One line for each peer and reason in a minute."""
        with Exporter() as exporter:
            for _ in range(500):
                Sender(exporter.socket).close()
            page = wait_until(lambda: (page := exporter.scrape()).total(
                "dnstap_connections_closed_total") == 500 and page)
            self.assertEqual(page.total("dnstap_exporter_log_lines_lost_total"), 0)
            exporter.wait_for_log("connection accepted")
            self.assertEqual(exporter.log().count("connection accepted"), 1)
            # It makes room for its next one, or goes away first.
            self.assertLessEqual(exporter.log().count("connection closed"), 2, exporter.log())

    def test_json(self):
        lines = [json.loads(line) for line in self.provoke("--log.format=json")]
        self.assertGreater(len(lines), 4)
        for line in lines:
            self.assertIn(line["level"], ("debug", "info", "warn", "error"))
            self.assertTrue(line["msg"])
            self.assertRegex(line["ts"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z$")

    def test_logfmt(self):
        lines = self.provoke()
        self.assertGreater(len(lines), 4)
        value = r'(?:[^\s"=]+|"(?:[^"\\]|\\.)*")'
        form = rf"^ts=\S+ level=(debug|info|warn|error) msg={value}( [a-z_.]+={value})*$"
        for line in lines:
            self.assertRegex(line, form)

    def test_level(self):
        with Exporter(flags=["--log.level=error"]) as exporter:
            Sender(exporter.socket).send_all([dnstap_frame(dns_message())])
            self.assertEqual(exporter.stop(), 0)
            self.assertEqual(exporter.log(), "")


class LostSocket(unittest.TestCase):

    def test_removed(self):
        """It is made again within five seconds; at a reload at once."""
        with Exporter() as exporter:
            os.unlink(exporter.socket)
            wait_until(lambda: os.path.exists(exporter.socket), 5, "the socket file")
            Sender(exporter.socket).send_all([dnstap_frame(dns_message())])
            self.assertEqual(exporter.scrape().total("dnstap_queries_total"), 1)
            exporter.wait_for_log("the socket file was removed, it has been recreated")
            self.assertTrue(exporter.ready())
        self.assertFalse(os.path.exists(exporter.socket))

    def test_no_place(self):
        """While it cannot be made the exporter is not ready, and says so once."""
        with tempfile.TemporaryDirectory() as folder:
            inner = os.path.join(folder, "inner")
            os.mkdir(inner)
            path = os.path.join(inner, "dnstap.sock")
            with Exporter(f"inputs: [{{name: a, unix: \"{path}\"}}]\n") as exporter:
                self.assertEqual(exporter.scrape().total("dnstap_input_listening", input="a"), 1)
                os.rename(inner, inner + "2")
                wait_until(lambda: not exporter.ready(), 5, "readiness to end")
                self.assertEqual(exporter.scrape().total("dnstap_input_listening"), 0)
                time.sleep(1.5)
                self.assertEqual(exporter.log().count("cannot be made again"), 1)
                os.mkdir(inner)
                wait_until(exporter.ready, 5, "readiness")
                Sender(path).send_all([dnstap_frame(dns_message())])
                page = exporter.scrape()
                self.assertEqual((page.total("dnstap_input_listening"),
                                  page.total("dnstap_queries_total")), (1, 1))


class Descriptors(unittest.TestCase):

    def test_a_terminal_that_nobody_reads(self):
        """Lines are dropped and counted; workers, pages and the end wait for nobody."""
        web = f"127.0.0.1:{free_port()}"
        controller, terminal = os.openpty()
        with tempfile.TemporaryDirectory() as folder, os.fdopen(controller, "rb", 0) as screen:
            path = os.path.join(folder, "dnstap.sock")
            with subprocess.Popen([PROGRAM, f"--web.listen-address={web}",
                                   "--web.enable-lifecycle", f"--input.unix={path}"],
                                  stderr=terminal) as process:
                os.close(terminal)
                try:
                    wait_until(lambda: os.path.exists(path))
                    for _ in range(100):
                        Sender(path).send_all([dnstap_frame(dns_message())])
                        request = urllib.request.Request(f"http://{web}/-/reload", method="POST")
                        with urllib.request.urlopen(request, timeout=limit(10)):
                            pass  # a line; a terminal takes some 4 KiB
                    with urllib.request.urlopen(f"http://{web}/metrics", timeout=limit(10)) as answer:
                        page = Page(answer.read().decode())
                    self.assertEqual(page.total("dnstap_queries_total"), 100)
                finally:
                    process.terminate()
                self.assertEqual(process.wait(limit(20)), 0)

    def test_closed_standard_descriptors(self):
        """Log lines go nowhere, and not into what would have got the numbers."""
        web = f"127.0.0.1:{free_port()}"
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "dnstap.sock")
            with subprocess.Popen(
                    ["sh", "-c", 'exec "$0" "$@" <&- >&- 2>&-', PROGRAM,
                     f"--web.listen-address={web}", f"--input.unix={path}"]) as process:
                try:
                    wait_until(lambda: os.path.exists(path))
                    links = [os.readlink(f"/proc/{process.pid}/fd/{fd}") for fd in range(3)]
                    self.assertEqual(links, ["/dev/null"] * 3)
                    with Sender(path) as sender:
                        sender.start().send([dnstap_frame(dns_message())])
                        sender.stop()
                        self.assertEqual(sender.wait_closed(), b"")
                finally:
                    process.terminate()
            self.assertEqual(process.returncode, 0)


if __name__ == "__main__":
    unittest.main()
