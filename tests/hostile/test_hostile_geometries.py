"""Geometries that no recipe expects, and CRSs that are not what they should be."""

from __future__ import annotations

import json
import math
import struct

import geopandas
import numpy as np
import pytest
import shapely

from tests.hostile import makers

pytestmark = pytest.mark.integration
GROUP = "geometries and CRSs"
RECIPES = ["ingest_vector", "ingest_vector_lossless", "ingest_road_network"]
NAN, INF = math.nan, math.inf
SQUARE = [(0, 0), (1, 0), (1, 1), (0, 1), (0, 0)]
ROW_1 = r"row 1, counted from 0"

NOT_FINITE = {
    "a NaN point": makers.point_wkb(NAN, 2),
    "an infinite point": makers.point_wkb(INF, 2),
    "a line with NaN": makers.line_wkb((0, 0), (NAN, 1), (2, 2)),
    "a line with infinity": makers.line_wkb((0, 0), (1, -INF), (2, 2)),
    "a polygon with NaN": makers.polygon_wkb([(0, 0), (1, 0), (NAN, NAN), (0, 1), (0, 0)]),
    "a polygon with infinity": makers.polygon_wkb([(0, 0), (INF, 0), (1, 1), (0, 0)]),
    "a ring that starts at NaN": makers.polygon_wkb([(NAN, 0), (1, 0), (1, 1), (NAN, 0)]),
}


@pytest.mark.parametrize("kind", NOT_FINITE)
@pytest.mark.parametrize("recipe", RECIPES)
def test_coordinates_that_are_no_numbers_are_named_by_row(attack, tmp_path, kind, recipe):
    path = makers.geoparquet(tmp_path / "odd.parquet", [makers.point_wkb(1, 2), NOT_FINITE[kind]])
    attack.reject_file(path, "Parquet", ROW_1, intent=recipe)


@pytest.mark.parametrize("kind", ["a NaN point", "a polygon with NaN", "a line with infinity"])
def test_in_a_geopackage_too(attack, tmp_path, kind):
    path = makers.geopackage(tmp_path / "odd.gpkg", [makers.point_wkb(1, 2), NOT_FINITE[kind]])
    attack.reject_file(path, "GPKG", ROW_1, intent="ingest_vector_lossless")


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_in_geojson_too(attack, tmp_path, number):
    path = tmp_path / "odd.geojson"
    point = f'{{"type":"Point","coordinates":[{number},2]}}'
    path.write_text(makers.feature_collection([makers.feature(), makers.feature(geometry=point)]))
    attack.reject_file(path, "GeoJSON", r"odd\.geojson", intent="ingest_vector_lossless")


BROKEN = {
    "an unclosed ring": makers.polygon_wkb(SQUARE[:-1]),
    "a ring of two points": makers.polygon_wkb([(0, 0), (1, 1)]),
    "a ring of one point": makers.polygon_wkb([(0, 0)]),
    "a line of one point": makers.line_wkb((1, 1)),
    "cut off": makers.polygon_wkb(SQUARE)[:-7],
    "nothing": b"",
    "a type of its own": struct.pack("<BI", 1, 4242),
    "a wrong byte order": b"\x07" + makers.point_wkb(1, 2)[1:],
    "5000 collections": bytes.fromhex("010700000001000000") * 5000 + makers.point_wkb(1, 2),
    "a huge count": struct.pack("<BII", 1, 2, 2**31 - 1),
    "a text": b"POINT (1 2)",
}


@pytest.mark.parametrize("kind", BROKEN)
def test_bytes_that_are_no_geometry_are_named_by_row(attack, tmp_path, kind):
    path = makers.geoparquet(tmp_path / "wkb.parquet", [makers.point_wkb(1, 2), BROKEN[kind]])
    attack.reject_file(path, "Parquet", ROW_1, intent="ingest_vector_lossless")


@pytest.mark.parametrize("kind", ["an unclosed ring", "a ring of two points", "a huge count"])
def test_bytes_that_are_no_geometry_are_named_in_a_geopackage_too(attack, tmp_path, kind):
    path = makers.geopackage(tmp_path / "wkb.gpkg", [makers.point_wkb(1, 2), BROKEN[kind]])
    attack.reject_file(path, "GPKG", ROW_1)


INVALID = {
    "self-crossing": ([(0, 0), (2, 2), (2, 0), (0, 2), (0, 0)],),
    "spike": ([(0, 0), (1, 0), (5, 5), (1, 0), (1, 1), (0, 0)],),
    "hole outside": (SQUARE, [(5, 5), (6, 5), (6, 6), (5, 5)]),
    "holes that touch along an edge": (
        [(0, 0), (9, 0), (9, 9), (0, 9), (0, 0)],
        [(1, 1), (2, 1), (2, 2), (1, 2), (1, 1)], [(2, 1), (3, 1), (3, 2), (2, 2), (2, 1)],
    ),
    "the same ring twice": (SQUARE, SQUARE),
}  # fmt: skip
NO_AREA = {
    "a ring that goes back": ([(0, 0), (1, 1), (0, 0), (0, 0)],),
    "a ring of one place": ([(1, 1), (1, 1), (1, 1), (1, 1)],),
    "a flat ring": ([(0, 0), (1, 0), (2, 0), (0, 0)],),
}


@pytest.mark.parametrize("kind", INVALID)
def test_invalid_polygons_are_repaired_and_counted(attack, tmp_path, kind):
    wkbs = [makers.polygon_wkb(SQUARE), makers.polygon_wkb(*INVALID[kind])]
    done = attack.commit_file(makers.geoparquet(tmp_path / "bad.parquet", wkbs), "Parquet")
    result = geopandas.read_parquet(done.file)
    assert len(result) == 2
    assert result.geometry.is_valid.all()
    assert done.sum_of("rows_repaired") == 1
    assert any("1 feature(s) repaired" in note for note in done.receipt["files"][0]["notes"])


@pytest.mark.parametrize("kind", NO_AREA)
def test_polygons_without_area_become_empty_and_are_counted(attack, tmp_path, kind):
    wkbs = [makers.polygon_wkb(SQUARE), makers.polygon_wkb(*NO_AREA[kind])]
    done = attack.commit_file(makers.geoparquet(tmp_path / "flat.parquet", wkbs), "Parquet")
    result = geopandas.read_parquet(done.file).sort_values("n")
    assert len(result) == 2
    assert result.geometry.iloc[1].is_empty
    assert done.sum_of("rows_collapsed") == 1


@pytest.mark.parametrize("kind", [*INVALID, *NO_AREA])
def test_the_lossless_recipe_keeps_them_as_they_are(attack, tmp_path, kind):
    rings = {**INVALID, **NO_AREA}[kind]
    path = makers.geoparquet(tmp_path / "kept.parquet", [makers.polygon_wkb(*rings)])
    done = attack.commit_file(path, "Parquet", intent="ingest_vector_lossless")
    [shape] = geopandas.read_parquet(done.file).geometry
    assert shapely.to_wkb(shape) == makers.polygon_wkb(*rings)


def test_a_ring_of_a_million_vertices_is_simplified_in_time(attack, tmp_path):
    angles = np.linspace(0, 2 * np.pi, 1_000_001)[:-1]
    radius = 1 + 0.01 * np.sin(angles * 5000)
    ring = shapely.Polygon(np.column_stack([radius * np.cos(angles), radius * np.sin(angles)]))
    path = makers.geoparquet(tmp_path / "large.parquet", [shapely.to_wkb(ring)])
    done = attack.commit_file(path, "Parquet")
    [shape] = geopandas.read_parquet(done.file).geometry
    assert shape.is_valid
    assert (
        shapely.hausdorff_distance(shape.boundary.simplify(1e-3), ring.boundary.simplify(1e-3))
        < 0.01
    )


def test_a_million_vertices_are_kept_by_the_lossless_recipe(attack, tmp_path):
    angles = np.linspace(0, 2 * np.pi, 1_000_000)[:-1]
    path = tmp_path / "large.gpkg"
    ring = shapely.Polygon(np.column_stack([np.cos(angles), np.sin(angles)]))
    geopandas.GeoDataFrame({"n": [1]}, geometry=[ring], crs=4326).to_file(path, engine="pyogrio")
    done = attack.commit_file(path, "GPKG", intent="ingest_vector_lossless")
    [shape] = geopandas.read_parquet(done.file).geometry
    assert shapely.get_num_coordinates(shape) == 1_000_000


def test_coordinates_outside_the_domain_are_named_by_row(attack, tmp_path):
    wkbs = [makers.point_wkb(500_000, 5_000_000), makers.point_wkb(1e12, 1e12)]
    path = makers.geopackage(tmp_path / "far.gpkg", wkbs, epsg=32633)
    attack.reject_file(path, "GPKG", ROW_1, crs="EPSG:32633")


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize(("x", "y"), [(500_000, 5_000_000), (0, 91), (1e300, 0), (-1e308, 1e308)])
def test_degrees_that_are_none_are_named_by_row(attack, tmp_path, recipe, x, y):
    """The declared CRS is not the real one: metres where degrees are said to be."""
    path = makers.geoparquet(
        tmp_path / "metres.parquet", [makers.point_wkb(1, 2), makers.point_wkb(x, y)]
    )
    attack.reject_file(path, "Parquet", ROW_1, intent=recipe)


def test_longitudes_from_0_to_360_are_taken(attack, tmp_path):
    path = makers.geoparquet(tmp_path / "east.parquet", [makers.point_wkb(359.5, -45)])
    done = attack.commit_file(path, "Parquet")
    assert done.asset.bounds.max_x == 359.5


DECLARED = {
    "EPSG:999999": "not a coordinate reference system",
    "EPSG:": "crs: ",
    "+proj=longlat": "crs: ",
    "+init=file:/etc/passwd": "crs: ",
    "WGS84": "crs: ",
    "ESRI:4326000": "not a coordinate reference system",
    "EPSG:4978": "neither a geographic nor a projected",
    "EPSG:5773": "neither a geographic nor a projected",
    "OGC:AnsiDate": "not a coordinate|neither a geographic",
    "IAU_2015:30100": "the file says|cannot transform|transform",
    "EPSG:32633": "manifest declares EPSG:32633 .* but the file says",
}


@pytest.mark.parametrize("code", DECLARED)
def test_a_declared_crs_that_is_none_or_another_is_refused(attack, tmp_path, code):
    [path] = makers.honest(tmp_path, "GPKG")
    attack.reject(attack.manifest_of(path, "GPKG", crs=code), DECLARED[code])


def test_a_missing_crs_of_a_file_is_that_of_the_manifest(attack, tmp_path):
    [path] = makers.honest(tmp_path, "CSV")
    done = attack.commit_file(path, "CSV")
    assert done.asset.crs.code == "EPSG:4326"


def test_a_crs_that_neither_file_nor_manifest_says_is_asked_for(attack, tmp_path):
    [path] = makers.honest(tmp_path, "CSV")
    entry = {"path": attack.user.upload(path), "type": "vector", "format": "CSV"}
    attack.reject(attack.user.manifest([entry]), r"files\[0\]\.crs: Field required.*Add the field")


GEOGCS = 'GEOGCS["x",DATUM["x",SPHEROID["x",6378137,298]],PRIMEM["x",0],UNIT["x",0.0174]'
PROJECTIONS = {
    "nonsense": ("NONSENSE[1,2,3]", None),
    "10 000 brackets": ('GEOGCS["x",' * 10_000 + "]" * 10_000, "cannot read it"),
    "a local file": (
        GEOGCS + ',EXTENSION["PROJ4","+proj=longlat +nadgrids={file}"]]', "but the file says",
    ),
    "a URL": ("+proj=longlat +nadgrids={url}", None),
    "an engineering CRS": ('LOCAL_CS["x",UNIT["metre",1]]', "but the file says"),
    "a megabyte": ('GEOGCS["' + "x" * 1_000_000 + '"]', "cannot read it"),
}  # fmt: skip


@pytest.mark.parametrize("kind", PROJECTIONS)
def test_a_prj_that_says_no_crs_is_refused_or_passed_over_with_a_note(attack, tmp_path, kind):
    parts = makers.shapefile_parts(tmp_path)
    text, says = PROJECTIONS[kind]
    text = text.format(file=attack.secret.text, url=attack.canary.url)
    path, *beside = makers.write_parts(tmp_path / "p", {**parts, ".prj": text.encode()})
    upload = attack.manifest_of(path, "ESRI Shapefile", beside=beside)
    if says:
        attack.reject(upload, says, names="s.shp")
    else:
        done = attack.commit(upload)
        assert any("The .prj file says no reference system" in note for note in done.asset.notes)


CRSS = {
    "a number": 7, "a text": "+init=/etc/passwd:1", "an empty object": {},
    "a type of its own": {"type": "GeographicCRS"}, "a list": [[]],
    "deep": json.loads('{"a":' * 500 + "1" + "}" * 500),
}  # fmt: skip


@pytest.mark.parametrize("kind", CRSS)
def test_a_geoparquet_crs_that_is_none_is_refused(attack, tmp_path, kind):
    path = makers.geoparquet(tmp_path / "c.parquet", [makers.point_wkb(1, 2)], crs=CRSS[kind])
    attack.reject_file(path, "Parquet", r"c\.parquet")
