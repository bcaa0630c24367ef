"""Which transformations leave small polygons as round as they are."""

from __future__ import annotations

import math

import numpy as np
import pyproj
import pytest

from libs.spatial_utils.crs import describe
from libs.spatial_utils.crs_bending import LONGEST_M, bends_little, reach_of


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("EPSG:32633", "EPSG:4326"),
        ("EPSG:25832", "EPSG:4326"),  # ETRS89, which PROJ takes for WGS 84
        ("EPSG:3006", "EPSG:4258"),
        ("EPSG:2154", "EPSG:4326"),
        ("EPSG:3857", "EPSG:4326"),
        ("EPSG:3395", "EPSG:4326"),
        ("EPSG:3031", "EPSG:4326"),
        ("EPSG:4258", "EPSG:4326"),
        ("OGC:CRS84", "EPSG:4326"),
    ],
)
def test_conformal_ones_within_a_datum(source: str, target: str) -> None:
    assert bends_little(describe(source), describe(target))


@pytest.mark.parametrize(
    ("source", "target", "why"),
    [
        ("EPSG:27700", "EPSG:4326", "another datum, by a grid or not"),
        ("EPSG:2056", "EPSG:4326", "another datum"),
        ("EPSG:26918", "EPSG:4326", "a grid that we have not, but PostGIS may have"),
        ("EPSG:4267", "EPSG:4326", "another datum, with grids"),
        ("EPSG:3035", "EPSG:4326", "not conformal"),
        ("EPSG:6933", "EPSG:4326", "not conformal"),
        ("ESRI:54052", "EPSG:4326", "interrupted"),
        ("EPSG:4326", "EPSG:32633", "not to degrees"),
        ("EPSG:32633", "EPSG:3857", "not to degrees"),
        ("EPSG:4807", "EPSG:4807", "grads"),
        ("IAU_2015:49910", "EPSG:4326", "another planet"),
        ("ESRI:102470", "EPSG:4326", "PROJ has no way back"),
        ("EPSG:3752", "EPSG:4326", "PROJ has no way"),
    ],
)
def test_no_others(source: str, target: str, why: str) -> None:
    assert not bends_little(describe(source), describe(target)), why


def test_how_far_a_polygon_may_reach_and_where() -> None:
    zone, feet, degrees = (reach_of(describe(f"EPSG:{code}")) for code in (32633, 2263, 4326))
    assert zone.longest == LONGEST_M
    assert zone.within == pytest.approx((166_021, 0, 833_979, 9_329_005), abs=1)
    assert feet.longest == pytest.approx(LONGEST_M / 0.3048006, rel=1e-6)
    assert degrees.longest == 0.01
    assert degrees.within == (-180, -90, 180, 90)


def test_nothing_is_proved_where_it_is_not_said_what_a_crs_is_meant_for() -> None:
    own = pyproj.CRS("+proj=utm +zone=33 +datum=WGS84").to_wkt()
    assert reach_of(describe(own)) is None
    assert reach_of(describe("IAU_2015:49910")) is None


@pytest.mark.parametrize(
    ("code", "place"),
    [
        ("EPSG:7776", (1_000_000, 23_108_000)),  # behind the cone's apex, where PROJ tears it
        ("EPSG:3857", (1e12, 5e6)),  # Mercator goes round and round
        ("ESRI:54026", (0.7e10, 0.7e10)),  # next to the antipode all is near
    ],
)
def test_where_a_projection_tears_nothing_is_proved(code: str, place: tuple) -> None:
    west, south, east, north = reach_of(describe(code)).within
    assert not (west <= place[0] <= east and south <= place[1] <= north)


@pytest.mark.parametrize("code", ["EPSG:32633", "EPSG:3857", "EPSG:2154", "EPSG:3031", "EPSG:3413"])
def test_a_line_turns_less_than_a_tenth_of_the_least_sine(code: str) -> None:
    """Against what the transform does to a line of a metre, in the same direction."""
    there = pyproj.Transformer.from_crs("EPSG:4326", code, always_xy=True)
    directions = np.linspace(0, 2 * np.pi, 16, endpoint=False)
    unit = np.column_stack([np.cos(directions), np.sin(directions)])
    for latitude in (-80, -70, -30, 0, 30, 70, 80):
        for longitude in (15, 25, 45, -45, -90):
            middle = np.array(there.transform(longitude, latitude))
            if math.hypot(*middle) > 2e7:
                continue
            ends = [middle[None], middle + unit, middle + LONGEST_M * unit]
            lon, lat = there.transform(*np.vstack(ends).T, direction="INVERSE")
            flat = np.column_stack([lon * math.cos(math.radians(latitude)), lat])
            near, far = flat[1:17] - flat[0], flat[17:] - flat[0]
            turned = np.angle((far @ [1, 1j]) / (near @ [1, 1j]))
            assert np.abs(turned).max() < 0.002
