"""Real data from a shapefile through PostGIS into GeoParquet, as GeoPandas reads both ends."""

from __future__ import annotations

import subprocess
import sys
import uuid
from pathlib import Path

import geopandas
import pyarrow as pa
import pyogrio
import pyogrio.raw
import pytest
import shapely
from psycopg import sql

from libs.compute import PostGIS
from libs.models import RunSchema
from libs.spatial_utils.crs import describe
from libs.spatial_utils.geoparquet import GeoParquetResult, write_geoparquet

pytestmark = pytest.mark.integration

COUNTRIES = (
    Path(pyogrio.__file__).parent / "tests/fixtures/naturalearth_lowres/naturalearth_lowres.shp"
)


def through(compute: PostGIS, path: Path, target_srid: int, code: str) -> GeoParquetResult:
    schema = RunSchema(run_id=str(uuid.uuid4()))
    with compute.ephemeral_schema(schema) as name:
        with pyogrio.open_arrow(COUNTRIES, use_pyarrow=True) as (meta, reader):
            index = reader.schema.get_field_index(meta["geometry_name"] or "wkb_geometry")
            loaded = compute.load_arrow(reader, schema=schema, geometry_index=index)
        columns = sql.SQL(", ").join(map(sql.Identifier, ("rid", *loaded.attribute_columns)))
        step = sql.SQL(
            "CREATE UNLOGGED TABLE {} AS"
            " SELECT {}, ST_Transform(ST_SetSRID(geom, 4326), {}) AS geom FROM {}"
        ).format(
            sql.Identifier(name, "processed"),
            columns,
            sql.Literal(target_srid),
            sql.Identifier(name, "raw_data"),
        )
        compute.run_step(schema, step, "reprojecting")
        with compute.stream_table(schema, "processed", loaded) as stream:
            return write_geoparquet(stream, path, schema=stream.schema, crs=describe(code))


def test_natural_earth_arrives_with_its_rows_attributes_and_geometries(
    compute: PostGIS, tmp_path: Path
) -> None:
    result = through(compute, tmp_path / "out.parquet", 3035, "EPSG:3035")
    found = geopandas.read_parquet(tmp_path / "out.parquet").sort_values("name")
    expected = geopandas.read_file(COUNTRIES).sort_values("name")
    attributes = [column for column in expected.columns if column != "geometry"]
    assert found[attributes].to_numpy().tolist() == expected[attributes].to_numpy().tolist()
    projected = expected.geometry.to_crs("EPSG:3035").reset_index(drop=True)
    distances = shapely.hausdorff_distance(found.geometry.values, projected.values)
    assert found.crs == "EPSG:3035"
    assert distances.max() < 1e-3  # metres
    assert result.row_count == len(expected) == 177
    assert set(result.geometry_types) == {"Polygon", "MultiPolygon"}


def test_the_same_input_gives_the_same_bytes_in_another_run_and_with_other_workers(
    compute: PostGIS, settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("libs.compute.table.WORTH_MORE_CORES_BYTES", 0)
    hashes = {through(compute, tmp_path / "a.parquet", 3857, "EPSG:3857").sha256}
    for workers in (1, 4):
        with PostGIS.connect(settings.compute, workers=workers) as other:
            hashes.add(through(other, tmp_path / "b.parquet", 3857, "EPSG:3857").sha256)
    assert len(hashes) == 1


def test_memory_does_not_grow_with_the_data(tmp_path: Path) -> None:
    """In a process of its own: four times the rows, some 60 MB, take hardly more memory."""
    script = (Path(__file__).parent / "load_and_eject.py").read_text()
    peaks = []
    for rows in (60_000, 240_000):
        done = subprocess.run(
            [sys.executable, "-c", script, str(rows), str(tmp_path / "out.parquet")],
            capture_output=True,
            text=True,
            check=True,
            timeout=240,
        )
        peaks.append(int(done.stdout.split()[-1]))
    assert peaks[1] < peaks[0] * 1.3, f"peaks in MiB: {peaks}"


def test_a_schema_of_only_a_geometry_is_enough(compute: PostGIS, tmp_path: Path) -> None:
    schema = RunSchema(run_id=str(uuid.uuid4()))
    table = pa.table({"g": pa.array([shapely.to_wkb(shapely.Point(1, 2))], pa.binary())})
    with compute.ephemeral_schema(schema):
        loaded = compute.load_arrow(table.to_reader(), schema=schema, geometry_index=0)
        with compute.stream_table(schema, "raw_data", loaded) as stream:
            result = write_geoparquet(stream, tmp_path / "g", schema=stream.schema, crs=None)
    assert result.columns == ()
    assert geopandas.read_parquet(tmp_path / "g").geometry[0] == shapely.Point(1, 2)
