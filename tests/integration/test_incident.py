# SPDX-License-Identifier: Apache-2.0
"""Six commands that follow an incident through a day's recording (incident.py), from the client that a detector named to
what was carried out. Each gives exactly what the recording is known to have, in little time."""

import json
import os
import pathlib
import re
import resource
import subprocess
import tempfile
import unittest

import incident
from decoder import time_text
from exporter import PROGRAM, limit
from incident import C2, INFECTED, SECOND, THIEF, TUNNEL, Incident

PAGE = pathlib.Path(__file__).resolve().parents[2] / "deploy/archive.md"
FOLDER = "/var/lib/dnstap_exporter/archive"

# As deploy/archive.md has them; in the test the folder is another one.
COMMANDS = {
    # Which domain did the client reach since the first name that failed?
    "reached": """
dnstap_exporter print --format=text --client 10.20.0.23 --rcode NOERROR --from 2026-11-16T09:13:00Z /var/lib/dnstap_exporter/archive |
    cut -d ' ' -f 7 | sort | uniq -c | sort -rn | head -n 1
""",
    # Who else asked for it?
    "clients": """
dnstap_exporter print --format=text --name kzvqtwmxjrpl.example --role client /var/lib/dnstap_exporter/archive |
    cut -d ' ' -f 2 | sort | uniq -c
""",
    # When was it asked for first?
    "first": """
dnstap_exporter print --format=text --name kzvqtwmxjrpl.example --limit 1 /var/lib/dnstap_exporter/archive | cut -d ' ' -f 1
""",
    # Where did it point, from when on?
    "pointed": """
dnstap_exporter print --format=text --name kzvqtwmxjrpl.example --type A --rcode NOERROR /var/lib/dnstap_exporter/archive |
    awk '$12 != last {print $1, $12; last = $12}'
""",
    # Its passive DNS, for tools that read the Common Output Format.
    "passive DNS": """
dnstap_exporter print --format=pdns --name kzvqtwmxjrpl.example /var/lib/dnstap_exporter/archive
""",
    # How many bytes went through the tunnel, out and in, and whose?
    "tunnel": """
dnstap_exporter print --format=text --name t.files-sync.example /var/lib/dnstap_exporter/archive |
    awk '{bytes[$2 " " $4] += $6} END {for (who in bytes) print who, bytes[who]}' | sort
""",
}


def one_line(command):
    """Without line breaks, which a page and this table may have in other places."""
    return " ".join(command.replace("\\\n", " ").split())


class Investigation(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
        cls.archive = cls.folder / "archive"
        cls.archive.mkdir()
        (cls.folder / "bin").mkdir()
        (cls.folder / "bin/dnstap_exporter").symlink_to(pathlib.Path(PROGRAM).resolve())
        cls.incident = Incident()
        cls.incident.write(cls.archive / "monday.fstrm")
        cls.yardstick = cls.cpu_seconds([PROGRAM, "read", str(cls.archive / "monday.fstrm")])[0]

    @staticmethod
    def cpu_seconds(command, **options):
        """(CPU seconds, the process that has ended) of a command."""
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run(command, capture_output=True, check=True, timeout=limit(60), **options)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, done

    def answer(self, which):
        """The lines that a command prints, each as its words."""
        seconds, done = self.cpu_seconds(
            ["sh", "-c", COMMANDS[which].replace(FOLDER, str(self.archive))],
            env={**os.environ, "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}", "LC_ALL": "C.UTF-8"})
        # Two seconds of an idle machine and a release; a build with sanitizers takes longer for `read`, too.
        self.assertLess(seconds, max(2, 3 * self.yardstick))
        self.assertEqual(done.stderr, b"")
        return [line.split() for line in done.stdout.decode().splitlines()]

    def test_the_recording(self):
        """What the exporter counts is what the recording was made to have."""
        page = subprocess.run([PROGRAM, "read", str(self.archive / "monday.fstrm")], stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, check=True, timeout=limit(60), text=True).stdout
        self.assertEqual((len(self.incident.payloads), len(self.incident.clients)), (85_724, 58))
        total = sum(int(count) for count in re.findall(r"^dnstap_frames_total\S* (\d+)$", page, re.MULTILINE))
        self.assertEqual(total, 85_724)
        self.assertNotRegex(page, r"(?m)^dnstap_(frames_rejected|malformed_messages)_total\S* [1-9]")

    def test_reached(self):
        answers = [sent for sent in self.incident.below(C2) if sent.is_response and sent.look_up.client == INFECTED]
        self.assertGreater(len(answers), 100)
        self.assertEqual(self.answer("reached"), [[str(len(answers)), C2]])

    def test_clients(self):
        messages = {}
        for sent in self.incident.below(C2):
            messages[sent.look_up.client] = messages.get(sent.look_up.client, 0) + 1
        self.assertEqual(set(messages), {INFECTED, incident.SECOND_INFECTED})
        self.assertEqual(messages[incident.SECOND_INFECTED], 2)
        self.assertEqual(self.answer("clients"), [[str(messages[client]), client] for client in sorted(messages)])

    def test_first(self):
        self.assertEqual(self.answer("first"), [[time_text(self.incident.below(C2)[0].when_ns)]])

    def test_pointed(self):
        expected, last = [], None
        for sent in self.incident.below(C2):
            address = incident.at(sent.look_up.when_ns, incident.C2_ADDRESSES)
            if sent.is_response and address != last:
                expected.append([time_text(sent.when_ns), address])
                last = address
        self.assertEqual([address for _, address in expected], [address for _, address in incident.C2_ADDRESSES])
        self.assertEqual(self.answer("pointed"), expected)

    def passive_dns(self, domain, addresses):
        """The lines for a domain with an address at a time."""
        times = {}
        for sent in self.incident.below(domain):
            if sent.is_response:
                times.setdefault(incident.at(sent.look_up.when_ns, addresses), []).append(sent.when_ns // SECOND)
        return [{"rrname": domain, "rrtype": "A", "rdata": address, "time_first": min(some), "time_last": max(some),
                 "count": len(some)} for address, some in sorted(times.items())]

    def test_passive_dns(self):
        found = [json.loads(" ".join(words)) for words in self.answer("passive DNS")]
        self.assertEqual(found, self.passive_dns(C2, incident.C2_ADDRESSES))

    def test_address_that_changed(self):
        """The same of a domain that many ask for, while its address changes."""
        moved = subprocess.run([PROGRAM, "print", "--format=pdns", "--name", incident.MOVED, str(self.archive)],
                               stdout=subprocess.PIPE, check=True, timeout=limit(60)).stdout
        expected = self.passive_dns(incident.MOVED, incident.MOVED_ADDRESSES)
        self.assertEqual(len(expected), 2)
        self.assertEqual([json.loads(line) for line in moved.splitlines()], expected)

    def test_tunnel(self):
        sizes = {False: 0, True: 0}
        for sent in self.incident.below(TUNNEL):
            sizes[sent.is_response] += sent.size
        self.assertEqual(self.answer("tunnel"), [[THIEF, "CLIENT_QUERY", str(sizes[False])],
                                                 [THIEF, "CLIENT_RESPONSE", str(sizes[True])]])

    def test_page(self):
        """A page that shows the incident has all of the commands as they are here."""
        page = one_line(PAGE.read_text(encoding="utf-8"))
        self.assertIn(C2, page)
        for command in COMMANDS.values():
            self.assertIn(one_line(command), page)


if __name__ == "__main__":
    unittest.main()
