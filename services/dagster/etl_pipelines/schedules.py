"""When the auditor runs."""

from __future__ import annotations

from dagster import DefaultScheduleStatus, ScheduleDefinition

from etl_pipelines.jobs import audit_job


def build_audit_schedule(cron: str) -> ScheduleDefinition:
    """The auditor at the times of a cron expression, UTC."""
    return ScheduleDefinition(
        name="audit_schedule",
        job=audit_job,
        cron_schedule=cron,
        default_status=DefaultScheduleStatus.RUNNING,
    )
