"""The vector job in DuckDB with its spatial extension, from PyPI: `CRS SOURCE_URI TARGET_URI`."""

import sys

from benchmarks.contenders.buckets import local_files
from benchmarks.duckdb_extensions import connect

crs, source_uri, target_uri = sys.argv[1:]
with local_files(source_uri, target_uri) as (source, target), connect() as database:
    database.execute(
        f"""COPY (
            SELECT * EXCLUDE (geom), ST_SimplifyPreserveTopology(
                ST_Transform(geom, '{crs}', 'EPSG:4326', always_xy := true), 0.0001) AS geom
            FROM ST_Read('{source}')
        ) TO '{target}' (FORMAT parquet, COMPRESSION zstd)"""
    )
