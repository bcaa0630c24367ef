"""The vector job, contender by contender in turn: GeoPackage to GeoParquet, simplified."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.agreement import contents, require_agreement
from benchmarks.duckdb_extensions import make_home
from benchmarks.measuring import Measured, measure
from benchmarks.ours import run_batch
from benchmarks.real_data import CRS as REAL_CRS
from benchmarks.real_data import Package, write_countries
from benchmarks.rounds import OURS, Round, in_turn
from benchmarks.stack import BenchStack
from benchmarks.user import Source
from benchmarks.vector_data import CRS, write_features

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Case:
    """Data to do the job on."""

    name: str
    crs: str
    make: Callable[[Path], Path]
    """Writes the GeoPackage into that folder, unless it is there, and says where it lies."""


@dataclass(frozen=True)
class Job:
    """A source, and where results go."""

    stack: BenchStack
    source: Path
    crs: str
    folder: Path

    def result(self, contender: str) -> Path:
        return self.folder / f"{contender}.parquet"


def seeded(shape: str, rows: int) -> Case:
    """Features from a seed: `polygons`, `lines` or `points`."""
    return Case(
        f"{rows:,} {shape}",
        CRS,
        lambda folder: write_features(folder / f"{shape}-{rows}.gpkg", shape, rows),
    )


def real(package: Package) -> Case:
    """Countries as they are drawn, most of them invalid."""
    name = package.name.rpartition("/")[2]
    return Case(name, REAL_CRS, lambda folder: write_countries(folder, package))


def ours(job: Job) -> Measured:
    """From a manifest in the landing zone to the committed asset in the lake."""
    source = Source(job.source, "GPKG", "vector", job.crs, "ingest_vector")
    return run_batch(job.stack, job.folder, source, job.result(OURS))


def geopandas(job: Job) -> Measured:
    """The whole data in memory."""
    return _script(job, "geopandas", [sys.executable, "-m", "benchmarks.contenders.geopandas_job"])


def duckdb(job: Job) -> Measured:
    """One statement."""
    command = [sys.executable, "-m", "benchmarks.contenders.duckdb_job", job.crs]
    return _script(job, "duckdb", command)


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


def run(stack: BenchStack, folder: Path, cases: Sequence[Case], rounds: int) -> Iterator[Round]:
    """Yields each turn as it ends. Raises `DisagreementError` where results differ."""
    for case in cases:
        job = Job(stack, case.make(folder), case.crs, folder)
        yield from in_turn(case.name, job, CONTENDERS, rounds)
        mine = contents(job.result(OURS))
        for name in CONTENDERS:
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
