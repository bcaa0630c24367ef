from __future__ import annotations

import datetime as dt
import json
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyarrow as pa
import pyogrio
import pytest
import shapely

UTC = dt.timezone.utc
LONG_NAME = "n" * 70
POINTS = [shapely.Point(1, 2), None]
TYPED = pa.table(
    {
        "yes": pa.array([True, None]),
        "small": pa.array([-(2**15), None], pa.int16()),
        "plain": pa.array([2**31 - 1, None], pa.int32()),
        "large": pa.array([2**63 - 1, -(2**63)], pa.int64()),
        "single": pa.array([0.1, None], pa.float32()),
        "double": pa.array([0.1, None], pa.float64()),
        "text": pa.array(["x" * 70_000 + "漢🎉ä\u0301", ""]),
        "bytes": pa.array([b"\x00\xff", None]),
        "day": pa.array([dt.date(1969, 12, 31), None]),
        "moment": pa.array(
            [dt.datetime(2020, 2, 29, 23, 59, 59, 123_000, UTC), None], pa.timestamp("ms", "UTC")
        ),
    }
)


def write(path: Path, table: pa.Table, driver: str, geometries: list[Any], **options: Any) -> None:
    name = options.pop("geometry_name", "geom")
    table = table.append_column(
        pa.field(name, pa.binary(), metadata={"ARROW:extension:name": "geoarrow.wkb"}),
        pa.array(
            [None if g is None else shapely.to_wkb(g, flavor="iso") for g in geometries],
            pa.binary(),
        ),
    )
    pyogrio.write_arrow(
        table,
        path,
        driver=driver,
        layer=path.stem,
        geometry_name=name,
        geometry_type=options.pop("geometry_type", "Unknown"),
        crs="EPSG:4326",
        **options,
    )


def test_every_type_of_a_geopackage_survives(tmp_path: Path, read: Any) -> None:
    write(tmp_path / "a.gpkg", TYPED, "GPKG", POINTS)
    got = read(tmp_path / "a.gpkg", "GPKG")
    assert got.attributes.to_pylist() == TYPED.to_pylist()
    assert got.attributes.schema.types == TYPED.schema.types
    assert got.geometries == POINTS
    assert got.info.crs_wkt == "EPSG:4326"
    assert got.info.feature_count == got.end.row_count == 2


def test_flatgeobuf_keeps_what_it_can_hold(tmp_path: Path, read: Any) -> None:
    table = TYPED.drop_columns(["day", "moment"])
    write(tmp_path / "a.fgb", table, "FlatGeobuf", [shapely.Point(1, 2), shapely.Point(3, 4)])
    got = read(tmp_path / "a.fgb", "FlatGeobuf")
    rows = sorted(got.attributes.to_pylist(), key=lambda row: row["large"], reverse=True)
    assert rows == table.to_pylist()


@pytest.mark.parametrize("driver", ["GPKG", "GeoJSON"])
def test_names_come_out_as_they_went_in(driver: str, tmp_path: Path, read: Any) -> None:
    names = ["UPPER", "two words", LONG_NAME, "select", "wkb_geometry", "OGC_FID", "Größe", 'q"u']
    names += ["geom", "id2", 'a."b"', "%s", "fid" if driver == "GeoJSON" else "ID"]
    row = {name: f"{name} value" for name in names}
    path = tmp_path / "a.file"
    if driver == "GPKG":
        options = {"geometry_name": "shape", "layer_options": {"GEOMETRY_NAME": "shape"}}
        write(path, pa.Table.from_pylist([row]), driver, POINTS[:1], **options)
    else:
        feature = {"type": "Feature", "properties": row, "geometry": POINTS[0].__geo_interface__}
        path.write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))
    got = read(path, driver)
    assert got.attributes.to_pylist() == [row]
    assert got.geometries == POINTS[:1]
    assert len(set(got.table.schema.names)) == len(names) + 1


def test_a_layer_without_rows_still_has_its_columns(tmp_path: Path, read: Any) -> None:
    write(tmp_path / "a.gpkg", TYPED.slice(0, 0), "GPKG", [])
    got = read(tmp_path / "a.gpkg", "GPKG")
    assert got.table.num_rows == got.end.row_count == 0
    assert got.attributes.schema.types == TYPED.schema.types
    assert got.end.geometry_types == ()


def test_a_table_without_geometry_says_so(tmp_path: Path, read: Any) -> None:
    pyogrio.write_arrow(pa.table({"a": [1]}), tmp_path / "a.gpkg", driver="GPKG", layer="a")
    got = read(tmp_path / "a.gpkg", "GPKG")
    assert got.info.geometry_index is None
    assert got.column("a") == [1]


GEOMETRIES = [
    shapely.Point(1, 2, 3),
    shapely.from_wkt("POINT M (1 2 3)"),
    shapely.from_wkt("LINESTRING ZM (1 2 3 4, 5 6 7 8)"),
    shapely.Polygon([(0, 0), (9, 0), (9, 9)], [[(5, 1), (6, 1), (6, 2)]]),
    shapely.from_wkt("MULTIPOLYGON Z (((0 0 1, 1 0 1, 1 1 1, 0 0 1)))"),
    shapely.from_wkt("GEOMETRYCOLLECTION (POINT (1 2), MULTIPOINT (1 2, 3 4))"),
    shapely.from_wkt("POLYGON EMPTY"),
    shapely.from_wkt("POINT EMPTY"),
    None,
]


def test_all_kinds_of_geometry_come_through_bit_by_bit(tmp_path: Path, read: Any) -> None:
    table = pa.table({"i": range(len(GEOMETRIES))})
    write(tmp_path / "a.gpkg", table, "GPKG", GEOMETRIES)
    got = read(tmp_path / "a.gpkg", "GPKG")
    expected = [None if g is None else shapely.to_wkb(g, flavor="iso") for g in GEOMETRIES]
    empty = [g is not None and g.is_empty for g in GEOMETRIES]
    for wkb, wanted, is_empty in zip(got.wkb, expected, empty, strict=True):
        if is_empty:
            assert shapely.from_wkb(wkb).is_empty
        else:
            assert wkb == wanted
    assert set(got.end.geometry_types) == {
        "Point Z",
        "Point M",
        "LineString ZM",
        "Polygon",
        "MultiPolygon Z",
        "GeometryCollection",
        "Point",
    }


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("curve", "CompoundCurve"),
        ("curvepolygon", "CurvePolygon"),
        ("multisurface", "MultiSurface"),
    ],
)
def test_curves_stay_curves_and_are_counted(
    name: str, kind: str, fixtures: Path, read: Any
) -> None:
    got = read(fixtures / f"{name}.gpkg", "GPKG")
    assert got.end.geometry_types == (kind,)
    assert got.end.rows_with_curves == 1


def test_measures_come_through_and_nobody_says_they_do_not(fixtures: Path, read: Any) -> None:
    got = read(fixtures / "line_zm.gpkg", "GPKG")
    assert got.end.geometry_types == ("LineString ZM",)
    assert not any("Measured" in note for note in got.info.notes)


@pytest.mark.parametrize("name", ["test_gpkg_nulls"])
def test_nulls_are_nulls_in_every_type(name: str, fixtures: Path, read: Any) -> None:
    got = read(fixtures / f"{name}.gpkg", "GPKG")
    assert got.attributes.to_pylist()[-1] == dict.fromkeys(got.attributes.schema.names)


def test_coded_values_stay_codes(tmp_path: Path, read: Any) -> None:
    path = tmp_path / "a.gpkg"
    write(path, pa.table({"kind": pa.array([1, 7, None], pa.int32())}), "GPKG", [*POINTS, None])
    with sqlite3.connect(path) as db:
        db.executescript(
            """
            CREATE TABLE IF NOT EXISTS gpkg_extensions (table_name TEXT, column_name TEXT,
              extension_name TEXT NOT NULL, definition TEXT NOT NULL, scope TEXT NOT NULL);
            CREATE TABLE gpkg_data_columns (table_name TEXT NOT NULL, column_name TEXT NOT NULL,
              name TEXT, title TEXT, description TEXT, mime_type TEXT, constraint_name TEXT);
            CREATE TABLE gpkg_data_column_constraints (constraint_name TEXT NOT NULL,
              constraint_type TEXT NOT NULL, value TEXT, min NUMERIC, min_is_inclusive BOOLEAN,
              max NUMERIC, max_is_inclusive BOOLEAN, description TEXT);
            INSERT INTO gpkg_extensions VALUES ('gpkg_data_columns', NULL, 'gpkg_schema',
              'http://www.geopackage.org/spec121/#extension_schema', 'read-write');
            INSERT INTO gpkg_extensions VALUES ('gpkg_data_column_constraints', NULL,
              'gpkg_schema', 'http://www.geopackage.org/spec121/#extension_schema', 'read-write');
            INSERT INTO gpkg_data_columns VALUES ('a', 'kind', NULL, NULL, NULL, NULL, 'kinds');
            INSERT INTO gpkg_data_column_constraints VALUES
              ('kinds', 'enum', '1', NULL, NULL, NULL, NULL, 'path'),
              ('kinds', 'enum', '7', NULL, NULL, NULL, NULL, 'road');
            """
        )
    got = read(path, "GPKG")
    assert got.column("kind") == [1, 7, None]
    assert got.type_of("kind") == pa.int32()


def test_a_feature_id_with_a_name_of_its_own_is_kept(tmp_path: Path, read: Any) -> None:
    path = tmp_path / "a.gpkg"
    write(path, pa.table({"a": [1, 2]}), "GPKG", POINTS, layer_options={"FID": "osm_id"})
    with sqlite3.connect(path) as db:
        db.execute("DROP TRIGGER IF EXISTS rtree_a_geom_update5")
        for (trigger,) in db.execute(
            "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'a'"
        ).fetchall():
            db.execute(f'DROP TRIGGER "{trigger}"')
        db.execute("UPDATE a SET osm_id = osm_id + 1000")
    got = read(path, "GPKG")
    assert got.column("osm_id") == [1001, 1002]
    assert got.info.fid_column == "osm_id"


def test_the_row_number_of_a_geopackage_is_left_out_with_a_note(tmp_path: Path, read: Any) -> None:
    write(tmp_path / "a.gpkg", pa.table({"a": [1, 2]}), "GPKG", POINTS)
    got = read(tmp_path / "a.gpkg", "GPKG")
    assert got.attributes.schema.names == ["a"]
    assert any("'fid'" in note for note in got.info.notes)


@pytest.mark.parametrize("fraction", ["", ".123"])
def test_times_of_a_geodatabase_of_arcgis_pro_are_not_padded(
    fraction: str, tmp_path: Path, read: Any
) -> None:
    times = pd.to_datetime(
        ["2020-03-01T10:11:12", f"2021-01-01T09:15:00{fraction}", None], format="ISO8601"
    )
    frame = gpd.GeoDataFrame({"t": times}, geometry=[shapely.Point(1, 2)] * 3, crs=4326)
    options = {"driver": "OpenFileGDB", "TARGET_ARCGIS_VERSION": "ARCGIS_PRO_3_2_OR_LATER"}
    frame.to_file(tmp_path / "a.gdb", layer="a", **options)
    path = Path(shutil.make_archive(str(tmp_path / "a.gdb"), "zip", tmp_path, "a.gdb"))
    moments = [None if time is pd.NaT else time.tz_localize(UTC) for time in times]
    assert read(path, "OpenFileGDB").column("t") == moments


def test_natural_earth_reads_as_geopandas_reads_it(countries: Path, read: Any) -> None:
    expected = gpd.read_file(countries)
    got = read(countries, "ESRI Shapefile")
    for name in expected.columns.drop("geometry"):
        assert got.column(name) == expected[name].tolist()
    assert np.all(shapely.equals_identical(got.geometries, expected.geometry.to_numpy()))
    assert got.info.crs_wkt == "EPSG:4326"


def test_many_rows_come_in_batches_that_keep_to_the_limits(tmp_path: Path, read: Any) -> None:
    rows = 150_000
    table = pa.table({"i": np.arange(rows), "text": ["x" * 400] * rows})
    write(tmp_path / "a.gpkg", table, "GPKG", [shapely.Point(0, 0)] * rows)
    got = read(tmp_path / "a.gpkg", "GPKG")
    assert got.column("i") == list(range(rows))
    sizes = [len(chunk) for chunk in got.table.column("i").chunks]
    assert max(sizes) <= 16_384
    assert max(batch.nbytes for batch in got.table.to_batches()) <= 34 * 2**20
