"""Recipes from YAML files. Strict: all problems at once, each with its file and field."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import TypeAdapter, ValidationError

from libs.errors import Problem
from libs.transformations.errors import RecipeError
from libs.transformations.recipes import AnyRecipe, RasterRecipe, VectorRecipe

if TYPE_CHECKING:
    import yaml

BUILT_IN_DIR = Path(__file__).parent / "built_in_recipes"
"""In a checkout a link to configs/recipes, in an installed package a folder with the same files."""

_ENDINGS = (".yaml", ".yml")


def read_recipes(folder: Path) -> tuple[VectorRecipe | RasterRecipe, ...]:
    """Every recipe of a folder, by file name.

    Raises:
        RecipeError: the folder is missing or empty, or files are wrong: all of them are named.
    """
    if not folder.is_dir():
        cure = "Name an existing folder in ETL_RECIPES_DIR."
        raise RecipeError([Problem(where=str(folder), what="is not a folder.", cure=cure)])
    paths = sorted(path for path in folder.iterdir() if path.suffix in _ENDINGS)
    recipes: list[VectorRecipe | RasterRecipe] = []
    problems: list[Problem] = []
    for path in paths:
        try:
            recipes.append(read_recipe(path))
        except RecipeError as error:
            problems.extend(error.problems)
    problems.extend(_named_twice(recipes))
    if not paths:
        problems.append(Problem(where=str(folder), what="has no recipe (*.yaml) in it."))
    if problems:
        raise RecipeError(problems)
    return tuple(recipes)


def read_recipe(path: Path) -> VectorRecipe | RasterRecipe:
    """The recipe of one file, whose stem is the recipe's name.

    Raises:
        RecipeError: it cannot be read, is no YAML, or is no recipe.
    """
    import yaml

    try:
        data = yaml.load(path.read_text(encoding="utf-8"), Loader=_strict_loader())  # noqa: S506
    except OSError as error:
        raise RecipeError([Problem(where=path.name, what=f"cannot be read: {error}.")]) from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        what = f"is not YAML: {' '.join(str(error).split())}."
        raise RecipeError([Problem(where=path.name, what=what)]) from error
    try:
        recipe: VectorRecipe | RasterRecipe = TypeAdapter(AnyRecipe).validate_python(data)
    except ValidationError as error:
        raise RecipeError(list(_problems(path, error))) from error
    if recipe.name != path.stem:
        what = f"is {recipe.name!r}, but the file is called {path.stem!r}."
        raise RecipeError(
            [Problem(where=f"{path.name}: name", what=what, cure="Make them the same.")]
        )
    return recipe


def _named_twice(recipes: list[VectorRecipe | RasterRecipe]) -> Iterator[Problem]:
    names = [recipe.name for recipe in recipes]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield Problem(where=name, what="is the name of more than one recipe file.")


def _problems(path: Path, error: ValidationError) -> Iterator[Problem]:
    for fault in error.errors():
        yield Problem(where=f"{path.name}: {_field_path(fault['loc'])}", what=f"{fault['msg']}.")


def _field_path(location: tuple[int | str, ...]) -> str:
    """`steps[1].tolerance` of pydantic's ("vector", "steps", 1, "simplify_geometry", "tolerance").

    The names of the union's members, the first part and the one after an index, are left out.
    """
    path = ""
    for before, part in zip((None, *location), location, strict=False):
        if isinstance(part, int):
            path += f"[{part}]"
        elif not isinstance(before, int) and before is not None:
            path += f".{part}" if path else str(part)
    return path or "the file"


def _strict_loader() -> type[yaml.SafeLoader]:
    import yaml

    class StrictLoader(yaml.SafeLoader):
        """A safe loader to which a key that stands twice is an error."""

        def construct_mapping(
            self, node: yaml.MappingNode, deep: bool = False
        ) -> dict[Hashable, object]:
            seen: set[str] = set()
            for key, _ in node.value:
                if not isinstance(key, yaml.ScalarNode):
                    raise yaml.YAMLError("a key is a list or a mapping")
                if key.value in seen:
                    place = f"line {key.start_mark.line + 1}"
                    raise yaml.YAMLError(f"the key {key.value!r} stands twice ({place})")
                seen.add(key.value)
            return super().construct_mapping(node, deep)

    return StrictLoader
