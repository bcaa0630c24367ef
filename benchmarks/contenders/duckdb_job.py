"""The vector job in DuckDB with its spatial extension, from PyPI: `CRS SOURCE TARGET`."""

import sys

from benchmarks.duckdb_extensions import connect

crs, source, target = sys.argv[1:]
with connect() as database:
    database.execute(
        f"""COPY (
            SELECT * EXCLUDE (geom), ST_SimplifyPreserveTopology(
                ST_Transform(geom, '{crs}', 'EPSG:4326', always_xy := true), 0.0001) AS geom
            FROM ST_Read('{source}')
        ) TO '{target}' (FORMAT parquet, COMPRESSION zstd)"""
    )
