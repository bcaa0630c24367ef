"""Reprojection, compared with pyproj."""

from __future__ import annotations

import math

import numpy as np
import pyproj
import pytest
import shapely
from shapely.geometry import LineString, MultiPoint, Point, Polygon

from libs.transformations import NormalizeCRSStep, StepRefusedRowsError

pytestmark = pytest.mark.integration

TO_4326 = NormalizeCRSStep()


def polygons_in(x0: float, y0: float, count: int = 60) -> list[Polygon]:
    rng = np.random.default_rng(7)
    centres = rng.uniform(-80_000, 80_000, (count, 2)) + np.array([x0, y0])
    angles = np.linspace(0, 2 * math.pi, 12, endpoint=False)
    ring = np.column_stack([np.cos(angles), np.sin(angles)]) * 500
    return [Polygon(ring + centre, [ring[:5] * 0.3 + centre]) for centre in centres]


def by_pyproj(geometries, source: str, target: str = "EPSG:4326"):
    transformer = pyproj.Transformer.from_crs(source, target, always_xy=True)
    return shapely.transform(geometries, lambda xy: np.column_stack(transformer.transform(*xy.T)))


@pytest.mark.parametrize(
    ("code", "x0", "y0"),
    [("EPSG:32633", 500_000, 5_300_000), ("EPSG:31468", 4_500_000, 5_300_000),
     ("EPSG:3035", 4_321_000, 3_210_000)],
)  # fmt: skip
def test_coordinates_are_those_of_pyproj_in_x_y_order(workbench, code, x0, y0) -> None:
    source = polygons_in(x0, y0)
    workbench.load(source)
    change = workbench.run(TO_4326, code).change
    # The datum shift of EPSG:31468 has variants; PROJ's versions may choose another one.
    tolerance = 1e-9 if code != "EPSG:31468" else 5e-5
    assert shapely.equals_exact(workbench.geometries(), by_pyproj(source, code), tolerance).all()
    assert change.vertices_before == change.vertices_after
    assert change.vertices_before == sum(shapely.get_num_coordinates(source))
    assert change.rows_collapsed == 0


def test_named_columns_are_carried_over_and_no_other(workbench) -> None:
    workbench.load(polygons_in(500_000, 5_300_000, 5))
    workbench.run(TO_4326, "EPSG:32633", columns=("rid", "c1"))
    assert sorted(workbench.columns()) == ["c1", "geom", "rid"]
    assert workbench.column("c1") == ["r0", "r1", "r2", "r3", "r4"]


def test_without_named_columns_all_are_carried_over(workbench) -> None:
    workbench.load(polygons_in(500_000, 5_300_000, 5))
    workbench.run(TO_4326, "EPSG:32633", columns=())
    assert sorted(workbench.columns()) == ["c0", "c1", "geom", "rid"]
    assert workbench.column("c0") == [0, 10, 20, 30, 40]
    assert workbench.geometries()[0].bounds[0] == pytest.approx(15, abs=2)


def test_a_step_that_nobody_bound_trusts_the_srid_of_the_geometries(workbench) -> None:
    workbench.load([shapely.set_srid(Point(500_000, 0), 32633)])
    workbench.execute(NormalizeCRSStep().generate_sql(workbench.schema.name, "raw_data", "step_0"))
    assert workbench.geometries()[0].x == pytest.approx(15, abs=1e-9)


def test_data_that_has_the_crs_already_is_not_rewritten(workbench) -> None:
    workbench.load([Point(0.1 + 0.2, 1 / 3), Polygon([(0, 0), (1, 1), (1, 0)]), None])
    bytes_before, storage = (
        workbench.column("geom::bytea", "raw_data"),
        workbench.storage("raw_data"),
    )
    assert workbench.run(TO_4326, "EPSG:4326").change is None
    assert workbench.column("geom::bytea") == bytes_before
    assert workbench.storage("step_0") == storage


def test_z_m_null_and_empty_stay(workbench) -> None:
    workbench.load(["POINT ZM (500000 0 7 9)", "POINT M (500000 0 9)", None, "LINESTRING Z EMPTY"])
    workbench.run(TO_4326, "EPSG:32633")
    point, measured, nothing, empty = workbench.geometries()
    assert (point.z, point.m) == (7, 9)
    assert measured.m == 9
    assert nothing is None
    assert empty.is_empty and empty.geom_type == "LineString"


def test_rows_outside_of_the_projection_are_named_and_not_dropped(workbench) -> None:
    good = Point(500_000, 5_000_000)
    workbench.load([good, Point(1e9, 1e9), good, LineString([(0, 0), (1e9, 1e9)])])
    with pytest.raises(StepRefusedRowsError) as caught:
        workbench.run(TO_4326, "EPSG:32633")
    assert [problem.where.split(",")[0] for problem in caught.value.problems] == ["row 1", "row 3"]
    assert "EPSG:4326" in caught.value.problems[0].what
    assert "1000000000" in caught.value.problems[0].what


@pytest.mark.parametrize(
    "bad",
    [
        Point(math.inf, 0),
        LineString([(0, 0), (math.inf, 0)]),
        Polygon([(0, 0), (9, math.inf), (9, 0)]),
    ],
    ids=["point", "line", "polygon"],
)
def test_rows_that_become_infinite_are_named(workbench, bad) -> None:
    workbench.load([Point(500_000, 0), bad, MultiPoint([(500_000, 0), (500_001, 0)])])
    with pytest.raises(StepRefusedRowsError) as caught:
        workbench.run(TO_4326, "EPSG:32633")
    assert [problem.where.split(",")[0] for problem in caught.value.problems] == ["row 1"]


def test_only_the_first_20_rows_are_named_and_the_others_counted(workbench) -> None:
    workbench.load([Point(1e9, 1e9)] * 33)
    with pytest.raises(StepRefusedRowsError) as caught:
        workbench.run(TO_4326, "EPSG:32633")
    assert len(caught.value.problems) == 21
    assert "13 further rows" in caught.value.problems[-1].what


@pytest.mark.parametrize(
    ("shape", "code"),
    [
        (shapely.box(3_339_584 - 5e4, -1e5, 3_339_584 + 5e4, 0), "EPSG:3832"),  # Pacific Mercator
        (shapely.box(833_000, 20_000, 835_000, 22_000), "EPSG:32660"),
        (shapely.box(-1e6, -1e6, 1e6, 1e6), "EPSG:3031"),  # around the south pole
        (LineString([(833_000, 20_000), (835_000, 20_000)]), "EPSG:32660"),
        (shapely.MultiPolygon([shapely.box(7e5, 0, 7.1e5, 1e4),
                               shapely.box(833_000, 20_000, 835_000, 22_000)]), "EPSG:32660"),
    ],
)  # fmt: skip
def test_what_degrees_would_tear_apart_is_named(workbench, shape, code) -> None:
    """Its two sides are at 179 and -179 degrees: as if it went around the world."""
    [torn] = by_pyproj([shape], code)
    assert torn.bounds[2] - torn.bounds[0] > 180
    workbench.load([Point(500_000, 0), shape])
    with pytest.raises(StepRefusedRowsError, match=r"antimeridian or goes around a pole") as caught:
        workbench.run(TO_4326, code)
    assert [problem.where.split(",")[0] for problem in caught.value.problems] == ["row 1"]


@pytest.mark.parametrize(
    ("shape", "code"),
    [
        (shapely.box(-2e7, -1e7, 2e7, 1e7), "EPSG:3857"),  # the world, as tiles have it
        (shapely.MultiPolygon([shapely.box(-2e7, 1e6, -1.9e7, 2e6),
                               shapely.box(1.9e7, 1e6, 2e7, 2e6)]), "EPSG:3857"),
        (MultiPoint([(833_000, 20_000), (835_000, 20_000)]), "EPSG:32660"),
        (shapely.box(700_000, 0, 710_000, 10_000), "EPSG:32660"),
    ],
)  # fmt: skip
def test_what_is_wide_and_whole_is_transformed(workbench, shape, code) -> None:
    workbench.load([shape])
    workbench.run(TO_4326, code)
    [result] = workbench.geometries()
    assert shapely.equals_exact(result, by_pyproj([shape], code)[0], 1e-9)
