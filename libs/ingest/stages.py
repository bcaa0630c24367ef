"""What every stage shares: the lease is kept, the run record written, bad files set aside."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import PurePosixPath
from typing import TypeVar

from libs.errors import InputError, Problem
from libs.faultpoints import Point, reach
from libs.ingest.drafts import asset_id
from libs.ingest.platform import Platform
from libs.ingest.values import FileAtWork, FileJob, ItemT, Job, SkippedFile, StageOutput
from libs.ledger import LeaseLostError
from libs.ledger.keeping import kept
from libs.logs import about, problem_fields
from libs.models import OnError, Stage

logger = logging.getLogger(__name__)

InT = TypeVar("InT", bound=FileAtWork)


class StageNote:
    """The one line for people that a stage leaves in the run record."""

    detail: str = ""


def about_stage(job: Job, stage: Stage) -> contextlib.AbstractContextManager[None]:
    """Log lines written inside are about this stage of this job."""
    names = {"batch_id": job.manifest.batch_id, "batch": job.fingerprint}
    return about(run_id=job.run_id, stage=stage.value, **names)


@contextlib.contextmanager
def running(platform: Platform, job: Job, stage: Stage) -> Iterator[StageNote]:
    """Around the work of one stage.

    Raises:
        LeaseLostError: another run has taken the batch over; what this one did does not count.
    """
    with about_stage(job, stage):
        yield from _running(platform, job, stage)


def _running(platform: Platform, job: Job, stage: Stage) -> Iterator[StageNote]:
    note = StageNote()
    started = time.monotonic()
    platform.ledger.renew(job.fingerprint, job.fence, platform.limits.lease_s)
    platform.ledger.stage_started(job.run_id, stage)
    reach(Point(f"{stage.value}.started"))
    with _lease_kept(platform, job):
        yield note
    platform.ledger.stage_ended(job.run_id, stage, time.monotonic() - started, note.detail)
    reach(Point(f"{stage.value}.ended"))
    logger.info("%s: %s", stage.value, note.detail)


@contextlib.contextmanager
def _lease_kept(platform: Platform, job: Job) -> Iterator[None]:
    lease_s = platform.limits.lease_s

    def renew() -> None:
        platform.ledger.renew(job.fingerprint, job.fence, lease_s)

    with kept("The lease", renew, lease_s=lease_s, lost=LeaseLostError) as losses:
        yield
    if losses:
        raise losses[0]


def each(
    previous: StageOutput[InT],
    act: Callable[[InT], ItemT],
    done: Point,
) -> StageOutput[ItemT]:
    """Do one stage's work for each file that is still in; each then is at the moment `done`.

    With `skip_file` a bad file is set aside; with `reject_batch` all bad files are still found, so
    that the user hears of all of them at once.

    Raises:
        InputError: a file is bad and the manifest does not skip, or no good file is left.
    """
    items: list[ItemT] = []
    bad: list[SkippedFile] = []
    for item in previous.items:
        work = item.work
        with _about_file(previous.job, work):
            try:
                items.append(act(item))
            except InputError as error:
                problems = tuple(_of_file(work, problem) for problem in error.problems)
                bad.append(SkippedFile(index=work.index, problems=problems))
                logger.warning("The file cannot be used", extra=problem_fields(problems))
            else:
                reach(done)
    skipped = (*previous.skipped, *bad)
    if bad and (previous.job.manifest.on_error is OnError.REJECT_BATCH or not items):
        raise FilesRejectedError(skipped)
    return StageOutput(job=previous.job, items=tuple(items), skipped=skipped)


def _about_file(job: Job, work: FileJob) -> contextlib.AbstractContextManager[None]:
    path = work.file.path
    return about(dataset=work.dataset_id, asset_id=asset_id(job.fingerprint, path), file=path)


def _of_file(work: FileJob, problem: Problem) -> Problem:
    """The same problem, naming the file where it names only a place in it."""
    name = PurePosixPath(work.file.path).name
    if name in problem.where or work.file.path in problem.where:
        return problem
    return problem.model_copy(update={"where": f"{work.file.path}: {problem.where}"})


class FilesRejectedError(InputError):
    """Files of a batch are bad, so the batch cannot go on."""

    def __init__(self, files: Sequence[SkippedFile]) -> None:
        self.files = tuple(files)
        super().__init__([problem for file in files for problem in file.problems])
