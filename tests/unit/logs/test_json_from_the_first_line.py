"""With ETL_LOG_FORMAT=json every process of ours writes JSON from its first line to its last."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
NOBODY = "127.0.0.1:1"
SETTINGS = {
    "ETL_LOG_FORMAT": "json",
    "MINIO_ENDPOINT": NOBODY, "MINIO_ACCESS_KEY": "nobody", "MINIO_SECRET_KEY": "not-to-be-told",
    "MONGODB_URI": f"mongodb://{NOBODY}/", "MONGODB_TIMEOUT_S": "1",
    "POSTGIS_HOST": "127.0.0.1", "POSTGIS_PORT": "1", "POSTGIS_USER": "nobody",
    "POSTGIS_PASSWORD": "not-to-be-told", "MONITOR_DAGSTER_URL": f"http://{NOBODY}",
    "DAGSTER_DISABLE_TELEMETRY": "yes", "PYTHONPATH": f"{ROOT}:{ROOT / 'services/dagster'}",
}  # fmt: skip


def lines_of(command, folder, words, **environment):
    """What a process has written when it has said these words, and was asked to end."""
    log = folder / "log"
    given = {"PATH": os.environ["PATH"], "HOME": str(folder), **SETTINGS, **environment}
    with log.open("w") as stream:
        running = subprocess.Popen(command, stdout=stream, stderr=stream, env=given, cwd=folder)
    try:
        deadline = time.monotonic() + 90
        while not all(word in log.read_text() for word in words):
            assert running.poll() is None and time.monotonic() < deadline, log.read_text()
            time.sleep(0.2)
        running.send_signal(signal.SIGINT)
        running.wait(timeout=60)
    finally:
        running.kill()
        running.wait()
    return log.read_text().splitlines()


def check(lines):
    assert lines
    for line in lines:
        json.loads(line)
        assert "not-to-be-told" not in line


@pytest.fixture
def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


def test_the_watcher_does_so_while_every_server_is_away(tmp_path, free_port):
    command = [sys.executable, "-m", "libs.monitor"]
    words = ["vault", "compute", "webserver"]
    lines = lines_of(command, tmp_path, words, MONITOR_PORT=free_port)
    check(lines)
    said = [line for line in map(json.loads, lines) if line["logger"] == "libs.monitor.watch"]
    assert said and {line["level"] for line in said} == {"WARNING"}


def test_the_code_server_does_so_from_its_start_to_its_end(tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    (home / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    command = [
        sys.executable, "-m", "etl_pipelines.code_server", "--socket", str(tmp_path / "code"),
        "--module-name", "etl_pipelines.definitions",
    ]  # fmt: skip
    check(lines_of(command, tmp_path, ["Started Dagster code server"], DAGSTER_HOME=str(home)))
