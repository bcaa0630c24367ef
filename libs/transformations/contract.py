"""The geometry contract between steps: a table has exactly one geometry column, and this is it."""

from __future__ import annotations

from collections.abc import Sequence

from psycopg import sql

from libs.transformations.errors import GeometryContractError

_GEOMETRY_COLUMNS = sql.SQL(
    "SELECT column_name::text FROM information_schema.columns"
    " WHERE table_schema = {schema} AND table_name = {table}"
    " AND udt_name IN ('geometry', 'geography') ORDER BY ordinal_position"
)


def geometry_contract_sql(schema: str, table: str) -> sql.Composed:
    """The query of the names of a table's geometry columns, one a row."""
    return _GEOMETRY_COLUMNS.format(schema=sql.Literal(schema), table=sql.Literal(table))


def check_contract(
    schema: str, table: str, geometry_column: str, rows: Sequence[Sequence[object]]
) -> None:
    """Judge what `geometry_contract_sql` returned.

    Raises:
        GeometryContractError: the table is missing, or has none, another or several.
    """
    found = [str(name) for (name,) in rows]
    if found != [geometry_column]:
        raise GeometryContractError(schema, table, geometry_column, found)
