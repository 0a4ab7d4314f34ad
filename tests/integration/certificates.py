# SPDX-License-Identifier: Apache-2.0
"""Certificates that openssl makes, and what Python's TLS does with them.

A certificate NAME is the file NAME.crt of a folder, its key NAME.key.
"""

import os
import ssl
import subprocess

# As openssl ca needs it. It alone can sign for a time that is over.
CA_CONFIGURATION = """
[ca]
default_ca = ours
[ours]
database = index
rand_serial = yes
new_certs_dir = .
default_md = sha256
policy = any
copy_extensions = copy
unique_subject = no
[any]
commonName = supplied
"""

EC, RSA = ("ec", "-pkeyopt", "ec_paramgen_curve:P-256"), ("rsa:2048",)  # keys, as openssl req -newkey has them


def openssl(folder, *arguments):
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, stdin=subprocess.DEVNULL,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


class Authority:
    """A certificate authority in a folder, and what it has signed."""

    def __init__(self, folder, name):
        self.folder, self.name = folder, name
        self.make(name, ["-x509", "-days", "2"])

    def make(self, name, kind, *arguments, key=EC):
        """A new key, and what openssl req makes of it."""
        openssl(self.folder, "req", *kind, "-newkey", *key, "-nodes", "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.crt", *arguments)

    def sign(self, name, san, usage="serverAuth", days=2, key=EC):
        """A certificate for the names of `san` ("DNS:a.example,IP:192.0.2.1"); without days: one that expired
        on 1 February 2020."""
        extensions = ["-addext", f"subjectAltName={san}", "-addext", f"extendedKeyUsage={usage}",
                      "-addext", "basicConstraints=critical,CA:false"]
        if days:
            self.make(name, ["-x509", "-days", str(days), "-CA", f"{self.name}.crt", "-CAkey", f"{self.name}.key"],
                      *extensions, key=key)
            return
        for file, text in ("ca.conf", CA_CONFIGURATION), ("index", ""):
            with open(os.path.join(self.folder, file), "w", encoding="ascii") as out:
                out.write(text)
        self.make(name, ["-new"], *extensions)
        os.rename(os.path.join(self.folder, f"{name}.crt"), os.path.join(self.folder, f"{name}.request"))
        openssl(self.folder, "ca", "-batch", "-notext", "-config", "ca.conf", "-cert", f"{self.name}.crt", "-keyfile",
                f"{self.name}.key", "-in", f"{name}.request", "-out", f"{name}.crt",
                "-startdate", "20200101000000Z", "-enddate", "20200201000000Z")


def client_context(folder, ca="ca", certificate=None):
    """TLS of a client that takes servers of this authority, or whatever there is where ca is None."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if ca:
        context.load_verify_locations(f"{folder}/{ca}.crt")
    else:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if certificate:
        context.load_cert_chain(f"{folder}/{certificate}.crt", f"{folder}/{certificate}.key")
    return context


def server_context(folder, certificate="server", client_ca=None):
    """TLS of a server that has this certificate, and takes only clients of the authority if there is one."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(f"{folder}/{certificate}.crt", f"{folder}/{certificate}.key")
    if client_ca:
        context.load_verify_locations(f"{folder}/{client_ca}.crt")
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def make_certificates(folder):
    """What the tests of dnstap over TLS need: the authorities `ca` and `foreign`, and certificates of the first, if
    the name does not say otherwise, for exporter.example at 127.0.0.1 and its client ns1.example."""
    ours, foreign = Authority(folder, "ca"), Authority(folder, "foreign")
    here, client = "DNS:exporter.example,IP:127.0.0.1", "DNS:ns1.example"
    ours.sign("server", here)
    ours.sign("renewed", here)
    ours.sign("rsa", here, key=RSA)
    ours.sign("elsewhere", "DNS:elsewhere.example,IP:192.0.2.1")
    ours.sign("expired", here, days=None)
    foreign.sign("foreign-server", here)
    for name, san in ("client", client), ("stranger", "DNS:stranger.example"):
        ours.sign(name, san, "clientAuth")
    ours.sign("rsa-client", client, "clientAuth", key=RSA)
    ours.sign("expired-client", client, "clientAuth", days=None)
    foreign.sign("foreign-client", client, "clientAuth")
