"""Compose's Dagster instance and code server, run for real, with their history in PostgreSQL."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
import uuid
from pathlib import Path

import psutil
import psycopg
import pytest
import yaml
from psycopg import sql

from libs.settings import default_env_file

pytestmark = pytest.mark.integration

ROOT = Path(__file__).resolve().parents[3]
BIN = Path(sys.executable).parent


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="module")
def storage(settings, admin_environment):
    """A database and its owner, as the container `dagster-storage` has them."""
    if "POSTGIS_ADMIN_PASSWORD" not in admin_environment:
        pytest.skip("Our own PostGIS image has no administrator who can be reached.")
    name, compute = f"dagster_{uuid.uuid4().hex[:8]}", settings.compute
    login = {
        "host": compute.host,
        "port": compute.port,
        "user": admin_environment["POSTGIS_ADMIN_USER"],
        "password": admin_environment["POSTGIS_ADMIN_PASSWORD"],
        "dbname": "postgres",
        "autocommit": True,
    }
    role = sql.Identifier(name)
    with psycopg.connect(**login) as connection:
        connection.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD 'x-4711'").format(role))
        connection.execute(sql.SQL("CREATE DATABASE {0} OWNER {0}").format(role))
    yield {
        "DAGSTER_POSTGRES_HOST": compute.host,
        "DAGSTER_POSTGRES_DATABASE": name,
        "DAGSTER_POSTGRES_USER": name,
        "DAGSTER_POSTGRES_PASSWORD": "x-4711",
    }
    with psycopg.connect(**login) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(role))
        connection.execute(sql.SQL("DROP ROLE {}").format(role))


@pytest.fixture(scope="module")
def environment(settings, storage, tmp_path_factory):
    """What the container's environment is, but for folders and ports of this machine."""
    home = tmp_path_factory.mktemp("dagster")
    text = (ROOT / "services/dagster/compose/dagster.yaml").read_text()
    text = text.replace("/var/lib/dagster", str(home))
    text = text.replace("port: 5432", f"port: {settings.compute.port}")
    (home / "dagster.yaml").write_text(text)
    env_file = default_env_file()
    return {
        **os.environ,
        **storage,
        **({"SPATIAL_ETL_ENV_FILE": str(env_file.resolve())} if env_file else {}),
        "PATH": f"{BIN}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT / "services/dagster"),
        "DAGSTER_HOME": str(home),
        "DAGSTER_DISABLE_TELEMETRY": "yes",
        "HOST": "127.0.0.1",
        "DAGSTER_CODE_PORT": str(free_port()),
    }


def test_the_history_of_runs_is_kept_in_postgresql(environment, storage, settings):
    done = subprocess.run(
        [BIN / "dagster", "instance", "migrate"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    with psycopg.connect(
        host=settings.compute.host,
        port=settings.compute.port,
        dbname=storage["DAGSTER_POSTGRES_DATABASE"],
        user=storage["DAGSTER_POSTGRES_USER"],
        password=storage["DAGSTER_POSTGRES_PASSWORD"],
    ) as connection:
        tables = {name for (name,) in connection.execute("SELECT tablename FROM pg_tables")}
    assert {"runs", "event_logs", "job_ticks"} <= tables


def test_an_event_of_a_run_is_stored(environment):
    """With psycopg, which SQLAlchemy takes when nothing else is said, every event was refused."""
    report = (
        "from dagster import DagsterInstance, job\n"
        "@job\n"
        "def nothing(): ...\n"
        "with DagsterInstance.get() as instance:\n"
        "    run = instance.create_run_for_job(nothing)\n"
        "    instance.report_run_canceled(run, 'told')\n"
        "    told = [it.event_log_entry.dagster_event.message for it in\n"
        "            instance.get_records_for_run(run.run_id).records]\n"
        "    assert 'told' in str(told), told\n"
        "    print(instance.get_run_by_id(run.run_id).status.value)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", report],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.stdout == "CANCELED\n", done.stderr


def loaded_by(process: psutil.Process) -> set[str]:
    """The names of the libraries in its memory."""
    return {Path(item.path).name.split(".")[0] for item in process.memory_maps()}


def test_the_code_server_starts_and_says_that_it_is_well_and_ends_when_told(environment):
    compose = yaml.safe_load((ROOT / "docker-compose.yaml").read_text())
    _, *check = compose["services"]["user-code"]["healthcheck"]["test"]
    check = [part.replace(":4000", f":{environment['DAGSTER_CODE_PORT']}") for part in check]

    def is_well() -> bool:
        return not subprocess.run(
            check, env=environment, capture_output=True, check=False
        ).returncode

    assert not is_well()
    # Dagster takes SIGTERM as it takes SIGINT, which is ignored below a shell's background job.
    start = ["env", "--default-signal=INT", str(ROOT / "services/dagster/start-code.sh")]
    server = subprocess.Popen(start, env=environment, cwd=ROOT)
    try:
        until = time.monotonic() + 90
        while not is_well():
            assert server.poll() is None, f"it ended with {server.returncode}"
            assert time.monotonic() < until, "it does not say that it is well"
            time.sleep(0.5)
        # Runs are forked from a process that has loaded what they need.
        [warm] = [
            child
            for child in psutil.Process(server.pid).children()
            if "multiprocessing.forkserver" in " ".join(child.cmdline())
        ]
        while not {"libarrow", "cygrpc", "_imaging"} <= loaded_by(warm):
            assert time.monotonic() < until, loaded_by(warm)
            time.sleep(0.5)
    finally:
        server.terminate()
        code = server.wait(timeout=60)
    assert code in (0, -15)
    assert not is_well()


def test_with_wrong_settings_the_code_server_says_so_in_one_line(environment):
    wrong = {**environment, "MINIO_SECRET_KEY": "nonsense-4711"}
    done = subprocess.run(
        [ROOT / "services/dagster/start-code.sh"],
        env=wrong,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 78
    assert re.search(r"MINIO_SECRET_KEY", done.stderr)
    assert len(done.stderr.strip().splitlines()) == 1
    assert "nonsense-4711" not in done.stderr
