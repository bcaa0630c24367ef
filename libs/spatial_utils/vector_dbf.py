"""A shapefile's table (.dbf) as its bytes have it: its fields, and their values; part of the child.

What GDAL makes of a value is GDAL's to say; here is only what stands in the file.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from libs.spatial_utils.vector_wire import FileProblemError

_CURE = "Export it anew, and submit all of its files together."
_CHUNK_ROWS = 2**16


@dataclass(frozen=True)
class DbfField:
    """One field of every row."""

    name: str
    kind: str
    """One letter: `N` and `F` are numbers, `D` dates, `C` texts."""
    start: int
    """Its first byte in the row, whose byte 0 says whether the row is deleted."""
    width: int
    decimals: int

    @property
    def is_number(self) -> bool:
        return self.kind in ("N", "F")


class DbfTable:
    """The table beside a .shp; raises `FileProblemError` for one that is cut off."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with path.open("rb") as file:
            head = file.read(32)
            if len(head) < 32:
                raise FileProblemError("its table (.dbf) is cut off.", _CURE)
            self.rows, self._header_bytes, self._row_bytes = struct.unpack("<IHH", head[4:12])
            header = head + file.read(max(0, self._header_bytes - 32))
        if self._header_bytes + self.rows * self._row_bytes > path.stat().st_size:
            raise FileProblemError(
                f"its table (.dbf) is cut off: it announces {self.rows} rows of "
                f"{self._row_bytes} bytes.",
                _CURE,
            )
        self.fields = tuple(_fields(header))

    def chunks(self, field: DbfField) -> Iterator[tuple[int, npt.NDArray[np.uint8]]]:
        """The field's bytes, some rows at a time, each with the number of its first row, from 0."""
        stop = field.start + field.width
        if not (self.rows and field.width and stop <= self._row_bytes):
            return
        shape = (self.rows, self._row_bytes)
        table = np.memmap(self._path, np.uint8, "r", self._header_bytes, shape)
        for row in range(0, self.rows, _CHUNK_ROWS):
            yield row, np.ascontiguousarray(table[row : row + _CHUNK_ROWS, field.start : stop])


def table_beside(path: str) -> DbfTable:
    """The table of the shapefile at `path`, in whatever case its name's end is."""
    shapes = Path(path)
    for item in shapes.parent.glob(f"{shapes.stem}.*"):
        if item.suffix.lower() == ".dbf":
            return DbfTable(item)
    raise FileProblemError("its table (.dbf) is missing.", _CURE)


def _fields(header: bytes) -> Iterator[DbfField]:
    start = 1
    for at in range(32, len(header) - 31, 32):
        if header[at] == 0x0D:
            return
        yield DbfField(
            name=header[at : at + 11].partition(b"\0")[0].decode("latin-1"),
            kind=header[at + 11 : at + 12].decode("latin-1"),
            start=start,
            width=header[at + 16],
            decimals=header[at + 17],
        )
        start += header[at + 16]
