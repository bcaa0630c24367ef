"""What geometries a GeoParquet column holds: their types, read from WKB headers, and their extent.

Coordinates are x (easting or longitude), y (northing or latitude), whatever the CRS's own order.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from libs.errors import InputError
from libs.models import Bounds

_NAMES = {
    1: "Point",
    2: "LineString",
    3: "Polygon",
    4: "MultiPoint",
    5: "MultiLineString",
    6: "MultiPolygon",
    7: "GeometryCollection",
}
_CURVED_OR_SURFACE = {
    8: "CircularString",
    9: "CompoundCurve",
    10: "CurvePolygon",
    11: "MultiCurve",
    12: "MultiSurface",
    13: "Curve",
    14: "Surface",
    15: "PolyhedralSurface",
    16: "TIN",
    17: "Triangle",
}
_DIMENSIONS = ("", " Z", " M", " ZM")
_HEADER_BYTES = 5
_SIDES = ("xmin", "ymin", "xmax", "ymax")


class GeometrySummary:
    """Grows batch by batch: which types were there, and the box around all of them."""

    def __init__(self) -> None:
        self._codes: set[int] = set()
        self._box: dict[str, float] = {}

    def add(self, wkb: pa.Array, boxes: pa.StructArray) -> None:
        """Take in a batch: little-endian ISO WKB, and a box per row (null: no extent).

        Raises:
            InputError: a type that GeoParquet does not have, or a coordinate that is not finite.
        """
        self._codes |= type_codes(wkb)
        _refuse_foreign_types(self._codes)
        for side in _SIDES:
            self._add_side(side, pc.struct_field(boxes, side))

    def _add_side(self, side: str, values: pa.Array) -> None:
        if pc.all(pc.is_finite(values)).as_py() is False:
            raise InputError.of(
                "geometry",
                "a coordinate is NaN or infinite.",
                "Repair the geometry, and check that the declared CRS is the one of the data.",
            )
        choose, of_batch = (min, pc.min) if side.endswith("min") else (max, pc.max)
        extreme = of_batch(values).as_py()
        if extreme is not None:
            self._box[side] = choose(self._box.get(side, extreme), extreme)

    @property
    def geometry_types(self) -> tuple[str, ...]:
        """`Polygon`, `MultiPolygon Z`, `Point M`, …, sorted; of empty geometries, too."""
        names = (_NAMES[code % 1000] + _DIMENSIONS[code // 1000] for code in self._codes)
        return tuple(sorted(names))

    @property
    def has_measures(self) -> bool:
        """Whether some geometry has M values."""
        return any(code >= 2000 for code in self._codes)

    @property
    def bounds(self) -> Bounds | None:
        """The box around all geometries; None: none of them has an extent."""
        if not self._box:
            return None
        min_x, min_y, max_x, max_y = (self._box[side] + 0.0 for side in _SIDES)  # no minus zero
        return Bounds(min_x=min_x, min_y=min_y, max_x=max_x, max_y=max_y)


def type_codes(wkb: pa.Array) -> set[int]:
    """The ISO WKB type codes in a binary array: 3 is Polygon, 1003 Polygon Z, 2003 M, 3003 ZM."""
    import numpy as np

    present = wkb.drop_null().cast(pa.large_binary())
    if not len(present):
        return set()
    _, offsets_buffer, data_buffer = present.buffers()
    offsets = np.frombuffer(offsets_buffer, np.int64)
    offsets = offsets[present.offset : present.offset + len(present) + 1]
    if np.diff(offsets).min() < _HEADER_BYTES:
        raise ValueError("a WKB is shorter than its header")
    data = np.frombuffer(data_buffer, np.uint8)
    headers = data[offsets[:-1, None] + np.arange(_HEADER_BYTES)]
    if not (headers[:, 0] == 1).all():
        raise ValueError("a WKB is not little-endian")
    return {int(code) for code in np.unique(headers[:, 1:].copy().view("<u4"))}


def _refuse_foreign_types(codes: set[int]) -> None:
    foreign = sorted(code for code in codes if code % 1000 not in _NAMES or code >= 4000)
    if foreign:
        names = ", ".join(_CURVED_OR_SURFACE.get(code % 1000, f"type {code}") for code in foreign)
        raise InputError.of(
            "geometry",
            f"has geometries that GeoParquet does not have: {names}.",
            "Convert them to points, lines or polygons.",
        )
