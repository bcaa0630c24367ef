"""The step that removes vertices which hardly matter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from psycopg import sql
from pydantic import Field

from libs.transformations.measures import Change, Compared, change_sql
from libs.transformations.row_wise import (
    INNER,
    LINES,
    NOTHING_KNOWN,
    POLYGONS,
    KnownGeometries,
    RowWise,
)
from libs.transformations.step import VectorStep
from libs.transformations.tables import Rewrite, column, create_table_as

_QUICK, _KEPT, _STRONG = "__quick", "__kept", "__strong"

_SIMPLIFY = sql.SQL("ST_Simplify({geometry}, {tolerance})")

_IS_THERE = sql.SQL("NOT ST_IsEmpty({other})")
_SAME_RINGS = sql.SQL("ST_NRings({other}) = ST_NRings({geometry})")
_SAME_PARTS = sql.SQL("ST_NumGeometries({other}) = ST_NumGeometries({geometry})")
_IS_VALID = sql.SQL("ST_IsValid({other})")
_STAYS_SIMPLE = sql.SQL(
    "(ST_Dimension({other}) <> 1 OR ST_IsSimple({other}) OR NOT ST_IsSimple({geometry}))"
)
_IS_ROUND_OR_VALID = sql.SQL("({inner} > 2 * {tolerance} OR ST_IsValid({other}))")
"""No line moves by more than the tolerance, so that none reaches the middle of such a circle, which
still sees the vertices that are left in their order, once around. Twice, to be on the safe side."""
_IS_FINITE = sql.SQL("ST_Length({geometry}) + ST_Perimeter({geometry}) < 'Infinity'")
"""Or else a vertex that is no number would go, and the row pass for a good one."""

_GOOD_QUICK = sql.SQL(
    "CASE WHEN ST_NPoints({quick}) = ST_NPoints({geometry}) THEN {geometry}"
    " WHEN {is_as_good} THEN {quick} END"
)

_PRESERVE = sql.SQL(
    "CASE WHEN {kept} IS NOT NULL OR ST_Zmflag({geometry}) IN (1, 3) OR NOT ST_IsValid({geometry})"
    " THEN NULL WHEN ST_GeometryType({geometry}) LIKE 'ST_Multi%'"
    " THEN ST_Multi(ST_SimplifyPreserveTopology({geometry}, {tolerance}))"
    " ELSE ST_SimplifyPreserveTopology({geometry}, {tolerance}) END"
)
"""An invalid geometry never gets there: with a coordinate that is no number, GEOS 3.11 does not
come back from it, and cannot be cancelled. Neither does one with M, which GEOS would drop."""

_BEST = sql.SQL("coalesce({kept}, CASE WHEN {is_as_good} THEN {strong} END, {geometry})")


class SimplifyGeometryStep(VectorStep):
    """Removes vertices, so that no line departs from the original by more than `tolerance`.

    `tolerance` is in the units of the CRS at that point of the recipe: degrees after a transform to
    EPSG:4326 (0.0001 is 11 m at the equator, along a meridian anywhere).

    With `preserve_topology` a geometry keeps its validity and all its parts and rings, however
    small, and a line that did not cross itself does not; where that cannot be had, it stays as it
    was. The quick algorithm (Douglas-Peucker) is
    used where its result has these qualities, the topology-preserving one of GEOS where not.
    Without, only a geometry that would vanish stays as it was, and the result may be invalid.

    Points are not touched; remaining vertices keep their x, y, Z and M. Each feature is simplified
    by itself, so that borders which neighbours share may part or overlap by up to twice the
    tolerance.

    The largest displacement is measured, as a discrete Hausdorff distance, or else (too many
    vertices, see `measures.VERTEX_PAIRS_BUDGET`) said to be the tolerance, which none exceeds. For
    degrees it is the length that many degrees have at most.
    """

    kind: Literal["simplify_geometry"] = "simplify_geometry"
    tolerance: float = Field(default=0.0001, gt=0, allow_inf_nan=False)
    preserve_topology: bool = True

    def generate_sql(
        self, schema: str, input_table: str, output_table: str, columns: Sequence[str] = ()
    ) -> sql.Composed:
        tables = (input_table, output_table)
        return create_table_as(schema, tables, self.geometry_column, columns, self._rewrite())

    def row_wise(self, known: KnownGeometries) -> RowWise:
        if known.are_points:
            as_it_is = Rewrite(sql.Composed([column(self.geometry_column)]))
            return RowWise(rewrite=as_it_is, change=self._change())
        return RowWise(
            rewrite=self._rewrite(),
            rewrite_of_valid=self._rewrite_of_valid(known),
            change=self._change(),
        )

    def _rewrite(self) -> Rewrite:
        if not self.preserve_topology:
            return self._plain()
        return self._preserving(NOTHING_KNOWN, _IS_VALID, _IS_FINITE)

    def _rewrite_of_valid(self, known: KnownGeometries) -> Rewrite | None:
        if not self.preserve_topology:
            return None
        return self._preserving(known, _IS_VALID if known.are(*LINES) else _IS_ROUND_OR_VALID)

    def _change(self) -> Change:
        return Change(changed=sql.SQL("a.vertices <> b.vertices"), at_most=self.tolerance)

    def _quick(self) -> sql.Composed:
        geometry, tolerance = column(self.geometry_column), sql.Literal(self.tolerance)
        return _SIMPLIFY.format(geometry=geometry, tolerance=tolerance)

    def _plain(self) -> Rewrite:
        geometry, quick = column(self.geometry_column), column(_QUICK)
        result = sql.SQL("CASE WHEN ST_IsEmpty({quick}) IS FALSE THEN {quick} ELSE {geometry} END")
        return Rewrite(
            result=result.format(quick=quick, geometry=geometry),
            layers=((_QUICK, self._quick()),),
        )

    def _preserving(
        self, known: KnownGeometries, is_quick_valid: sql.SQL, *more: sql.SQL
    ) -> Rewrite:
        geometry, tolerance = column(self.geometry_column), sql.Literal(self.tolerance)
        quick, kept, strong = column(_QUICK), column(_KEPT), column(_STRONG)
        if not known.are(*POLYGONS):
            more = (_STAYS_SIMPLE, *more)
        good = _GOOD_QUICK.format(
            quick=quick,
            geometry=geometry,
            is_as_good=self._is_as_good(quick, known, is_quick_valid, *more),
        )
        preserve = _PRESERVE.format(kept=kept, geometry=geometry, tolerance=tolerance)
        best = _BEST.format(
            kept=kept,
            strong=strong,
            geometry=geometry,
            is_as_good=self._is_as_good(strong, known, _IS_VALID),
        )
        return Rewrite(
            result=best,
            layers=((_QUICK, self._quick()), (_KEPT, good), (_STRONG, preserve)),
        )

    def _is_as_good(
        self, other: sql.Composable, known: KnownGeometries, *more: sql.SQL
    ) -> sql.Composed:
        """Whether another geometry has all parts and rings, and more; what types say is not asked.

        A polygon has a ring at least, and so has what is as good.
        """
        asked = []
        if not known.are(*POLYGONS):
            asked.append(_IS_THERE)
        if not known.are(*LINES):
            asked.append(_SAME_RINGS)
        if not known.are("LineString", "Polygon"):
            asked.append(_SAME_PARTS)
        words = {
            "other": other,
            "geometry": column(self.geometry_column),
            "inner": column(INNER),
            "tolerance": sql.Literal(self.tolerance),
        }
        return sql.SQL(" AND ").join(condition.format(**words) for condition in [*asked, *more])

    def measure_sql(self, schema: str, input_table: str, output_table: str) -> sql.Composed:
        tables = Compared(schema, input_table, output_table, self.geometry_column, self.crs)
        return change_sql(tables, self._change())

    def describe(self) -> str:
        how = " keeping validity and all parts and rings," if self.preserve_topology else ""
        return (
            f"Vertices were removed,{how} where no line moves by more than {self.tolerance:g} "
            "units of the CRS; each feature by itself, so that shared borders may part by twice "
            "that."
        )
