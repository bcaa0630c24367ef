"""Stage 2: the pinned files into the work folder."""

from dagster import OpExecutionContext, op

from etl_pipelines.ops._stage import run_stage
from etl_pipelines.resources import PlatformResource
from libs.ingest import StageOutput, fetch


@op(name="fetch")
def fetch_op(
    context: OpExecutionContext, platform: PlatformResource, received: StageOutput
) -> StageOutput:
    """Stage 2: the pinned files into the work folder."""
    return run_stage(context, platform, received.job, lambda it: fetch(it, received))
