"""CONTEXT.md says what scripts may rely on: it is held against the code."""

import re
from pathlib import Path

import libs.cli
from libs.cli.exits import MEANINGS
from libs.cli.recipe_command import recipes_of
from libs.transformations import RecipeRegistry

TEXT = (Path(libs.cli.__file__).parent / "CONTEXT.md").read_text(encoding="utf-8")


def test_the_exit_codes_are_those_of_the_code():
    rows = dict(re.findall(r"^\| (\d+) \| (.+) \|$", TEXT, re.MULTILINE))
    assert {int(code): words.replace("`", "") for code, words in rows.items()} == {
        code.value: words for code, words in MEANINGS.items()
    }


def test_every_class_that_json_prints_exists():
    from libs.cli import reports, stack_reports

    table = TEXT.partition("## `--json`")[2].partition("## Exit codes")[0]
    for module, name in re.findall(r"`(reports|stack_reports)\.(\w+)`", table):
        assert hasattr({"reports": reports, "stack_reports": stack_reports}[module], name)


def test_each_intent_that_the_platform_knows_is_listed_with_its_hash():
    registry = RecipeRegistry.load()
    listed = {line.intent: line for line in recipes_of(registry).recipes}
    assert listed["ingest_vector"].hash == registry.get_vector_recipe("ingest_vector").hash
    assert [line.intent for line in listed.values() if line.is_default] == [
        "ingest_vector", "ingest_satellite_raster",
    ]  # fmt: skip
    assert "ingest_road_network" in listed
