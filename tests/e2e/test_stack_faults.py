"""Servers, daemon, code server and runs of a stack are killed mid-run; nobody helps afterwards.

The stack is this module's own. What became of the batches is looked at from outside, with the
stores' own clients. Its settings are shorter than the defaults, so that healing takes seconds: a
run is dead after 10 s of silence instead of 120, has 90 s in all instead of six hours, and is
tried again after 1 s instead of 10.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import signal
import tempfile
import time
import uuid
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
import psycopg
import pymongo
import pytest
import urllib3
from dotenv import dotenv_values
from minio import Minio
from minio.error import MinioException, S3Error

from libs.stack import StackPaths, down, identity, status, up
from libs.stack.supervision import Supervisor
from tests.e2e import crowds

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(400)]

STATE_VARIABLE = "SPATIAL_ETL_STACK_STATE"
SETTINGS = "ETL_LEASE_S=10\nETL_RUN_TIMEOUT_S=90\nETL_RETRY_WAIT_S=1\nETL_SENSOR_INTERVAL_S=1\n"
HEALED_WITHIN_S = 120


def wait_until(condition, timeout_s: float = 60, what: str = "it"):
    until = time.monotonic() + timeout_s
    while not (value := condition()):
        assert time.monotonic() < until, f"{what}: not so after {timeout_s} s"
        time.sleep(0.1)
    return value


@dataclass
class Stack:
    """A stack with its stores' own clients; `settings` is the file that it wrote."""

    state: Path
    settings: dict[str, str]

    @property
    def landing(self) -> Minio:
        return self._minio("LANDING")

    def _minio(self, who: str) -> Minio:
        return Minio(
            endpoint=self.settings["MINIO_ENDPOINT"],
            access_key=self.settings[f"{who}_ACCESS_KEY"],
            secret_key=self.settings[f"{who}_SECRET_KEY"],
            secure=False,
            region="us-east-1",
        )

    def keys(self, bucket: str, prefix: str) -> list[str]:
        found = self._minio("MINIO").list_objects(bucket_name=bucket, prefix=prefix, recursive=True)
        return [item.object_name for item in found]

    def lake_bytes(self, key: str) -> bytes:
        answer = self._minio("MINIO").get_object(bucket_name="data-lake", object_name=key)
        try:
            return answer.read()
        finally:
            answer.release_conn()

    def find(self, collection: str, **query) -> list[dict]:
        with pymongo.MongoClient(
            self.settings["MONGODB_URI"],
            username=self.settings["MONGODB_USERNAME"],
            password=self.settings["MONGODB_PASSWORD"],
            serverSelectionTimeoutMS=3000,
        ) as client:
            return list(client[self.settings["MONGODB_DATABASE"]][collection].find(query))

    def postgis(self) -> psycopg.Connection:
        return psycopg.connect(
            host="127.0.0.1",
            port=self.settings["POSTGIS_PORT"],
            dbname=self.settings["POSTGIS_DATABASE"],
            user=self.settings["POSTGIS_USER"],
            password=self.settings["POSTGIS_PASSWORD"],
            connect_timeout=3,
        )

    def schemas(self) -> list[str]:
        with self.postgis() as connection:
            rows = connection.execute("SELECT nspname FROM pg_namespace WHERE nspname ~ '^proc_'")
            return [row[0] for row in rows]

    def runs(self) -> list[dict]:
        query = "{ runsOrError { ... on Runs { results { runId status tags { key value } } } } }"
        answer = httpx.post(
            f"{self.settings['ETL_DAGSTER_URL']}/graphql", json={"query": query}, timeout=30
        )
        return answer.json()["data"]["runsOrError"]["results"]

    def runs_of(self, manifest: str) -> list[dict]:
        def is_its(run: dict) -> bool:
            tags = {tag["key"]: tag["value"] for tag in run["tags"]}
            return manifest in tags.get("spatial_etl/upload", "")

        return [run for run in self.runs() if is_its(run)]

    def pids(self) -> dict[str, int]:
        return {one.name: one.pid for one in status(self.state) if one.pid}

    def is_young(self, server: str) -> bool:
        pid = self.pids().get(server)
        return pid is None or time.time() - psutil.Process(pid).create_time() < 10

    def run_processes(self) -> list[psutil.Process]:
        """Those that execute a run: forked from a child of the code server."""
        code = psutil.Process(self.pids()["code"])
        return [
            run
            for child in code.children()
            if "forkserver" in " ".join(child.cmdline())
            for run in child.children()
        ]

    def everything(self) -> list[psutil.Process]:
        """Each process of the stack; PostgreSQL's children as its children."""
        marked = [process for process in psutil.process_iter() if self._is_ours(process)]
        children = [child for process in marked for child in process.children(recursive=True)]
        return list({process.pid: process for process in [*marked, *children]}.values())

    def _is_ours(self, process: psutil.Process) -> bool:
        try:
            return process.environ().get(STATE_VARIABLE) == str(self.state)
        except psutil.Error:
            return False

    @property
    def supervisor(self) -> Supervisor:
        paths = StackPaths.of(self.state)
        return Supervisor(paths, identity.load(paths).supervisor)


@pytest.fixture(scope="module")
def stack():
    # Not pytest's own temporary folder: PostgreSQL's user could not enter that one.
    folder = Path(tempfile.mkdtemp(prefix="spatial-etl-faults-"))
    folder.chmod(0o755)
    state = folder / "stack"
    StackPaths.of(state).make()
    (state / "own.env").write_text(SETTINGS)
    try:
        up(state, progress=print)
        yield Stack(state, dotenv_values(state / ".env"))
    finally:
        down(state, purge=True)
        shutil.rmtree(folder)


@pytest.fixture(scope="module")
def crowd(tmp_path_factory):
    """Enough to keep a run busy for some seconds."""
    return crowds.crowd(tmp_path_factory.mktemp("crowd") / "crowd.fgb", 60_000)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    path = tmp_path_factory.mktemp("place") / "place.geojson"
    path.write_text(
        '{"type": "FeatureCollection", "features": [{"type": "Feature", "properties": {"n": 1}, '
        '"geometry": {"type": "Point", "coordinates": [1, 2]}}]}'
    )
    return path


FORMATS = {".fgb": "FlatGeobuf", ".geojson": "GeoJSON"}


def submit(stack: Stack, path: Path, crs: str = "EPSG:4326") -> str:
    """Upload a file and its manifest as the landing user; gives the batch's name."""
    name = f"f{uuid.uuid4().hex[:10]}"
    bucket, landing = "landing-zone", stack.landing
    landing.fput_object(bucket_name=bucket, object_name=f"{name}/{path.name}", file_path=str(path))
    manifest = {
        "batch_id": name,
        "uploader": "e2e",
        "intent": "ingest_vector",
        "files": [
            {"path": f"s3://{bucket}/{name}/{path.name}", "type": "vector",
             "format": FORMATS[path.suffix], "crs": crs}
        ],
        "metadata": {"project": name, "description": "Harmed on its way"},
    }  # fmt: skip
    body = json.dumps(manifest).encode()
    landing.put_object(
        bucket_name=bucket, object_name=f"manifests/{name}.json", data=io.BytesIO(body),
        length=len(body),
    )  # fmt: skip
    return name


def receipt(stack: Stack, name: str, folder: str = "done") -> dict | None:
    key = f"manifests/{folder}/{name}.receipt.json"
    try:
        answer = stack.landing.get_object(bucket_name="landing-zone", object_name=key)
    except (MinioException, urllib3.exceptions.HTTPError) as error:
        refused = isinstance(error, S3Error) and error.code == "AccessDenied"
        # For a moment after its start the gateway knows no users.
        assert not refused or stack.is_young("vault")
        return None
    try:
        return json.loads(answer.read())
    finally:
        answer.release_conn()


def in_the_middle(stack: Stack, name: str) -> None:
    """Wait until the run of a crowd is at work in PostGIS."""
    wait_until(lambda: any(stack.runs_of(name)), what="a run")
    wait_until(stack.schemas, what="work in PostGIS")


def assert_committed_once(stack: Stack, name: str) -> None:
    answer = wait_until(lambda: receipt(stack, name), HEALED_WITHIN_S, "the receipt")
    assert answer["outcome"] == "committed"
    (batch,) = stack.find("batches", batch_id=name)
    assert batch["state"] == "committed"
    (asset,) = stack.find("assets", batch=batch["_id"])
    assert (asset["state"], asset["version"]) == ("committed", 1)
    assert stack.keys("data-lake", f"{name}/") == [asset["s3_key"]]
    body = stack.lake_bytes(asset["s3_key"])
    assert hashlib.sha256(body).hexdigest() == asset["content_hash"]
    assert stack.keys("landing-zone", f"manifests/{name}") == []
    assert f"manifests/done/{name}.json" in stack.keys("landing-zone", "manifests/done/")


def assert_nothing_is_left(stack: Stack) -> None:
    def is_quiet() -> bool:
        ended = all(run["status"] in ("SUCCESS", "FAILURE", "CANCELED") for run in stack.runs())
        return ended and not stack.schemas() and not any((stack.state / "work").iterdir())

    wait_until(is_quiet, 60, "schemas, work folders and runs have ended")
    assert stack.find("assets", state="pending") == []
    assert [batch["state"] for batch in stack.find("batches", lease={"$ne": None})] == []


def assert_tried_until_it_went_well(stack: Stack, name: str) -> None:
    """On a busy machine an attempt more than one may fail, but only one succeeds."""
    ends = sorted(run["status"] for run in stack.runs_of(name))
    assert ends[0] == "FAILURE"
    assert ends.count("SUCCESS") == 1
    assert set(ends) == {"FAILURE", "SUCCESS"}


def kill(processes: list[psutil.Process]) -> None:
    for process in processes:
        try:
            os.kill(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


def test_when_all_of_the_stack_is_killed_at_once_the_batch_commits_after_the_next_start(
    stack, crowd, place
) -> None:
    name = submit(stack, crowd)
    in_the_middle(stack, name)
    other = submit(stack, place)
    kill(stack.everything())
    up(stack.state, progress=print)
    assert dotenv_values(stack.state / ".env") == stack.settings, "ports are let go and taken again"
    assert_committed_once(stack, other)
    assert_committed_once(stack, name)
    assert_nothing_is_left(stack)
    assert_tried_until_it_went_well(stack, name)


@pytest.mark.torture
def test_what_supervisor_brings_back_by_itself_goes_on_likewise(stack, crowd, place) -> None:
    name = submit(stack, crowd)
    in_the_middle(stack, name)
    other = submit(stack, place)
    supervisor = stack.supervisor.pid
    kill([process for process in stack.everything() if process.pid != supervisor])
    assert_committed_once(stack, name)
    assert_committed_once(stack, other)
    assert_nothing_is_left(stack)


AT_LENGTH = pytest.mark.torture


@pytest.mark.parametrize(
    "server",
    ["compute", *(pytest.param(name, marks=AT_LENGTH) for name in ("vault", "ledger", "front"))],
)
def test_a_server_that_is_killed_in_a_run_delays_it_and_no_more(
    stack, crowd, place, server
) -> None:
    name = submit(stack, crowd)
    in_the_middle(stack, name)
    os.kill(stack.pids()[server], signal.SIGKILL)
    other = submit_when_it_is_back(stack, place)
    assert_committed_once(stack, name)
    assert_committed_once(stack, other)
    assert_nothing_is_left(stack)


def submit_when_it_is_back(stack: Stack, path: Path) -> str:
    def is_back() -> bool:
        return {one.name for one in status(stack.state) if one.state == "running"} >= {
            "vault", "front", "ledger", "compute",
        }  # fmt: skip

    wait_until(is_back, what="the server")
    return submit(stack, path)


def test_a_run_whose_process_is_killed_is_tried_again(stack, crowd) -> None:
    name = submit(stack, crowd)
    in_the_middle(stack, name)
    (worker,) = stack.run_processes()
    worker.kill()
    assert_committed_once(stack, name)
    assert_nothing_is_left(stack)
    assert_tried_until_it_went_well(stack, name)


@pytest.mark.torture
@pytest.mark.parametrize("server", ["ledger", "vault", "compute"])
def test_a_server_that_is_away_for_half_a_minute_heals_without_a_person(
    stack, crowd, server
) -> None:
    name = submit(stack, crowd)
    in_the_middle(stack, name)
    stack.supervisor.stop(server)
    time.sleep(30)
    stack.supervisor.start(server)
    assert_committed_once(stack, name)
    assert_nothing_is_left(stack)


@pytest.mark.torture
def test_a_run_that_is_stopped_and_wakes_after_its_successor_changes_nothing(stack, crowd) -> None:
    name = submit(stack, crowd)
    in_the_middle(stack, name)
    (sleeper,) = stack.run_processes()
    sleeper.suspend()
    try:
        assert_committed_once(stack, name)
    finally:
        sleeper.resume()
    wait_until(lambda: not sleeper.is_running(), what="the end of the run that slept")
    assert_committed_once(stack, name)
    assert_nothing_is_left(stack)


@pytest.mark.torture
def test_a_run_that_hangs_is_ended_by_its_time_limit_and_tried_again(stack, crowd) -> None:
    """It waits for a lock in PostGIS, and keeps its lease all the while."""
    name = submit(stack, crowd)
    in_the_middle(stack, name)
    (schema,) = stack.schemas()
    with stack.postgis() as connection:
        connection.execute("SET lock_timeout = '60s'")
        connection.execute(f"LOCK TABLE {schema}.raw_data IN ACCESS EXCLUSIVE MODE")
        wait_until(lambda: stack.runs_of(name)[-1]["status"] == "FAILURE", 180, "the time limit")
    assert_committed_once(stack, name)
    assert_nothing_is_left(stack)


def test_a_bad_file_is_tried_once_only(stack, tmp_path) -> None:
    bad = tmp_path / "bad.geojson"
    bad.write_text("no JSON at all")
    name = submit(stack, bad)
    answer = wait_until(lambda: receipt(stack, name, "rejected"), what="the refusal")
    assert answer["outcome"] == "rejected"
    time.sleep(12)  # eight times the wait before a second attempt, and two ticks
    assert len(stack.runs_of(name)) == 1
    assert_nothing_is_left(stack)
