"""An upload of a manifest: its bytes from the landing zone, and what they say."""

from __future__ import annotations

from libs.errors import Problem
from libs.ingest.contract import parse_manifest
from libs.ingest.errors import ManifestGoneError
from libs.ingest.platform import Platform
from libs.models import Manifest, ManifestUpload
from libs.vault import ObjectChangedError, ObjectMissingError


def read_manifest(platform: Platform, upload: ManifestUpload) -> bytes:
    """Just this upload; of one that is too large, a byte more than is accepted.

    Raises:
        ManifestGoneError: it was removed or replaced.
    """
    limit = platform.limits.manifest_max_bytes
    try:
        return platform.vault.read_bytes(
            platform.landing_bucket, upload.key, etag=upload.etag, max_bytes=limit + 1
        )
    except (ObjectMissingError, ObjectChangedError) as error:
        raise ManifestGoneError(
            [
                Problem(
                    where=upload.key,
                    what="was removed or replaced between the sensor's tick and this run.",
                    cure="If it was replaced, the new upload has a run of its own.",
                )
            ]
        ) from error


def manifest_of(platform: Platform, body: bytes) -> Manifest:
    """What the bytes say, by this platform's bucket and limits.

    Raises:
        InputError: every reason why they are no manifest.
    """
    return parse_manifest(
        body,
        landing_bucket=platform.landing_bucket,
        max_bytes=platform.limits.manifest_max_bytes,
        max_files=platform.limits.manifest_max_files,
    )
