"""What the vault says of objects: small frozen values, made from the SDK's; pure."""

from __future__ import annotations

from datetime import datetime, timezone

from minio.datatypes import Object
from pydantic import Field

from libs.models.base import ContentHash, Frozen, Moment, VaultKey
from libs.vault.keys import user_metadata

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


class ObjectInfo(Frozen):
    """An object, without its bytes."""

    bucket: str
    key: VaultKey
    etag: str
    """Without quotes. An opaque name of the bytes: an MD5 for small objects only."""
    size_bytes: int = Field(ge=0)
    last_modified: Moment
    """UTC. A listing has milliseconds, a stat whole seconds."""
    metadata: dict[str, str] = Field(default_factory=dict)
    """Keys in lower case; only from `stat` and the writing methods, empty in listings."""


class FetchedObject(Frozen):
    """What has been read of an object, to its last byte."""

    sha256: ContentHash
    size_bytes: int = Field(ge=0)


def is_placeholder(item: Object) -> bool:
    """True for what is listed but is no object: a common prefix, or a folder of the store."""
    return not item.object_name or item.object_name.endswith("/")


def info_of(item: Object) -> ObjectInfo:
    """From the SDK's words to ours."""
    return ObjectInfo(
        bucket=item.bucket_name,
        key=item.object_name or "",
        etag=(item.etag or "").strip('"'),
        size_bytes=item.size or 0,
        last_modified=item.last_modified or _EPOCH,
        metadata=user_metadata(item.metadata or {}),
    )
