#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""`print` on a tenth of a day of 1,000 queries a second: 17 million frames in 15 zstd files, a client that is in three of
them; against Debian's two decoders with grep.

The frames are those of recordings, again and again, with other times and clients. BENCH_FRAMES makes it fewer;
DNSTAP_CAPTURES names a folder with larger recordings (ordinary.fstrm.zst, unbound-big.fstrm.zst) than the repository's.
The two decoders, which are slow and do not read zstd, get one of the files, unpacked before, and are compared with `print` of
the same file: their figures are for a frame.
"""

import collections
import json
import os
import pathlib
import random
import shutil
import struct
import subprocess
import sys
import time
import zlib

from common import DATA, PROGRAMS, TOP, median, rounds, spread, table

sys.path.insert(0, str(TOP / "tests/integration"))
import decoder  # noqa: E402
from exporter import Exporter  # noqa: E402
from sender import CONTENT_TYPE, START, STOP, control, data, payloads_of  # noqa: E402
from traffic import varint  # noqa: E402

QUERIES_A_SECOND = 1000
FRAMES = int(os.environ.get("BENCH_FRAMES", 86_400 // 10 * 2 * QUERIES_A_SECOND))
FILES = 15
FRAMES_A_FILE = FRAMES // FILES
HAVE_CLIENT = {3, 8, 12}  # files
CLIENT = "198.51.100.99"
CLIENTS = 20_000
BEGIN = 1_795_000_000  # seconds since 1970
ROUNDS = rounds(3)
OURS = os.environ["DNSTAP_EXPORTER"]
OF_CLIENT, OF_FILE = "print --client", "print --client, unpacked"

ARCHIVE = """
inputs:
  - name: unix
    unix: "{{dir}}/dnstap.sock"
archive:
  folder: {folder}
  max_bytes: 64GiB
  rotate_bytes: {rotate_bytes}
  rotate_interval: 1d
"""


# --- The data ---

def recordings():
    larger = os.environ.get("DNSTAP_CAPTURES")
    found = [path for name in ("ordinary", "unbound-big")
             for path in sorted(pathlib.Path(larger).glob(f"{name}.fstrm*"))] if larger else []
    return found or sorted((TOP / "tests/captures").glob("*.fstrm"))


def content_of(path):
    if path.suffix == ".zst":
        return subprocess.run(["zstd", "-dcq", path], stdout=subprocess.PIPE, check=True).stdout
    return path.read_bytes()


def fields_of(payload):
    """{field of the message: (offset in the payload, size, value if it is a number)}"""
    outer, fields = decoder.Reader(payload), {}
    while outer.left():
        key = outer.varint(5)
        if key & 7 != decoder.LENGTH:
            outer.varint(10)
            continue
        size = outer.varint(5)
        if key >> 3 != 14:
            outer.take(size)
            continue
        reader = decoder.Reader(payload, outer.at, outer.at + size)
        while reader.left():
            key = reader.varint(5)
            start, value = reader.at, None
            if key & 7 == decoder.LENGTH:
                size = reader.varint(5)
                start = reader.at
                reader.take(size)
            elif key & 7 == decoder.FIXED32:
                reader.take(4)
            else:
                value = reader.varint(10)
            fields[key >> 3] = start, reader.at - start, value
        outer.at = reader.end
    return fields


TYPE, QUERY_ADDRESS, QUERY_PORT, QUERY_SECONDS, RESPONSE_SECONDS = 1, 4, 6, 8, 12


class Template:
    """The frames of recordings in one piece, and where their times and clients stand in it."""

    def __init__(self, most):
        self.content = bytearray()
        self.frames = []  # (end, [(offset, seconds behind the frame's own time)], offset of client, client)
        for path in recordings():
            for payload in payloads_of(content_of(path))[:most - len(self.frames)]:
                self.add(payload)

    def add(self, payload):
        fields = fields_of(payload)
        start = len(self.content) + 4
        is_query = fields[TYPE][2] % 2 == 1
        own = fields.get(QUERY_SECONDS if is_query else RESPONSE_SECONDS)
        address_at, size, _ = fields.get(QUERY_ADDRESS, (0, 0, None))
        if size != 4 or own is None or own[2] == 0:
            return
        times = [(start + fields[field][0], fields[field][2] - own[2])
                 for field in (QUERY_SECONDS, RESPONSE_SECONDS) if field in fields and fields[field][1] == 5]
        # A query and its response have the same client.
        asks = payload[address_at:address_at + 4] + struct.pack(">H", fields[QUERY_PORT][2] if QUERY_PORT in fields else 0)
        self.content += data(payload)
        self.frames.append((len(self.content), times, start + address_at, zlib.crc32(asks) % CLIENTS))

    def part(self, first, count, clients):
        """(`count` frames, of which the first is so late, how many are of CLIENT)"""
        content, end = self.content, 0
        seconds = {}
        found = 0
        rare = bytes(map(int, CLIENT.split(".")))
        for n, (end, times, client_at, client) in enumerate(self.frames[:count]):
            now = BEGIN + (first + n) // (2 * QUERIES_A_SECOND)
            for offset, behind in times:
                packed = seconds.get(now + behind)
                if packed is None:
                    packed = seconds[now + behind] = varint(now + behind)
                content[offset:offset + 5] = packed
            address = clients[client]
            content[client_at:client_at + 4] = address
            found += address == rare
        return memoryview(content)[:end], found


def make(folder):
    """The files; returns how many frames are of CLIENT."""
    template = Template(FRAMES_A_FILE)
    chance = random.Random(5)
    addresses = [bytes([10, n >> 16, n >> 8 & 255, n & 255]) for n in chance.sample(range(1 << 20), CLIENTS)]
    frames = collections.Counter(client for _, _, _, client in template.frames)
    rare = min(frames, key=lambda client: (abs(frames[client] - 100), client))  # one of about 100 frames
    count = 0
    for number in range(FILES):
        chance.shuffle(addresses)
        clients = list(addresses)
        if number in HAVE_CLIENT:
            clients[rare] = bytes(map(int, CLIENT.split(".")))
        with open(folder / f"{number:02}.fstrm.zst", "wb") as packed:
            pack = subprocess.Popen(["zstd", "-q", "-3", "-c"], stdin=subprocess.PIPE, stdout=packed)
            pack.stdin.write(control(START, CONTENT_TYPE))
            written = 0
            while written < FRAMES_A_FILE:
                step = min(len(template.frames), FRAMES_A_FILE - written)
                part, found = template.part(number * FRAMES_A_FILE + written, step, clients)
                pack.stdin.write(part)
                part.release()
                written += step
                count += found
            pack.stdin.write(control(STOP))
            pack.stdin.close()
            assert pack.wait() == 0
    return count


def files():
    """(folder of the files, how many frames are of CLIENT), made once."""
    folder = DATA / f"print-{FRAMES}"
    count = folder / "count.json"
    if not count.exists():
        folder.mkdir(exist_ok=True)
        count.write_text(json.dumps(make(folder)))
    return folder, json.loads(count.read_text())


# --- Runs ---

class Run:
    """What one command cost that reads so many frames and prints how many lines it found, between `least` and `most`; or
    prints everything, if there is no `most`."""

    def __init__(self, command, frames, least=0, most=None):
        began = time.monotonic()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL if most is None else subprocess.PIPE,
                                   stderr=subprocess.DEVNULL)
        found = 0 if most is None else int(process.stdout.read() or 0)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = status
        assert status == 0, command
        assert most is None or least <= found <= most, (command, found, least, most)
        self.seconds = time.monotonic() - began
        self.cpu = usage.ru_utime + usage.ru_stime
        self.frames = frames


def counted(command, *arguments):
    """A shell command that prints how many lines another one prints."""
    return ["sh", "-c", command, "sh", *map(str, arguments)]


def archived(folder):
    """(folder, frames in it) of an exporter's archive that was given the files at full speed; what it dropped then, the
    machine being busy with packing both, is not in it. None: this build has no archive."""
    target = DATA / f"print-{FRAMES}-archive"
    rotate_bytes = sum(path.stat().st_size for path in folder.glob("*.zst")) // FILES
    config = ARCHIVE.format(folder=target, rotate_bytes=rotate_bytes)
    check, frames = DATA / "archive.yml", DATA / f"print-{FRAMES}-archive.json"
    check.write_text(config.replace("{dir}", str(DATA)))
    if subprocess.run([OURS, "--config.check", f"--config.file={check}"], capture_output=True, check=False).returncode:
        return None
    if not frames.exists():
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir()
        with Exporter(config) as exporter:
            for path in sorted(folder.glob("*.zst")):
                plain = DATA / "plain.fstrm"
                subprocess.run(["zstd", "-dqf", path, "-o", plain], check=True)
                subprocess.run([PROGRAMS / "replay", plain, exporter.socket], check=True, stderr=subprocess.DEVNULL)
                plain.unlink()
            dropped = exporter.scrape().total("dnstap_archive_frames_dropped_total")
        frames.write_text(json.dumps(FRAMES - int(dropped)))
    return target, json.loads(frames.read_text())


def without_indexes(archive):
    """The same files, in a folder of their own."""
    folder = archive.with_name(archive.name + "-plain")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for path in archive.glob("*.zst"):
        os.link(path, folder / path.name)
    return folder


def found(folder):
    """How many messages are the client's."""
    return int(subprocess.run(counted(FIND, OURS, CLIENT, folder), stdout=subprocess.PIPE, check=True).stdout)


LDNS, GO = "dnstap-ldns -q | grep", "dnstap -j | grep (Go)"
FIND = '"$1" print --format=text --client="$2" "$3" | grep -c .'


def main():
    folder, count = files()
    one = min(HAVE_CLIENT)
    plain = DATA / f"print-{FRAMES}-{one}.fstrm"
    subprocess.run(["zstd", "-dqf", folder / f"{one:02}.fstrm.zst", "-o", plain], check=True)
    in_one = found(plain)
    # dnstap-ldns leaves messages out that it cannot read.
    commands = {
        OF_CLIENT: lambda: Run(counted(FIND, OURS, CLIENT, folder), FRAMES, count, count),
        OF_FILE: lambda: Run(counted(FIND, OURS, CLIENT, plain), FRAMES_A_FILE, in_one, in_one),
        LDNS: lambda: Run(counted('dnstap-ldns -q -r "$1" | grep -F -c "$2"', plain, CLIENT),
                                             FRAMES_A_FILE, 1, in_one),
        GO: lambda: Run(counted('dnstap -j -r "$1" | grep -F -c "$2"', plain, CLIENT),
                                             FRAMES_A_FILE, 1, in_one),
        "print --format=json": lambda: Run([OURS, "print", "--format=json", folder], FRAMES),
        "print --format=text": lambda: Run([OURS, "print", "--format=text", folder], FRAMES),
    }
    archive = archived(folder)
    if archive:
        kept, frames = archive
        bare = without_indexes(kept)
        in_archive = found(bare)
        commands["archive, no index"] = lambda: Run(counted(FIND, OURS, CLIENT, bare), frames, in_archive, in_archive)
        commands["archive, index"] = lambda: Run(counted(FIND, OURS, CLIENT, kept), frames, in_archive, in_archive)
    measured = [{what: command() for what, command in commands.items()} for _ in range(ROUNDS)]
    rows = []
    for what in commands:
        runs = [each[what] for each in measured]
        whole = [run.seconds * FRAMES / run.frames for run in runs]
        cpu = [run.cpu * 1e9 / run.frames for run in runs]
        ours = OF_FILE if what in (LDNS, GO) else OF_CLIENT
        times = [median(getattr(each[what], cost) / each[what].frames / (getattr(each[ours], cost) / each[ours].frames)
                        for each in measured) for cost in ("cpu", "seconds")]
        rows.append((what, f"{median(whole):.2f}", f"{spread(whole):.0%}", f"{times[1]:.2f}", f"{median(cpu):.0f}",
                     f"{times[0]:.2f}", f"{1e9 / median(cpu) / 1e6:.2f} M"))
    print(f"{FRAMES} frames in {FILES} files of {sum(path.stat().st_size for path in folder.glob('*.zst')) / 1e6:.0f} MB "
          f"together; {count} frames of the client, in {len(HAVE_CLIENT)} of the files")
    print(f"The two other decoders, and `print` of what is unpacked, read one file of {FRAMES_A_FILE} frames, and are compared with "
          "each other: seconds are scaled to all.")
    table("on two cores", ("seconds", "spread", "times ours", "CPU ns/frame", "times ours", "frames/core s"), rows)
    if archive:
        print(f"The archive has {frames} frames in {len(list(kept.glob('*.zst')))} files; seconds are scaled to all.\n")
    else:
        print("This build has no archive: what its indexes save is not measured.\n")


if __name__ == "__main__":
    main()
