"""A row's box comes out of PostgreSQL's `box` as GeoParquet's bbox."""

import struct

import pyarrow as pa
import pytest

from libs.compute.eject import _box_of

BBOX = pa.struct([(name, pa.float64()) for name in ("xmin", "ymin", "xmax", "ymax")])


def sent(*sides: float) -> bytes:
    """As `box_send` does: x and y of the upper right corner, then of the lower left."""
    xmin, ymin, xmax, ymax = sides
    return struct.pack(">4d", xmax, ymax, xmin, ymin)


@pytest.mark.parametrize(
    "boxes",
    [
        [(1.0, 2.0, 3.0, 4.0), (-5.5, 0.0, -5.5, 0.25)],
        [(1.0, 2.0, 3.0, 4.0), None, (5.0, 6.0, 7.0, 8.0), None],
        [None, None],
        [],
    ],
    ids=["all have one", "some have none", "none has one", "no rows"],
)
def test_each_row_has_its_own_box_or_none(boxes) -> None:
    column = pa.array([box and sent(*box) for box in boxes], pa.binary())
    found = _box_of(column, BBOX)
    found.validate(full=True)
    assert found.to_pylist() == [box and dict(zip(BBOX.names, box, strict=True)) for box in boxes]
