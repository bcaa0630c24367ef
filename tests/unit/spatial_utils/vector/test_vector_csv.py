from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import shapely

from libs.errors import InputError

UTC = dt.timezone.utc


def csv(tmp_path: Path, text: str, name: str = "a.csv", encoding: str = "utf-8") -> Path:
    path = tmp_path / name
    path.write_bytes(text.encode(encoding))
    return path


@pytest.mark.parametrize("name", ["WKT", "wkt", "_WKT", "geom", "Geometry", "the_geom"])
def test_the_wkt_column_becomes_the_geometry(name: str, tmp_path: Path, read: Any) -> None:
    text = f'a,{name},b\n1,"POLYGON ((0 0,1 0,1 1,0 0))",x\n2,POINT Z (1 2 3),y\n3,,z\n'
    got = read(csv(tmp_path, text), "CSV")
    assert got.attributes.schema.names == ["a", "b"]
    expected = ["POLYGON ((0 0,1 0,1 1,0 0))", "POINT Z (1 2 3)"]
    assert got.geometries == [*map(shapely.from_wkt, expected), None]
    assert got.info.crs_wkt is None


@pytest.mark.parametrize(
    "pair", ["X,Y", "lon,lat", "Longitude,Latitude", "lng,lat", "EASTING,NORTHING", "lat,lon"]
)
def test_two_columns_of_coordinates_become_points(pair: str, tmp_path: Path, read: Any) -> None:
    values = "2,1" if pair == "lat,lon" else "1,2"
    got = read(csv(tmp_path, f"{pair},n\n{values},a\n,,b\nnan,2,c\n1,,d\n"), "CSV")
    assert got.geometries == [shapely.Point(1, 2), None, None, None]
    assert got.attributes.schema.names == [*pair.split(","), "n"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("WKT,a\nPOINT (1 2),1\nPOINT (1,2\n", r"POINT \(1"),
        ("x,y\n1,2\n3,north\n", "record 2 for field y"),
        ("x,y\n1,2\n3,4 m\n", "record 2 for field y"),
    ],
)
def test_a_geometry_that_cannot_be_read_is_an_error(
    text: str, told: str, tmp_path: Path, read: Any
) -> None:
    with pytest.raises(InputError, match=told):
        read(csv(tmp_path, text), "CSV")


def test_a_decimal_comma_is_understood(tmp_path: Path, read: Any) -> None:
    got = read(csv(tmp_path, "x;y;a\n1,5;-2,25;1\n3;4;2\n"), "CSV")
    assert got.geometries == [shapely.Point(1.5, -2.25), shapely.Point(3, 4)]


def test_a_file_without_a_geometry_names_its_columns(tmp_path: Path, read: Any) -> None:
    with pytest.raises(InputError, match=r"'a', 'b'.*`x` and `y`"):
        read(csv(tmp_path, "a,b\n1,2\n"), "CSV")


def test_types_are_those_of_the_whole_file(tmp_path: Path, read: Any) -> None:
    many = 200_000
    body = "".join(f"{i},{i},0{i % 10}\n" for i in range(many))
    path = csv(tmp_path, f"x,y,code,late\n{body.replace(chr(10), ',1' + chr(10))}1,1,11,late\n")
    assert path.stat().st_size > 2 * 2**20
    got = read(path, "CSV")
    assert got.type_of("late") == pa.string()
    assert got.type_of("code") == pa.string()
    assert got.column("code")[:2] == ["00", "01"]
    assert got.column("late")[-1] == "late"


def test_types_are_told_apart(tmp_path: Path, read: Any) -> None:
    text = (
        "x,y,i,big,f,yes,day,time,t\n"
        "1,2,1,9223372036854775807,1.5,true,2020-02-29,10:11:12,x\n"
        "1,2,,,,,,,\n"
    )
    got = read(csv(tmp_path, text), "CSV")
    assert got.attributes.drop_columns(["x", "y"]).to_pylist() == [
        {
            "i": 1,
            "big": 2**63 - 1,
            "f": 1.5,
            "yes": True,
            "day": dt.date(2020, 2, 29),
            "time": dt.time(10, 11, 12),
            "t": "x",
        },
        dict.fromkeys(["i", "big", "f", "yes", "day", "time"]) | {"t": ""},
    ]


def test_times_keep_their_zone(tmp_path: Path, read: Any) -> None:
    text = (
        "x,y,bare,utc,offset,both\n"
        "1,2,2020-01-01T10:00:00,2020-01-01T10:00:00Z,2020-01-01T10:00:00.5+02:00,"
        "2020-01-01T10:00:00\n"
        "1,2,2020-07-01T10:00:00,2020-01-01T11:00:00Z,2020-01-01T10:00:00-05:00,"
        "2020-01-01T10:00:00Z\n"
    )
    got = read(csv(tmp_path, text), "CSV")
    assert got.column("bare")[0] == dt.datetime(2020, 1, 1, 10)
    assert got.column("utc")[0] == dt.datetime(2020, 1, 1, 10, tzinfo=UTC)
    assert got.column("offset") == [
        dt.datetime(2020, 1, 1, 8, 0, 0, 500_000, UTC),
        dt.datetime(2020, 1, 1, 15, tzinfo=UTC),
    ]
    assert got.column("both") == ["2020-01-01T10:00:00", "2020-01-01T10:00:00Z"]
    assert any("'both'" in note for note in got.info.notes)


@pytest.mark.parametrize("name", ["a.csv", "a.tsv"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_the_separator_is_found(separator: str, name: str, tmp_path: Path, read: Any) -> None:
    text = "\ufeffx,y,größe\n1,2,a\n".replace(",", separator)
    got = read(csv(tmp_path, text, name), "CSV")
    assert got.column("größe") == ["a"]


def test_text_that_is_not_utf8_is_an_error(tmp_path: Path, read: Any) -> None:
    path = csv(tmp_path, "x,y,a\n1,2,ok\n1,2,ä\n", encoding="latin-1")
    with pytest.raises(InputError, match="'a' has text that is not UTF-8 in row 2"):
        read(path, "CSV")


def test_two_columns_of_one_name_are_an_error(tmp_path: Path, read: Any) -> None:
    with pytest.raises(InputError, match="more than one column is called 'a'"):
        read(csv(tmp_path, "x,y,a,a\n1,2,3,4\n"), "CSV")


def test_names_that_differ_in_their_case_are_two(tmp_path: Path, read: Any) -> None:
    got = read(csv(tmp_path, "x,y,a,A\n1,2,3,4\n"), "CSV")
    assert (got.column("a"), got.column("A")) == ([3], [4])


def test_a_quote_that_never_ends_is_an_error(tmp_path: Path, read: Any) -> None:
    with pytest.raises(InputError, match="double-quotes"):
        read(csv(tmp_path, 'x,y,a\n1,2,"open\n3,4,b\n'), "CSV")


def test_curves_and_surfaces_come_through(tmp_path: Path, read: Any) -> None:
    text = (
        'WKT,a\n"TIN Z (((0 0 0,0 0 1,0 1 0,0 0 0)))",1\n'
        '"POLYHEDRALSURFACE Z (((0 0 0,0 0 1,0 1 0,0 0 0)))",2\n'
        '"TRIANGLE ((0 0,0 1,1 1,0 0))",3\n"CIRCULARSTRING (0 0,1 1,2 0)",4\n'
    )
    end = read(csv(tmp_path, text), "CSV").end
    assert end.geometry_types == ("CircularString", "PolyhedralSurface Z", "TIN Z", "Triangle")
    assert end.rows_with_curves == 1


LATE = "".join(f'{i},{i},"a, ""b""\n{i}"\n' for i in range(150_000))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("x,y,a\n1,2,foo, bar\n3,4,b\n", r"row 1 after .* 4 fields, .* has 3: ' bar'"),
        ("x,y,a\n\n1,2,b\n3,4,ä,ö", "row 2 after .*: 'ö'"),
        ("x;y;a\r\n1;2;b;c\r\n", "row 1 after .*: 'c'"),
        ("WKT\nPOINT (1 2),foo\n", "row 1 after .*: 'foo'"),
        ('x,y,"a,\n b"\n1,2,b,c\n', "row 1 after .*: 'c'"),
        ('x,y,a\n1,2,5" pipe\n1,2,6" pipe,late\n', "row 2 after .*: 'late'"),
        (f'x,y,a\n{LATE}1,2,"b",c\n', "row 150001 after .*: 'c'"),
        (f'x,y,a\n{LATE}1,2,"b",,c', "row 150001 after .*: 'c'"),
    ],
)
def test_a_field_beyond_the_header_is_an_error(
    text: str, told: str, tmp_path: Path, read: Any
) -> None:
    with pytest.raises(InputError, match=told):
        read(csv(tmp_path, text), "CSV")


def test_empty_fields_beyond_the_header_are_nothing(tmp_path: Path, read: Any) -> None:
    got = read(csv(tmp_path, "x,y,a\n1,2,b,\n1,2,c,, \n"), "CSV")
    assert got.column("a") == ["b", "c"]
    assert got.info.notes == ()


def test_rows_with_fewer_fields_are_counted(tmp_path: Path, read: Any) -> None:
    got = read(csv(tmp_path, f'x,y,a\n1,2\n\n{LATE}\n"1",2\n3,4,"z"'), "CSV")
    assert got.column("a")[0] is None
    assert got.column("a")[-2:] == [None, "z"]
    assert got.info.notes == (
        "2 row(s) have fewer fields than the header: the missing ones are null.",
    )


@pytest.mark.parametrize(
    "text",
    [
        'x,y,"a, b"\n1,2,"c, d"\n',
        'x,y,a\n1,2,""""\n1,2,""\n1,2,"""c"", d"\n',
        'x,y,a\r\n1,2,"c\r\nd, e"\r\n',
        '\ufeff"x","y","a, b"\r\n1,2,3\r\n',
        '\ufeff"x","y","a, b"\r\n1,2,5" pipe\r\n',
        "x;y;a\n1;2;b, c\n",
        "x,y,a;b;c\n1,2,d;e;f;g\n",
        "x\ty\ta\n1\t2\tb, c\n",
    ],
)
def test_separators_within_a_field_are_no_fields(text: str, tmp_path: Path, read: Any) -> None:
    got = read(csv(tmp_path, text), "CSV")
    assert got.geometries[0] == shapely.Point(1, 2)
    assert not any("fields" in note for note in got.info.notes)


def test_times_that_lose_or_gain_something_are_told(tmp_path: Path, read: Any) -> None:
    text = (
        "x,y,day,both,fine,time,text\n"
        "1,2,2020-01-01,2020-01-01T10:00:00,2020-01-01T10:00:00.1230,10:00:00.5,2020-01-01\n"
        '1,2,2020-01-01,2020/01/02,2020-01-01T10:00:00.1234,10:00:00.1234567,"10:00:00.1234"\n'
    )
    got = read(csv(tmp_path, text), "CSV")
    assert got.column("both") == [dt.datetime(2020, 1, 1, 10), dt.datetime(2020, 1, 2)]
    assert got.column("fine") == [dt.datetime(2020, 1, 1, 10, 0, 0, 123_000)] * 2
    assert got.info.notes == (
        "Column 'both' has days and times: the days became midnights.",
        "Column 'fine' has times with digits beyond the millisecond: left aside.",
        "Column 'time' has times with digits beyond the millisecond: left aside.",
    )


def test_names_of_columns_may_be_numbers(tmp_path: Path, read: Any) -> None:
    got = read(csv(tmp_path, "name,lon,lat,2020,2021\na,1,2,5,6\nb,3,4,7,8\n"), "CSV")
    assert got.geometries == [shapely.Point(1, 2), shapely.Point(3, 4)]
    assert (got.column("2020"), got.column("2021")) == ([5, 7], [6, 8])
    with pytest.raises(InputError, match="its columns are '1', '2'"):
        read(csv(tmp_path, "1,2\n3,4\n"), "CSV")


@pytest.mark.parametrize(
    ("header", "told"),
    [
        ("lon,lat,x,y", "of 'x' and 'y', not of 'lon' and 'lat'"),
        ("WKT,geom,Lon,Lat", "of 'WKT', not of 'geom', nor of 'Lon' and 'Lat'"),
    ],
)
def test_which_columns_were_taken_is_told_when_there_is_a_choice(
    header: str, told: str, tmp_path: Path, read: Any
) -> None:
    values = "POINT (3 4),,1,2" if "WKT" in header else "1,2,3,4"
    got = read(csv(tmp_path, f"{header}\n{values}\n"), "CSV")
    assert got.geometries == [shapely.Point(3, 4)]
    assert got.info.notes == (f"The geometry was made {told}.",)
