"""The vector job as a person writes it with GeoPandas: `SOURCE_URI TARGET_URI`."""

import sys

import geopandas
import pyarrow.parquet  # noqa: F401  what to_parquet imports late
import pyogrio  # noqa: F401  what read_file imports late

from benchmarks.contenders.buckets import local_files

source_uri, target_uri = sys.argv[1:]
with local_files(source_uri, target_uri) as (source, target):
    features = geopandas.read_file(source, use_arrow=True).to_crs("EPSG:4326")
    features["geometry"] = features.geometry.simplify(0.0001, preserve_topology=True)
    features.to_parquet(
        target, compression="zstd", write_covering_bbox=True, schema_version="1.1.0"
    )
