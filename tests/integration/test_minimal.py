#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A build without optional libraries serves and reads, and refuses what it cannot do with the reason."""

import pathlib
import subprocess
import tempfile
import unittest

from exporter import PROGRAM, Exporter
from sender import Sender, dns_message, dnstap_frame

CAPTURE = pathlib.Path(__file__).resolve().parents[1] / "captures" / "unbound-small.fstrm"
HASH = "$2y$10$" + "." * 53


class Minimal(unittest.TestCase):
    def check(self, text, flag="web.config.file"):
        with tempfile.NamedTemporaryFile("w", suffix=".yml") as file:
            file.write(text)
            file.flush()
            done = subprocess.run([PROGRAM, "--config.check", f"--{flag}={file.name}"], check=False,
                                  capture_output=True, text=True)
        return done.returncode, done.stderr.replace(file.name, "FILE")

    def test_tls_is_refused(self):
        self.assertEqual(self.check("tls_server_config:\n  cert_file: a\n  key_file: b\n"),
                         (2, "dnstap_exporter: FILE:2: tls_server_config.cert_file: this build has no GnuTLS\n"))

    def test_tls_of_streams_is_refused(self):
        for text, place in (
                ("inputs:\n  - {name: a, tcp: ':1', tls: {cert_file: a, key_file: b}}\n", "inputs[0].tls.cert_file"),
                ("inputs:\n  - {name: a, connect: 'tls://192.0.2.1:1', tls: {ca_file: a}}\n", "inputs[0].tls.ca_file"),
                ("outputs:\n  - {name: a, tcp: '192.0.2.1:1', tls: {ca_file: a}}\n", "outputs[0].tls.ca_file")):
            self.assertEqual(self.check(text, "config.file"),
                             (2, f"dnstap_exporter: FILE:2: {place}: this build has no GnuTLS\n"))

    def test_users_are_refused(self):
        self.assertEqual(self.check(f"basic_auth_users: {{a: {HASH}}}\n"),
                         (2, "dnstap_exporter: basic_auth_users: this build has no libxcrypt\n"))

    def test_headers_are_not(self):
        self.assertEqual(self.check("http_server_config: {headers: {X-Frame-Options: deny}}\n"), (0, ""))

    def test_archive_is_refused(self):
        self.assertEqual(self.check("archive:\n  folder: /tmp/archive\n", "config.file"),
                         (2, "dnstap_exporter: FILE:2: archive.folder: this build has no libzstd\n"))

    def test_zstd_is_refused(self):
        packed = subprocess.run(["zstd", "-c", CAPTURE], check=True, capture_output=True).stdout
        done = subprocess.run([PROGRAM, "read", "-"], check=False, capture_output=True, input=packed)
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"this build has no libzstd", done.stderr)
        plain = subprocess.run([PROGRAM, "read", CAPTURE], check=True, capture_output=True).stdout
        gzip = subprocess.run(["gzip", "-c", CAPTURE], check=True, capture_output=True).stdout
        unpacked = subprocess.run([PROGRAM, "read", "-"], check=True, capture_output=True, input=gzip).stdout
        self.assertIn(b"dnstap_queries_total", plain)
        self.assertEqual(len(plain.splitlines()), len(unpacked.splitlines()))

    def test_it_serves(self):
        with Exporter() as exporter:
            Sender(f"{exporter.dir}/dnstap.sock").send_all([dnstap_frame(dns_message())] * 10)
            self.assertEqual(exporter.scrape().total("dnstap_frames_total"), 10)


if __name__ == "__main__":
    unittest.main(verbosity=2)
