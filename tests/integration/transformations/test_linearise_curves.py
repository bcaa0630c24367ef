"""Curves become lines that lie on them; facets become polygons."""

from __future__ import annotations

import math

import pytest
import shapely

from libs.transformations import LineariseCurvesStep

pytestmark = pytest.mark.integration

CIRCLE = "CURVEPOLYGON(CIRCULARSTRING(100 200,110 210,120 200,110 190,100 200))"
"""Around (110, 200), radius 10."""


@pytest.mark.parametrize("segments", [4, 32])
def test_vertices_lie_on_the_arc_and_the_departure_is_measured(workbench, segments) -> None:
    workbench.load([CIRCLE, "LINESTRING(0 0,1 1)"])
    step = LineariseCurvesStep(segments_per_quadrant=segments)
    change = workbench.run(step, "EPSG:32633").change
    circle, line = workbench.geometries()
    for x, y in shapely.get_coordinates(circle):
        assert math.hypot(x - 110, y - 200) == pytest.approx(10, abs=1e-9)
    assert len(circle.exterior.coords) == 4 * segments + 1
    assert line.equals(shapely.from_wkt("LINESTRING(0 0,1 1)"))
    assert change.rows_linearised == 1
    sagitta = 10 * (1 - math.cos(math.pi / (4 * segments)))
    assert change.largest_displacement_m == pytest.approx(sagitta, rel=1e-6)
    lost = math.pi * 100 - circle.area
    assert change.area_changed_m2 == pytest.approx(lost, rel=0.07)
    assert change.vertices_before == 7


def test_every_kind_of_curve_becomes_a_plain_geometry(workbench) -> None:
    rows = [
        "CIRCULARSTRING(0 0,1 1,2 0)",
        "COMPOUNDCURVE(CIRCULARSTRING(0 0,1 1,2 0),(2 0,3 0))",
        "MULTICURVE((0 0,1 1),CIRCULARSTRING(0 0,1 1,2 0))",
        f"MULTISURFACE({CIRCLE},((0 0,1 1,1 0,0 0)))",
        f"GEOMETRYCOLLECTION({CIRCLE},POINT(1 1))",
        CIRCLE,
    ]
    workbench.load(rows)
    assert workbench.run(LineariseCurvesStep(), "EPSG:32633").change.rows_linearised == len(rows)
    assert workbench.column("ST_GeometryType(geom)") == [
        "ST_LineString", "ST_LineString", "ST_MultiLineString", "ST_MultiPolygon",
        "ST_GeometryCollection", "ST_Polygon",
    ]  # fmt: skip
    assert all(geometry.is_valid for geometry in workbench.geometries())


def test_neighbours_that_share_an_arc_still_share_the_line(workbench) -> None:
    one_way = "CIRCULARSTRING(0 0,3 4,10 0)"
    other_way = "CIRCULARSTRING(10 0,3 4,0 0)"
    workbench.load([one_way, other_way])
    workbench.run(LineariseCurvesStep(segments_per_quadrant=7))
    first, second = workbench.geometries()
    assert shapely.equals_exact(first, shapely.reverse(second), 1e-12)


def test_z_and_m_are_interpolated(workbench) -> None:
    workbench.load(["CIRCULARSTRING ZM(0 0 1 2,1 1 3 4,2 0 5 6)"])
    workbench.run(LineariseCurvesStep())
    [line] = workbench.geometries()
    coordinates = shapely.get_coordinates(line, include_z=True, include_m=True)
    assert (coordinates[0, 2:] == (1, 2)).all() and (coordinates[-1, 2:] == (5, 6)).all()
    assert (coordinates[1:, 2] > coordinates[:-1, 2]).all()


def test_facets_become_polygons_of_the_same_vertices(workbench) -> None:
    facets = "((0 0 0,0 1 0,1 1 0,0 0 0)),((0 0 0,0 1 0,0 1 1,0 0 0))"
    workbench.load(
        [f"POLYHEDRALSURFACE Z({facets})", f"TIN Z({facets})",
         "TRIANGLE Z((0 0 0,0 1 0,1 1 0,0 0 0))",
         f"GEOMETRYCOLLECTION Z(TIN Z({facets}),POINT Z(1 1 1))"]
    )  # fmt: skip
    change = workbench.run(LineariseCurvesStep()).change
    surface, tin, triangle, mixed = workbench.geometries()
    expected = shapely.from_wkt(f"MULTIPOLYGON Z({facets})")
    assert shapely.equals_exact(surface, expected) and surface.has_z
    assert shapely.equals_exact(tin, expected) and tin.has_z
    assert triangle.geom_type in ("Polygon", "MultiPolygon") and triangle.area == 0.5
    assert sorted(part.geom_type for part in shapely.get_parts(mixed)) == [
        "Point",
        "Polygon",
        "Polygon",
    ]
    assert change.rows_linearised == 0


def test_a_table_without_curves_is_handed_on_uncopied(workbench) -> None:
    workbench.load(["POINT(1 1)", None, "GEOMETRYCOLLECTION(POINT(1 1))"])
    storage = workbench.storage("raw_data")
    assert workbench.run(LineariseCurvesStep()).change is None
    assert workbench.storage("step_0") == storage
