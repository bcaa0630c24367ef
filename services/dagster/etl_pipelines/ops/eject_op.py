"""Stage 5: GeoParquet and COG into the lake, reserved in the ledger."""

from dagster import OpExecutionContext, op

from etl_pipelines.ops._stage import run_stage
from etl_pipelines.resources import PlatformResource
from libs.ingest import StageOutput, eject


@op(name="eject")
def eject_op(
    context: OpExecutionContext,
    platform: PlatformResource,
    transformed: StageOutput,
) -> StageOutput:
    """Stage 5: GeoParquet and COG into the lake, reserved in the ledger."""
    return run_stage(context, platform, transformed.job, lambda it: eject(it, transformed))
