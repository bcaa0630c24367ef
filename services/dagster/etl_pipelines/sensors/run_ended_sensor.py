"""A run that was killed or cancelled could not tell the ledger itself: these sensors do."""

from __future__ import annotations

from dagster import (
    DagsterRunStatus,
    DefaultSensorStatus,
    RunFailureSensorContext,
    RunStatusSensorContext,
    run_failure_sensor,
    run_status_sensor,
)

from etl_pipelines.jobs import ingest_job
from etl_pipelines.resources import PlatformResource
from libs.ingest import RunState, abandon


@run_failure_sensor(
    name="failed_run_sensor",
    monitored_jobs=[ingest_job],
    minimum_interval_seconds=5,
    default_status=DefaultSensorStatus.RUNNING,
)
def failed_run_sensor(context: RunFailureSensorContext, platform: PlatformResource) -> None:
    """Lets the batch of a failed run go, drops its schemas; a run that did so itself is left."""
    reason = context.failure_event.message or "The run failed without a message."
    abandon(platform.get(), context.dagster_run.run_id, reason, RunState.FAILED)


@run_status_sensor(
    name="cancelled_run_sensor",
    run_status=DagsterRunStatus.CANCELED,
    monitored_jobs=[ingest_job],
    minimum_interval_seconds=5,
    default_status=DefaultSensorStatus.RUNNING,
)
def cancelled_run_sensor(context: RunStatusSensorContext, platform: PlatformResource) -> None:
    """The same for a run that a person cancelled."""
    abandon(
        platform.get(), context.dagster_run.run_id, "Cancelled by a person.", RunState.CANCELLED
    )
