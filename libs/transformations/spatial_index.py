"""The step that indexes the geometries of a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from psycopg import sql

from libs.transformations.row_wise import KnownGeometries, RowWise
from libs.transformations.step import VectorStep

_INDEX = sql.SQL(
    "CREATE INDEX ON {table} USING {method} ({geometry}); ANALYZE {table} ({geometry})"
)

_METHODS = {"gist": sql.SQL("gist"), "spgist": sql.SQL("spgist"), "brin": sql.SQL("brin")}


class CreateSpatialIndexStep(VectorStep):
    """Makes the input table the output, as it is, with an index on its geometries and statistics.

    The index serves steps that come after; it is no part of the file that is written, whose rows
    are in the order of their places, each with its box. So at the end of a plan none is built.
    """

    kind: Literal["create_spatial_index"] = "create_spatial_index"
    method: Literal["gist", "spgist", "brin"] = "gist"

    def generate_sql(
        self, schema: str, input_table: str, output_table: str, columns: Sequence[str] = ()
    ) -> sql.Composed:
        index = _INDEX.format(
            table=sql.Identifier(schema, output_table),
            method=_METHODS[self.method],
            geometry=sql.Identifier(self.geometry_column),
        )
        return sql.SQL("; ").join([self.keep_sql(schema, input_table, output_table), index])

    def needed_sql(self, schema: str, input_table: str) -> sql.Composed | None:
        return sql.SQL("SELECT {}").format(sql.Literal(not self.is_last))

    def row_wise(self, known: KnownGeometries) -> RowWise | None:
        return RowWise() if self.is_last else None

    def describe(self) -> str:
        if self.is_last:
            return (
                "Rows are written in the order of their places (Hilbert curve), each with its box; "
                f"no step comes after that would read an index ({self.method.upper()}), so none "
                "was built."
            )
        return f"A spatial index ({self.method.upper()}) was built; no geometry was changed."
