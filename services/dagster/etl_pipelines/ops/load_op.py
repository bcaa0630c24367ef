"""Stage 3: vectors into PostGIS, rasters inspected."""

from dagster import OpExecutionContext, op

from etl_pipelines.ops._stage import run_stage
from etl_pipelines.resources import PlatformResource
from libs.ingest import FetchedFile, LoadedFile, StageOutput, load


@op(name="load")
def load_op(
    context: OpExecutionContext, platform: PlatformResource, fetched: StageOutput[FetchedFile]
) -> StageOutput[LoadedFile]:
    """Stage 3: vectors into PostGIS, rasters inspected."""
    return run_stage(context, platform, fetched.job, lambda it: load(it, fetched))
