"""A whole recipe as one statement, for a table whose rows are all ordinary. Runs nothing.

A row goes through all steps while it is at hand, and what the measures need is written beside it,
in columns that go afterwards: no table lies between, and nothing is computed twice. The first row
that is not ordinary (a curve, an invalid polygon, a place that is none) ends the statement; then
the steps are run one by one, and they name, repair and measure such rows. What comes out is the
same either way, because the expressions are the steps' own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from psycopg import sql

from libs.transformations.chaining import PlannedStep
from libs.transformations.measures import Compared, Measure, changed, counted, measures_sql
from libs.transformations.metres import area_m2
from libs.transformations.row_wise import BOX, INNER, Condition, KnownGeometries, RowWise
from libs.transformations.tables import (
    PROCESSED_TABLE,
    RAW_TABLE,
    ROW_ID,
    Rewrite,
    column,
    create_table,
    drop_columns,
    named,
    upon,
)

_PLACE, _AREA_BEFORE, _AREA_AFTER = "__place", "__area_before", "__area_after"
_VERTICES = "__vertices_{}"

_RAW = sql.SQL("(SELECT *, ctid AS {place} FROM {table}) AS t")
_LAYER = sql.SQL("(SELECT {columns} FROM {source} WHERE {condition} OFFSET '0') AS t")
_ORDINARY = sql.SQL(
    "CASE WHEN {conditions} THEN true ELSE ('row ' || t.{rid} || ' is not ordinary')::boolean END"
)
"""Such a text is no boolean: an expression has no other way to end a statement."""

_VERTICES_OF = sql.SQL("coalesce(ST_NPoints({geometry}), 0)")
_BOX_OF = sql.SQL("Box3D({})")
_INNER_OF = sql.SQL(
    "CASE WHEN {roundness} IS NOT NULL AND {stays_round}"
    " THEN {roundness} * (ST_YMax({box}) - ST_YMin({box})) / 2 END"
)
"""The farthest vertex is as far from the middle as half the box is high, at least."""
_UNKNOWN, _ALWAYS = sql.SQL("NULL::double precision").format(), sql.SQL("true").format()

_JOINED = sql.SQL(
    "{results}, LATERAL (SELECT {place} AS place, {vertices_before} AS vertices,"
    " {vertices_before} = 0 AS is_empty, {area_before} AS area) AS a, LATERAL (SELECT p.ctid"
    " AS place, {vertices_after} AS vertices, {vertices_after} = 0 AS is_empty,"
    " {area_after} AS area) AS b"
)


@dataclass(frozen=True)
class OnePass:
    """The statements, in their order."""

    create: sql.Composed
    """Makes `processed` of `raw_data`; an InputError, when a row is not ordinary."""
    measures: sql.Composed
    """A query of one row for each step that rewrites: the fields of GeometryChange."""
    rewrites: tuple[bool, ...]
    """Which of the steps do."""
    tidy: sql.Composed
    """Takes the columns away that only the measures need."""


def one_pass(
    plan: Sequence[PlannedStep], schema: str, columns: Sequence[str], known: KnownGeometries
) -> OnePass | None:
    """The plan in one pass over `raw_data`; `columns` as in `VectorStep.generate_sql`.

    `known`: of the geometries in `raw_data`. An ordinary row's steps do not change its type.

    None: a step cannot be done row by row, or no step rewrites anything.
    """
    steps = [planned.step.row_wise(known) for planned in plan]
    found = [row for row in steps if row is not None]
    rewriting = [row for row in found if row.rewrite is not None]
    if len(found) < len(plan) or not rewriting:
        return None
    if any(row.change is not None for row in rewriting[:-1]):
        return None  # its result would have to be kept, to measure how far lines moved
    way = _Way(schema, plan[0].step.geometry_column, columns, known)
    for step, row in zip(plan, found, strict=True):
        way.through(step, row)
    rewrites = tuple(row.rewrite is not None for row in found)
    return OnePass(way.create(), way.measures(), rewrites, way.tidy())


class _Way:
    """A row on its way: the FROM item `t` that gives it, and what goes on with it."""

    def __init__(
        self, schema: str, geometry_column: str, columns: Sequence[str], known: KnownGeometries
    ) -> None:
        self._known = known
        self._tables = Compared(schema, RAW_TABLE, PROCESSED_TABLE, geometry_column, None)
        self._geometry = column(geometry_column)
        self._carried = [name for name in columns if name != geometry_column]
        self._facts: list[str] = [_PLACE]
        self._conditions: list[Condition] = []
        self._is_valid = False
        self._roundness = [] if known.roundness is None else [column(known.roundness)]
        self._stays_round = _ALWAYS if self._roundness else None
        self._rewrites: list[Rewrite] = []
        self._source = _RAW.format(table=self._tables.input, place=sql.Identifier(_PLACE))
        self._measures: list[Measure] = []
        self._measures_areas = False

    def through(self, planned: PlannedStep, row: RowWise) -> None:
        """Take the row through a step."""
        self._conditions += row.arrives
        if row.rewrite is None:
            return
        self._tables = replace(self._tables, crs=planned.step.crs)
        self._measures_areas = row.change is not None
        before = self._recomputed()
        rewrite = (row.rewrite_of_valid if self._is_known_valid() else None) or row.rewrite
        stays_round = None if self._rewrites or self._stays_round is None else row.stays_round
        self._go_on(self._facts_now(_AREA_BEFORE), rewrite, stays_round)
        self._conditions += row.leaves
        if row.change is None:
            self._measures.append(counted(*self._vertices(), number=len(self._rewrites)))
        else:
            self._measures.append(changed(self._tables, row.change, self._joined(), before))

    def create(self) -> sql.Composed:
        """The statement, once the row has been through all steps."""
        self._stop(self._facts_now(_AREA_AFTER), self._geometry)
        columns = [*self._kept(), self._geometry]
        return create_table(self._tables.output, columns, self._source)

    def measures(self) -> sql.Composed:
        """The query, once the row has been through all steps."""
        source = self._joined() if self._measures_areas else self._results()
        return measures_sql(self._measures, source)

    def tidy(self) -> sql.Composed:
        return drop_columns(self._tables.output, self._facts)

    def _is_known_valid(self) -> bool:
        """Whether a geometry that meets the conditions must be valid."""
        return self._is_valid or any(condition.proves_validity for condition in self._conditions)

    def _stop(self, facts: dict[str, sql.Composable], *go_on: sql.Composable) -> None:
        """A layer in which conditions are checked, facts become columns, and others go on."""
        self._is_valid = self._is_known_valid()
        asked: list[sql.Composed] = []
        for condition in self._conditions:
            if (wanted := self._asked(condition)) not in asked:
                asked.append(wanted)
        conditions = sql.SQL(" AND ").join(
            sql.SQL("({}) IS NOT FALSE").format(condition) for condition in asked
        )
        new = [named(facts[name], name) for name in facts]
        seen = [(BOX, _BOX_OF.format(self._geometry)), (INNER, self._inner())]
        self._source = _LAYER.format(
            columns=sql.SQL(", ").join([*self._kept(), *new, *go_on]),
            source=upon(self._source, seen),
            condition=_ORDINARY.format(conditions=conditions, rid=sql.Identifier(ROW_ID))
            if self._conditions
            else sql.SQL("true"),
        )
        self._facts += facts
        self._conditions = []

    def _asked(self, condition: Condition) -> sql.Composed:
        asked = condition.asked_of(valid=self._is_valid)
        if condition.proves_validity and self._stays_round is not None:
            return sql.SQL("{} IS NOT NULL OR {}").format(column(INNER), asked)
        return asked

    def _inner(self) -> sql.Composed:
        """What the column INNER holds at this point."""
        if self._stays_round is None:
            return _UNKNOWN
        [roundness] = self._roundness
        return _INNER_OF.format(roundness=roundness, stays_round=self._stays_round, box=column(BOX))

    def _go_on(
        self,
        facts: dict[str, sql.Composable],
        rewrite: Rewrite,
        stays_round: sql.Composed | None,
    ) -> None:
        """Stop, and then the step's result takes the geometry's place.

        What can be computed in the layer of the stop is, since each layer costs a row 0.1 µs: a
        row's conditions are checked before anything else of it is computed.
        """
        result = self._as_geometry(rewrite.result)
        more = [] if stays_round is None else self._roundness
        if rewrite.layers:
            (name, value), *others = rewrite.layers
            self._stop(facts, self._geometry, column(INNER), named(value, name), *more)
            self._source = _LAYER.format(
                columns=sql.SQL(", ").join([*self._kept(), result, *more]),
                source=upon(self._source, others),
                condition=sql.SQL("true"),
            )
        else:
            self._stop(facts, result, *more)
        self._rewrites.append(rewrite)
        self._is_valid = False
        self._stays_round = stays_round

    def _kept(self) -> list[sql.Identifier]:
        return [column(name) for name in (*self._carried, *self._facts)]

    def _facts_now(self, area: str) -> dict[str, sql.Composable]:
        """What the measures need of the geometry as it is now, its area under the name `area`."""
        vertices = _VERTICES_OF.format(geometry=self._geometry)
        facts: dict[str, sql.Composable] = {_VERTICES.format(len(self._rewrites)): vertices}
        if self._measures_areas:
            facts[area] = self._area()
        return facts

    def _area(self) -> sql.Composed:
        crs, are_points = self._tables.crs, self._known.are_points
        return area_m2(self._geometry, crs, column(BOX), are_points=are_points)

    def _results(self) -> sql.Composed:
        """A FROM item: `p` is a row of the result."""
        return sql.SQL("{} AS p").format(self._tables.output)

    def _joined(self) -> sql.Composed:
        """The same, and beside it `a`, the row before the last rewrite, and `b`, after it."""
        before, after = self._vertices()
        return _JOINED.format(
            results=self._results(),
            place=sql.Identifier("p", _PLACE),
            vertices_before=before,
            vertices_after=after,
            area_before=sql.Identifier("p", _AREA_BEFORE),
            area_after=sql.Identifier("p", _AREA_AFTER),
        )

    def _vertices(self) -> tuple[sql.Identifier, sql.Identifier]:
        """How many a row `p` of the result had before the last rewrite, and after it."""
        last = len(self._rewrites)
        before, after = _VERTICES.format(last - 1), _VERTICES.format(last)
        return sql.Identifier("p", before), sql.Identifier("p", after)

    def _recomputed(self) -> sql.Composed:
        """The geometry before the next rewrite, from a row `a` of `raw_data`."""
        raw = self._as_geometry(self._tables.geometry("a"))
        source = sql.SQL("(SELECT {}) AS t").format(raw)
        for rewrite in self._rewrites:
            result, layers = self._as_geometry(rewrite.result), upon(source, rewrite.layers)
            source = sql.SQL("(SELECT {} FROM {}) AS t").format(result, layers)
        return sql.SQL("(SELECT {} FROM {})").format(self._geometry, source)

    def _as_geometry(self, value: sql.Composable) -> sql.Composed:
        return named(value, self._tables.geometry_column)
