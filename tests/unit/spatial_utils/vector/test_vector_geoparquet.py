from __future__ import annotations

import datetime as dt
import decimal
import json
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pyproj
import pytest
import shapely

from libs.errors import InputError
from libs.spatial_utils.crs import reconcile

HOLES = shapely.Polygon(
    [(0, 0), (9, 0), (9, 9), (0, 9)], [[(1, 1), (2, 1), (2, 2)], [(4, 4), (5, 4), (5, 5)]]
)
LINE = shapely.LineString([(0, 0), (1, 2), (3, 4)])
GEOMETRIES = {
    "point": [shapely.Point(1, 2), None, shapely.Point(), shapely.Point(3, 4)],
    "linestring": [LINE, None, shapely.LineString()],
    "polygon": [None, HOLES, shapely.Polygon(), shapely.box(0, 0, 1, 1)],
    "multipoint": [shapely.MultiPoint([(1, 2), (3, 4)]), None, shapely.MultiPoint()],
    "multilinestring": [shapely.MultiLineString([LINE, LINE]), shapely.MultiLineString(), None],
    "multipolygon": [
        shapely.MultiPolygon([HOLES, shapely.box(20, 20, 30, 30)]),
        None,
        shapely.MultiPolygon(),
    ],
}


@pytest.mark.parametrize("name", GEOMETRIES)
@pytest.mark.parametrize("z", [False, True])
@pytest.mark.parametrize("encoding", ["geoarrow", "WKB"])
def test_every_encoding_comes_out_as_the_same_wkb(
    name: str, z: bool, encoding: str, tmp_path: Path, read: Any
) -> None:
    shapes = [g for g in GEOMETRIES[name] if not z or g is None or not g.is_empty]
    if z:
        shapes = [None if g is None else shapely.force_3d(g, 7) for g in shapes]
    frame = gpd.GeoDataFrame({"i": range(len(shapes))}, geometry=shapes, crs=32633)
    path = tmp_path / "a.parquet"
    frame.to_parquet(path, geometry_encoding=encoding, schema_version="1.1.0")
    got = read(path, "Parquet")
    assert got.wkb == shapely.to_wkb(frame.geometry.to_numpy(), flavor="iso").tolist()
    assert got.column("i") == list(range(len(shapes)))


def test_real_countries_come_out_as_the_same_wkb_from_a_slice(
    countries: Path, tmp_path: Path, read: Any
) -> None:
    frame = gpd.read_file(countries)
    frame.geometry = [
        g if g.geom_type != "Polygon" else shapely.MultiPolygon([g]) for g in frame.geometry
    ]
    path = tmp_path / "a.parquet"
    frame.to_parquet(path, geometry_encoding="geoarrow", schema_version="1.1.0", row_group_size=50)
    got = read(path, "Parquet")
    assert got.wkb == shapely.to_wkb(frame.geometry.to_numpy()).tolist()
    assert got.column("name") == frame["name"].tolist()


def geoparquet(path: Path, table: pa.Table, **column: Any) -> Path:
    geometry = pa.array([shapely.to_wkb(shapely.Point(i, i)) for i in range(table.num_rows)])
    about = {"encoding": "WKB", "geometry_types": [], **column}
    geo = {"version": "1.1.0", "primary_column": "geometry", "columns": {"geometry": about}}
    table = table.append_column("geometry", geometry)
    pq.write_table(table.replace_schema_metadata({"geo": json.dumps(geo)}), path)
    return path


def test_every_type_survives_nested_ones_too(tmp_path: Path, read: Any) -> None:
    table = pa.table(
        {
            "u64": pa.array([2**64 - 1, None], pa.uint64()),
            "dec": pa.array([decimal.Decimal("-12345678901234567890.123"), None]),
            "us": pa.array([dt.datetime(2020, 1, 1, 0, 0, 0, 123456), None], pa.timestamp("us")),
            "ns_zoned": pa.array(
                [1_600_000_000_123_456_789, None], pa.timestamp("ns", "Asia/Tokyo")
            ),
            "time": pa.array([dt.time(1, 2, 3, 4), None], pa.time64("us")),
            "list": pa.array([[1, None], []], pa.list_(pa.int32())),
            "struct": pa.array([{"a": 1, "b": ["x"]}, None]),
            "map": pa.array([[("k", 1)], None], pa.map_(pa.string(), pa.int8())),
            "large": pa.array(["x" * 70_000, None], pa.large_string()),
            "coded": pa.array(["a", None]).dictionary_encode(),
            "a.b": [1, 2],
            "bbox": ["an attribute", "like any other"],
        }
    )
    got = read(geoparquet(tmp_path / "a.parquet", table), "Parquet")
    assert got.attributes.to_pylist() == table.to_pylist()
    assert got.type_of("dec") == table.schema.field("dec").type
    assert got.type_of("ns_zoned") == table.schema.field("ns_zoned").type
    assert got.type_of("coded") == pa.string()


def test_the_covering_of_the_source_is_left_out(tmp_path: Path, read: Any) -> None:
    frame = gpd.GeoDataFrame({"a": [1]}, geometry=[LINE], crs=4326)
    frame.to_parquet(tmp_path / "a.parquet", write_covering_bbox=True, schema_version="1.1.0")
    assert "bbox" in pq.read_schema(tmp_path / "a.parquet").names
    assert read(tmp_path / "a.parquet", "Parquet").attributes.schema.names == ["a"]


@pytest.mark.parametrize(
    ("column", "crs"),
    [
        ({}, "OGC:CRS84"),
        ({"crs": None}, None),
        ({"crs": json.loads(pyproj.CRS.from_epsg(27700).to_json())}, "EPSG:27700"),
    ],
)
def test_the_crs_is_what_geoparquet_means(
    column: dict[str, Any], crs: str | None, tmp_path: Path, read: Any
) -> None:
    path = geoparquet(tmp_path / "a.parquet", pa.table({"a": [1]}), **column)
    found = read(path, "Parquet").info.crs_wkt
    if crs is None:
        assert found is None
    else:
        assert reconcile(crs, found, "a.parquet").code == crs


def test_spherical_edges_are_noted(tmp_path: Path, read: Any) -> None:
    path = geoparquet(tmp_path / "a.parquet", pa.table({"a": [1]}), edges="spherical")
    assert any("spherical" in note for note in read(path, "Parquet").info.notes)


def test_several_geometry_columns_are_named(tmp_path: Path, read: Any) -> None:
    frame = gpd.GeoDataFrame({"a": [1]}, geometry=[LINE], crs=4326)
    frame["other"] = gpd.GeoSeries([LINE], crs=4326)
    frame.to_parquet(tmp_path / "a.parquet")
    with pytest.raises(InputError, match="2 geometry columns: 'geometry', 'other'"):
        read(tmp_path / "a.parquet", "Parquet")


@pytest.mark.parametrize(
    ("geo", "told"),
    [
        (None, "plain Parquet"),
        ("{", "not GeoParquet's"),
        ('{"columns": {}, "primary_column": "geometry"}', "geometry"),
        ('{"columns": {"geometry": {"encoding": "WKT"}}, "primary_column": "geometry"}', "WKT"),
        (
            '{"columns": {"geometry": {"encoding": "polygon"}}, "primary_column": "geometry"}',
            "not how GeoParquet encodes 'polygon'",
        ),
    ],
)
def test_wrong_metadata_is_the_users_fault(
    geo: str | None, told: str, tmp_path: Path, read: Any
) -> None:
    table = pa.table({"geometry": [shapely.to_wkb(LINE)]})
    pq.write_table(
        table.replace_schema_metadata({"geo": geo} if geo else None), tmp_path / "a.parquet"
    )
    with pytest.raises(InputError, match=told):
        read(tmp_path / "a.parquet", "Parquet")


def test_a_file_that_was_cut_off_is_the_users_fault(tmp_path: Path, read: Any) -> None:
    path = geoparquet(tmp_path / "a.parquet", pa.table({"a": np.arange(1000)}))
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(InputError, match=r"a\.parquet: it cannot be read as Parquet"):
        read(path, "Parquet")


def test_a_damaged_page_is_the_users_fault(tmp_path: Path, read: Any) -> None:
    path = geoparquet(tmp_path / "a.parquet", pa.table({"a": np.arange(100_000)}))
    data = bytearray(path.read_bytes())
    data[2000:4000] = bytes(2000)
    path.write_bytes(data)
    with pytest.raises(InputError):
        read(path, "Parquet")


def test_a_file_without_rows_has_its_columns(tmp_path: Path, read: Any) -> None:
    path = geoparquet(tmp_path / "a.parquet", pa.table({"a": pa.array([], pa.int8())}))
    got = read(path, "Parquet")
    assert (got.table.num_rows, got.type_of("a")) == (0, pa.int8())


def test_a_layer_that_is_not_the_files_name_is_refused(tmp_path: Path, read: Any) -> None:
    path = geoparquet(tmp_path / "a.parquet", pa.table({"a": [1]}))
    assert read(path, "Parquet", "a").info.layer == "a"
    with pytest.raises(InputError, match="no layer 'b'"):
        read(path, "Parquet", "b")
