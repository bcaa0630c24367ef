"""Stage 5: GeoParquet and COG into the lake, reserved in the ledger."""

from dagster import OpExecutionContext, op

from etl_pipelines.ops._stage import run_stage
from etl_pipelines.resources import PlatformResource
from libs.ingest import EjectedAsset, StageOutput, TransformedFile, eject


@op(name="eject")
def eject_op(
    context: OpExecutionContext,
    platform: PlatformResource,
    transformed: StageOutput[TransformedFile],
) -> StageOutput[EjectedAsset]:
    """Stage 5: GeoParquet and COG into the lake, reserved in the ledger."""
    return run_stage(context, platform, transformed.job, lambda it: eject(it, transformed))
