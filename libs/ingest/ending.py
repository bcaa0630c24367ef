"""How a run ends that does not commit: the one place that decides whose fault an error is."""

from __future__ import annotations

import contextlib
import errno
import logging

from libs.errors import InputError, SpatialEtlError, TransientError
from libs.faultpoints import Point, reach
from libs.ingest.cleanup import clean_up
from libs.ingest.errors import BatchRejectedError, DiskFullError
from libs.ingest.platform import Platform
from libs.ingest.receive import all_problems
from libs.ingest.settle import answer_failure, settle, stands_there
from libs.ingest.stages import FilesRejectedError
from libs.ingest.values import Job, SkippedFile
from libs.ledger import BatchBusyError, LeaseLostError
from libs.logs import about, problem_fields
from libs.models import Batch, BatchFile, FileOutcome, RunState

logger = logging.getLogger(__name__)

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)


def reject(platform: Platform, job: Job, error: InputError) -> BatchRejectedError:
    """The user's data is at fault: record it, answer in the bucket, and clean up.

    Returns the error to raise, with every problem named.
    """
    skipped = error.files if isinstance(error, FilesRejectedError) else ()
    rest = () if skipped else error.problems
    batch = platform.ledger.batch(job.fingerprint)
    assert batch is not None  # noqa: S101  this run holds its lease
    batch = platform.ledger.reject(job.fingerprint, job.fence, rest, _rejected(batch, skipped))
    reach(Point.REJECTED)
    platform.ledger.end_run(job.run_id, RunState.REJECTED, error=str(error), batch=batch.id)
    settle(platform, batch, job.upload)
    clean_up(platform, job.run_id)
    return BatchRejectedError(batch, all_problems(batch))


def _rejected(batch: Batch, bad: tuple[SkippedFile, ...]) -> tuple[BatchFile, ...]:
    problems = {item.index: item.problems for item in bad}
    return tuple(
        file.model_copy(
            update={
                "outcome": FileOutcome.REJECTED,
                "problems": problems.get(index, file.problems),
            }
        )
        for index, file in enumerate(batch.files)
    )


def describe_failure(error: BaseException) -> str:
    """One paragraph for the ledger: our own errors' words; of a bug, its kind and message."""
    if isinstance(error, SpatialEtlError):
        return str(error)
    return f"{type(error).__name__}: {error}".removesuffix(": ")


def abandon(platform: Platform, run_id: str, reason: str, state: RunState) -> None:
    """A run has failed or was cancelled: the ledger says so, and what it held is let go.

    For handlers outside the run too (Dagster's failure and cancellation sensors), so it needs
    nothing but the run's id; of a run that has ended already it changes nothing. It does what can
    be done: what a server that is away now would have to do is left to the auditor.
    """
    try:
        batch = platform.ledger.abandon_run(run_id, reason, state)
        # Where the manifest is gone, or is another one, it has its answer, or its own run gives it.
        if batch is not None and stands_there(platform, batch.upload):
            answer_failure(platform, batch)
    finally:
        with contextlib.suppress(TransientError):
            clean_up(platform, run_id)


def end_with(
    platform: Platform,
    run_id: str,
    job: Job | None,
    error: BaseException,
    *,
    state: RunState = RunState.FAILED,
) -> BaseException:
    """Record that `error` ended a run; the one place that decides whose fault it is.

    Returns the error to raise: for the user's data a `BatchRejectedError` with every problem. When
    the ledger cannot be written now, the lease runs out by itself and the auditor does the rest.
    """
    _tell(run_id, job, error, state)
    if isinstance(error, BatchRejectedError):
        return error
    if isinstance(error, OSError) and error.errno in _NO_ROOM:
        error = DiskFullError.while_writing(platform.limits.work_dir, error)
    try:
        if isinstance(error, InputError) and job is not None:
            return reject(platform, job, error)
        if isinstance(error, BatchBusyError):
            platform.ledger.end_run(run_id, RunState.NOTHING_TO_DO, error=str(error))
            return error
        abandon(platform, run_id, describe_failure(error), state)
    except (TransientError, LeaseLostError) as second:
        logger.warning("The end of run %s could not be recorded now: %s", run_id, second)
    return error


def _tell(run_id: str, job: Job | None, error: BaseException, state: RunState) -> None:
    """The log's last line of a run: whose fault it was, and where the error came from."""
    with about(run_id=run_id, batch=job.fingerprint if job else None):
        if isinstance(error, InputError):
            logger.warning("The input cannot be used", extra=problem_fields(error.problems))
        elif state is RunState.CANCELLED:
            logger.warning("The run was cancelled")
        else:
            logger.error("The run failed: %s", describe_failure(error), exc_info=error)
