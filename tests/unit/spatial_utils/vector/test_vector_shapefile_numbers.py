"""Integers of many digits in a shapefile's table, held against the digits that stand in it."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import geopandas as gpd
import pyarrow as pa
import pytest
import shapely

from libs.errors import InputError

HUGE = [1234567890123456789, 2**63 - 1, 12345678901234567]


def with_table(folder: Path, fields: dict[str, str], *rows: tuple[str, ...]) -> Path:
    """A shapefile whose table is written here, byte by byte; `fields` are like `N 19 0`."""
    path = folder / "a.shp"
    points = [shapely.Point(i, i) for i in range(len(rows))]
    gpd.GeoDataFrame({"z": [1] * len(rows)}, geometry=points, crs=4326).to_file(path)
    kinds = [kind.split() for kind in fields.values()]
    widths = [int(width) for _, width, _ in kinds]
    table = struct.pack("<BBBBIHH", 3, 120, 1, 1, len(rows), 33 + 32 * len(fields), 1 + sum(widths))
    table += b"\0" * 20
    for name, (letter, width, decimals) in zip(fields, kinds, strict=True):
        table += name.encode().ljust(11, b"\0") + letter.encode() + b"\0" * 4
        table += bytes([int(width), int(decimals)]) + b"\0" * 14
    table += b"\r"
    for row in rows:
        table += b" " + b"".join(
            value.encode().rjust(width) for value, width in zip(row, widths, strict=True)
        )
    path.with_suffix(".dbf").write_bytes(table + b"\x1a")
    return path


@pytest.mark.parametrize("kind", ["N 19 0", "N 20 0", "N 33 0", "F 20 0"])
def test_integers_of_64_bits_keep_all_digits(kind: str, tmp_path: Path, read: Any) -> None:
    path = with_table(tmp_path, {"id": kind}, *[(str(value),) for value in HUGE], ("",), ("-7",))
    got = read(path, "ESRI Shapefile")
    assert got.column("id") == [*HUGE, None, -7]
    assert got.type_of("id") == pa.int64()
    assert got.info.notes == ()


def test_what_geopandas_writes_comes_back(tmp_path: Path, read: Any) -> None:
    frame = gpd.GeoDataFrame({"id": HUGE}, geometry=[shapely.Point(1, 2)] * 3, crs=4326)
    frame.to_file(tmp_path / "a.shp")
    assert read(tmp_path / "a.shp", "ESRI Shapefile").column("id") == HUGE


def test_other_columns_keep_their_types_beside_them(tmp_path: Path, read: Any) -> None:
    fields = {"a": "N 20 0", "Straße": "N 18 0", "c": "N 9 0", "d": "N 20 2", "none": "N 20 0"}
    got = read(with_table(tmp_path, fields, ("1", "2", "3", "4.00", "")), "ESRI Shapefile")
    assert got.attributes.to_pylist() == [{"a": 1, "Straße": 2, "c": 3, "d": 4.0, "none": None}]
    kinds = [pa.int64(), pa.int64(), pa.int32(), pa.float64(), pa.int64()]
    assert got.attributes.schema.types == kinds


@pytest.mark.parametrize("other", ["1.5", "1E3", "-0.25"])
def test_decimals_in_such_a_column_are_not_cut_off(other: str, tmp_path: Path, read: Any) -> None:
    path = with_table(tmp_path, {"a": "N 20 0"}, (other,), (str(2**53),))
    assert read(path, "ESRI Shapefile").column("a") == [float(other), 2.0**53]


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("N 20 0", ["1.5", "9007199254740993"]),
        ("N 20 0", ["1", "12345678901234567891"]),
        ("N 24 2", ["1.00", "9007199254740993.00"]),
    ],
)
def test_a_number_that_would_be_rounded_is_named(
    kind: str, values: list[str], tmp_path: Path, read: Any
) -> None:
    path = with_table(tmp_path, {"id": kind}, *[(value,) for value in values])
    with pytest.raises(InputError, match=rf"'id' has the number {values[1]} in row 1"):
        read(path, "ESRI Shapefile")


def test_doubles_beyond_2_to_the_53_stay_what_they_are(tmp_path: Path, read: Any) -> None:
    doubles = [1e22, 2.0**80, 123456789012345680000.0, 0.1]
    written = ["1e22", str(2**80), "123456789012345680000", "0.1"]
    path = with_table(tmp_path, {"a": "N 33 0"}, *[(value,) for value in written])
    assert read(path, "ESRI Shapefile").column("a") == doubles


def test_asterisks_of_a_number_that_did_not_fit_are_none(tmp_path: Path, read: Any) -> None:
    path = with_table(tmp_path, {"a": "N 20 0"}, ("*" * 20,), (str(HUGE[0]),))
    assert read(path, "ESRI Shapefile").column("a") == [None, HUGE[0]]
