"""The vector job in DuckDB with its spatial extension, from PyPI: `CRS SOURCE_URI TARGET_URI`."""

import os
import sys

from benchmarks.contenders.buckets import get, put, wait_at_the_gate
from benchmarks.duckdb_extensions import connect

crs, source_uri, target_uri = sys.argv[1:]
scratch = os.environ["TMPDIR"]
wait_at_the_gate()
source = get(source_uri, f"{scratch}/source.gpkg")
target = f"{scratch}/target.parquet"
with connect() as database:
    database.execute(
        f"""COPY (
            SELECT * EXCLUDE (geom), ST_SimplifyPreserveTopology(
                ST_Transform(geom, '{crs}', 'EPSG:4326', always_xy := true), 0.0001) AS geom
            FROM ST_Read('{source}')
        ) TO '{target}' (FORMAT parquet, COMPRESSION zstd)"""
    )
put(target, target_uri)
