"""`python -m benchmarks`: the contenders side by side, on data made from a seed.

Prints a table, and writes it, the raw figures and a plot into the folder that `--out` names.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from benchmarks import report, vector
from benchmarks.stack import bench_stack

QUICK = [("polygons", 20_000), ("lines", 20_000), ("points", 50_000)]
FULL = [
    ("polygons", 100_000), ("polygons", 1_000_000), ("polygons", 5_000_000),
    ("lines", 1_000_000), ("points", 1_000_000),
]  # fmt: skip


def main() -> None:
    """Measure, compare, write."""
    options = _options()
    cases = options.case or (QUICK if options.quick else FULL)
    options.out.mkdir(parents=True, exist_ok=True)
    done = []
    with bench_stack(options.out / "stack", dagster=False) as stack:
        for turn in vector.run(stack, options.out, cases, options.rounds):
            print(f"{turn.case}, {turn.contender}: {turn.measured.seconds:.1f} s", flush=True)
            done.append(turn)
    text = report.table(done)
    (options.out / "vector.md").write_text(text)
    (options.out / "vector.json").write_text(json.dumps([asdict(turn) for turn in done], indent=1))
    report.draw(done, options.out / "vector.png")
    print(text)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small data: under three minutes")
    parser.add_argument("--rounds", type=int, default=3, help="turns of each contender (3)")
    parser.add_argument("--out", type=Path, default=Path("bench"), help="folder for all of it")
    parser.add_argument(
        "--case", type=_case, action="append", metavar="SHAPE:ROWS",
        help="polygons:1000000, say; may be repeated",
    )  # fmt: skip
    return parser.parse_args()


def _case(text: str) -> tuple[str, int]:
    shape, _, rows = text.partition(":")
    return shape, int(rows)


if __name__ == "__main__":
    main()
