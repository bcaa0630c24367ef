"""What a manifest asks for, seen before its run: for the queue's limits and a run's resources.

A guess for the orchestrator only. The run judges the manifest itself, and pins what it reads.
"""

from __future__ import annotations

from libs.errors import InputError
from libs.ingest.manifests import manifest_of, read_manifest
from libs.ingest.platform import Platform
from libs.models import Manifest, ManifestUpload
from libs.models.base import DatasetId, Frozen

FILES_ASKED = 32
"""Of more files than these the size is guessed from the first ones: each costs a request."""


class Outlook(Frozen):
    """One upload, as far as it can be told in a moment."""

    intent: str
    dataset_id: DatasetId
    """The first dataset; most manifests have one."""
    input_bytes: int | None
    """None: nobody asked."""


def outlook(platform: Platform, upload: ManifestUpload, *, with_size: bool) -> Outlook | None:
    """Look into a manifest; None when it has no sense, which its run will say."""
    try:
        manifest = manifest_of(platform, read_manifest(platform, upload))
        input_bytes = _bytes_of(platform, manifest) if with_size else None
    except InputError:
        return None
    return Outlook(
        intent=manifest.intent,
        dataset_id=manifest.dataset_id(manifest.files[0]),
        input_bytes=input_bytes,
    )


def _bytes_of(platform: Platform, manifest: Manifest) -> int:
    asked = manifest.files[:FILES_ASKED]
    sizes = [_size(platform, file.uri.bucket, file.uri.key) for file in asked]
    return sum(sizes) * len(manifest.files) // len(asked)


def _size(platform: Platform, bucket: str, key: str) -> int:
    seen = platform.vault.stat(bucket, key)
    return seen.size_bytes if seen else 0
