"""services/postgis/start.sh, as the image runs it, with Debian's PostgreSQL of this machine."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import psycopg
import pytest
from pydantic import SecretStr

from libs.compute import PostGIS
from libs.errors import SpatialEtlError
from libs.settings import ComputeSettings

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(
        not Path("/usr/lib/postgresql/15/bin/initdb").exists(),
        reason="Debian's postgresql-15-postgis-3, which the image installs, is not here",
    ),
]

ROOT = Path(__file__).resolve().parents[3]
PASSWORD = "it-secret-4711' \\ \"x"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def folder():
    """A folder below /tmp that PostgreSQL's user owns; pytest's own are closed to it."""
    made = Path(tempfile.mkdtemp(prefix="spatial-etl-start-"))
    for name in ("share", "sockets", "data"):
        (made / name).mkdir()
    for source in ("services/postgis/start.sh", "services/postgis/postgresql.conf",
                   "libs/compute/provision.sql"):  # fmt: skip
        shutil.copy(ROOT / source, made / "share")
    if os.geteuid() == 0:
        owner = pwd.getpwnam("postgres")
        for path in (made, *made.rglob("*")):
            os.chown(path, owner.pw_uid, owner.pw_gid)
    yield made
    shutil.rmtree(made)


@pytest.fixture
def start(folder):
    """Runs the script; every server it made is stopped at the end."""
    port, servers = free_port(), []
    settings = ComputeSettings(
        host="127.0.0.1", port=port, user="pipe", password=SecretStr(PASSWORD), database="work"
    )

    def run() -> ComputeSettings:
        as_root = {"user": "postgres", "group": "postgres"} if os.geteuid() == 0 else {}
        server = subprocess.Popen(
            [folder / "share" / "start.sh", "-p", str(port), "-c", "listen_addresses=127.0.0.1"],
            env={
                "PATH": os.environ["PATH"],
                "POSTGIS_USER": "pipe",
                "POSTGIS_PASSWORD": PASSWORD,
                "POSTGIS_DATABASE": "work",
                "SHARE": str(folder / "share"),
                "PGDATA": str(folder / "data"),
                "SOCKETS": str(folder / "sockets"),
            },
            cwd=folder,
            **as_root,
        )
        servers.append(server)
        wait_for(settings, server)
        return settings

    run.servers = servers
    yield run
    for server in servers:
        server.kill() if server.poll() is None else None
        server.wait(timeout=30)


def wait_for(settings: ComputeSettings, server: subprocess.Popen) -> None:
    until = time.monotonic() + 60
    while True:
        assert server.poll() is None, f"start.sh ended with {server.returncode}"
        try:
            with PostGIS.connect(settings) as engine:
                engine.check()
        except SpatialEtlError:
            assert time.monotonic() < until, "it does not answer"
            time.sleep(0.2)
        else:
            return


def test_it_answers_to_the_pipeline_alone_and_begins_anew_at_each_start(start, folder):
    settings = start()
    server = start.servers[0]
    environment = Path(f"/proc/{server.pid}/environ").read_bytes()
    command = Path(f"/proc/{server.pid}/cmdline").read_bytes()
    assert b"it-secret" not in command
    assert b"postgres" in command, "the script gave way to the server, which gets the signals"
    assert b"it-secret" not in environment
    with psycopg.connect(
        host="127.0.0.1", port=settings.port, user="pipe", password=PASSWORD, dbname="work"
    ) as connection:
        connection.execute("CREATE SCHEMA proc_x")
        assert connection.execute("SHOW fsync").fetchone() == ("off",)
    with pytest.raises(psycopg.OperationalError, match="no pg_hba.conf entry"):
        psycopg.connect(
            host="127.0.0.1", port=settings.port, user="postgres", password="x", dbname="postgres"
        )
    server.kill()
    server.wait(timeout=30)
    start()
    with psycopg.connect(
        host="127.0.0.1", port=settings.port, user="pipe", password=PASSWORD, dbname="work"
    ) as connection:
        found = connection.execute("SELECT to_regnamespace('proc_x')").fetchone()
    assert found == (None,)
    logged = "".join(path.read_text() for path in folder.rglob("*.log"))
    assert "it-secret" not in logged


def test_a_stop_signal_ends_it_cleanly(start):
    start()
    server = start.servers[0]
    server.terminate()
    assert server.wait(timeout=30) == 0


def test_without_a_password_it_does_not_start(folder):
    done = subprocess.run(
        [folder / "share" / "start.sh"],
        env={"PATH": os.environ["PATH"], "POSTGIS_USER": "pipe"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "POSTGIS_PASSWORD" in done.stderr
