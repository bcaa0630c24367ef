"""Steps as values, their hashes, and the chain of tables."""

from __future__ import annotations

import math

import pytest

from libs.errors import InputError
from libs.models import CRS
from libs.transformations import (
    CreateSpatialIndexStep,
    GeometryContractError,
    LineariseCurvesStep,
    NormalizeCRSStep,
    RecipeRegistry,
    SimplifyGeometryStep,
    StepRefusedRowsError,
    UnboundCrsError,
    VectorRecipe,
    change_of,
    check_contract,
    plan_steps,
    raise_for_faults,
)


def crs_of(code: str) -> CRS:
    return CRS(code=code, name=code, wkt="", is_geographic=code == "EPSG:4326")


def plan(*steps, code: str = "EPSG:32633"):
    recipe = VectorRecipe(name="r", version="1.0", title="R", steps=steps)
    numbers = {"EPSG:32633": 32633, "EPSG:4326": 4326, "ESRI:54034": 910_001}
    return plan_steps(recipe, source_crs=crs_of(code), crs_of=crs_of, srid_of=numbers.__getitem__)


def test_tables_are_chained_from_raw_data_to_processed() -> None:
    steps = plan(LineariseCurvesStep(), NormalizeCRSStep(), CreateSpatialIndexStep())
    assert [(step.input_table, step.output_table) for step in steps] == [
        ("raw_data", "step_0"),
        ("step_0", "step_1"),
        ("step_1", "processed"),
    ]


def test_a_recipe_without_steps_makes_processed_of_raw_data() -> None:
    [only] = plan()
    assert (only.input_table, only.output_table) == ("raw_data", "processed")


def test_each_step_knows_the_crs_of_its_input() -> None:
    steps = plan(
        LineariseCurvesStep(), SimplifyGeometryStep(), NormalizeCRSStep(), SimplifyGeometryStep()
    )
    assert [step.step.crs.srid for step in steps] == [32633, 32633, 32633, 4326]
    assert [step.crs.code for step in steps] == ["EPSG:32633"] * 2 + ["EPSG:4326"] * 2


def test_srids_are_those_of_the_server_and_not_the_codes_numbers() -> None:
    steps = plan(LineariseCurvesStep(), NormalizeCRSStep(target_crs="ESRI:54034"))
    assert steps[1].step.target_srid == 910_001
    assert steps[1].step.source_srid == 32633


def test_a_recipe_for_another_crs_refuses_the_data() -> None:
    with pytest.raises(InputError, match=r"EPSG:31468.*EPSG:32633"):
        plan(LineariseCurvesStep(), NormalizeCRSStep(source_crs="EPSG:31468"))


def test_a_crs_that_is_not_registered_is_an_error_that_names_it() -> None:
    with pytest.raises(UnboundCrsError, match="ESRI:54034"):
        NormalizeCRSStep(target_crs="ESRI:54034").generate_sql("s", "a", "b")


def test_parameters_are_what_the_recipe_says_and_no_more() -> None:
    [_, step] = plan(LineariseCurvesStep(), NormalizeCRSStep())
    assert step.step.parameters() == {"target_crs": "EPSG:4326", "source_crs": None}
    assert SimplifyGeometryStep(tolerance=2).parameters() == {
        "tolerance": 2.0,
        "preserve_topology": True,
    }


def test_every_step_describes_itself_in_one_sentence() -> None:
    for recipe in RecipeRegistry.load().recipes():
        for step in recipe.steps:
            assert step.describe().endswith(".")
            assert "\n" not in step.describe()


def test_a_hash_depends_on_the_meaning_and_not_on_the_spelling() -> None:
    short = VectorRecipe(name="r", version="1.0", title="R", steps=(LineariseCurvesStep(),))
    explicit = VectorRecipe.model_validate(
        {
            "steps": [{"segments_per_quadrant": 32, "kind": "linearise_curves"}],
            "title": "R", "version": "1.0", "name": "r", "kind": "vector",
        }
    )  # fmt: skip
    other = short.model_copy(update={"steps": (LineariseCurvesStep(segments_per_quadrant=33),)})
    assert short.hash == explicit.hash != other.hash
    assert len(short.hash) == 64


def test_steps_of_different_geometry_columns_are_refused() -> None:
    with pytest.raises(ValueError, match="different geometry columns"):
        plan(LineariseCurvesStep(), CreateSpatialIndexStep(geometry_column="shape"))


@pytest.mark.parametrize("found", [[], [("shape",)], [("geom",), ("other",)]])
def test_the_contract_names_table_and_columns(found) -> None:
    with pytest.raises(GeometryContractError, match=r"proc_1\.step_3") as caught:
        check_contract("proc_1", "step_3", "geom", found)
    assert caught.value.found == tuple(name for (name,) in found)
    check_contract("proc_1", "step_3", "geom", [("geom",)])


def test_faults_name_rows_and_count_the_rest() -> None:
    raise_for_faults([], "Repair it.")
    with pytest.raises(StepRefusedRowsError) as caught:
        raise_for_faults([(7, "is bent", "POINT(1 2)", 5), (9, "is bent", None, 5)], "Repair it.")
    first, second, rest = caught.value.problems
    assert first.where == "row 7, counted from 0"
    assert first.what == "is bent at POINT(1 2)."
    assert second.what == "is bent."
    assert rest.what.startswith("3 further rows")


def test_a_measure_that_is_no_number_is_unknown() -> None:
    change = change_of((5, 4, math.nan, 1.5, math.nan, 0, 0, 0))
    assert change.largest_displacement_m is None
    assert change.area_before_m2 == 1.5
    assert change.vertices_after == 4


def test_measures_have_the_digits_that_repeat() -> None:
    first = change_of((5, 4, 1.0, 2226414434.5567284, 0.0, 0, 0, 0))
    second = change_of((5, 4, 1.0, 2226414434.5567474, 0.0, 0, 0, 0))
    assert first == second
