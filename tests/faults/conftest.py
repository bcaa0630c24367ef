"""Lanes for the fault suite, and the table at its end.

How long it takes is set from outside: `FAULT_LANES` stacks at once (2), `FAULT_CALLS` cases of the
n-th call (24), drawn with `FAULT_SEED` (1). `FAULT_TABLE` names a file for the table, as Markdown.
"""

from __future__ import annotations

import os
import signal
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.faults.engine import FINISHED, Verdict
from tests.faults.lane import Lane, open_lane

_caught: list[tuple[str, str, str]] = []


@pytest.fixture(scope="session")
def lanes() -> Iterator[list[Lane]]:
    """Stacks of stores of their own, each with proxies before it."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that the stacks are taken down
    with ExitStack() as ending:
        count = int(os.environ.get("FAULT_LANES", "2"))
        yield [ending.enter_context(open_lane()) for _ in range(count)]


@pytest.fixture(scope="session")
def lane(lanes: list[Lane]) -> Lane:
    """One of them."""
    return lanes[0]


@pytest.fixture
def record():
    """Put verdicts into the table, and fail for those with a violation."""

    def keep(verdicts: list[Verdict]) -> None:
        known = {id(verdict) for verdict in FINISHED}
        FINISHED.extend(verdict for verdict in verdicts if id(verdict) not in known)
        broken = [str(verdict) for verdict in verdicts if verdict.violations]
        assert not broken, f"{len(broken)} of {len(verdicts)} broke a promise:\n" + "\n".join(
            broken
        )

    return keep


@pytest.fixture
def record_catch():
    """Put a planted bug and the checks that saw it into the table."""

    def keep(bug: str, fault: str, checks: list[str]) -> None:
        _caught.append((bug, fault, ", ".join(checks)))

    return keep


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The tables: what was run, and which check caught which bug."""
    lines = [*_table_of_runs(), *_table_of_bugs()]
    if not lines:
        return
    terminalreporter.write_sep("-", "faults")
    for line in lines:
        terminalreporter.write_line(line)
    target = os.environ.get("FAULT_TABLE")
    if target:
        Path(target).write_text("\n".join(lines) + "\n")


def _table_of_runs() -> Iterator[str]:
    groups: dict[str, list[Verdict]] = defaultdict(list)
    for verdict in FINISHED:
        groups[verdict.case.group].append(verdict)
    if not groups:
        return
    yield "| what | cases | struck | ended by itself | healed by a retry | slowest | violations |"
    yield "|---|---:|---:|---:|---:|---:|---:|"
    total = [0, 0, 0, 0, 0]
    for group, verdicts in sorted(groups.items()):
        row = [
            len(verdicts),
            sum(verdict.fired for verdict in verdicts),
            sum(verdict.attempts == 1 for verdict in verdicts),
            sum(verdict.attempts > 1 for verdict in verdicts),
            sum(bool(verdict.violations) for verdict in verdicts),
        ]
        total = [old + new for old, new in zip(total, row, strict=True)]
        slowest = f"{max(verdict.seconds for verdict in verdicts):.0f} s"
        yield _row(group, row, slowest)
    yield _row("all", total, "")
    yield ""


def _row(name: str, row: list[int], slowest: str) -> str:
    *counts, violations = row
    cells = [name, *(f"{count:,}" for count in counts), slowest, f"{violations:,}"]
    return "| " + " | ".join(cells) + " |"


def _table_of_bugs() -> Iterator[str]:
    if not _caught:
        return
    yield "| planted bug | shows under | caught by |"
    yield "|---|---|---|"
    yield from (f"| {bug} | {fault} | {checks} |" for bug, fault, checks in _caught)
