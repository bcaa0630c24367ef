"""Whether the server's PROJ has a grid of datum shifts, as a transformation alone can tell."""

from __future__ import annotations

from psycopg import Connection, InternalError, sql

_BY_WAY_OF = sql.SQL(
    "SELECT ST_Transform(ST_Point(0, 0), {by_grid}, '+proj=longlat +datum=WGS84 +type=crs')"
)
_IS_ELSEWHERE = "outside grid"
"""What PROJ says of a point that a grid which it has does not cover."""


def has_grid(connection: Connection, name: str) -> bool:
    """Whether PROJ finds the file. PROJ is told to go by it, which it refuses without."""
    by_grid = f"+proj=longlat +ellps=bessel +nadgrids={name} +type=crs"
    try:
        with connection.transaction():
            connection.execute(_BY_WAY_OF.format(by_grid=sql.Literal(by_grid)))
    except InternalError as error:
        return _IS_ELSEWHERE in str(error)
    return True
