"""Looks at every batch that leaves the child: text that is text, geometries that are WKB.

Counts what only the whole stream can tell. Repairs nothing.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from libs.spatial_utils.vector_wire import FileProblemError

_TYPES = tuple(
    name
    for names in (
        "Unknown Point LineString Polygon MultiPoint MultiLineString MultiPolygon",
        "GeometryCollection CircularString CompoundCurve CurvePolygon MultiCurve MultiSurface",
        "Curve Surface PolyhedralSurface TIN Triangle",
    )
    for name in names.split()
)
"""By their codes in WKB."""
_DIMENSIONS = ("", " Z", " M", " ZM")
_SHORTEST_WKB_BYTES = 9
"""Byte order, type, and a count of nothing."""
_CURVES = frozenset(range(8, 15))


class Checks:
    """What was seen of a stream so far."""

    def __init__(self, schema: pa.Schema, geometry_index: int | None) -> None:
        self._geometry_index = geometry_index
        self._texts = [
            index for index, field in enumerate(schema) if pa.types.is_string(field.type)
        ]
        self._rows = 0
        self._codes: dict[int, int] = {}

    def see(self, batch: pa.RecordBatch) -> None:
        """Raises `FileProblemError` for what no database could take, with column and row."""
        for index in self._texts:
            self._check_text(batch.schema.field(index).name, batch.column(index))
        if self._geometry_index is not None:
            self._count_types(batch.column(self._geometry_index))
        self._rows += batch.num_rows

    def trailer(self) -> dict[str, object]:
        """The counts, once the stream has ended."""
        return {
            "row_count": self._rows,
            "geometry_types": sorted({_type_name(code) for code in self._codes}),
            "rows_with_curves": sum(
                count for code, count in self._codes.items() if _kind(code) in _CURVES
            ),
        }

    def _check_text(self, name: str, column: pa.StringArray) -> None:
        try:
            column.validate(full=True)
        except pa.ArrowInvalid:
            raise FileProblemError(
                f"column {name!r} has text that is not UTF-8 in {self._first(column, _not_utf8)}.",
                "Save the file as UTF-8, or (a shapefile) name its encoding in a .cpg file.",
            ) from None
        start, stop, data = _content(column)
        if data is not None and not np.all(data[start:stop]):
            raise FileProblemError(
                f"column {name!r} has a NUL character in {self._first(column, _has_nul)}.",
                "Remove it: no database holds NUL in a text.",
            )

    def _refuse_stubs(self, column: pa.BinaryArray, sizes: np.ndarray) -> None:
        """PostGIS 3.3 crashes on WKB of no bytes: the server, with all that others do in it."""
        stubs = sizes < _SHORTEST_WKB_BYTES
        if column.null_count:  # what comes next loads pyarrow.compute: a tenth of the child's start
            stubs &= column.is_valid().to_numpy(zero_copy_only=False)
        if stubs.any():
            row = self._rows + int(np.argmax(stubs))
            raise FileProblemError(
                f"the geometry of row {row}, counted from 0, is shorter than any geometry.",
                "Repair it in the source, or set it to null.",
            )

    def _first(self, column: pa.StringArray, test: object) -> str:
        values = column.cast(pa.binary()).to_pylist()
        assert callable(test)  # noqa: S101
        row = next((i for i, value in enumerate(values) if value is not None and test(value)), 0)
        return f"row {self._rows + row + 1}"

    def _count_types(self, column: pa.BinaryArray) -> None:
        start, stop, data = _content(column)
        if data is None:
            return
        offsets = _offsets(column)
        sizes = np.diff(offsets)
        self._refuse_stubs(column, sizes)
        if start == stop:
            return
        begins = offsets[:-1][sizes >= _SHORTEST_WKB_BYTES]
        little = data[begins] == 1
        four = np.stack([data[begins + step] for step in range(1, 5)], axis=1)
        four[~little] = four[~little][:, ::-1]
        codes, counts = np.unique(four.copy().view("<u4").ravel(), return_counts=True)
        for code, count in zip(codes.tolist(), counts.tolist(), strict=True):
            self._codes[code] = self._codes.get(code, 0) + count


def _offsets(column: pa.Array) -> np.ndarray:
    whole = np.frombuffer(column.buffers()[1], dtype=np.int32)
    return whole[column.offset : column.offset + len(column) + 1]


def _content(column: pa.Array) -> tuple[int, int, np.ndarray | None]:
    """Where the column's bytes begin and end, and the buffer that they are in."""
    buffers = column.buffers()
    if len(column) == 0 or buffers[1] is None or buffers[2] is None:
        return 0, 0, None
    offsets = _offsets(column)
    return int(offsets[0]), int(offsets[-1]), np.frombuffer(buffers[2], dtype=np.uint8)


def _not_utf8(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return True
    return False


def _has_nul(value: bytes) -> bool:
    return b"\0" in value


def _type_name(code: int) -> str:
    """GeoParquet's name of a WKB type code: ISO's, or with EWKB's flags for Z and M."""
    kind, thousands = _kind(code), (code & 0x0FFFFFFF) // 1000
    has_z = bool(code & 0x80000000) or thousands in (1, 3)
    has_m = bool(code & 0x40000000) or thousands in (2, 3)
    name = _TYPES[kind] if kind < len(_TYPES) else f"type {code}"
    return name + _DIMENSIONS[has_z + 2 * has_m]


def _kind(code: int) -> int:
    return (code & 0x0FFFFFFF) % 1000
