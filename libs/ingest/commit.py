"""Stage 6: look once more at what lies in the lake, commit the batch in one transaction, answer."""

from __future__ import annotations

import logging
import time

from libs.faultpoints import Point, reach
from libs.ingest.cleanup import clean_up
from libs.ingest.errors import HalfUploadedError
from libs.ingest.platform import Platform
from libs.ingest.settle import settle
from libs.ingest.stages import about_stage
from libs.ingest.values import (
    Committed,
    CommittedAsset,
    EjectedAsset,
    Job,
    SkippedFile,
    StageOutput,
)
from libs.logs import about
from libs.models import Asset, BatchFile, FileOutcome, RunState, Stage

logger = logging.getLogger(__name__)


def commit(platform: Platform, ejected: StageOutput[EjectedAsset]) -> Committed:
    """Make the batch exist: all of its assets, or none.

    Raises:
        HalfUploadedError: the lake does not hold what was uploaded.
        LeaseLostError: another run has taken the batch over.
        CommitUnknownError: the ledger did not say whether it committed, and cannot be asked.
    """
    job = ejected.job
    with about_stage(job, Stage.COMMIT):
        return _commit(platform, job, ejected)


def _commit(platform: Platform, job: Job, ejected: StageOutput[EjectedAsset]) -> Committed:
    assets = tuple(item.asset for item in ejected.items)
    pictures = [item.picture.read_bytes() if item.picture else None for item in ejected.items]
    started = time.monotonic()
    platform.ledger.renew(job.fingerprint, job.fence, platform.limits.lease_s)
    platform.ledger.stage_started(job.run_id, Stage.COMMIT)
    reach(Point.COMMIT_STARTED)
    for asset in assets:
        _look_at(platform, asset)
    reach(Point.OBJECTS_CHECKED)
    batch = platform.ledger.commit(
        job.fingerprint, job.fence, assets, _files(platform, job, ejected)
    )
    reach(Point.COMMITTED)
    for asset in assets:
        with about(dataset=asset.dataset_id, asset_id=asset.id):
            logger.info("Committed version %d as %s", asset.version, asset.uri)
    detail = ", ".join(f"{asset.dataset_id} v{asset.version}" for asset in assets)
    platform.ledger.stage_ended(job.run_id, Stage.COMMIT, time.monotonic() - started, detail)
    platform.ledger.end_run(job.run_id, RunState.COMMITTED, batch=batch.id)
    reach(Point.RUN_ENDED)
    settle(platform, batch, job.upload)
    clean_up(platform, job.run_id)
    run = platform.ledger.run(job.run_id)
    committed = {asset.id: asset for asset in platform.ledger.assets_of_batch(batch.id)}
    return Committed(
        batch=batch,
        assets=tuple(
            CommittedAsset(asset=committed[asset.id], picture=picture)
            for asset, picture in zip(assets, pictures, strict=True)
        ),
        stages=run.stages if run else (),
    )


def _look_at(platform: Platform, asset: Asset) -> None:
    found = platform.vault.stat(asset.s3_bucket, asset.s3_key)
    if (
        found is None
        or found.size_bytes != asset.size_bytes
        or found.metadata.get("mongodb_doc_id") != asset.id
        or found.metadata.get("content_hash") != asset.content_hash
    ):
        raise HalfUploadedError(
            f"{asset.uri} is missing or is not what was uploaded, so the batch is not committed. "
            "Does anything but the pipeline write to the lake? `spatial-etl audit` says more."
        )


def _files(
    platform: Platform, job: Job, ejected: StageOutput[EjectedAsset]
) -> tuple[BatchFile, ...]:
    batch = platform.ledger.batch(job.fingerprint)
    assert batch is not None  # noqa: S101  this run holds its lease
    ids = {item.asset.file_index: item.asset.id for item in ejected.items}
    skipped = {item.index: item for item in ejected.skipped}
    return tuple(
        _outcome(file, ids.get(index), skipped.get(index)) for index, file in enumerate(batch.files)
    )


def _outcome(file: BatchFile, asset_id: str | None, skipped: SkippedFile | None) -> BatchFile:
    if asset_id is not None:
        return file.model_copy(
            update={"outcome": FileOutcome.COMMITTED, "asset_id": asset_id, "problems": ()}
        )
    problems = skipped.problems if skipped else file.problems
    return file.model_copy(update={"outcome": FileOutcome.SKIPPED, "problems": problems})
