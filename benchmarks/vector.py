"""The vector job, contender by contender in turn: GeoPackage to GeoParquet, simplified."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.agreement import contents, require_agreement
from benchmarks.duckdb_spatial import make_home
from benchmarks.measuring import Measured, measure
from benchmarks.stack import BenchStack
from benchmarks.vector_data import CRS, write_features

HERE = Path(__file__).parent
OURS = "spatial-etl"


@dataclass(frozen=True)
class Round:
    """One contender's turn."""

    case: str
    contender: str
    measured: Measured
    result_bytes: int


@dataclass(frozen=True)
class Job:
    """A source, and where results go."""

    stack: BenchStack
    source: Path
    folder: Path

    def result(self, contender: str) -> Path:
        return self.folder / f"{contender}.parquet"


def ours(job: Job) -> Measured:
    """From a manifest in the landing zone to the committed asset in the lake."""
    upload = job.stack.submit(job.source, "GPKG", "vector", "ingest_vector", CRS)
    asked, answered = job.folder / "upload.json", job.folder / "asset.txt"
    asked.write_text(upload.model_dump_json())
    work = job.stack.settings.etl.work_dir
    measured = measure(
        [sys.executable, "-m", "benchmarks.contenders.ours_job", str(asked), str(answered)],
        folders=[work, job.stack.compute_folder(), job.stack.state / "vault"],
        server_pids=[job.stack.compute_pid()],
    )
    bucket, key = answered.read_text().split()
    job.stack.download(bucket, key, job.result(OURS))
    return measured


def geopandas(job: Job) -> Measured:
    """The whole data in memory."""
    return _script(job, "geopandas", [sys.executable, "-m", "benchmarks.contenders.geopandas_job"])


def duckdb(job: Job) -> Measured:
    """One statement."""
    return _script(job, "duckdb", [sys.executable, "-m", "benchmarks.contenders.duckdb_job"])


def ogr2ogr_postgis(job: Job) -> Measured:
    """A shell script around the same PostGIS."""
    compute = job.stack.settings.compute
    login = {
        "PGHOST": compute.host, "PGPORT": str(compute.port), "PGUSER": compute.user,
        "PGPASSWORD": compute.password.get_secret_value(), "PGDATABASE": compute.database,
        "PYTHON": sys.executable,
    }  # fmt: skip
    return _script(
        job,
        "ogr2ogr_postgis",
        [str(HERE / "contenders" / "postgis_job.sh")],
        servers=[job.stack.compute_pid()],
        folders=[job.stack.compute_folder()],
        environment=login,
    )


def gpio_convert(job: Job) -> Measured:
    """Does less: it neither reprojects nor simplifies, it only writes GeoParquet well."""
    gpio = str(Path(sys.executable).parent / "gpio")
    home = make_home(job.folder / "home")
    return _script(job, "gpio_convert", [gpio, "convert"], environment={"HOME": str(home)})


CONTENDERS: dict[str, Callable[[Job], Measured]] = {
    OURS: ours,
    "duckdb": duckdb,
    "geopandas": geopandas,
    "ogr2ogr_postgis": ogr2ogr_postgis,
    "gpio_convert": gpio_convert,
}
DOES_LESS = frozenset({"gpio_convert"})


def run(
    stack: BenchStack, folder: Path, cases: list[tuple[str, int]], rounds: int
) -> Iterator[Round]:
    """Every contender once a round, in turn, so that a slow minute of the machine hits them all.

    Yields each turn as it ends. Raises `DisagreementError` where results differ.
    """
    for shape, rows in cases:
        source = write_features(folder / f"{shape}-{rows}.gpkg", shape, rows)
        job = Job(stack, source, folder)
        names = list(CONTENDERS)
        for number in range(rounds):
            for name in names[number % len(names) :] + names[: number % len(names)]:
                measured = CONTENDERS[name](job)
                size = job.result(name).stat().st_size
                yield Round(f"{rows:,} {shape}", name, measured, size)
        mine = contents(job.result(OURS))
        for name in names:
            if name != OURS and name not in DOES_LESS:
                require_agreement(name, mine, contents(job.result(name)))


def _script(
    job: Job,
    name: str,
    command: list[str],
    *,
    servers: list[int] | None = None,
    folders: list[Path] | None = None,
    environment: dict[str, str] | None = None,
) -> Measured:
    scratch = job.folder / "scratch"
    scratch.mkdir(exist_ok=True)
    target = job.result(name)
    target.unlink(missing_ok=True)
    return measure(
        [*command, str(job.source), str(target)],
        folders=[scratch, *(folders or [])],
        server_pids=servers or [],
        environment={"TMPDIR": str(scratch), **(environment or {})},
    )
