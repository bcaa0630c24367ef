"""scripts/wait_for_services.py: what it says, and with which code it ends."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from libs.settings import default_env_file

pytestmark = pytest.mark.integration

ROOT = Path(__file__).resolve().parents[3]


def wait(*arguments, **environment):
    env_file = default_env_file()
    own = {"SPATIAL_ETL_ENV_FILE": str(env_file.resolve())} if env_file else {}
    return subprocess.run(
        [sys.executable, ROOT / "scripts/wait_for_services.py", *arguments],
        env={**os.environ, **own, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_it_ends_with_0_when_all_three_answer(settings):
    done = wait()
    assert done.returncode == 0, done.stdout
    lines = done.stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["vault", "ledger", "compute"]
    assert all(" answers (" in line for line in lines)


def test_it_ends_with_1_and_names_the_server_that_does_not_answer_in_time(settings):
    with socket.socket() as probe:  # bound, not listening: nobody answers there
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
        begun = time.monotonic()
        done = wait("--timeout", "3", POSTGIS_HOST="127.0.0.1", POSTGIS_PORT=port)
    assert done.returncode == 1
    (line,) = (line for line in done.stdout.splitlines() if "does not answer" in line)
    assert line.startswith(f"compute  127.0.0.1:{port}")
    assert time.monotonic() - begun < 40


def test_it_waits_for_a_server_that_comes_up_meanwhile(settings):
    """A relay to the real server begins to listen after two seconds."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    relay = subprocess.Popen(
        [sys.executable, "-c", RELAY, port, settings.compute.host, str(settings.compute.port)]
    )
    try:
        done = wait("--timeout", "40", POSTGIS_HOST="127.0.0.1", POSTGIS_PORT=port)
    finally:
        relay.kill()
        relay.wait()
    assert done.returncode == 0, done.stdout


def test_it_ends_with_2_when_the_settings_are_wrong(tmp_path):
    (tmp_path / ".env").write_text("MINIO_ENDPOINT=127.0.0.1:1\n")
    done = wait("--env-file", str(tmp_path / ".env"), SPATIAL_ETL_ENV_FILE="")
    assert done.returncode == 2
    assert "MINIO_ACCESS_KEY is not set" in done.stderr


RELAY = """
import asyncio, sys
async def pipe(reader, writer):
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()
async def one(reader, writer):
    far_reader, far_writer = await asyncio.open_connection(sys.argv[2], int(sys.argv[3]))
    await asyncio.gather(pipe(reader, far_writer), pipe(far_reader, writer))
async def main():
    await asyncio.sleep(2)
    server = await asyncio.start_server(one, "127.0.0.1", int(sys.argv[1]))
    await server.serve_forever()
asyncio.run(main())
"""
