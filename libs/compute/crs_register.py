"""From a CRS code to the SRID that PostGIS knows it by; a code that is missing is registered.

What a CRS means is PROJ's business; here is only the table `spatial_ref_sys`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from psycopg import sql

from libs.compute.errors import ComputeError, UnusableDataError, translated
from libs.errors import InputError

if TYPE_CHECKING:
    from psycopg import Connection
    from pyproj import CRS as ProjCRS  # noqa: N811  ours is called CRS

_BY_SRID = {"OGC:CRS84": 4326, "OGC:CRS83": 4269, "OGC:CRS27": 4267}
"""PostGIS always has x, y order, so that these are the same as their EPSG twins."""

_OWN_RANGE = (910_000, 998_999)
"""SRIDs of codes whose own number is taken; PostGIS leaves this range to its users."""

_OTHER_BODIES = ("IAU_2015",)
"""Nothing on the Moon can be transformed to it from WGS 84, so it cannot be tried out."""

_SRTEXT_LIMIT = 2048

_FIND = sql.SQL(
    "SELECT srid FROM spatial_ref_sys WHERE auth_name = {authority} AND auth_srid = {number}"
    " ORDER BY srid LIMIT 1"
)
_LOCK = sql.SQL("SELECT pg_advisory_xact_lock(hashtext('spatial-etl.spatial_ref_sys'))")
_FREE = sql.SQL(
    "SELECT CASE WHEN {number} BETWEEN 1 AND {last}"
    " AND NOT EXISTS (SELECT FROM spatial_ref_sys WHERE srid = {number}) THEN {number}"
    " ELSE (SELECT greatest(max(srid) + 1, {first}) FROM spatial_ref_sys) END"
)
_INSERT = sql.SQL(
    "INSERT INTO spatial_ref_sys (srid, auth_name, auth_srid, srtext, proj4text)"
    " VALUES ({srid}, {authority}, {number}, {wkt}, '')"
)
_TRY = sql.SQL("SELECT ST_Transform(ST_SetSRID(ST_MakePoint({x}, {y}), 4326), {srid})")


def register(connection: Connection, code: str) -> int:
    """The SRID of an `AUTHORITY:CODE`; safe when several do this at once.

    Raises:
        InputError: neither PostGIS nor PROJ knows the code, or PostGIS cannot transform to it.
    """
    if code in _BY_SRID:
        return _BY_SRID[code]
    authority, _, digits = code.partition(":")
    if not digits.isdecimal() or not 0 < int(digits) < 2**31:
        raise _unknown(code)
    number = int(digits)
    return _find(connection, authority, number) or _insert(connection, code, authority, number)


def _find(connection: Connection, authority: str, number: int) -> int | None:
    row = connection.execute(
        _FIND.format(authority=sql.Literal(authority), number=sql.Literal(number))
    ).fetchone()
    return int(row[0]) if row else None


def _insert(connection: Connection, code: str, authority: str, number: int) -> int:
    wkt, x, y = _definition(code)
    connection.execute(_LOCK)
    found = _find(connection, authority, number)  # by who held the lock before
    if found is not None:
        return found
    first, last = _OWN_RANGE
    row = connection.execute(
        _FREE.format(number=sql.Literal(number), first=sql.Literal(first), last=sql.Literal(last))
    ).fetchone()
    srid = int(row[0]) if row else first
    with translated(f"registering {code}"):
        connection.execute(
            _INSERT.format(
                srid=sql.Literal(srid),
                authority=sql.Literal(authority),
                number=sql.Literal(number),
                wkt=sql.Literal(wkt),
            )
        )
    if authority not in _OTHER_BODIES:
        _try(connection, code, srid, (x, y))
    return srid


def _try(connection: Connection, code: str, srid: int, lon_lat: tuple[float, float]) -> None:
    try:
        with translated(f"transforming to {code}"):
            connection.execute(
                _TRY.format(
                    x=sql.Literal(lon_lat[0]), y=sql.Literal(lon_lat[1]), srid=sql.Literal(srid)
                )
            )
    except (ComputeError, UnusableDataError) as error:
        raise InputError.of(
            "crs", f"PostGIS cannot transform to {code}: {error}", "Declare another CRS."
        ) from error


def _definition(code: str) -> tuple[str, float, float]:
    """The WKT for `srtext`, and a longitude and latitude inside the CRS's area of use."""
    from pyproj import CRS
    from pyproj.exceptions import CRSError

    try:
        crs = CRS.from_user_input(code)
    except CRSError:
        raise _unknown(code) from None
    wkt = next(_fitting_wkt(crs), None)
    if wkt is None:
        raise InputError.of(
            "crs", f"the definition of {code} is too long for PostGIS.", "Declare another CRS."
        )
    area = crs.area_of_use
    if area is None:
        return wkt, 0.0, 0.0
    return wkt, (area.west + area.east) / 2, (area.south + area.north) / 2


def _fitting_wkt(crs: ProjCRS) -> Iterator[str]:
    from pyproj.exceptions import CRSError

    for version in ("WKT2_2019", "WKT1_GDAL"):
        with contextlib.suppress(CRSError):  # not every CRS can be said in the older form
            text = crs.to_wkt(version)
            if len(text) <= _SRTEXT_LIMIT:
                yield text


def _unknown(code: str) -> InputError:
    return InputError.of(
        "crs", f"{code} is not known to PostGIS or PROJ.", "Check the code, or use an EPSG one."
    )
