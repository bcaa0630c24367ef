"""SQL expressions that turn a geometry's area and a length in CRS units into metres. Runs nothing.

Areas of geographic coordinates read edges as straight in longitude and latitude, as GeoParquet's
planar edges are. Where a geometry is small (or out of range), its planar area is scaled by the
ellipsoid's radii at the middle of its box; else it is the area in an equal-area projection. Against
exact areas that errs by less than 0.2 % (small ones, below 85° of latitude); the geodesic area
of PostGIS costs 50 times as much.
"""

from __future__ import annotations

import math

from psycopg import sql

from libs.transformations.binding import BoundCRS

_SEMI_MAJOR_M = 6_378_137.0
_ECCENTRICITY_SQUARED = 0.006_694_379_990_14
"""WGS 84 (EPSG:7030)."""

METRES_PER_DEGREE_AT_MOST = math.radians(1) * _SEMI_MAJOR_M / math.sqrt(1 - _ECCENTRICITY_SQUARED)
"""111 693.98 m: a degree of any great or small circle of WGS 84 is at most this long. It is the arc
of the ellipsoid's largest radius of curvature, a²/b, that of the meridian at the poles."""

_SMALL_DEGREES = 0.02
_EQUAL_AREA_SRID = 6933
"""WGS 84 / NSIDC EASE-Grid 2.0 Global: cylindrical: meridians and parallels stay straight."""

_PLANAR_M2 = sql.SQL("ST_Area({geometry}) * {square}")

_GEOGRAPHIC_M2 = sql.SQL(
    "CASE WHEN ST_YMax({box}) - ST_YMin({box}) > {small}"
    " AND ST_YMin({box}) >= -90 AND ST_YMax({box}) <= 90"
    " THEN ST_Area(ST_Transform(ST_SetSRID(ST_Scale({geometry}, 0.25, 1), 4326), {equal_area})) * 4"
    " ELSE ST_Area({geometry}) * {at_equator} * cosd({middle})"
    " / (1 - {e2} * sind({middle}) ^ 2) ^ 2 END"
)
"""Longitudes are divided by four on their way: PROJ would fold those beyond 180° back."""

_NO_AREA_M2 = sql.SQL("CASE WHEN NOT ST_IsEmpty({geometry}) THEN 0::double precision END")

_MIDDLE = sql.SQL("((ST_YMin({box}) + ST_YMax({box})) / 2)")


def metres_per_unit(crs: BoundCRS | None) -> float | None:
    """How long a unit of the CRS is, for degrees at most. None: it cannot be said."""
    if crs is None or not crs.is_on_earth:
        return None
    return METRES_PER_DEGREE_AT_MOST if crs.crs.is_geographic else crs.crs.metres_per_unit


def area_m2(
    geometry: sql.Composable,
    crs: BoundCRS | None,
    box: sql.Composable | None = None,
    *,
    are_points: bool = False,
) -> sql.Composed:
    """An expression for the area in square metres; SQL null where it cannot be said.

    `box`: its `Box3D`, where that is at hand; each use of the geometry in its place computes it.
    `are_points`: all geometries are known to be points.
    """
    unit = metres_per_unit(crs)
    if crs is None or unit is None:
        return sql.SQL("NULL::double precision").format()
    if not crs.crs.is_geographic:
        return _PLANAR_M2.format(geometry=geometry, square=sql.Literal(unit**2))
    if are_points:
        return _NO_AREA_M2.format(geometry=geometry)
    box = geometry if box is None else box
    at_equator = math.radians(1) ** 2 * _SEMI_MAJOR_M**2 * (1 - _ECCENTRICITY_SQUARED)
    return _GEOGRAPHIC_M2.format(
        geometry=geometry,
        small=sql.Literal(_SMALL_DEGREES),
        equal_area=sql.Literal(_EQUAL_AREA_SRID),
        at_equator=sql.Literal(at_equator),
        box=box,
        middle=_MIDDLE.format(box=box),
        e2=sql.Literal(_ECCENTRICITY_SQUARED),
    )
