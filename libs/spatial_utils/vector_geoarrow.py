"""GeoParquet's encodings of geometries, made into WKB without a loop over rows.

GeoArrow keeps the coordinates of all rows in arrays, and offsets for each level: parts, rings,
points. WKB wants them one after the other with a head before each. A geometry's bytes are laid out
by adding up sizes, then heads and coordinates are scattered into place. GeoArrow itself:
https://geoarrow.org/format.html
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from libs.spatial_utils.vector_wire import FileProblemError

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class _Head:
    """What stands before a part's content: byte order and type, a count, both or nothing."""

    kind: int | None
    counts: bool

    @property
    def size(self) -> int:
        return (5 if self.kind is not None else 0) + (4 if self.counts else 0)

    def bytes(self, dimension: int, counts: Integers) -> npt.NDArray[np.uint8]:
        """One row of bytes for each part."""
        columns = [np.full((len(counts), 1), 1, np.uint8)] if self.kind is not None else []
        if self.kind is not None:
            kinds = np.full(len(counts), self.kind + dimension, "<u4")
            columns.append(kinds.view(np.uint8).reshape(-1, 4))
        if self.counts:
            columns.append(counts.astype("<u4").view(np.uint8).reshape(-1, 4))
        return np.hstack(columns)


_RING, _VERTEX = _Head(None, counts=True), _Head(None, counts=False)
_LEVELS = {
    "point": (_Head(1, counts=False),),
    "linestring": (_Head(2, counts=True), _VERTEX),
    "polygon": (_Head(3, counts=True), _RING, _VERTEX),
    "multipoint": (_Head(4, counts=True), _Head(1, counts=False)),
    "multilinestring": (_Head(5, counts=True), _Head(2, counts=True), _VERTEX),
    "multipolygon": (_Head(6, counts=True), _Head(3, counts=True), _RING, _VERTEX),
}
"""From the geometry down to the vertex; all but the last are lists in GeoArrow."""
ENCODINGS = ("WKB", *_LEVELS)
_DIMENSIONS = {"xy": 0, "xyz": 1000, "xym": 2000, "xyzm": 3000}
_MOST_BYTES = 2**31 - 1


def to_wkb(column: pa.Array, encoding: str) -> pa.BinaryArray:
    """The column as WKB (ISO, little-endian); what is WKB already stays as it is.

    Raises `FileProblemError` for a column that is not made as its encoding demands.
    """
    if encoding == "WKB":
        return column if column.type == pa.binary() else column.cast(pa.binary())
    there = column.is_valid()
    made = _encoded(column.drop_null(), encoding)
    if column.null_count == 0:
        return made
    places = np.cumsum(there.to_numpy(zero_copy_only=False)) - 1
    return made.take(pa.array(places, mask=~there.to_numpy(zero_copy_only=False)))


def _encoded(column: pa.Array, encoding: str) -> pa.BinaryArray:
    levels = _LEVELS[encoding]
    offsets: list[Integers] = []
    for _ in levels[:-1]:
        if not pa.types.is_list(column.type) and not pa.types.is_large_list(column.type):
            raise _not_as(encoding, column.type)
        own = column.offsets.to_numpy().astype(np.int64)
        offsets.append(own - own[0])
        column = column.flatten()
        if column.null_count:
            raise FileProblemError(
                f"a {encoding} of it has a part that is null.", "Write it with the encoding WKB."
            )
    vertices, dimension = _vertices(column, encoding)
    return _laid_out(levels, offsets, vertices, dimension)


def _vertices(column: pa.Array, encoding: str) -> tuple[npt.NDArray[np.float64], int]:
    """One row per vertex, and what ISO adds to a type's code for its dimensions."""
    if not pa.types.is_struct(column.type):
        raise _not_as(encoding, column.type)
    names = "".join(item.name for item in column.type)
    if names not in _DIMENSIONS or any(item.type != pa.float64() for item in column.type):
        raise _not_as(encoding, column.type)
    ordinates = [part.to_numpy(zero_copy_only=False) for part in column.flatten()]
    return np.stack(ordinates, axis=1).astype("<f8"), _DIMENSIONS[names]


def _not_as(encoding: str, kind: pa.DataType) -> FileProblemError:
    return FileProblemError(
        f"its geometry column is a {kind}, which is not how GeoParquet encodes {encoding!r}.",
        "Write it with the encoding WKB.",
    )


def _laid_out(
    levels: tuple[_Head, ...],
    offsets: list[Integers],
    vertices: npt.NDArray[np.float64],
    dimension: int,
) -> pa.BinaryArray:
    sizes = np.full(len(vertices), levels[-1].size + vertices.shape[1] * 8, np.int64)
    before = [_running(sizes)]
    for head, own in zip(levels[-2::-1], offsets[::-1], strict=True):
        sizes = head.size + np.diff(before[0][own])
        before.insert(0, _running(sizes))
    total = int(before[0][-1])
    if total > _MOST_BYTES:
        raise FileProblemError(
            "the geometries of one batch are larger than 2 GiB.",
            "Split the file into smaller ones.",
        )
    data = np.empty(total, np.uint8)
    is_head = np.zeros(total, np.bool_)
    starts = before[0][:-1]
    for depth, head in enumerate(levels):
        counts = np.diff(offsets[depth]) if depth < len(offsets) else np.zeros(len(starts), int)
        if head.size:
            places = starts[:, None] + np.arange(head.size)
            data[places] = head.bytes(dimension, counts)
            is_head[places] = True
        if depth < len(offsets):
            parent = np.repeat(np.arange(len(starts)), counts)
            inside = before[depth + 1][:-1] - before[depth + 1][offsets[depth][parent]]
            starts = starts[parent] + head.size + inside
    # Whatever is no head is a vertex, and they stand in the same order in both.
    data[~is_head] = vertices.reshape(-1).view(np.uint8)
    bounds = before[0].astype(np.int32)
    return pa.BinaryArray.from_buffers(
        pa.binary(), len(bounds) - 1, [None, pa.py_buffer(bounds), pa.py_buffer(data)]
    )


def _running(sizes: Integers) -> Integers:
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes)])
