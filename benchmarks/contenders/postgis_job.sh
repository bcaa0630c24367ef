#!/usr/bin/env bash
# The vector job as a person scripts it with ogr2ogr and psql: SOURCE_URI TARGET_URI. The server is in PG… variables.
# Debian's GDAL writes no Parquet, so GeoPandas does that part.
set -euo pipefail
source=$TMPDIR/source.gpkg target=$TMPDIR/target.parquet
python=${PYTHON:-python3}
schema=bench_$$
trap 'psql -qc "DROP SCHEMA IF EXISTS $schema CASCADE"' EXIT
"$python" -m benchmarks.contenders.buckets get "$1" "$source"
psql -qc "CREATE SCHEMA $schema"
PG_USE_COPY=YES ogr2ogr -q -f PostgreSQL "PG:dbname=$PGDATABASE" "$source" -nln "$schema.raw" -lco UNLOGGED=ON \
  -lco GEOMETRY_NAME=geom -lco SPATIAL_INDEX=NONE
psql -qc "CREATE UNLOGGED TABLE $schema.done AS SELECT id, name, class, value, count,
  ST_SimplifyPreserveTopology(ST_Transform(geom, 4326), 0.0001) AS geom FROM $schema.raw;
  CREATE INDEX ON $schema.done USING gist (geom)"
"$python" - "$schema" "$target" <<'PYTHON'
import sys
import geopandas
import psycopg
schema, target = sys.argv[1:]
with psycopg.connect() as connection:
    features = geopandas.read_postgis(f"SELECT * FROM {schema}.done ORDER BY geom", connection)
features.to_parquet(target, compression="zstd", write_covering_bbox=True, schema_version="1.1.0")
PYTHON
"$python" -m benchmarks.contenders.buckets put "$target" "$2"
