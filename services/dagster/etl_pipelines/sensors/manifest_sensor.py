"""Sees manifests in the landing zone and requests a run for each upload, and again after a fault.

It never touches a manifest: only a run whose batch has ended takes it away. So a tick that is lost
loses nothing. The ledger, not the sensor, decides whether a submission is a repeat.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta, timezone

from dagster import (
    DagsterRunStatus,
    DefaultSensorStatus,
    RunConfig,
    RunRecord,
    RunRequest,
    RunsFilter,
    SensorDefinition,
    SensorEvaluationContext,
    SkipReason,
    sensor,
)
from dagster._core.storage.tags import MAX_RUNTIME_SECONDS_TAG

from etl_pipelines.jobs import UPLOAD_TAG, ingest_job
from etl_pipelines.logs import RUN_LOGGERS
from etl_pipelines.ops.validate_op import UploadConfig
from etl_pipelines.resources import PlatformResource
from etl_pipelines.run_tags import BUSY_TAG, RunSizes, run_tags
from libs.errors import TransientError
from libs.ingest import Platform, outlook, waiting_manifests
from libs.ingest.cleanup import clean_up
from libs.models import ManifestUpload
from libs.settings import EtlSettings

WATCH_S = 4.0
"""Dagster's daemon comes round every five seconds: a tick keeps looking for most of that time."""
LOOK_EVERY_S = 0.5
REQUESTS_S = 20.0
"""So long a tick looks into manifests: one that takes a minute is ended by Dagster, and in vain."""
LONGEST_WAIT_S = 1800.0
"""For another run of the same batch."""


def build_manifest_sensor(limits: EtlSettings) -> SensorDefinition:
    """The sensor, looking every `sensor_interval_s` seconds at the earliest."""

    @sensor(
        name="manifest_sensor",
        job=ingest_job,
        minimum_interval_seconds=limits.sensor_interval_s,
        default_status=DefaultSensorStatus.RUNNING,
        description="Starts a run for every manifest uploaded to manifests/*.json.",
    )
    def manifest_sensor(
        context: SensorEvaluationContext, platform: PlatformResource
    ) -> Iterator[RunRequest | SkipReason]:
        connected = platform.get()
        if connected.ledger.restore_under_way():
            yield SkipReason("The ledger is being restored from a backup: no run begins.")
            return
        requests = _watch(context, connected)
        if requests:
            yield from requests
        else:
            yield SkipReason("No new manifest.")

    return manifest_sensor


def _watch(context: SensorEvaluationContext, platform: Platform) -> list[RunRequest]:
    until = time.monotonic() + WATCH_S
    while True:
        wanted = _wanted(context, platform, waiting_manifests(platform))
        requests = _requests(platform, wanted)
        if requests or time.monotonic() + LOOK_EVERY_S > until:
            return requests
        time.sleep(LOOK_EVERY_S)


def _wanted(
    context: SensorEvaluationContext, platform: Platform, uploads: Sequence[ManifestUpload]
) -> list[tuple[ManifestUpload, int]]:
    runs = _runs_of(context, uploads)
    limits = platform.limits
    attempts = ((upload, _next_attempt(runs.get(upload.run_key, []), limits)) for upload in uploads)
    return [
        (upload, attempt)
        for upload, attempt in attempts
        if attempt and _nothing_left(platform, runs.get(upload.run_key, []))
    ]


def _runs_of(
    context: SensorEvaluationContext, uploads: Sequence[ManifestUpload]
) -> dict[str, list[RunRecord]]:
    if not uploads:
        return {}
    keys = [upload.run_key for upload in uploads]
    found: dict[str, list[RunRecord]] = {}
    for record in context.instance.get_run_records(RunsFilter(tags={UPLOAD_TAG: keys})):
        found.setdefault(record.dagster_run.tags[UPLOAD_TAG], []).append(record)
    return found


def _nothing_left(platform: Platform, runs: Sequence[RunRecord]) -> bool:
    """Clean up after failed attempts, which could not do so themselves when PostGIS was away.

    False: it still is, so that the next attempt would be in vain.
    """
    try:
        for record in runs:
            clean_up(platform, record.dagster_run.run_id)
    except TransientError:
        return False
    return True


def _next_attempt(runs: Sequence[RunRecord], limits: EtlSettings) -> int | None:
    """The number of the run to start now; None: one is going on, or waits, or all were made.

    One that found another run at work on the same batch was no attempt: it is only waited, longer
    each time.
    """
    if not runs:
        return 1
    newest = max(runs, key=lambda record: record.create_timestamp)
    busy = [record for record in runs if BUSY_TAG in record.dagster_run.tags]
    attempts = len(runs) - len(busy)
    has_failed = newest.dagster_run.status is DagsterRunStatus.FAILURE
    if not has_failed or attempts >= limits.run_attempts:
        return None
    if newest in busy:
        wait_s = min(limits.lease_s * 2.0 ** (len(busy) - 1), LONGEST_WAIT_S)
    else:
        wait_s = limits.retry_wait_s * 2 ** (attempts - 1)
    ended = datetime.fromtimestamp(newest.end_time or 0, timezone.utc)
    is_due = datetime.now(timezone.utc) >= ended + timedelta(seconds=wait_s)
    return len(runs) + 1 if is_due else None


def _requests(platform: Platform, wanted: Sequence[tuple[ManifestUpload, int]]) -> list[RunRequest]:
    """For as many as can be looked into in time: the next tick finds the others."""
    path = platform.limits.run_sizes
    sizes = RunSizes.load(path) if path and wanted else None
    until = time.monotonic() + REQUESTS_S
    requests = []
    for upload, attempt in wanted:
        requests.append(_request(platform, upload, attempt, sizes))
        if time.monotonic() > until:
            break
    return requests


def _request(
    platform: Platform, upload: ManifestUpload, attempt: int, sizes: RunSizes | None
) -> RunRequest:
    suffix = f"|attempt {attempt}" if attempt > 1 else ""
    seen = outlook(platform, upload, with_size=sizes is not None)
    own = {
        UPLOAD_TAG: upload.run_key,
        "spatial_etl/attempt": str(attempt),
        MAX_RUNTIME_SECONDS_TAG: str(platform.limits.run_timeout_s),
    }
    return RunRequest(
        run_key=upload.run_key + suffix,
        run_config=RunConfig(ops={"validate": UploadConfig.of(upload)}, loggers=RUN_LOGGERS),
        tags={**run_tags(seen, sizes), **own},
    )
