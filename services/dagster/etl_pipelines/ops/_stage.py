"""What all ops share: an error ends the run truthfully and becomes one readable `Failure`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from dagster import (
    DagsterExecutionInterruptedError,
    DagsterRunStatus,
    Failure,
    MetadataValue,
    OpExecutionContext,
)

from etl_pipelines.resources import PlatformResource
from libs.errors import InputError
from libs.ingest import Job, Platform, RunState, end_with

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
        stop = _as_interrupt(context, error)
        if stop is not None:
            end_with(platform, context.run_id, job, stop, state=RunState.CANCELLED)
            if stop is error:
                raise
            raise stop from error
        ended = end_with(platform, context.run_id, job, error)
        if not isinstance(ended, Exception):
            raise
        raise _failure(ended) from error


def _as_interrupt(
    context: OpExecutionContext, error: BaseException
) -> DagsterExecutionInterruptedError | None:
    """The interrupt that ended a stage, also where a driver made an error of its own of it."""
    if isinstance(error, DagsterExecutionInterruptedError):
        return error
    try:
        return DagsterExecutionInterruptedError() if _is_cancelled(context) else None
    except Exception:  # noqa: BLE001  Dagster's storage is away: the ledger is told of `error` first
        return None


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
