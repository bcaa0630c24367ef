"""What all ops share: an error ends the run truthfully and becomes one readable `Failure`."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from dagster import (
    DagsterExecutionInterruptedError,
    DagsterRunStatus,
    Failure,
    MetadataValue,
    OpExecutionContext,
)
from dagster._core.storage.tags import MAX_RUNTIME_SECONDS_TAG

from etl_pipelines.resources import PlatformResource
from etl_pipelines.run_tags import BUSY_TAG
from libs.errors import InputError, SpatialEtlError
from libs.ingest import Job, Platform, RunState, end_with
from libs.ingest.errors import RunCancelledError, RunStoppedError, RunTooLongError
from libs.ledger import BatchBusyError

ResultT = TypeVar("ResultT")


def run_stage(
    context: OpExecutionContext,
    resource: PlatformResource,
    job: Job | None,
    work: Callable[[Platform], ResultT],
) -> ResultT:
    """Do a stage's work. Whatever stops it is in the ledger before Dagster hears of it.

    Raises:
        Failure: with the error's own words; the sensor decides whether the upload is tried again.
    """
    platform = resource.get()
    try:
        if _is_cancelled(context):
            raise DagsterExecutionInterruptedError
        return work(platform)
    except BaseException as error:
        if isinstance(error, DagsterExecutionInterruptedError) or _was_cancelled(context):
            _end_interrupted(context, platform, job)
            if isinstance(error, DagsterExecutionInterruptedError):
                raise
            # A driver has made an error of its own of the interrupt.
            raise DagsterExecutionInterruptedError from error
        ended = end_with(platform, context.run_id, job, error)
        if not isinstance(ended, Exception):
            raise
        if isinstance(ended, BatchBusyError):
            context.instance.add_run_tags(context.run_id, {BUSY_TAG: "true"})
        raise _failure(ended) from error


def _end_interrupted(context: OpExecutionContext, platform: Platform, job: Job | None) -> None:
    """By a person; or by its time limit, or since the process is told to end: tried again."""
    cause, state = _why(context)
    end_with(platform, context.run_id, job, cause, state=state)


def _why(context: OpExecutionContext) -> tuple[SpatialEtlError, RunState]:
    limit_s = float(context.run.tags.get(MAX_RUNTIME_SECONDS_TAG, "inf"))
    if _seconds_so_far(context) >= limit_s:
        return RunTooLongError(limit_s), RunState.FAILED  # to Dagster that is a cancellation, too
    if _was_cancelled(context):
        return RunCancelledError(), RunState.CANCELLED
    return RunStoppedError(), RunState.FAILED


def _seconds_so_far(context: OpExecutionContext) -> float:
    try:
        record = context.instance.get_run_record_by_id(context.run_id)
    except Exception:  # noqa: BLE001  whatever a database says
        return 0.0
    return time.time() - record.start_time if record and record.start_time else 0.0


def _was_cancelled(context: OpExecutionContext) -> bool:
    """As far as Dagster can say: its storage may be away, and the ledger is told first."""
    try:
        return _is_cancelled(context)
    except Exception:  # noqa: BLE001  whatever a database says
        return False


def _is_cancelled(context: OpExecutionContext) -> bool:
    """An interrupt that came inside a C library may be lost there: the instance still knows."""
    run = context.instance.get_run_by_id(context.run_id)
    return run is not None and run.status is DagsterRunStatus.CANCELING


def _failure(error: Exception) -> Failure:
    if isinstance(error, InputError):
        table = "\n".join(
            f"| {problem.where} | {problem.what} | {problem.cure} |" for problem in error.problems
        )
        problems = f"| where | what | cure |\n|---|---|---|\n{table}"
        return Failure(str(error), metadata={"problems": MetadataValue.md(problems)})
    return Failure(f"{type(error).__name__}: {error}")
