"""Cuts a stream of record batches into row groups; where it cuts depends on the rows alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

import pyarrow as pa
import pyarrow.compute as pc

MAX_GEOMETRY_BYTES = 128 * 2**20
"""A row group of huge geometries ends sooner, so that memory stays bounded."""


def row_groups(
    batches: Iterable[pa.RecordBatch], rows: int, max_geometry_bytes: int = MAX_GEOMETRY_BYTES
) -> Iterator[pa.Table]:
    """Tables of `rows` rows each (the last one: fewer), every column in one piece.

    Batches that carry the same rows in other portions give the same tables.
    """
    waiting: list[pa.RecordBatch] = []
    room, room_bytes = rows, max_geometry_bytes
    for batch in batches:
        rest = batch
        while rest.num_rows:
            sizes = pc.cumulative_sum(
                pc.fill_null(pc.binary_length(rest.column(-2)), 0).cast("int64")
            )
            fitting = _fitting(sizes, room, room_bytes)
            if fitting == 0 and waiting:
                yield _table(waiting)
                waiting, room, room_bytes = [], rows, max_geometry_bytes
                continue
            taken = max(fitting, 1)  # a geometry above the limit has a row group of its own
            waiting.append(rest.slice(0, taken))
            room -= taken
            room_bytes -= sizes[taken - 1].as_py()
            rest = rest.slice(taken)
    if waiting:
        yield _table(waiting)


def _fitting(cumulative_bytes: pa.Array, room: int, room_bytes: int) -> int:
    """How many rows from the first on fit in."""
    below = pc.sum(pc.less_equal(cumulative_bytes, room_bytes)).as_py()
    return min(int(below), room)


def _table(batches: list[pa.RecordBatch]) -> pa.Table:
    return pa.Table.from_batches(batches).combine_chunks()


def unique_columns(
    groups: Iterator[pa.Table], attributes: int
) -> tuple[set[str], Iterator[pa.Table]]:
    """Which of the first columns hardly ever repeat a value, by the first group; and all groups.

    A dictionary would only cost there: without one, a million ids and names take a third less
    space. Of nested columns nothing is said.
    """
    first = list(islice(groups, 1))
    columns = first[0].select(range(attributes)) if first else pa.table({})
    unique = {name for name in columns.column_names if _is_unique(columns.column(name))}
    return unique, _first_and(first, groups)


def _first_and(first: list[pa.Table], rest: Iterator[pa.Table]) -> Iterator[pa.Table]:
    while first:
        yield first.pop()  # held by nobody from here on: a group may be large
    yield from rest


def _is_unique(column: pa.ChunkedArray) -> bool:
    try:
        return bool(2 * pc.count_distinct(column).as_py() > len(column))
    except pa.ArrowNotImplementedError:
        return False
