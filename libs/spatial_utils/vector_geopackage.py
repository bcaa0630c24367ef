"""Looks for values that a GeoPackage's columns cannot hold; part of the child.

SQLite stores any value in any column. GDAL makes 0 of a text in a column of integers, and cuts a
number that does not fit, without a word.
"""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path
from urllib.parse import quote

from libs.spatial_utils.vector_wire import FileProblemError

_INTEGERS = {
    "BOOLEAN": (0, 1),
    "TINYINT": (-(2**7), 2**8 - 1),
    "SMALLINT": (-(2**15), 2**15 - 1),
    "MEDIUMINT": (-(2**31), 2**31 - 1),
    "INT": None,
    "INTEGER": None,
}
"""By the type of the column: the smallest and the largest value; None: SQLite's own."""
_REALS = frozenset({"FLOAT", "DOUBLE", "REAL"})
# Texts and blobs may hold anything, and of a time that is none GDAL warns.


class MisfitSearch:
    """Goes through the table beside GDAL's reading, since it takes a quarter of that time."""

    def __init__(self, path: str, layer: str) -> None:
        self._fault: FileProblemError | None = None
        self._thread = threading.Thread(target=self._run, args=(path, layer), daemon=True)
        self._thread.start()

    def finish(self) -> None:
        """Wait for it, and raise its `FileProblemError` if there was a misfit."""
        self._thread.join()
        if self._fault is not None:
            raise self._fault

    def _run(self, path: str, layer: str) -> None:
        try:
            refuse_misfits(path, layer)
        except FileProblemError as fault:
            self._fault = fault


def refuse_misfits(path: str, layer: str) -> None:
    """Raise `FileProblemError` that names column, row and value of the first misfit."""
    place = f"file:{quote(str(Path(path)))}?mode=ro&immutable=1"
    try:
        connection = sqlite3.connect(place, uri=True)
        try:
            connection.execute("PRAGMA trusted_schema = OFF")
            _look(connection, layer)
        finally:
            connection.close()
    except sqlite3.Error:
        return  # a file that SQLite cannot read is GDAL's to report, a moment later


def _look(connection: sqlite3.Connection, layer: str) -> None:
    columns = connection.execute(f"PRAGMA table_info({_quoted(layer)})").fetchall()
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
        if is_misfit:
            raise FileProblemError(
                f"column {name!r} is of type {kinds[name]}, but the value {value!r:.100} is in it.",
                "Correct the value, or the column's type.",
            )


def _misfit(name: str, kind: str) -> str | None:
    """An SQL condition that is not true for what fits; None: anything fits."""
    kind, column = kind.upper().strip(), _quoted(name)
    # SQLite sorts every number before every text and every blob, so that this finds just those.
    no_number = f"{column} >= ''"
    if kind in _REALS:
        return f"({no_number})"
    if kind not in _INTEGERS:
        return None
    condition = f"{no_number} OR typeof({column}) = 'real'"
    limits = _INTEGERS[kind]
    if limits is not None:
        condition = f"{condition} OR {column} NOT BETWEEN {limits[0]} AND {limits[1]}"
    return f"({condition})"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
