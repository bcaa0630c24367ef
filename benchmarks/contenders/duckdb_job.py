"""The vector job in DuckDB with its spatial extension, from PyPI: `SOURCE TARGET`."""

import sys

from benchmarks.duckdb_spatial import connect

source, target = sys.argv[1:]
with connect() as database:
    database.execute(
        f"""COPY (
            SELECT * EXCLUDE (geom), ST_SimplifyPreserveTopology(
                ST_Transform(geom, 'EPSG:32633', 'EPSG:4326', always_xy := true), 0.0001) AS geom
            FROM ST_Read('{source}')
        ) TO '{target}' (FORMAT parquet, COMPRESSION zstd)"""
    )
