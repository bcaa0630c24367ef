"""Recipes as YAML: what is accepted, and how every fault is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from libs.transformations import RecipeError, SimplifyGeometryStep, VectorRecipe
from libs.transformations.recipe_files import BUILT_IN_DIR, read_recipe, read_recipes

GOOD = """
kind: vector
name: survey
version: "1.2"
title: Survey
steps:
  - kind: linearise_curves
  - kind: normalize_crs
    target_crs: EPSG:3035
  - kind: simplify_geometry
    tolerance: 0.5
"""


def written(folder: Path, text: str, name: str = "survey.yaml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def faults(folder: Path, text: str, name: str = "survey.yaml") -> str:
    with pytest.raises(RecipeError) as caught:
        read_recipe(written(folder, text, name))
    return str(caught.value)


def test_a_new_intent_needs_no_python(tmp_path: Path) -> None:
    recipe = read_recipe(written(tmp_path, GOOD))
    assert isinstance(recipe, VectorRecipe)
    assert recipe.steps[2] == SimplifyGeometryStep(tolerance=0.5)
    assert recipe.steps[2].preserve_topology is True


def test_an_unknown_field_is_named_with_its_path(tmp_path: Path) -> None:
    message = faults(tmp_path, GOOD.replace("tolerance: 0.5", "tolerence: 0.5"))
    assert "survey.yaml: steps[2].tolerence" in message


def test_all_faults_are_named_at_once(tmp_path: Path) -> None:
    text = GOOD.replace("tolerance: 0.5", "tolerance: -1").replace("EPSG:3035", "3035")
    message = faults(tmp_path, text.replace('"1.2"', "1.2"))
    for place in ("steps[2].tolerance", "steps[1].target_crs", "survey.yaml: version"):
        assert place in message


@pytest.mark.parametrize("tolerance", [".inf", ".nan", "0"])
def test_a_tolerance_is_a_positive_number(tmp_path: Path, tolerance: str) -> None:
    assert "steps[2].tolerance" in faults(tmp_path, GOOD.replace("0.5", tolerance))


def test_an_unknown_step_is_named_with_the_known_ones(tmp_path: Path) -> None:
    message = faults(tmp_path, GOOD.replace("simplify_geometry", "simplify"))
    assert "steps[2]" in message
    assert "simplify_geometry" in message


def test_a_key_that_stands_twice_is_an_error_with_its_line(tmp_path: Path) -> None:
    message = faults(tmp_path, GOOD + "title: Another\n")
    assert "'title' stands twice" in message
    assert "line 12" in message


def test_a_key_that_stands_twice_deep_inside_is_an_error_too(tmp_path: Path) -> None:
    assert "'tolerance' stands twice" in faults(tmp_path, GOOD + "    tolerance: 2\n")


@pytest.mark.parametrize(
    "text",
    [
        "steps: [",
        "!!python/object/apply:os.getcwd []",
        "\x00",
        "a: &a [*a]",
        "? [1, 2]\n: 3",
        "name: 2024-13-45",
        "",
        "[]",
    ],
)
def test_what_is_no_recipe_is_an_error_that_names_the_file(tmp_path: Path, text: str) -> None:
    assert "survey.yaml" in faults(tmp_path, text)


def test_the_file_is_called_as_the_recipe(tmp_path: Path) -> None:
    message = faults(tmp_path, GOOD, name="other.yaml")
    assert "'survey'" in message
    assert "'other'" in message


@pytest.mark.parametrize("later", ["normalize_crs", "simplify_geometry", "validate_geometry"])
def test_curves_are_straightened_before_steps_that_know_only_lines(tmp_path, later: str) -> None:
    text = f"kind: vector\nname: survey\nversion: '1.0'\ntitle: T\nsteps: [{{kind: {later}}}]\n"
    assert f"steps[0]: {later} needs straight lines" in faults(tmp_path, text)


def test_what_a_run_knows_cannot_be_said_in_a_recipe(tmp_path: Path) -> None:
    for key in ("crs", "_crs", "source_srid", "target_srid"):
        text = GOOD.replace("target_crs: EPSG:3035", f"target_crs: EPSG:3035\n    {key}: 1")
        assert f"steps[1].{key}" in faults(tmp_path, text)


@pytest.mark.parametrize(
    ("steps", "good"),
    [
        ("[{kind: cog}]", True),
        ("[{kind: reproject_raster, target_crs: 'EPSG:3035'}, {kind: cog}]", True),
        ("[{kind: cog, blocksize: 100}]", False),
        ("[{kind: cog}, {kind: reproject_raster, target_crs: 'EPSG:3035'}]", False),
        ("[]", False),
    ],
)
def test_a_raster_recipe_ends_with_its_cog(tmp_path: Path, steps: str, good: bool) -> None:
    text = f"kind: raster\nname: survey\nversion: '1.0'\ntitle: T\nsteps: {steps}\n"
    if good:
        assert read_recipe(written(tmp_path, text)).steps[-1].kind == "cog"
    else:
        assert "steps" in faults(tmp_path, text)


def test_a_folders_faults_are_all_told_together(tmp_path: Path) -> None:
    written(tmp_path, GOOD.replace("kind: vector", "kind: victor"), "survey.yaml")
    written(tmp_path, GOOD.replace("title: Survey", ""), "second.yaml")
    with pytest.raises(RecipeError) as caught:
        read_recipes(tmp_path)
    assert {problem.where.split(":")[0] for problem in caught.value.problems} == {
        "survey.yaml",
        "second.yaml",
    }


def test_a_missing_and_an_empty_folder_are_errors(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "none"):
        with pytest.raises(RecipeError, match=folder.name):
            read_recipes(folder)


def test_the_built_in_recipes_are_the_files_of_configs_recipes() -> None:
    checkout = Path(__file__).parents[3] / "configs" / "recipes"
    assert BUILT_IN_DIR.resolve() == checkout.resolve()
    assert {path.stem for path in checkout.glob("*.yaml")} == {
        recipe.name for recipe in read_recipes(BUILT_IN_DIR)
    }
