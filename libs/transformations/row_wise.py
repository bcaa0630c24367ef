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
class Condition:
    """What must be true of an ordinary row's geometry; SQL null is as good as true.

    It may use the column BOX, which is the geometry's `Box3D` at that point.
    """

    asked: sql.Composed
    asked_of_valid: sql.Composed | None = None
    """As much of it as a valid geometry may fail; None: all of it."""
    proves_validity: bool = False
    """Whether only valid geometries meet it."""

    def asked_of(self, *, valid: bool) -> sql.Composed:
        """What is to be asked of a geometry that is known to be valid, or is not."""
        return self.asked_of_valid if valid and self.asked_of_valid is not None else self.asked


@dataclass(frozen=True)
class RowWise:
    """A step as expressions over one row `t`, in the same words as in its own statement.

    A row that does not meet the conditions is not ordinary.
    """

    arrives: tuple[Condition, ...] = ()
    """Of the geometry before the step."""
    rewrite: Rewrite | None = None
    """None: an ordinary row stays as it is."""
    rewrite_of_valid: Rewrite | None = None
    """What has the same result for less, where the geometry is known to be valid; None: nothing."""
    leaves: tuple[Condition, ...] = ()
    """Of the geometry after the step."""
    change: Change | None = None
    """How a rewrite is measured; None: rows and vertices are counted, no more."""
