"""From an intent to its recipe; an unknown one gets the default recipe, and that is said."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache, partial
from pathlib import Path
from typing import Generic, TypeVar

from libs.errors import Problem
from libs.models import AssetKind
from libs.transformations.errors import RecipeError
from libs.transformations.recipe_files import BUILT_IN_DIR, read_recipes
from libs.transformations.recipes import RasterRecipe, ResolvedRecipe, VectorRecipe

DEFAULT_INTENTS: Mapping[AssetKind, str] = {
    AssetKind.VECTOR: "ingest_vector",
    AssetKind.RASTER: "ingest_satellite_raster",
}
"""The recipes that files of an unknown intent are made with."""

RecipeT = TypeVar("RecipeT", VectorRecipe, RasterRecipe)


class _OfInstanceOrBuiltIns(Generic[RecipeT]):
    """A method that may also be called on the class: then it answers for the built-in recipes."""

    def __init__(self, function: Callable[[RecipeRegistry, str], RecipeT]) -> None:
        self._function: Callable[[RecipeRegistry, str], RecipeT] = function
        self.__doc__ = function.__doc__

    def __get__(
        self, instance: RecipeRegistry | None, owner: type[RecipeRegistry]
    ) -> Callable[[str], RecipeT]:
        return partial(self._function, instance if instance is not None else _built_ins())


class RecipeRegistry:
    """The recipes by kind and name."""

    def __init__(self, recipes: Iterable[VectorRecipe | RasterRecipe]) -> None:
        """Where two have one name, the later one counts."""
        by_name = {recipe.name: recipe for recipe in recipes}
        self._vector = _sorted(by_name.values(), VectorRecipe)
        self._raster = _sorted(by_name.values(), RasterRecipe)
        missing = [
            intent for kind, intent in DEFAULT_INTENTS.items() if intent not in self.intents(kind)
        ]
        if missing:
            raise RecipeError([Problem(where=name, what="is missing.") for name in missing])

    @classmethod
    def load(cls, recipes_dir: Path | None = None) -> RecipeRegistry:
        """The built-in recipes and those of a folder, which may replace built-in ones by name.

        Raises:
            RecipeError: names every problem of every file.
        """
        own = read_recipes(recipes_dir) if recipes_dir is not None else ()
        return cls((*read_recipes(BUILT_IN_DIR), *own))

    @_OfInstanceOrBuiltIns
    def get_vector_recipe(self, intent: str) -> VectorRecipe:
        """The vector recipe of an intent, the default one for an unknown intent."""
        return self._vector.get(intent) or self._vector[DEFAULT_INTENTS[AssetKind.VECTOR]]

    @_OfInstanceOrBuiltIns
    def get_raster_recipe(self, intent: str) -> RasterRecipe:
        """The raster recipe of an intent, the default one for an unknown intent."""
        return self._raster.get(intent) or self._raster[DEFAULT_INTENTS[AssetKind.RASTER]]

    def intents(self, kind: AssetKind) -> tuple[str, ...]:
        """The known intents of a kind, sorted."""
        return tuple(self._vector if kind is AssetKind.VECTOR else self._raster)

    def recipes(self) -> tuple[VectorRecipe | RasterRecipe, ...]:
        """All recipes, vector ones first, each kind by name."""
        return (*self._vector.values(), *self._raster.values())

    def resolve(self, kind: AssetKind, intent: str) -> ResolvedRecipe:
        """The recipe that a file of this kind is made with, and whether it was asked for."""
        is_vector = kind is AssetKind.VECTOR
        recipe = self.get_vector_recipe(intent) if is_vector else self.get_raster_recipe(intent)
        if recipe.name == intent:
            return ResolvedRecipe(recipe=recipe, requested_intent=intent)
        return ResolvedRecipe(
            recipe=recipe,
            requested_intent=intent,
            is_default_for_unknown_intent=True,
            nearest_known_intent=nearest(intent, self.intents(kind)),
        )


def nearest(intent: str, known: Iterable[str]) -> str | None:
    """The known intent that this one most resembles; None: it resembles none."""
    found = difflib.get_close_matches(intent.lower(), list(known), n=1, cutoff=0.4)
    return found[0] if found else None


def _sorted(
    recipes: Iterable[VectorRecipe | RasterRecipe], kind: type[RecipeT]
) -> dict[str, RecipeT]:
    ours = [recipe for recipe in recipes if isinstance(recipe, kind)]
    return {recipe.name: recipe for recipe in sorted(ours, key=lambda recipe: recipe.name)}


@lru_cache(maxsize=1)
def _built_ins() -> RecipeRegistry:
    return RecipeRegistry.load()
