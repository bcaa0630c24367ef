"""What SQLite lets a GeoPackage have and GDAL leaves out or changes; held against `sqlite3`."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
from pathlib import Path
from typing import Any

import geopandas as gpd
import pytest
import shapely

from libs.errors import InputError


def geopackage(folder: Path, columns: dict[str, str], *rows: tuple[object, ...]) -> Path:
    """A layer `a` whose columns have the types that are given, in SQLite's words."""
    path = folder / "a.gpkg"
    points = [shapely.Point(i, i) for i in range(len(rows))]
    gpd.GeoDataFrame(geometry=points, crs=4326).to_file(path, layer="a", SPATIAL_INDEX="NO")
    with sqlite3.connect(path) as db:
        for name, kind in columns.items():
            db.execute(f'ALTER TABLE a ADD COLUMN "{name}" {kind}')
        sets = ", ".join(f'"{name}" = ?' for name in columns)
        for fid, row in enumerate(rows, 1):
            db.execute(f"UPDATE a SET {sets} WHERE fid = ?", (*row, fid))
    db.close()
    return path


def test_columns_that_would_be_left_out_are_all_named(tmp_path: Path, read: Any) -> None:
    kinds = "NUMERIC(20,2) DECIMAL VARCHAR(30) BIGINT TIMESTAMP CLOB CHAR(5) JSON UUID BOOL TIME"
    columns = {f"c{at}": kind for at, kind in enumerate(kinds.split())}
    columns |= {"last one": "DOUBLE PRECISION", "fine": "TEXT"}
    path = geopackage(tmp_path, columns, ("1",) * len(columns))
    with pytest.raises(InputError) as caught:
        read(path, "GPKG")
    said = caught.value.problems[0]
    del columns["fine"]
    assert said.what.startswith(f"{len(columns)} of its columns cannot be read")
    assert all(f"{name!r} ({kind})" in said.what for name, kind in columns.items())
    assert "'fine'" not in said.what
    assert "TEXT" in str(said.cure)


def test_a_generated_column_is_read_like_others(tmp_path: Path, read: Any) -> None:
    path = geopackage(tmp_path, {"n": "INTEGER"}, (5,))
    with sqlite3.connect(path) as db:
        db.execute("ALTER TABLE a ADD COLUMN twice INTEGER AS (n * 2)")
    db.close()
    assert read(path, "GPKG").attributes.to_pylist() == [{"n": 5, "twice": 10}]


def test_a_second_geometry_is_not_left_out_in_silence(tmp_path: Path, read: Any) -> None:
    with pytest.raises(InputError, match=r"second geometries: 'other' \(POINT\)"):
        read(geopackage(tmp_path, {"other": "POINT"}, (None,)), "GPKG")


def test_types_that_gdal_understands_are_read(tmp_path: Path, read: Any) -> None:
    columns = {"a": "INT8", "b": "TEXT (5)", "c": "NUMERIC", "d": "integer(8)", "e": "BLOB(5)"}
    got = read(geopackage(tmp_path, columns, (2**60 + 1, "x", 1.5, -(2**63), b"y")), "GPKG")
    row = {"a": 2**60 + 1, "b": "x", "c": 1.5, "d": -(2**63), "e": b"y"}
    assert got.attributes.to_pylist() == [row]


@pytest.mark.parametrize(
    ("kind", "value"), [("NUMERIC", 2**53 + 1), ("NUMERIC", "x"), ("INT8", "x"), ("INT8", 1.5)]
)
def test_a_value_that_would_be_another_is_named(
    kind: str, value: object, tmp_path: Path, read: Any
) -> None:
    path = geopackage(tmp_path, {"n": kind}, (value,))
    with pytest.raises(InputError, match=rf"'n' is of type {kind}, but the value {value!r} is in"):
        read(path, "GPKG")


def test_a_view_with_all_of_its_columns_is_read(tmp_path: Path, read: Any) -> None:
    path = geopackage(tmp_path, {"n": "INTEGER"}, (5,))
    with sqlite3.connect(path) as db:
        db.execute("CREATE VIEW v AS SELECT fid AS OGC_FID, geom, n, n || 'x' AS t FROM a")
        db.execute(
            "INSERT INTO gpkg_contents (table_name, data_type, identifier, srs_id) "
            "VALUES ('v', 'features', 'v', 4326)"
        )
        db.execute("INSERT INTO gpkg_geometry_columns VALUES ('v', 'geom', 'POINT', 4326, 0, 0)")
    db.close()
    got = read(path, "GPKG", "v")
    assert got.column("n") == [5]
    assert got.column("t") == ["5x"]


@pytest.mark.parametrize("kind", ["DATE", "DATETIME", "datetime"])
@pytest.mark.parametrize(
    "value",
    [
        *("2021-02-30", "2021-02-29", "2021-04-31", "2100-02-29", "2021-2-30", "2021/02/30"),
        *("2021-02-30T10:00:00Z", "2021-02-31 10:00:00", b"2021-02-30", "0000-01-01"),
        "-0044-03-15",
    ],
)
def test_a_day_that_is_in_no_calendar_is_named(
    value: object, kind: str, tmp_path: Path, read: Any
) -> None:
    path = geopackage(tmp_path, {"t": kind}, ("2021-02-28",), (value,))
    with pytest.raises(InputError) as caught:
        read(path, "GPKG")
    assert f"column 't' has the date {value!r}, which is in no calendar" in str(caught.value)


def test_days_that_calendars_have_are_read(tmp_path: Path, read: Any) -> None:
    days = ["2020-02-29", "2000-02-29", "0001-01-01", "9999-12-31", None, "2021-03-31"]
    path = geopackage(
        tmp_path,
        {"d": "DATE", "t": "DATETIME"},
        *[(day, f"{day}T10:11:12.123Z" if day else None) for day in days],
    )
    got = read(path, "GPKG")
    assert [None if day is None else str(day) for day in got.column("d")] == days
    moments = [None if day is None else f"{day} 10:11:12.123000+00:00" for day in days]
    assert [None if moment is None else str(moment) for moment in got.column("t")] == moments


@pytest.mark.parametrize("ids", [(1, 102), (1, 3), (5, 6), (-1, 0)])
def test_feature_ids_that_do_not_count_rows_are_kept(
    ids: tuple[int, int], tmp_path: Path, read: Any
) -> None:
    path = geopackage(tmp_path, {"n": "INTEGER"}, (7,), (8,))
    with sqlite3.connect(path) as db:
        db.execute("UPDATE a SET fid = fid + 1000")
        for n, fid in zip((7, 8), ids, strict=True):
            db.execute("UPDATE a SET fid = ? WHERE n = ?", (fid, n))
    db.close()
    got = read(path, "GPKG")
    assert got.attributes.to_pylist() == [
        {"fid": fid, "n": n} for n, fid in zip((7, 8), ids, strict=True)
    ]
    assert not any("row numbers" in note for note in got.info.notes)


def test_feature_ids_that_count_rows_are_left_out_with_a_note(tmp_path: Path, read: Any) -> None:
    rows = [(n,) for n in range(40_000)]
    path = geopackage(tmp_path, {"n": "INTEGER"}, *rows)
    got = read(path, "GPKG")
    assert got.attributes.schema.names == ["n"]
    assert got.info.notes == ("The row numbers in 'fid' were not taken over.",)
    with sqlite3.connect(path) as db:
        db.execute("DELETE FROM a WHERE n = 30000")
    db.close()
    kept = read(path, "GPKG")
    assert kept.column("fid") == [n + 1 for n in range(40_000) if n != 30_000]


@pytest.mark.parametrize("gap", [False, True])
def test_the_object_ids_of_a_geodatabase_follow_the_same_rule(
    gap: bool, tmp_path: Path, read: Any
) -> None:
    source = geopackage(tmp_path, {"n": "TEXT"}, ("a",), ("b",), ("c",))
    command = ["ogr2ogr", "-f", "OpenFileGDB", "-preserve_fid", tmp_path / "a.gdb", source]
    command += ["-lco", "FID=OBJECTID", "-where", "n <> 'b'" if gap else "1 = 1"]
    subprocess.run(command, check=True)
    path = Path(shutil.make_archive(str(tmp_path / "a.gdb"), "zip", tmp_path, "a.gdb"))
    got = read(path, "OpenFileGDB").attributes
    if gap:
        assert got.to_pylist() == [{"OBJECTID": 1, "n": "a"}, {"OBJECTID": 3, "n": "c"}]
    else:
        assert got.to_pylist() == [{"n": n} for n in "abc"]
