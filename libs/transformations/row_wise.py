"""What a step does to ordinary rows, for `one_pass`. Values only."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from psycopg import sql

from libs.transformations.measures import Change
from libs.transformations.tables import Rewrite

BOX = "__box"
"""The column with the geometry's `Box3D` at that point."""
INNER = "__inner"
"""The column with the radius, in units of the CRS, of a circle that lies in a polygon of which it
is proved that it is star-shaped about the circle's middle, and so valid. Null: nothing is proved.
See `libs.spatial_utils.roundness`."""

POLYGONS = ("Polygon", "MultiPolygon")
LINES = ("LineString", "MultiLineString")
LINES_AND_POLYGONS = (*POLYGONS, *LINES)
"""Such a geometry is not valid where a coordinate is no finite number. A point may be: GEOS takes
one whose x and y are no numbers for an empty one."""
PLAIN = (*LINES_AND_POLYGONS, "Point")
"""What nearly every row is. A condition may ask this first, and more only of the others."""

POINT_IS_FINITE = sql.SQL("abs(ST_X({geometry})) + abs(ST_Y({geometry})) < 'Infinity'")
"""Of single points only, whose x and y are then numbers; such a point is valid."""


@dataclass(frozen=True)
class KnownGeometries:
    """What is known of a table's geometries without asking PostGIS about each."""

    names: frozenset[str] | None = None
    """Their types, as Simple Features has them, without Z and M: `MultiPolygon`. None: it is not
    known."""
    roundness: str | None = None
    """The column that tells how round a polygon is, which proves it valid; null: it is not known.
    See `libs.spatial_utils.roundness`. None: the table has no such column."""

    @classmethod
    def seen(cls, names: Iterable[str], roundness: str | None = None) -> KnownGeometries:
        """Of somebody who looked at every row: names as in GeoParquet, with ` Z`, ` M`, ` ZM`."""
        return cls(frozenset(name.split(" ")[0] for name in names), roundness)

    def are(self, *among: str) -> bool:
        """Whether it is known that there are no others; null geometries have no type."""
        return self.names is not None and self.names <= set(among)

    @property
    def are_points(self) -> bool:
        """Whether all are single points."""
        return self.are("Point")


NOTHING_KNOWN = KnownGeometries()
"""Nothing is known: each row has to be asked."""


def is_among(geometry: sql.Composable, names: Sequence[str]) -> sql.Composed:
    """Asks a row whether its type is one of these; the names as in `KnownGeometries`."""
    types = sql.SQL(", ").join(sql.Literal(f"ST_{name}") for name in names)
    return sql.SQL("ST_GeometryType({}) IN ({})").format(geometry, types)


@dataclass(frozen=True)
class Condition:
    """What must be true of an ordinary row's geometry; SQL null is as good as true.

    It may use the column BOX.
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
    """What has the same result for less, where the geometry is known to be valid; None: nothing.
    It may use INNER."""
    stays_round: sql.Composed | None = None
    """Of the geometry after the rewrite, with BOX: where a polygon is as round as it was. None:
    nowhere."""
    leaves: tuple[Condition, ...] = ()
    """Of the geometry after the step."""
    change: Change | None = None
    """How a rewrite is measured; None: rows and vertices are counted, no more."""
