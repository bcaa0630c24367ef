"""Stage 1: read and judge the manifest, pin its files, claim the batch."""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections.abc import Sequence

from libs.errors import InputError, Problem
from libs.faultpoints import Point, reach
from libs.ingest.errors import BatchRejectedError
from libs.ingest.manifests import manifest_of, read_manifest
from libs.ingest.pinning import find_objects
from libs.ingest.platform import Platform
from libs.ingest.settle import settle
from libs.ingest.tools import local_tools
from libs.ingest.values import Ended, FileJob, Job, SkippedFile, StageOutput
from libs.ledger import BatchEndedError
from libs.logs import about_from_now_on
from libs.models import (
    Batch,
    BatchFile,
    BatchState,
    FileOutcome,
    Manifest,
    ManifestFile,
    ManifestUpload,
    OnError,
    PinnedObject,
    Run,
    RunState,
    Stage,
    utc_now,
)
from libs.transformations import ResolvedRecipe

logger = logging.getLogger(__name__)

Received = StageOutput[FileJob]


def receive(platform: Platform, upload: ManifestUpload, run_id: str) -> Received | Ended:
    """Judge one upload of a manifest and claim its batch for this run.

    Raises:
        BatchRejectedError: the manifest is bad; the ledger and the bucket say so already.
        ManifestGoneError: it was removed or replaced before it was read.
        BatchBusyError: another run holds the batch's lease.
        NewerLedgerError, OlderLedgerError: the ledger is another release's.
    """
    about_from_now_on(run_id=run_id)
    started = time.monotonic()
    ledger = platform.ledger
    ledger.require_current()
    run = Run(
        id=run_id,
        manifest_key=upload.key,
        worker=platform.limits.machine,
        tool_versions=local_tools(),
        started_at=utc_now(),
    )
    ledger.start_run(run)
    ledger.stage_started(run_id, Stage.RECEIVE)
    reach(Point.RUN_RECORDED)
    known = ledger.batch_of_upload(upload)
    if known is not None and known.state.is_final:
        return _already_ended(platform, known, upload, run_id)
    body = read_manifest(platform, upload)
    reach(Point.MANIFEST_READ)
    submission = _judge(platform, upload, body)
    batch = ledger.receive(submission.batch)
    about_from_now_on(batch_id=batch.batch_id, batch=batch.id)
    reach(Point.BATCH_RECORDED)
    if batch.state is BatchState.REJECTED:
        raise _rejected(platform, batch, upload, run_id)
    if batch.state.is_final:
        return _already_ended(platform, batch, upload, run_id)
    try:
        batch = ledger.claim(batch.id, run_id, platform.limits.lease_s)
    except BatchEndedError as error:
        return _already_ended(platform, error.batch, upload, run_id)
    reach(Point.BATCH_CLAIMED)
    received = submission.claimed(batch, upload, run_id)
    ledger.update_files(batch.id, batch.fence, submission.batch.files)
    ledger.attach_batch(run_id, batch.id)
    detail = f"{len(received.items)} file(s) pinned"
    ledger.stage_ended(run_id, Stage.RECEIVE, time.monotonic() - started, detail)
    reach(Point.RECEIVE_ENDED)
    logger.info("%s: %s", Stage.RECEIVE.value, detail)
    return received


def _rejected(
    platform: Platform, batch: Batch, upload: ManifestUpload, run_id: str
) -> BatchRejectedError:
    platform.ledger.end_run(run_id, RunState.REJECTED, batch=batch.id)
    settle(platform, batch, upload)
    return BatchRejectedError(batch, all_problems(batch))


def all_problems(batch: Batch) -> tuple[Problem, ...]:
    """The batch's own problems, then those of its files."""
    return (*batch.problems, *(problem for file in batch.files for problem in file.problems))


def _already_ended(platform: Platform, batch: Batch, upload: ManifestUpload, run_id: str) -> Ended:
    if batch.settled_at is None or not upload.is_same_as(batch.upload):
        settle(platform, batch, upload)
    platform.ledger.end_run(run_id, RunState.NOTHING_TO_DO, batch=batch.id)
    logger.info("Nothing to do: the same submission is %s", batch.state.value)
    return Ended(batch=batch, run_id=run_id)


class Submission:
    """A judged upload: the batch document it makes, and its good files."""

    def __init__(self, batch: Batch, manifest: Manifest | None, good: Sequence[FileJob]) -> None:
        self.batch = batch
        self._manifest = manifest
        self._good = tuple(good)

    def claimed(self, batch: Batch, upload: ManifestUpload, run_id: str) -> Received:
        """The same as the first stage's output, once the ledger has given it a fence."""
        assert self._manifest is not None  # noqa: S101  a batch without manifest is never claimed
        job = Job(
            fingerprint=batch.id,
            fence=batch.fence,
            run_id=run_id,
            upload=upload,
            manifest=self._manifest,
            files=self._good,
        )
        skipped = tuple(
            SkippedFile(index=index, problems=file.problems)
            for index, file in enumerate(self.batch.files)
            if file.problems
        )
        return StageOutput(job=job, items=self._good, skipped=skipped)


def _judge(platform: Platform, upload: ManifestUpload, body: bytes) -> Submission:
    sha256 = hashlib.sha256(body).hexdigest()
    try:
        manifest = manifest_of(platform, body)
    except InputError as error:
        batch = _batch(upload, body, sha256, fingerprint(sha256, (), ()))
        rejected = {"state": BatchState.REJECTED, "problems": error.problems}
        return Submission(batch.model_copy(update={**rejected, "ended_at": utc_now()}), None, ())
    return _judge_files(platform, upload, body, manifest)


def _judge_files(
    platform: Platform, upload: ManifestUpload, body: bytes, manifest: Manifest
) -> Submission:
    found = [find_objects(platform, index, file) for index, file in enumerate(manifest.files)]
    pinned = [objects for objects, _ in found]
    recipes = [platform.recipes.resolve(file.type, manifest.intent) for file in manifest.files]
    files = tuple(
        _batch_file(manifest, file, objects, problems)
        for file, (objects, problems) in zip(manifest.files, found, strict=True)
    )
    good = [
        FileJob(
            index=index,
            file=file,
            dataset_id=manifest.dataset_id(file),
            objects=pinned[index],
            recipe=recipes[index],
        )
        for index, file in enumerate(manifest.files)
        if not files[index].problems
    ]
    sha256 = hashlib.sha256(body).hexdigest()
    mark = fingerprint(sha256, [obj for objects in pinned for obj in objects], recipes)
    batch = _batch(upload, body, sha256, mark).model_copy(
        update={
            "batch_id": manifest.batch_id,
            "intent": manifest.intent,
            "recipe_hash": recipes_hash(recipes),
            "files": files,
        }
    )
    bad = len(good) < len(files)
    if bad and (manifest.on_error is OnError.REJECT_BATCH or not good):
        batch = batch.model_copy(
            update={
                "state": BatchState.REJECTED,
                "ended_at": utc_now(),
                "files": tuple(
                    file.model_copy(update={"outcome": FileOutcome.REJECTED}) for file in files
                ),
            }
        )
    return Submission(batch, manifest, good)


def _batch(upload: ManifestUpload, body: bytes, sha256: str, mark: str) -> Batch:
    return Batch(
        id=mark,
        batch_id=None,
        state=BatchState.RECEIVED,
        upload=upload,
        manifest_sha256=sha256,
        manifest=body,
        intent=None,
        recipe_hash=None,
        received_at=utc_now(),
    )


def _batch_file(
    manifest: Manifest,
    file: ManifestFile,
    objects: tuple[PinnedObject, ...],
    problems: tuple[Problem, ...],
) -> BatchFile:
    return BatchFile(
        path=file.path,
        dataset_id=manifest.dataset_id(file),
        objects=objects,
        problems=problems,
        outcome=FileOutcome.SKIPPED if problems else FileOutcome.WAITING,
    )


def recipes_hash(recipes: Sequence[ResolvedRecipe]) -> str:
    """SHA-256 over the hashes of the recipes that a batch's files are made with, in their order."""
    return hashlib.sha256("\n".join(item.recipe.hash for item in recipes).encode()).hexdigest()


def fingerprint(
    manifest_sha256: str, objects: Sequence[PinnedObject], recipes: Sequence[ResolvedRecipe]
) -> str:
    """What makes two submissions the same: manifest, every object's etag and size, recipes."""
    parts = [
        manifest_sha256,
        [[obj.key, obj.etag, obj.size_bytes] for obj in objects],
        recipes_hash(recipes),
    ]
    return hashlib.sha256(json.dumps(parts, separators=(",", ":")).encode()).hexdigest()
