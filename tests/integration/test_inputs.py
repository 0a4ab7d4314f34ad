# SPDX-License-Identifier: Apache-2.0
"""Inputs that a reload adds, removes and changes, while servers send to the others."""

import contextlib
import json
import os
import signal
import socket
import threading
import unittest

from exporter import Exporter, free_port, wait_until
from sender import Sender, dns_message, dnstap_frame

FRAME = dnstap_frame(dns_message())


class InputsTest(unittest.TestCase):
    """An exporter whose inputs change."""

    def setUp(self):
        self.port = free_port()
        self.exporter = Exporter(self.config("a", "b"))
        self.enterContext(self.exporter)

    def config(self, *names, more="", **keys):
        """Inputs of these names; keys[name] takes the place of a socket file of the name."""
        return "inputs:\n" + "".join(
            f"  - {{name: {name}, {keys.get(name, 'unix: ' + chr(34) + '{dir}/' + name + '.sock' + chr(34))}}}\n"
            for name in names) + 'web: {listen_addresses: ["{web}"]}\n' + more

    def reload(self, config, refused=None):
        before = len(self.exporter.log())
        self.exporter.write_config(config)
        self.exporter.process.send_signal(signal.SIGHUP)
        said = wait_until(lambda: [line for line in self.exporter.log()[before:].split("\n") if "reloaded" in line],
                          10, "the reload")[0]
        self.assertIn(refused or "configuration reloaded", said)
        return self.exporter.log()[before:]

    def path(self, name):
        return os.path.join(self.exporter.dir, f"{name}.sock")

    def connect(self, name):
        return self.enterContext(Sender(self.path(name))).start()

    def wait_for(self, metric, value, **labels):
        wait_until(lambda: self.exporter.scrape().total(metric, **labels) == value, 10, f"{metric} of {labels}")

    def value(self, metric, name):
        return self.exporter.scrape().by("input", metric).get(name)

    def shown(self):
        return [input_["input"] for input_ in json.loads(self.exporter.get("/api/v1/status")[2])["inputs"]]


class Inputs(InputsTest):

    def test_one_comes_and_one_goes(self):
        a, b = self.connect("a"), self.connect("b")
        a.send([FRAME] * 3)
        b.send([FRAME] * 5)
        self.wait_for("dnstap_frames_total", 8)
        log = self.reload(self.config("c", "a"))
        self.assertIn('msg="input removed" input=b', log)
        self.assertRegex(log, 'msg="listening for dnstap" input=c unix=.*c.sock owner=')
        self.assertEqual(b.wait_closed(), b"")
        self.wait_for("dnstap_connections_closed_total", 1, input="b", reason="input_removed")
        self.assertFalse(os.path.exists(self.path("b")))
        c = self.connect("c")
        c.send([FRAME] * 7)
        a.send([FRAME] * 2)
        self.wait_for("dnstap_frames_total", 17)
        page = self.exporter.scrape()
        page.check_conservation()
        self.assertEqual(page.by("input", "dnstap_frames_total"), {"a": 5, "b": 5, "c": 7})
        self.assertEqual(page.by("input", "dnstap_connections"), {"a": 1, "c": 1})
        self.assertNotIn('dnstap_connections{input="b"}', self.exporter.get("/metrics")[2].decode())
        self.assertEqual(page.by("input", "dnstap_connections_accepted_total"), {"a": 1, "b": 1, "c": 1})
        text = self.exporter.get("/metrics")[2].decode()
        self.assertIn('dnstap_input_listening{input="a"} 1\n', text)
        self.assertNotIn('dnstap_input_listening{input="b"}', text)
        self.assertEqual(self.shown(), ["a", "c"])
        self.assertIn('name: "c"', self.exporter.get("/config")[2].decode())

        self.reload(self.config("a", "b", "c"))  # it comes back to its series
        self.connect("b").send([FRAME])
        self.wait_for("dnstap_frames_total", 6, input="b")
        self.assertEqual(self.shown(), ["a", "b", "c"])
        a.send([FRAME])
        a.stop()
        c.stop()
        self.wait_for("dnstap_frames_total", 19)

    def test_tcp_comes_and_goes(self):
        a = self.connect("a")
        self.reload(self.config("a", "b", "t", t=f'tcp: "127.0.0.1:{self.port}"'))
        with Sender(("127.0.0.1", self.port)) as peer:
            peer.start().send([FRAME] * 4)
            self.wait_for("dnstap_frames_total", 4, input="t")
        self.reload(self.config("a", "b"))
        with self.assertRaises(ConnectionRefusedError), socket.create_connection(("127.0.0.1", self.port)):
            pass
        a.send([FRAME])
        self.wait_for("dnstap_frames_total", 1, input="a")

    def test_another_place_and_sampling(self):
        a, b = self.connect("a"), self.connect("b")
        self.reload(self.config("a", "b", a='unix: "{dir}/moved.sock"'))
        self.assertEqual(a.wait_closed(), b"")
        self.assertFalse(os.path.exists(self.path("a")))
        self.connect("moved").send([FRAME])
        self.wait_for("dnstap_frames_total", 1, input="a")
        b.send([FRAME])
        self.wait_for("dnstap_frames_total", 1, input="b")
        self.reload(self.config("a", "b", a='unix: "{dir}/moved.sock", sampling: 10'))
        self.wait_for("dnstap_input_sampling_ratio", 0.1, input="a")
        again = self.connect("moved")
        again.send([FRAME])
        self.wait_for("dnstap_frames_total", 2, input="a")
        self.reload(self.config("a", "b", a='unix: "{dir}/moved.sock", sampling: 10, mode: "0600"'))
        self.assertEqual(os.stat(self.path("moved")).st_mode & 0o777, 0o600)
        again.send([FRAME])  # who may connect is of no concern to who has
        self.wait_for("dnstap_frames_total", 3, input="a")

    def test_two_change_places(self):
        paths = {"a": 'unix: "{dir}/b.sock"', "b": 'unix: "{dir}/a.sock"'}
        self.reload(self.config("a", "b", **paths))
        self.connect("a").send([FRAME] * 2)
        self.wait_for("dnstap_frames_total", 2, input="b")
        self.connect("b").send([FRAME] * 3)
        self.wait_for("dnstap_frames_total", 3, input="a")

    def test_what_cannot_listen_changes_nothing(self):
        a, b = self.connect("a"), self.connect("b")
        with socket.create_server(("127.0.0.1", 0)) as taken:
            for keys, complaint in (
                    ('unix: "{dir}/none/d.sock"', "there is no folder"),
                    (f'tcp: "127.0.0.1:{taken.getsockname()[1]}"', "Address already in use"),
                    ('tcp: "192.0.2.1:6000"', "no interface has this address")):
                self.assertIn(complaint, self.reload(self.config("a", "c", "d", d=keys), "not reloaded"))
                self.assertFalse(os.path.exists(self.path("c")))
        self.assertIn("/absent", self.reload(self.config("a", "c", more="public_suffix_list: /absent\n"), "not reloaded"))
        self.assertFalse(os.path.exists(self.path("c")))
        a.send([FRAME])
        b.send([FRAME])
        self.wait_for("dnstap_frames_total", 2)
        self.assertEqual(self.shown(), ["a", "b"])
        self.assertEqual(self.exporter.scrape().total("dnstap_exporter_config_last_reload_successful"), 0)

    def test_an_output_gets_a_new_input(self):
        with Exporter('inputs: [{name: in, unix: "{dir}/in.sock"}]\nweb: {listen_addresses: ["{web}"]}\n') as receiver:
            outputs = f'  - {{name: all, unix: "{receiver.dir}/in.sock"}}\n'
            self.exporter = Exporter(self.config("a", more=f"outputs:\n{outputs}"))
            self.enterContext(self.exporter)
            self.reload(self.config("a", "c", more=f"outputs:\n{outputs}"))
            self.connect("c").send([FRAME] * 9)
            wait_until(lambda: receiver.scrape().total("dnstap_frames_total") == 9, 10, "the frames")

    def test_what_has_arrived_is_counted(self):
        """Frames that a server could send before its input was removed."""
        b = self.connect("b")
        sent = 0

        def send():
            nonlocal sent
            with contextlib.suppress(OSError):
                while True:
                    b.send([FRAME] * 50)
                    sent += 50

        thread = threading.Thread(target=send)
        thread.start()
        wait_until(lambda: sent > 1000, 10, "some frames")
        self.reload(self.config("a"))
        thread.join()
        self.wait_for("dnstap_connections_closed_total", 1, input="b")
        counted = self.value("dnstap_frames_total", "b")
        self.assertGreaterEqual(counted, sent)
        self.assertLess(counted, sent + 50)

    def test_an_own_port_in_the_way(self):
        self.reload(self.config("a", "t", t=f'tcp: "127.0.0.1:{self.port}"'))
        log = self.reload(self.config("a", "t", t=f'tcp: "0.0.0.0:{self.port}"'), "not reloaded")
        self.assertIn("the input t has this port: remove it by one reload", log)

    def test_many_reloads_beside_a_stream(self):
        """No frame of another input is lost, and no descriptor."""
        a = self.connect("a")
        descriptors = None
        for i in range(30):
            self.reload(self.config("a", "b") if i % 2 else self.config("a", "c"))
            a.send([FRAME] * 10)
            if i == 3:
                descriptors = len(os.listdir(f"/proc/{self.exporter.process.pid}/fd"))
        self.wait_for("dnstap_frames_total", 300, input="a")
        self.assertLessEqual(len(os.listdir(f"/proc/{self.exporter.process.pid}/fd")), descriptors + 1)


# Listens at argv[1] as systemd does, which goes on holding the socket, and becomes the rest of the command.
SYSTEMD = """
import os, socket, sys, time
listening = socket.socket(socket.AF_UNIX)
listening.bind(sys.argv[1])
listening.listen()
parent = os.getpid()
if os.fork() == 0:
    while os.getppid() == parent:
        time.sleep(0.1)
    os._exit(0)
os.dup2(listening.fileno(), 10)
os.dup2(10, 3)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1", LISTEN_FDNAMES="sd")
os.execv(sys.argv[2], sys.argv[2:])
"""


class Passed(InputsTest):
    """An input whose socket systemd has passed goes and comes back."""

    def setUp(self):
        self.port = free_port()
        self.exporter = Exporter(self.config("a", "sd"))
        self.exporter.before = ("/usr/bin/python3", "-c", SYSTEMD, self.path("sd"))
        self.enterContext(self.exporter)

    def test_it_goes_and_comes_back(self):
        a, sd = self.connect("a"), self.connect("sd")
        sd.send([FRAME])
        self.wait_for("dnstap_frames_total", 1, input="sd")
        self.reload(self.config("a", "c"))
        self.assertEqual(sd.wait_closed(), b"")
        waiting = self.enterContext(Sender(self.path("sd")))  # systemd still listens
        c = self.connect("c")
        for peer, name in (a, "a"), (c, "c"):
            peer.send([FRAME] * 5)
            self.wait_for("dnstap_frames_total", 5, input=name)
        self.assertNotIn("cannot accept", self.exporter.log())
        self.assertIn("/absent", self.reload(self.config("a", "c", "sd", more="public_suffix_list: /absent\n"), "not reloaded"))
        with Sender(self.path("sd")):  # nobody accepts it yet
            c.send([FRAME])
            self.wait_for("dnstap_frames_total", 6, input="c")
            self.assertNotIn("cannot accept", self.exporter.log())
        elsewhere = {"sd": 'unix: "{dir}/elsewhere.sock"'}
        self.reload(self.config("a", "c", "sd", **elsewhere))
        self.connect("elsewhere").send([FRAME])
        self.wait_for("dnstap_frames_total", 2, input="sd")
        self.reload(self.config("a", "c"))
        self.reload(self.config("a", "c", "sd"))
        waiting.start().send([FRAME] * 2)
        self.wait_for("dnstap_frames_total", 4, input="sd")


if __name__ == "__main__":
    unittest.main()
