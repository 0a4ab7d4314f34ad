#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The manual pages have every flag, HTTP path and key, and what to write into each DNS server.
dnstap_exporter-servers(7) is made of deploy/servers/*.md, and the keys of the web configuration in
dnstap_exporter.yml(5) of their rows; with --write they are.

Usage: check_manual.py PRINT_ROWS DNSTAP_EXPORTER [--write]
"""

import json
import pathlib
import re
import subprocess
import sys

from check_documents import sentences, taken_by

TOP = pathlib.Path(__file__).resolve().parents[2]
MAN = TOP / "deploy/man"
WEB_BEGIN = '.\\" Generated: tests/lint/check_manual.py --write\n'
WEB_END = '.\\" End of the keys of the web configuration\n'

SERVERS_HEAD = """\
.\\" SPDX-License-Identifier: Apache-2.0
.\\" Generated from deploy/servers/*.md: tests/lint/check_manual.py --write
.Dd December 1, 2026
.Dt DNSTAP_EXPORTER-SERVERS 7
.Os
.Sh NAME
.Nm dnstap_exporter-servers
.Nd what to write into DNS servers for dnstap_exporter
.Sh DESCRIPTION
A DNS server connects to a socket that
.Xr dnstap_exporter 8
makes for it: an input in the configuration of
.Xr dnstap_exporter.yml 5 ,
with the server's group, so that it may connect.
The packaged service may give its sockets to any group.
The folder of the sockets has to be there, and the exporter has to be started
first.
Whether a server is connected, and has sent anything, says
.Pp
.Dl curl -s localhost:9353/metrics | grep -e ^dnstap_conn -e ^dnstap_frames_t
.Pp
What each server sends, and what is missing, is in
.Pa /usr/share/doc/dnstap-exporter/deploy/servers .
"""
SERVERS_END = """\
.Sh SEE ALSO
.Xr dnstap_exporter.yml 5 ,
.Xr dnstap_exporter 8
"""
# The sections of a server's page that say what to do.
TAKEN = ("Configuration", "Rights", "TCP", "TLS", "The exporter connects")


# --- The servers' page

def plain(text):
    """Without the marks of a page, and in ASCII."""
    text = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", text).replace("**", "")
    text = text.replace("\\", "\\e")
    text = re.sub(r"`([^`]*)`", r"\\(oq\1\\(cq", text)
    return "".join(char if char < "\x7f" else f"\\[u{ord(char):04X}]" for char in text)


def broken(text):
    """A line for each sentence and no longer ones, like sentences(), of text that has escapes already."""
    return [line.replace("\0", "\\") for line in sentences(plain(text).replace("\\", "\0"))]


def code(lines):
    """What is typed, as it is."""
    indent = min(len(line) - len(line.lstrip()) for line in lines if line)
    lines = [line[indent:].replace("\\", "\\e") for line in lines]
    return [".Bd -literal -offset indent"] + ["\\&" + line if line[:1] in (".", "'") else line for line in lines] + [".Ed"]


def blocks(text):
    """(kind, lines) of each part of a page: a heading, an item of a list, code, or a paragraph."""
    kind, lines = "", []
    for line in [*text.splitlines(), ""]:
        if kind == "code":
            if line.strip() == "```":
                yield kind, lines
                kind, lines = "", []
            else:
                lines.append(line)
            continue
        begins = next((name for name, mark in (("heading", "#"), ("item", "- "), ("code", "```"))
                       if line.lstrip().startswith(mark)), None)
        if lines and (begins or not line.strip()):
            yield kind, lines
            kind, lines = "", []
        if begins or line.strip():
            kind = begins or kind or "paragraph"
            lines += [] if begins == "code" else [line.strip()]


def server(text):
    lines = []
    is_taken, is_list = True, False
    for kind, part in blocks(text):
        words = " ".join(part)
        if kind == "heading":
            title = words.lstrip("# ")
            if words.startswith("## "):
                is_taken = title in TAKEN
        if is_list and kind != "item" and is_taken:
            lines.append(".El")
            is_list = False
        if not is_taken:
            continue
        if kind == "heading":
            lines.append(f".Ss {title}" if words.startswith("## ") else f".Sh {title.upper()}")
        elif kind == "code":
            lines += code(part)
        elif kind == "item":
            lines += [] if is_list else [".Bl -bullet -compact"]
            lines += [".It"] + broken(words.removeprefix("- "))
            is_list = True
        else:
            lines += [".Pp"] if not lines[-1].startswith(".S") else []
            lines += broken(words)
    return lines + ([".El"] if is_list else [])


def servers(_):
    lines = []
    for page in sorted((TOP / "deploy/servers").glob("*.md")):
        if page.name != "README.md":
            lines += server(page.read_text(encoding="utf-8"))
    return SERVERS_HEAD + "\n".join(lines) + "\n" + SERVERS_END


# --- The keys of the web configuration

def web_rows(rows):
    return [row for section in rows["web_sections"] for row in section["rows"] if row["help"]]


def web_keys(rows):
    lines = [".Bl -tag -width Ds"]
    for row in web_rows(rows):
        lines.append(f".It Cm {row['key']}")
        lines += sentences(f"Default: {row['initial']}.") if row["initial"] not in ("", "[]", "{}") else []
        lines += sentences(row["help"]) + sentences(taken_by(row))
    return "\n".join(lines) + "\n.El\n"


def configuration(rows):
    text = (MAN / "dnstap_exporter.yml.5").read_text(encoding="utf-8")
    before, begin, rest = text.partition(WEB_BEGIN)
    _, end, after = rest.partition(WEB_END)
    return before + begin + web_keys(rows) + end + after


# --- What has to be there

def shown(text, macro):
    """The arguments of a macro that begins a list's items."""
    return {word for line in re.findall(rf"^\.It {macro} (.*)", text, re.MULTILINE) for word in line.split(" , ")}


def differences(what, page, expected, found):
    yield from (f"{page}: {what} {name} is missing" for name in sorted(expected - found))
    yield from (f"{page}: {what} {name}: there is none" for name in sorted(found - expected))


def complaints(rows, exporter):
    program = (MAN / "dnstap_exporter.8").read_text(encoding="utf-8")
    help_text = subprocess.run([exporter, "--help"], capture_output=True, text=True, check=True).stdout
    yield from differences(
        "the flag", "dnstap_exporter.8", set(re.findall(r"^  --([a-z.-]+)", help_text, re.MULTILINE)),
        {flag.split()[0].removeprefix("-") for flag in shown(program, "Fl")})

    routes = (TOP / "src/http/pages.c").read_text(encoding="utf-8")
    paths = set(re.findall(r'^    \{"(/[^"]*)", serve_', routes, re.MULTILINE))
    assert len(paths) > 5, "src/http/pages.c has another table of paths"
    section = program.partition(".Ss Web pages")[2].partition("\n.Sh ")[0]
    yield from differences("the path", "dnstap_exporter.8", paths, shown(section, "Pa"))

    keys = {f"{section['list']}.{row['key']}" if section["list"] else row["key"]
            for section in rows["sections"] for row in section["rows"]}
    keys |= {row["key"] for row in web_rows(rows)}
    yield from differences("the key", "dnstap_exporter.yml.5", keys, {
        key.split()[0] for key in shown((MAN / "dnstap_exporter.yml.5").read_text(encoding="utf-8"), "Cm")})


def main():
    rows = json.loads(subprocess.run([sys.argv[1]], capture_output=True, text=True, check=True).stdout)
    faults = []
    for name, make in ("dnstap_exporter-servers.7", servers), ("dnstap_exporter.yml.5", configuration):
        path = MAN / name
        expected = make(rows)
        if "--write" in sys.argv:
            path.write_text(expected, encoding="utf-8")
        elif not path.exists() or path.read_text(encoding="utf-8") != expected:
            faults.append(f"{name}: differs from what it is made of; check_manual.py --write makes it so")
    faults += complaints(rows, sys.argv[2])
    for fault in faults:
        print(fault)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
