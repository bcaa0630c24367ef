"""Errors of recipes and of their steps; those of servers come from the layer that runs the SQL."""

from __future__ import annotations

from collections.abc import Sequence

from libs.errors import ConfigError, InputError, OperatorError, Problem


class RecipeError(ConfigError):
    """Recipe files are wrong; carries every problem found, each with its file and field path."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems: tuple[Problem, ...] = tuple(problems)
        super().__init__("Recipes: " + "; ".join(map(str, self.problems)))


class GeometryContractError(OperatorError):
    """A table between two steps has not just the one geometry column that it promises."""

    def __init__(self, schema: str, table: str, expected: str, found: Sequence[str]) -> None:
        self.found = tuple(found)
        named = ", ".join(map(repr, found)) if found else "none"
        super().__init__(
            f"{schema}.{table} must have exactly one geometry column, {expected!r}; "
            f"found: {named}. Check the recipe's geometry_column and what made the table."
        )


class UnboundCrsError(OperatorError):
    """SQL was asked of a step that does not know which SRID stands for its CRS."""

    def __init__(self, step: str, code: str) -> None:
        super().__init__(
            f"{step}: no SRID is known for {code}; register the CRS and plan the recipe with it."
        )


class StepRefusedRowsError(InputError):
    """Rows that a step must not take: named, so that none of them is dropped in silence."""
