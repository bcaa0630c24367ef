"""Looks for what GDAL leaves behind of a GeoPackage, or makes another value of; the child's.

SQLite takes any name for a column's type, and stores any value in any column. GDAL leaves out the
columns whose types it does not know, makes 0 of a text in a column of integers, cuts a number that
does not fit, counts 30 February as 2 March, and takes what is no geometry for none, without a word
or with one for all.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import quote

from libs.spatial_utils.vector_days import impossible_day, is_impossible
from libs.spatial_utils.vector_wire import FileProblemError

_INTEGERS = {
    "BOOLEAN": (0, 1),
    "TINYINT": (-(2**7), 2**8 - 1),
    "SMALLINT": (-(2**15), 2**15 - 1),
    "MEDIUMINT": (-(2**31), 2**31 - 1),
}
"""By the type of the column: the smallest and the largest value; all that begin with INT have
SQLite's own."""
_REALS = frozenset({"FLOAT", "DOUBLE", "REAL", "NUMERIC"})
_TIMES = frozenset({"DATE", "DATETIME"})
# Texts and blobs may hold anything, and of a time that is none at all GDAL warns.


class MisfitSearch:
    """Goes through the table beside GDAL's reading, since it takes a quarter of that time."""

    def __init__(self, path: str, layer: str) -> None:
        self._fault: FileProblemError | None = None
        self._stored: tuple[str, int] | None = None
        self._place = path, layer
        self._thread = threading.Thread(target=self._run, args=(path, layer), daemon=True)
        self._thread.start()

    def finish(self, geometries: int) -> None:
        """Wait for it, and raise a `FileProblemError` if there was a misfit.

        `geometries`: how many GDAL gave, to be compared with how many are stored.
        """
        self._thread.join()
        if self._fault is not None:
            raise self._fault
        if self._stored is None:
            return
        column, count = self._stored
        if count > geometries:
            raise FileProblemError(
                f"{count - geometries} value(s) of its geometry column {column!r} are no "
                f"geometries of a GeoPackage{_odd_rows(*self._place, column)}.",
                "Repair these rows in the source, or set their geometry to NULL.",
            )

    def _run(self, path: str, layer: str) -> None:
        try:
            self._stored = refuse_misfits(path, layer)
        except FileProblemError as fault:
            self._fault = fault


def refuse_lost_columns(path: str, layer: str, read: Iterable[str]) -> None:
    """Raise `FileProblemError` that lists the table's columns which are not among those `read`."""
    there = {name.lower() for name in read}
    try:
        with _opened(path) as connection:
            columns = connection.execute(f"PRAGMA table_xinfo({_quoted(layer)})").fetchall()
    except sqlite3.Error:
        return  # a file that SQLite cannot read is GDAL's to report, a moment later
    lost = [
        f"{name!r} ({kind or 'no type'})"
        for _, name, kind, *_ in columns
        if name.lower() not in there
    ]
    if lost:
        raise FileProblemError(
            f"{len(lost)} of its columns cannot be read, since their types are none of a "
            f"GeoPackage's, or they are second geometries: {', '.join(lost)}.",
            "Give them types of GeoPackage's own (BOOLEAN, INTEGER, REAL, TEXT, BLOB, DATE, "
            "DATETIME), or remove them. A decimal number fits in REAL, or digit by digit in TEXT.",
        )


def refuse_misfits(path: str, layer: str) -> tuple[str, int] | None:
    """Raise `FileProblemError` that names column, row and value of the first misfit.

    Returns the geometry column and how many values are in it; None: that cannot be told.
    """
    try:
        with _opened(path) as connection:
            _look(connection, layer)
            return _geometries(connection, layer)
    except sqlite3.Error:
        return None  # a file that SQLite cannot read is GDAL's to report, a moment later


@contextlib.contextmanager
def _opened(path: str) -> Iterator[sqlite3.Connection]:
    place = f"file:{quote(str(Path(path)))}?mode=ro&immutable=1"
    with contextlib.closing(sqlite3.connect(place, uri=True)) as connection:
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.create_function("impossible_day", 1, _is_impossible, deterministic=True)
        yield connection


def _look(connection: sqlite3.Connection, layer: str) -> None:
    columns = connection.execute(f"PRAGMA table_xinfo({_quoted(layer)})").fetchall()
    tests = {name: test for _, name, kind, *_ in columns if (test := _misfit(name, kind))}
    if not tests:
        return
    table = _quoted(layer)
    any_of_them = " OR ".join(tests.values())
    columns_of_row = ", ".join(f"({test}), {_quoted(name)}" for name, test in tests.items())
    # Names are quoted as SQLite wants it, and there is no other way to give it a name.
    found = connection.execute(
        f"SELECT {columns_of_row} FROM {table} WHERE {any_of_them} LIMIT 1"  # noqa: S608
    ).fetchone()
    if found is None:
        return
    kinds = {name: kind for _, name, kind, *_ in columns}
    for name, is_misfit, value in zip(tests, found[::2], found[1::2], strict=True):
        if is_misfit and kinds[name].upper().strip() in _TIMES:
            raise impossible_day(name, value)
        if is_misfit:
            raise FileProblemError(
                f"column {name!r} is of type {kinds[name]}, but the value {value!r:.100} is in it.",
                "Correct the value, or the column's type.",
            )


def _geometries(connection: sqlite3.Connection, layer: str) -> tuple[str, int] | None:
    named = connection.execute(
        "SELECT column_name FROM gpkg_geometry_columns WHERE table_name = ?", (layer,)
    ).fetchone()
    if named is None:
        return None
    query = f"SELECT count({_quoted(named[0])}) FROM {_quoted(layer)}"  # noqa: S608
    return str(named[0]), int(connection.execute(query).fetchone()[0])


def _odd_rows(path: str, layer: str, column: str) -> str:
    """The first rows whose geometry does not even begin as one, in words."""
    value = _quoted(column)
    odd = f"typeof({value}) <> 'blob' OR substr({value}, 1, 2) <> x'4750' OR length({value}) < 13"
    query = f"SELECT rowid FROM {_quoted(layer)} WHERE {value} NOT NULL AND ({odd}) LIMIT 5"  # noqa: S608
    try:
        with _opened(path) as connection:
            rows = [str(row) for (row,) in connection.execute(query)]
    except sqlite3.Error:  # a view has no row ids
        rows = []
    return f" (row id {', '.join(rows)})" if rows else ""


def _misfit(name: str, kind: str) -> str | None:
    """An SQL condition that is not true for what fits; None: anything fits."""
    kind, column = kind.upper().strip(), _quoted(name)
    # SQLite sorts every number before every text and every blob, so that this finds just those.
    no_number = f"{column} >= ''"
    if kind in _REALS:
        # Only NUMERIC keeps integers as such; those beyond 2^53 would be rounded.
        rounded = f"typeof({column}) = 'integer' AND {column} <> CAST({column} AS REAL)"
        return f"({no_number} OR {rounded})" if kind == "NUMERIC" else f"({no_number})"
    if kind in _TIMES:
        # The end of months first, then SQLite's calendar, then ours: each is dearer than the last.
        # (`+`: else SQLite would compare numbers, for the sake of the column's type.)
        late = f"substr({column}, 8, 3) NOT BETWEEN '-01' AND '-28'"
        odd = f"date(substr({column}, 1, 10), '+0 days') IS NOT substr({column}, 1, 10)"
        return f"((+{column} < '0001' OR {late} AND {odd}) AND impossible_day({column}))"
    limits = _INTEGERS.get(kind)
    if limits is None and not kind.startswith("INT"):
        return None
    condition = f"{no_number} OR typeof({column}) = 'real'"
    if limits is not None:
        condition = f"{condition} OR {column} NOT BETWEEN {limits[0]} AND {limits[1]}"
    return f"({condition})"


def _is_impossible(value: object) -> bool:
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
    return is_impossible(text)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
