"""What a step changed, as SQL over its input and output tables. Runs nothing.

Each table is read once, in parallel, down to a few numbers a row, and only these are joined.
Geometries are fetched again for rows that changed, and only while that is cheap: comparing two
lines costs the product of their vertex counts, which a budget bounds.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from psycopg import sql

from libs.models import GeometryChange
from libs.transformations.binding import BoundCRS
from libs.transformations.metres import area_m2, metres_per_unit
from libs.transformations.tables import ROW_ID

VERTEX_PAIRS_BUDGET = 5_000_000
"""So many pairs of vertices are compared at most: under half a second on one core."""

_SLIM = sql.SQL(
    "(SELECT t.{rid} AS rid, t.ctid AS place, coalesce(ST_NPoints({geometry}), 0) AS vertices,"
    " coalesce(ST_IsEmpty({geometry}), true) AS is_empty, {area} AS area, {mark} AS mark"
    " FROM {table} AS t OFFSET '0') AS {alias}"
)

_JOINED = sql.SQL("{before} JOIN {after} USING (rid)")

_CHANGED = sql.SQL(
    "coalesce(sum(a.vertices), 0) AS vertices_before,"
    " coalesce(sum(b.vertices), 0) AS vertices_after, sum(a.area) AS area_before_m2,"
    " sum(abs(coalesce(b.area, 0) - a.area)) AS area_changed_m2,"
    " count(*) FILTER (WHERE b.is_empty AND NOT a.is_empty) AS rows_collapsed,"
    " count(*) FILTER (WHERE {changed}) AS rows_changed,"
    " coalesce(sum({pairs}) FILTER (WHERE {changed}), 0) AS pairs"
)

_DISPLACEMENT = sql.SQL(
    "CASE WHEN rows_changed = 0 THEN 0 WHEN pairs <= {budget}"
    " THEN coalesce((SELECT max(ST_HausdorffDistance("
    "(SELECT {before} FROM {input} AS a WHERE a.ctid = place_a),"
    " (SELECT {after} FROM {output} AS b WHERE b.ctid = place_b)))"
    " FROM (SELECT a.place AS place_a, b.place AS place_b FROM {joined} WHERE {changed} OFFSET '0')"
    " AS changed), 0) ELSE {at_most} END * {unit}"
)
"""Rows are fetched by their place, so that two large tables are never joined whole."""

_TOTALS = sql.SQL(
    "(SELECT coalesce(sum(ST_NPoints({geometry})), 0) AS vertices,"
    " count(*) FILTER (WHERE NOT ST_IsEmpty({geometry})) AS filled FROM {table}) AS {alias}"
)

_COUNTED = sql.SQL(
    "coalesce(sum({before}), 0) AS {vertices_before},"
    " coalesce(sum({after}), 0) AS {vertices_after},"
    " count(*) FILTER (WHERE {after} = 0 AND {before} > 0) AS {rows_collapsed}"
)

_SUMS = sql.SQL("(SELECT {values} FROM {joined}) AS sums")
_ROWS = sql.SQL("SELECT steps.* FROM {source}, LATERAL (VALUES {rows}) AS steps")

_PRODUCT = sql.SQL("a.vertices::bigint * b.vertices")
_HASH_JOIN = sql.SQL("SET LOCAL enable_mergejoin = off; {}")
"""Tables just made have no statistics, and so PostgreSQL would sort them, one on every core."""

_UNKNOWN, _NONE = sql.SQL("NULL::double precision"), sql.SQL("0::bigint")


def _as_it_is(geometry: sql.Composable) -> sql.Composable:
    return geometry


@dataclass(frozen=True)
class Compared:
    """The two tables of a step."""

    schema: str
    input_table: str
    output_table: str
    geometry_column: str
    crs: BoundCRS | None

    @property
    def input(self) -> sql.Identifier:
        """The input table, qualified."""
        return sql.Identifier(self.schema, self.input_table)

    @property
    def output(self) -> sql.Identifier:
        """The output table, qualified."""
        return sql.Identifier(self.schema, self.output_table)

    def geometry(self, alias: str) -> sql.Identifier:
        """The geometry column of one of them."""
        return sql.Identifier(alias, self.geometry_column)


@dataclass(frozen=True)
class Change:
    """How a kind of step changes rows: `a` is a row before, `b` the same row after."""

    changed: sql.SQL
    """Whether a row changed, from `vertices`, `area` and `mark` of `a` and `b`."""
    counts: str | None = None
    """Which of GeometryChange's row counts the changed rows are; None: none of them."""
    mark: Callable[[sql.Composable], sql.Composable] = lambda _: sql.SQL("NULL")
    """A value of each row that `changed` looks at, from its geometry."""
    shape_before: Callable[[sql.Composable], sql.Composable] = _as_it_is
    """What area and displacement are compared with, from the geometry before."""
    pairs: sql.Composable | None = None
    """How many pairs of vertices the displacement of a changed row compares; None: the product."""
    at_most: float | None = None
    """What no displacement exceeds, in CRS units: said when the budget is; None: then unknown."""


@dataclass(frozen=True)
class Measure:
    """Of one step: sums over its rows, and the fields of GeometryChange that are made of them."""

    sums: sql.Composed
    fields: dict[str, sql.Composable]


def change_sql(tables: Compared, change: Change) -> sql.Composed:
    """The query of one row that becomes a GeometryChange, after a setting for its transaction."""
    joined = _JOINED.format(before=_slim(tables, change, "a"), after=_slim(tables, change, "b"))
    before = change.shape_before(tables.geometry("a"))
    return measures_sql([changed(tables, change, joined, before)], joined)


def measures_sql(measures: Sequence[Measure], joined: sql.Composed) -> sql.Composed:
    """The query of a row for each measure, which looks at the rows of `joined` once for them all.

    A setting for its transaction comes first.
    """
    sums = sql.SQL(", ").join([measure.sums for measure in measures])
    source = _SUMS.format(values=sums, joined=joined)
    return _HASH_JOIN.format(_rows(source, [measure.fields for measure in measures]))


def changed(
    tables: Compared, change: Change, joined: sql.Composed, before: sql.Composable
) -> Measure:
    """Of a step that changes some rows.

    Args:
        joined: where the facts about rows `a` and `b` come from.
        before: the geometry before, of a row `a` of the input.
    """
    names = (
        "vertices_before",
        "vertices_after",
        "area_before_m2",
        "area_changed_m2",
        "rows_collapsed",
    )
    fields: dict[str, sql.Composable] = {name: sql.Identifier(name) for name in names}
    fields["largest_displacement_m"] = _displacement(tables, change, joined, before)
    if change.counts:
        fields[change.counts] = sql.Identifier("rows_changed")
    sums = _CHANGED.format(changed=change.changed, pairs=change.pairs or _PRODUCT)
    return Measure(sums, fields)


def counted(before: sql.Composable, after: sql.Composable, number: int) -> Measure:
    """Of a step that moves every vertex and must lose none: how many a row has before and after.

    `number`: tells its sums from those of other steps.
    """
    names = ("vertices_before", "vertices_after", "rows_collapsed")
    fields: dict[str, sql.Composable] = {name: sql.Identifier(f"{name}_{number}") for name in names}
    return Measure(_COUNTED.format(before=before, after=after, **fields), fields)


def _slim(tables: Compared, change: Change, alias: str) -> sql.Composed:
    geometry = tables.geometry("t")
    shape = change.shape_before(geometry) if alias == "a" else geometry
    return _SLIM.format(
        rid=sql.Identifier(ROW_ID),
        geometry=geometry,
        area=area_m2(shape, tables.crs),
        mark=change.mark(geometry),
        table=tables.input if alias == "a" else tables.output,
        alias=sql.Identifier(alias),
    )


def _displacement(
    tables: Compared, change: Change, joined: sql.Composed, before: sql.Composable
) -> sql.Composable:
    unit = metres_per_unit(tables.crs)
    if unit is None:
        return _UNKNOWN
    return _DISPLACEMENT.format(
        budget=sql.Literal(VERTEX_PAIRS_BUDGET),
        before=before,
        after=tables.geometry("b"),
        joined=joined,
        changed=change.changed,
        input=tables.input,
        output=tables.output,
        at_most=sql.Literal(change.at_most),
        unit=sql.Literal(unit),
    )


def totals_sql(tables: Compared) -> sql.Composed:
    """The query for steps that move every vertex and must lose none: counts only, no join."""
    geometry = sql.Identifier(tables.geometry_column)
    sources = [
        _TOTALS.format(geometry=geometry, table=table, alias=sql.Identifier(alias))
        for table, alias in ((tables.input, "a"), (tables.output, "b"))
    ]
    fields: dict[str, sql.Composable] = {
        "vertices_before": sql.Identifier("a", "vertices"),
        "vertices_after": sql.Identifier("b", "vertices"),
        "rows_collapsed": sql.SQL("a.filled - b.filled"),
    }
    return _rows(sql.SQL(", ").join(sources), [fields])


def _rows(source: sql.Composed, steps: Sequence[dict[str, sql.Composable]]) -> sql.Composed:
    """A row for each step: the fields of GeometryChange, in its order.

    `steps`: the fields that are known of each; the others say that they are not.
    """
    rows = []
    for known in steps:
        fields = [
            known.get(name, _NONE if name.startswith("rows_") else _UNKNOWN)
            for name in GeometryChange.model_fields
        ]
        rows.append(sql.SQL("({})").format(sql.SQL(", ").join(fields)))
    return _ROWS.format(source=source, rows=sql.SQL(", ").join(rows))


def change_of(row: Sequence[object]) -> GeometryChange:
    """The answer to a measure, as the model; what is no number was not measurable.

    Nine digits of it count: the others depend on the order in which several cores add.
    """
    known = [_nine_digits(value) if isinstance(value, float) else value for value in row]
    return GeometryChange.model_validate(dict(zip(GeometryChange.model_fields, known, strict=True)))


def _nine_digits(value: float) -> float | None:
    return None if math.isnan(value) else float(f"{value:.9g}")
