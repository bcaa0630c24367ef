"""The base of all vector steps: what a step can be asked for, not which steps there are.

A step writes SQL and runs none. `libs.transformations.runner` knows the order in which its
statements are run.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TypeVar

from psycopg import sql
from pydantic import Field, PrivateAttr

from libs.models import Frozen, ParameterValue
from libs.transformations.binding import BoundCRS
from libs.transformations.contract import geometry_contract_sql
from libs.transformations.row_wise import KnownGeometries, RowWise
from libs.transformations.tables import rename_table

StepT = TypeVar("StepT", bound="VectorStep")


class VectorStep(Frozen, ABC):
    """One step of a vector recipe; a subclass narrows `kind` to its own name.

    Only what a recipe may say is a field; what a run knows (the CRS) is bound to a copy.
    """

    kind: str
    geometry_column: str = Field(default="geom", min_length=1, max_length=63)
    _crs: BoundCRS | None = PrivateAttr(default=None)
    _is_last: bool = PrivateAttr(default=False)

    @property
    def crs(self) -> BoundCRS | None:
        """The CRS of the input table; None: not known, so the geometries' own SRID counts."""
        return self._crs

    def bound(self: StepT, crs: BoundCRS) -> StepT:
        """The same step, knowing the CRS of its input table."""
        copy = self.model_copy()
        copy._crs = crs
        return copy

    @property
    def is_last(self) -> bool:
        """Whether a plan ends with it, so that no step reads what it makes."""
        return self._is_last

    def as_last(self: StepT) -> StepT:
        """The same step at the end of a plan."""
        copy = self.model_copy()
        copy._is_last = True
        return copy

    @abstractmethod
    def generate_sql(
        self, schema: str, input_table: str, output_table: str, columns: Sequence[str] = ()
    ) -> sql.Composed:
        """The statement, or statements, that make the output table (unlogged) from the input.

        `columns`: the other columns to carry over unchanged; none named: all of them (slower).
        Afterwards the output exists; the input may not (a step that changes nothing renames it).
        """

    @abstractmethod
    def describe(self) -> str:
        """What it does, in one sentence for a reader of the lineage."""

    def needed_sql(self, schema: str, input_table: str) -> sql.Composed | None:
        """A query of one boolean: false, when the step would change no row. None: always run it.

        When it is false, `keep_sql` takes the place of `generate_sql`, and nothing is copied.
        """
        return None

    def keep_sql(self, schema: str, input_table: str, output_table: str) -> sql.Composed:
        """The statement that hands the table on as it is."""
        return rename_table(schema, input_table, output_table)

    def row_wise(self, known: KnownGeometries) -> RowWise | None:
        """The step as expressions over a row, to share a statement with others; see `one_pass`.

        What the types of all geometries say need not be asked of a row.
        None: it needs its own statements, whatever the rows.
        """
        return None

    def measure_sql(self, schema: str, input_table: str, output_table: str) -> sql.Composed | None:
        """A query of one row: the fields of GeometryChange by name and in order. None: no change.

        It joins both tables on `rid`, so it is asked after `generate_sql`, not after `keep_sql`.
        A setting for the transaction may come before it.
        """
        return None

    def arrival_faults_sql(self, schema: str, input_table: str) -> sql.Composed | None:
        """A query of the rows that must not go on, asked even where the step changes none."""
        return None

    def input_faults_sql(self, schema: str, input_table: str) -> sql.Composed | None:
        """A query of the rows that the step refuses, to be asked before it; see `faults`."""
        return None

    def output_faults_sql(self, schema: str, output_table: str) -> sql.Composed | None:
        """A query of the rows that came out unusable, to be asked after it; see `faults`."""
        return None

    def diagnosis_sql(self, schema: str, input_table: str) -> sql.Composed | None:
        """A query of the rows at fault, to be asked when `generate_sql`'s statement failed."""
        return None

    def geometry_contract_sql(self, schema: str, table: str) -> sql.Composed:
        """A query of the names of a table's geometry columns; see `contract.check_contract`."""
        return geometry_contract_sql(schema, table)

    def parameters(self) -> dict[str, ParameterValue]:
        """What the recipe set, for the lineage: flat, defaults included."""
        return {
            name: value
            for name, value in self.model_dump(mode="json").items()
            if name not in ("kind", "geometry_column")
        }
