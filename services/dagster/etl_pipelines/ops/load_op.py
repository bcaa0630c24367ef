"""Stage 3: vectors into PostGIS, rasters inspected."""

from dagster import OpExecutionContext, op

from etl_pipelines.ops._stage import run_stage
from etl_pipelines.resources import PlatformResource
from libs.ingest import StageOutput, load


@op(name="load")
def load_op(
    context: OpExecutionContext, platform: PlatformResource, fetched: StageOutput
) -> StageOutput:
    """Stage 3: vectors into PostGIS, rasters inspected."""
    return run_stage(context, platform, fetched.job, lambda it: load(it, fetched))
