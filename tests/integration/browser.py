# SPDX-License-Identifier: Apache-2.0
"""A headless Chromium that a test looks at the exporter's pages with, driven by Debian's
chromium-driver and python3-selenium. It has no network but loopback: its proxy is a closed port.
"""

import contextlib

from selenium import webdriver
from selenium.webdriver.chrome.service import Service

from exporter import limit

ARGUMENTS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
    "--disable-background-networking", "--disable-component-update", "--disable-default-apps",
    "--disable-domain-reliability", "--disable-extensions", "--disable-sync", "--no-first-run",
    "--no-pings", "--hide-scrollbars", "--metrics-recording-only", "--lang=en",
    "--proxy-server=127.0.0.1:9", "--proxy-bypass-list=127.0.0.1",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1")


@contextlib.contextmanager
def browser():
    """The driver of a browser that ends with the context."""
    options = webdriver.ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    for argument in ARGUMENTS:
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(service=Service("/usr/bin/chromedriver"), options=options)
    try:
        driver.set_page_load_timeout(limit(20))
        yield driver
    finally:
        driver.quit()


def look(driver, width, height, scheme, mobile=False):
    """A window of this size, of somebody who likes it `light` or `dark`."""
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
        "width": width, "height": height, "deviceScaleFactor": 1, "mobile": mobile})
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {
        "features": [{"name": "prefers-color-scheme", "value": scheme}]})
