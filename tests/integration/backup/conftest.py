"""Two platforms: one at work, on the servers that the settings name, with a ledger of its own; and
an empty one, on a stack that is started for these tests."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import uuid
from dataclasses import dataclass
from pathlib import Path

import pytest
from dotenv import dotenv_values

from libs.backup import take_backup
from libs.ingest import Platform
from libs.ledger import Ledger
from libs.settings import Settings, default_env_file
from tests.faults.stores import LAKE, LANDING, Stores

BUSY = Path(__file__).with_name("busy.py")
ROOT = Path(__file__).parents[3]


@dataclass
class Place:
    """A platform's settings, and its stores through other clients than the platform's."""

    env: dict[str, str]
    file: Path

    def __post_init__(self):
        self.stores = Stores(self.env, self.file.parent / "work")

    @property
    def settings(self):
        return Settings(self.file)

    @contextlib.contextmanager
    def platform(self):
        platform = Platform.connect(self.settings)
        try:
            yield platform
        finally:
            platform.close()

    def collection(self, name):
        return {item["_id"]: item for item in self.stores.ledger[name].find()}


def place(env, folder, **changes):
    env = {**env, "ETL_MIN_FREE_BYTES": "0", "ETL_WORK_DIR": str(folder / "work"), **changes}
    file = folder / f"{uuid.uuid4().hex[:8]}.env"
    file.touch(mode=0o600)
    file.write_text("".join(f"{name}={value}\n" for name, value in env.items()))
    return Place(env, file)


def new_ledger(made):
    with Ledger.connect(made.settings.ledger) as ledger:
        ledger.migrate()
    return made


def drop_ledger(made):
    made.stores.mongo.drop_database(made.env["MONGODB_DATABASE"])
    made.stores.close()


def values_of(env_file):
    return {name: value or "" for name, value in dotenv_values(env_file).items()}


@pytest.fixture(scope="session")
def source(settings, tmp_path_factory):
    """A platform with a ledger of its own."""
    env = values_of(default_env_file()) | {k: v for k, v in os.environ.items() if k in ENV}
    folder = tmp_path_factory.mktemp("source")
    made = place(env, folder, MONGODB_DATABASE=f"spatial_etl_backup_{uuid.uuid4().hex[:8]}")
    yield new_ledger(made)
    drop_ledger(made)


@pytest.fixture(scope="session")
def second_stack(tmp_path_factory):
    """The settings of a stack that nobody has used."""
    from libs.stack import down, up

    state = tmp_path_factory.mktemp("second") / "stack"
    try:
        info = up(state, dagster=False, progress=lambda line: None)
        yield values_of(info.env_file)
    finally:
        down(state, purge=True)


@pytest.fixture
def target(second_stack, tmp_path):
    """An empty platform; not beside another one, since they share the lake."""
    with empty_platform(second_stack, tmp_path) as made:
        yield made


@contextlib.contextmanager
def empty_platform(env, folder):
    """An empty platform on an empty stack, and the stack empty again afterwards."""
    made = place(env, folder, MONGODB_DATABASE=f"spatial_etl_{uuid.uuid4().hex[:8]}")
    yield new_ledger(made)
    for bucket in (LAKE, LANDING):
        for key in made.stores.keys(bucket):
            made.stores.vault.remove_object(bucket, key)
    drop_ledger(made)


@dataclass
class Busy:
    """A process that submits and runs batches, until it is let go."""

    name: str
    process: subprocess.Popen

    @classmethod
    def start(cls, source, folder, point=None):
        name = f"busy-{uuid.uuid4().hex[:8]}"
        command = [sys.executable, str(BUSY), str(source.file), name, *([point] if point else [])]
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, "TMPDIR": str(folder), "PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return cls(name, process)

    def next(self):
        """The fingerprint of the next batch that it commits; or where it stands still."""
        line = self.process.stdout.readline().strip()
        assert line, "it ended"
        return line

    def finish(self):
        """Let it end its batch; what it committed since the last look."""
        self.process.stdin.close()
        said = self.process.stdout.read().split()
        assert self.process.wait(timeout=120) == 0
        return said

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()


@dataclass
class Rehearsal:
    """What was there when the backups were taken, and what became of it."""

    folder: Path
    before: dict[str, dict]
    """The assets that were committed before the first backup began."""
    report: object
    later: object
    """The second backup, of the same folder."""
    held: str
    """The project of a run that stood still between its upload and its commit."""


@pytest.fixture(scope="session")
def rehearsal(source, raster_batch, tmp_path_factory):
    """Two backups in one folder, taken while two processes commit batch after batch."""
    folder = tmp_path_factory.mktemp("backups") / "all"
    scratch = tmp_path_factory.mktemp("busy")
    workers = [Busy.start(source, scratch) for _ in range(2)]
    held = Busy.start(source, scratch, "eject.object-uploaded")
    try:
        assert held.next() == "at eject.object-uploaded"
        for worker in workers:
            worker.next()
        raster_batch()
        assets, query = source.stores.ledger["assets"], {"state": "committed"}
        before = {item["_id"]: item for item in assets.find(query)}
        report = take_backup(source.settings, folder)
        there = assets.count_documents(query)
        # What a worker said may be of before the backup.
        while assets.count_documents(query) == there:
            for worker in workers:
                worker.next()
        later = take_backup(source.settings, folder)
        for worker in workers:
            worker.finish()
    finally:
        for worker in (*workers, held):
            worker.kill()
    return Rehearsal(folder, before, report, later, held.name)


@pytest.fixture(scope="session")
def raster_batch(source, tmp_path_factory):
    """Commits a batch with one raster."""
    import numpy
    import rasterio

    from tests.servers import User

    path = tmp_path_factory.mktemp("raster") / "height.tif"
    pixels = numpy.arange(64 * 48, dtype="int16").reshape(48, 64)
    with rasterio.open(
        path, "w", driver="GTiff", width=64, height=48, count=1, dtype="int16", crs="EPSG:4326",
        transform=rasterio.transform.from_origin(10, 50, 0.01, 0.01),
    ) as file:  # fmt: skip
        file.write(pixels, 1)

    def commit():
        with source.platform() as platform:
            name = f"raster-{uuid.uuid4().hex[:8]}"
            user = User(platform, platform.vault, LANDING, name)
            upload = user.manifest([user.raster(path)], intent="ingest_satellite_raster")
            return user.run(upload).batch.id

    return commit


def newest(folder):
    """The newest backup of a folder."""
    return max((folder / "ledger").iterdir())


def lines(path):
    """What a person would do with a file of documents."""
    return [json.loads(line) for line in path.read_text().splitlines()]


ENV = {f"{prefix}_{name}" for prefix in ("MINIO", "MONGODB", "POSTGIS", "ETL")
       for name in ("ENDPOINT", "URI", "HOST", "PORT", "USERNAME", "PASSWORD", "USER")}  # fmt: skip
