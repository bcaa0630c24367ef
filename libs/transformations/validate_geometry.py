"""The step that deals with geometries which OGC Simple Features calls invalid."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from psycopg import sql

from libs.transformations.faults import first_faults
from libs.transformations.measures import Change, Compared, change_sql
from libs.transformations.row_wise import POINT_IS_FINITE, Condition, KnownGeometries, RowWise
from libs.transformations.step import VectorStep
from libs.transformations.tables import ROW_ID, Rewrite, column, create_table_as

_MADE = "__made"

_MAKE_VALID = sql.SQL(
    "CASE WHEN NOT ST_IsValid({geometry})"
    " THEN ST_MakeValid({geometry}, 'method=structure keepcollapsed=false') END"
)

_OF_SAME_DIMENSION = sql.SQL(
    "CASE WHEN ST_GeometryType({geometry}) = 'ST_GeometryCollection' THEN {made}"
    " ELSE ST_CollectionExtract({made}, ST_Dimension({geometry}) + 1) END"
)
_STILL_MULTI = sql.SQL(
    "CASE WHEN ST_GeometryType({geometry}) LIKE 'ST_Multi%' THEN ST_Multi({fitting})"
    " ELSE {fitting} END"
)
_WITH_MEASURE = sql.SQL(
    "CASE ST_Zmflag({geometry}) WHEN 1 THEN ST_Force3DM({multi}, 'NaN')"
    " WHEN 3 THEN ST_Force4D({multi}, 0, 'NaN') ELSE {multi} END"
)
_RESULT = sql.SQL("CASE WHEN {made} IS NULL THEN {geometry} ELSE {repaired} END")

_IS_VALID = sql.SQL("ST_IsValid({geometry})")
_FAULTS = sql.SQL(
    "SELECT {rid}, 'is not valid: ' || (detail).reason AS reason,"
    " ST_AsText((detail).location, 9) AS place FROM (SELECT t.{rid},"
    " ST_IsValidDetail({geometry}) AS detail FROM {table} AS t"
    " WHERE NOT ST_IsValid({geometry}) OFFSET '0') AS checked{condition}"
)
_NOT_FINITE = sql.SQL(" WHERE (detail).reason = 'Invalid Coordinate'")


class ValidateGeometryStep(VectorStep):
    """Repairs, refuses or keeps invalid geometries; the others are not touched.

    `repair` keeps a geometry's dimension (of a polygon only what has area) and a multi-geometry's
    type. A repaired polygon may become a multi-polygon; one without any area becomes empty, its row
    stays and is counted as collapsed. New vertices get an interpolated Z; the M of repaired rows is
    NaN, since the repair cannot say it. Coordinates that are no finite numbers cannot be repaired:
    their rows are named in an error.
    `reject` names the first rows, why and where; `keep` changes nothing.
    """

    kind: Literal["validate_geometry"] = "validate_geometry"
    on_invalid: Literal["repair", "reject", "keep"] = "repair"

    def generate_sql(
        self, schema: str, input_table: str, output_table: str, columns: Sequence[str] = ()
    ) -> sql.Composed:
        if self.on_invalid != "repair":
            return self.keep_sql(schema, input_table, output_table)
        geometry, made = column(self.geometry_column), column(_MADE)
        fitting = _OF_SAME_DIMENSION.format(geometry=geometry, made=made)
        multi = _STILL_MULTI.format(geometry=geometry, fitting=fitting)
        repaired = _WITH_MEASURE.format(geometry=geometry, multi=multi)
        rewrite = Rewrite(
            result=_RESULT.format(made=made, geometry=geometry, repaired=repaired),
            layers=((_MADE, _MAKE_VALID.format(geometry=geometry)),),
        )
        tables = (input_table, output_table)
        return create_table_as(schema, tables, self.geometry_column, columns, rewrite)

    def needed_sql(self, schema: str, input_table: str) -> sql.Composed | None:
        if self.on_invalid != "repair":
            return None
        return sql.SQL("SELECT EXISTS (SELECT FROM {} AS t WHERE NOT ST_IsValid({}))").format(
            sql.Identifier(schema, input_table), column(self.geometry_column)
        )

    def row_wise(self, known: KnownGeometries) -> RowWise:
        if self.on_invalid == "keep":
            return RowWise()
        asked = POINT_IS_FINITE if known.are_points else _IS_VALID
        is_valid = asked.format(geometry=column(self.geometry_column))
        return RowWise(arrives=(Condition(is_valid, proves_validity=True),))

    def input_faults_sql(self, schema: str, input_table: str) -> sql.Composed | None:
        if self.on_invalid == "keep":
            return None
        faults = _FAULTS.format(
            rid=sql.Identifier(ROW_ID),
            geometry=column(self.geometry_column),
            table=sql.Identifier(schema, input_table),
            condition=_NOT_FINITE if self.on_invalid == "repair" else sql.SQL(""),
        )
        return first_faults(faults)

    def measure_sql(self, schema: str, input_table: str, output_table: str) -> sql.Composed | None:
        if self.on_invalid != "repair":
            return None
        tables = Compared(schema, input_table, output_table, self.geometry_column, self.crs)
        change = Change(
            changed=sql.SQL("a.mark IS DISTINCT FROM b.mark"),
            counts="rows_repaired",
            mark=lambda geometry: sql.SQL("md5({}::bytea)").format(geometry),
        )
        return change_sql(tables, change)

    def describe(self) -> str:
        return {
            "repair": "Invalid geometries were repaired, keeping their dimension.",
            "reject": "All geometries were checked to be valid.",
            "keep": "Invalid geometries, if any, were kept as they are.",
        }[self.on_invalid]
