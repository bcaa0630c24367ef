"""GeoParquet files as other tools read them: GeoPandas, DuckDB, gpio, PyArrow."""

from __future__ import annotations

import hashlib
import json
import os
import struct
import subprocess
import sys
from pathlib import Path

import duckdb
import geopandas
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pyproj
import pytest
import shapely

from libs.errors import InputError
from libs.models import Bounds
from libs.spatial_utils.crs import describe
from libs.spatial_utils.geoparquet import GeoParquetResult, feature_schema, write_geoparquet
from libs.spatial_utils.geoparquet_rows import row_groups

UTM = describe("EPSG:32633")
NAN = float("nan")


def features(attributes: pa.Table, wkb: list[bytes | None]) -> pa.Table:
    """Rows as the writer takes them; boxes are shapely's."""
    schema = feature_schema(attributes.schema)
    bounds = shapely.bounds(shapely.from_wkb(wkb)).reshape(len(wkb), 4)
    sides = [pa.array(bounds[:, side]) for side in range(4)]
    box = pa.StructArray.from_arrays(
        sides, fields=list(schema.field(-1).type), mask=pa.array(np.isnan(bounds[:, 0]))
    )
    columns = [column.combine_chunks() for column in attributes.columns]
    return pa.table([*columns, pa.array(wkb, pa.binary()), box], schema=schema)


def wkb(text: str) -> bytes:
    return shapely.to_wkb(shapely.from_wkt(text), flavor="iso", byte_order=1)


def numbered(wkb_values: list[bytes | None]) -> pa.Table:
    return features(pa.table({"n": pa.array(range(len(wkb_values)))}), wkb_values)


def squares(count: int, west: int = 0, south: int = 0) -> pa.Table:
    """Unit squares in rows of 300, the first one in the corner given."""
    x = west + np.arange(count) % 300
    y = south + np.arange(count) // 300
    return numbered(shapely.to_wkb(shapely.box(x, y, x + 1, y + 1), flavor="iso").tolist())


def write(table: pa.Table, path: Path, *, portion: int = 1000, **options) -> GeoParquetResult:
    options = {"crs": UTM} | options
    batches = table.to_batches(max_chunksize=portion)
    return write_geoparquet(batches, path, schema=table.schema, **options)


def geo_of(path: Path) -> dict:
    return json.loads(pq.read_metadata(path).metadata[b"geo"])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "out.parquet"


def test_geopandas_reads_the_same_rows_geometries_and_crs(path: Path) -> None:
    table = squares(500)
    result = write(table, path)
    frame = geopandas.read_parquet(path)
    assert frame["n"].tolist() == list(range(500))
    assert frame.crs == pyproj.CRS("EPSG:32633")
    assert shapely.to_wkb(frame.geometry.values, flavor="iso").tolist() == (
        table["geometry"].to_pylist()
    )
    assert result.bounds is not None
    assert result.bounds.xyxy == tuple(frame.total_bounds)
    assert result.row_count == 500


def test_geopandas_uses_the_covering_to_read_a_part(path: Path) -> None:
    write(squares(900), path, row_group_rows=1000)
    part = geopandas.read_parquet(path, bbox=(10.2, 0.2, 11.8, 1.8))
    assert sorted(part["n"]) == [10, 11, 310, 311]


def test_duckdb_reads_the_same_rows_and_areas(path: Path, duck: duckdb.DuckDBPyConnection) -> None:
    write(squares(500), path)
    query = "SELECT count(*), sum(n), sum(ST_Area(geometry)), max(bbox.xmax) FROM read_parquet(?)"
    assert duck.execute(query, [str(path)]).fetchone() == (500, 124_750, 500.0, 300.0)


def test_gpio_finds_nothing(path: Path, duckdb_home: Path) -> None:
    table = squares(60_000, west=400_000, south=5_800_000)
    along_hilbert = geopandas.GeoSeries.from_wkb(table["geometry"].to_pandas()).hilbert_distance()
    ordered = table.take(np.argsort(along_hilbert.to_numpy(), kind="stable"))
    write(ordered, path, row_group_rows=12_000)
    gpio = Path(sys.executable).with_name("gpio")
    done = subprocess.run(
        [gpio, "check", "all", path],
        env=os.environ | {"HOME": str(duckdb_home), "PYTHONIOENCODING": "utf-8", "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    said = done.stdout + done.stderr
    for good in (
        "Row count per group is optimal",
        "Version 1.1.0",
        "bbox column 'bbox' with proper metadata covering",
        "ZSTD compression on geometry column",
        "spatially ordered",
        "checks passed",
    ):
        assert good in said
    for bad in ("❌", "⚠", "✗", "failed", "outside recommended", "poor"):
        assert bad not in said, said


def test_the_metadata_is_what_the_specification_asks(path: Path) -> None:
    write(squares(500), path)
    geo = geo_of(path)
    column = geo["columns"]["geometry"]
    assert (geo["version"], geo["primary_column"]) == ("1.1.0", "geometry")
    assert column["encoding"] == "WKB"
    assert column["geometry_types"] == ["Polygon"]
    assert column["bbox"] == [0.0, 0.0, 300.0, 2.0]
    assert column["covering"] == {
        "bbox": {side: ["bbox", side] for side in ("xmin", "ymin", "xmax", "ymax")}
    }
    assert "orientation" not in column
    assert pyproj.CRS.from_json_dict(column["crs"]) == pyproj.CRS("EPSG:32633")


@pytest.mark.parametrize("code", ["EPSG:4326", "OGC:CRS84"])
def test_longitude_is_x_in_geographic_crss(path: Path, code: str) -> None:
    write(numbered([wkb("POINT (13.4 52.5)")]), path, crs=describe(code))
    frame = geopandas.read_parquet(path)
    assert (frame.geometry.x[0], frame.geometry.y[0]) == (13.4, 52.5)
    assert frame.crs == pyproj.CRS(code)
    assert frame.to_crs("EPSG:32633").geometry.x[0] == pytest.approx(391_383, abs=50)


def test_a_crs_without_a_code_is_written_from_its_definition(path: Path) -> None:
    own = describe("+proj=laea +lat_0=12.5 +lon_0=7.25 +ellps=GRS80 +units=m")
    assert own.code is None
    write(numbered([wkb("POINT (1 2)")]), path, crs=own)
    assert geopandas.read_parquet(path).crs == pyproj.CRS(own.wkt)


def test_an_unknown_crs_is_written_as_null(path: Path) -> None:
    write(numbered([wkb("POINT (1 2)")]), path, crs=None)
    assert geo_of(path)["columns"]["geometry"]["crs"] is None
    assert geopandas.read_parquet(path).crs is None


def test_the_same_rows_give_the_same_bytes_however_they_were_portioned(tmp_path: Path) -> None:
    table = squares(5000)
    one = write(table, tmp_path / "a", portion=7, row_group_rows=1234)
    other = write(table, tmp_path / "b", portion=5000, row_group_rows=1234)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert one.sha256 == other.sha256
    assert one.sha256 == hashlib.sha256((tmp_path / "a").read_bytes()).hexdigest()
    assert one.size_bytes == (tmp_path / "a").stat().st_size


def test_row_groups_have_just_the_rows_asked_for(path: Path) -> None:
    write(squares(5000), path, row_group_rows=1200, portion=777)
    metadata = pq.read_metadata(path)
    rows = [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)]
    assert rows == [1200, 1200, 1200, 1200, 200]


def test_huge_geometries_end_a_row_group_sooner_wherever_batches_end() -> None:
    sizes = [10, 10, 10, 50, 10, 500, 10]
    table = numbered([wkb("POINT (1 2)")] * len(sizes))
    table = table.set_column(1, "geometry", pa.array([b"x" * size for size in sizes], pa.binary()))
    for portion in (1, 3, 7):
        groups = row_groups(table.to_batches(max_chunksize=portion), 100, 60)
        assert [group["n"].to_pylist() for group in groups] == [[0, 1, 2], [3, 4], [5], [6]]


def test_everything_is_zstd_and_only_attributes_that_repeat_have_dictionaries(path: Path) -> None:
    attributes = {
        "kind": ["road", "road", "path", "path"], "tags": [["a", "b"]] * 4,
        "name": ["a", "b", "c", None], "id": range(4), "none": pa.nulls(4, pa.string()),
    }  # fmt: skip
    write(features(pa.table(attributes), [wkb("POINT (1 2)")] * 4), path)
    group = pq.read_metadata(path).row_group(0)
    columns = {
        column.path_in_schema: column
        for column in (group.column(index) for index in range(group.num_columns))
    }
    assert {column.compression for column in columns.values()} == {"ZSTD"}
    with_dictionary = {
        name for name, column in columns.items() if "RLE_DICTIONARY" in column.encodings
    }
    assert with_dictionary == {"kind", "tags.list.element", "none"}
    assert columns["bbox.xmax"].statistics.max == 1.0
    assert not columns["geometry"].is_stats_set


def test_a_column_with_hardly_a_value_in_the_first_group_keeps_its_dictionary(path: Path) -> None:
    names = [None] * 99 + ["x"] * 300
    write(features(pa.table({"name": names}), [wkb("POINT (1 2)")] * 399), path, row_group_rows=100)
    groups = pq.read_metadata(path)
    assert groups.num_row_groups == 4
    assert all("RLE_DICTIONARY" in groups.row_group(n).column(0).encodings for n in range(4))


def test_no_row_group_is_held_longer_than_it_is_written(path: Path) -> None:
    size, held = 4 * 2**20, []
    line = wkb(f"LINESTRING ({', '.join('1 2' for _ in range(size // 16))})")
    batch = numbered([line]).to_batches()[0]

    def batches():
        for _ in range(6):
            held.append((pa.total_allocated_bytes() - before) / size)
            yield pa.RecordBatch.from_arrays(
                [pa.concat_arrays([it, it.slice(0, 0)]) for it in batch.columns],
                schema=batch.schema,
            )

    before = pa.total_allocated_bytes()
    write_geoparquet(batches(), path, schema=batch.schema, crs=UTM, row_group_rows=1)
    assert max(held[2:]) < 2.5  # the one that is written, and the next one


def test_types_names_and_metadata_of_attributes_stay(path: Path) -> None:
    attributes = pa.table(
        {
            "UPPER case": pa.array([1, None], pa.uint64()),
            "x" * 70: pa.array([1, None], pa.timestamp("ms", "Europe/Berlin")),
            "select": pa.array([1, None], pa.timestamp("ns")),
            "half": pa.array([1.5, None], pa.float16()),
            "spent": pa.array([1, None], pa.duration("ms")),
            "at": pa.array([1, None], pa.time32("ms")),
            "day": pa.array([-719_528, None], pa.int32()).view(pa.date32()),
            "sum": pa.array(["1.20", None]).cast(pa.decimal256(70, 2)),
            "big": pa.array(["a", ""], pa.large_string()),
            "id": pa.array([b"0" * 16, None], pa.binary(16)),
            "nested": pa.array([{"a": [("k", 1)]}, None], pa.struct(
                [("a", pa.map_(pa.string(), pa.int8()))]
            )),
            "nothing": pa.nulls(2),
        }
    )  # fmt: skip
    result = write(features(attributes, [wkb("POINT (1 2)"), None]), path)
    found = pq.read_table(path).select(range(attributes.num_columns))
    assert found.column_names == attributes.column_names
    assert found.schema.types == attributes.schema.types
    assert found.equals(attributes)
    assert [column.name for column in result.columns] == attributes.column_names
    assert result.columns[1].type == "timestamp[ms, tz=Europe/Berlin]"


def test_the_result_names_types_as_parquet_stores_them(path: Path) -> None:
    """Parquet has no whole seconds, and no dates in milliseconds; the values are the same."""
    seconds = pa.array([1, None, -(10**14)], pa.timestamp("s"))
    days = pa.array([86_400_000] * 3, pa.date64())
    result = write(features(pa.table({"s": seconds, "d": days}), [wkb("POINT (1 2)")] * 3), path)
    assert [column.type for column in result.columns] == ["timestamp[ms]", "date32[day]"]
    stored = pq.read_table(path)["s"].combine_chunks().view(pa.int64())
    assert stored.to_pylist() == [1000, None, -(10**17)]


def test_a_time_that_parquet_cannot_hold_is_the_inputs_fault(path: Path) -> None:
    seconds = pa.array([2**62], pa.timestamp("s"))
    with pytest.raises(InputError, match="cannot hold"):
        write(features(pa.table({"s": seconds}), [wkb("POINT (1 2)")]), path)
    assert not path.exists()


@pytest.mark.parametrize(
    ("attributes", "own"),
    [
        (["n"], ["geometry", "bbox"]),
        (["geometry"], ["geom", "bbox"]),
        (["Geometry", "BBOX"], ["geom", "bbox_1"]),
        (["geometry", "geom", "bbox", "bbox_1"], ["geometry_1", "bbox_2"]),
    ],
)
def test_own_columns_step_aside_for_attributes(
    path: Path, attributes: list[str], own: list[str]
) -> None:
    table = features(pa.table({name: ["text"] for name in attributes}), [wkb("POINT (1 2)")])
    result = write(table, path)
    assert pq.read_schema(path).names == [*attributes, *own]
    assert result.geometry_column == own[0]
    frame = geopandas.read_parquet(path)
    assert frame.geometry.name == own[0]
    assert frame[attributes[0]].tolist() == ["text"]


def test_types_are_found_in_the_data(path: Path) -> None:
    shapes = [
        wkb("POINT Z (1 2 3)"),
        wkb("MULTIPOLYGON (((0 0, 1 0, 1 1, 0 0)))"),
        None,
        wkb("LINESTRING EMPTY"),
        wkb("GEOMETRYCOLLECTION (POINT (9 9))"),
        wkb("POINT Z (4 5 6)"),
    ]
    result = write(numbered(shapes), path)
    expected = ("GeometryCollection", "LineString", "MultiPolygon", "Point Z")
    assert result.geometry_types == expected
    assert geo_of(path)["columns"]["geometry"]["geometry_types"] == list(expected)
    assert result.bounds == Bounds(min_x=0, min_y=0, max_x=9, max_y=9)
    assert geopandas.read_parquet(path).geometry.isna().tolist() == [
        shape is None for shape in shapes
    ]


def test_measures_stay_in_the_geometry_and_the_types_are_then_left_unsaid(path: Path) -> None:
    with_m = struct.pack("<BI3d", 1, 2001, 1, 2, 9)
    with_zm = struct.pack("<BI4d", 1, 3001, 1, 2, 3, 9)
    table = numbered([wkb("POINT (1 2)")] * 2)
    table = table.set_column(1, "geometry", pa.array([with_m, with_zm], pa.binary()))
    result = write(table, path)
    assert result.geometry_types == ("Point M", "Point ZM")
    assert geo_of(path)["columns"]["geometry"]["geometry_types"] == []
    assert pq.read_table(path)["geometry"].to_pylist() == [with_m, with_zm]


def test_an_empty_table_gives_a_valid_file(path: Path, duck: duckdb.DuckDBPyConnection) -> None:
    result = write(numbered([]), path)
    assert (result.row_count, result.bounds, result.geometry_types) == (0, None, ())
    assert "bbox" not in geo_of(path)["columns"]["geometry"]
    frame = geopandas.read_parquet(path)
    assert len(frame) == 0
    assert frame.crs == pyproj.CRS("EPSG:32633")
    assert duck.execute("SELECT count(*) FROM read_parquet(?)", [str(path)]).fetchone() == (0,)


def test_only_null_and_empty_geometries_have_no_bounds(path: Path) -> None:
    result = write(numbered([None, wkb("POLYGON EMPTY")]), path)
    assert result.bounds is None
    assert result.geometry_types == ("Polygon",)
    assert pq.read_table(path)["bbox"].to_pylist() == [None, None]


@pytest.mark.parametrize(
    ("code", "name"), [(8, "CircularString"), (1016, "TIN"), (2010, "CurvePolygon")]
)
def test_a_geometry_type_that_geoparquet_lacks_is_refused_and_no_file_stays(
    path: Path, code: int, name: str
) -> None:
    table = numbered([wkb("POINT (1 2)")] * 1500)
    foreign = pa.array([wkb("POINT (1 2)")] * 1499 + [struct.pack("<BII", 1, code, 0)], pa.binary())
    with pytest.raises(InputError, match=name):
        write(table.set_column(1, "geometry", foreign), path, row_group_rows=1000)
    assert not path.exists()


@pytest.mark.parametrize("coordinate", [float("inf"), NAN])
def test_a_coordinate_that_is_not_finite_is_refused(path: Path, coordinate: float) -> None:
    table = numbered([wkb("POINT (1 2)")])
    box = pa.array([{"xmin": 1.0, "ymin": 1.0, "xmax": coordinate, "ymax": 1.0}])
    with pytest.raises(InputError, match="NaN or infinite"):
        write(table.set_column(2, table.schema.field(2), box), path)
    assert not path.exists()


def test_an_error_of_the_source_leaves_no_file(path: Path) -> None:
    table = squares(2000)

    def broken():
        yield from table.to_batches()
        raise ConnectionError("cut off")

    with pytest.raises(ConnectionError, match="cut off"):
        write_geoparquet(broken(), path, schema=table.schema, crs=UTM, row_group_rows=1000)
    assert not path.exists()
