"""What the command line shows of a dataset, in a reader's units."""

import pytest

from libs.cli.view import box
from libs.models import Bounds


@pytest.mark.parametrize(
    ("corners", "shown"),
    [
        ((500_000, 4_991_000, 512_000.25, 5_000_000), "x 500000 … 512000.25, y 4991000 … 5000000"),
        ((-180.125, -90.125, 179.875, 90.125), "x -180.125 … 179.875, y -90.125 … 90.125"),
        ((15.1234567891, -1e-9, 15.1234569, 0.00001), "x 15.123457 … 15.123457, y 0 … 0.00001"),
    ],
)
def test_bounds_are_shown_as_a_map_shows_them(corners, shown):
    names = ("min_x", "min_y", "max_x", "max_y")
    assert box(Bounds(**dict(zip(names, corners, strict=True)))) == shown


def test_no_geometry_has_no_bounds():
    assert box(None) == "none (no geometry)"
