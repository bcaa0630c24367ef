"""What GDAL is silent about in a CSV file; part of the child.

It drops fields beyond the header, and of several columns that may be the geometry one is taken.
"""

from __future__ import annotations

import codecs
import csv
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import numpy as np

from libs.spatial_utils.vector_drivers import WKT_COLUMNS, XY_COLUMNS
from libs.spatial_utils.vector_wire import FileProblemError

_CHUNK_BYTES = 2**20
"""What the processor's own memory holds: pieces of eight times that took twice as long."""
_MOST_FIELD_CHARS = 2**26
_QUOTE, _NEWLINE, _RETURN = b'"\n\r'
_SEPARATORS = ",;\t| "


def look_at_rows(path: str, names: Sequence[str]) -> tuple[str, ...]:
    """Notes on rows with fewer fields than there are columns, which `names` are GDAL's.

    Raises `FileProblemError` for a row with more, unless they are empty.
    """
    separator = _separator(path, names)
    if separator is None:
        return ()
    short = 0
    try:
        for counts in _counted(path, ord(separator)):
            if np.any(counts > len(names)):
                raise _UncertainError
            short += int(np.count_nonzero(counts < len(names)))
    except _UncertainError:
        try:
            short = _short_rows(path, separator, len(names))
        except csv.Error as error:
            return (f"Whether rows have more fields than the header cannot be told: {error}.",)
    if not short:
        return ()
    return (f"{short} row(s) have fewer fields than the header: the missing ones are null.",)


def notes_on_choice(by_lower: Mapping[str, str]) -> tuple[str, ...]:
    """A note where other columns, found by their names in small letters, might be it too."""
    wkt = [by_lower[name] for name in WKT_COLUMNS if name in by_lower]
    pairs = [(by_lower[x], by_lower[y]) for x, y in XY_COLUMNS if {x, y} <= by_lower.keys()]
    every = [*map(repr, wkt), *(f"{x!r} and {y!r}" for x, y in pairs)]
    if len(every) < 2:
        return ()
    taken, *others = every
    return (f"The geometry was made of {taken}, not of {', nor of '.join(others)}.",)


class _UncertainError(Exception):
    """Only reading field by field can tell."""


def _separator(path: str, names: Sequence[str]) -> str | None:
    """The one that GDAL found in the header; None: none of those that are known.

    Of a single column GDAL takes the comma, which is the first.
    """
    fitting = [one for one in _SEPARATORS if _header_fields(path, one) == len(names)]
    return next((one for one in fitting if one not in "".join(names)), None) or (
        fitting[0] if fitting else None
    )


def _header_fields(path: str, separator: str) -> int:
    with _text(path) as file:
        try:
            return next((len(row) for row in csv.reader(file, delimiter=separator) if row), 0)
        except csv.Error:
            return 0


@contextmanager
def _text(path: str) -> Iterator[TextIO]:
    """The file from behind its mark of UTF-8, one character for each byte."""
    with Path(path).open(encoding="latin-1", newline="") as file:
        file.seek(_mark_bytes(path))
        yield file


def _mark_bytes(path: str) -> int:
    with Path(path).open("rb") as file:
        return 3 if file.read(3) == codecs.BOM_UTF8 else 0


def _counted(path: str, separator: int) -> Iterator[np.ndarray]:
    """How many fields the rows have that are not blank, piece by piece of the file.

    Takes every quotation mark for the begin or the end of a quoted text. Raises `_UncertainError`
    for one that stands within a plain text, where it means itself.
    """
    quoted, fields_before, row_began, last = 0, 0, 0, separator
    with Path(path).open("rb") as file:
        file.seek(_mark_bytes(path))
        while chunk := file.read(_CHUNK_BYTES):
            data = np.frombuffer(chunk, np.uint8)
            at = np.flatnonzero(
                (data == _QUOTE) | (data == separator) | (data == _NEWLINE) | (data == _RETURN)
            )
            kinds = data[at]
            quotes = kinds == _QUOTE
            within = (np.cumsum(quotes) + quoted) & 1
            _refuse_marks_in_text(data, at[quotes & (within == 1)], separator, last)
            counts = (kinds == separator) & (within == 0)
            ends = np.flatnonzero(~quotes & (kinds != separator) & (within == 0))
            fields = np.cumsum(counts)
            lengths = np.diff(at[ends], prepend=row_began - 1)
            yield (np.diff(fields[ends], prepend=-fields_before) + 1)[lengths > 1]
            quoted, last = int(within[-1]) if len(within) else quoted, int(data[-1])
            total = int(fields[-1]) if len(fields) else 0
            fields_before = total - int(fields[ends[-1]]) if len(ends) else fields_before + total
            row_began = (int(at[ends[-1]]) + 1 if len(ends) else row_began) - len(chunk)
    if row_began < 0 and last not in (_NEWLINE, _RETURN):
        yield np.array([fields_before + 1])


def _refuse_marks_in_text(data: np.ndarray, opening: np.ndarray, separator: int, last: int) -> None:
    before = data[opening - 1]
    if len(opening) and opening[0] == 0:
        before[0] = last
    if not np.isin(before, (separator, _NEWLINE, _RETURN, _QUOTE)).all():
        raise _UncertainError


def _short_rows(path: str, separator: str, columns: int) -> int:
    csv.field_size_limit(_MOST_FIELD_CHARS)
    short = row = 0
    with _text(path) as file:
        for fields in csv.reader(file, delimiter=separator):
            more = [field for field in fields[columns:] if field.strip()]
            if more:
                lost = more[0].encode("latin-1").decode("utf-8", "replace")[:60]
                raise FileProblemError(
                    f"row {row} after the header has {len(fields)} fields, and the header has "
                    f"{columns}: {lost!r} belongs to no column.",
                    f"Put quotation marks around a text that has {separator!r} in it, or name the "
                    "column in the header.",
                )
            short += 0 < len(fields) < columns
            row += bool(fields)
    return short
