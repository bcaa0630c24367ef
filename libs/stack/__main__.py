"""`python -m libs.stack up|status|down`: the stack for scripts; people have `spatial-etl stack`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from libs.errors import SpatialEtlError
from libs.stack import down, status, up


def main() -> int:
    """Exit code 0 when it did what was asked; 1 with one message when it could not."""
    parser = argparse.ArgumentParser(prog="python -m libs.stack", description=__doc__)
    parser.add_argument("action", choices=("up", "status", "down"))
    parser.add_argument("--state", type=Path, default=Path(".stack"))
    parser.add_argument("--no-dagster", action="store_true", help="up: the three stores only")
    parser.add_argument("--purge", action="store_true", help="down: delete the data too")
    arguments = parser.parse_args()
    try:
        _act(arguments)
    except SpatialEtlError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _act(arguments: argparse.Namespace) -> None:
    if arguments.action == "up":
        info = up(arguments.state, dagster=not arguments.no_dagster, progress=_say)
        _say(f"Up in {info.state}" + ("." if info.changed else ", as before."))
    elif arguments.action == "down":
        was_there = down(arguments.state, purge=arguments.purge)
        _say(f"Down: {arguments.state}." if was_there else f"No stack in {arguments.state}.")
    else:
        for one in status(arguments.state):
            _say(f"{one.name:9} {one.state:9} {one.address:22} {one.problem or ''}".rstrip())


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
