# SPDX-License-Identifier: Apache-2.0
"""Run Debian's Prometheus against exporters under test; shared by the tests that need one."""

import json
import os
import shutil
import subprocess
import tempfile
import urllib.error
import urllib.parse
import urllib.request

from exporter import free_port, limit, wait_until


class Prometheus:
    """A Prometheus that scrapes exporters every second as the job dnstap; a context manager.

    flags: further ones of the command line. rules: paths of rule files.
    """

    def __init__(self, *targets, flags=(), rules=()):
        self.dir = tempfile.mkdtemp(prefix="dnstap_exporter_prometheus.")
        self.address = f"127.0.0.1:{free_port()}"
        self.log_path = os.path.join(self.dir, "log")
        self.flags = flags
        self.process = None
        settings = {  # JSON is YAML
            "global": {"scrape_interval": "1s", "scrape_timeout": "1s",
                       "evaluation_interval": "1s"},
            "rule_files": [os.path.abspath(path) for path in rules],
            "scrape_configs": [
                {"job_name": "dnstap", "static_configs": [{"targets": list(targets)}]}],
        }
        with open(os.path.join(self.dir, "prometheus.yml"), "w", encoding="utf-8") as file:
            json.dump(settings, file)

    def __enter__(self):
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(
                ["prometheus", f"--config.file={self.dir}/prometheus.yml",
                 f"--storage.tsdb.path={self.dir}/data", f"--web.listen-address={self.address}",
                 *self.flags],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            wait_until(self.ready, 30, "Prometheus")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(limit(20))
        finally:
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()
            shutil.rmtree(self.dir, ignore_errors=True)

    def get(self, path):
        with urllib.request.urlopen(f"http://{self.address}{path}", timeout=limit(10)) as response:
            return response.read()

    def api(self, path, **parameters):
        """The data of an answer; an assertion fails with Prometheus' words where it is an error."""
        try:
            answer = json.loads(self.get(f"/api/v1/{path}?{urllib.parse.urlencode(parameters)}"))
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{parameters}: {error.read().decode()}") from None
        assert answer["status"] == "success", answer
        return answer["data"]

    def ready(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as file:
            assert self.process.poll() is None, f"Prometheus ended early:\n{file.read()}"
        try:
            return b"Ready" in self.get("/-/ready")
        except (urllib.error.URLError, ConnectionError):
            return False

    def series(self, expression):
        """[(labels, value now)] of an expression; a native histogram's value is its count."""
        return [(series["metric"], float(series["value"][1] if "value" in series
                                         else series["histogram"][1]["count"]))
                for series in self.api("query", query=expression)["result"]]

    def query(self, expression):
        """{(name, frozenset of label pairs): float}, without the labels that a scrape adds."""
        samples = {}
        for labels, value in self.series(expression):
            name = labels.pop("__name__")
            del labels["instance"], labels["job"]
            samples[name, frozenset(labels.items())] = value
        return samples
