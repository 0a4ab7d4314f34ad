#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Take pictures of / and /status under load: screenshots.py FOLDER [SECONDS]"""

import base64
import pathlib
import random
import sys
import threading
import time

from browser import browser, look
from exporter import Exporter
from sender import Sender
from traffic import INFECTED, LookUp, browsing, frames_of, names_under

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


def main(folder, seconds="125"):
    done = threading.Event()
    with Exporter() as exporter, browser() as driver:
        thread = threading.Thread(target=send, args=(exporter, done))
        thread.start()
        try:
            take(driver, exporter, pathlib.Path(folder), "/status", float(seconds))
            take(driver, exporter, pathlib.Path(folder), "/", 0)
        finally:
            done.set()
            thread.join()


if __name__ == "__main__":
    main(*sys.argv[1:])
