"""A recipe in one statement gives what its steps give one by one: rows, bytes and measures."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
import shapely
from psycopg import sql
from shapely.geometry import LineString, Point, Polygon

from libs.spatial_utils.crs import describe
from libs.spatial_utils.crs_bending import bends_little
from libs.spatial_utils.roundness import Reach, roundness
from libs.transformations import (
    CreateSpatialIndexStep,
    KnownGeometries,
    LineariseCurvesStep,
    NormalizeCRSStep,
    RecipeRegistry,
    SimplifyGeometryStep,
    ValidateGeometryStep,
    VectorRecipe,
    plan_steps,
    run_in_one_pass,
    run_step,
)
from libs.transformations.measures import VERTEX_PAIRS_BUDGET

pytestmark = pytest.mark.integration

COLUMNS = ("rid", "c0", "c1")


def planned(workbench, recipe: VectorRecipe, code: str = "EPSG:32633"):
    return plan_steps(
        recipe,
        source_crs=describe(code),
        crs_of=describe,
        srid_of=workbench.compute.register_crs,
        bends_little=bends_little,
    )


def built_in(name: str) -> VectorRecipe:
    return RecipeRegistry.get_vector_recipe(name)


def rows_of(workbench):
    query = sql.SQL("SELECT rid, c0, c1, geom::bytea FROM {} ORDER BY rid")
    return workbench.execute(query.format(sql.Identifier(workbench.schema.name, "processed")))


def types_of(rows) -> KnownGeometries:
    """As shapely names them."""
    return KnownGeometries.seen({row.geom_type for row in rows if row is not None})


def both_ways(workbench, plan, types: KnownGeometries | None = None):
    """Rows and outcomes of one pass, and of the steps one by one.

    Where the rows' types are known, the one pass that knows nothing must give the same; and so must
    the one that knows how round they are.
    """
    quick = in_one_pass(workbench, plan, KnownGeometries())
    if types is not None:
        assert in_one_pass(workbench, plan, types) == quick
    workbench.claim(round_within(workbench, longest=500))
    known = replace(types or KnownGeometries(), roundness="__roundness")
    assert in_one_pass(workbench, plan, known) == quick
    name = workbench.schema.name
    slow = tuple(run_step(step, name, COLUMNS, workbench.execute) for step in plan)
    return quick, (rows_of(workbench), slow)


def round_within(workbench, longest: float) -> list[float | None]:
    wkb = workbench.column("ST_AsBinary(geom, 'NDR')", "raw_data")
    reach = Reach(longest, (-1e7, -1e7, 1e7, 1e7))
    return roundness(pa.array(wkb, pa.binary()), reach).to_pylist()


def in_one_pass(workbench, plan, types: KnownGeometries):
    """Rows and outcomes; the result goes again."""
    name = workbench.schema.name
    outcomes = run_in_one_pass(plan, name, COLUMNS, workbench.execute, types)
    assert outcomes is not None
    assert set(workbench.columns("processed")) == {"geom", *COLUMNS}
    rows = rows_of(workbench)
    workbench.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier(name, "processed")))
    return rows, outcomes


def shapes(count: int, seed: int = 5, vertices: int = 24) -> list:
    """Polygons, some with a hole, lines and points of the 33rd zone, some of them empty or null."""
    rng = np.random.default_rng(seed)
    angles = np.linspace(0, 2 * np.pi, vertices, endpoint=False)
    circle = np.column_stack([np.cos(angles), np.sin(angles)])
    found: list = []
    for index in range(count):
        centre = rng.uniform((300_000, 5_000_000), (700_000, 5_400_000))
        ring = circle * rng.uniform(60, 200, (vertices, 1)) + centre
        kind = index % 8
        if kind < 4:
            hole = [circle[::6] * rng.uniform(1, 50) + centre] if kind == 0 else []
            shape = Polygon(ring, hole)
            found.append(shape if shape.is_valid else shape.convex_hull)
        elif kind == 4:
            found.append(LineString(np.cumsum(rng.normal(0, 30, (30, 2)), axis=0) + centre))
        elif kind == 5:
            found.append(shapely.force_3d(Point(centre), z=7.5))
        elif kind == 6:
            found.append(shapely.MultiPolygon([Polygon(ring).convex_hull]))
        else:
            found.append(None if index % 16 == 7 else Polygon())
    return found


@pytest.mark.parametrize(
    "name",
    [
        "ingest_vector",
        "ingest_vector_lossless",
        "ingest_road_network",
        "ingest_building_footprints",
    ],
)
def test_a_built_in_recipe_gives_the_same_rows_and_measures(workbench, name) -> None:
    workbench.load(shapes(400))
    (quick_rows, quick), (slow_rows, slow) = both_ways(
        workbench, planned(workbench, built_in(name))
    )
    assert quick_rows == slow_rows
    assert quick == slow
    assert len(quick_rows) == 400


def test_the_results_are_read_once_to_measure_all_steps(workbench) -> None:
    workbench.load(shapes(40))
    plan, asked = planned(workbench, built_in("ingest_vector")), []

    def execute(statement):
        asked.append(statement)
        return workbench.execute(statement)

    outcomes = run_in_one_pass(plan, workbench.schema.name, COLUMNS, execute)
    assert outcomes is not None
    assert sum(outcome.change is not None for outcome in outcomes) == 2
    reading = [text for one in asked if (text := one.as_string()).count('"processed" AS p')]
    assert len(reading) == 1


@pytest.mark.parametrize("code", ["EPSG:32633", "EPSG:4326"])
@pytest.mark.parametrize("recipe", ["ingest_vector", "ingest_vector_lossless"])
@pytest.mark.parametrize(
    "types",
    [
        {"Point"},
        {"LineString"},
        {"Polygon"},
        {"MultiPolygon"},
        {"Polygon", "MultiPolygon", "LineString"},
        {"Point", "LineString", "Polygon", "MultiPolygon"},
        {"Point", "MultiPoint"},
    ],
    ids="+".join,
)
def test_what_is_known_of_all_rows_changes_nothing_but_the_time(
    workbench, types, recipe, code
) -> None:
    east, north = Point(15, 48), Point(700_000, 5_000_000)
    company = [shapely.MultiPoint([east, north]), shapely.MultiPoint(), Point()]
    rows = [row for row in [*shapes(200), *company] if row is None or row.geom_type in types]
    if code == "EPSG:4326":
        rows = [row if row is None else shapely.transform(row, lambda xy: xy / 1e5) for row in rows]
    assert len(rows) > 25
    workbench.load(rows)
    plan, known = planned(workbench, built_in(recipe), code), types_of(rows)
    assert known.names == types
    if recipe == "ingest_vector_lossless" and code == "EPSG:4326":
        assert run_in_one_pass(plan, workbench.schema.name, COLUMNS, workbench.execute) is None
        return
    (quick_rows, quick), (slow_rows, slow) = both_ways(workbench, plan, known)
    assert (quick_rows, quick) == (slow_rows, slow)
    assert len(quick_rows) == len(rows)


@pytest.mark.parametrize(
    ("types", "row"),
    [
        ({"Point"}, "POINT(NaN 5000000)"),
        ({"Point"}, Point(500_000, np.inf)),
        ({"Point"}, "POINT Z(NaN NaN 5)"),
        ({"Point"}, "POINT(1e300 1e300)"),
        ({"LineString", "Polygon"}, LineString([(500_000, 5_000_000), (np.inf, 5_000_010)])),
        ({"Polygon"}, "POLYGON((0 0,1e5 1e5,NaN 5e4,1e5 0,0 0))"),
        ({"Polygon"}, "POLYGON((5e5 5e6,5.1e5 5.1e6,5.1e5 5e6,5e5 5.1e6,5e5 5e6))"),
    ],
)
def test_a_row_that_is_not_ordinary_is_seen_where_types_are_known(workbench, types, row) -> None:
    ordinary = [shape for shape in shapes(100) if shape and shape.geom_type in types]
    workbench.load([*ordinary, row])
    plan, known = planned(workbench, built_in("ingest_vector")), KnownGeometries(frozenset(types))
    assert run_in_one_pass(plan, workbench.schema.name, COLUMNS, workbench.execute, known) is None
    assert workbench.columns("processed") == []


def test_the_displacement_is_measured_for_few_vertices_and_bounded_for_many(workbench) -> None:
    plan = planned(workbench, built_in("ingest_vector"))
    few = shapes(40)
    many = shapes(8, vertices=2400) * 2
    assert VERTEX_PAIRS_BUDGET < 16 * 0.5 * 2400 * 400
    displacements = []
    for rows in (few, many):
        workbench.load(rows)
        (_, quick), (_, slow) = both_ways(workbench, plan)
        assert quick == slow
        displacements.append(quick[3].change.largest_displacement_m)
        for table in ("raw_data", "processed", "step_0", "step_1", "step_2", "step_3"):
            name = sql.Identifier(workbench.schema.name, table)
            workbench.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(name))
    assert displacements[0] < 11.2 == pytest.approx(displacements[1], rel=0.01)


def test_simplifying_where_no_transform_is_needed(workbench) -> None:
    workbench.load([shapely.transform(s, lambda xy: xy / 1e5) if s else s for s in shapes(200)])
    plan = planned(workbench, built_in("ingest_vector"), "EPSG:4326")
    (quick_rows, quick), (slow_rows, slow) = both_ways(workbench, plan)
    assert (quick_rows, quick) == (slow_rows, slow)
    assert quick[1].change is None
    assert quick[3].change.vertices_after < quick[3].change.vertices_before


@pytest.mark.parametrize(
    "row",
    [
        "CIRCULARSTRING(500000 5000000,500010 5000010,500020 5000000)",
        "TRIANGLE((500000 5000000,500100 5000100,500100 5000000,500000 5000000))",
        "POLYGON((500000 5000000,500100 5000100,500100 5000000,500000 5000100,500000 5000000))",
        "POINT(NaN 5000000)",
        LineString([(500_000, 5_000_000), (np.inf, 5_000_010), (500_020, 5_000_020)]),
        "POINT(1e300 1e300)",
        "POLYGON((500000 5000000,500100 5000100,NaN 5000050,500100 5000000,500000 5000000))",
        "MULTILINESTRING((500000 5000000,500100 5000100),(500000 5000000,500100 NaN))",
        "MULTIPOINT(500000 5000000,NaN 5000000,500020 5000000)",
        "GEOMETRYCOLLECTION(POINT(500000 5000000),POINT(500000 NaN),POINT(500010 5000000))",
        "GEOMETRYCOLLECTION(CIRCULARSTRING(500000 5000000,500010 5000010,500020 5000000))",
    ],
)
def test_one_row_that_is_not_ordinary_leaves_all_as_it_was(workbench, row) -> None:
    ordinary = shapes(100)
    workbench.load([*ordinary, row, *ordinary])
    plan = planned(workbench, built_in("ingest_vector"))
    name = workbench.schema.name
    assert run_in_one_pass(plan, name, COLUMNS, workbench.execute) is None
    assert workbench.columns("processed") == []
    assert workbench.column("rid", "raw_data") == list(range(201))


@pytest.mark.parametrize(
    "row",
    [
        "POINT(NaN 48)",
        "MULTIPOINT(15 48,NaN 48,15.1 48)",
        "LINESTRING(15 48,NaN 48.1,15.2 48)",
        LineString([(15, 48), (15.1, 48), (15.2, np.inf)]),
        "POLYGON((15 48,15.1 48.1,NaN 48.05,15.1 48,15 48))",
        "GEOMETRYCOLLECTION(POINT(15 48),POINT(15 NaN),POINT(15.1 48))",
        "GEOMETRYCOLLECTION(POINT(15 48),LINESTRING(15 48,15.1 NaN,15.2 48))",
    ],
)
def test_no_number_is_not_ordinary_where_nothing_is_transformed_either(workbench, row) -> None:
    places = [Point(15 + index / 100, 48) for index in range(20)]
    workbench.load([*places, row])
    plan = planned(workbench, built_in("ingest_vector"), "EPSG:4326")
    assert run_in_one_pass(plan, workbench.schema.name, COLUMNS, workbench.execute) is None


def test_a_point_without_x_and_y_is_not_ordinary_though_geos_calls_it_valid(workbench) -> None:
    there_already = NormalizeCRSStep(target_crs="EPSG:32633")
    steps = (LineariseCurvesStep(), there_already, ValidateGeometryStep(), SimplifyGeometryStep())
    recipe = VectorRecipe(name="r", version="1.0", title="R", steps=steps)
    workbench.load([Point(500_000, 5_000_000), "POINT Z(NaN NaN 5)"])
    assert workbench.column("ST_IsValid(geom)", "raw_data") == [True, True]
    plan = planned(workbench, recipe)
    assert run_in_one_pass(plan, workbench.schema.name, COLUMNS, workbench.execute) is None


def test_points_in_company_and_collections_are_ordinary_too(workbench) -> None:
    place = Point(500_000, 5_000_000)
    company = shapely.MultiPoint([place, (500_010, 5_000_010)])
    line = LineString([place, (500_500, 5_000_000), (501_000, 5_000_001)])
    collection = shapely.GeometryCollection([place, line])
    workbench.load([company, shapely.MultiLineString([line]), collection, shapely.MultiPoint()])
    (quick_rows, quick), (slow_rows, slow) = both_ways(
        workbench, planned(workbench, built_in("ingest_vector"))
    )
    assert (quick_rows, quick) == (slow_rows, slow)
    assert len(quick_rows) == 4


def test_a_place_beyond_the_earth_is_not_ordinary(workbench) -> None:
    workbench.load([Point(15, 48), Point(15, 91)])
    plan = planned(workbench, built_in("ingest_vector"), "EPSG:4326")
    assert run_in_one_pass(plan, workbench.schema.name, COLUMNS, workbench.execute) is None


def test_what_is_not_one_pass_is_left_to_the_steps(workbench) -> None:
    def recipe(*steps) -> VectorRecipe:
        return VectorRecipe(name="r", version="1.0", title="R", steps=steps)

    simplify, straight = SimplifyGeometryStep(tolerance=1), LineariseCurvesStep()
    workbench.load(shapes(20))
    for steps in (
        (straight, simplify, NormalizeCRSStep()),  # lines move before the last rewrite
        (straight, CreateSpatialIndexStep(), NormalizeCRSStep()),  # a step reads the index
        (straight, CreateSpatialIndexStep()),  # nothing is rewritten
    ):
        plan = planned(workbench, recipe(*steps))
        assert run_in_one_pass(plan, workbench.schema.name, COLUMNS, workbench.execute) is None


def test_an_empty_table_becomes_an_empty_table(workbench) -> None:
    workbench.load([])
    (quick_rows, quick), (slow_rows, slow) = both_ways(
        workbench, planned(workbench, built_in("ingest_vector"))
    )
    assert quick_rows == slow_rows == []
    assert quick == slow


def test_an_index_at_the_end_of_a_plan_is_not_built_and_says_so(workbench) -> None:
    plan = planned(workbench, built_in("ingest_vector_lossless"))
    workbench.load(shapes(20))
    for step in plan:
        run_step(step, workbench.schema.name, COLUMNS, workbench.execute)
    query = sql.SQL("SELECT count(*) FROM pg_indexes WHERE schemaname = {}")
    [(indexes,)] = workbench.execute(query.format(sql.Literal(workbench.schema.name)))
    assert indexes == 0
    assert "none was built" in plan[-1].step.describe()
    assert "was built" in CreateSpatialIndexStep().describe()


BOW_TIE = Polygon([(0, 0), (1, 1), (1, 0), (0, 1)])
ROUND = KnownGeometries(roundness="__roundness")


def with_claims(workbench, shapes, claims, code: str = "EPSG:32633"):
    """The rows that come of a claimed roundness in one pass; None: it cannot be done so."""
    workbench.load(shapes)
    workbench.claim(claims)
    plan = planned(workbench, built_in("ingest_vector"), code)
    outcomes = run_in_one_pass(plan, workbench.schema.name, COLUMNS, workbench.execute, ROUND)
    return None if outcomes is None else workbench.geometries("processed")


def at(shape, x: float, y: float, scale: float = 100):
    return shapely.transform(shape, lambda xy: xy * scale + (x, y))


def test_geos_is_not_asked_again_about_what_is_proved(workbench) -> None:
    """A false claim shows it: nothing else would let a bow-tie pass."""
    [result] = with_claims(workbench, [at(BOW_TIE, 500_000, 5_000_000)], [0.9])
    assert not result.is_valid


@pytest.mark.parametrize(
    ("shape", "claim", "code"),
    [
        (at(BOW_TIE, 500_000, 5_000_000), None, "EPSG:32633"),
        (at(BOW_TIE, 500_000, 8_990_000), 0.9, "EPSG:32633"),  # 81° north
        (at(BOW_TIE, 500_000, 5_000_000, scale=9_000), 0.9, "EPSG:32633"),
        (at(BOW_TIE, 300_000, 5_000_000), 0.9, "EPSG:27700"),  # by way of another datum
        (at(BOW_TIE, 4_000_000, 3_000_000), 0.9, "EPSG:3035"),  # not conformal
        (at(BOW_TIE, 833_930, 20_000), 0.9, "EPSG:32660"),  # torn by the antimeridian
        ("POLYGON((5e5 5e6,5.001e5 5.0001e6,NaN 5e6,5.001e5 5e6,5e5 5e6))", 0.9, "EPSG:32633"),
    ],
)
def test_a_claim_is_not_believed_where_it_does_not_hold(workbench, shape, claim, code) -> None:
    assert with_claims(workbench, [shape], [claim], code) is None


def test_a_claim_holds_where_nothing_is_transformed(workbench) -> None:
    there = at(BOW_TIE, 15, 85, scale=0.001)
    [result] = with_claims(workbench, [there], [0.9], "EPSG:4326")
    assert not result.is_valid


def test_simplified_polygons_are_not_asked_where_the_circle_is_large_enough(workbench) -> None:
    """One whose quick result crosses itself: kept by a false claim, and not by a smaller one."""
    floor = [(0, 0), (0.0015, -0.00009), (0.003, 0), (0.003, 0.001)]
    inlet = [(0.0017, 0.001), (0.0015, -0.00003), (0.0013, 0.001), (0, 0.001)]
    polygon = at(Polygon(floor + inlet), 15, 48, scale=1)
    assert polygon.is_valid
    inner = [0.00021, 0.00019, None]
    claims = [value and 2 * value / 0.00109 for value in inner]
    results = with_claims(workbench, [polygon] * 3, claims, "EPSG:4326")
    assert [result.is_valid for result in results] == [False, True, True]
    assert workbench.column("ST_IsValid(ST_Simplify(geom, 0.0001))", "raw_data") == [False] * 3
