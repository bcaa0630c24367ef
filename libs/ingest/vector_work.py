"""What the transform and eject stages do with one vector file: PostGIS steps, then GeoParquet."""

from __future__ import annotations

from libs.ingest.platform import Platform
from libs.ingest.values import Job, LoadedVector, TransformedVector
from libs.transformations import plan_steps

PICTURE_FEATURES = 5_000
"""As many features, evenly spread over the table, are drawn at most."""


def transform_vector(platform: Platform, job: Job, loaded: LoadedVector) -> TransformedVector:
    """Chain the recipe's steps: `raw_data` → `step_0` → … → `processed`."""
    work = loaded.fetched.work
    plan = plan_steps(work.recipe.recipe, source_crs=loaded.crs)
    ...
