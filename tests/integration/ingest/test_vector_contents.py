"""What a vector file holds comes out again: types, names, geometries of every kind."""

import datetime
import decimal
import subprocess

import geopandas
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import shapely

from libs.ingest import BatchRejectedError

pytestmark = pytest.mark.integration

LOSSLESS = "ingest_vector_lossless"


def run_one(user, entry, intent=LOSSLESS):
    return user.run(user.manifest([entry], intent=intent)).assets[0].asset


def geoparquet(path, columns: dict[str, pa.Array], geometries=None):
    """A GeoParquet file of just these columns, written by GeoPandas and then given the types."""
    rows = len(next(iter(columns.values())))
    geometries = geometries or [shapely.Point(n, n) for n in range(rows)]
    geopandas.GeoDataFrame({"__n": range(rows)}, geometry=geometries, crs="EPSG:4326").to_parquet(
        path
    )
    table = pq.read_table(path)
    metadata = table.schema.metadata
    geometry = table["geometry"]
    table = pa.table({**columns, "geometry": geometry}).replace_schema_metadata(
        {b"geo": metadata[b"geo"]}
    )
    pq.write_table(table, path)
    return path


UTC, NONE = datetime.timezone.utc, None
VALUES = {
    "int16": pa.array([1, -32768, NONE], pa.int16()),
    "int32": pa.array([1, 2**31 - 1, NONE], pa.int32()),
    "int64": pa.array([1, -(2**63), NONE], pa.int64()),
    "uint64": pa.array([1, 2**64 - 1, NONE], pa.uint64()),
    "float32": pa.array([0.5, float("nan"), NONE], pa.float32()),
    "float64": pa.array([1e300, float("inf"), NONE], pa.float64()),
    "boolean": pa.array([True, False, NONE]),
    "text": pa.array(["", "ß漢😀\n\"'", NONE]),
    "long_text": pa.array(["x" * 200_000, "", NONE]),
    "binary": pa.array([b"\x00\xff", b"", NONE]),
    "decimal": pa.array([decimal.Decimal("12345678901234567890.12"), NONE, NONE],
                        pa.decimal128(30, 2)),
    "date": pa.array([datetime.date(1, 1, 1), datetime.date(9999, 12, 31), NONE]),
    "time": pa.array([datetime.time(23, 59, 59, 999_000), datetime.time(0), NONE], pa.time32("ms")),
    "timestamp": pa.array([datetime.datetime(1900, 1, 1, 1, 2, 3, 4000), NONE, NONE],
                          pa.timestamp("ms")),
    "timestamp_tz": pa.array([datetime.datetime(2026, 11, 24, 12, tzinfo=UTC), NONE, NONE],
                             pa.timestamp("us", tz="Europe/Zurich")),
    "timestamp_ns": pa.array([1_700_000_000_123_456_789, NONE, NONE], pa.timestamp("ns")),
    "list": pa.array([[1, NONE, 3], [], NONE], pa.list_(pa.int32())),
    "texts": pa.array([["a", "ü"], [], NONE], pa.list_(pa.string())),
    "nothing": pa.array([NONE, NONE, NONE], pa.string()),
}  # fmt: skip


def test_every_attribute_type_and_value_survives(user, tmp_path):
    path = geoparquet(tmp_path / "types.parquet", VALUES)
    asset = run_one(user, user.vector(path, "Parquet"))
    result = pq.read_table(user.download(asset, tmp_path))
    order = {None: 2, 1: 0}
    rows = [order.get(value, 1) for value in result["int16"].to_pylist()]
    for name, expected in VALUES.items():
        assert result.schema.field(name).type == expected.type, name
        back = dict(zip(rows, result[name].to_pylist(), strict=True))
        for row, value in enumerate(expected.to_pylist()):
            assert back[row] == value or str(back[row]) == str(value), name


def test_column_names_come_out_as_they_went_in(user, tmp_path):
    names = ["UPPER", "two words", "n" * 70, "n" * 69 + "m", "select", "geom", "rid", "c0", "bbox",
             'quo"te', "semi;colon", "Straße", "straße", "_", "%s", "{x}", "a.b"]  # fmt: skip
    columns = {name: pa.array([f"1-{name}", f"2-{name}"]) for name in names}
    path = geoparquet(tmp_path / "names.parquet", columns)
    asset = run_one(user, user.vector(path, "Parquet"))
    file = user.download(asset, tmp_path)
    result = geopandas.read_parquet(file)
    assert [column.name for column in asset.vector.columns] == names
    for name in names:
        assert sorted(result[name]) == sorted(columns[name].to_pylist())
    assert asset.vector.geometry_column == result.geometry.name


def test_an_attribute_called_geometry_moves_the_geometry_column_not_itself(user, tmp_path):
    table = pd.DataFrame({"geometry": ["a text"], "wkt": ["POINT (1 2)"]})
    path = tmp_path / "g.csv"
    table.rename(columns={"wkt": "WKT"}).to_csv(path, index=False)
    asset = run_one(user, user.vector(path, "CSV"))
    result = geopandas.read_parquet(user.download(asset, tmp_path))
    assert result["geometry"].tolist() == ["a text"]
    assert result.geometry.name != "geometry"


GEOMETRIES = {
    "z": ["POINT Z (1 2 3)", "POINT Z (4 5 6)"],
    "mixed": ["POINT (1 2)", "LINESTRING (0 0, 1 1)", "POLYGON ((0 0, 1 0, 1 1, 0 0))"],
    "multi": ["MULTIPOINT (1 2, 3 4)", "MULTIPOLYGON (((0 0, 1 0, 1 1, 0 0)))",
              "MULTILINESTRING ((0 0, 1 1), (2 2, 3 3))"],
    "collection": ["GEOMETRYCOLLECTION (POINT (1 2), LINESTRING (0 0, 1 1))"],
    "null and empty": ["POINT (1 2)", None, "POINT EMPTY", "POLYGON EMPTY"],
}  # fmt: skip


@pytest.mark.parametrize("kind", sorted(GEOMETRIES))
def test_geometries_of_every_kind_come_out_as_they_went_in(user, tmp_path, kind):
    shapes = [shapely.from_wkt(wkt) if wkt else None for wkt in GEOMETRIES[kind]]
    path = tmp_path / "g.parquet"
    geopandas.GeoDataFrame({"n": range(len(shapes))}, geometry=shapes, crs="EPSG:4326").to_parquet(
        path
    )
    asset = run_one(user, user.vector(path, "Parquet"))
    result = geopandas.read_parquet(user.download(asset, tmp_path)).sort_values("n")
    for mine, theirs in zip(result.geometry, shapes, strict=True):
        if theirs is None:
            assert mine is None
        else:
            assert shapely.to_wkb(mine, include_srid=False) == shapely.to_wkb(theirs)


def ogr_gpkg(path, wkts, nlt):
    """A GeoPackage with geometries that GeoPandas cannot write."""
    source = path.with_suffix(".csv")
    rows = "\n".join(f'{n},"{wkt}"' for n, wkt in enumerate(wkts))
    source.write_text(f"n,WKT\n{rows}\n")
    subprocess.run(
        ["ogr2ogr", "-f", "GPKG", str(path), str(source), "-a_srs", "EPSG:4326", "-nlt", nlt,
         "-oo", "AUTODETECT_TYPE=YES", "-oo", "KEEP_GEOM_COLUMNS=NO"],
        check=True,
    )  # fmt: skip
    return path


def test_measures_survive(user, tmp_path):
    path = ogr_gpkg(tmp_path / "m.gpkg", ["LINESTRING ZM (0 0 1 10, 1 1 2 20)"], "LINESTRINGZM")
    asset = run_one(user, user.vector(path, "GPKG"))
    table = pq.read_table(user.download(asset, tmp_path))
    (wkb,) = table[asset.vector.geometry_column].to_pylist()
    line = shapely.from_wkb(wkb)
    assert shapely.get_coordinates(line, include_z=True, include_m=True).tolist() == [
        [0, 0, 1, 10], [1, 1, 2, 20],
    ]  # fmt: skip


def test_curves_become_straight_segments_and_the_asset_says_so(user, tmp_path):
    wkts = ["CIRCULARSTRING (0 0, 1 1, 2 0)", "CIRCULARSTRING (5 5, 6 6, 7 5)"]
    path = ogr_gpkg(tmp_path / "c.gpkg", wkts, "CIRCULARSTRING")
    asset = run_one(user, user.vector(path, "GPKG"))
    result = geopandas.read_parquet(user.download(asset, tmp_path))
    assert set(result.geom_type) == {"LineString"}
    assert shapely.hausdorff_distance(
        result.sort_values("n").geometry.iloc[0],
        shapely.Point(1, 0)
        .buffer(1, quad_segs=200)
        .exterior.intersection(shapely.box(-1, 0, 3, 2)),
    ) == pytest.approx(0, abs=0.01)
    assert sum(step.change.rows_linearised for step in asset.recipe.steps if step.change) == 2
    assert any("curves" in note for note in asset.notes)


def test_an_invalid_polygon_is_repaired_and_counted(user, tmp_path):
    bow_tie = shapely.from_wkt("POLYGON ((0 0, 2 2, 2 0, 0 2, 0 0))")
    path = tmp_path / "b.gpkg"
    geopandas.GeoDataFrame(
        {"n": [0, 1]}, geometry=[bow_tie, shapely.box(5, 5, 6, 6)], crs="EPSG:4326"
    ).to_file(path, driver="GPKG")
    asset = run_one(user, user.vector(path, "GPKG"), intent="ingest_vector")
    result = geopandas.read_parquet(user.download(asset, tmp_path))
    assert len(result) == 2
    assert result.geometry.is_valid.all()
    assert sum(step.change.rows_repaired for step in asset.recipe.steps if step.change) == 1
    assert any("1 feature(s) repaired" in note for note in asset.notes)


def test_a_layer_without_geometry_is_refused_with_a_cure(user, tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a,b\n1,2\n")
    with pytest.raises(BatchRejectedError, match="no column of it is a geometry"):
        run_one(user, user.vector(path, "CSV"))


def test_coordinates_outside_the_domain_are_named(user, tmp_path):
    path = tmp_path / "far.gpkg"
    geopandas.GeoDataFrame(
        {"n": [0, 1]},
        geometry=[shapely.Point(500_000, 5_000_000), shapely.Point(1e12, 1e12)],
        crs="EPSG:32633",
    ).to_file(path, driver="GPKG")
    with pytest.raises(BatchRejectedError, match="row 1, counted from 0"):
        run_one(user, user.vector(path, "GPKG", crs="EPSG:32633"), intent="ingest_vector")
