"""The scenarios: what each is called, what it needs, how large it is; and what it leaves behind."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

from benchmarks import backlog, figures, growth, latency, raster, readers, real_data, report, vector
from benchmarks.figures import Outcome
from benchmarks.rounds import Round
from benchmarks.stack import BenchStack


@dataclass(frozen=True)
class Sizes:
    """How much of everything."""

    case: tuple[tuple[str, int], ...] = (
        ("polygons", 100_000), ("polygons", 1_000_000), ("polygons", 5_000_000),
        ("lines", 1_000_000), ("points", 1_000_000),
    )  # fmt: skip
    raster: tuple[tuple[str, int], ...] = (
        ("image", 8_000), ("heights", 20_000), ("warped", 8_000),
    )  # fmt: skip
    real: tuple[real_data.Package, ...] = (real_data.ONE_KM,)
    contender: tuple[str, ...] = ()
    """Of the vector job, beside ours; empty: all."""
    rounds: int = 3
    manifests: int = 20
    old_manifests: int = 100_000
    dropped: int = 100
    assets: int = 10_000
    rows: int = 1_000_000
    side: int = 8_000
    turns: int = 20

    @classmethod
    def of(cls, options: argparse.Namespace) -> Sizes:
        """The full or the quick ones, with what was asked for otherwise."""
        given = {
            field.name: getattr(options, field.name)
            for field in fields(cls)
            if getattr(options, field.name, None) is not None
        }
        return replace(QUICK if options.quick else cls(), **given)


QUICK = Sizes(
    case=(("polygons", 20_000), ("points", 50_000)),
    raster=(("image", 2_000), ("heights", 2_000), ("warped", 1_000)),
    real=(),
    rounds=1, manifests=3, old_manifests=200, dropped=8, assets=500, rows=50_000, side=2_000,
    turns=5,
)  # fmt: skip


@dataclass(frozen=True)
class Scenario:
    """One of them; `run` returns its table."""

    name: str
    title: str
    run: Callable[[BenchStack, Path, Sizes], str]
    needs_dagster: bool = False


def _beside_others(folder: Path, rounds: Iterable[Round]) -> str:
    done = list(rounds)
    if not done:
        return "Nothing was asked for.\n"
    _write_raw(folder, [asdict(turn) for turn in done])
    report.draw(done, folder.with_suffix(".png"))
    return report.table(done)


def _alone(folder: Path, outcome: Outcome) -> str:
    _write_raw(folder, outcome.raw)
    figures.draw(outcome, folder.with_suffix(".png"))
    return figures.table(outcome.figures)


def _write_raw(folder: Path, raw: object) -> None:
    folder.with_suffix(".json").write_text(json.dumps(raw, indent=1))


def _vector(stack: BenchStack, folder: Path, sizes: Sizes) -> str:
    cases = [vector.seeded(shape, rows) for shape, rows in sizes.case]
    rounds = vector.run(stack, folder, cases, sizes.rounds, sizes.contender)
    return _beside_others(folder, rounds)


def _real(stack: BenchStack, folder: Path, sizes: Sizes) -> str:
    if not real_data.is_there_a_registry():
        return "Not measured: npm is not installed, which fetches the data.\n"
    cases = [vector.real(package) for package in sizes.real]
    rounds = vector.run(stack, folder, cases, sizes.rounds, sizes.contender)
    return _beside_others(folder, rounds)


def _raster(stack: BenchStack, folder: Path, sizes: Sizes) -> str:
    return _beside_others(folder, raster.run(stack, folder, sizes.raster, sizes.rounds))


def _readers(stack: BenchStack, folder: Path, sizes: Sizes) -> str:
    return _alone(folder, readers.run(stack, folder, sizes.rows, sizes.side))


def _growth(stack: BenchStack, folder: Path, sizes: Sizes) -> str:
    return _alone(folder, growth.run(stack, folder, sizes.assets, sizes.turns))


def _latency(stack: BenchStack, folder: Path, sizes: Sizes) -> str:
    return _alone(folder, latency.run(stack, folder, sizes.manifests, sizes.old_manifests))


def _backlog(stack: BenchStack, folder: Path, sizes: Sizes) -> str:
    return _alone(folder, backlog.run(stack, folder, sizes.dropped))


SCENARIOS = {
    it.name: it
    for it in (
        Scenario("vector", "GeoPackage to GeoParquet, beside other tools", _vector),
        Scenario("real", "the same, of real and mostly invalid countries", _real),
        Scenario("raster", "GeoTIFF to COG, beside the bare GDAL command", _raster),
        Scenario("readers", "what readers of the lake have to fetch", _readers),
        Scenario("growth", "a large ledger beside a small one", _growth),
        Scenario("latency", "small manifests, one after the other", _latency, needs_dagster=True),
        Scenario("backlog", "small manifests, all at once", _backlog, needs_dagster=True),
    )
}
