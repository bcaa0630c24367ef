"""Whole recipes on real data, compared with GeoPandas."""

from __future__ import annotations

from pathlib import Path

import geopandas
import pyogrio
import pytest
import shapely
from psycopg import sql
from shapely.geometry import Point, box

from libs.spatial_utils.crs import describe
from libs.transformations import (
    CreateSpatialIndexStep,
    GeometryContractError,
    RecipeRegistry,
    VectorRecipe,
    plan_steps,
    run_step,
)

pytestmark = pytest.mark.integration

COUNTRIES = (
    Path(pyogrio.__file__).parent / "tests/fixtures/naturalearth_lowres/naturalearth_lowres.shp"
)


def run_recipe(workbench, recipe: VectorRecipe, code: str):
    plan = plan_steps(
        recipe,
        source_crs=describe(code),
        crs_of=describe,
        srid_of=workbench.compute.register_crs,
    )
    outcomes = [
        run_step(step, workbench.schema.name, ("rid", "c0"), workbench.execute) for step in plan
    ]
    return plan, outcomes


@pytest.fixture(scope="module")
def countries() -> geopandas.GeoDataFrame:
    return geopandas.read_file(COUNTRIES)


@pytest.mark.parametrize("code", ["EPSG:4326", "EPSG:3857"])
def test_ingest_vector_gives_what_geopandas_gives_within_the_tolerance(workbench, countries, code):
    frame = countries[countries.name != "Antarctica"].to_crs(code)
    workbench.load(list(frame.geometry))
    plan, outcomes = run_recipe(workbench, RecipeRegistry.get_vector_recipe("ingest_vector"), code)
    assert plan[-1].crs.code == "EPSG:4326"
    results = workbench.geometries("processed")
    assert len(results) == len(frame)
    assert workbench.column("c0", "processed") == [10 * row for row in range(len(frame))]
    for result, original in zip(results, frame.to_crs("EPSG:4326").geometry, strict=True):
        assert result.is_valid
        assert shapely.hausdorff_distance(result, original) <= 0.0001 + 1e-9
    simplified = outcomes[3].change
    assert simplified.rows_collapsed == 0
    equal_area = frame.to_crs("EPSG:6933").geometry.area.sum()
    assert simplified.area_before_m2 == pytest.approx(equal_area, rel=1e-3)


def test_ingest_vector_lossless_keeps_every_vertex(workbench, countries) -> None:
    frame = countries.to_crs("EPSG:4326")
    workbench.load(list(frame.geometry))
    recipe = RecipeRegistry.get_vector_recipe("ingest_vector_lossless")
    run_recipe(workbench, recipe, "EPSG:4326")
    for result, original in zip(workbench.geometries("processed"), frame.geometry, strict=True):
        assert shapely.equals_exact(result, original, 0)


@pytest.mark.parametrize(
    "name", ["ingest_vector", "ingest_vector_lossless", "ingest_road_network",
             "ingest_building_footprints"],
)  # fmt: skip
def test_every_built_in_recipe_takes_anything_that_a_file_may_hold(workbench, name) -> None:
    rows = [
        "POINT Z (500000 5000000 3)",
        None,
        "POLYGON EMPTY",
        "CURVEPOLYGON(CIRCULARSTRING(500000 5000000,500010 5000010,500020 5000000,500010 4999990,"
        "500000 5000000))",
        "POLYGON((500000 5000000,500100 5000100,500100 5000000,500000 5000100,500000 5000000))",
        "GEOMETRYCOLLECTION(POINT(500000 5000000),LINESTRING(500000 5000000,500001 5000001),"
        "POLYGON((500000 5000000,500100 5000100,500100 5000000,500000 5000000)))",
        "TIN Z(((500000 5000000 0,500000 5000100 0,500100 5000100 0,500000 5000000 0)))",
        "MULTILINESTRING M((500000 5000000 1,500100 5000000 2))",
    ]
    workbench.load(rows)
    run_recipe(workbench, RecipeRegistry.get_vector_recipe(name), "EPSG:32633")
    results = workbench.geometries("processed")
    assert [result is None for result in results] == [row is None for row in rows]
    assert results[0].z == 3
    assert 14.99 < results[3].centroid.x < 15.01
    assert set(workbench.columns("processed")) == {"rid", "c0", "geom"}


def test_an_empty_table_goes_through_every_step(workbench) -> None:
    workbench.load([])
    run_recipe(workbench, RecipeRegistry.get_vector_recipe("ingest_vector"), "EPSG:32633")
    assert workbench.geometries("processed") == []


def test_a_recipe_without_steps_still_makes_processed(workbench) -> None:
    workbench.load([Point(1, 2)])
    recipe = VectorRecipe(name="as_it_is", version="1.0", title="As it is")
    _, outcomes = run_recipe(workbench, recipe, "EPSG:4326")
    assert workbench.geometries("processed") == [Point(1, 2)]
    assert [outcome.change for outcome in outcomes] == [None]


def test_the_index_serves_a_spatial_query(workbench) -> None:
    workbench.load([box(x, 0, x + 1, 1) for x in range(2000)])
    workbench.run(CreateSpatialIndexStep())
    query = sql.SQL("EXPLAIN SELECT count(*) FROM {} WHERE geom && ST_MakeEnvelope(1, 0, 2, 1)")
    lines = workbench.execute(query.format(sql.Identifier(workbench.schema.name, "step_0")))
    assert any("Index" in line for (line,) in lines)
    assert len(workbench.geometries()) == 2000


def test_a_table_without_its_one_geometry_column_is_refused_before_the_step(workbench) -> None:
    workbench.load([Point(1, 2)], column="shape")
    with pytest.raises(GeometryContractError, match=r"raw_data.*'geom'.*'shape'"):
        workbench.run(CreateSpatialIndexStep())
    assert workbench.columns("step_0") == []


def test_another_geometry_column_can_be_named(workbench) -> None:
    workbench.load([Point(500_000, 0)], column="The Shape")
    workbench.run(CreateSpatialIndexStep(geometry_column="The Shape"))
    assert "The Shape" in workbench.columns()


def test_a_second_geometry_column_is_refused(workbench) -> None:
    workbench.load([Point(1, 2)])
    table = sql.Identifier(workbench.schema.name, "raw_data")
    workbench.execute(sql.SQL("ALTER TABLE {} ADD COLUMN other geometry").format(table))
    with pytest.raises(GeometryContractError) as caught:
        workbench.run(CreateSpatialIndexStep())
    assert caught.value.found == ("geom", "other")
