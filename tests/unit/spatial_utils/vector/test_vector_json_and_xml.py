from __future__ import annotations

import datetime as dt
import json
import subprocess
from pathlib import Path
from typing import Any

import geopandas as gpd
import pyarrow as pa
import pytest
import shapely

from libs.errors import InputError

UTC = dt.timezone.utc
POINT = {"type": "Point", "coordinates": [1, 2]}


def feature(geometry: Any = POINT, **properties: Any) -> dict[str, Any]:
    return {"type": "Feature", "properties": properties, "geometry": geometry}


def collection(path: Path, *features: dict[str, Any], **members: Any) -> Path:
    path.write_text(
        json.dumps({"type": "FeatureCollection", **members, "features": features}), "utf-8"
    )
    return path


def test_every_type_of_geojson_survives(tmp_path: Path, read: Any) -> None:
    values = {
        "i": 1,
        "big": 2**62 + 1,
        "f": 1.5,
        "yes": True,
        "text": "漢" * 30_000,
        "ints": [1, 2],
        "texts": ["a", "ü"],
        "floats": [1.5, 2.0],
    }
    path = collection(tmp_path / "a.geojson", feature(**values), feature(**dict.fromkeys(values)))
    got = read(path, "GeoJSON")
    assert got.attributes.to_pylist() == [values, dict.fromkeys(values)]
    assert got.type_of("big") == pa.int64()
    assert pa.types.is_list(got.type_of("ints"))
    assert got.info.crs_wkt == "EPSG:4326"


def test_integers_that_gdal_reads_as_floats_are_noted(tmp_path: Path, read: Any) -> None:
    got = read(collection(tmp_path / "a.geojson", feature(v=-(2**62) - 1)), "GeoJSON")
    assert got.type_of("v") == pa.float64()
    assert any("-10^18" in note for note in got.info.notes)


def test_mixed_and_nested_properties_come_out_as_json(tmp_path: Path, read: Any) -> None:
    mixed = [1, "a", {"b": [None, 2]}, [1, "x"]]
    path = collection(tmp_path / "a.geojson", *(feature(v=value) for value in mixed))
    texts = read(path, "GeoJSON").column("v")
    assert texts[1] in ("a", '"a"')
    assert [json.loads(text) for text in texts if text != "a"] == [v for v in mixed if v != "a"]


def test_times_of_geojson_keep_their_zone(tmp_path: Path, read: Any) -> None:
    rows = [
        {
            "bare": "2020-01-01T10:00:00",
            "utc": "2020-01-01T10:00:00Z",
            "off": "2020-01-01T10:00:00+02:00",
            "mix": "2020-01-01T10:00:00Z",
            "half": "2020-01-01T10:00:00Z",
            "day": "2020-01-01",
        },
        {
            "bare": "2020-01-01T10:00:00.25",
            "utc": "2020-01-01T10:00:00Z",
            "off": "2020-01-01T10:00:00+02:00",
            "mix": "2020-01-01T10:00:00-05:30",
            "half": "2020-01-01T10:00:00",
            "day": None,
        },
    ]
    got = read(collection(tmp_path / "a.geojson", *(feature(**row) for row in rows)), "GeoJSON")
    assert got.column("bare")[1] == dt.datetime(2020, 1, 1, 10, 0, 0, 250_000)
    assert got.column("utc")[0] == dt.datetime(2020, 1, 1, 10, tzinfo=UTC)
    assert got.column("off")[0] == dt.datetime(2020, 1, 1, 8, tzinfo=UTC)
    assert got.column("mix")[1] == dt.datetime(2020, 1, 1, 15, 30, tzinfo=UTC)
    assert got.column("half") == ["2020-01-01T10:00:00Z", "2020-01-01T10:00:00"]
    assert got.column("day") == [dt.date(2020, 1, 1), None]


def test_the_ids_of_features_are_kept_when_they_say_something(tmp_path: Path, read: Any) -> None:
    numbered = [{**feature(a=1), "id": 70}, {**feature(a=2), "id": 7}]
    assert read(collection(tmp_path / "a.geojson", *numbered), "GeoJSON").column("id") == [70, 7]
    named = [{**feature(a=1), "id": "x"}, {**feature(a=2), "id": "y"}]
    assert read(collection(tmp_path / "b.geojson", *named), "GeoJSON").column("id") == ["x", "y"]
    both = [{**feature(id="own"), "id": 70}]
    got = read(collection(tmp_path / "c.geojson", *both), "GeoJSON")
    assert (got.column("feature_id"), got.column("id")) == ([70], ["own"])
    plain = read(collection(tmp_path / "d.geojson", feature(a=1), feature(a=2)), "GeoJSON")
    assert plain.attributes.schema.names == ["a"]


def test_the_crs_member_of_older_geojson_counts(tmp_path: Path, read: Any) -> None:
    crs = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::32633"}}
    assert read(collection(tmp_path / "a.geojson", feature(), crs=crs), "GeoJSON").info.crs_wkt == (
        "EPSG:32633"
    )


def test_null_empty_and_mixed_geometries(tmp_path: Path, read: Any) -> None:
    shapes = [
        shapely.Point(1, 2),
        None,
        shapely.MultiPolygon([shapely.box(0, 0, 1, 1)]),
        shapely.LineString([(0, 0, 1), (1, 1, 2)]),
        shapely.MultiPoint(),
    ]
    made = [feature(None if s is None else json.loads(shapely.to_geojson(s))) for s in shapes]
    got = read(collection(tmp_path / "a.geojson", *made), "GeoJSON")
    assert got.geometries == shapes


def test_a_collection_without_features_is_an_empty_layer(tmp_path: Path, read: Any) -> None:
    got = read(collection(tmp_path / "a.geojson"), "GeoJSON")
    assert got.table.num_rows == 0
    assert got.info.geometry_index == 0


def test_a_large_feature_comes_through(tmp_path: Path, read: Any) -> None:
    points = [[i / 1e5, i / 1e5] for i in range(400_000)]
    path = collection(
        tmp_path / "a.geojson", feature({"type": "LineString", "coordinates": points})
    )
    (line,) = read(path, "GeoJSON").geometries
    assert shapely.get_num_coordinates(line) == 400_000


@pytest.mark.parametrize(("before", "name"), [("", "a.geojsonl"), ("\x1e", "a.geojsons")])
def test_json_lines_read_with_and_without_separators(
    before: str, name: str, tmp_path: Path, read: Any
) -> None:
    lines = [before + json.dumps(feature(a=i)) + "\n" for i in range(3)]
    (tmp_path / name).write_text("".join(lines))
    assert read(tmp_path / name, "GeoJSONSeq").column("a") == [0, 1, 2]


def test_a_nul_in_a_text_is_an_error_and_a_backslash_is_not(tmp_path: Path, read: Any) -> None:
    fine = collection(tmp_path / "a.geojson", feature(a="\\u0000"))
    assert read(fine, "GeoJSON").column("a") == ["\\u0000"]
    with pytest.raises(InputError, match="NUL"):
        read(collection(tmp_path / "b.geojson", feature(a="x\0y")), "GeoJSON")


@pytest.mark.parametrize("cut", [0.312, 0.913, 0.999])
@pytest.mark.parametrize("driver", ["GeoJSON", "GeoJSONSeq"])
def test_json_that_was_cut_off_is_an_error(
    driver: str, cut: float, tmp_path: Path, read: Any
) -> None:
    features = [feature(a="x" * 50) for _ in range(200)]
    path = tmp_path / "a.json"
    if driver == "GeoJSON":
        collection(path, *features)
    else:
        path.write_text("\n".join(map(json.dumps, features)))
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * cut)])
    with pytest.raises(InputError, match=r"a\.json: "):
        read(path, driver)


GML = """<?xml version="1.0"?>{doctype}
<wfs:FeatureCollection xmlns:wfs="http://www.opengis.net/wfs/2.0"
  xmlns:gml="http://www.opengis.net/gml/3.2" xmlns:a="http://a">
  <wfs:member><a:road gml:id="road.1"><a:Name>{name}</a:Name><a:lanes>2</a:lanes><a:g>
    <gml:Point srsName="{srs}"><gml:pos>{pos}</gml:pos></gml:Point></a:g></a:road></wfs:member>
</wfs:FeatureCollection>"""


def gml(path: Path, srs: str = "EPSG:4326", pos: str = "11 48", **parts: str) -> Path:
    path.write_text(GML.format(srs=srs, pos=pos, **{"doctype": "", "name": "A", **parts}))
    return path


@pytest.mark.parametrize(
    ("srs", "pos", "xy"),
    [
        ("urn:ogc:def:crs:EPSG::4326", "48 11", (11, 48)),
        ("http://www.opengis.net/def/crs/EPSG/0/4326", "48 11", (11, 48)),
        ("EPSG:4326", "11 48", (11, 48)),
        ("urn:ogc:def:crs:EPSG::3035", "2900000 4300000", (4300000, 2900000)),
        ("urn:ogc:def:crs:EPSG::32633", "400000 5000000", (400000, 5000000)),
    ],
)
def test_gml_comes_out_as_x_and_y_whatever_its_axes(
    srs: str, pos: str, xy: tuple[float, float], tmp_path: Path, read: Any
) -> None:
    got = read(gml(tmp_path / "a.gml", srs, pos), "GML")
    assert got.geometries == [shapely.Point(xy)]
    assert got.column("Name") == ["A"]
    assert got.column("lanes") == [2]
    assert got.column("gml_id") == ["road.1"]


@pytest.mark.parametrize(
    ("doctype", "name"),
    [
        ('<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/hostname">]>', "&e;"),
        ('<!DOCTYPE x [<!ENTITY a "aa"><!ENTITY b "&a;&a;">]>', "&b;"),
    ],
)
def test_entities_are_refused(doctype: str, name: str, tmp_path: Path, read: Any) -> None:
    with pytest.raises(InputError, match="DOCTYPE"):
        read(gml(tmp_path / "a.gml", doctype=doctype, name=name), "GML")


def test_gml_that_was_cut_off_is_an_error(tmp_path: Path, read: Any) -> None:
    text = gml(tmp_path / "a.gml").read_text()
    (tmp_path / "a.gml").write_text(text.replace("</wfs:FeatureCollection>", ""))
    with pytest.raises(InputError, match="no element found"):
        read(tmp_path / "a.gml", "GML")


KML = """<?xml version="1.0" encoding="UTF-8"?><kml xmlns="http://www.opengis.net/kml/2.2"><Document>
<Schema name="S" id="S"><SimpleField name="People" type="int"/></Schema>
<Folder><name>Städte</name>
<Placemark><name>A</name><description>d</description><ExtendedData><SchemaData schemaUrl="#S">
<SimpleData name="People">5</SimpleData></SchemaData></ExtendedData>
<Point><coordinates>11,48</coordinates></Point></Placemark>
<Placemark><name>B</name><TimeStamp><when>2020-01-01T00:00:00Z</when></TimeStamp></Placemark>
</Folder>{more}</Document></kml>"""


def test_kml_keeps_its_extended_data_and_adds_no_column(tmp_path: Path, read: Any) -> None:
    (tmp_path / "a.kml").write_text(KML.format(more=""), "utf-8")
    got = read(tmp_path / "a.kml", "KML")
    assert got.info.layer == "Städte"
    assert got.attributes.to_pylist() == [
        {"Name": "A", "description": "d", "timestamp": None, "People": 5},
        {
            "Name": "B",
            "description": None,
            "timestamp": dt.datetime(2020, 1, 1, tzinfo=UTC),
            "People": None,
        },
    ]
    point, nothing = got.geometries
    assert (point.x, point.y, nothing) == (11, 48, None)


def test_of_several_kml_folders_one_has_to_be_named(tmp_path: Path, read: Any) -> None:
    more = "<Folder><name>Two</name><Placemark><name>C</name></Placemark></Folder>"
    (tmp_path / "a.kml").write_text(KML.format(more=more), "utf-8")
    with pytest.raises(InputError, match=r"2 layers: 'Städte', 'Two'.*`layer`"):
        read(tmp_path / "a.kml", "KML")
    assert read(tmp_path / "a.kml", "KML", "Two").column("Name") == ["C"]
    with pytest.raises(InputError, match=r"no layer 'two'; its layers are: 'Städte', 'Two'"):
        read(tmp_path / "a.kml", "KML", "two")


def test_a_value_that_is_not_of_its_declared_type_is_an_error(tmp_path: Path, read: Any) -> None:
    (tmp_path / "a.kml").write_text(KML.format(more="").replace(">5<", ">5 or 6<"), "utf-8")
    with pytest.raises(InputError, match="5 or 6"):
        read(tmp_path / "a.kml", "KML")


def test_several_geometry_columns_of_gml_are_named(tmp_path: Path, read: Any) -> None:
    (tmp_path / "a.gml").write_text(
        '<c:FC xmlns:c="http://c" xmlns:gml="http://www.opengis.net/gml"'
        ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
        ' xsi:schemaLocation="http://c a.xsd"><gml:featureMember><c:f fid="f.1"><c:a><gml:Point>'
        "<gml:coordinates>1,2</gml:coordinates></gml:Point></c:a><c:b><gml:Point>"
        "<gml:coordinates>3,4</gml:coordinates></gml:Point></c:b></c:f></gml:featureMember></c:FC>"
    )
    (tmp_path / "a.xsd").write_text(
        '<xs:schema targetNamespace="http://c" xmlns:c="http://c"'
        ' xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:gml="http://www.opengis.net/gml">'
        '<xs:element name="f" type="c:fT" substitutionGroup="gml:_Feature"/>'
        '<xs:complexType name="fT"><xs:complexContent>'
        '<xs:extension base="gml:AbstractFeatureType"><xs:sequence>'
        '<xs:element name="a" type="gml:PointPropertyType"/>'
        '<xs:element name="b" type="gml:PointPropertyType"/>'
        "</xs:sequence></xs:extension></xs:complexContent></xs:complexType></xs:schema>"
    )
    with pytest.raises(InputError, match="2 geometry columns: 'a', 'b'"):
        read(tmp_path / "a.gml", "GML")


@pytest.mark.parametrize("with_schema", [True, False])
def test_multi_polygons_of_gml_stay_whole_whatever_its_schema_says(
    with_schema: bool, countries: Path, tmp_path: Path, read: Any
) -> None:
    path = tmp_path / "a.gml"
    subprocess.run(["ogr2ogr", "-f", "GML", path, countries], check=True)
    assert b"SurfacePropertyType" in path.with_suffix(".xsd").read_bytes()
    if not with_schema:
        path.with_suffix(".xsd").unlink()
    expected = gpd.read_file(countries)
    got = read(path, "GML")
    assert got.column("name") == expected["name"].tolist()
    assert shapely.equals_exact(got.geometries, expected.geometry.to_numpy(), 1e-9).all()


def test_a_schema_keeps_the_types_of_attributes(tmp_path: Path, read: Any) -> None:
    (tmp_path / "a.csv").write_text("WKT,code\nPOINT (1 2),01\n")
    command = ["ogr2ogr", "-f", "GML", tmp_path / "b.gml", tmp_path / "a.csv"]
    subprocess.run(command, check=True)
    (tmp_path / "b.gml").write_text((tmp_path / "b.gml").read_text().replace(">01<", ">7<"))
    assert read(tmp_path / "b.gml", "GML").column("code") == ["7"]


@pytest.mark.parametrize("driver", ["GeoJSON", "GeoJSONSeq"])
def test_times_that_lose_or_gain_something_are_told(driver: str, tmp_path: Path, read: Any) -> None:
    first = {
        "day": "2020-01-01",
        "both": "2020-01-01T10:00:00",
        "fine": "2020-01-01T10:00:00.123Z",
        "time": "10:00:00.5",
        "text": "2020-01-01",
    }
    second = {**first, "both": "2020-01-02", "fine": "2020-01-01T10:00:00.1234Z", "text": "x"}
    path = tmp_path / "a.json"
    features = [feature(**first), feature(**second, **{"ti\u00e4me": "10:00:00.1234567"})]
    if driver == "GeoJSON":
        collection(path, *features)
    else:
        path.write_text("\n".join(map(json.dumps, features)))
    got = read(path, driver)
    assert got.column("both") == [dt.datetime(2020, 1, 1, 10), dt.datetime(2020, 1, 2)]
    assert got.info.notes[:2] == (
        "Column 'both' has days and times: the days became midnights.",
        "Column 'fine' has times with digits beyond the millisecond: left aside.",
    )
