# SPDX-License-Identifier: Apache-2.0
"""The page /status in a browser: what it shows of live traffic, of hostile names, of trouble, and
without any; that it is served as text and never as elements, that its policy holds, that it goes
nowhere but to the exporter, and that it can be read in the light, in the dark and on a phone.
"""

import contextlib
import json
import random
import re
import signal
import socket
import subprocess
import tempfile
import threading
import time
import unittest

from selenium.webdriver.common.by import By

from browser import browser, look
from exporter import Exporter, detection_of, free_port, limit, wait_until
from sender import Neighbour, Sender, dns_message, dns_response, dnstap_frame
from traffic import INFECTED, LookUp, frames_of, names_under
from truth import messages

CONFIG = """
inputs:
  - name: unix
    unix: "{dir}/dnstap.sock"
  - name: spare
    tcp: "127.0.0.1:{port}"
web:
  listen_addresses: ["{web}"]
"""
NOTHING = CONFIG + """
top: {lists: []}
distinct: {counts: []}
""" + detection_of()

IMAGE = "<img/src=x/onerror=pwned=1>"
SCRIPT = '"><script>pwned=1</script>'
IDENTITIES = (IMAGE.encode(), SCRIPT.encode(), b"</script>\x00\xff\xe2\x80\xae'\n{{7*7}}")
FOUND_WITHIN = 45
STEP_WITHIN = 20  # the indicators are of steps of 15 seconds

# Of the texts that can be seen, the one whose colour differs least from what is behind it.
LEAST_CONTRAST = """
const numbers = color => color.match(/[0-9.]+/g).map(Number);
const light = color => numbers(color).slice(0, 3).map(value => value / 255).map(
  value => value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4)
  .reduce((sum, value, i) => sum + value * [0.2126, 0.7152, 0.0722][i], 0);
function behind(element) {
  const color = getComputedStyle(element).backgroundColor;
  if (numbers(color)[3] !== 0) return color;
  const isDark = matchMedia('(prefers-color-scheme: dark)').matches;
  return element.parentElement ? behind(element.parentElement)
    : isDark ? '18 18 18' : '255 255 255';
}
return [...document.querySelectorAll('body *:not(option, script, :disabled)')]
  .filter(element => element.checkVisibility()
    && [...element.childNodes].some(node => node.nodeType === 3 && node.data.trim()))
  .map(element => {
    const [a, b] = [light(getComputedStyle(element).color), light(behind(element))];
    return [(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), element.textContent];
  }).reduce((least, found) => found[0] < least[0] ? found : least);
"""

# Tries all that the policy forbids; answers what the browser then told of.
BREAK_POLICY = """
const [url, done] = arguments, told = new Set();
addEventListener('securitypolicyviolation', event => told.add(event.effectiveDirective));
const script = document.createElement('script');
script.textContent = 'pwned = 1';
document.body.append(script);
const far = document.createElement('script');
far.src = '/metrics';
document.body.append(far);
const image = document.createElement('img');
image.setAttribute('onerror', 'pwned = 1');
image.setAttribute('style', 'width: 1px');
image.src = url;
document.body.append(image);
const frame = document.createElement('iframe');
frame.src = '/';
document.body.append(frame);
fetch(url).catch(() => setTimeout(() => done([...told]), 300));
"""


def is_open(address):
    host, port = address.split(":")
    with socket.socket() as peer:
        return peer.connect_ex((host, int(port))) == 0


@contextlib.contextmanager
def nginx(upstream, path):
    """Its address, at which it serves what the upstream has below `path`."""
    address = f"127.0.0.1:{free_port()}"
    with tempfile.TemporaryDirectory(prefix="dnstap_exporter_nginx.") as folder:
        with open(f"{folder}/nginx.conf", "w", encoding="ascii") as file:
            places = "".join(f"{kind}_temp_path {folder}/{kind};" for kind in
                             ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
            file.write(f"daemon off; pid {folder}/pid; error_log stderr; events {{}} http {{ {places} access_log off; "
                       f"server {{ listen {address}; location {path} {{ proxy_pass http://{upstream}/; }} }} }}")
        with subprocess.Popen(["/usr/sbin/nginx", "-c", f"{folder}/nginx.conf", "-e", "stderr"], stderr=subprocess.DEVNULL) as process:
            try:
                wait_until(lambda: is_open(address), 10, "nginx")
                yield address
            finally:
                process.terminate()


def config(text=CONFIG):
    return text.replace("{port}", str(free_port()))


def answer(milliseconds):
    """A response of ns1 that has the query's time, so long before its own."""
    frame = messages()["dnstap.Dnstap"].FromString(
        dnstap_frame(dns_response(), "CLIENT_RESPONSE", b"ns1"))
    message = frame.message
    asked_ns = message.response_time_sec * 10**9 + message.response_time_nsec - milliseconds * 10**6
    message.query_time_sec, message.query_time_nsec = divmod(asked_ns, 10**9)
    return frame.SerializeToString()


def server_status(server, queries=0, **values):
    """A server as /api/v1/status has it; nothing happened, but for the values."""
    return {"server": server, "role": "client", "queries": queries, "responses": 0,
            "unanswered_queries": 0, "duplicate_responses": 0, "responses_only": False,
            "queries_only": False, "sampled": False, "qtypes": {}, "rcodes": {},
            "response_time_seconds": [], **values}


class Traffic:
    """A server's queries, what is hostile, and a host that asks for ever new names."""

    def __init__(self, exporter):
        self.neighbour = Neighbour(exporter.socket, batch=5, pause=0.05)
        self.sender = Sender(exporter.socket)
        self.done = threading.Event()
        self.thread = threading.Thread(target=self.infect)

    def __enter__(self):
        self.neighbour.__enter__()
        self.sender.start()
        for number, identity in enumerate(IDENTITIES * 3):
            labels = (IMAGE.encode(), SCRIPT.encode(), bytes([0, 34, 255]), b"x" * 63, b"example")
            for dns, kind in ((dns_message, "QUERY"), (dns_response, "RESPONSE")):
                values = {"rcode": 2} if dns == dns_response else {}
                frame = dns(labels=labels, number=number, **values)
                for role in ("CLIENT", "RESOLVER"):
                    self.sender.send([dnstap_frame(frame, f"{role}_{kind}", identity)])
        self.thread.start()
        return self

    def infect(self):
        chance = random.Random(5)
        for name in names_under("com"):
            for _, frame in frames_of(LookUp(0, INFECTED, name), time.time_ns(), chance):
                self.sender.raw(frame)
            if self.done.wait(0.25):
                return

    def __exit__(self, *_):
        self.done.set()
        self.thread.join(limit(30))
        self.sender.close()
        self.neighbour.__exit__()


class Status(unittest.TestCase):
    """One browser; and one exporter with traffic for most tests."""

    @classmethod
    def setUpClass(cls):
        cls.exporter = cls.enterClassContext(Exporter(config()))
        cls.traffic = cls.enterClassContext(Traffic(cls.exporter))
        cls.begin = time.monotonic()
        cls.driver = cls.enterClassContext(browser())

    def setUp(self):
        look(self.driver, 1280, 900, "light")

    def tearDown(self):
        self.assertEqual(self.complaints(), [])
        self.assertEqual(self.ask("return [typeof pwned, document.querySelectorAll('img').length]"),
                         ["undefined", 0])
        self.assertNotRegex(self.text("body"), r"NaN|undefined|\b(null|false|true|Infinity)\b")

    def open(self, exporter=None, path="/status"):
        self.driver.get(f"http://{(exporter or self.exporter).web}{path}")

    def open_live(self, exporter=None):
        """Open the page and wait until it has two answers."""
        self.open(exporter)
        self.wait_for("#tiles, #empty", r"Queries/s|No server")
        self.wait_for("#span", "last")

    def ask(self, script, *arguments):
        return self.driver.execute_script(script, *arguments)

    def text(self, selector):
        """What can be seen of it."""
        return "\n".join(self.ask(
            "return [...document.querySelectorAll(arguments[0])].filter("
            "element => element.checkVisibility()).map(element => element.innerText)", selector))

    def wait_for(self, selector, pattern, timeout=10, since=None):
        try:
            return wait_until(lambda: re.search(pattern, self.text(selector)), timeout, pattern,
                              since)
        except AssertionError as error:
            raise AssertionError(f"{error}; found: {self.text(selector)}") from None

    def complaints(self):
        """What the browser's console tells, since last asked."""
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def queries(self):
        return int(re.search(r"([\d,]+) since start", self.text("#tiles"))[1].replace(",", ""))

    def test_first_view(self):
        """One answer only: totals, and a hint."""
        self.open()
        self.wait_for("#tiles", "Queries since start")
        self.assertIn("rates follow", self.text("#span"))
        self.assertNotIn("Queries/s", self.text("#servers"))

    def test_numbers_move(self):
        self.open_live()
        before = self.queries()
        wait_until(lambda: self.queries() > before, 10, "more queries")
        wait_until(lambda: 20 < float(re.search(r"Queries/s\n([\d.]+)", self.text("#tiles"))[1]) < 130,
                   what="the rate of what is sent")
        self.wait_for("#tiles figcaption", r"peak \d")
        self.wait_for("#inputs", r"unix\s+2\s")
        self.wait_for("#lists", r"127\.0\.0\.1")

    def test_choice(self):
        """A server, and a role of it; client if there is one. Roles are not added up."""
        self.open_live()
        self.assertEqual(self.ask("return document.getElementById('role').value"), "client")
        self.ask("const list = document.getElementById('server'); list.value = arguments[0];"
                 "list.onchange({target: list})", IMAGE)
        self.assertEqual(self.queries(), 3)
        self.assertIn("SERVFAIL", self.text("#codes"))
        self.assertNotIn("neighbour", self.text("#servers"))
        for role in ("client", "resolver"):
            self.assertRegex(self.text("#servers"), rf"{re.escape(IMAGE)}\s{role}")
        self.driver.find_element(By.CSS_SELECTOR, "#lists button:nth-child(2)").click()
        self.wait_for("#lists", re.escape(INFECTED))

    def test_upstream_servers(self):
        """They have a card, with a tab for each of their lists."""
        card = "#lists section[aria-label='Upstream servers']"
        self.open_live()
        self.wait_for(card, r"127\.0\.0\.2")
        tabs = self.driver.find_elements(By.CSS_SELECTOR, f"{card} button")
        self.assertEqual([tab.text for tab in tabs], ["Queries", "Unanswered", "SERVFAIL", "Response time"])
        tabs[-1].click()
        self.wait_for(card, r"\d\s(µs|ms|s)\b")

    def test_hostile_names(self):
        """They are texts, of one element each."""
        self.open_live()
        names = self.ask("return [...document.querySelectorAll('.name, #server option')]"
                         ".map(element => [element.textContent, element.childElementCount])")
        self.assertTrue(self.ask("return document.querySelectorAll('.name *:not(wbr)').length") == 0)
        shown = {name for name, _ in names}
        self.assertLessEqual({IMAGE, SCRIPT}, shown)
        self.assertTrue(any(name.startswith("</script>\\x00\\xff") for name in shown), shown)
        qname, = (name for name in shown if name.startswith(IMAGE + "."))
        self.assertTrue(qname.endswith("x.example") and '.\\000"\\255.' in qname, qname)

    def test_policy(self):
        self.open_live()
        self.driver.set_script_timeout(limit(10))
        told = self.driver.execute_async_script(BREAK_POLICY, f"http://127.0.0.1:{free_port()}/x")
        for directive in ("script-src-elem", "script-src-attr", "style-src-attr", "img-src",
                          "connect-src", "frame-src"):
            self.assertIn(directive, told)
        self.assertEqual(self.ask("return typeof pwned"), "undefined")
        self.assertGreater(len(self.complaints()), 3)
        self.driver.get("about:blank")

    def test_goes_nowhere_else(self):
        self.driver.get_log("performance")
        self.open_live()
        sent = [json.loads(entry["message"])["message"]
                for entry in self.driver.get_log("performance")]
        urls = {message["params"]["request"]["url"] for message in sent
                if message["method"] == "Network.requestWillBeSent"}
        page = f"http://{self.exporter.web}"
        self.assertEqual({url for url in urls if not url.startswith("data:")},
                         {f"{page}/status", f"{page}/api/v1/status?limit=10", f"{page}/api/v1/history",
                          f"{page}/api/v1/findings?limit=100"})

    def each_page(self):
        self.open(path="/")
        yield "/"
        self.open_live()
        yield "/status"

    def test_first_page(self):
        """Where servers connect, who may, and the command that shows whether one can."""
        self.open(path="/")
        self.wait_for("#inputs", r"unix\s.*/dnstap\.sock\s+owner \S+, group \S+, mode 0660\s+2 connected")
        self.assertRegex(self.text("#inputs pre"), r"sudo -u unbound test -w /\S+/dnstap\.sock && echo may write\n"
                         r"nc -z 127\.0\.0\.1 \d+ && echo can connect")
        self.assertEqual(self.ask("return [\"/a b'c\", '/a/b.sock', '$(x)'].map(quoted)"),
                         ["'/a b'\\''c'", "/a/b.sock", "'$(x)'"])

    def test_below_a_path(self):
        """Behind a proxy that serves the pages below a path of its own."""
        with nginx(self.exporter.web, "/dns/") as proxy:
            self.driver.get(f"http://{proxy}/dns/")
            self.wait_for("#inputs", r"dnstap\.sock")
            self.driver.find_element(By.LINK_TEXT, "/status").click()
            self.wait_for("#tiles", "Queries/s")
            for selector, path in ("h1 a", "/dns/"), ("a[href=config]", "/dns/config"), ("a[href=metrics]", "/dns/metrics"):
                self.assertEqual(self.driver.find_element(By.CSS_SELECTOR, selector).get_property("href"),
                                 f"http://{proxy}{path}")

    def test_light_and_dark(self):
        for path in self.each_page():
            pictures = {}
            for scheme in ("light", "dark"):
                with self.subTest(path=path, scheme=scheme):
                    look(self.driver, 1280, 900, scheme)
                    time.sleep(0.5)
                    contrast, text = self.ask(LEAST_CONTRAST)
                    self.assertGreater(contrast, 4.5, text)
                    pictures[scheme] = self.driver.get_screenshot_as_png()
            self.assertNotEqual(pictures["light"], pictures["dark"])

    def test_phone(self):
        look(self.driver, 360, 740, "light", mobile=True)
        for path in self.each_page():
            wide, seen = self.ask("return [document.documentElement.scrollWidth, innerWidth]")
            self.assertEqual((path, wide, seen), (path, 360, 360))

    def test_rejected_frame(self):
        self.open_live()
        with Sender(self.exporter.socket) as sender:
            sender.start().send([b"\xff\xff"])
            sender.stop()
        self.wait_for("#health", r"Lost frames: [1-9]\d* of \d+ frames were rejected", STEP_WITHIN)
        self.wait_for("#inputs", r"protobuf 1\s.*finish 1")

    def test_pause(self):
        self.open_live()
        self.driver.find_element(By.ID, "pause").click()
        before = self.queries()
        time.sleep(2.5)
        self.assertEqual(self.queries(), before)
        self.driver.find_element(By.ID, "pause").click()
        wait_until(lambda: self.queries() > before, 10, "more queries")

    def test_hidden(self):
        """Who does not look costs nothing."""
        self.open_live()
        self.ask("globalThis.hide = true;"
                 "Object.defineProperty(document, 'hidden', {get: () => hide})")
        time.sleep(limit(0.5))  # what it has asked for by now is answered
        asked = "return performance.getEntriesByType('resource').length"
        before = self.ask(asked)
        time.sleep(2.5)
        self.assertEqual(self.ask(asked), before)
        self.ask("hide = false; document.dispatchEvent(new Event('visibilitychange'))")
        wait_until(lambda: self.ask(asked) > before, 2, "another request")

    def test_quantiles(self):
        """Inside a bucket's own bounds, as the roundest number there; of buckets that two servers
        share, and of ones that became coarser in between."""
        self.open_live()
        def quantile(times, q):
            return self.ask("return quantile(...arguments)", times, q)
        def bucket(n, value, schema=3):
            return [2 ** ((n - 1) / 2 ** schema), 2 ** (n / 2 ** schema), value]
        fine = [bucket(n, 1000) for n in range(1, 17)]  # from 1 to 4
        for q, value in ((0.5, 2), (0.25, 1.4), (1, 4)):
            self.assertAlmostEqual(quantile(fine, q), value)
            self.assertAlmostEqual(quantile(fine * 2, q), value)
        self.assertIsNone(quantile([], 0.5))
        self.assertEqual(quantile([[0, 9.5e-7, 99], bucket(1, 1)], 0.99), 0)
        coarse = [bucket(1, 8000, 0), bucket(2, 8000, 0)]
        self.assertAlmostEqual(quantile(coarse + fine, 0.5), 2)
        self.assertEqual(self.ask("return lessTimes(...arguments)",
                                  [[1, 2, 9000], [2, 4, 8500]], fine),
                         [[1, 2, 1000], [2, 4, 500]])

    def test_every_bucket_has_a_round_number(self):
        self.open_live()
        for schema in (0, 3):
            bounds = [2 ** (n / 2 ** schema) for n in range(-20 << schema, 12 << schema)]
            texts = self.ask(
                "return arguments[0].map((upper, i, all) => i ? [roundest(all[i - 1], upper,"
                " upper), duration(roundest(all[i - 1], upper, all[i - 1]))] : [])", bounds)
            for lower, upper, (value, text) in zip(bounds, bounds[1:], texts[1:]):
                self.assertTrue(lower < value <= upper * (1 + 1e-12), (lower, value, upper))
                self.assertRegex(text, r"^[1-9][\d,]*(\.\d\d?)?\xa0(s|ms|µs)$")

    def test_times_of_a_server(self):
        """All the same, as servers measure it: 1.2 s, a clock of 4 ms, and none at all."""
        for milliseconds, text in ((1200, "1.2 s"), (4, "4 ms"), (0, "0")):
            with self.subTest(text), Exporter(config()) as exporter:
                Sender(exporter.socket).send_all([answer(milliseconds)] * 200)
                self.open(exporter)
                self.wait_for("#tiles", "Response p99")
                self.assertIn(f"Response p99\n{text}\np50 {text}, p90 {text}",
                              self.text("#tiles").replace("\xa0", " "))

    def show(self, change):
        """Two answers of the exporter, a second apart, as if they said what `change` does."""
        self.driver.get(f"http://{self.exporter.web}/api/v1/status?limit=10")
        status = json.loads(self.ask("return document.body.innerText"))
        self.open_live()
        self.driver.find_element(By.ID, "pause").click()
        answers = []
        for number in range(2):
            answer_ = json.loads(json.dumps(status))
            answer_["time_seconds"] += number
            answers.append(answer_)
        change(*answers)
        self.ask("samples.length = 0; for (const answer of arguments[0]) keep(answer); render()",
                 answers)

    def row(self, selector, first):
        """The texts of a row of a table, by what the first one begins with."""
        rows = self.ask(
            "return [...document.querySelectorAll(arguments[0] + ' tbody tr')].map("
            "row => [...row.cells].map(cell => cell.innerText))", selector)
        row, = (row for row in rows if row[0].startswith(first))
        return row

    def servers_of(self, *servers):
        """A change of both answers: these servers, of which nothing happened before the second."""
        def change(before, now):
            now["servers"] = [server_status(**server) for server in servers]
            before["servers"] = [server_status(server["server"], role=server.get("role", "client"))
                                 for server in servers]
        return change

    def test_one_direction(self):
        """What a server does not send is not taken for failures."""
        self.show(self.servers_of(
            {"server": "complete", "queries": 50, "responses": 40, "unanswered_queries": 5},
            {"server": "deaf", "responses": 60, "responses_only": True},
            {"server": "mute", "queries": 30, "unanswered_queries": 30, "queries_only": True},
            {"server": "part", "queries": 20, "responses": 20, "unanswered_queries": 19,
             "sampled": True}))
        self.assertEqual(self.row("#servers", "complete")[:5],
                         ["complete", "client", "50.0", "40.0", "10.0\xa0%"])
        deaf, mute, part = (self.row("#servers", name) for name in ("deaf", "mute", "part"))
        self.assertRegex(deaf[0], r"(?s)deaf\n.*responses only.*taken from the responses")
        self.assertRegex(mute[0], r"(?s)mute\n.*queries only.*nothing is known about")
        self.assertRegex(part[0], r"(?s)part\n.*a part of its messages")
        self.assertEqual([row[2:6] for row in (deaf, mute, part)],
                         [["–", "60.0", "–", "0.0\xa0%"], ["30.0", "–", "–", "–"],
                          ["20.0", "20.0", "–", "0.0\xa0%"]])
        self.assertRegex(self.text("#tiles"), r"Queries/s\n160\n")  # with 60 of responses
        self.assertIn("partly counted from responses", self.text("#tiles"))
        self.assertIn("Unanswered\n10.0\xa0%", self.text("#tiles"))
        look(self.driver, 360, 740, "light", mobile=True)
        self.assertEqual(self.ask("return document.documentElement.scrollWidth"), 360)

    def test_trouble_comes_first(self):
        """Servers by their trouble and not by their traffic, cells by the thresholds."""
        self.show(self.servers_of(
            {"server": "busy", "queries": 900, "responses": 900, "rcodes": {"SERVFAIL": 45}},
            {"server": "broken", "queries": 10, "responses": 10, "rcodes": {"SERVFAIL": 10}},
            {"server": "slack", "queries": 100, "responses": 94, "unanswered_queries": 6},
            {"server": "closed", "queries": 100, "responses": 100, "rcodes": {"REFUSED": 81}}))
        rows = self.ask("return [...document.querySelectorAll('#servers tbody tr')].map(row => [row.cells[0].innerText,"
                        "[...row.cells].map(cell => cell.className.split(' ').pop()).filter(name => name in {warning: 1, critical: 1})])")
        self.assertEqual(rows, [["broken", ["critical"]], ["closed", ["warning"]], ["slack", ["warning"]], ["busy", []]])
        self.ask("choose('server', 'broken')")
        self.assertEqual(self.ask("return document.querySelector('#tiles .critical').innerText"), "100.0\xa0%")

    def test_one_other(self):
        types = {f"TYPE{65280 + n}": 9 - n for n in range(9)}
        self.show(self.servers_of({"server": "ns1", "queries": 45, "qtypes": types}))
        self.assertRegex(self.text("#codes"), r"\n1 other\s+1\.0\s")
        types["A"] = 1
        self.show(self.servers_of({"server": "ns1", "queries": 46, "qtypes": types}))
        self.assertRegex(self.text("#codes"), r"\n2 others\s+2\.0\s")

    def test_lists_by_server(self):
        """Those of the chosen server; of all, the sums of their keys."""
        with Exporter(config() + "top: {by_server: true}\n") as exporter:
            for server, count in ((b"ns1", 5), (b"ns2", 3)):
                Sender(exporter.socket).send_all([dnstap_frame(dns_message(), identity=server)] * count)
            exporter.wait_for_evaluation()
            self.open_live(exporter)
            self.assertEqual(self.row("#lists", "127.0.0.1")[1], "8")
            self.assertIn("all servers", self.text("#window"))
            for server, count in (("ns1", "5"), ("ns2", "3")):
                self.ask("choose('server', arguments[0])", server)
                self.assertEqual(self.row("#lists", "127.0.0.1")[1], count)
                self.assertIn(f", {server},", self.text("#window"))

    def test_indicators(self):
        """The worst first; each leads to a part of the page that is there."""
        self.open_live()
        levels = self.ask("return [...document.querySelectorAll('.signs li')].map(sign => sign.className)")
        order = ["critical", "warning", "unknown", "good"]
        self.assertEqual(levels, sorted(levels, key=order.index))
        self.assertGreater(len(levels), 9)
        for link in set(self.ask("return [...document.querySelectorAll('.signs a, .jump a')].map(link => link.getAttribute('href'))")):
            self.assertTrue(link == "config" or self.ask("return document.querySelector(arguments[0]) !== null", link), link)

    def test_last_hour(self):
        """What was before the page was opened; a minute of it, the server and the role are in the address."""
        self.open_live()
        self.driver.find_element(By.ID, "pause").click()
        self.ask("hour = {time_seconds: Date.now() / 1000, step_seconds: 60, servers: ["
                 "{server: 'neighbour', role: 'client', queries: [600, 6000, 1200], failures: [0, 3000, 12],"
                 " p99_seconds: [0.01, null, 0.5]}]}; render()")
        texts = self.text("#hour").replace("\xa0", " ")
        self.assertRegex(texts, r"(?s)Queries/s\n1 h\s+most 100\s+now.*most 50\.0 %.*most 500 ms")
        self.ask("const chart = document.querySelector('#hour svg'), box = chart.getBoundingClientRect();"
                 "chart.onclick({currentTarget: chart, clientX: box.left + box.width * 58.5 / 60})")
        self.assertRegex(self.text("#hour").replace("\xa0", " "), r"(?s)100 at \d\d:\d\d.*50\.0 % at .*– at ")
        self.ask("choose('server', 'neighbour')")
        address = self.driver.current_url
        self.assertRegex(address, r"\?at=20\d\d-\d\d-\d\dT\d\d%3A\d\dZ&server=neighbour$")
        self.driver.get(address)
        self.wait_for("#servers", "neighbour")
        self.assertNotIn("unix", self.text("#servers"))
        self.assertEqual(self.ask("return [chosen.server, chosen.at > 1.7e9]"), ["neighbour", True])

    def test_findings_stay(self):
        """Those that ended, with their evidence; lists and findings lead to each other."""
        self.open_live()
        self.driver.find_element(By.ID, "pause").click()
        finding = {"detector": "tunnel", "client": "127.0.0.1", "domain": "evil.example", "score": 2.5, "began":
                   "2026-11-30T03:00:00Z", "ended": "2026-11-30T03:20:00Z", "bytes": 9000, "examples": ["x.evil.example"],
                   "command": "dnstap_exporter print '--name=<b>&.example' /archive"}
        self.ask("past = [arguments[0]]; samples.at(-1).top.findings = [{...arguments[0], ended: undefined}]; render()", finding)
        self.assertRegex(self.text("#past").replace("\xa0", " "), r"(?s)127\.0\.0\.1 below evil\.example.*tunnel.*00:00 to .*9,000 bytes.*x\.evil\.example")
        self.assertEqual(self.ask("return document.querySelector('#findings a').getAttribute('href')"), "#of-127.0.0.1")
        for part in ("#findings", "#past"):
            self.driver.find_element(By.CSS_SELECTOR, f"{part} summary").click()
            self.driver.find_element(By.CSS_SELECTOR, f"{part} code").click()
            self.assertEqual(self.ask("return getSelection().toString()"), finding["command"])
        self.assertEqual(self.ask("return document.getElementById('of-127.0.0.1').querySelector('a').getAttribute('href')"), "#findings")

    def test_outputs(self):
        text = config() + 'outputs: [{name: archive, unix: "{dir}/nobody.sock"}]\n'
        with Exporter(text) as exporter:
            self.open_live(exporter)
            self.wait_for("#health", "Lost frames: the output archive is not connected")
            self.assertEqual(self.row("#output-table", "archive")[1], "not connected")

    def test_names_break_behind_dots(self):
        look(self.driver, 360, 740, "light", mobile=True)
        self.open_live()
        self.assertEqual(self.ask("return document.documentElement.scrollWidth"), 360)
        self.assertEqual(self.ask("return [...document.querySelectorAll('.jump a')].every(link => link.checkVisibility())"), True)
        tops = self.ask("return ['#who', '#traffic', '#inputs'].map(part => document.querySelector(part).getBoundingClientRect().top)")
        self.assertEqual(tops, sorted(tops))

    def test_nothing_but_incomplete(self):
        self.show(self.servers_of(
            {"server": "deaf", "responses": 60, "responses_only": True}))
        self.assertIn("Unanswered\n–", self.text("#tiles"))
        self.assertRegex(self.text("#tiles"), r"Queries/s\n60\.0\n.*\ncounted from responses")

    def test_client_and_auth(self):
        """The two messages of an exchange under two roles: one choice, and one sum."""
        self.show(self.servers_of(
            {"server": "named", "role": "auth", "queries": 80, "unanswered_queries": 8},
            {"server": "named", "role": "client", "responses": 72},
            {"server": "named", "role": "resolver", "queries": 7}))
        self.assertEqual(self.ask("return [...document.querySelectorAll('#role option')].map("
                                  "option => [option.value, option.textContent])"),
                         [["client", "client and auth"], ["resolver", "resolver"]])
        self.assertRegex(self.text("#tiles"), r"(?s)Queries/s\n80\.0\n.*Responses/s\n72\.0\n")
        self.assertIn("Unanswered\n10.0\xa0%", self.text("#tiles"))

    def test_server_that_leaves(self):
        """It takes nothing with it; one that comes back begins again."""
        def change(before, now):
            before["servers"] = [server_status("gone", queries=900), server_status("back", 500)]
            now["servers"] = [server_status("back", queries=20), server_status("new", queries=10)]
            now["expired_messages"] = 900
        self.show(change)
        self.assertRegex(self.text("#tiles"), r"Queries/s\n30\.0\n30 since start")
        self.assertRegex(self.text("#limits"), r"servers that left\s+900\s+limits\.servers")

    def test_sampled_input(self):
        sampled = config().replace("  - name: spare", "    sampling: 20\n  - name: spare")
        with Exporter(sampled) as exporter:
            Sender(exporter.socket).send_all([dnstap_frame(dns_message(), identity=b"ns1")] * 50)
            self.open_live(exporter)
            self.assertIn("1 message in 20", self.row("#inputs", "unix")[0])
            self.assertEqual(self.row("#inputs", "spare")[0], "spare")
            self.assertIn("a part of its messages", self.row("#servers", "ns1")[0])
            self.assertEqual(self.row("#servers", "ns1")[4], "–")

    def test_responses_only(self):
        """As the exporter finds it out, and until the first query."""
        with Exporter(config()) as exporter, Sender(exporter.socket) as sender:
            sender.start().send([answer(1)])
            self.open_live(exporter)
            deadline = time.monotonic() + limit(40)
            while "has responses and no queries" not in self.text("#health"):
                self.assertLess(time.monotonic(), deadline)
                sender.send([answer(1)])
                time.sleep(0.2)
            self.wait_for("#servers", "Sends responses only")
            sender.send([dnstap_frame(dns_message(), identity=b"ns1")])
            wait_until(lambda: not re.search("responses only|no queries", self.text("#health, #servers")), 10, "the end")

    def test_exporter_stops_and_returns(self):
        with Exporter(config()) as exporter:
            Sender(exporter.socket).send_all([dnstap_frame(dns_message(), identity=b"ns1")] * 50)
            self.open_live(exporter)
            self.assertEqual(self.queries(), 50)
            self.assertIn("Servers: 0 connected", self.text("#health"))  # a moment ago it was
            exporter.process.send_signal(signal.SIGSTOP)
            self.wait_for("#health", "No answer since .*: nothing within 5 s")
            exporter.process.send_signal(signal.SIGCONT)
            wait_until(lambda: "No answer" not in self.text("#health"), 5, "an answer")
            self.assertEqual(exporter.stop(), 0)
            self.wait_for("#health", r"No answer since \d\d:\d\d:\d\d: it cannot be reached")
            self.assertEqual(self.queries(), 50)
            exporter.start()
            self.wait_for("#empty", "No server has connected yet")
            self.assertNotIn("No answer", self.text("#health"))
            self.assertEqual({message for message in self.complaints()
                              if "ERR_CONNECTION_REFUSED" not in message}, set())

    def test_nothing_there(self):
        """No server, and all lists and detectors off."""
        with Exporter(config(NOTHING)) as exporter:
            self.open_live(exporter)
            self.assertRegex(self.text("#empty"), r"No server has connected yet.*unix \(/\S+/dnstap\.sock\), spare \(127\.0\.0\.1:\d+\)")
            self.assertNotIn("Detections", self.text("#health"))
            self.assertIn("off in the configuration", self.text("#lists"))
            self.assertEqual(self.ask("return document.querySelectorAll('.ranks').length"), 0)

    def test_what_is_found(self):
        self.open_live()
        self.wait_for("#health", f"Detections: 1 active, 1 in the last day: DGA {re.escape(INFECTED)}",
                      FOUND_WITHIN, self.begin)
        self.assertRegex(self.text("#findings"),
                         rf"(?s){re.escape(INFECTED)}.*nxdomain_client.*[a-z]+\.com")
        self.assertTrue(self.driver.title.startswith("(1) "))
        look(self.driver, 360, 740, "dark", mobile=True)
        self.assertEqual(self.ask("return document.documentElement.scrollWidth"), 360)
        self.assertGreater(self.ask(LEAST_CONTRAST)[0], 4.5)


if __name__ == "__main__":
    unittest.main()
