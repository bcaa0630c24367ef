"""Which transformations leave small polygons as round as they are."""

from __future__ import annotations

import math

import numpy as np
import pyproj
import pytest

from libs.spatial_utils.crs import describe
from libs.spatial_utils.crs_bending import LONGEST_M, bends_little, longest_reach


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
    ],
)
def test_no_others(source: str, target: str, why: str) -> None:
    assert not bends_little(describe(source), describe(target)), why


def test_how_far_a_polygon_may_reach() -> None:
    assert longest_reach(describe("EPSG:32633")) == LONGEST_M
    assert longest_reach(describe("EPSG:2263")) == pytest.approx(LONGEST_M / 0.3048006, rel=1e-6)
    assert longest_reach(describe("EPSG:4326")) == 0.01


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
