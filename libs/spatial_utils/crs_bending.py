"""Of which polygons a transformation leaves the roundness, since it bends them too little.

A conformal projection turns a short line by its length times 1 / R or so (R: the Earth's radius),
and longitude and latitude by that times the tangent of the latitude. So between the pairs of CRSs
that are named here, between 80° south and north, a line of `LONGEST_M` turns by less than 0.002 of
a radian, where `roundness.LEAST_SINE` allows ten times as much for both sides of an angle. Between
two datums it might be otherwise: PROJ may go by a grid, whose edges tear, or choose another way for
each vertex. And what lies far from where a projection is meant for may be torn, too: behind the
apex of a cone, or where rounding is coarse.
"""

from __future__ import annotations

import math
import re
from functools import lru_cache
from typing import TYPE_CHECKING

from libs.models.geo import CRS
from libs.spatial_utils.crs_ways import transformer_group
from libs.spatial_utils.roundness import Reach

if TYPE_CHECKING:
    from pyproj import CRS as ProjCRS  # noqa: N811

LONGEST_M = 1_000
_LONGEST_DEGREES = 0.01
"""Of latitude 1.1 km, of longitude not more."""
_LEAST_RADIUS_M = 6_000_000
_WORLD = (-180.0, -90.0, 180.0, 90.0)

_PROJECTIONS = frozenset({"utm", "tmerc", "lcc", "merc", "webmerc", "stere"})
"""PROJ's names of those that are conformal, or nearly so (web Mercator)."""
_OTHER_STEPS = frozenset({"pipeline", "unitconvert", "axisswap", "noop"})
_STEP = re.compile(r"\bproj=(\w+)")


def reach_of(crs: CRS) -> Reach | None:
    """Which polygons may be proved to be round: where the CRS is meant for, and small enough.

    None: of none, since it cannot be said where that is, or how long a unit.
    """
    if crs.is_geographic:
        return Reach(_LONGEST_DEGREES, _WORLD)
    within = _area_of_use(crs.wkt)
    if within is None or crs.metres_per_unit is None:
        return None
    return Reach(LONGEST_M / crs.metres_per_unit, within)


def bends_little(source: CRS, target: CRS) -> bool:
    """Whether polygons stay as round as they are on their way from one CRS to the other.

    Only if the target is longitude and latitude in degrees, of the same datum, and only polygons
    within `reach_of` the source that come to lie between 80° south and north.
    """
    return target.is_in_degrees and _bends_little(source.wkt, target.wkt)


@lru_cache(maxsize=64)
def _bends_little(source: str, target: str) -> bool:
    group = transformer_group(source, target)
    if group is None or group.unavailable_operations:
        return False
    steps = {step for way in group.transformers for step in _STEP.findall(way.definition)}
    return bool(steps) and steps <= _PROJECTIONS | _OTHER_STEPS


@lru_cache(maxsize=64)
def _area_of_use(wkt: str) -> tuple[float, float, float, float] | None:
    """The box in the CRS's own units; None: the definition does not say, or PROJ cannot."""
    from pyproj import CRS as ProjCRS  # noqa: N811
    from pyproj import Transformer
    from pyproj.exceptions import ProjError

    crs = ProjCRS.from_wkt(wkt)
    area = crs.area_of_use
    if area is None or crs.geodetic_crs is None or not _is_of_the_earth(crs):
        return None
    try:
        there = Transformer.from_crs(crs.geodetic_crs, crs, always_xy=True)
        box = there.transform_bounds(*area.bounds)
    except ProjError:
        return None
    return box if all(map(math.isfinite, box)) else None


def _is_of_the_earth(crs: ProjCRS) -> bool:
    """On a smaller body a kilometre is no short line."""
    return crs.ellipsoid is not None and crs.ellipsoid.semi_major_metre > _LEAST_RADIUS_M
