"""Stage 4: the recipe's steps."""

from dagster import OpExecutionContext, op

from etl_pipelines.ops._stage import run_stage
from etl_pipelines.resources import PlatformResource
from libs.ingest import StageOutput, transform


@op(name="transform")
def transform_op(
    context: OpExecutionContext, platform: PlatformResource, loaded: StageOutput
) -> StageOutput:
    """Stage 4: the recipe's steps."""
    return run_stage(context, platform, loaded.job, lambda it: transform(it, loaded))
