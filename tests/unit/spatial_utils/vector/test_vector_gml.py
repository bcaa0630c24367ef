"""What GDAL alone would lose of a GML file, or put in another place."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
import shapely

from libs.errors import InputError

HEAD = (
    '<?xml version="1.0"?><c:FC xmlns:c="http://x" xmlns:gml="http://www.opengis.net/gml/3.2" '
    'xmlns:xlink="http://www.w3.org/1999/xlink">'
)
BOX = (
    "<gml:boundedBy><gml:Envelope {}><gml:lowerCorner>0 0</gml:lowerCorner>"
    "<gml:upperCorner>1 1</gml:upperCorner></gml:Envelope></gml:boundedBy>"
)
URN, URL = "urn:ogc:def:crs:EPSG::", "http://www.opengis.net/def/crs/EPSG/0/"
XML, SHORT = "http://www.opengis.net/gml/srs/epsg.xml#", "EPSG:"


def srs(name: str | None) -> str:
    return f'srsName="{name}"' if name else ""


def point(name: str | None, pos: str = "48 11") -> str:
    return f"<gml:Point {srs(name)}><gml:pos>{pos}</gml:pos></gml:Point>"


def surface(outer: str | None, inner: str | None) -> str:
    return (
        f"<gml:MultiSurface {srs(outer)}><gml:surfaceMember><gml:Polygon {srs(inner)}>"
        "<gml:exterior><gml:LinearRing><gml:posList>1 2 1 3 2 3 1 2</gml:posList>"
        "</gml:LinearRing></gml:exterior></gml:Polygon></gml:surfaceMember></gml:MultiSurface>"
    )


def member(geometry: str, body: str = "", kind: str = "f") -> str:
    return (
        f"<gml:featureMember><c:{kind}>{body}<c:g>{geometry}</c:g></c:{kind}></gml:featureMember>"
    )


def gml(tmp_path: Path, *members: str, before: str = "") -> Path:
    path = tmp_path / "a.gml"
    path.write_text(f"{HEAD}{before}{''.join(members)}</c:FC>", "utf-8")
    return path


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (f"{URN}25832", f"{URN}25833"),
        ("EPSG:25832", "urn:adv:crs:ETRS89_UTM33"),
        (f"{URN}4326", f"{URN}4258"),
        ("urn:ogc:def:crs:OGC:1.3:CRS84", f"{URN}4326"),
    ],
)
def test_geometries_in_different_systems_are_an_error(
    first: str, second: str, tmp_path: Path, read: Any
) -> None:
    path = gml(tmp_path, member(point(first)), member(point(second)))
    with pytest.raises(InputError, match=rf"different reference systems: '{first}', '{second}'"):
        read(path, "GML")


def test_parts_in_other_systems_than_their_whole_are_an_error(tmp_path: Path, read: Any) -> None:
    with pytest.raises(InputError, match="different reference systems"):
        read(gml(tmp_path, member(surface("EPSG:4326", "EPSG:25832"))), "GML")


@pytest.mark.parametrize("other", [f"{SHORT}25832", f"{URL}25832", f"{XML}25832"])
def test_forms_of_one_name_are_one_system(other: str, tmp_path: Path, read: Any) -> None:
    path = gml(tmp_path, member(point(f"{URN}25832", "5 6")), member(point(other, "5 6")))
    got = read(path, "GML")
    assert got.geometries == [shapely.Point(5, 6)] * 2
    assert got.info.crs_wkt == "EPSG:25832"


def test_forms_of_one_name_whose_axes_agree_are_one_system(tmp_path: Path, read: Any) -> None:
    path = gml(tmp_path, member(point(f"{URN}4326")), member(point(f"{URL}4326")))
    got = read(path, "GML")
    assert got.geometries == [shapely.Point(11, 48)] * 2
    assert got.info.crs_wkt == "EPSG:4326"


@pytest.mark.parametrize("other", [f"{SHORT}4326", f"{XML}4326"])
def test_forms_whose_axes_differ_are_an_error(other: str, tmp_path: Path, read: Any) -> None:
    path = gml(tmp_path, member(point(f"{URN}4326")), member(point(other)))
    with pytest.raises(InputError, match="which axis comes first"):
        read(path, "GML")


@pytest.mark.parametrize("before", [True, False])
def test_a_geometry_without_a_name_has_that_of_the_others_only_if_no_axis_turns(
    before: bool, tmp_path: Path, read: Any
) -> None:
    def mixed(name: str) -> Path:
        members = [member(point(name)), member(point(None))]
        return gml(tmp_path, *(members[::-1] if before else members))

    got = read(mixed(f"{URN}25832"), "GML")
    assert got.info.crs_wkt == "EPSG:25832"
    assert got.geometries == [shapely.Point(48, 11)] * 2
    assert any("without a srsName" in note for note in got.info.notes)
    with pytest.raises(InputError, match="not every geometry"):
        read(mixed(f"{URN}4326"), "GML")


@pytest.mark.parametrize(
    "box", [f"{SHORT}25832", f"{URN}5555", "urn:ogc:def:crs,crs:EPSG::25832,crs:EPSG::5783"]
)
def test_a_box_in_another_form_changes_nothing(box: str, tmp_path: Path, read: Any) -> None:
    inside = member(point(f"{URN}25832"), BOX.format(srs(box)))
    got = read(gml(tmp_path, inside, before=BOX.format(srs(box))), "GML")
    assert got.geometries == [shapely.Point(48, 11)]
    assert got.info.crs_wkt == "EPSG:25832"


def test_the_box_of_the_file_counts_for_geometries_without_a_name(
    tmp_path: Path, read: Any
) -> None:
    got = read(gml(tmp_path, member(point(None)), before=BOX.format(srs(f"{URN}4326"))), "GML")
    assert got.geometries == [shapely.Point(11, 48)]
    assert got.info.crs_wkt == "EPSG:4326"


def test_a_name_where_gdal_does_not_look_counts_too(tmp_path: Path, read: Any) -> None:
    assert read(gml(tmp_path, member(surface(None, "EPSG:25832"))), "GML").info.crs_wkt == (
        "EPSG:25832"
    )
    boxed = member(point(None), BOX.format(srs("EPSG:25832")))
    assert read(gml(tmp_path, boxed), "GML").info.crs_wkt == "EPSG:25832"
    with pytest.raises(InputError, match="outermost element"):
        read(gml(tmp_path, member(surface(None, f"{URN}4326"))), "GML")
    boxed = member(point(None), BOX.format(srs(f"{URN}4326")))
    with pytest.raises(InputError, match="outermost element"):
        read(gml(tmp_path, boxed), "GML")


def test_another_layer_may_be_in_another_system(tmp_path: Path, read: Any) -> None:
    path = gml(tmp_path, member(point(f"{URN}25832")), member(point(f"{URN}4326"), kind="other"))
    assert read(path, "GML", "f").info.crs_wkt == "EPSG:25832"
    assert read(path, "GML", "other").geometries == [shapely.Point(11, 48)]


def test_a_file_that_says_no_system_still_says_none(tmp_path: Path, read: Any) -> None:
    assert read(gml(tmp_path, member(point(None))), "GML").info.crs_wkt is None
    assert read(gml(tmp_path, member(point("#own"))), "GML").info.crs_wkt is None


LINKED = (
    '<c:owner xlink:href="#o1"/><c:label xml:lang="de">Wien</c:label>'
    '<c:code codeSpace="urn:x">5</c:code><c:val nilReason="unknown"/><c:zip no="007"/>'
)


def test_attributes_of_elements_become_columns(tmp_path: Path, read: Any) -> None:
    members = [member(point("EPSG:4326"), LINKED), member(point("EPSG:4326"))]
    got = read(gml(tmp_path, *members), "GML")
    assert got.attributes.to_pylist() == [
        {
            "gml_id": "",
            "owner_href": "#o1",
            "label_lang": "de",
            "label": "Wien",
            "code_codeSpace": "urn:x",
            "code": 5,
            "val_nilReason": "unknown",
            "zip_no": "007",
        },
        {**dict.fromkeys(got.attributes.column_names), "gml_id": ""},
    ]
    assert got.info.notes == ()


def test_how_a_box_is_written_is_no_column(tmp_path: Path, read: Any) -> None:
    box = BOX.format('srsName="EPSG:4326" srsDimension="2" axisLabels="x y"')
    members = [member(point("EPSG:4326"), box).replace("<c:f>", '<c:f gml:id="f">')]
    got = read(gml(tmp_path, *members, before=box), "GML")
    assert got.attributes.column_names == ["gml_id", "lowerCorner", "upperCorner"]
    assert got.info.notes == ()


def test_attributes_without_a_column_are_named(tmp_path: Path, read: Any) -> None:
    path = gml(
        tmp_path,
        member(point("EPSG:4326")).replace("<c:f>", '<c:f level="5" gml:id="f">'),
        member(point("EPSG:4326"), kind="other").replace("<c:other>", '<c:other depth="5">'),
    )
    assert read(path, "GML", "f").info.notes == (
        "Attributes of elements that GDAL makes no column of were left aside: 'level' of 'f'.",
    )


def test_attributes_that_the_schema_does_not_tell_of_are_named(tmp_path: Path, read: Any) -> None:
    (tmp_path / "a.csv").write_text("WKT,code\nPOINT (1 2),01\n")
    path = tmp_path / "b.gml"
    subprocess.run(["ogr2ogr", "-f", "GML", path, tmp_path / "a.csv"], check=True)
    path.write_text(path.read_text().replace("<ogr:code>", '<ogr:code list="x">'))
    got = read(path, "GML")
    assert got.column("code") == ["01"]
    assert any("'list' of 'code'" in note for note in got.info.notes)


@pytest.mark.parametrize(
    "time",
    [
        "2021-02-30",
        "2021-02-30T00:00:00Z",
        "2021-13-01",
        "2021-02-29T00:00:00",
        "2021-01-01T25:00:00Z",
    ],
)
@pytest.mark.parametrize("form", ["<c:d>{}</c:d>", '<c:d  at="1">{}</c:d>', '<c:d at="{}"/>'])
def test_a_time_that_is_in_no_calendar_is_an_error(
    form: str, time: str, tmp_path: Path, read: Any
) -> None:
    day = form.format("2020-02-29")
    path = gml(tmp_path, member(point("EPSG:4326"), form.format(time)), member(point(None), day))
    with pytest.raises(InputError, match=f"'{time[:19]}.*in no calendar"):
        read(path, "GML")


def test_what_looks_like_a_day_in_a_text_is_none(tmp_path: Path, read: Any) -> None:
    texts = "<c:day>2020-02-29</c:day><c:file>2021-02-30</c:file>"
    path = gml(
        tmp_path,
        member(point("EPSG:4326"), texts),
        member(point("EPSG:4326"), texts.replace("2021-02-30", "B 7")),
    )
    assert read(path, "GML").column("file") == ["2021-02-30", "B 7"]


def test_a_feature_may_be_called_like_a_geometry(tmp_path: Path, read: Any) -> None:
    path = gml(tmp_path, *(member(point("EPSG:4326"), kind="Point") for _ in range(2)))
    path.write_text(path.read_text().replace("http://x", "http://x/gml"))
    assert read(path, "GML").geometries == [shapely.Point(48, 11)] * 2
