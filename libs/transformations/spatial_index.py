"""The step that indexes the geometries of a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from psycopg import sql

from libs.transformations.step import VectorStep

_INDEX = sql.SQL(
    "CREATE INDEX ON {table} USING {method} ({geometry}); ANALYZE {table} ({geometry})"
)

_METHODS = {"gist": sql.SQL("gist"), "spgist": sql.SQL("spgist"), "brin": sql.SQL("brin")}


class CreateSpatialIndexStep(VectorStep):
    """Makes the input table the output, as it is, with an index on its geometries and statistics.

    The index serves queries while the table exists; it is no part of the file that is written.
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

    def describe(self) -> str:
        return f"A spatial index ({self.method.upper()}) was built; no geometry was changed."
