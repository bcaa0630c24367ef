"""When the auditor runs."""

from __future__ import annotations

from dagster import DefaultScheduleStatus, RunConfig, ScheduleDefinition
from dagster._core.storage.tags import MAX_RUNTIME_SECONDS_TAG

from etl_pipelines.jobs import audit_job
from etl_pipelines.logs import RUN_LOGGERS
from libs.settings import EtlSettings


def build_audit_schedule(limits: EtlSettings) -> ScheduleDefinition:
    """The auditor at the times of `audit_cron`, UTC."""
    return ScheduleDefinition(
        name="audit_schedule",
        job=audit_job,
        cron_schedule=limits.audit_cron,
        run_config=RunConfig(loggers=RUN_LOGGERS),
        tags={MAX_RUNTIME_SECONDS_TAG: str(limits.run_timeout_s)},
        default_status=DefaultScheduleStatus.RUNNING,
    )
