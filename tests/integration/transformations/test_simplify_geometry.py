"""Simplification: what shapely says of the results, and whether the measures say the same."""

from __future__ import annotations

import math

import numpy as np
import pyproj
import pytest
import shapely
from shapely.geometry import LineString, MultiLineString, MultiPolygon, Point, Polygon, box
from shapely.geometry.polygon import orient

from libs.transformations import SimplifyGeometryStep
from libs.transformations.measures import VERTEX_PAIRS_BUDGET
from libs.transformations.metres import METRES_PER_DEGREE_AT_MOST

pytestmark = pytest.mark.integration


def blobs(count: int, radius: float, vertices: int = 40) -> list[Polygon]:
    """Star-shaped polygons with rough edges and a hole; some are thin enough to cross over."""
    rng = np.random.default_rng(3)
    angles = np.linspace(0, 2 * math.pi, vertices, endpoint=False)
    circle = np.column_stack([np.cos(angles), np.sin(angles)])
    found = []
    for index in range(count):
        reach = radius * rng.uniform(0.7, 1, (vertices, 1))
        hole = circle[::4] * radius * rng.uniform(0.05, 0.65)
        centre = np.array([index * 3 * radius + 16, 48])
        found.append(Polygon(circle * reach + centre, [hole + centre]))
    return found


def rings(geometry) -> int:
    polygons = [part for part in shapely.get_parts(geometry) if part.geom_type == "Polygon"]
    return sum(1 + len(polygon.interiors) for polygon in polygons)


@pytest.mark.parametrize("radius", [0.0004, 0.001, 0.01])
def test_results_are_valid_keep_their_rings_and_stay_within_the_tolerance(
    workbench, radius
) -> None:
    tolerance = 0.0001
    source = [shape for shape in blobs(150, radius) if shape.is_valid]
    workbench.load(source)
    change = workbench.run(SimplifyGeometryStep(tolerance=tolerance)).change
    results = workbench.geometries()
    assert len(results) == len(source)
    for result, original in zip(results, source, strict=True):
        assert result.is_valid
        assert rings(result) == rings(original)
        assert shapely.hausdorff_distance(original, result) <= tolerance * (1 + 1e-9)
        known = set(map(tuple, shapely.get_coordinates(original)))
        assert set(map(tuple, shapely.get_coordinates(result))) <= known
    assert change.vertices_before == sum(shapely.get_num_coordinates(source))
    assert change.vertices_after == sum(shapely.get_num_coordinates(results))
    assert change.vertices_after < change.vertices_before
    assert change.rows_collapsed == 0


def test_the_measures_are_shapelys_in_a_projected_crs(workbench) -> None:
    source = [shapely.transform(shape, lambda xy: xy * 1e5) for shape in blobs(60, 0.002)]
    workbench.load(source)
    step = SimplifyGeometryStep(tolerance=10)
    change = workbench.run(step, "EPSG:2263").change  # US survey feet
    results = workbench.geometries()
    foot = 1200 / 3937
    moved = max(map(shapely.hausdorff_distance, source, results))
    assert 0 < moved <= 10
    assert change.largest_displacement_m == pytest.approx(moved * foot)
    before = np.array([shape.area for shape in source]) * foot**2
    after = np.array([shape.area for shape in results]) * foot**2
    assert change.area_before_m2 == pytest.approx(before.sum())
    assert change.area_changed_m2 == pytest.approx(np.abs(after - before).sum())


def test_in_degrees_the_displacement_is_an_upper_bound_in_metres(workbench) -> None:
    source = blobs(60, 0.002)
    workbench.load(source)
    change = workbench.run(SimplifyGeometryStep(tolerance=0.0001)).change
    results = workbench.geometries()
    moved = max(map(shapely.hausdorff_distance, source, results))
    assert change.largest_displacement_m == pytest.approx(moved * METRES_PER_DEGREE_AT_MOST)
    geod = pyproj.Geod(ellps="WGS84")
    for original, result in zip(source, results, strict=True):
        for x, y in shapely.get_coordinates(original):
            near = shapely.shortest_line(result.boundary, Point(x, y)).coords[0]
            assert geod.inv(x, y, *near)[2] <= change.largest_displacement_m
    areas = [
        [geod.geometry_area_perimeter(orient(shape))[0] for shape in shapes]
        for shapes in (source, results)
    ]
    assert change.area_before_m2 == pytest.approx(sum(areas[0]), rel=2e-3)
    expected = sum(abs(a - b) for a, b in zip(*areas, strict=True))
    assert change.area_changed_m2 == pytest.approx(expected, rel=5e-3)


def test_a_degree_is_nowhere_longer_than_the_constant() -> None:
    geod = pyproj.Geod(ellps="WGS84")
    lengths = [geod.inv(0, 89.99, 0, 90)[2] * 100, geod.inv(0, 0, 0.01, 0)[2] * 100]
    assert max(lengths) == pytest.approx(METRES_PER_DEGREE_AT_MOST, rel=1e-7)


def test_too_many_vertices_to_compare_give_the_tolerance_as_bound(workbench) -> None:
    angles = np.linspace(0, 2 * math.pi, 3_000)
    large = LineString(np.column_stack([angles, np.sin(angles)]))
    workbench.load([large])
    change = workbench.run(SimplifyGeometryStep(tolerance=1e-7), "EPSG:32633").change
    [result] = workbench.geometries()
    assert len(result.coords) * 3_000 > VERTEX_PAIRS_BUDGET
    assert change.largest_displacement_m == pytest.approx(1e-7)
    assert shapely.hausdorff_distance(large, result) <= change.largest_displacement_m


def test_what_is_smaller_than_the_tolerance_does_not_collapse(workbench) -> None:
    speck = box(0, 0, 1e-6, 1e-6)
    source = [
        speck,
        MultiPolygon([box(1, 1, 2, 2), speck]),
        Polygon(box(0, 0, 1, 1).exterior, [box(0.5, 0.5, 0.5 + 1e-6, 0.5 + 1e-6).exterior]),
        LineString([(0, 0), (1e-6, 0), (1e-6, 1e-6), (0, 0)]),
        LineString([(0, 0), (1e-6, 0)]),
    ]
    workbench.load(source)
    change = workbench.run(SimplifyGeometryStep(tolerance=0.0001)).change
    results = workbench.geometries()
    assert change.rows_collapsed == 0
    for result, original in zip(results, source, strict=True):
        assert not result.is_empty and result.is_valid
        assert rings(result) == rings(original)
        assert shapely.get_num_geometries(result) == shapely.get_num_geometries(original)


def test_a_multi_geometry_of_one_part_stays_multi(workbench) -> None:
    wiggle = [(0, 0), (1, 0.001), (2, 0)]
    notch = Polygon([(0, 0), (5, 0), (5, 5), (2.55, 5), (2.5, 0.02), (2.45, 5), (0, 5)])
    workbench.load([MultiLineString([wiggle]), MultiPolygon([notch])])
    workbench.run(SimplifyGeometryStep(tolerance=0.1))
    results = workbench.geometries()
    assert [geometry.geom_type for geometry in results] == ["MultiLineString", "MultiPolygon"]
    assert all(geometry.is_valid for geometry in results)


def test_a_line_that_plain_simplification_would_make_cross_itself_does_not(workbench) -> None:
    hook = LineString([(0, 0), (5, -0.9), (10, 0), (10, 3), (5, 3), (5, -0.4)])
    assert hook.is_simple and not shapely.simplify(hook, 1, preserve_topology=False).is_simple
    workbench.load([hook])
    workbench.run(SimplifyGeometryStep(tolerance=1))
    [result] = workbench.geometries()
    assert result.is_simple
    assert shapely.hausdorff_distance(hook, result) <= 1


def test_a_line_that_crosses_itself_is_still_simplified(workbench) -> None:
    loop = LineString([(0, 0), (0.5, 0.001), (2, 0), (2, 2), (1, 2), (1, -1)])
    workbench.load([loop])
    workbench.run(SimplifyGeometryStep(tolerance=0.1))
    [result] = workbench.geometries()
    assert len(result.coords) == 5


def test_z_and_m_of_the_remaining_vertices_are_kept(workbench) -> None:
    workbench.load(
        ["LINESTRING ZM (0 0 1 9,1 0.001 2 8,2 0 3 7,3 1 4 6)",
         "LINESTRING M (0 0 1,1 0.001 2,2 0 3,3 1 4)",
         "POLYGON Z ((0 0 1,5 0 2,5 5 3,2.55 5 4,2.5 0.02 5,2.45 5 6,0 5 7,0 0 1))",
         "POLYGON M ((0 0 1,5 0 2,5 5 3,2.55 5 4,2.5 0.02 5,2.45 5 6,0 5 7,0 0 1))"]
    )  # fmt: skip
    before = workbench.column("ST_AsText(geom)", "raw_data")
    workbench.run(SimplifyGeometryStep(tolerance=0.1))
    after = workbench.column("ST_AsText(geom)")
    assert after[0] == "LINESTRING ZM (0 0 1 9,2 0 3 7,3 1 4 6)"
    assert after[1] == "LINESTRING M (0 0 1,2 0 3,3 1 4)"
    assert workbench.geometries()[2].has_z
    assert after[3] == before[3]  # GEOS has no M, so a row that needs GEOS stays as it was


def test_points_null_and_empty_are_not_touched(workbench) -> None:
    rows = [Point(1, 2), "MULTIPOINT((0 0),(0 0.00001))", None, "POLYGON EMPTY", "POINT Z (1 2 3)"]
    workbench.load(rows)
    before = workbench.column("geom::bytea", "raw_data")
    change = workbench.run(SimplifyGeometryStep(tolerance=1)).change
    assert workbench.column("geom::bytea") == before
    assert change.largest_displacement_m == 0
    assert change.vertices_before == change.vertices_after == 4


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
def test_invalid_rows_come_back_as_they_were_and_no_number_hangs_nothing(workbench) -> None:
    rows = [
        Polygon([(0, 0), (1, math.nan), (1, 1), (0.5, 1)]),
        LineString([(0, 0), (math.nan, 1), (2, 2)]),
        LineString([(0, 0), (1, 0), (2, 0), (math.inf, 0)]),
        Polygon([(0, 0), (1, 1), (1, 0), (0, 1)]),
    ]
    workbench.load(rows)
    before = workbench.column("geom::bytea", "raw_data")
    change = workbench.run(SimplifyGeometryStep(tolerance=0.01)).change
    assert workbench.column("geom::bytea") == before
    assert change.area_before_m2 is None


def test_without_topology_nothing_vanishes_either(workbench) -> None:
    source = [box(0, 0, 1e-6, 1e-6), *blobs(20, 0.001)]
    workbench.load(source)
    step = SimplifyGeometryStep(tolerance=0.0001, preserve_topology=False)
    change = workbench.run(step).change
    results = workbench.geometries()
    assert change.rows_collapsed == 0
    assert not any(result.is_empty for result in results)
    assert max(map(shapely.hausdorff_distance, source[1:], results[1:])) < 0.001


def test_the_other_columns_and_all_of_them_when_none_is_named(workbench) -> None:
    workbench.load(blobs(5, 0.001))
    workbench.run(SimplifyGeometryStep(), columns=())
    assert sorted(workbench.columns()) == ["c0", "c1", "geom", "rid"]
    assert workbench.column("c1") == ["r0", "r1", "r2", "r3", "r4"]
