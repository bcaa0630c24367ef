"""The same as `duckdb_job`, with more of what ours guarantees: `CRS SOURCE_URI TARGET_URI`.

Both files are hashed, every geometry is checked before and after, rows are in Hilbert order.
"""

import hashlib
import sys
from pathlib import Path

from benchmarks.contenders.buckets import local_files
from benchmarks.duckdb_extensions import connect


def sha256(path: str) -> str:
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


crs, source_uri, target_uri = sys.argv[1:]
with local_files(source_uri, target_uri) as (source, target):
    print(sha256(source))
    with connect() as database:
        database.execute(
            f"""CREATE TABLE done AS
                SELECT * EXCLUDE (geom), ST_IsValid(geom) AS was_valid, ST_SimplifyPreserveTopology(
                    ST_Transform(geom, '{crs}', 'EPSG:4326', always_xy := true), 0.0001) AS geom
                FROM ST_Read('{source}')"""
        )
        [(bad,)] = database.execute(
            "SELECT count(*) FROM done WHERE NOT was_valid OR NOT ST_IsValid(geom)"
        ).fetchall()
        if bad:
            sys.exit(f"{bad} geometries are not valid")
        database.execute(
            f"""COPY (
                SELECT * EXCLUDE (was_valid) FROM done
                ORDER BY ST_Hilbert(geom, (SELECT ST_Extent(ST_Extent_Agg(geom)) FROM done))
            ) TO '{target}' (FORMAT parquet, COMPRESSION zstd)"""
        )
    print(sha256(target))
