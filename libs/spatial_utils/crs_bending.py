"""Whether a transformation bends small polygons so little that their roundness outlives it.

A conformal projection turns a short line by its length times 1 / R or so (R: the Earth's radius),
and longitude and latitude by that times the tangent of the latitude. So between the pairs of CRSs
that are named here, between 80° south and north, a line of `LONGEST_M` turns by less than 0.002 of
a radian, where `roundness.LEAST_SINE` allows ten times as much for both sides of an angle. Between
two datums it might be otherwise: PROJ may go by a grid, whose edges tear, or choose another way for
each vertex.
"""

from __future__ import annotations

import re
from functools import lru_cache

from libs.models.geo import CRS

LONGEST_M = 1_000
_LONGEST_DEGREES = 0.01
"""Of latitude 1.1 km, of longitude not more."""

_PROJECTIONS = frozenset({"utm", "tmerc", "lcc", "merc", "webmerc", "stere"})
"""PROJ's names of those that are conformal, or nearly so (web Mercator)."""
_OTHER_STEPS = frozenset({"pipeline", "unitconvert", "axisswap", "noop"})
_STEP = re.compile(r"\bproj=(\w+)")


def longest_reach(crs: CRS) -> float | None:
    """How far a polygon may reach from its middle, in units of its CRS; None: it cannot be said."""
    if crs.is_geographic:
        return _LONGEST_DEGREES
    return None if crs.metres_per_unit is None else LONGEST_M / crs.metres_per_unit


def bends_little(source: CRS, target: CRS) -> bool:
    """Whether polygons stay as round as they are on their way from one CRS to the other.

    Only if the target is longitude and latitude in degrees, of the same datum, and only polygons
    within `longest_reach` that come to lie between 80° south and north.
    """
    is_in_degrees = target.is_geographic and 'ANGLEUNIT["degree"' in target.wkt
    return is_in_degrees and _bends_little(source.wkt, target.wkt)


@lru_cache(maxsize=64)
def _bends_little(source: str, target: str) -> bool:
    import warnings

    from pyproj.transformer import TransformerGroup

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # about grids that are missing: asked below
        group = TransformerGroup(source, target, always_xy=True)
    steps = {step for way in group.transformers for step in _STEP.findall(way.definition)}
    is_known = bool(steps) and steps <= _PROJECTIONS | _OTHER_STEPS
    return is_known and not group.unavailable_operations
