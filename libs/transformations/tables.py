"""How one table is made from another: the statements around a step's expressions. Runs nothing.

Two things about PostgreSQL decide the shape of these statements (measured with 15): a value that is
used more than once is computed in a layer of its own, kept apart by an OFFSET, or else it is
computed at each use; and that OFFSET must be a constant from the start (`'0'`; `0` is a cast), or
the layer runs on one core only. A sub-select in an expression has that effect, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from psycopg import sql

RAW_TABLE = "raw_data"
PROCESSED_TABLE = "processed"
ROW_ID = "rid"
"""The column that names a row from load to eject; measures join on it and faults quote it."""

_NEW_GEOMETRY = "__geometry"

_LAYER = sql.SQL("(SELECT t.*, {value} AS {name} FROM {source} OFFSET '0') AS t")
_CREATE = sql.SQL("CREATE UNLOGGED TABLE {output} AS SELECT {columns} FROM {source}")
_ALTER = sql.SQL("ALTER TABLE {output} {drops}")
_RENAME_COLUMN = sql.SQL("ALTER TABLE {output} RENAME {new} TO {geometry}")
_DROP = sql.SQL("DROP COLUMN {}")
_DROP_TABLE = sql.SQL("DROP TABLE IF EXISTS {}")
_RENAME = sql.SQL("ALTER TABLE {input} RENAME TO {output}")


@dataclass(frozen=True)
class Rewrite:
    """What a step puts in the place of the geometry of the input row `t`."""

    result: sql.Composed
    """An expression over `t` and the layers."""
    layers: tuple[tuple[str, sql.Composed], ...] = ()
    """Values that are computed once, in this order, and are then columns of `t`."""


def column(name: str) -> sql.Identifier:
    """A column of the input row."""
    return sql.Identifier("t", name)


def named(value: sql.Composable, name: str) -> sql.Composed:
    """A value as a column of that name."""
    return sql.SQL("{} AS {}").format(value, sql.Identifier(name))


def layered(
    schema: str, table: str, layers: Sequence[tuple[str, sql.Composed]] = ()
) -> sql.Composed:
    """A FROM item: the table as `t`, each layer's value a further column of it."""
    return upon(sql.SQL("{} AS t").format(sql.Identifier(schema, table)), layers)


def upon(source: sql.Composed, layers: Sequence[tuple[str, sql.Composed]]) -> sql.Composed:
    """A FROM item `t`: another such, each layer's value a further column of it."""
    for name, value in layers:
        source = _LAYER.format(value=value, name=sql.Identifier(name), source=source)
    return source


def create_table_as(
    schema: str,
    tables: tuple[str, str],
    geometry_column: str,
    columns: Sequence[str],
    rewrite: Rewrite,
) -> sql.Composed:
    """The statement that fills the second table from the first one.

    `columns` are carried over unchanged. None named: all of them are, which costs more, since
    SQL cannot say "all but one": the old geometry is written, too, and then dropped.
    """
    output = sql.Identifier(schema, tables[1])
    source = layered(schema, tables[0], rewrite.layers)
    carried = [column(name) for name in columns if name != geometry_column]
    if carried:
        return create_table(output, [*carried, named(rewrite.result, geometry_column)], source)
    result = named(rewrite.result, _NEW_GEOMETRY)
    surplus = [geometry_column, *(name for name, _ in rewrite.layers)]
    made = create_table(output, [sql.SQL("t.*"), result], source)
    rename = _RENAME_COLUMN.format(
        output=output,
        new=sql.Identifier(_NEW_GEOMETRY),
        geometry=sql.Identifier(geometry_column),
    )
    return sql.SQL("; ").join([made, drop_columns(output, surplus), rename])


def create_table(
    output: sql.Identifier, columns: Sequence[sql.Composable], source: sql.Composed
) -> sql.Composed:
    """The statement that fills a new table from a FROM item."""
    return _CREATE.format(output=output, columns=sql.SQL(", ").join(columns), source=source)


def drop_columns(table: sql.Identifier, names: Sequence[str]) -> sql.Composed:
    """The statement that takes columns away; no row is rewritten."""
    drops = sql.SQL(", ").join(_DROP.format(sql.Identifier(name)) for name in names)
    return _ALTER.format(output=table, drops=drops)


def drop_table(schema: str, name: str) -> sql.Composed:
    """The statement that drops a table; one that is not there is no error."""
    return _DROP_TABLE.format(sql.Identifier(schema, name))


def rename_table(schema: str, input_table: str, output_table: str) -> sql.Composed:
    """The statement that makes the input table the output, untouched: not a byte is copied."""
    return _RENAME.format(
        input=sql.Identifier(schema, input_table), output=sql.Identifier(output_table)
    )
