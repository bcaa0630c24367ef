"""The vector job as a person writes it with GeoPandas: `SOURCE TARGET`."""

import sys

import geopandas

source, target = sys.argv[1:]
features = geopandas.read_file(source, use_arrow=True).to_crs("EPSG:4326")
features["geometry"] = features.geometry.simplify(0.0001, preserve_topology=True)
features.to_parquet(target, compression="zstd", write_covering_bbox=True, schema_version="1.1.0")
