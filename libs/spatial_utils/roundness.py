"""How round polygons are, as a proof of their validity that costs a tenth of asking GEOS.

A polygon of one ring is *star-shaped* about a point c when the ring, seen from c, turns one way
only and once around: then it cannot cross or touch itself, and is valid. Here c is the mean of the
vertices. Its roundness is the distance from c to the nearest line through an edge, divided by that
to the farthest vertex: near 1 for a circle, 0.7 for a square, 0 for no proof at all.

The proof has a margin: any two neighbouring vertices are seen from c at an angle whose sine is
LEAST_SINE at least. So it outlives what bends the polygon a little, as a conformal projection does
(`crs_bending`), and what removes vertices, where c stays inside: of vertices that are in the order
of their angles, those that are left are still.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pyarrow as pa

LEAST_SINE = 0.02
"""Just over one degree."""

_WKB_LAYOUTS = (
    (bytes.fromhex("01 03000000 01000000"), 2),  # Polygon
    (bytes.fromhex("01 eb030000 01000000"), 3),  # Polygon Z
    (bytes.fromhex("01 06000000 01000000 01 03000000 01000000"), 2),  # MultiPolygon of one
    (bytes.fromhex("01 ee030000 01000000 01 eb030000 01000000"), 3),  # MultiPolygon Z of one
)
"""What ISO WKB of one ring begins with, before its vertices are counted and listed, and how many
numbers a vertex has. The second byte alone tells them apart."""
_COUNT_BYTES = 4
_LEAST_VERTICES = 4
_MOST_VERTICES = 1 + int(2 * math.pi / LEAST_SINE)
"""More of them cannot all be so far apart."""
_LEAST_BYTES = 9 + _COUNT_BYTES + 16 * _LEAST_VERTICES

_VERTICES_AT_ONCE = 2**16
"""So that what is computed of them stays in the processor's cache."""

_SHORTEST = 1e-7
"""Of a reach, no line through an edge is nearer to c: 0.1 mm of a kilometre, which is a thousand
times what PROJ's rounding moves a vertex by, where a CRS is meant for."""
_LESS = 0.9999
"""Keeps rounding, to four bytes at the end, from promising more than there is."""

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Reach:
    """Of which polygons something is proved, in units of their CRS."""

    longest: float
    """So far may a vertex be from c."""
    within: tuple[float, float, float, float]
    """c lies in this box: least x and y, greatest x and y."""


def roundness(wkb: pa.Array, reach: Reach) -> pa.Array:
    """The roundness of each polygon, as float32; null where nothing is proved.

    Nothing is proved of other types, of polygons with holes or several parts, with M values, with a
    vertex that is repeated or no finite number, or which are beyond `reach`.

    `wkb`: little-endian ISO WKB, of the type binary; x and y of one CRS.
    """
    offsets, data = _buffers(wkb)
    long_enough = np.flatnonzero(np.diff(offsets) >= _LEAST_BYTES)
    kinds = data[offsets[long_enough] + 1]
    found = np.zeros(len(wkb), np.float32)
    for prefix, dimensions in _WKB_LAYOUTS:
        alike = long_enough[kinds == prefix[1]]
        rows, counts = _rings(alike, prefix, dimensions, offsets, data)
        starts = offsets[rows] + len(prefix) + _COUNT_BYTES
        for some in _portions(counts):
            xy = _vertices(data, starts[some], counts[some], dimensions)
            found[rows[some]] = _roundness(xy, counts[some], reach)
    return pa.array(found, mask=found == 0)


def _buffers(wkb: pa.Array) -> tuple[Integers, npt.NDArray[np.uint8]]:
    """Where each WKB begins and the last one ends, and all bytes."""
    _, offsets, data = wkb.buffers()
    begins = np.frombuffer(offsets, np.int32)[wkb.offset : wkb.offset + len(wkb) + 1]
    return begins.astype(np.int64), np.frombuffer(data or b"", np.uint8)


def _rings(
    rows: Integers, prefix: bytes, dimensions: int, offsets: Integers, data: npt.NDArray[np.uint8]
) -> tuple[Integers, Integers]:
    """Those of the rows that have this layout, and the vertices of each, the closing one too."""
    header, vertex = len(prefix) + _COUNT_BYTES, 8 * dimensions
    begins, sizes = offsets[rows], offsets[rows + 1] - offsets[rows]
    if not len(rows):
        return rows, rows
    headers = _pieces(data, header)[begins]
    counts = headers[:, len(prefix) :].copy().view("<u4")[:, 0].astype(np.int64)
    fits = (headers[:, : len(prefix)] == np.frombuffer(prefix, np.uint8)).all(axis=1)
    fits &= (counts >= _LEAST_VERTICES) & (counts <= _MOST_VERTICES)
    fits &= counts * vertex + header == sizes
    return rows[fits], counts[fits]


def _pieces(data: npt.NDArray[np.uint8], size: int) -> npt.NDArray[np.uint8]:
    """A view: row i is the `size` bytes from byte i on."""
    return np.lib.stride_tricks.sliding_window_view(data, size)


def _portions(counts: Integers) -> Iterator[slice]:
    """Runs of rows with about `_VERTICES_AT_ONCE` vertices together."""
    portion = np.cumsum(counts) // _VERTICES_AT_ONCE
    bounds = [0, *(np.flatnonzero(np.diff(portion)) + 1), len(counts)]
    return (slice(a, b) for a, b in pairwise(bounds) if a < b)


def _vertices(
    data: npt.NDArray[np.uint8], starts: Integers, counts: Integers, dimensions: int
) -> Floats:
    """x and y of all vertices of some rows, one after the other: two rows of numbers."""
    size = 8 * dimensions
    if (counts == counts[0]).all():
        rings = _pieces(data, size * int(counts[0]))[starts]
    else:
        places = np.repeat(starts - size * _firsts(counts), counts)
        rings = _pieces(data, size)[places + size * np.arange(len(places))]
    return np.ascontiguousarray(rings.view("<f8").reshape(-1, dimensions)[:, :2].T)


def _firsts(counts: Integers) -> Integers:
    return np.cumsum(counts) - counts


def _roundness(xy: Floats, counts: Integers, reach: Reach) -> Floats:
    """Of rings one after the other; 0: nothing is proved."""
    first = _firsts(counts)
    last = first + counts - 1
    with np.errstate(all="ignore"):  # no comparison is true of what is no number
        centres = (np.add.reduceat(xy, first, axis=1) - xy[:, last]) / (counts - 1)
        seen = xy - np.repeat(centres, counts, axis=1)
        x, y = seen
        # Where each vertex's edge ends; the closing vertex has the first one's.
        end_x, end_y = np.roll(seen, -1, axis=1)
        end_x[last], end_y[last] = x[first + 1], y[first + 1]
        far = x * x + y * y
        farthest = np.maximum.reduceat(far, first)
        turn = x * end_y - end_x * y  # to the left where it is positive
        proved = (np.minimum.reduceat(turn, first) > 0) | (np.maximum.reduceat(turn, first) < 0)
        turn *= turn
        sine = turn / (far * (end_x * end_x + end_y * end_y))
        proved &= np.minimum.reduceat(sine, first) >= LEAST_SINE**2
        goes_up = (y < 0) & (end_y >= 0)
        goes_up[last] = False
        proved &= np.add.reduceat(goes_up, first, dtype=np.int64) == 1
        proved &= (xy[:, first] == xy[:, last]).all(axis=0)
        proved &= (farthest <= reach.longest**2) & _lie_within(centres, reach.within)
        to_line = turn / ((end_x - x) ** 2 + (end_y - y) ** 2)
        nearest = np.minimum.reduceat(to_line, first)
        proved &= nearest >= (_SHORTEST * reach.longest) ** 2
        return np.where(proved, np.sqrt(nearest / farthest) * _LESS, 0)


def _lie_within(points: Floats, box: tuple[float, float, float, float]) -> npt.NDArray[np.bool_]:
    (x, y), (west, south, east, north) = points, box
    inside: npt.NDArray[np.bool_] = (west <= x) & (x <= east) & (south <= y) & (y <= north)
    return inside
