# SPDX-License-Identifier: Apache-2.0
"""The socket permissions that deploy/servers advises: servers as packaged, without root's rights, connect to
sockets with their group, and not to one that is not theirs.
"""

import json
import os
import socket
import subprocess
import tempfile
import unittest

from exporter import Exporter, wait_until
from servers import Bind, Knot, Unbound

# Debian's users and groups of the packages.
SERVERS = ((Unbound, "unbound", "unbound"), (Bind, "bind", "bind"), (Knot, "knot", "knot"))

CONFIG = "inputs:\n" + "".join(
    f"  - {{name: {group}, unix: '{{dir}}/{group}.sock', group: {group}}}\n"
    for _, _, group in SERVERS)


@unittest.skipIf(os.geteuid(), "only root may change users")
class Permissions(unittest.TestCase):

    def ask(self, server):
        subprocess.run(["kdig", "@127.0.0.1", "-p", str(server.port), "www.example.test"],
                       check=True, stdout=subprocess.DEVNULL)

    def test_own_group(self):
        with Exporter(CONFIG) as exporter:
            for kind, user, group in SERVERS:
                with self.subTest(server=group), \
                        kind(os.path.join(exporter.dir, f"{group}.sock"), user=user) as server:
                    wait_until(lambda: exporter.scrape().total("dnstap_connections", input=group),
                               20, "connection")
                    self.ask(server)
                    wait_until(lambda: exporter.scrape().total("dnstap_responses_total",
                                                               server=server.identity),
                               20, "response")
            exporter.wait_for_log("connection accepted", len(SERVERS))

    def test_who_may_write(self):
        """As /api/v1/status says it, and as the command on the first page shows it."""
        with Exporter(CONFIG) as exporter:
            inputs = json.loads(exporter.get("/api/v1/status")[2])["inputs"]
            for input_, (_, user, group) in zip(inputs, SERVERS):
                path = os.path.join(exporter.dir, f"{group}.sock")
                self.assertEqual([input_[key] for key in ("unix", "owner", "group", "mode")], [path, "root", group, "0660"])
                for _, other, _ in SERVERS:
                    done = subprocess.run(["test", "-w", path], user=other, group=other, extra_groups=[], check=False)
                    self.assertEqual(done.returncode == 0, other == user, (other, path))
            os.unlink(os.path.join(exporter.dir, "knot.sock"))
            wait_until(lambda: json.loads(exporter.get("/api/v1/status")[2])["inputs"][2].get("mode"), 20, "the socket again")

    def test_the_check_tries_sockets(self):
        """What would not start here is said; it may be otherwise where the service starts, and is no mistake."""
        with tempfile.TemporaryDirectory() as folder, socket.create_server(("127.0.0.1", 0)) as taken:
            os.chmod(folder, 0o755)
            used = f"127.0.0.1:{taken.getsockname()[1]}"
            path, file_path = f"{folder}/config.yml", "/var/tmp/dnstap_exporter_no_socket"
            with open(file_path, "w", encoding="ascii"):
                self.addCleanup(os.unlink, file_path)
            inputs = {
                f"unix: {folder}/none/a.sock": f"there is no folder {folder}/none",
                "unix: /etc/passwd": "may not write to the folder /etc",
                f"unix: {file_path}": "there is a file that is no socket",
                f"unix: {folder}/b.sock": f"may not write to the folder {folder}",
                "unix: /tmp/c.sock, owner: root": "cannot change its owner; root may, and a service with CAP_CHOWN",
                "unix: /tmp/d.sock, group: knot": "cannot change its group; root may, a service with CAP_CHOWN",
                'tcp: "192.0.2.1:6000"': "no interface has this address",
                f'tcp: "{used}"': "in use, by this exporter if it runs",
            }
            with open(path, "w", encoding="ascii") as file:
                file.write("inputs:\n" + "".join(f"  - {{name: i{i}, {keys}}}\n" for i, keys in enumerate(inputs))
                           + "web: {listen_addresses: ['192.0.2.2:80']}\n")
            done = subprocess.run([os.environ["DNSTAP_EXPORTER"], f"--config.file={path}", "--config.check"],
                                  check=False, capture_output=True, text=True, user="unbound", group="unbound", extra_groups=[])
            self.assertEqual(done.returncode, 0, done.stderr)
            lines = done.stderr.splitlines()
            for line, words in zip(lines, [*inputs.values(), "192.0.2.2:80"]):
                self.assertIn(words, line)
            self.assertEqual(len(lines), len(inputs) + 1)
            self.assertEqual(os.listdir(folder), ["config.yml"])

    def test_the_check_beside_a_running_exporter(self):
        """It says what is in use, and is no connection of a server."""
        with Exporter(CONFIG) as exporter:
            for _ in range(3):
                done = subprocess.run([os.environ["DNSTAP_EXPORTER"], f"--config.file={exporter.config_path}", "--config.check"],
                                      check=False, capture_output=True, text=True)
                self.assertEqual(done.returncode, 0)
                self.assertEqual(done.stderr.count("in use, by this exporter if it runs"), 3, done.stderr)
            page = exporter.scrape()
            self.assertEqual(page.total("dnstap_connections_accepted_total"), 0)

    def test_group_of_another(self):
        """Unbound logs that it may not connect; it answers all the same."""
        with Exporter(CONFIG) as exporter, \
                Unbound(os.path.join(exporter.dir, "knot.sock"), user="unbound") as server:
            self.ask(server)
            wait_until(lambda: "Permission denied" in server.log(), 20, "complaint")
            self.assertEqual(exporter.scrape().total("dnstap_connections_accepted_total"), 0)


if __name__ == "__main__":
    unittest.main()
