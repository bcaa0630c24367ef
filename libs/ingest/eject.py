"""Stage 5: results to files, a version and a key for each from the ledger, then to the lake."""

from __future__ import annotations

import logging
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from libs.errors import SpatialEtlError, TransientError
from libs.faultpoints import Point, reach
from libs.ingest.iso import metadata_of
from libs.ingest.platform import Platform
from libs.ingest.raster_work import write_raster
from libs.ingest.stages import each, running
from libs.ingest.values import (
    EjectedAsset,
    Job,
    StageOutput,
    TransformedFile,
    TransformedRaster,
    WrittenAsset,
)
from libs.ingest.vector_work import write_vector
from libs.logs import about
from libs.models import Asset, AssetDraft, AssetMetadata, S3Uri, Stage

logger = logging.getLogger(__name__)


def eject(platform: Platform, done: StageOutput[TransformedFile]) -> StageOutput[EjectedAsset]:
    """Write, reserve, upload: nothing is in the lake that the ledger has not given a place.

    Raises:
        LeaseLostError: another run has taken the batch over.
    """
    job = done.job

    def act(item: TransformedFile) -> WrittenAsset:
        if isinstance(item, TransformedRaster):
            return write_raster(platform, job, item, artist)
        return write_vector(platform, job, item)

    with running(platform, job, Stage.EJECT) as note, ThreadPoolExecutor(1, "picture") as artist:
        written: StageOutput[WrittenAsset] = each(done, act, Point.FILE_WRITTEN)
        assets = _reserve(platform, job, [item.draft for item in written.items])
        reach(Point.RESERVED)
        ejected = tuple(
            _upload(platform, artist, asset, item)
            for asset, item in zip(assets, written.items, strict=True)
        )
        tools = {name: it for asset in assets for name, it in asset.tool_versions.items()}
        platform.ledger.add_tools(job.run_id, tools)
        size = sum(asset.size_bytes for asset in assets)
        note.detail = f"{len(ejected)} object(s), {size:,} bytes in the lake"
    return StageOutput(job=job, items=ejected, skipped=written.skipped)


def _reserve(platform: Platform, job: Job, drafts: list[AssetDraft]) -> tuple[Asset, ...]:
    def metadata(draft: AssetDraft, version: int, s3_key: str) -> AssetMetadata:
        uri = S3Uri(bucket=platform.lake_bucket, key=s3_key)
        return metadata_of(draft, version, str(uri), job.manifest)

    return platform.ledger.reserve(
        job.fingerprint,
        job.fence,
        drafts,
        lake_bucket=platform.lake_bucket,
        metadata_of=metadata,
    )


def _upload(
    platform: Platform, artist: ThreadPoolExecutor, asset: Asset, written: WrittenAsset
) -> EjectedAsset:
    picture = artist.submit(written.draw)  # on its way to the lake a file leaves a core idle
    platform.vault.put_file(
        asset.s3_bucket,
        asset.s3_key,
        written.path,
        metadata=asset.object_metadata,
        content_type=asset.format.media_type,
    )
    reach(Point.OBJECT_UPLOADED)
    with about(dataset=asset.dataset_id, asset_id=asset.id):
        return EjectedAsset(asset=asset, picture=_drawn(picture))


def _drawn(picture: Future[Path | None]) -> Path | None:
    try:
        return picture.result()
    except TransientError:
        raise
    except Exception as error:  # whatever it is: the data is good all the same
        is_ours = isinstance(error, SpatialEtlError)
        logger.warning("There is no picture of it: %s", error, exc_info=None if is_ours else error)
        return None
