"""A watcher of the tests' own ledger, in a process of its own, and a real Prometheus on it."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import yaml

from tests.prometheus_programs import program

ROOT = Path(__file__).resolve().parents[3]
LINE = re.compile(r"^([a-z_]+)(?:\{(.*)\})? (\S+)$")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@dataclass
class Watcher:
    url: str
    pid: int
    log: Path

    def get(self, path: str) -> httpx.Response:
        return httpx.get(self.url + path, timeout=10)

    def numbers(self) -> dict[str, float]:
        """Each sample of /metrics, as `name{labels}`."""
        text = self.get("/metrics").text
        found = (LINE.match(line) for line in text.splitlines() if not line.startswith("#"))
        return {f"{it[1]}{{{it[2] or ''}}}": float(it[3]) for it in found if it}

    def until(self, holds: Callable[[dict[str, float]], bool], patience_s: float = 60):
        """The numbers, once they are so."""
        deadline = time.monotonic() + patience_s
        while not holds(numbers := self.numbers()):
            assert time.monotonic() < deadline, (numbers, self.log.read_text())
            time.sleep(0.3)
        return numbers

    def looked_again(self, server: str):
        """The numbers of a look that began after now."""
        key, now = f'spatial_etl_server_look_timestamp_seconds{{server="{server}"}}', time.time()
        took = f'spatial_etl_server_look_seconds{{server="{server}"}}'
        return self.until(lambda it: it.get(key, 0) - it.get(took, 0) > now)


@contextmanager
def process(command, log: Path, environment=None):
    with log.open("w") as stream:
        running = subprocess.Popen(command, stdout=stream, stderr=stream, env=environment)
        try:
            yield running
        finally:
            running.terminate()
            running.wait(timeout=30)


@contextmanager
def watching(folder: Path, **environment: str) -> Iterator[Watcher]:
    """A watcher with the settings that hold here, and these changes."""
    port = free_port()
    given = {**os.environ, "MONITOR_PORT": str(port), "MONITOR_INTERVAL_S": "1", **environment}
    log = folder / "watcher.log"
    with process([sys.executable, "-m", "libs.monitor"], log, given) as running:
        watcher = Watcher(f"http://127.0.0.1:{port}", running.pid, log)
        deadline = time.monotonic() + 60
        while True:
            try:
                watcher.get("/healthz")
                break
            except httpx.TransportError:
                assert running.poll() is None and time.monotonic() < deadline, log.read_text()
                time.sleep(0.2)
        yield watcher


@pytest.fixture(scope="module")
def watcher(ledger, tmp_path_factory):
    folder = tmp_path_factory.mktemp("watcher")
    name = ledger.database.name
    with watching(folder, MONGODB_DATABASE=name, MONITOR_WORK_DIR=str(folder)) as it:
        yield it


@dataclass
class Prometheus:
    url: str

    def ask(self, expression: str) -> list[dict]:
        """The result of an expression now; an error of it fails the test."""
        answer = httpx.get(f"{self.url}/api/v1/query", params={"query": expression}, timeout=20)
        body = answer.json()
        assert body["status"] == "success", f"{expression}: {body}"
        return body["data"]["result"]

    def value(self, expression: str) -> float:
        (one,) = self.ask(expression)
        return float(one["value"][1])

    def rules(self) -> list[dict]:
        body = httpx.get(f"{self.url}/api/v1/rules", timeout=20).json()
        return [rule for group in body["data"]["groups"] for rule in group["rules"]]

    def until(self, holds: Callable[[], bool], patience_s: float = 60) -> None:
        deadline = time.monotonic() + patience_s
        while not holds():
            assert time.monotonic() < deadline
            time.sleep(0.5)


@pytest.fixture(scope="module")
def prometheus(watcher, tmp_path_factory):
    """The sample configuration and the rules, scraping our watcher each second."""
    folder, port = tmp_path_factory.mktemp("prometheus"), free_port()
    config = yaml.safe_load((ROOT / "services/prometheus/prometheus.yml").read_text())
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    config["rule_files"] = [str(ROOT / "services/prometheus/alerts.yaml")]
    (job,) = config["scrape_configs"]
    job |= {"scrape_timeout": "1s"}
    job["static_configs"] = [{"targets": [watcher.url.removeprefix("http://")]}]
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    command = [
        program("prometheus"), f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}", f"--web.listen-address=127.0.0.1:{port}",
        "--log.level=warn",
    ]  # fmt: skip
    with process(command, folder / "log"):
        server = Prometheus(f"http://127.0.0.1:{port}")

        def has_scraped() -> bool:
            try:
                return bool(server.ask('up{job="spatial-etl"} == 1'))
            except (httpx.TransportError, json.JSONDecodeError):
                return False

        server.until(has_scraped)
        yield server
