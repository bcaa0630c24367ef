"""Repair of invalid geometries, compared with shapely's."""

from __future__ import annotations

import math

import pyproj
import pytest
import shapely
from shapely.geometry import LineString, MultiPolygon, Point, Polygon, box

from libs.transformations import StepRefusedRowsError, ValidateGeometryStep

pytestmark = pytest.mark.integration

REPAIR = ValidateGeometryStep()
BOW_TIE = Polygon([(0, 0), (1, 1), (1, 0), (0, 1)])
OVERLAPPING = MultiPolygon([box(0, 0, 2, 2), box(1, 1, 3, 3)])
HOLE_OUTSIDE = Polygon(box(0, 0, 1, 1).exterior, [box(2, 2, 3, 3).exterior])
FLAT = Polygon([(0, 0), (1, 1), (2, 2)])


def test_invalid_polygons_become_what_shapely_makes_of_them(workbench) -> None:
    invalid = [BOW_TIE, OVERLAPPING, HOLE_OUTSIDE]
    workbench.load([*invalid, box(0, 0, 1, 1)])
    change = workbench.run(REPAIR, "EPSG:32633").change
    results = workbench.geometries()
    for result, original in zip(results, invalid, strict=False):
        expected = shapely.make_valid(original, method="structure", keep_collapsed=False)
        assert result.is_valid
        assert shapely.symmetric_difference(result, expected).area == pytest.approx(0, abs=1e-12)
    assert change.rows_repaired == 3
    assert change.rows_collapsed == 0
    areas = [(before.area, after.area) for before, after in zip(invalid, results, strict=False)]
    changed = sum(abs(after - before) for before, after in areas)
    assert change.area_changed_m2 == pytest.approx(changed)
    assert change.area_before_m2 == pytest.approx(sum(before for before, _ in areas) + 1)
    assert change.vertices_after == sum(shapely.get_num_coordinates(results))


def test_valid_rows_keep_their_bytes_and_all_rows_stay(workbench) -> None:
    rows = [box(0, 0, 1, 1), BOW_TIE, Point(1, 2), None, Polygon(), LineString([(0, 0), (1, 1)])]
    workbench.load(rows)
    before = workbench.column("geom::bytea", "raw_data")
    workbench.run(REPAIR)
    after = workbench.column("geom::bytea")
    assert [a == b for a, b in zip(before, after, strict=True)] == [
        True, False, True, True, True, True,
    ]  # fmt: skip
    assert workbench.column("c0") == [0, 10, 20, 30, 40, 50]


def test_a_table_without_invalid_rows_is_handed_on_uncopied(workbench) -> None:
    workbench.load([box(0, 0, 1, 1), Point(3, 3), None])
    storage = workbench.storage("raw_data")
    assert workbench.run(REPAIR).change is None
    assert workbench.storage("step_0") == storage


def test_dimension_and_multi_type_are_kept(workbench) -> None:
    spike = "MULTIPOLYGON(((0 0,1 1,1 0,0 0)),((5 5,6 6,5 5,5 5)))"
    touching_line = "MULTILINESTRING((0 0,0 0),(1 1,2 2))"
    mixed = "GEOMETRYCOLLECTION(POLYGON((0 0,1 1,1 0,0 1,0 0)),POINT(3 3),LINESTRING(0 0,1 1))"
    workbench.load([spike, touching_line, mixed])
    workbench.run(REPAIR)
    types = [geometry.geom_type for geometry in workbench.geometries()]
    assert types == ["MultiPolygon", "MultiLineString", "GeometryCollection"]
    assert all(geometry.is_valid for geometry in workbench.geometries())
    assert {part.geom_type for part in workbench.geometries()[2].geoms} == {
        "MultiPolygon", "Point", "LineString",
    }  # fmt: skip


def test_z_is_kept_and_m_of_repaired_rows_is_nan_in_place_of_a_guess(workbench) -> None:
    ring = "((0 0 {0},1 1 {0},1 0 {0},0 1 {0},0 0 {0}))"
    workbench.load(
        ["POLYGON Z " + ring.format(5), "POLYGON M " + ring.format(5),
         "POLYGON ZM " + ring.format("5 6")]
    )  # fmt: skip
    workbench.run(REPAIR)
    z, m, zm = workbench.geometries()
    assert z.has_z and set(shapely.get_coordinates(z, include_z=True)[:, 2]) == {5.0}
    assert m.has_m and not m.has_z
    assert zm.has_z and zm.has_m
    assert all(math.isnan(value) for value in shapely.get_coordinates(m, include_m=True)[:, 2])


def test_a_polygon_without_area_becomes_empty_and_is_counted(workbench) -> None:
    workbench.load([box(0, 0, 1, 1), FLAT, LineString([(3, 3), (3, 3)])])
    change = workbench.run(REPAIR).change
    assert (change.rows_repaired, change.rows_collapsed) == (2, 2)
    assert [geometry.is_empty for geometry in workbench.geometries()] == [False, True, True]
    assert workbench.column("c0") == [0, 10, 20]


def test_reject_names_rows_reasons_and_places(workbench) -> None:
    workbench.load([box(0, 0, 1, 1), BOW_TIE, None, HOLE_OUTSIDE])
    with pytest.raises(StepRefusedRowsError) as caught:
        workbench.run(ValidateGeometryStep(on_invalid="reject"))
    bow_tie, hole = caught.value.problems
    assert bow_tie.where.startswith("row 1") and hole.where.startswith("row 3")
    assert "Self-intersection" in bow_tie.what and "POINT(0.5 0.5)" in bow_tie.what
    assert hole.cure


def test_reject_lets_valid_data_pass(workbench) -> None:
    workbench.load([box(0, 0, 1, 1), None])
    assert workbench.run(ValidateGeometryStep(on_invalid="reject")).change is None
    assert len(workbench.geometries()) == 2


def test_keep_keeps_what_is_invalid(workbench) -> None:
    workbench.load([BOW_TIE])
    workbench.run(ValidateGeometryStep(on_invalid="keep"))
    assert workbench.geometries() == [BOW_TIE]


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
def test_coordinates_that_are_no_numbers_are_refused_and_not_repaired_away(workbench) -> None:
    workbench.load([BOW_TIE, Polygon([(0, 0), (1, math.nan), (1, 1)]), Point(math.inf, 1)])
    with pytest.raises(StepRefusedRowsError) as caught:
        workbench.run(REPAIR)
    assert [problem.where.split(",")[0] for problem in caught.value.problems] == ["row 1", "row 2"]


def test_geographic_areas_agree_with_geodesic_ones(workbench) -> None:
    rows = [
        Polygon([(16, 48), (16.01, 48.01), (16.01, 48), (16, 48.01)]),
        box(16, 48, 16.004, 48.004),
        box(-70, -30, -69, -29),
        box(179.9, 60, 180.2, 60.01),
        box(20, 84.99, 20.01, 85),
    ]
    workbench.load(rows)
    change = workbench.run(REPAIR).change
    geod = pyproj.Geod(ellps="WGS84")
    dense = [shapely.segmentize(row, 0.01) for row in rows[1:]]  # edges straight in degrees
    expected = sum(abs(geod.geometry_area_perimeter(row)[0]) for row in dense)
    assert change.area_before_m2 == pytest.approx(expected, rel=2e-3)
    repaired = workbench.geometries()[0]
    area = sum(abs(geod.geometry_area_perimeter(part)[0]) for part in repaired.geoms)
    assert change.area_changed_m2 == pytest.approx(area, rel=2e-3)
