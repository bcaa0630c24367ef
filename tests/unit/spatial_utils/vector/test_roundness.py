"""What is proved of a polygon is what GEOS finds, and what a transform and simplifying leave."""

from __future__ import annotations

import math
import struct
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyproj
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from shapely.geometry import MultiPolygon, Point, Polygon

from libs.spatial_utils.crs_bending import LONGEST_M
from libs.spatial_utils.roundness import LEAST_SINE, Reach, roundness

FAR = 1e4
EVERYWHERE = (-1e9, -1e9, 1e9, 1e9)


def wkb_of(shapes) -> pa.Array:
    wkb = [
        shape
        if shape is None or isinstance(shape, bytes)
        else shapely.to_wkb(shape, flavor="iso", byte_order=1)
        for shape in shapes
    ]
    return pa.array(wkb, pa.binary())


def of(*shapes, longest: float = FAR) -> list[float | None]:
    return roundness(wkb_of(shapes), Reach(longest, EVERYWHERE)).to_pylist()


def by_shapely(polygon: Polygon) -> float:
    """Lines through edges, distances by shapely: for polygons of which something is proved."""
    ring = np.array(polygon.exterior.coords)[:, :2]
    middle = Point(ring[:-1].mean(axis=0))
    along = [b - a for a, b in pairwise(ring)]
    lines = [shapely.LineString([a - 9 * d, a + 9 * d]) for a, d in zip(ring, along, strict=False)]
    farthest = max(middle.distance(Point(vertex)) for vertex in ring)
    return min(middle.distance(line) for line in lines) / farthest


def star(rng: np.random.Generator, vertices: int, least: float = 0.3) -> np.ndarray:
    """A ring about the origin, as far as 1 from it, not closed, either way round."""
    angles = (np.arange(vertices) + rng.uniform(-0.3, 0.3, vertices)) * 2 * np.pi / vertices
    ring = np.column_stack([np.cos(angles), np.sin(angles)])
    ring *= rng.uniform(least, 1, (vertices, 1))
    return ring[:: rng.choice([-1, 1])]


def test_known_shapes() -> None:
    square = shapely.box(500_000, 5_000_000, 500_010, 5_000_010)
    slab = shapely.box(0, 0, 10, 1)
    hexagon = Polygon([(math.cos(i * math.pi / 3), math.sin(i * math.pi / 3)) for i in range(6)])
    found = of(square, square.reverse(), slab, hexagon)
    wanted = [math.sqrt(0.5), math.sqrt(0.5), 0.5 / math.hypot(5, 0.5), math.sqrt(0.75)]
    assert found == pytest.approx(wanted, rel=2e-4)
    assert all(value < most for value, most in zip(found, wanted, strict=True))


@pytest.mark.parametrize("seed", range(5))
def test_it_is_what_shapely_measures(seed: int) -> None:
    rng = np.random.default_rng(seed)
    polygons = [
        Polygon(star(rng, rng.integers(5, 60)) * rng.uniform(1, 500) + (5e5, 5e6))
        for _ in range(300)
    ]
    found = of(*polygons)
    proved = [(p, value) for p, value in zip(polygons, found, strict=True) if value is not None]
    assert len(proved) > 100
    for polygon, value in proved:
        assert polygon.is_valid
        assert by_shapely(polygon) * 0.9998 < value < by_shapely(polygon)


NOTHING = {
    "bow-tie": Polygon([(0, 0), (1, 1), (1, 0), (0, 1)]),
    "twice around": Polygon(
        [(math.cos(a) * r, math.sin(a) * r) for a, r in zip(range(12), [2, 3] * 6, strict=True)]
    ),
    "L": Polygon([(0, 0), (10, 0), (10, 1), (1, 1), (1, 10), (0, 10)]),
    "a needle": shapely.box(0, 0, 200, 1),
    "a vertex twice": Polygon([(0, 0), (0, 0), (1, 0), (1, 1), (0, 1)]),
    "no area": Polygon([(0, 0), (1, 1), (2, 2)]),
    "a hole": shapely.box(0, 0, 9, 9).difference(shapely.box(1, 1, 2, 2)),
    "two parts": MultiPolygon([shapely.box(0, 0, 1, 1), shapely.box(2, 2, 3, 3)]),
    "too many vertices": Point(0, 0).buffer(1, quad_segs=100),
    "not closed": struct.pack("<BIII10d", 1, 3, 1, 5, 0, -1, 1, 0, 0.5, 1, -0.5, 1, -1, 0),
    "three vertices": struct.pack("<BIII6d", 1, 3, 1, 3, 0, 0, 1, 0, 0, 0),
    "three vertices Z": struct.pack("<BIII9d", 1, 1003, 1, 3, 0, 0, 5, 1, 0, 5, 0, 0, 5),
    "no vertex": struct.pack("<BIII", 1, 3, 1, 0) + bytes(99),
    "NaN": struct.pack("<BIII10d", 1, 3, 1, 5, 0, 0, 1, 0, math.nan, 1, 0, 1, 0, 0),
    "infinite": struct.pack("<BIII10d", 1, 3, 1, 5, 0, 0, 1, 0, math.inf, 1, 0, 1, 0, 0),
    "beyond numbers": Polygon([(0, 0), (1e200, 0), (1e200, 1e200), (0, 1e200)]),
    "too small for numbers": Polygon([(0, 0), (1e-170, 0), (1e-170, 1e-170), (0, 1e-170)]),
    "M": struct.pack("<BIII15d", 1, 2003, 1, 5, *(0, 0, 0, 1, 0, 0, 1, 1, 0, 0, 1, 0, 0, 0, 0)),
    "big-endian": shapely.to_wkb(shapely.box(0, 0, 1, 1), byte_order=0),
    "too short": shapely.to_wkb(shapely.box(0, 0, 1, 1), byte_order=1)[:-1],
    "curves": struct.pack("<BII", 1, 10, 1) + shapely.to_wkb(shapely.box(0, 0, 1, 1)),
    "a point": Point(1, 2),
    "a line": shapely.LineString([(0, 0), (1, 0), (1, 1), (0, 1), (0, 0)]),
    "empty": Polygon(),
    "null": None,
}


@pytest.mark.parametrize("name", NOTHING)
def test_nothing_is_proved_of(name: str) -> None:
    good = shapely.box(0, 0, 1, 1)
    before, found, after = of(good, NOTHING[name], good)
    assert (before, found, after) == (pytest.approx(0.707, abs=1e-3), None, before)
    assert of(NOTHING[name]) == [None]


def test_nothing_is_proved_of_what_reaches_far_or_is_too_small_for_projs_rounding() -> None:
    square = shapely.box(-3, -3, 3, 3)
    reach = math.hypot(3, 3)
    assert of(square, longest=reach * 1.001) != [None] == of(square, longest=reach * 0.999)
    assert of(square, longest=2.9e7) != [None] == of(square, longest=3.1e7)


def test_nothing_is_proved_of_what_lies_where_its_crs_is_not_meant_for() -> None:
    reach = Reach(FAR, (0, 10, 100, 200))
    places = [(50, 50), (0, 10), (100, 200), (-1, 50), (50, 9), (101, 50), (50, 201)]
    squares = [shapely.box(x - 5, y - 5, x + 5, y + 5) for x, y in places]
    found = roundness(wkb_of(squares), reach).to_pylist()
    assert [value is not None for value in found] == [True] * 3 + [False] * 4


def test_layouts_of_one_ring() -> None:
    flat = shapely.box(0, 0, 3, 1)
    high = shapely.force_3d(flat, z=-7.0)
    found = of(flat, high, MultiPolygon([flat]), MultiPolygon([high]), None, flat)
    assert len(set(found) - {None}) == 1
    assert found.count(None) == 1


def test_rows_do_not_know_of_each_other_whatever_their_number_and_place() -> None:
    rng = np.random.default_rng(3)
    shapes = [
        Polygon(star(rng, rng.integers(4, 40), least=0.1)) if index % 7 else NOTHING["bow-tie"]
        for index in range(6000)
    ]
    wkb, reach = wkb_of(shapes), Reach(FAR, EVERYWHERE)
    found = roundness(wkb, reach)
    assert 1000 < found.null_count < 5000
    for index in range(0, 6000, 97):
        assert of(shapes[index]) == [found[index].as_py()]
    assert roundness(wkb.slice(1234, 555), reach).equals(found.slice(1234, 555))
    assert roundness(wkb.slice(7, 0), reach).to_pylist() == []
    assert roundness(pa.array([], pa.binary()), reach).to_pylist() == []


coordinates = st.tuples(st.integers(-6, 6), st.integers(-6, 6))


@given(st.lists(coordinates, min_size=3, max_size=9))
def test_what_is_proved_valid_is_valid(ring: list[tuple[int, int]]) -> None:
    polygon = Polygon(ring)
    (found,) = of(polygon)
    if found is not None:
        assert polygon.is_valid
        assert found == pytest.approx(by_shapely(polygon), rel=2e-4)


PLACES = {
    "EPSG:32633": [(15, 0), (15, 79.9), (9, 48), (25, -60), (60, 40), (15, -79)],
    "EPSG:3857": [(0, 0), (179, 79.9), (-120, -79.9)],
    "EPSG:2154": [(3, 46), (-60, 20), (40, 79), (3, -40)],
    "EPSG:3031": [(0, -79), (120, -60), (-179, -79.9), (30, 20)],
    "EPSG:3413": [(-45, 79.9), (135, 60)],
    "EPSG:25832": [(9, 55), (12, 79.5)],
    "EPSG:3395": [(10, -79.9), (100, 10)],
}


@pytest.mark.parametrize("code", PLACES)
def test_it_outlives_a_transform_that_bends_little(code: str) -> None:
    """As large as may be, with the least angles: GEOS, asked of each, agrees in the degrees."""
    there = pyproj.Transformer.from_crs("EPSG:4326", code, always_xy=True)
    rng, proved, least = np.random.default_rng(1), 0, 1.0
    for place in PLACES[code]:
        middle = np.array(there.transform(*place))
        rings = [
            middle + star(rng, vertices) * LONGEST_M * 0.9 for vertices in rng.integers(4, 150, 400)
        ]
        for ring, value in zip(rings, of(*map(Polygon, rings), longest=LONGEST_M), strict=True):
            if value is None:
                continue
            proved += 1
            centre = ring.mean(axis=0)
            lon, lat = there.transform(*np.vstack([centre, ring]).T, direction="INVERSE")
            seen = np.column_stack([lon, lat])
            moved = Polygon(seen[1:])
            assert moved.is_valid
            seen = seen[1:] - seen[0]
            seen[:, 0] *= math.cos(math.radians(place[1]))
            least = min(least, np.abs(_sines(seen)).min())
            _stays_valid(moved, value)
    assert proved > 100
    assert LEAST_SINE * 0.8 < least < LEAST_SINE * 1.5


def _sines(ring: np.ndarray) -> np.ndarray:
    after = np.roll(ring, -1, axis=0)
    turn = ring[:, 0] * after[:, 1] - ring[:, 1] * after[:, 0]
    return turn / np.hypot(*ring.T) / np.hypot(*after.T)


def _stays_valid(polygon: Polygon, value: float) -> None:
    """As long as the tolerance is half the circle's radius, as the step has it.

    Of a line, since GEOS would repair a polygon.
    """
    _, south, _, north = polygon.bounds
    inner = value * (north - south) / 2
    ring = shapely.simplify(shapely.LineString(polygon.exterior), inner / 2.001)
    assert len(ring.coords) >= 4
    assert Polygon(ring).is_valid
