#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Take pictures of / and /status under load: screenshots.py FOLDER [SECONDS]

Or README's picture of /status after eleven minutes of ordinary traffic, in which one host is infected:
screenshots.py FILE.png [SECONDS]
"""

import base64
import operator
import pathlib
import random
import sys
import threading
import time

from browser import browser, look
from exporter import Exporter
from sender import Sender
from traffic import INFECTED, LookUp, browsing, frames_of, infected, names_under

NXDOMAIN, SERVFAIL, REFUSED = b"\x81\x83", b"\x81\x82", b"\x81\x85"  # flags of responses
HOSTILE = '"><script>alert(1)</script>.' + "a-long-label-" * 4 + ".example"
VIEWS = {"light": (1280, "light"), "dark": (1280, "dark"), "phone": (360, "light"),
         "phone-dark": (360, "dark")}


def send(exporter, done):
    """Look-ups at two servers, of which some are passed on, and an infected host's."""
    chance, names = random.Random(1), names_under("com")
    with Sender(exporter.socket) as sender:
        sender.start().send([b"rejected"])
        for n, look_up in enumerate(browsing(chance, [f"192.168.0.{n}" for n in range(1, 101)], 600, 20)):
            failure = chance.choice((NXDOMAIN, SERVFAIL, REFUSED))
            if n % 90 == 0:
                look_up = LookUp(0, INFECTED, HOSTILE if n % 900 == 0 else next(names))
                failure = NXDOMAIN
            for _, frame in frames_of(look_up._replace(when=0), time.time_ns(), chance):
                payload = b"\x0a\x03ns%d" % (n % 2) + frame[4:].replace(NXDOMAIN, failure)
                sender.send([payload])
                if n % 6 == 0:  # CLIENT_QUERY and _RESPONSE become RESOLVER ones
                    sender.send([payload.replace(b"\x08\5", b"\x08\3", 1)
                                 .replace(b"\x08\6", b"\x08\4", 1)])
            if done.wait(0.003 + 0.004 * abs(n // 100 % 20 - 10) / 10):
                return


def take(driver, exporter, folder, path, seconds):
    driver.get(f"http://{exporter.web}{path}")
    time.sleep(seconds)
    for view, (width, scheme) in VIEWS.items():
        look(driver, width, 800, scheme, width < 500)
        time.sleep(3)
        picture = driver.execute_cdp_cmd("Page.captureScreenshot", {"captureBeyondViewport": True})
        (folder / f"{path.strip('/') or 'landing'}-{view}.png").write_bytes(
            base64.b64decode(picture["data"]))


def send_ordinary(exporter, done):
    """What 120 hosts look up at two servers, in real time; one response in 300 is SERVFAIL."""
    chance, began = random.Random(1), time.monotonic()
    clients = [f"192.168.{n % 2}.{n // 2 + 10}" for n in range(120)]
    look_ups = [*browsing(chance, clients, 900, 10),
                *infected(INFECTED, names_under("com", "net", "ru"), 0.5, 60, 900)]
    with Sender(exporter.socket) as sender:
        sender.start()
        for n, look_up in enumerate(sorted(look_ups, key=operator.attrgetter("when"))):
            if done.wait(max(0, began + look_up.when - time.monotonic())):
                return
            if chance.random() < 0.0033:
                look_up = look_up._replace(exists=False, zone=None)
            for _, frame in frames_of(look_up._replace(when=-0.1), time.time_ns(), chance):
                failed = look_up.zone is None
                payload = b"\x0a\x09resolver%d" % (1 + n % 2) + frame[4:]
                sender.send([payload.replace(NXDOMAIN, SERVFAIL) if failed else payload])


def take_one(driver, exporter, path, seconds):
    driver.get(f"http://{exporter.web}/status")
    time.sleep(seconds)
    look(driver, 1280, 820, "light")
    time.sleep(3)
    picture = driver.execute_cdp_cmd("Page.captureScreenshot", {})
    path.write_bytes(base64.b64decode(picture["data"]))


def main(out, seconds=None):
    out, done = pathlib.Path(out), threading.Event()
    is_one = out.suffix == ".png"
    with Exporter() as exporter, browser() as driver:
        thread = threading.Thread(target=send_ordinary if is_one else send, args=(exporter, done))
        thread.start()
        try:
            if is_one:
                take_one(driver, exporter, out, float(seconds or 660))
            else:
                take(driver, exporter, out, "/status", float(seconds or 125))
                take(driver, exporter, out, "/", 0)
        finally:
            done.set()
            thread.join()


if __name__ == "__main__":
    main(*sys.argv[1:])
