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
    " ELSE ST_Area({geometry}) * ({first} * cos((ST_YMin({box}) + ST_YMax({box})) * {half})"
    " + {third} * cos((ST_YMin({box}) + ST_YMax({box})) * {three_halves})) END"
)
"""Longitudes are divided by four on their way: PROJ would fold those beyond 180° back."""

_E2, _RADIAN = _ECCENTRICITY_SQUARED, math.radians(1)
_AT_EQUATOR = _RADIAN**2 * _SEMI_MAJOR_M**2 * (1 - _E2)
_FIRST = _AT_EQUATOR * (1 + _E2 / 2 + 3 * _E2**2 / 8)
_THIRD = -_AT_EQUATOR * (_E2 / 2 + 9 * _E2**2 / 16)
"""A square degree at latitude φ has M(φ) N(φ) cos φ square metres, the product of the ellipsoid's
radii of curvature: a² (1 - e²) cos φ / (1 - e² sin² φ)². That is expanded to e⁴ here, as
first · cos φ + third · cos 3φ; what is left out, 3 e⁴/16 · cos 5φ, is 0.004 % of it at most. SQL
computes two cosines in less time than a power of a sine."""


def metres_per_unit(crs: BoundCRS | None) -> float | None:
    """How long a unit of the CRS is, for degrees at most. None: it cannot be said."""
    if crs is None or not crs.is_on_earth:
        return None
    return METRES_PER_DEGREE_AT_MOST if crs.crs.is_geographic else crs.crs.metres_per_unit


def area_m2(
    geometry: sql.Composable, crs: BoundCRS | None, box: sql.Composable | None = None
) -> sql.Composed:
    """An expression for the area in square metres; SQL null where it cannot be said.

    `box`: its `Box3D`, where that is at hand; each use of the geometry in its place computes it.
    """
    unit = metres_per_unit(crs)
    if crs is None or unit is None:
        return sql.SQL("NULL::double precision").format()
    if not crs.crs.is_geographic:
        return _PLANAR_M2.format(geometry=geometry, square=sql.Literal(unit**2))
    return _GEOGRAPHIC_M2.format(
        geometry=geometry,
        small=sql.Literal(_SMALL_DEGREES),
        equal_area=sql.Literal(_EQUAL_AREA_SRID),
        box=geometry if box is None else box,
        first=sql.Literal(_FIRST),
        third=sql.Literal(_THIRD),
        half=sql.Literal(_RADIAN / 2),
        three_halves=sql.Literal(3 * _RADIAN / 2),
    )
