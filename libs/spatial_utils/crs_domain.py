"""Where on Earth a box lies of which its CRS can express a part only.

A map of the whole world in Mollweide's projection is an ellipse in its box: outside of it there is
no place on Earth. `crs.to_geographic_extent` asks here where a side of the box leaves that domain.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from libs.models.geo import Bounds

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from pyproj import Transformer

    Numbers = NDArray[np.float64]

_POINTS_PER_SIDE = 65
_GRATICULE_DEGREES = 1
"""The box is also searched for the crossings of whole degrees: the outermost points of a domain are
its poles and its antimeridian, which points of the box itself miss by one step."""
_EXACT = 1e-4
"""How far, of the box's size, a point may be off that went to degrees and back."""

WestSouthEastNorth = tuple[float, float, float, float]


def leaves_the_domain(bounds: Bounds, to_degrees: Transformer) -> bool:
    """Whether a point on a side of the box has no place on Earth."""
    import numpy as np

    x, y = _grid(bounds)
    on_a_side = (
        (x == bounds.min_x) | (x == bounds.max_x) | (y == bounds.min_y) | (y == bounds.max_y)
    )
    longitude, _ = to_degrees.transform(x[on_a_side], y[on_a_side])
    return not bool(np.isfinite(longitude).all())


def extent_within_the_domain(bounds: Bounds, to_degrees: Transformer) -> WestSouthEastNorth | None:
    """West, south, east and north of the part that has a place on Earth; None: no part has.

    A part across the antimeridian has its west above its east.
    """
    import numpy as np

    of_box = _places_of_the_box(bounds, to_degrees)
    of_graticule = _crossings_in_the_box(bounds, to_degrees)
    longitude, latitude = np.concatenate([of_box, of_graticule], axis=1)
    if not longitude.size:
        return None
    west, east = _around(longitude)
    return west, float(latitude.min()), east, float(latitude.max())


def _places_of_the_box(bounds: Bounds, to_degrees: Transformer) -> Numbers:
    # Some projections give outside of their domain a place that belongs elsewhere: there and back.
    import numpy as np

    x, y = _grid(bounds)
    longitude, latitude = to_degrees.transform(x, y)
    x_again, y_again = to_degrees.transform(longitude, latitude, direction="INVERSE")
    with np.errstate(invalid="ignore"):
        off = np.abs(x_again - x) + np.abs(y_again - y)
        is_place = np.isfinite(longitude) & (off <= _EXACT * _size(bounds))
    return np.stack([longitude, latitude])[:, is_place]


def _crossings_in_the_box(bounds: Bounds, to_degrees: Transformer) -> Numbers:
    import numpy as np

    world = Bounds(min_x=-180, min_y=-90, max_x=180, max_y=90)
    longitude, latitude = _grid(world, 360 // _GRATICULE_DEGREES + 1, 180 // _GRATICULE_DEGREES + 1)
    x, y = to_degrees.transform(longitude, latitude, direction="INVERSE")
    is_inside = (
        (bounds.min_x <= x) & (x <= bounds.max_x) & (bounds.min_y <= y) & (y <= bounds.max_y)
    )
    return np.stack([longitude, latitude])[:, is_inside]


def _around(longitude: Numbers) -> tuple[float, float]:
    """West and east of the shortest arc that holds them all."""
    import numpy as np

    there = np.unique(longitude)
    gaps = np.diff(there, append=there[0] + 360)
    widest = int(gaps.argmax())
    if gaps[widest] <= 2 * _GRATICULE_DEGREES:
        return -180.0, 180.0
    west, east = float(there[(widest + 1) % there.size]), float(there[widest])
    return west, 180.0 if east == -180 else east


def _grid(
    bounds: Bounds, columns: int = _POINTS_PER_SIDE, rows: int = _POINTS_PER_SIDE
) -> tuple[Numbers, Numbers]:
    import numpy as np

    x, y = np.meshgrid(
        np.linspace(bounds.min_x, bounds.max_x, columns),
        np.linspace(bounds.min_y, bounds.max_y, rows),
    )
    return x.ravel(), y.ravel()


def _size(bounds: Bounds) -> float:
    return (bounds.max_x - bounds.min_x) + (bounds.max_y - bounds.min_y)
