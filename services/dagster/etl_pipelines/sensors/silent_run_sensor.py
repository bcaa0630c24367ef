"""Finds runs whose process is gone while nobody was there to see it, and has them marked as failed.

The code server notices when the process of a run that it started dies. When it was killed itself,
nobody does: Dagster would call the run started for ever. What a run does say is its lease in the
ledger, wherever it works. What follows from a failure is the business of `failed_run_sensor`.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from collections.abc import Set as AbstractSet

from dagster import (
    DagsterRunStatus,
    DefaultSensorStatus,
    RunsFilter,
    SensorDefinition,
    SensorEvaluationContext,
    SkipReason,
    sensor,
)

from etl_pipelines.jobs import ingest_job
from etl_pipelines.resources import PlatformResource
from libs.settings import EtlSettings

_MESSAGE = (
    "The process of this run is gone: it has not kept its lease in the ledger. "
    "The upload is tried again."
)


def build_silent_run_sensor(limits: EtlSettings) -> SensorDefinition:
    """The sensor; a run that holds no lease is given `lease_s` seconds to take one, or to end."""

    @sensor(
        name="silent_run_sensor",
        minimum_interval_seconds=10,
        default_status=DefaultSensorStatus.RUNNING,
        description="Marks a run as failed whose process died together with the code server.",
    )
    def silent_run_sensor(
        context: SensorEvaluationContext, platform: PlatformResource
    ) -> SkipReason:
        going_on = RunsFilter(job_name=ingest_job.name, statuses=[DagsterRunStatus.STARTED])
        started = {run.run_id: run for run in context.instance.get_runs(going_on)}
        if not started:
            context.update_cursor("{}")
            return SkipReason("No run is going on.")
        ledger = platform.get().ledger
        silent = started.keys() - ledger.live_run_ids()
        since = _silent_since(context.cursor, silent)
        expired = {run.run_id for run in ledger.dead_runs(idle_s=limits.run_timeout_s)}
        dead = silent & (expired | _silent_for(since, limits.lease_s))
        for run_id in dead:
            context.instance.report_run_failed(started[run_id], _MESSAGE)
        context.update_cursor(json.dumps({run_id: since[run_id] for run_id in silent - dead}))
        return SkipReason(f"{len(started)} run(s) going on, {len(dead)} of them dead.")

    return silent_run_sensor


def _silent_since(cursor: str | None, silent: AbstractSet[str]) -> dict[str, float]:
    """When each was first seen without a lease: a run has none at its beginning and its end."""
    known: Mapping[str, float] = json.loads(cursor or "{}")
    now = time.time()
    return {run_id: known.get(run_id, now) for run_id in silent}


def _silent_for(since: Mapping[str, float], seconds: float) -> set[str]:
    return {run_id for run_id, first in since.items() if time.time() - first >= seconds}
