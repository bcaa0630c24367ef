"""Stage 4: the recipe's steps."""

from dagster import OpExecutionContext, op

from etl_pipelines.ops._stage import run_stage
from etl_pipelines.resources import PlatformResource
from libs.ingest import LoadedFile, StageOutput, TransformedFile, transform


@op(name="transform")
def transform_op(
    context: OpExecutionContext, platform: PlatformResource, loaded: StageOutput[LoadedFile]
) -> StageOutput[TransformedFile]:
    """Stage 4: the recipe's steps."""
    return run_stage(context, platform, loaded.job, lambda it: transform(it, loaded))
