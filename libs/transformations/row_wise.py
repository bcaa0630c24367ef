"""What a step does to ordinary rows, for `one_pass`. Values only."""

from __future__ import annotations

from dataclasses import dataclass

from psycopg import sql

from libs.transformations.measures import Change
from libs.transformations.tables import Rewrite

BOX = "__box"

IS_PLAIN = sql.SQL(
    "ST_GeometryType({geometry})"
    " IN ('ST_Polygon', 'ST_MultiPolygon', 'ST_LineString', 'ST_MultiLineString', 'ST_Point')"
)
"""What nearly every row is. A condition may ask this first, and more only of the others."""


@dataclass(frozen=True)
class RowWise:
    """A step as expressions over one row `t`, in the same words as in its own statement.

    A row that does not meet the conditions is not ordinary. SQL null meets them. They may use the
    column BOX, which is the geometry's `Box3D` at that point.
    """

    arrives: sql.Composed | None = None
    """A condition on the geometry before the step."""
    rewrite: Rewrite | None = None
    """None: an ordinary row stays as it is."""
    leaves: sql.Composed | None = None
    """A condition on the geometry after the step."""
    change: Change | None = None
    """How a rewrite is measured; None: rows and vertices are counted, no more."""
