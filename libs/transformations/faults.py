"""Rows that a step cannot take: how a query tells of them, and the error that names them."""

from __future__ import annotations

from collections.abc import Sequence

from psycopg import sql

from libs.errors import Problem
from libs.transformations.errors import StepRefusedRowsError
from libs.transformations.tables import ROW_ID

NAMED_ROWS = 20
"""So many rows at fault are named; the others are counted."""

_FIRST = sql.SQL(
    "SELECT {rid}, reason, place, count(*) OVER () FROM ({faults}) AS faults"
    " ORDER BY {rid} LIMIT {limit}"
)


def first_faults(faults: sql.Composed) -> sql.Composed:
    """The query of the first rows at fault, given one of all: columns `rid`, reason, place.

    Its rows: rid, reason, place (text or null), how many rows are at fault in all.
    """
    return _FIRST.format(rid=sql.Identifier(ROW_ID), faults=faults, limit=sql.Literal(NAMED_ROWS))


def raise_for_faults(rows: Sequence[Sequence[object]], cure: str) -> None:
    """Judge what a faults query returned; no row: all is well.

    Raises:
        StepRefusedRowsError: names the rows (`rid`, counted from 0 as in the file), why and where.
    """
    if not rows:
        return
    problems = [
        Problem(
            where=f"row {rid}, counted from 0",
            what=f"{reason}{f' at {place}' if place else ''}.",
            cure=cure,
        )
        for rid, reason, place, _ in rows
    ]
    total = int(str(rows[0][3]))
    if total > len(rows):
        what = f"{total - len(rows)} further rows have such a fault ({total} in all)."
        problems.append(Problem(where="the layer", what=what, cure=cure))
    raise StepRefusedRowsError(problems)
