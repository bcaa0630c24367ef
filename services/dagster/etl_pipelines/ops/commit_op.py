"""Stage 6: the batch committed; each asset shown on Dagster's page."""

from dagster import AssetMaterialization, OpExecutionContext, op

from etl_pipelines.materialize import materialization
from etl_pipelines.ops._stage import run_stage
from etl_pipelines.resources import PlatformResource
from libs.ingest import StageOutput, commit


@op(name="commit")
def commit_op(
    context: OpExecutionContext, platform: PlatformResource, ejected: StageOutput
) -> None:
    """Stage 6. The ledger's word comes first; Dagster's events follow it."""
    committed = run_stage(context, platform, ejected.job, lambda it: commit(it, ejected))
    for asset in committed.assets:
        event: AssetMaterialization = materialization(asset, committed.stages)
        context.log_event(event)
