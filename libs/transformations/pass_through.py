"""The step of a recipe that has none: the data becomes the result as it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from psycopg import sql

from libs.transformations.step import VectorStep


class PassThroughStep(VectorStep):
    """Makes the input table the output. Not for recipes: planning puts it where nothing else is."""

    kind: Literal["pass_through"] = "pass_through"

    def generate_sql(
        self, schema: str, input_table: str, output_table: str, columns: Sequence[str] = ()
    ) -> sql.Composed:
        return self.keep_sql(schema, input_table, output_table)

    def describe(self) -> str:
        return "The features were taken over as they were."
