"""What GDAL alone would lose of a KML file."""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path
from typing import Any

import pytest

from libs.errors import InputError

HEAD = '<?xml version="1.0" encoding="UTF-8"?><kml xmlns="http://www.opengis.net/kml/2.2">'
POINT = "<Point><coordinates>1,2</coordinates></Point>"


def kml(tmp_path: Path, *placemarks: str, fields: tuple[str, ...] = ()) -> Path:
    declared = "".join(f'<SimpleField name="{name}" type="string"/>' for name in fields)
    schema = f'<Schema name="s" id="s">{declared}</Schema>' if fields else ""
    inside = "".join(f"<Placemark>{one}{POINT}</Placemark>" for one in placemarks)
    path = tmp_path / "a.kml"
    path.write_text(f"{HEAD}<Document>{schema}{inside}</Document></kml>", "utf-8")
    return path


def data(*pairs: tuple[str, str]) -> str:
    inside = "".join(f'<Data name="{k}"><value>{v}</value></Data>' for k, v in pairs)
    return f"<ExtendedData>{inside}</ExtendedData>"


def simple(*pairs: tuple[str, str]) -> str:
    inside = "".join(f'<SimpleData name="{k}">{v}</SimpleData>' for k, v in pairs)
    return f'<ExtendedData><SchemaData schemaUrl="#s">{inside}</SchemaData></ExtendedData>'


LABELS = "<name>Label</name><description>text</description>"


def test_data_called_as_what_every_placemark_has_stay_beside_it(tmp_path: Path, read: Any) -> None:
    more = data(("name", "own"), ("Description", "mine"), ("id", "7"), ("kml_name", "x"))
    got = read(kml(tmp_path, LABELS + more), "KML")
    assert got.attributes.to_pylist() == [
        {
            "_kml_name": "Label",
            "kml_description": "text",
            "name": "own",
            "Description": "mine",
            "id": "7",
            "kml_name": "x",
        }
    ]
    assert any("own name is in column '_kml_name'" in note for note in got.info.notes)


def test_data_of_a_schema_stay_beside_it_too(tmp_path: Path, read: Any) -> None:
    path = kml(tmp_path, LABELS + simple(("name", "own"), ("begin", "x")), fields=("name", "begin"))
    (row,) = read(path, "KML").attributes.to_pylist()
    assert row == {"kml_name": "Label", "description": "text", "name": "own", "begin": "x"}


@pytest.mark.parametrize("more", [data(("a", "1"), ("A", "2")), data(("a", "1"), ("a", "2"))])
def test_two_data_of_one_name_are_an_error(more: str, tmp_path: Path, read: Any) -> None:
    with pytest.raises(InputError, match="(?i)placemark 2 has two data of one name, 'a' and 'a'"):
        read(kml(tmp_path, LABELS, more), "KML")


def test_names_that_differ_in_their_case_are_one_column_with_a_note(
    tmp_path: Path, read: Any
) -> None:
    got = read(kml(tmp_path, data(("a", "1")), data(("A", "2"))), "KML")
    assert got.column("a") == ["1", "2"]
    assert any("'a' or 'A'" in note for note in got.info.notes)


def test_data_that_no_schema_declares_are_named(tmp_path: Path, read: Any) -> None:
    got = read(kml(tmp_path, simple(("a", "1"), ("b", "2")), fields=("a",)), "KML")
    assert got.attributes.to_pylist() == [{"a": "1"}]
    assert any("left aside: 'b'" in note for note in got.info.notes)


@pytest.mark.parametrize(
    "time", ["2021-02-30", "2021-02-30T00:00:00Z", "2021-13", "2021-01-01T25:00:00Z"]
)
@pytest.mark.parametrize(
    "form", ["<TimeStamp><when>{}</when></TimeStamp>", "<TimeSpan><end>{}</end></TimeSpan>"]
)
def test_a_time_that_is_in_no_calendar_is_an_error(
    form: str, time: str, tmp_path: Path, read: Any
) -> None:
    with pytest.raises(InputError, match=f"'{time}' in it is in no calendar"):
        read(kml(tmp_path, LABELS, form.format(time)), "KML")


def test_times_that_are_no_moments_are_told(tmp_path: Path, read: Any) -> None:
    spans = [
        f"<TimeSpan><begin>{begin}</begin><end>{end}</end></TimeSpan>"
        for begin, end in [("1876", "2021-07"), ("2021-07-03T10:00:00.1234", "junk")]
    ]
    got = read(kml(tmp_path, *spans), "KML")
    assert got.column("begin") == [None, dt.datetime(2021, 7, 3, 10, 0, 0, 123_000)]
    assert got.column("end") == [dt.datetime(2021, 7, 1), None]
    for told in ("only a year.*'1876'", "month.*'2021-07'", "millisecond", "'junk'"):
        assert any(re.search(told, note) for note in got.info.notes)


def test_other_times_of_a_view_are_no_data(tmp_path: Path, read: Any) -> None:
    view = "<LookAt><TimeStamp><when>1876</when></TimeStamp></LookAt>"
    moment = "<TimeStamp><when>2021-07-03T10:00:00Z</when></TimeStamp>"
    got = read(kml(tmp_path, view + moment), "KML")
    assert got.column("timestamp") == [dt.datetime(2021, 7, 3, 10, tzinfo=dt.timezone.utc)]
    assert got.info.notes == ()


def test_data_of_a_folder_are_not_those_of_a_placemark(tmp_path: Path, read: Any) -> None:
    path = kml(tmp_path, data(("a", "1")), data(("a", "2")))
    text = path.read_text("utf-8").replace("</Document>", data(("a", "3")) + "</Document>")
    path.write_text(text, "utf-8")
    assert read(path, "KML").column("a") == ["1", "2"]
