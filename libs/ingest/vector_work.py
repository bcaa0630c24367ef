"""What the transform and eject stages do with one vector file: PostGIS steps, then GeoParquet."""

from __future__ import annotations

import time
from pathlib import Path

from libs.errors import InputError, Problem
from libs.ingest.platform import Platform
from libs.ingest.values import Job, LoadedVector, TransformedVector
from libs.ingest.workspace import file_folder
from libs.models import CRS, GeometryChange, RunSchema, StepRecord, VectorShape, utc_now
from libs.spatial_utils.crs import describe
from libs.spatial_utils.geoparquet import GeoParquetResult, write_geoparquet
from libs.spatial_utils.picture import picture_of_features
from libs.transformations import PlannedStep, VectorStep, plan_steps

PICTURE_FEATURES = 5_000
"""As many features, evenly spread over the table, are drawn at most."""


def transform_vector(platform: Platform, job: Job, loaded: LoadedVector) -> TransformedVector:
    """Chain the recipe's steps: `raw_data` → `step_0` → … → `processed`."""
    work = loaded.fetched.work
    plan = plan_steps(work.recipe.recipe, source_crs=loaded.crs)
    ...
