"""Checks on netCDF files that the netCDF library leaves out; reading their data is GDAL's business.

A classic netCDF file that was cut short reads as zeros, without an error: so its header is read
here and the length that it implies compared. The format is specified in the "NetCDF Classic and
64-bit Offset Format" appendix of the netCDF documentation.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from libs.spatial_utils.errors import UnreadableFileError

HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_CLASSIC_MAGIC = b"CDF"
_COUNT_BYTES = {1: 4, 2: 4, 5: 8}
_OFFSET_BYTES = {1: 4, 2: 8, 5: 8}
_DIMENSIONS, _VARIABLES, _ATTRIBUTES = 0x0A, 0x0B, 0x0C
_TYPE_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 4, 6: 8, 7: 1, 8: 2, 9: 4, 10: 8, 11: 8}
_MAX_HEADER_BYTES = 64 * 2**20


class _BrokenHeaderError(Exception):
    """The header is not one of a netCDF file."""


@dataclass(frozen=True)
class _Variable:
    begin: int
    size: int
    """Bytes of the variable, or of one record of it, without padding."""
    is_record: bool


def is_hdf5(path: Path) -> bool:
    """Whether it is a netCDF-4 file, so an HDF5 file: the signature may follow a user block."""
    size = path.stat().st_size
    with path.open("rb") as file:
        offset = 0
        while offset + len(HDF5_SIGNATURE) <= size:
            file.seek(offset)
            if file.read(len(HDF5_SIGNATURE)) == HDF5_SIGNATURE:
                return True
            offset = max(512, 2 * offset)
    return False


def require_whole_netcdf(path: Path, about: str) -> None:
    """Check that a classic netCDF file is as long as its header says.

    Raises:
        UnreadableFileError: it was cut short, or its header is broken.
    """
    with path.open("rb") as file:
        magic = file.read(4)
        if magic[:3] != _CLASSIC_MAGIC or magic[3] not in _COUNT_BYTES:
            return
        try:
            needed = _Header(file, magic[3]).data_end()
        except _BrokenHeaderError as error:
            raise UnreadableFileError(
                about, f"its netCDF header is broken ({error}).", "Upload the file again."
            ) from error
    size = path.stat().st_size
    if size < needed:
        raise UnreadableFileError(
            about,
            f"it was cut short: its header speaks of {needed} bytes, and there are {size}.",
            "Upload the whole file again.",
        )


class _Header:
    """Reads a classic header from just behind its magic number."""

    def __init__(self, file: BinaryIO, version: int) -> None:
        self._file = file
        self._count_bytes = _COUNT_BYTES[version]
        self._offset_bytes = _OFFSET_BYTES[version]

    def data_end(self) -> int:
        """The position behind the last byte of data."""
        records = self._count()
        if records == 2 ** (8 * self._count_bytes) - 1:
            records = 0  # "streaming": the number of records follows from the length
        dimensions = [self._dimension() for _ in range(self._list(_DIMENSIONS))]
        self._skip_attributes()
        variables = [self._variable(dimensions) for _ in range(self._list(_VARIABLES))]
        stride = _record_stride([v.size for v in variables if v.is_record])
        ends = [_end(variable, records, stride) for variable in variables]
        return max(ends, default=0)

    def _dimension(self) -> int:
        self._skip_padded(self._count())
        return self._count()

    def _variable(self, dimensions: list[int]) -> _Variable:
        self._skip_padded(self._count())
        numbers = [self._count() for _ in range(self._checked(self._count()))]
        if any(number >= len(dimensions) for number in numbers):
            raise _BrokenHeaderError("a variable has a dimension that does not exist")
        lengths = [dimensions[number] for number in numbers]
        self._skip_attributes()
        size = self._type_bytes()
        self._count()  # vsize: follows from the rest, and overflows for large variables
        begin = self._number(self._offset_bytes)
        is_record = bool(lengths) and lengths[0] == 0
        return _Variable(begin, math.prod(lengths[1:] if is_record else lengths) * size, is_record)

    def _skip_attributes(self) -> None:
        for _ in range(self._list(_ATTRIBUTES)):
            self._skip_padded(self._count())
            size = self._type_bytes()
            self._skip_padded(self._count() * size)

    def _type_bytes(self) -> int:
        kind = self._number(4)
        if kind not in _TYPE_BYTES:
            raise _BrokenHeaderError(f"no data type has the number {kind}")
        return _TYPE_BYTES[kind]

    def _list(self, tag: int) -> int:
        found, count = self._number(4), self._count()
        if found not in (0, tag) or (found == 0 and count):
            raise _BrokenHeaderError(f"a list begins with {found}, not with {tag}")
        return self._checked(count)

    def _checked(self, count: int) -> int:
        if count > _MAX_HEADER_BYTES:
            raise _BrokenHeaderError(f"a list of {count} entries")
        return count

    def _skip_padded(self, length: int) -> None:
        if length > _MAX_HEADER_BYTES:
            raise _BrokenHeaderError(f"a name or an attribute of {length} bytes")
        self._file.seek(-(-length // 4) * 4, 1)

    def _count(self) -> int:
        return self._number(self._count_bytes)

    def _number(self, size: int) -> int:
        data = self._file.read(size)
        if len(data) < size:
            raise _BrokenHeaderError("it ends in the middle")
        return int.from_bytes(data, "big")


def _record_stride(sizes: list[int]) -> int:
    # A single record variable is stored without padding; several are padded to four bytes each.
    return sizes[0] if len(sizes) == 1 else sum(-(-size // 4) * 4 for size in sizes)


def _end(variable: _Variable, records: int, stride: int) -> int:
    if not variable.is_record:
        return variable.begin + variable.size
    return variable.begin + (records - 1) * stride + variable.size if records else 0
