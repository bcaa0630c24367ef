"""`recipes`: which intents there are and what each does; needs no server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from libs.cli.options import JsonOption

if TYPE_CHECKING:
    from libs.cli.reports import RecipeLine, RecipeList
    from libs.transformations import RasterRecipe, RecipeRegistry, VectorRecipe


def recipes(as_json: JsonOption = False) -> None:
    """List the intents, with the steps of each."""
    from libs.cli.terminal import Terminal
    from libs.cli.view import recipe_list
    from libs.settings import Settings
    from libs.transformations import RecipeRegistry

    found = recipes_of(RecipeRegistry.load(Settings().etl.recipes_dir))
    Terminal(as_json=as_json).result(found, recipe_list(found))


def recipes_of(registry: RecipeRegistry) -> RecipeList:
    """The registry's recipes as a report."""
    from libs.cli.reports import RecipeList

    return RecipeList(recipes=tuple(_line(recipe) for recipe in registry.recipes()))


def _line(recipe: VectorRecipe | RasterRecipe) -> RecipeLine:
    from libs.cli.reports import RecipeLine, RecipeStep
    from libs.transformations import DEFAULT_INTENTS

    return RecipeLine(
        intent=recipe.name,
        kind=recipe.asset_kind,
        version=recipe.version,
        hash=recipe.hash,
        title=recipe.title,
        description=recipe.description,
        is_default=recipe.name == DEFAULT_INTENTS[recipe.asset_kind],
        steps=tuple(
            RecipeStep(name=step.kind, parameters=step.parameters()) for step in recipe.steps
        ),
    )
