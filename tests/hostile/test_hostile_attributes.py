"""Columns and values that databases choke on: kept exactly, or named."""

from __future__ import annotations

import datetime
import json
import struct

import geopandas
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import shapely

from tests.hostile import makers

pytestmark = pytest.mark.integration
GROUP = "attributes"
LOSSLESS = "ingest_vector_lossless"


def geojson(tmp_path, *properties, name="a.geojson"):
    path = tmp_path / name
    path.write_text(makers.feature_collection([makers.feature(text) for text in properties]))
    return path


def committed(attack, path, driver):
    done = attack.commit_file(path, driver, intent=LOSSLESS)
    return pq.read_table(done.file), done


def test_5000_columns_are_refused(attack, tmp_path):
    path = geojson(tmp_path, json.dumps({f"c{n}": n for n in range(5000)}))
    attack.reject_file(path, "GeoJSON", "5000 attribute columns.*Split the layer")
    table = tmp_path / "a.csv"
    table.write_text(",".join(["x", "y", *(f"c{n}" for n in range(5000))]) + "\n1,2" + ",7" * 5000)
    attack.reject_file(table, "CSV", "attribute columns")


def test_columns_that_differ_by_case_alone_are_kept(attack, tmp_path):
    table, _ = committed(attack, geojson(tmp_path, '{"Name":"a","name":"b","NAME":"c"}'), "GeoJSON")
    assert [table[name][0].as_py() for name in ("Name", "name", "NAME")] == ["a", "b", "c"]


def test_two_columns_of_one_name_are_refused(attack, tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("x,y,name,name\n1,2,a,b\n")
    attack.reject_file(path, "CSV", "name")
    path = makers.geoparquet(tmp_path / "a.parquet", [makers.point_wkb(1, 2)])
    read = pq.read_table(path)
    twice = pa.table([read["n"], read["n"], read["geometry"]], names=["n", "n", "geometry"])
    makers.with_geo(path, twice, read.schema.metadata[b"geo"])
    attack.reject_file(path, "Parquet", "'n'")


NAMES = ['quo"te', "semi;colon", "a'b", "--", "/*", "c0", "rid", "geom", "bbox", "", " ", "a\nb",
         "\t", "%s", "{x}", "$where", "a.b", "ß" * 100, "\u202e", "select", "\\"]  # fmt: skip


def test_names_of_columns_are_names(attack, tmp_path):
    columns = {name: pa.array([f"value of {name}"]) for name in NAMES}
    path = makers.geoparquet(tmp_path / "n.parquet", [makers.point_wkb(1, 2)], **columns)
    table, done = committed(attack, path, "Parquet")
    assert {name: table[name][0].as_py() for name in NAMES} == {n: f"value of {n}" for n in NAMES}
    assert set(NAMES) < {column.name for column in done.asset.vector.columns}


def test_a_nul_in_a_columns_name_is_kept_in_geoparquet(attack, tmp_path):
    path = makers.geoparquet(
        tmp_path / "n.parquet", [makers.point_wkb(1, 2)], **{"a\0b": pa.array(["x"])}
    )
    table, _ = committed(attack, path, "Parquet")
    assert table["a\0b"].to_pylist() == ["x"]


def test_a_nul_in_a_columns_name_is_named_in_json(attack, tmp_path):
    attack.reject_file(geojson(tmp_path, '{"a\\u0000b":1}'), "GeoJSON", "NUL")


def test_a_nul_in_a_text_is_named(attack, tmp_path):
    path = makers.geoparquet(tmp_path / "t.parquet", [makers.point_wkb(1, 2)], t=pa.array(["a\0b"]))
    attack.reject_file(path, "Parquet", "column 't' has a NUL character in row 1")


BAD_UTF8 = b"caf\xe9 \xff\xfe"


def test_invalid_utf8_is_named_in_geojson(attack, tmp_path):
    path = geojson(tmp_path, '{"t":"XXXX"}')
    path.write_bytes(path.read_bytes().replace(b"XXXX", BAD_UTF8))
    attack.reject_file(path, "GeoJSON", "UTF-8")


def test_invalid_utf8_is_named_in_csv(attack, tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(b"x,y,t\n1,2," + BAD_UTF8 + b"\n")
    attack.reject_file(path, "CSV", "UTF-8")


@pytest.mark.parametrize("driver", ["CSV", "GeoJSON"])
def test_invalid_utf8_in_a_columns_name_is_named(attack, tmp_path, driver):
    [path] = makers.honest(tmp_path, driver, rows=2)
    path.write_bytes(path.read_bytes().replace(b"name", b"n\xdbm\xff", 9))
    attack.reject_file(path, driver, "UTF-8|cannot read it")


def test_invalid_utf8_is_named_in_kml(attack, tmp_path):
    path = tmp_path / "a.kml"
    path.write_bytes(makers.kml(makers.PLACEMARK.format("XX")).encode().replace(b"XX", BAD_UTF8))
    attack.reject_file(path, "KML", "not whole XML")


def test_invalid_utf8_is_named_in_geoparquet(attack, tmp_path):
    text = pa.array([BAD_UTF8]).cast(pa.binary())
    text = pa.StringArray.from_buffers(1, *text.buffers()[1:])
    path = makers.geoparquet(tmp_path / "t.parquet", [makers.point_wkb(1, 2)], t=text)
    attack.reject_file(path, "Parquet", "column 't' has text that is not UTF-8 in row 1")


def test_invalid_utf8_is_named_in_a_geopackage(attack, tmp_path):
    import sqlite3

    [path] = makers.honest(tmp_path, "GPKG", rows=2)
    with sqlite3.connect(path) as base:
        base.execute("DROP TRIGGER IF EXISTS rtree_honest_geom_update1")
        base.execute("UPDATE gpkg_contents SET description = 'x'")
    data = path.read_bytes()
    path.write_bytes(data.replace(b"place 1", b"pl\xffce\xfe1", 1))
    attack.reject_file(path, "GPKG", "UTF-8")


def test_invalid_utf8_is_named_in_a_shapefile_that_says_it_is_utf8(attack, tmp_path):
    parts = makers.shapefile_parts(tmp_path, t=["XXXXXXX"] * 5)
    parts[".dbf"] = parts[".dbf"].replace(b"XXXXXXX", BAD_UTF8)
    path, *beside = makers.write_parts(tmp_path / "u", {**parts, ".cpg": b"UTF-8"})
    attack.reject_file(path, "ESRI Shapefile", "UTF-8", beside=beside)


def test_integers_beyond_64_bits_become_reals_with_a_note_in_json(attack, tmp_path):
    path = geojson(tmp_path, '{"n":1}', '{"n":123456789012345678901234567890}')
    table, done = committed(attack, path, "GeoJSON")
    assert sorted(table["n"].to_pylist()) == [1, 1.2345678901234568e29]
    assert any("are read as floating-point numbers" in note for note in done.asset.notes)


def test_an_integer_of_30_digits_in_a_csv_keeps_its_digits(attack, tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("x,y,n\n1,2,123456789012345678901234567890\n")
    table, done = committed(attack, path, "CSV")
    assert table["n"].to_pylist() == ["123456789012345678901234567890"]
    assert any("stay text" in note for note in done.asset.notes)


def test_the_largest_integers_stay_exact(attack, tmp_path):
    path = makers.geoparquet(
        tmp_path / "i.parquet", [makers.point_wkb(1, 2)] * 2,
        u=pa.array([2**64 - 1, 0], pa.uint64()), i=pa.array([2**63 - 1, -(2**63)], pa.int64()),
    )  # fmt: skip
    table, _ = committed(attack, path, "Parquet")
    assert sorted(table["u"].to_pylist()) == [0, 2**64 - 1]
    assert sorted(table["i"].to_pylist()) == [-(2**63), 2**63 - 1]


def test_dates_of_year_9999_and_1_stay(attack, tmp_path):
    days = [datetime.date(9999, 12, 31), datetime.date(1, 1, 1)]
    path = makers.geoparquet(
        tmp_path / "d.parquet", [makers.point_wkb(1, 2)] * 2, d=pa.array(days),
        t=pa.array([datetime.datetime(9999, 12, 31, 23, 59, 59), datetime.datetime(1, 1, 1)]),
    )  # fmt: skip
    table, _ = committed(attack, path, "Parquet")
    assert set(table["d"].to_pylist()) == set(days)


@pytest.mark.parametrize("days", [-719_529, -10_000_000, 2**31 - 1, -(2**31)])
def test_dates_that_no_calendar_has_stay_the_same_number_of_days(attack, tmp_path, days):
    column = pa.array([days], pa.int32()).cast(pa.date32())
    path = makers.geoparquet(tmp_path / "d.parquet", [makers.point_wkb(1, 2)], d=column)
    table, _ = committed(attack, path, "Parquet")
    assert table["d"].cast(pa.int32()).to_pylist() == [days]


@pytest.mark.parametrize("day", ["0000-00-00", "2021-02-30", "2021-02-29", "9999-99-99"])
def test_dates_that_are_none_stay_text(attack, tmp_path, day):
    table, _ = committed(attack, geojson(tmp_path, f'{{"d":"{day}","e":"x"}}'), "GeoJSON")
    assert table["d"].to_pylist() == [day]
    path = tmp_path / "a.csv"
    path.write_text(f"x,y,d\n1,2,{day}\n")
    table, _ = committed(attack, path, "CSV")
    assert table["d"].to_pylist() == [day]


def test_a_shapefiles_date_that_is_none_is_named(attack, tmp_path):
    parts = makers.shapefile_parts(tmp_path)
    field = struct.pack("<11sc4xBB14x", b"d", b"D", 8, 0)
    rows = b" 20211112" + b" 20210229" + b" 20200229" + b"         " + b" 00000000"
    parts[".dbf"] = struct.pack("<B3BIHH20x", 3, 99, 1, 1, 5, 65, 9) + field + b"\r" + rows
    path, *beside = makers.write_parts(tmp_path / "d", parts)
    attack.reject_file(
        path, "ESRI Shapefile", "column 'd' has the date 20210229 in row 1", beside=beside
    )


def test_a_layer_without_geometry_is_refused(attack, tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a,b\n1,2\n")
    attack.reject_file(path, "CSV", "no column of it is a geometry")
    import pandas as pd
    import pyogrio

    path = tmp_path / "t.gpkg"
    pyogrio.write_dataframe(pd.DataFrame({"a": [1]}), path, layer="t")
    attack.reject_file(path, "GPKG", "has no geometry")
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"a": [1]}), path)
    attack.reject_file(path, "Parquet", "plain Parquet and not GeoParquet")


def test_two_geometry_columns_are_refused(attack, tmp_path):
    points = geopandas.GeoSeries([shapely.Point(1, 2)], crs=4326)
    path = tmp_path / "two.parquet"
    frame = geopandas.GeoDataFrame({"other": points}, geometry=points, crs=4326)
    frame.to_parquet(path)
    attack.reject_file(path, "Parquet", "2 geometry columns: ")
    path = tmp_path / "two.gml"
    place = "<gml:Point><gml:coordinates>1,2</gml:coordinates></gml:Point>"
    other = f"</ogr:geometryProperty><ogr:second>{place}</ogr:second><ogr:geometryProperty>"
    path.write_text(makers.gml(makers.gml_member("a", place + other)))
    attack.reject_file(path, "GML", "2 geometry columns")


GEO = {
    "not JSON": b"{", "deep": b'{"columns":' * 100_000, "a list": b"[]", "no column": b"{}",
    "NaN": b'{"version":NaN}', "another column": b'{"primary_column":"x","columns":{"x":{}}}',
    "an unknown encoding": b'{"primary_column":"geometry","columns":{"geometry":{"encoding":"X"}}}',
    "an encoding that lies":
        b'{"primary_column":"geometry","columns":{"geometry":{"encoding":"polygon"}}}',
    "a column of numbers": b'{"primary_column":"n","columns":{"n":{"encoding":"WKB"}}}',
    "not UTF-8": b"\xff\xfe",
}  # fmt: skip


@pytest.mark.parametrize("kind", GEO)
def test_geoparquet_metadata_that_are_none_are_refused(attack, tmp_path, kind):
    path = makers.geoparquet(tmp_path / "g.parquet", [makers.point_wkb(1, 2)])
    makers.with_geo(path, pq.read_table(path), GEO[kind])
    attack.reject_file(path, "Parquet", r"g\.parquet")


JSONS = {
    "deep": '{"a":' * 2000 + "1" + "}" * 2000,
    "deep geometry": "[" * 100_000,
    "a geometry of no type": '{"type":"FeatureCollection","features":[{"type":"Feature",'
    '"properties":{},"geometry":{"type":"Blob","coordinates":[1,2]}}]}',
    "coordinates that are texts": '{"type":"FeatureCollection","features":[{"type":"Feature",'
    '"properties":{},"geometry":{"type":"Point","coordinates":["a","b"]}}]}',
    "no coordinates": '{"type":"FeatureCollection","features":[{"type":"Feature",'
    '"properties":{},"geometry":{"type":"Point"}}]}',
    "a topology": '{"type":"Topology","objects":{},"arcs":[]}',
}


@pytest.mark.parametrize("kind", JSONS)
def test_json_that_is_no_geojson_is_refused(attack, tmp_path, kind):
    path = tmp_path / "j.geojson"
    path.write_text(JSONS[kind])
    attack.reject_file(path, "GeoJSON", r"j\.geojson")
