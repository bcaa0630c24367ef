"""Stage 2: the pinned files into the work folder, hashed as they come. Each is read once only."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from libs.faultpoints import Point
from libs.ingest.errors import SourceChangedError
from libs.ingest.platform import Platform
from libs.ingest.stages import each, running
from libs.ingest.values import FetchedFile, FileJob, StageOutput
from libs.ingest.workspace import require_room, sources_folder
from libs.models import PinnedObject, S3Uri, Source, Stage
from libs.vault import (
    FetchedObject,
    ObjectChangedError,
    ObjectMissingError,
    ObjectTooLargeError,
)


def fetch(platform: Platform, received: StageOutput[FileJob]) -> StageOutput[FetchedFile]:
    """Copy every file of the batch, and its side files, to the run's folder.

    Raises:
        SourceChangedError: a file was replaced or removed since it was pinned.
        DiskFullError: there is no room for them.
    """
    total = sum(obj.size_bytes for item in received.items for obj in item.objects)
    with running(platform, received.job, Stage.FETCH) as note:
        require_room(platform.limits, total)
        run_id = received.job.run_id
        fetched = each(
            received, lambda item: _fetch_file(platform, run_id, item), Point.FILE_FETCHED
        )
        note.detail = f"{len(fetched.items)} file(s), {total:,} bytes"
    return fetched


def _fetch_file(platform: Platform, run_id: str, work: FileJob) -> FetchedFile:
    folder = sources_folder(platform.limits, run_id, work.index)
    sources = []
    for pinned in work.objects:
        got = _fetch_pinned(platform, pinned, folder / PurePosixPath(pinned.key).name)
        sources.append(
            Source(
                uri=str(S3Uri(bucket=platform.landing_bucket, key=pinned.key)),
                etag=pinned.etag,
                size_bytes=got.size_bytes,
                sha256=got.sha256,
            )
        )
    main = folder / PurePosixPath(work.objects[0].key).name
    return FetchedFile(work=work, path=main, sources=tuple(sources))


def _fetch_pinned(platform: Platform, pinned: PinnedObject, target: Path) -> FetchedObject:
    try:
        return platform.vault.fetch_file(
            platform.landing_bucket,
            pinned.key,
            etag=pinned.etag,
            target=target,
            max_bytes=pinned.size_bytes,
        )
    except (ObjectMissingError, ObjectChangedError, ObjectTooLargeError) as error:
        # No fault of what the fingerprint names: the same files put back are the same submission.
        raise SourceChangedError(S3Uri(bucket=platform.landing_bucket, key=pinned.key)) from error
