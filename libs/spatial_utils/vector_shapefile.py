"""Looks whether the parts of a shapefile fit together, which GDAL does not; part of the child.

GDAL makes null geometries of shapes that it does not know, leaves attributes out where the table
is too short, and follows an index wherever it leads. What a shape holds is GDAL's to read.
"""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import numpy.typing as npt

from libs.spatial_utils.vector_dbf import DbfTable
from libs.spatial_utils.vector_wire import FileProblemError

_HEADER_BYTES = 100
_DAYS = np.array([0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31, 0])
_PARTS_OF_A_DATE = (
    (slice(0, 4), np.array([1000, 100, 10, 1])),
    (slice(4, 6), np.array([10, 1])),
    (slice(6, 8), np.array([10, 1])),
)
_CURE = "Export it anew, and submit all of its files together."


def refuse_misfits(path: str) -> None:
    """Raise `FileProblemError` where index, shapes and table contradict each other."""
    shapes = Path(path)
    beside = {item.suffix.lower(): item for item in shapes.parent.glob(f"{shapes.stem}.*")}
    index = _index(beside[".shx"])
    table = DbfTable(beside[".dbf"])
    _refuse_odd_dates(table)
    if table.rows != len(index):
        raise FileProblemError(
            f"its index (.shx) has {len(index)} shapes, but its table (.dbf) {table.rows} rows.",
            _CURE,
        )
    if len(index):
        _look_at_shapes(shapes, index)


def _index(path: Path) -> npt.NDArray[np.int64]:
    """Where each record begins and how long its content is, in bytes."""
    data = path.read_bytes()
    if len(data) < _HEADER_BYTES or (len(data) - _HEADER_BYTES) % 8:
        raise FileProblemError("its index (.shx) is cut off.", _CURE)
    words = np.frombuffer(data, ">i4", offset=_HEADER_BYTES).reshape(-1, 2)
    return words.astype(np.int64) * 2


def _refuse_odd_dates(table: DbfTable) -> None:
    """A day that its month does not have becomes one of the next month in GDAL."""
    for field in table.fields:
        if field.kind == "D" and field.width == 8:
            for first_row, column in table.chunks(field):
                _refuse_odd_days(column, field.name, first_row)


def _refuse_odd_days(column: npt.NDArray[np.uint8], name: str, first_row: int) -> None:
    digits = column.astype(np.int64) - ord("0")
    is_date = ((digits >= 0) & (digits <= 9)).all(axis=1) & digits.any(axis=1)
    year, month, day = (digits[:, part] @ weights for part, weights in _PARTS_OF_A_DATE)
    leap = (year % 4 == 0) & ((year % 100 != 0) | (year % 400 == 0))
    length = _DAYS[np.clip(month, 0, 13)] + (leap & (month == 2))
    odd = is_date & ((day < 1) | (day > length))
    if odd.any():
        row = int(np.argmax(odd))
        raise FileProblemError(
            f"column {name!r} has the date {column[row].tobytes().decode('latin-1')} in row "
            f"{first_row + row}, counted from 0, which is in no calendar.",
            "Correct the date, or leave it blank.",
        )


def _look_at_shapes(path: Path, index: npt.NDArray[np.int64]) -> None:
    size = path.stat().st_size
    starts, ends = index[:, 0], index[:, 0] + index[:, 1] + 8
    _refuse((starts < _HEADER_BYTES) | (index[:, 1] < 4) | (ends > size), "lies outside the .shp")
    order = np.argsort(starts, kind="stable")
    again = np.zeros(len(index), np.bool_)
    again[order[1:]] = starts[order][1:] == starts[order][:-1]
    _refuse(again, "is one that another entry of the index (.shx) leads to")
    data = np.memmap(path, np.uint8, "r")
    kind = data[32:36].tobytes()
    kinds = data[starts[:, None] + np.arange(8, 12)].copy().view("<i4").ravel()
    known = (kinds == 0) | (kinds == struct.unpack("<i", kind)[0])
    _refuse(~known, "is of another type than the file's header says")


def _refuse(at_fault: npt.NDArray[np.bool_], what: str) -> None:
    if at_fault.any():
        row = int(np.argmax(at_fault))
        raise FileProblemError(f"shape {row + 1} (row {row}, counted from 0) {what}.", _CURE)
