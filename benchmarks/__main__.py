"""`python -m benchmarks`: this platform measured, beside other tools where there are some.

Each scenario writes a table, its raw figures and a plot into the folder that `--out` names, and
prints the table. All data is made from a seed, except the real countries, which npm fetches.
"""

from __future__ import annotations

import argparse
from contextlib import ExitStack
from pathlib import Path

from benchmarks.rounds import OURS
from benchmarks.scenarios import SCENARIOS, Sizes
from benchmarks.stack import bench_stack
from benchmarks.vector import CONTENDERS


def main() -> None:
    """Measure, compare, write: the scenarios without an orchestrator first."""
    options = _options()
    sizes = Sizes.of(options)
    wanted = [it for it in SCENARIOS.values() if it.name in (options.only or SCENARIOS)]
    for dagster in (False, True):
        scenarios = [it for it in wanted if it.needs_dagster is dagster]
        with ExitStack() as running:
            if scenarios:
                state = options.out.resolve() / "stack"
                stack = running.enter_context(bench_stack(state, dagster=dagster))
            for scenario in scenarios:
                folder = options.out.resolve() / scenario.name
                folder.mkdir(parents=True, exist_ok=True)
                print(f"{scenario.name}: {scenario.title}", flush=True)
                text = scenario.run(stack, folder, sizes)
                (options.out / f"{scenario.name}.md").write_text(text)
                print(text, flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    add = parser.add_argument
    add("--only", action="append", choices=list(SCENARIOS), help="this scenario; may be repeated")
    add("--quick", action="store_true", help="small data")
    add("--rounds", type=int, help="timed turns of each contender (3; quick: 1)")
    add("--out", type=Path, default=Path("bench"), help="folder for all of it")
    add("--case", type=_named, action="append", metavar="SHAPE:ROWS", help="vector: polygons:1000")
    add("--contender", action="append", choices=[it for it in CONTENDERS if it != OURS],
        help="vector, real: only this one beside us; may be repeated")  # fmt: skip
    add("--raster", type=_named, action="append", metavar="KIND:SIDE", help="raster: image:8000")
    add("--manifests", type=int, help="latency: so many, one after the other (20; quick: 3)")
    add("--old-manifests", type=int, help="latency: so many done before (100000; quick: 200)")
    add("--dropped", type=int, help="backlog: so many at once (100; quick: 8)")
    add("--assets", type=int, help="growth: so many in the large ledger (10000; quick: 500)")
    add("--rows", type=int, help="readers: polygons in the asset (1000000; quick: 50000)")
    return parser.parse_args()


def _named(text: str) -> tuple[str, int]:
    name, _, number = text.partition(":")
    return name, int(number)


if __name__ == "__main__":
    main()
