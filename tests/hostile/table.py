"""The suite's one table: what was tried, how it ended, how long and how large it was."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

HEAD = ("group", "cases", "rejected", "committed", "slowest, s", "largest RSS, MB")


@dataclass(frozen=True)
class Row:
    """One run of a hostile batch."""

    group: str
    case: str
    outcome: str
    seconds: float
    peak_bytes: int


def lines_of(rows: Iterable[Row]) -> list[tuple[str, ...]]:
    """One line for each group, in the order in which they were run, and one for all."""
    rows = list(rows)
    groups = dict.fromkeys(row.group for row in rows)
    lines = [_line(group, [row for row in rows if row.group == group]) for group in groups]
    return [*lines, _line("all", rows)]


def _line(name: str, rows: list[Row]) -> tuple[str, ...]:
    ended = [row.outcome for row in rows]
    return (
        name,
        str(len(rows)),
        str(ended.count("rejected")),
        str(ended.count("committed")),
        f"{max(row.seconds for row in rows):.1f}",
        f"{max(row.peak_bytes for row in rows) / 1e6:.0f}",
    )


def as_text(lines: list[tuple[str, ...]]) -> list[str]:
    """Columns of equal width, numbers to the right."""
    table = [HEAD, *lines]
    widths = [max(len(line[at]) for line in table) for at in range(len(HEAD))]
    return [
        "  ".join(
            cell.rjust(width) if at else cell.ljust(width)
            for at, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in table
    ]


def as_markdown(lines: list[tuple[str, ...]]) -> str:
    """For a page of the documentation."""
    rule = ("---", *["---:"] * (len(HEAD) - 1))
    return "".join(f"| {' | '.join(line)} |\n" for line in (HEAD, rule, *lines))
