# SPDX-License-Identifier: Apache-2.0
"""The archive: each frame of the inputs is in its files as it came, or is counted as dropped; whatever the disk
does, counting goes on, and what was flushed can be read.

Files are read by libzstd and by sender.py, which shares no code with the exporter.
"""

import ctypes
import os
import pathlib
import random
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import unittest

import decoder
from exporter import PROGRAM, Exporter, limit, wait_until
from sender import Sender, control, dns_message, dnstap_frame, payloads_of

TOP = pathlib.Path(__file__).resolve().parents[2]
MIB = 1 << 20
NAME = re.compile(r"dnstap-\d{8}T\d{6}\.\d{3}Z\.fstrm\.zst(\.part|\.index)?$")
SLOW = os.environ.get("SLOW_DISK_EXPORTER")
STOP = control(3)


def frames(count, first=0, size=0):
    """Frames that are all different; `size` bytes of each do not pack."""
    made = []
    for number in range(first, first + count):
        noise = random.Random(number).randbytes(size)
        option = b"\0\x0f" + size.to_bytes(2, "big") + noise if size else b""
        made.append(dnstap_frame(dns_message(number=number, option=option), identity=b"ns",
                                 when_ns=10**18 + number))
    return made


class Buffer(ctypes.Structure):
    """libzstd's ZSTD_inBuffer and ZSTD_outBuffer."""

    _fields_ = [("data", ctypes.c_void_p), ("size", ctypes.c_size_t), ("at", ctypes.c_size_t)]


def unpack(path):
    """(content, whether the zstd frame ends). A cut end is no damage; anything else is. By libzstd, since the zstd
    program keeps the last bytes before a cut to itself."""
    packed = path.read_bytes()
    zstd = ctypes.CDLL("libzstd.so.1")
    zstd.ZSTD_createDCtx.restype = ctypes.c_void_p
    zstd.ZSTD_decompressStream.restype = ctypes.c_size_t
    context = ctypes.c_void_p(zstd.ZSTD_createDCtx())
    room = ctypes.create_string_buffer(1 << 20)
    source = Buffer(ctypes.cast(ctypes.c_char_p(packed), ctypes.c_void_p), len(packed), 0)
    content, left = [], 1
    while True:
        sink = Buffer(ctypes.addressof(room), len(room), 0)
        left = zstd.ZSTD_decompressStream(context, ctypes.byref(sink), ctypes.byref(source))
        assert not zstd.ZSTD_isError(ctypes.c_size_t(left)), path
        content.append(room[:sink.at])
        if source.at == source.size and sink.at < sink.size:
            break
    zstd.ZSTD_freeDCtx(context)
    return b"".join(content), left == 0


class Folder:
    """The files of an archive."""

    def __init__(self, path):
        self.path = pathlib.Path(path)

    def names(self, suffix=None):
        """All, or those that end so; "" are the closed files."""
        names = sorted(path.name for path in self.path.iterdir())
        for name in names:
            assert NAME.match(name) or name.endswith(".index.part"), name
        if suffix is None:
            return names
        return [name for name in names if (NAME.match(name) or [None, None])[1] == (suffix or None)]

    def size(self):
        total = 0
        for path in self.path.iterdir():
            try:
                total += path.stat().st_size
            except FileNotFoundError:
                pass  # it was removed, or renamed
        return total

    def payloads(self):
        """Of all files, in the order of their names; those that are closed are whole."""
        found = []
        for name in self.names():
            if ".index" in name:
                continue
            content, is_whole = unpack(self.path / name)
            if not name.endswith(".part"):
                assert is_whole and content.endswith(STOP), name
            found += payloads_of(content)
        return found


class ArchiveTest(unittest.TestCase):

    def start(self, settings="", before=(), program=None, env=None, more="", folder="{dir}/archive", started=True):
        exporter = Exporter('inputs:\n  - {name: one, unix: "{dir}/one.sock"}\n  - {name: two, unix: "{dir}/two.sock"}\n'
                            + f'archive: {{folder: "{folder}"{", " if settings else ""}{settings}}}\n' + more)
        exporter.before = list(before)
        exporter.program = program or exporter.program
        exporter.env = env
        self.addCleanup(exporter.discard)
        exporter.folder = Folder(folder.replace("{dir}", exporter.dir))
        if started:
            self.enterContext(exporter)
        return exporter

    @staticmethod
    def send(exporter, payloads, to="one"):
        Sender(os.path.join(exporter.dir, f"{to}.sock")).send_all(payloads)

    @staticmethod
    def value(exporter, name, **labels):
        return exporter.scrape().total(f"dnstap_archive_{name}", **labels)

    def accounted(self, exporter):
        """Frames that are on the disk or dropped."""
        page = exporter.scrape()
        return page.total("dnstap_archive_frames_total") + page.total("dnstap_archive_frames_dropped_total")

    def wait_for(self, exporter, count, timeout=20):
        wait_until(lambda: self.accounted(exporter) == count, timeout, f"{count} frames")


class Files(ArchiveTest):

    def test_unchanged(self):
        """Of all inputs, what is no dnstap as well; after a flush, and when the exporter has ended."""
        exporter = self.start()
        first = frames(3000) + [b"\xff", b"x" * 30000]
        second = frames(2000, 10000, size=50)
        self.send(exporter, first, "one")
        self.send(exporter, second, "two")
        self.wait_for(exporter, len(first) + len(second))
        self.assertEqual(self.value(exporter, "frames_total"), len(first) + len(second))
        self.assertEqual(self.value(exporter, "files"), 1)
        self.assertEqual(self.value(exporter, "size_bytes"), exporter.folder.size())
        self.assertEqual(self.value(exporter, "writable"), 1)
        self.assertAlmostEqual(self.value(exporter, "last_flush_timestamp_seconds"), time.time(), delta=limit(10))
        self.assertAlmostEqual(self.value(exporter, "oldest_timestamp_seconds"), time.time(), delta=limit(20))
        self.assertEqual(len(exporter.folder.names(".part")), 1)
        self.assertEqual(exporter.folder.payloads(), first + second)
        last = frames(10, 50000)
        self.send(exporter, last)
        self.assertEqual(exporter.stop(), 0)
        self.assertEqual(exporter.folder.names(".part"), [])
        (name,) = exporter.folder.names("")
        self.assertEqual(exporter.folder.names(), [name, f"{name}.index"])
        self.assertEqual(exporter.folder.payloads(), first + second + last)
        for path in exporter.folder.path.iterdir():
            self.assertEqual(path.stat().st_mode & 0o7777, 0o640)
        self.assertEqual(exporter.folder.path.stat().st_mode & 0o7777, 0o750)
        done = subprocess.run([PROGRAM, "read", exporter.folder.path / name], check=False, capture_output=True,
                              text=True)
        self.assertIn("2 of 5012", done.stderr)  # those that are no dnstap
        self.assertRegex(done.stdout, r"\ndnstap_frames_total\{.*\} 5012\n")

    def test_off(self):
        exporter = Exporter()
        self.addCleanup(exporter.discard)
        self.enterContext(exporter)
        self.assertNotIn("dnstap_archive", exporter.get("/metrics")[2].decode())

    def test_rotation_by_time(self):
        exporter = self.start("rotate_interval: 2s")
        sent = []
        for part in range(3):
            more = frames(100, part * 1000)
            self.send(exporter, more)
            sent += more
            wait_until(lambda n=part: len(exporter.folder.names("")) == n + 1, 10, "a closed file")
        self.assertEqual(exporter.folder.names(".part"), [])  # no file without frames
        wait_until(lambda: len(exporter.folder.names(".index")) == 3, 10, "indexes")
        self.assertEqual(exporter.folder.payloads(), sent)
        self.assertEqual(self.value(exporter, "files"), 3)

    def test_rotation_by_size(self):
        exporter = self.start("rotate_bytes: 256KiB")
        sent = frames(4000, size=1000)
        self.send(exporter, sent)
        wait_until(lambda: len(exporter.folder.names("")) >= 10, 20, "closed files")
        for name in exporter.folder.names(""):
            size = (exporter.folder.path / name).stat().st_size
            self.assertTrue(256 * 1024 <= size <= 256 * 1024 + 2 * 128 * 1024, size)
        self.assertEqual(exporter.stop(), 0)
        self.assertEqual(exporter.folder.payloads(), sent)

    def test_next_start(self):
        """Opens a new file, and counts what was there; also a part that a crash left."""
        exporter = self.start()
        first = frames(1000)
        self.send(exporter, first)
        self.wait_for(exporter, len(first))
        exporter.process.kill()
        exporter.wait()
        (part,) = exporter.folder.names()
        before = (exporter.folder.path / part).read_bytes()
        exporter.start()
        second = frames(1000, 5000)
        self.send(exporter, second)
        self.wait_for(exporter, len(second))
        self.assertEqual(len(exporter.folder.names(".part")), 2)
        self.assertEqual(self.value(exporter, "files"), 2)
        self.assertEqual(exporter.stop(), 0)
        self.assertEqual((exporter.folder.path / part).read_bytes(), before)
        self.assertEqual(exporter.folder.payloads(), first + second)

    def test_one_exporter_a_folder(self):
        first = self.start()
        self.send(first, frames(10))
        second = self.start(folder=str(first.folder.path))
        second.wait_for_log("another process writes into this folder")
        self.send(second, frames(7))
        wait_until(lambda: self.value(second, "frames_dropped_total", reason="write_error") == 7, 10, "drops")
        self.assertEqual(self.value(second, "writable"), 0)
        self.assertEqual(first.stop(), 0)
        wait_until(lambda: self.value(second, "writable") == 1 or self.send(second, frames(1)), 20, "the folder")
        second.wait_for_log("the archive is written again")


class Search(ArchiveTest):
    """`print` of an archive: its indexes pass over files, and never over a message."""

    def fill(self):
        """A file of the archive for each recording, and for one client of its own; the payloads of all."""
        exporter = self.start("rotate_interval: 1s")
        lonely = dnstap_frame(dns_message((b"lonely", b"example")), identity=b"ns").replace(bytes([127, 0, 0, 1]), bytes([198, 51, 100, 7]))
        recordings = [payloads_of(path.read_bytes()) for path in sorted((TOP / "tests/captures").glob("*.fstrm"))] + [[lonely]]
        for number, payloads in enumerate(recordings):
            self.send(exporter, payloads)
            wait_until(lambda n=number: len(exporter.folder.names("")) > n, 20, "a closed file")
        self.assertEqual(exporter.stop(), 0)
        return exporter.folder.path, [payload for payloads in recordings for payload in payloads]

    def printed(self, folder, *flags, status=0):
        done = subprocess.run([PROGRAM, "print", "--format=frames", *flags, folder], capture_output=True, check=False,
                              timeout=limit(60))
        self.assertEqual(done.returncode, status, done.stderr)
        return payloads_of(done.stdout)

    @staticmethod
    def filters(chance, payloads):
        """Flags of values that are in a message, and of some that are in none."""
        message = decoder.message_of(chance.choice(payloads))
        flags = [f"--client={chance.choice(['203.0.113.9', '10.0.0.0/8', '2001:db8::/33'])}"]
        if message.query_address is not None:
            for prefix in range(0, message.query_address.max_prefixlen + 1, chance.randrange(1, 9)):
                flags.append(f"--client={message.query_address}/{prefix}")
        if message.question is not None:
            labels = message.question[0]
            flags += [f"--name={decoder.name_text(labels[first:])}" for first in range(len(labels) + 1)]
        for record in message.section("answers"):
            if record.address is not None:
                flags += [f"--answer={record.address}", f"--answer={record.address}/{chance.randrange(8, 33)}"]
            if record.target is not None:
                flags.append(f"--answer={decoder.name_text(record.target)}")
        if message.time_ns:
            when = decoder.time_text(message.time_ns)
            flags += [f"--from={when}", f"--until={when}"]
        return flags

    def test_indexes(self):
        folder, sent = self.fill()
        plain = folder.parent / "plain"
        plain.mkdir()
        for path in folder.glob("*.zst"):
            shutil.copy2(path, plain)
        self.assertGreater(len(list(folder.glob("*.index"))), 8)
        self.assertEqual(self.printed(folder), sent)
        chance = random.Random(19)
        for _ in range(12):
            for flag in self.filters(chance, sent):
                self.assertEqual(self.printed(folder, flag), self.printed(plain, flag), flag)

    def test_files_are_passed_over(self):
        folder, sent = self.fill()
        files = sorted(folder.glob("*.zst"))
        for path in files[:-1]:  # what is read would be damaged
            before = path.stat()
            path.write_bytes(bytes(before.st_size))
            os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        # An address has three keys, so that an index hardly ever errs about it.
        self.assertEqual(self.printed(folder, "--client=198.51.100.7"), sent[-1:])
        names, read = 20, 0
        for number in range(names):  # a name has one, about which an index may err once in a hundred times
            done = subprocess.run([PROGRAM, "print", f"--name=other{number}.example", folder], capture_output=True, check=False,
                                  timeout=limit(60))
            self.assertEqual(done.stdout, b"")
            read += done.stderr.count(b"\n")
        self.assertLess(read, 0.2 * names * len(files))
        self.printed(folder, "--name=example", status=1)  # one label is in no index
        files[0].write_bytes(bytes(files[0].stat().st_size))  # written later than its index
        self.assertEqual(self.printed(folder, "--client=198.51.100.7", status=1), sent[-1:])


class Bounds(ArchiveTest):

    def test_bytes(self):
        """The folder is never larger than the bound, the oldest goes first, and no earlier than needed."""
        exporter = self.start("max_bytes: 2MiB, rotate_bytes: 256KiB")
        sent, seen, done = 0, [], threading.Event()

        def watch():
            while not done.wait(0.002):
                seen.append(exporter.folder.size())

        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            for part in range(20):
                self.send(exporter, frames(500, part * 1000, size=1000))
                sent += 500
            wait_until(lambda: self.value(exporter, "written_bytes_total") > 9 * MIB, 20, "bytes")
        finally:
            done.set()
            watcher.join()
        self.assertLessEqual(max(seen), 2 * MIB)
        self.assertGreater(exporter.folder.size(), 2 * MIB - 512 * 1024 - 256 * 1024)
        self.wait_for(exporter, sent)
        self.assertEqual(self.value(exporter, "frames_total"), sent)
        self.assertEqual(self.value(exporter, "size_bytes"), exporter.folder.size())
        self.assertEqual(exporter.stop(), 0)
        everything = [payload for part in range(20) for payload in frames(500, part * 1000, size=1000)]
        kept = exporter.folder.payloads()
        self.assertEqual(kept, everything[-len(kept):])
        for name in exporter.folder.names(".index"):
            self.assertIn(name.removesuffix(".index"), exporter.folder.names(""))

    def test_age(self):
        exporter = self.start("max_age: 4s, rotate_interval: 1s")
        other = exporter.folder.path / "notes.txt"
        other.write_text("not the archive's")
        os.utime(other, (0, 0))
        begin = time.time()
        self.send(exporter, frames(10))
        wait_until(lambda: any(path.suffix == ".index" for path in exporter.folder.path.iterdir()), 10, "a file")
        wait_until(lambda: list(exporter.folder.path.iterdir()) == [other], 10, "its end")
        self.assertGreaterEqual(time.time() - begin, 4)
        self.assertEqual(self.value(exporter, "files"), 0)
        self.assertEqual(self.value(exporter, "oldest_timestamp_seconds"), 0)
        other.unlink()


def namespace(folder, size):
    """What runs a program with a file system of its own, of `size` bytes, at `folder`; None where this is not
    permitted."""
    before = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c",
              f"mount -t tmpfs -o size={size} tmpfs {folder} && exec \"$@\"", "sh"]
    done = subprocess.run([*before, "true"], check=False, capture_output=True)
    return before if done.returncode == 0 else None


class Trouble(ArchiveTest):

    def start_on_small_disk(self, size):
        place = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, place, True)
        before = namespace(place, size)
        if not before:
            self.skipTest("mounts in a namespace are not permitted")
        exporter = self.start(folder=f"{place}/archive", before=before)
        exporter.folder = Folder(f"/proc/{exporter.process.pid}/root{place}/archive")
        exporter.place = place
        return exporter

    def keep_sending(self, exporter, condition, what, size=500):
        """Send until the condition holds; count what was sent."""
        sent = 0
        deadline = time.monotonic() + limit(60)
        while not condition():
            self.assertLess(time.monotonic(), deadline, what)
            self.send(exporter, frames(300, sent, size))
            sent += 300
        return sent

    def test_disk_full(self):
        """Drops are counted by their reason, the log says what to do, and writing goes on when there is room."""
        exporter = self.start_on_small_disk(3 * MIB)
        filler = pathlib.Path(f"/proc/{exporter.process.pid}/root{exporter.place}/filler")
        filler.write_bytes(bytes(2 * MIB))
        sent = self.keep_sending(exporter, lambda: self.value(
            exporter, "frames_dropped_total", reason="disk_full") > 0, "a full disk")
        exporter.wait_for_log("make room on the disk, or lower archive.max_bytes", 1)
        self.assertEqual(self.value(exporter, "writable"), 0)
        self.assertGreater(self.value(exporter, "errors_total"), 0)
        filler.unlink()
        sent += self.keep_sending(exporter, lambda: self.value(exporter, "writable") == 1, "room", size=10)
        exporter.wait_for_log("the archive is written again")
        self.wait_for(exporter, sent)
        self.assertEqual(len(exporter.folder.payloads()), self.value(exporter, "frames_total"))
        self.assertEqual(exporter.scrape().total("dnstap_frames_total"), sent)
        self.assertEqual(exporter.log().count("the archive cannot be written"), 1)

    def test_read_only(self):
        exporter = self.start_on_small_disk(8 * MIB)
        pid = str(exporter.process.pid)

        def remount(how):
            return subprocess.run(["nsenter", "--target", pid, "--user", "--mount", "--preserve-credentials", "mount",
                                   "-o", f"remount,{how}", exporter.place], check=False, capture_output=True)

        self.send(exporter, frames(100))
        self.wait_for(exporter, 100)
        self.assertEqual(exporter.stop(), 0)  # a file that is open for writing holds the remount up
        exporter.start()
        pid = str(exporter.process.pid)
        exporter.folder = Folder(f"/proc/{pid}/root{exporter.place}/archive")
        done = remount("ro")
        if done.returncode:
            self.skipTest(done.stderr.decode())
        self.send(exporter, frames(50))
        wait_until(lambda: self.value(exporter, "frames_dropped_total", reason="write_error") == 50, 10, "drops")
        exporter.wait_for_log("mount the file system for writing", 1)
        self.assertEqual(remount("rw").returncode, 0)
        sent = self.keep_sending(exporter, lambda: self.value(exporter, "writable") == 1, "a folder", size=10)
        self.wait_for(exporter, 50 + sent)
        self.assertEqual(len(exporter.folder.payloads()), self.value(exporter, "frames_total"))

    def test_folder_removed(self):
        """What is created in its place is used, unless the sandbox knows the one of the start."""
        for sandbox in "off", "on":
            exporter = self.start(more=f"sandbox: {sandbox}\n")
            self.send(exporter, frames(100))
            self.wait_for(exporter, 100)
            shutil.rmtree(exporter.folder.path)
            sent = 100 + self.keep_sending(exporter, lambda it=exporter: self.value(
                it, "frames_dropped_total", reason="write_error") > 0, "a folder that is gone", size=0)
            exporter.wait_for_log("create the folder, and restart")
            self.wait_for(exporter, sent)
            exporter.folder.path.mkdir()
            files = exporter.scrape().total("dnstap_exporter_sandbox_active", part="files")
            if sandbox == "on" and files:
                sent += self.keep_sending(exporter, lambda it=exporter: "takes a restart" in it.log(), "a line", size=0)
            else:
                sent += self.keep_sending(exporter, lambda it=exporter: self.value(it, "writable") == 1, "a folder",
                                          size=0)
            self.wait_for(exporter, sent)
            self.assertEqual(exporter.scrape().total("dnstap_exporter_sandbox_violations_total"), 0)
            self.assertEqual(exporter.stop(), 0)

    def test_file_removed(self):
        exporter = self.start()
        self.send(exporter, frames(100))
        self.wait_for(exporter, 100)
        (name,) = exporter.folder.names()
        (exporter.folder.path / name).unlink()
        sent = 100 + self.keep_sending(exporter, lambda: self.value(exporter, "errors_total") == 1, "an error", size=0)
        sent += self.keep_sending(exporter, lambda: self.value(exporter, "writable") == 1, "another file", size=0)
        self.wait_for(exporter, sent)

    def test_no_folder_at_the_start(self):
        """Neither it nor its parent is there: counting goes on."""
        exporter = self.start(folder="{dir}/nowhere/archive")
        exporter.wait_for_log("the archive's folder cannot be created")
        self.send(exporter, frames(20))
        wait_until(lambda: self.value(exporter, "frames_dropped_total", reason="write_error") == 20, 10, "drops")
        self.assertEqual(exporter.scrape().total("dnstap_frames_total"), 20)

    def test_limit_of_the_file_size(self):
        exporter = self.start(before=["prlimit", "--fsize=300000"])
        sent = self.keep_sending(exporter, lambda: self.value(
            exporter, "frames_dropped_total", reason="write_error") > 0, "a limit")
        exporter.wait_for_log("raise the limit of the size of files")
        self.assertIsNone(exporter.process.poll())
        self.wait_for(exporter, sent)

    @unittest.skipUnless(SLOW, "a program of the test's build")
    def test_slow_disk(self):
        """Each flush takes four seconds: inputs are read as fast as ever, and what the queue has no room for is
        dropped."""
        exporter = self.start(program=SLOW, env={"SLOW_DISK_SECONDS": "4"})
        batch = frames(500, size=4000)
        self.send(exporter, batch)
        count = 0
        begin = time.monotonic()
        with Sender(f"{exporter.dir}/one.sock") as sender:
            sender.start()
            while count < 30:  # 60 MB
                sender.send(batch)
                count += 1
            sender.stop()
        took = time.monotonic() - begin
        sent = (1 + count) * len(batch)
        self.assertEqual(exporter.scrape().total("dnstap_frames_total"), sent)
        self.assertLess(took, limit(4))
        self.assertGreater(self.value(exporter, "frames_dropped_total", reason="queue_full"), 0)
        self.wait_for(exporter, sent, 60)
        self.assertEqual(self.value(exporter, "errors_total"), 0)
        self.assertEqual(len(exporter.folder.payloads()), self.value(exporter, "frames_total"))


class Kill(ArchiveTest):

    RUNS = 200

    def test_kill_at_random_moments(self):
        """All in one folder. Each file can be read, but for the cut end of one that was open; frames are those that
        were sent, in their order, from the first on; what was said to be on the disk is there; and what earlier
        runs have left is not touched."""
        place = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, place, True)
        # Enough for a rotation every few milliseconds, so that many moments are within one.
        payloads = frames(6000, size=500)
        generator = random.Random(1)
        exporter = self.start("rotate_bytes: 64KiB, max_bytes: 1GiB", folder=place, started=False)
        left = {}
        open_parts = 0
        for _ in range(self.RUNS):
            exporter.start()
            said = self.run_until_killed(exporter, payloads, generator.uniform(0.0, 0.12))
            exporter.wait()
            names = [name for name in exporter.folder.names() if ".index" not in name and name not in left]
            for name, size in left.items():
                self.assertEqual((exporter.folder.path / name).stat().st_size, size)
            found = []
            for name in names:
                content, is_whole = unpack(exporter.folder.path / name)
                if not name.endswith(".part"):
                    self.assertTrue(is_whole and content.endswith(STOP), name)
                else:
                    open_parts += 1
                found += payloads_of(content)
                left[name] = (exporter.folder.path / name).stat().st_size
            self.assertEqual(found, payloads[:len(found)])
            self.assertGreaterEqual(len(found), said)
        self.assertGreater(len(left), self.RUNS)
        self.assertGreater(open_parts, self.RUNS // 4)

    @staticmethod
    def run_until_killed(exporter, payloads, seconds):
        """Returns how many frames the exporter said to have on the disk before that."""
        killer = threading.Timer(seconds, exporter.process.send_signal, [signal.SIGKILL])
        said = 0
        try:
            with Sender(f"{exporter.dir}/one.sock") as sender:
                sender.start(bidirectional=False)
                killer.start()
                for at in range(0, len(payloads), 100):
                    sender.send(payloads[at:at + 100])
                body = exporter.get("/metrics")[2].decode()
                said = int(re.search(r"^dnstap_archive_frames_total (\d+)", body, re.MULTILINE)[1])
        except (OSError, AssertionError, TypeError):
            pass  # it was killed
        killer.join()
        return said


class Configuration(ArchiveTest):

    def check(self, config):
        """(status, what is said) of --config.check and of a start."""
        with tempfile.NamedTemporaryFile("w", suffix=".yml") as file:
            file.write(config)
            file.flush()
            said = []
            for more in ["--config.check"], []:
                done = subprocess.run([PROGRAM, f"--config.file={file.name}", *more], check=False,
                                      capture_output=True, text=True, timeout=limit(20))
                said.append((done.returncode, done.stderr.replace(file.name, "FILE")))
        self.assertEqual(said[0], said[1])
        return said[0]

    def test_privacy(self):
        for privacy in "client_ipv4_prefix: 24", "client_ipv6_prefix: 48", "client_hash: true":
            status, said = self.check(f"privacy: {{{privacy}}}\narchive:\n  max_age: 1d\n  folder: /tmp/archive\n")
            self.assertEqual(status, 2)
            self.assertEqual(said, "dnstap_exporter: FILE:4: archive.folder: the archive's frames have whole addresses, "
                                   "which privacy leaves out; archive.allow_addresses: true allows it\n")

    def test_privacy_that_allows_it(self):
        exporter = self.start("allow_addresses: true", more="privacy: {client_hash: true}\n")
        self.send(exporter, frames(10))
        self.assertEqual(exporter.stop(), 0)
        self.assertEqual(exporter.folder.payloads(), frames(10))

    def test_sizes(self):
        status, said = self.check("archive: {folder: /tmp/archive, max_bytes: 100MiB}\n")
        self.assertEqual((status, said), (2, "dnstap_exporter: FILE:1: archive.max_bytes: it is less than twice "
                                             "archive.rotate_bytes\n"))
        status, said = self.check("archive: {folder: archive}\n")
        self.assertEqual((status, said), (2, "dnstap_exporter: FILE:1: archive.folder: expected an absolute path, or "
                                             "\"\", got 'archive'\n"))

    def test_reload(self):
        exporter = self.start()
        exporter.write_config(pathlib.Path(exporter.config_path).read_text(encoding="utf-8")
                              .replace("archive: {", "archive: {max_age: 1h, "))
        exporter.process.send_signal(signal.SIGHUP)
        exporter.wait_for_log('"this change takes effect after a restart only" key=archive.max_age')


if __name__ == "__main__":
    unittest.main()
