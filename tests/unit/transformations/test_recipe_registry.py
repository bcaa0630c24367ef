"""From intent to recipe."""

from __future__ import annotations

from pathlib import Path

import pytest

from libs.models import AssetKind
from libs.transformations import RecipeRegistry, ResolvedRecipe

VECTOR, RASTER = AssetKind.VECTOR, AssetKind.RASTER

OWN = """
kind: vector
name: {name}
version: "7.0"
title: Our own
steps: [{{kind: linearise_curves}}]
"""


@pytest.fixture(scope="module")
def registry() -> RecipeRegistry:
    return RecipeRegistry.load()


def test_the_built_in_recipes_are_there(registry: RecipeRegistry) -> None:
    assert registry.intents(VECTOR) == (
        "ingest_building_footprints",
        "ingest_road_network",
        "ingest_vector",
        "ingest_vector_lossless",
    )
    assert registry.intents(RASTER) == ("ingest_satellite_raster",)


def test_the_class_answers_for_the_built_in_recipes(registry: RecipeRegistry) -> None:
    recipe = RecipeRegistry.get_vector_recipe("ingest_road_network")
    assert recipe == registry.get_vector_recipe("ingest_road_network")
    assert RecipeRegistry.get_raster_recipe("ingest_satellite_raster").steps[-1].kind == "cog"


def test_an_unknown_intent_gets_the_default_and_the_nearest_name(registry: RecipeRegistry) -> None:
    resolved = registry.resolve(VECTOR, "ingest_raod_netwrok")
    assert resolved.recipe.name == "ingest_vector"
    assert resolved.is_default_for_unknown_intent
    assert resolved.nearest_known_intent == "ingest_road_network"
    assert resolved.requested_intent == "ingest_raod_netwrok"


def test_upper_case_is_a_typo_that_is_seen(registry: RecipeRegistry) -> None:
    resolved = registry.resolve(VECTOR, "INGEST_VECTOR_LOSSLESS")
    assert resolved.is_default_for_unknown_intent
    assert resolved.nearest_known_intent == "ingest_vector_lossless"


def test_an_intent_that_resembles_nothing_has_no_nearest(registry: RecipeRegistry) -> None:
    assert registry.resolve(VECTOR, "%%%").nearest_known_intent is None


def test_a_known_intent_is_no_default(registry: RecipeRegistry) -> None:
    resolved = registry.resolve(VECTOR, "ingest_vector")
    assert not resolved.is_default_for_unknown_intent
    assert resolved.nearest_known_intent is None


def test_a_raster_file_under_a_vector_intent_gets_the_raster_default(registry) -> None:
    resolved = registry.resolve(RASTER, "ingest_vector")
    assert resolved.recipe.name == "ingest_satellite_raster"
    assert resolved.is_default_for_unknown_intent


def test_a_folders_recipes_join_the_built_in_ones_and_may_replace_them(tmp_path: Path) -> None:
    for name in ("survey", "ingest_road_network"):
        (tmp_path / f"{name}.yaml").write_text(OWN.format(name=name))
    registry = RecipeRegistry.load(tmp_path)
    assert registry.get_vector_recipe("survey").version == "7.0"
    assert registry.get_vector_recipe("ingest_road_network").version == "7.0"
    assert registry.get_vector_recipe("ingest_vector").version != "7.0"
    assert RecipeRegistry.get_vector_recipe("ingest_road_network").version != "7.0"


def test_a_resolved_recipe_survives_json_and_keeps_its_hash(registry: RecipeRegistry) -> None:
    for kind, intent in ((VECTOR, "ingest_vector"), (RASTER, "nothing of the kind")):
        resolved = registry.resolve(kind, intent)
        again = ResolvedRecipe.model_validate_json(resolved.model_dump_json())
        assert again == resolved
        assert again.recipe.hash == resolved.recipe.hash
