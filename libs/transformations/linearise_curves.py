"""The step that turns curves into straight segments: GeoParquet has no curves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from psycopg import sql
from pydantic import Field

from libs.transformations.measures import Change, Compared, change_sql
from libs.transformations.row_wise import PLAIN, Condition, KnownGeometries, RowWise, is_among
from libs.transformations.step import VectorStep
from libs.transformations.tables import Rewrite, column, create_table_as

_CURVED = sql.SQL(
    "(ST_GeometryType({geometry}) IN ('ST_CircularString', 'ST_CompoundCurve', 'ST_CurvePolygon',"
    " 'ST_MultiCurve', 'ST_MultiSurface') OR (ST_GeometryType({geometry}) = 'ST_GeometryCollection'"
    " AND ST_AsText({geometry}) ~ 'CURVE|CIRCULAR|MULTISURFACE'))"
)

_FACETED = sql.SQL(
    "(ST_GeometryType({geometry}) IN ('ST_PolyhedralSurface', 'ST_Tin', 'ST_Triangle')"
    " OR (ST_GeometryType({geometry}) = 'ST_GeometryCollection'"
    " AND ST_AsText({geometry}) ~ 'POLYHEDRALSURFACE|TIN|TRIANGLE'))"
)

_FACETS = sql.SQL(
    "(SELECT ST_Collect(CASE ST_GeometryType(part.geom) WHEN 'ST_Triangle'"
    " THEN ST_SetSRID(ST_MakePolygon(ST_Boundary(part.geom)), ST_SRID({geometry}))"
    " ELSE part.geom END ORDER BY part.path) FROM ST_Dump({geometry}) AS part)"
)

_STRAIGHT = sql.SQL("ST_CurveToLine({geometry}, {segments}, 0, 1)")
"""0: the tolerance is segments per quarter circle. 1: symmetric, so that an arc shared by two
neighbours becomes the same line whichever way round each of them draws it."""

_EITHER = sql.SQL("CASE WHEN {curved} THEN {straight} ELSE {geometry} END")

_FINER = 4
"""So many times finer is the line that the result is measured against."""


class LineariseCurvesStep(VectorStep):
    """Turns arcs into lines that start, end and lie on them; Z and M are interpolated.

    With n segments to a quarter circle a line departs from its arc by at most
    r·(1 − cos(π/4n)): 0.03 % of the radius for 32. That is measured and recorded, against a line
    four times as fine. Polyhedral surfaces, TINs and triangles, which GeoParquet has not either,
    become polygons of the same vertices.
    """

    kind: Literal["linearise_curves"] = "linearise_curves"
    segments_per_quadrant: int = Field(default=32, ge=2, le=1024)

    def generate_sql(
        self, schema: str, input_table: str, output_table: str, columns: Sequence[str] = ()
    ) -> sql.Composed:
        geometry = column(self.geometry_column)
        result = sql.SQL(
            "CASE WHEN {curved} THEN {straight} WHEN {faceted} THEN {facets} ELSE {geometry} END"
        ).format(
            curved=_CURVED.format(geometry=geometry),
            straight=self._straight(geometry, self.segments_per_quadrant),
            faceted=_FACETED.format(geometry=geometry),
            facets=_FACETS.format(geometry=geometry),
            geometry=geometry,
        )
        tables = (input_table, output_table)
        return create_table_as(schema, tables, self.geometry_column, columns, Rewrite(result))

    @staticmethod
    def _straight(geometry: sql.Composable, segments: int) -> sql.Composed:
        return _STRAIGHT.format(geometry=geometry, segments=sql.Literal(segments))

    def needed_sql(self, schema: str, input_table: str) -> sql.Composed:
        geometry = column(self.geometry_column)
        return sql.SQL("SELECT EXISTS (SELECT FROM {} AS t WHERE {} OR {})").format(
            sql.Identifier(schema, input_table),
            _CURVED.format(geometry=geometry),
            _FACETED.format(geometry=geometry),
        )

    def row_wise(self, known: KnownGeometries) -> RowWise:
        if known.are(*PLAIN, "MultiPoint"):
            return RowWise()
        geometry = column(self.geometry_column)
        ordinary = sql.SQL("{} OR NOT ({} OR {})").format(
            is_among(geometry, PLAIN),
            _CURVED.format(geometry=geometry),
            _FACETED.format(geometry=geometry),
        )
        return RowWise(arrives=(Condition(ordinary),))

    def measure_sql(self, schema: str, input_table: str, output_table: str) -> sql.Composed:
        tables = Compared(schema, input_table, output_table, self.geometry_column, self.crs)
        change = Change(
            changed=sql.SQL("a.mark"),
            counts="rows_linearised",
            mark=lambda geometry: _CURVED.format(geometry=geometry),
            shape_before=self._finer,
            pairs=sql.SQL("{} * b.vertices::numeric * b.vertices").format(sql.Literal(_FINER)),
        )
        return change_sql(tables, change)

    def _finer(self, geometry: sql.Composable) -> sql.Composed:
        return _EITHER.format(
            curved=_CURVED.format(geometry=geometry),
            straight=self._straight(geometry, self.segments_per_quadrant * _FINER),
            geometry=geometry,
        )

    def describe(self) -> str:
        return (
            f"Curves were replaced by straight segments, {self.segments_per_quadrant} to a quarter "
            "circle; surfaces made of facets became polygons."
        )
