# SPDX-License-Identifier: Apache-2.0
"""Where the web server listens, the configuration it shows, and scrapes that meet a reload or the end."""

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import threading
import time
import unittest

from exporter import PROGRAM, Exporter, Page, free_port, limit, wait_until
from sender import Neighbour, Sender, dns_message, dns_response, dnstap_frame


def get(address, path="/-/healthy", family=socket.AF_INET):
    """(status, body) from HOST:PORT, or from the path of a unix socket."""
    host = address if family == socket.AF_UNIX else address.rpartition(":")[0].strip("[]")
    with socket.socket(family) as peer, contextlib.closing(
            http.client.HTTPConnection("localhost")) as connection:
        peer.settimeout(limit(10))
        peer.connect(address if family == socket.AF_UNIX
                     else (host, int(address.rpartition(":")[2])))
        connection.sock = peer
        connection.request("GET", path)
        with connection.getresponse() as response:
            return response.status, response.read()


class Addresses(unittest.TestCase):

    def test_several(self):
        second, third = f"127.0.0.1:{free_port()}", f"[::1]:{free_port()}"
        with Exporter(flags=[f"--web.listen-address={second}", f"--web.listen-address={third}"]) as it:
            self.assertEqual(get(it.web)[0], 200)
            self.assertEqual(get(second)[0], 200)
            self.assertEqual(get(third, family=socket.AF_INET6)[0], 200)
            it.wait_for_log("serving metrics", 3)

    def test_both_families_on_one(self):
        port = free_port()
        with Exporter(flags=[f"--web.listen-address=:{port}"]):
            self.assertEqual(get(f"127.0.0.1:{port}")[0], 200)
            self.assertEqual(get(f"[::1]:{port}", family=socket.AF_INET6)[0], 200)

    def test_one_that_is_taken_refuses_all(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            address = f"127.0.0.1:{taken.getsockname()[1]}"
            done = subprocess.run(
                [PROGRAM, f"--web.listen-address=127.0.0.1:{free_port()}",
                 f"--web.listen-address={address}", "--input.tcp=127.0.0.1:" + str(free_port())],
                check=False, capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stderr),
                         (1, f"dnstap_exporter: cannot listen on {address}: Address already in use: ss -ltnp shows which process listens there\n"))

    def test_too_many(self):
        done = subprocess.run([PROGRAM, *["--web.listen-address=:1"] * 9], check=False,
                              capture_output=True, text=True)
        self.assertEqual(done.returncode, 2)
        self.assertIn("more than 8 entries", done.stderr)


class SystemdSockets(unittest.TestCase):
    """The sockets come from systemd's own tool, which starts the program at the first connection."""

    def activate(self, *sockets, names=(), flags=("--web.systemd-socket",)):
        exporter = Exporter(flags=flags)
        self.addCleanup(exporter.discard)
        listen = [word for name in sockets for word in ("-l", name)]
        listen += [f"--fdname={':'.join(names)}"] if names else []
        with open(exporter.log_path, "wb") as log:
            exporter.process = subprocess.Popen(
                ["systemd-socket-activate", *listen, PROGRAM, *exporter.flags],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wait_until(lambda: "Listening on" in exporter.log(), 10, "the sockets")
        return exporter

    def test_tcp_and_unix(self):
        address = f"127.0.0.1:{free_port()}"
        path = os.path.join("/tmp", f"dnstap_exporter_activation.{os.getpid()}.sock")
        self.addCleanup(lambda: os.path.exists(path) and os.unlink(path))
        exporter = self.activate(address, path)
        self.assertEqual(get(address)[0], 200)
        self.assertEqual(get(path, family=socket.AF_UNIX)[0], 200)
        wait_until(lambda: "serving metrics on systemd's sockets" in exporter.log(), 5, "the log")
        with self.assertRaises(OSError):
            get(exporter.web)  # in place of the configured addresses
        self.assertEqual(exporter.stop(), 0)

    def test_an_input(self):
        """The socket with the input's name is the input's, and its file stays; others are the web's."""
        path = os.path.join("/tmp", f"dnstap_exporter_activation.{os.getpid()}.sock")
        self.addCleanup(lambda: os.path.exists(path) and os.unlink(path))
        address = f"127.0.0.1:{free_port()}"
        exporter = self.activate(path, address, names=["unix", "web"])
        Sender(path).send_all([dnstap_frame(dns_message(number=i)) for i in range(100)])
        status, page = get(address, "/metrics")
        self.assertEqual(status, 200)
        self.assertEqual(Page(page.decode()).total("dnstap_frames_total", input="unix"), 100)
        self.assertFalse(os.path.exists(exporter.socket))  # what the flag would have made
        self.assertEqual(exporter.stop(), 0)
        self.assertTrue(os.path.exists(path))

    def test_a_socket_of_nobody(self):
        path = os.path.join("/tmp", f"dnstap_exporter_activation.{os.getpid()}.sock")
        self.addCleanup(lambda: os.path.exists(path) and os.unlink(path))
        exporter = self.activate(path, names=["other"], flags=())
        Sender(path).close()
        wait_until(lambda: get(exporter.web)[0] == 200 if "serving" in exporter.log() else False, 10,
                   "the start")
        wait_until(lambda: "no input has the name of this socket from systemd, it is closed"
                   in exporter.log(), 5, "the log")
        self.assertEqual(exporter.stop(), 0)

    def test_an_input_of_another_kind(self):
        address = f"127.0.0.1:{free_port()}"
        exporter = self.activate(address, names=["unix"], flags=())
        host, port = address.split(":")
        socket.create_connection((host, int(port))).close()
        self.assertEqual(exporter.wait(), 1)
        self.assertIn("systemd's socket unix: not a listening unix stream socket, as the input is",
                      exporter.log())

    def test_none(self):
        done = subprocess.run([PROGRAM, "--web.systemd-socket"], check=False, capture_output=True,
                              text=True)
        self.assertEqual((done.returncode, done.stderr),
                         (1, "dnstap_exporter: --web.systemd-socket: systemd has passed no socket\n"))


class Notifications(unittest.TestCase):
    """What systemd is told, by sd_notify(3)."""

    def test_life(self):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
            exporter = Exporter()
            self.addCleanup(exporter.discard)
            path = os.path.join(exporter.dir, "notify")
            systemd.bind(path)
            systemd.settimeout(limit(10))
            watchdog = limit(0.6)  # seconds, in half of which systemd is to hear
            exporter.env = {"NOTIFY_SOCKET": path, "WATCHDOG_USEC": f"{watchdog * 1e6:.0f}"}

            def heard():
                return systemd.recv(4096).decode()

            def next_but_watchdog():
                while (said := heard()) == "WATCHDOG=1":
                    pass
                return said

            exporter.start()
            self.assertEqual(heard(), "READY=1")
            times = []
            for _ in range(5):
                self.assertEqual(heard(), "WATCHDOG=1")
                times.append(time.monotonic())
            self.assertLess(max(b - a for a, b in zip(times, times[1:])), watchdog)
            exporter.process.send_signal(signal.SIGHUP)
            self.assertEqual(next_but_watchdog(), "RELOADING=1")
            self.assertEqual(next_but_watchdog(), "READY=1")
            self.assertEqual(exporter.stop(), 0)
            self.assertEqual(next_but_watchdog(), "STOPPING=1")


class Configuration(unittest.TestCase):

    def test_what_is_shown_is_a_configuration(self):
        with Exporter() as exporter:
            status, headers, body = exporter.get("/config")
            self.assertEqual((status, headers["Content-Type"]),
                             (200, "application/yaml; charset=utf-8"))
            path = os.path.join(exporter.dir, "shown.yml")
            with open(path, "wb") as file:
                file.write(body)
            done = subprocess.run([PROGRAM, f"--config.file={path}", "--config.check"], check=False,
                                  capture_output=True, text=True)
            self.assertEqual(done.returncode, 0)
            self.assertRegex(done.stderr, r"\A(dnstap_exporter: in use, by this exporter if it runs: .*\n)*\Z")
            self.assertIn(f'unix: "{exporter.socket}"'.encode(), body)

    def test_the_check_looks_into_the_suffix_list(self):
        exporter = Exporter('public_suffix_list: "{dir}/absent.dat"\n')
        self.addCleanup(exporter.discard)
        done = subprocess.run([PROGRAM, "--config.check", f"--config.file={exporter.config_path}"],
                              check=False, capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stderr),
                         (2, f"dnstap_exporter: public_suffix_list: {exporter.dir}/absent.dat: "
                             "No such file or directory\n"))

    def test_it_follows_a_reload(self):
        config = """
inputs: [{name: unix, unix: "{dir}/dnstap.sock"}]
limits: {connections: CONNECTIONS}
window: WINDOW
"""
        with Exporter(config.replace("CONNECTIONS", "7").replace("WINDOW", "1m")) as exporter:
            self.assertIn(b"  connections: 7\n", exporter.get("/config")[2])
            exporter.write_config(config.replace("CONNECTIONS", "8").replace("WINDOW", "2m"))
            exporter.process.send_signal(signal.SIGHUP)
            wait_until(lambda: b"  connections: 8\n" in exporter.get("/config")[2], 10, "the reload")
            # What takes a restart is shown as it is in force.
            self.assertIn(b"\nwindow: 1m\n", exporter.get("/config")[2])


class Lifecycle(unittest.TestCase):

    def test_off_unless_asked_for(self):
        with Exporter() as exporter:
            for method in "POST", "PUT":
                status, _, body = exporter.get("/-/reload", method)
                self.assertEqual(status, 403)
                self.assertIn(b"--web.enable-lifecycle", body)
            status, headers, _ = exporter.get("/-/reload")
            self.assertEqual((status, headers["Allow"]), (405, "POST, PUT, OPTIONS"))
            self.assertNotIn("reloaded", exporter.log())


class StatusJson(unittest.TestCase):

    def test_numbers(self):
        with Exporter() as exporter:
            begin = 1_700_000_000_000_000_000
            frames = [b"\xff"]
            for i in range(20):
                frames.append(dnstap_frame(dns_message(number=i), identity=b"ns1", when_ns=begin))
                frames.append(dnstap_frame(dns_response(number=i, rcode=3 * (i % 2)),
                                           "CLIENT_RESPONSE", b"ns1", begin + 1_000_000))
            Sender(exporter.socket).send_all(frames)
            wait_until(lambda: exporter.scrape().total("dnstap_connections") == 0)
            exporter.wait_for_evaluation()
            status, headers, body = exporter.get("/api/v1/status?limit=3")
            self.assertEqual((status, headers["Content-Type"]), (200, "application/json"))
            found = json.loads(body)
            server, = found["servers"]
            times = server.pop("response_time_seconds")
            self.assertEqual(server, {
                "server": "ns1", "role": "client", "queries": 20, "responses": 20,
                "unanswered_queries": 0, "duplicate_responses": 0, "responses_only": False,
                "queries_only": False, "sampled": False, "qtypes": {"A": 20},
                "rcodes": {"NOERROR": 10, "NXDOMAIN": 10}})
            (lower, upper, count), = times
            self.assertEqual(count, 20)
            self.assertTrue(lower < 0.001 <= upper < 1.1 * lower, (lower, upper))
            given, = found["inputs"]
            self.assertEqual((given["input"], given["frames"], given["connections"],
                              given["accepted"]), ("unix", 41, 0, 1))
            self.assertEqual(given["rejected"]["protobuf"], 1)
            self.assertEqual(given["closed"]["finish"], 1)
            self.assertEqual(found["top"]["lists"]["client_queries"]["total"], 20)
            self.assertGreater(found["time_seconds"], found["start_time_seconds"])
            self.assertEqual(exporter.get("/api/v1/status?limit=0")[0], 400)


class Scraper(threading.Thread):
    """Scrapes without a pause; each page is whole, or there was no connection at all."""

    FORMATS = ("", "application/openmetrics-text", "application/vnd.google.protobuf;"
               "proto=io.prometheus.client.MetricFamily;encoding=delimited")

    def __init__(self, exporter):
        super().__init__()
        self.exporter = exporter
        self.pages, self.halves, self.refused = 0, [], 0
        self.ending = threading.Event()

    def run(self):
        while not self.ending.is_set():
            self.scrape(self.FORMATS[self.pages % len(self.FORMATS)])

    def scrape(self, accept):
        host, port = self.exporter.web.split(":")
        connection = http.client.HTTPConnection(host, int(port), timeout=limit(10))
        try:
            connection.request("GET", "/metrics", headers={"Accept": accept})
            response = connection.getresponse()
        except (OSError, http.client.HTTPException):
            self.refused += 1
            time.sleep(0.01)
            return
        try:
            body = response.read()
            if response.status != 200 or len(body) != int(response.headers["Content-Length"]):
                self.halves.append((response.status, len(body)))
            if "openmetrics" in accept and not body.endswith(b"# EOF\n"):
                self.halves.append(body[-20:])
            self.pages += 1
        except (OSError, http.client.HTTPException) as error:
            self.halves.append(repr(error))
        finally:
            connection.close()


class Halves(unittest.TestCase):

    def test_reload_load_and_end(self):
        """A scrape while the exporter reloads, is under load or ends is whole or refused."""
        for _ in range(3):
            exporter = Exporter()
            self.addCleanup(exporter.discard)
            exporter.start()
            scrapers = [Scraper(exporter) for _ in range(4)]
            for scraper in scrapers:
                scraper.start()
            try:
                with Neighbour(exporter.socket):
                    for _ in range(5):
                        exporter.process.send_signal(signal.SIGHUP)
                        time.sleep(0.1)
                    wait_until(lambda: all(scraper.pages > 3 for scraper in scrapers), 10,
                               "more than 3 pages for every scraper")
                status = exporter.stop()
                wait_until(lambda: all(scraper.refused > 0 for scraper in scrapers), 10,
                           "a refusal for every scraper")
            finally:
                for scraper in scrapers:
                    scraper.ending.set()
                    scraper.join()
            self.assertEqual(status, 0)
            self.assertNotIn("ERROR:", exporter.log())
            self.assertEqual([scraper.halves for scraper in scrapers], [[]] * 4)

    def test_a_slow_reader_at_the_end(self):
        """It gets the rest of its page, where that takes no longer than a moment."""
        exporter = Exporter(flags=[])
        self.addCleanup(exporter.discard)
        exporter.start()
        frames = [dnstap_frame(dns_message((b"n%d" % i, b"x" * 60, b"y" * 60, b"z" * 60), i % 60),
                               identity=b"server %d" % (i % 60)) for i in range(600)]
        for part in frames[:60], frames[60:]:  # a connection names at most 32 servers
            with Sender(exporter.socket) as odd, Sender(exporter.socket) as even:
                odd.start().send(part[1::2])
                even.start().send(part[::2])
                odd.stop()
                even.stop()
        host, port = exporter.web.split(":")
        with socket.socket() as peer:
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            peer.settimeout(limit(10))
            peer.connect((host, int(port)))
            peer.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            content = peer.recv(100)
            exporter.process.send_signal(signal.SIGTERM)
            time.sleep(0.3)
            while chunk := peer.recv(65536):
                content += chunk
        head, _, body = content.partition(b"\r\n\r\n")
        length = int(head.partition(b"Content-Length: ")[2].partition(b"\r\n")[0])
        self.assertGreater(length, 300_000)
        self.assertEqual(len(body), length)
        Page(body.decode()).check_conservation()
        self.assertEqual(exporter.wait(), 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
