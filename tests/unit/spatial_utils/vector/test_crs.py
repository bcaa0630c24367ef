from __future__ import annotations

from pathlib import Path

import numpy as np
import pyogrio
import pyproj
import pytest
import shapely
from pyogrio.raw import write

from libs.errors import InputError
from libs.models.geo import Bounds
from libs.spatial_utils.crs import describe, reconcile, require_latitudes, to_geographic_extent
from libs.spatial_utils.errors import CrsConflictError, UnknownCrsError, UnsuitableCrsError

# fmt: off
CODES = [str(code) for code in (
    4326, 4258, 4269, 4267, 3857, 3035, 27700, 2154, 31370, 28992, 25832, 25833,
    32632, 32633, 32740, 5514, 3006, 2056, 21781, 3413, 31467, 31287, 2180, 2193,
    3067, 3310, 26918, 2263, 6933, 3031, 5070, 23030, 31985, 28355, 7844, 4283,
    2039, 3812, 29902, 2157, 3763, 3346, 4230, 3395,
)]
# fmt: on


def test_a_shapefile_of_a_code_is_recognised_as_that_code(tmp_path: Path) -> None:
    for code in CODES:
        path = tmp_path / f"{code}.shp"
        write(
            path,
            geometry=np.array([shapely.to_wkb(shapely.Point(1, 2))], dtype=object),
            field_data=[np.array([1])],
            fields=np.array(["a"]),
            geometry_type="Point",
            crs=f"EPSG:{code}",
            driver="ESRI Shapefile",
        )
        prj = path.with_suffix(".prj").read_text()
        assert "AUTHORITY" not in prj
        assert reconcile(f"EPSG:{code}", prj, "x.shp").code == f"EPSG:{code}"
        by_gdal = pyogrio.read_info(path)["crs"]
        assert reconcile(f"EPSG:{code}", by_gdal, "x.shp").code == f"EPSG:{code}"


@pytest.mark.parametrize("version", ["WKT1_GDAL", "WKT1_ESRI", "WKT2_2015", "WKT2_2019"])
def test_no_two_codes_are_taken_for_each_other(version: str) -> None:
    definitions = {code: pyproj.CRS.from_epsg(code).to_wkt(version) for code in CODES}
    for declared in ("4326", "32632", "25832"):
        for found, wkt in definitions.items():
            if found == declared:
                assert reconcile(f"EPSG:{declared}", wkt, "x").code == f"EPSG:{declared}"
            else:
                with pytest.raises(CrsConflictError):
                    reconcile(f"EPSG:{declared}", wkt, "x")


@pytest.mark.parametrize(
    ("declared", "found"),
    [
        ("EPSG:4326", "OGC:CRS84"),
        ("OGC:CRS84", "EPSG:4326"),
        ("EPSG:3857", "ESRI:102100"),
        ("EPSG:25832", "+proj=utm +zone=32 +ellps=GRS80 +units=m +no_defs"),
        ("EPSG:25832", "+proj=utm +zone=32 +ellps=GRS80 +towgs84=0,0,0,0,0,0,0 +units=m"),
        ("EPSG:25832", "EPSG:25832+7837"),
        ("EPSG:4326", "EPSG:4979"),
    ],
)
def test_axis_order_shifts_heights_and_spelling_do_not_count(declared: str, found: str) -> None:
    wkt = pyproj.CRS(found).to_wkt()
    assert reconcile(declared, wkt, "x").code == declared


def test_a_conflict_names_both_and_the_place() -> None:
    wkt = pyproj.CRS.from_epsg(32632).to_wkt("WKT1_ESRI")
    with pytest.raises(CrsConflictError) as caught:
        reconcile("EPSG:32633", wkt, "s3://landing-zone/roads.shp")
    (problem,) = caught.value.problems
    assert problem.where == "s3://landing-zone/roads.shp"
    assert "EPSG:32633" in problem.what
    assert "EPSG:32632" in problem.what


def test_a_file_that_says_nothing_has_the_declared_crs() -> None:
    assert reconcile("EPSG:27700", None, "x").name == "OSGB36 / British National Grid"


def test_a_code_that_is_not_there_is_the_users_fault() -> None:
    with pytest.raises(UnknownCrsError, match="EPSG:99999"):
        describe("EPSG:99999")


@pytest.mark.parametrize("code", ["EPSG:4978", "EPSG:5773"])
def test_what_gives_no_place_on_a_map_is_refused(code: str) -> None:
    with pytest.raises(UnsuitableCrsError):
        describe(code)


def test_units_are_metres_per_unit_or_degrees() -> None:
    assert describe("EPSG:32633").metres_per_unit == 1
    assert describe("EPSG:2263").metres_per_unit == pytest.approx(0.3048006096)
    assert describe("EPSG:4326").metres_per_unit is None
    assert describe("EPSG:4326").is_geographic
    assert pyproj.CRS(describe("EPSG:2263").wkt) == pyproj.CRS("EPSG:2263")


def test_an_extent_holds_every_point_of_the_box() -> None:
    box = Bounds(min_x=4e6, min_y=2.5e6, max_x=5e6, max_y=4e6)
    extent = to_geographic_extent(box, describe("EPSG:3035"))
    transformer = pyproj.Transformer.from_crs("EPSG:3035", "EPSG:4326", always_xy=True)
    x, y = np.meshgrid(np.linspace(4e6, 5e6, 40), np.linspace(2.5e6, 4e6, 40))
    longitude, latitude = transformer.transform(x, y)
    tolerance = 1e-3  # the sides are followed in steps
    assert extent.west_bound_longitude <= longitude.min() + tolerance
    assert extent.east_bound_longitude >= longitude.max() - tolerance
    assert extent.south_bound_latitude <= latitude.min() + tolerance
    assert extent.north_bound_latitude >= latitude.max() - tolerance


@pytest.mark.parametrize(
    ("code", "xyxy", "west_east"),
    [
        ("EPSG:2193", (1.7e6, 5.3e6, 2.9e6, 6.2e6), (174.09, -171.47)),
        ("EPSG:4326", (170, -10, 190, 10), (170, -170)),
        ("OGC:CRS84", (0, -90, 360, 90), (-180, 180)),
        ("EPSG:3413", (-3e6, -3e6, 3e6, 3e6), (-180, 180)),
    ],
)
def test_an_extent_across_the_antimeridian_has_its_west_above_its_east(
    code: str, xyxy: tuple[float, float, float, float], west_east: tuple[float, float]
) -> None:
    min_x, min_y, max_x, max_y = xyxy
    box = Bounds(min_x=min_x, min_y=min_y, max_x=max_x, max_y=max_y)
    extent = to_geographic_extent(box, describe(code))
    got = (extent.west_bound_longitude, extent.east_bound_longitude)
    assert got == pytest.approx(west_east, abs=0.01)


@pytest.mark.parametrize(
    ("code", "xyxy", "wsen"),
    [
        ("ESRI:54009", (-18041000, -9000000, 18041000, 9000000), (-180, -89, 180, 89)),
        ("ESRI:54008", (-20015109, -10007554, 20015109, 10007554), (-180, -90, 180, 90)),
        ("ESRI:54030", (-17005833, -8625154, 17005833, 8625154), (-180, -90, 180, 90)),
        ("ESRI:54052", (-20037508, -8673500, 20037508, 8673500), (-180, -89.5, 180, 89.5)),
        ("EPSG:3408", (-9036842.76, -9036842.76, 9036842.76, 9036842.76), (-180, -89, 180, 90)),
        ("ESRI:54009", (16e6, -3e6, 18.1e6, 3e6), (159.64, -24.55, 180, 24.55)),
        ("ESRI:54009", (-18.1e6, -3e6, -16e6, 3e6), (-180, -24.55, -159.64, 24.55)),
        # across the antimeridian, which is no edge of this one
        ("+proj=moll +lon_0=180", (-18.1e6, -9.1e6, 18.1e6, 9.1e6), (-180, -90, 180, 90)),
        ("+proj=ortho +lon_0=180 +R=6371000", (-7e6, -3e6, 7e6, 3e6), (90, -28, -90, 28)),
    ],
)
def test_of_a_box_beyond_the_edge_of_the_world_the_part_that_is_of_it_counts(
    code: str, xyxy: tuple[float, float, float, float], wsen: tuple[float, float, float, float]
) -> None:
    min_x, min_y, max_x, max_y = xyxy
    box = Bounds(min_x=min_x, min_y=min_y, max_x=max_x, max_y=max_y)
    crs = describe(code) if ":" in code else describe(pyproj.CRS(code).to_wkt())
    extent = to_geographic_extent(box, crs)
    got = (
        extent.west_bound_longitude, extent.south_bound_latitude,
        extent.east_bound_longitude, extent.north_bound_latitude,
    )  # fmt: skip
    assert got == pytest.approx(wsen, abs=1)


def test_a_box_outside_of_what_the_crs_can_express_is_the_users_fault() -> None:
    box = Bounds(min_x=1e12, min_y=1e12, max_x=1e13, max_y=1e13)
    with pytest.raises(InputError, match="EPSG:32633"):
        to_geographic_extent(box, describe("EPSG:32633"))


@pytest.mark.parametrize(
    ("code", "south", "north", "is_refused"),
    [
        ("EPSG:4326", -90.125, 90.125, False),  # cells with their centres on the poles
        ("EPSG:4326", -90.25, 90.25, False),
        ("EPSG:4326", 0, 360, True),
        ("EPSG:4326", -91, 0, True),
        ("EPSG:4807", 40, 100, False),  # gradians
        ("EPSG:4807", 40, 101, True),
        ("EPSG:32633", 0, 360, False),
    ],
)
def test_a_raster_in_degrees_beyond_the_poles_is_refused(
    code: str, south: float, north: float, is_refused: bool
) -> None:
    box = Bounds(min_x=0, min_y=south, max_x=10, max_y=north)
    if not is_refused:
        require_latitudes(box, 0.25, describe(code), "a.tif")
        return
    with pytest.raises(InputError, match=r"a\.tif: it lies at latitudes .*Cure: Correct"):
        require_latitudes(box, 0.25, describe(code), "a.tif")
