"""A schema on a real PostGIS, geometries put in, a step run, geometries read back as shapely's."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence

import pytest
import shapely
from psycopg import sql

from libs.compute import PostGIS
from libs.models import RunSchema
from libs.spatial_utils.crs import describe
from libs.transformations import (
    BoundCRS,
    NormalizeCRSStep,
    PlannedStep,
    StepOutcome,
    VectorStep,
    run_step,
)

CREATE = sql.SQL("CREATE TABLE {} (rid bigint, {} geometry, c0 integer, c1 text)")


class Workbench:
    """Tables have `rid`, `geom`, `c0` (ten times rid) and `c1` (a letter and rid)."""

    def __init__(self, compute: PostGIS, schema: RunSchema) -> None:
        self.compute = compute
        self.schema = schema

    def load(self, geometries: Sequence[object], table: str = "raw_data", column: str = "geom"):
        """Shapely geometries, WKT or None, one a row."""
        name = sql.Identifier(self.schema.name, table)
        rows = [
            (rid, geometry if isinstance(geometry, str) else _hex(geometry), 10 * rid, f"r{rid}")
            for rid, geometry in enumerate(geometries)
        ]
        insert = sql.SQL("INSERT INTO {} VALUES (%s, %s::geometry, %s, %s)").format(name)
        with self.compute.connection(self.schema) as connection:
            connection.execute(CREATE.format(name, sql.Identifier(column)))
            connection.cursor().executemany(insert, rows)

    def claim(self, roundness: Sequence[float | None], table: str = "raw_data") -> None:
        """What the table tells of each row's roundness, by rid, in its column `__roundness`."""
        name = sql.Identifier(self.schema.name, table)
        tell = sql.SQL("UPDATE {} SET __roundness = %s WHERE rid = %s").format(name)
        with self.compute.connection(self.schema) as connection:
            connection.execute(sql.SQL("ALTER TABLE {} ADD __roundness real").format(name))
            told = [(value, rid) for rid, value in enumerate(roundness) if value is not None]
            connection.cursor().executemany(tell, told)

    def execute(self, statement: sql.Composed):
        return self.compute.run_step(self.schema, statement)

    def bound(self, step: VectorStep, code: str = "EPSG:4326") -> VectorStep:
        if isinstance(step, NormalizeCRSStep):
            return step.bound_to(self.crs(code), self.crs(step.target_crs))
        return step.bound(self.crs(code))

    def crs(self, code: str) -> BoundCRS:
        return BoundCRS(crs=describe(code), srid=self.compute.register_crs(code))

    def run(
        self, step: VectorStep, code: str = "EPSG:4326", columns: Sequence[str] = ("rid", "c0")
    ) -> StepOutcome:
        """From `raw_data` to `step_0`, the way the flow does it."""
        bound = self.bound(step, code)
        planned = PlannedStep(
            step=bound, input_table="raw_data", output_table="step_0", crs=describe(code)
        )
        return run_step(planned, self.schema.name, columns, self.execute)

    def generate(self, step: VectorStep, columns: Sequence[str] = ("rid",)) -> None:
        """Only the step's own statement."""
        self.execute(step.generate_sql(self.schema.name, "raw_data", "step_0", columns))

    def column(self, expression: str, table: str = "step_0") -> list:
        """The expression for each row, by rid."""
        query = sql.SQL("SELECT {} FROM {} ORDER BY rid").format(
            sql.SQL(expression), sql.Identifier(self.schema.name, table)
        )
        return [value for (value,) in self.execute(query)]

    def geometries(self, table: str = "step_0") -> list:
        """Of each row, by rid, as shapely has them."""
        return [
            None if wkb is None else shapely.from_wkb(bytes(wkb))
            for wkb in self.column("ST_AsBinary(geom)", table)
        ]

    def columns(self, table: str = "step_0") -> list[str]:
        """The names of a table's columns."""
        query = sql.SQL(
            "SELECT column_name::text FROM information_schema.columns"
            " WHERE table_schema = {} AND table_name = {} ORDER BY ordinal_position"
        ).format(sql.Literal(self.schema.name), sql.Literal(table))
        return [name for (name,) in self.execute(query)]

    def storage(self, table: str) -> int:
        """The number of the file that holds a table: another one after any rewrite."""
        name = sql.Identifier(self.schema.name, table).as_string()
        [(number,)] = self.execute(sql.SQL("SELECT pg_relation_filenode({})").format(name))
        return int(number)


def _hex(geometry: object) -> str | None:
    return None if geometry is None else shapely.to_wkb(geometry, hex=True, include_srid=True)


@pytest.fixture
def workbench(compute) -> Iterator[Workbench]:
    schema = RunSchema(run_id=str(uuid.uuid4()))
    with compute.ephemeral_schema(schema):
        yield Workbench(compute, schema)
