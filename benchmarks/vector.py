"""The vector job, contender by contender in turn: GeoPackage to GeoParquet, simplified."""

from __future__ import annotations

import sys
import tempfile
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
from benchmarks.stack import BenchStack, bucket_login
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
    source_uri: str
    """The same file in a bucket, from which the contenders fetch it."""
    crs: str
    folder: Path
    watch: bool = True

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
    return run_batch(job.stack, job.folder, source, job.result(OURS), watch=job.watch)


def geopandas(job: Job) -> Measured:
    """The whole data in memory."""
    return _script(job, "geopandas", _python("geopandas_job"), has_gate=True)


def duckdb(job: Job) -> Measured:
    """One statement."""
    return _script(job, "duckdb", [*_python("duckdb_job"), job.crs], has_gate=True)


def duckdb_checked(job: Job) -> Measured:
    """With hashes, checks of validity, and Hilbert order, as ours has them."""
    return _script(job, "duckdb_checked", [*_python("duckdb_checked_job"), job.crs], has_gate=True)


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
    home, target = make_home(job.folder / "home"), job.result("gpio_convert")
    return measure(
        [gpio, "convert", str(job.source), str(target)],
        folders=[job.folder],
        environment={"HOME": str(home)},
        watch=job.watch,
    )


CONTENDERS: dict[str, Callable[[Job], Measured]] = {
    OURS: ours,
    "duckdb": duckdb,
    "duckdb_checked": duckdb_checked,
    "geopandas": geopandas,
    "ogr2ogr_postgis": ogr2ogr_postgis,
    "gpio_convert": gpio_convert,
}
DOES_LESS = frozenset({"gpio_convert"})


def run(
    stack: BenchStack,
    folder: Path,
    cases: Sequence[Case],
    rounds: int,
    beside: Sequence[str] = (),
) -> Iterator[Round]:
    """Ours, and those that `beside` names (none: all); yields each turn as it ends.

    Raises:
        DisagreementError: results differ.
    """
    chosen = {
        name: turn for name, turn in CONTENDERS.items() if name in (OURS, *(beside or CONTENDERS))
    }
    for case in cases:
        source = case.make(folder)
        uri = stack.user.put(source, f"sources/{source.name}")
        job = Job(stack, source, uri, case.crs, folder)
        yield from in_turn(case.name, job, chosen, rounds)
        mine = contents(job.result(OURS))
        for name in chosen:
            if name != OURS and name not in DOES_LESS:
                require_agreement(name, mine, contents(job.result(name)))


def _python(module: str) -> list[str]:
    return [sys.executable, "-m", f"benchmarks.contenders.{module}"]


def _script(
    job: Job,
    name: str,
    command: list[str],
    *,
    has_gate: bool = False,
    servers: list[int] | None = None,
    folders: list[Path] | None = None,
    environment: dict[str, str] | None = None,
) -> Measured:
    """From a bucket to a bucket; then, not measured, the result is fetched to be compared."""
    user, key = job.stack.user, f"results/{name}.parquet"
    with tempfile.TemporaryDirectory(dir=job.folder) as scratch:
        measured = measure(
            [*command, job.source_uri, f"s3://{user.bucket}/{key}"],
            folders=[Path(scratch), *(folders or [])],
            server_pids=servers or [],
            environment={
                "TMPDIR": scratch,
                **bucket_login(job.stack.settings),
                **(environment or {}),
            },
            has_gate=has_gate,
            watch=job.watch,
        )
    user.download(user.bucket, key, job.result(name))
    return measured
