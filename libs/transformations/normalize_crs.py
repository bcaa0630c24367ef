"""The step that brings all geometries into one CRS. Which CRS the data has is decided before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple, TypeVar

from psycopg import sql
from pydantic import PrivateAttr

from libs.models import CrsCode
from libs.transformations.binding import BoundCRS, default_srid
from libs.transformations.errors import UnboundCrsError
from libs.transformations.faults import first_faults
from libs.transformations.measures import Compared, totals_sql
from libs.transformations.row_wise import (
    BOX,
    LINES_AND_POLYGONS,
    NOTHING_KNOWN,
    PLAIN,
    POINT_IS_FINITE,
    Condition,
    KnownGeometries,
    RowWise,
    is_among,
)
from libs.transformations.step import VectorStep
from libs.transformations.tables import ROW_ID, Rewrite, column, create_table_as

StepT = TypeVar("StepT", bound="NormalizeCRSStep")

_TRANSFORM = sql.SQL("ST_Transform({geometry}, {target})")
_SET_SRID = sql.SQL("ST_SetSRID({geometry}, {srid})")

_IS_NOT_FINITE = sql.SQL(
    "(ST_XMin({box}) IN ('NaN', 'Infinity', '-Infinity')"
    " OR ST_XMax({box}) IN ('NaN', 'Infinity', '-Infinity')"
    " OR ST_YMin({box}) IN ('NaN', 'Infinity', '-Infinity')"
    " OR ST_YMax({box}) IN ('NaN', 'Infinity', '-Infinity')"
    " OR ST_Length({geometry}) IN ('NaN', 'Infinity')"
    " OR ST_Perimeter({geometry}) IN ('NaN', 'Infinity')"
    " OR (ST_GeometryType({geometry}) IN ('ST_MultiPoint', 'ST_GeometryCollection')"
    " AND ST_Length(ST_LineFromMultiPoint(ST_Points({geometry}))) IN ('NaN', 'Infinity')))"
)
"""Lengths tell of every vertex, where a bounding box may pass over one that is no number."""

_PLAIN_IS_FINITE = sql.SQL(
    "ST_XMax({box}) - ST_XMin({box}) + ST_YMax({box}) - ST_YMin({box})"
    " + ST_Length({geometry}) + ST_Perimeter({geometry}) < 'Infinity'"
)
"""The same in one comparison: NaN and infinity go through sums, and PostgreSQL's NaN is larger than
infinity. Where a sum is too large for a number, the statement ends: not ordinary, either."""
_IS_FINITE = sql.SQL("CASE WHEN {is_plain} THEN {plain_is_finite} ELSE {otherwise} END")

_IS_NO_PLACE = sql.SQL(
    "(ST_YMin({box}) < -90.0001 OR ST_YMax({box}) > 90.0001"
    " OR ST_XMin({box}) < -540 OR ST_XMax({box}) > 540)"
)
"""In degrees. Longitudes may run from 0 to 360, and on over the antimeridian."""

_IS_NOT_WIDE = sql.SQL("ST_XMax({box}) - ST_XMin({box}) <= 180")
_IS_TORN = sql.SQL(
    "(ST_XMax({box}) - ST_XMin({box}) > 180 AND EXISTS (SELECT 1"
    " FROM ST_DumpSegments({geometry}) AS segments,"
    " LATERAL (SELECT ST_StartPoint(segments.geom) AS a, ST_EndPoint(segments.geom) AS b) AS ends,"
    " LATERAL (SELECT ST_Transform(ST_Centroid(ST_MakeLine(ST_Transform(a, {source}),"
    " ST_Transform(b, {source}))), {target}) AS middle) AS halfway"
    " WHERE abs(ST_X(a) - ST_X(b)) > 180"
    " AND abs(ST_X(middle) - (ST_X(a) + ST_X(b)) / 2) > 90))"
)
"""In degrees: the middle of a line in the source's CRS comes to lie on the other side of the earth
than the middle of its ends. A line along a parallel in Mercator may be as long, and is whole."""
_TORN_REASON = (
    "crosses the antimeridian or goes around a pole, so that its outline in longitude and latitude "
    "would run around the world (cut it there first, as `ogr2ogr -t_srs {code}` does)"
)

_STAYS_ROUND = sql.SQL(
    "ST_YMin({box}) > -80 AND ST_YMax({box}) < 80"
    " AND ST_YMax({box}) - ST_YMin({box}) BETWEEN 1e-8 AND 0.05"
    " AND ST_XMax({box}) - ST_XMin({box}) < 0.5 AND ST_Area({geometry}) < 'Infinity'"
)
"""In degrees: away from the poles, no smaller than a millimetre, and not torn by the antimeridian.
See `libs.spatial_utils.crs_bending`. The area, as it tells of a coordinate that is no number."""

_ORDINARY = sql.SQL("(ST_IsEmpty({geometry}) OR NOT {fault})")

_ROWS_WHERE = sql.SQL(
    "SELECT t.{rid}, {reason} AS reason,"
    " ST_AsText(ST_PointN(ST_BoundingDiagonal({geometry}), 1), 6) AS place"
    " FROM {table} AS t WHERE NOT ST_IsEmpty({geometry}) AND {condition}"
)

_FUNCTION = sql.SQL(
    "CREATE OR REPLACE FUNCTION {function}(shape geometry, target integer) RETURNS text"
    " LANGUAGE plpgsql AS $body$ BEGIN PERFORM ST_Transform(shape, target); RETURN NULL;"
    " EXCEPTION WHEN OTHERS THEN RETURN SQLERRM; END $body$"
)
_FAULTY = sql.SQL(
    "SELECT {rid}, 'cannot be transformed to ' || {code}::text || ' (' || said || ')' AS reason,"
    " ST_AsText(ST_PointN(ST_BoundingDiagonal(shape), 1), 6) AS place FROM ("
    "SELECT t.{rid}, {geometry} AS shape, {function}({located}, {target}) AS said"
    " FROM {table} AS t OFFSET '0') AS tried WHERE said IS NOT NULL"
)


class _ArrivalFault(NamedTuple):
    """What must not be true of an arriving geometry, and how that is said."""

    is_present: sql.SQL
    reason: str
    is_absent: Condition
    """As short as can be: every row is asked."""


class NormalizeCRSStep(VectorStep):
    """Transforms to `target_crs`; x is easting or longitude whatever the CRS's own axis order.

    Where the input has that CRS already, not a byte of it is rewritten. A row that PROJ cannot
    transform is an error that names the row; none is dropped. Z and M are carried over as they are.
    """

    kind: Literal["normalize_crs"] = "normalize_crs"
    target_crs: CrsCode = "EPSG:4326"
    source_crs: CrsCode | None = None
    """The CRS that the data must have; None: any, as declared."""
    _target: BoundCRS | None = PrivateAttr(default=None)
    _bends_little: bool = PrivateAttr(default=False)

    def bound_to(
        self: StepT, source: BoundCRS, target: BoundCRS, *, bends_little: bool = False
    ) -> StepT:
        """The same step, knowing the CRS of its input and the one it transforms to.

        `bends_little`: what `libs.spatial_utils.crs_bending` says of the two.
        """
        copy = self.bound(source)
        copy._target = target
        copy._bends_little = bends_little
        return copy

    @property
    def target(self) -> BoundCRS | None:
        """The CRS of the output table, where it is bound."""
        return self._target

    @property
    def source_srid(self) -> int | None:
        """The input's SRID; None: each geometry carries its own."""
        if self.crs is not None:
            return self.crs.srid
        return default_srid(self.source_crs) if self.source_crs else None

    @property
    def target_srid(self) -> int:
        """The output's SRID; unbound, the number of an EPSG code."""
        srid = self._target.srid if self._target is not None else default_srid(self.target_crs)
        if srid is None:
            raise UnboundCrsError(self.kind, self.target_crs)
        return srid

    def generate_sql(
        self, schema: str, input_table: str, output_table: str, columns: Sequence[str] = ()
    ) -> sql.Composed:
        located = self._located()
        result = located if self._is_there_already else self._transformed()
        tables = (input_table, output_table)
        return create_table_as(schema, tables, self.geometry_column, columns, Rewrite(result))

    @property
    def _is_there_already(self) -> bool:
        return self.source_srid == self.target_srid

    def _transformed(self) -> sql.Composed:
        return _TRANSFORM.format(geometry=self._located(), target=sql.Literal(self.target_srid))

    def _located(self) -> sql.Composed:
        geometry = column(self.geometry_column)
        if self.source_srid is None:
            return sql.Composed([geometry])
        return _SET_SRID.format(geometry=geometry, srid=sql.Literal(self.source_srid))

    def needed_sql(self, schema: str, input_table: str) -> sql.Composed | None:
        if self.source_srid is None:
            return None
        return sql.SQL("SELECT {}").format(sql.Literal(not self._is_there_already))

    def row_wise(self, known: KnownGeometries) -> RowWise:
        arrives = tuple(fault.is_absent for fault in self._arrival_faults(known))
        if self._is_there_already:
            return RowWise(arrives=arrives)
        return RowWise(
            arrives=arrives,
            rewrite=Rewrite(self._transformed()),
            stays_round=self._stays_round() if self._bends_little else None,
            leaves=(self._is_finite(known), *self._is_whole(known)),
        )

    def measure_sql(self, schema: str, input_table: str, output_table: str) -> sql.Composed:
        tables = Compared(schema, input_table, output_table, self.geometry_column, None)
        return totals_sql(tables)

    def _arrival_faults(self, known: KnownGeometries = NOTHING_KNOWN) -> list[_ArrivalFault]:
        faults = []
        if self._is_there_already:  # else the output is asked, after the transform
            reason, is_finite = self._not_finite_reason, self._is_finite(known)
            faults.append(_ArrivalFault(_IS_NOT_FINITE, reason, is_finite))
        if self.crs is not None and self.crs.is_in_degrees:
            reason = "lies where there are no degrees of longitude and latitude"
            is_a_place = Condition(self._ordinary(_IS_NO_PLACE))
            faults.append(_ArrivalFault(_IS_NO_PLACE, reason, is_a_place))
        return faults

    @property
    def _not_finite_reason(self) -> str:
        return f"has no finite coordinates in {self.target_crs}"

    def arrival_faults_sql(self, schema: str, input_table: str) -> sql.Composed | None:
        faults = [
            self._rows_where(schema, input_table, fault.is_present, fault.reason)
            for fault in self._arrival_faults()
        ]
        return first_faults(sql.SQL(" UNION ALL ").join(faults)) if faults else None

    def _ordinary(self, fault: sql.SQL) -> sql.Composed:
        geometry = column(self.geometry_column)
        return _ORDINARY.format(
            geometry=geometry, fault=fault.format(geometry=geometry, box=column(BOX))
        )

    @property
    def _may_tear(self) -> bool:
        return self._target is not None and self._target.is_in_degrees

    def _is_whole(self, known: KnownGeometries) -> tuple[Condition, ...]:
        if known.are_points or not self._may_tear:
            return ()
        return (Condition(_IS_NOT_WIDE.format(box=column(BOX))),)

    def _stays_round(self) -> sql.Composed:
        return _STAYS_ROUND.format(geometry=column(self.geometry_column), box=column(BOX))

    def _is_finite(self, known: KnownGeometries) -> Condition:
        geometry = column(self.geometry_column)
        if known.are_points:
            return Condition(POINT_IS_FINITE.format(geometry=geometry))
        plain_is_finite = _PLAIN_IS_FINITE.format(geometry=geometry, box=column(BOX))
        if known.are(*LINES_AND_POLYGONS):
            return Condition(plain_is_finite, asked_of_valid=sql.SQL("true").format())
        finite = _IS_FINITE.format(
            is_plain=is_among(geometry, PLAIN),
            plain_is_finite=plain_is_finite,
            otherwise=self._ordinary(_IS_NOT_FINITE),
        )
        tells = is_among(geometry, LINES_AND_POLYGONS)
        return Condition(finite, asked_of_valid=sql.SQL("{} OR {}").format(tells, finite))

    def output_faults_sql(self, schema: str, output_table: str) -> sql.Composed:
        faults = [self._rows_where(schema, output_table, _IS_NOT_FINITE, self._not_finite_reason)]
        if self._may_tear and self.source_srid is not None:
            reason = _TORN_REASON.format(code=self.target_crs)
            faults.append(self._rows_where(schema, output_table, _IS_TORN, reason))
        return first_faults(sql.SQL(" UNION ALL ").join(faults))

    def _rows_where(self, schema: str, table: str, condition: sql.SQL, reason: str) -> sql.Composed:
        geometry = column(self.geometry_column)
        return _ROWS_WHERE.format(
            rid=sql.Identifier(ROW_ID),
            reason=sql.SQL("{}::text").format(sql.Literal(reason)),
            geometry=geometry,
            table=sql.Identifier(schema, table),
            condition=condition.format(
                geometry=geometry,
                box=geometry,
                source=sql.Literal(self.source_srid),
                target=sql.Literal(self.target_srid),
            ),
        )

    def diagnosis_sql(self, schema: str, input_table: str) -> sql.Composed:
        function = sql.Identifier(schema, "why_not_transformed")
        faults = _FAULTY.format(
            rid=sql.Identifier(ROW_ID),
            code=sql.Literal(self.target_crs),
            geometry=column(self.geometry_column),
            located=self._located(),
            function=function,
            target=sql.Literal(self.target_srid),
            table=sql.Identifier(schema, input_table),
        )
        define = _FUNCTION.format(function=function)
        return sql.SQL("; ").join([define, first_faults(faults)])

    def describe(self) -> str:
        if self.crs is None:
            return f"All coordinates were transformed to {self.target_crs} (x, y axis order)."
        source = self.crs.crs.code or self.crs.crs.name
        if self._is_there_already:
            return f"All coordinates were in {source} already (x, y axis order)."
        way = f"from {source} to {self.target_crs}"
        return f"All coordinates were transformed {way} (x, y axis order)."
