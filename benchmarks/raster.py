"""The raster job, in turn with the best bare GDAL commands of the same options: GeoTIFF to COG."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measuring import Measured, measure
from benchmarks.ours import run_batch
from benchmarks.raster_agreement import require_same_pixels, require_valid_cog
from benchmarks.raster_data import CRS, write_heights, write_image
from benchmarks.rounds import OURS, Round, in_turn
from benchmarks.stack import BenchStack
from benchmarks.user import Source

BARE = "bare GDAL"
GOAL = 1.15
"""Times the bare command: what a whole batch may take."""

_COMMON = ["BLOCKSIZE=512", "NUM_THREADS=ALL_CPUS", "OVERVIEW_RESAMPLING=AVERAGE",
           "BIGTIFF=IF_SAFER"]  # fmt: skip
_BYTES = ["COMPRESS=DEFLATE", "LEVEL=6", "PREDICTOR=STANDARD", *_COMMON]
_FLOATS = ["COMPRESS=ZSTD", "LEVEL=9", "PREDICTOR=FLOATING_POINT", *_COMMON]
_TRANSLATE = ["gdal_translate", "-q", "-of", "COG"]
_WARP = ["bash", str(Path(__file__).parent / "contenders" / "warp_job.sh")]


@dataclass(frozen=True)
class Kind:
    """A kind of raster, what is done with it, and the best command that does so without us."""

    write: Callable[[Path, int], Path]
    intent: str
    command: Sequence[str]
    options: Sequence[str]
    most_apart: float = 0.0
    """See `require_same_pixels`; the noise alone puts a pixel 14 m from the next one."""

    def bare(self, source: Path, target: Path) -> list[str]:
        options = [word for option in self.options for word in ("-co", option)]
        return [*self.command, str(source), str(target), *options]


KINDS = {
    "image": Kind(write_image, "ingest_satellite_raster", _TRANSLATE, _BYTES),
    "heights": Kind(write_heights, "ingest_satellite_raster", _TRANSLATE, _FLOATS),
    "warped": Kind(write_heights, "bench_reproject_raster", _WARP, _FLOATS, most_apart=2.0),
}


@dataclass(frozen=True)
class Job:
    """A source, and where results go."""

    stack: BenchStack
    kind: Kind
    source: Path
    folder: Path
    watch: bool = True

    def result(self, contender: str) -> Path:
        return self.folder / f"{contender.replace(' ', '_')}.tif"


def ours(job: Job) -> Measured:
    """From a manifest in the landing zone to the committed asset in the lake."""
    source = Source(job.source, "GTiff", "raster", CRS, job.kind.intent)
    return run_batch(job.stack, job.folder, source, job.result(OURS), watch=job.watch)


def bare_gdal(job: Job) -> Measured:
    """From a local file to a local file."""
    target = job.result(BARE)
    scratch = job.folder / "scratch"
    scratch.mkdir(exist_ok=True)
    return measure(
        job.kind.bare(job.source, target),
        # The COG driver keeps what it is not done with beside the target.
        folders=[job.folder],
        environment={"CPL_TMPDIR": str(scratch)},
        watch=job.watch,
    )


CONTENDERS: dict[str, Callable[[Job], Measured]] = {OURS: ours, BARE: bare_gdal}


def run(
    stack: BenchStack, folder: Path, cases: Sequence[tuple[str, int]], rounds: int
) -> Iterator[Round]:
    """Yields each turn as it ends. Raises `DisagreementError` where results differ."""
    for name, side in cases:
        kind = KINDS[name]
        source = kind.write(folder / f"{kind.write.__name__}-{side}.tif", side)
        job = Job(stack, kind, source, folder)
        yield from in_turn(f"{side}² {name}", job, CONTENDERS, rounds)
        require_same_pixels(name, job.result(OURS), job.result(BARE), kind.most_apart)
        require_valid_cog(name, job.result(OURS))
