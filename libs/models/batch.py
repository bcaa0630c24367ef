"""The batch: one submission, its lease, its fence and its end. Also small documents."""

from __future__ import annotations

from datetime import timedelta
from enum import Enum

from pydantic import Field

from libs.errors import Problem
from libs.models.base import ContentHash, DatasetId, Document, Frozen, Moment, RunId, VaultKey


class BatchState(str, Enum):
    """`failed` and `cancelled` may be run again; `committed` and `rejected` are final."""

    RECEIVED = "received"
    RUNNING = "running"
    COMMITTED = "committed"
    REJECTED = "rejected"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        """True when no run may claim the batch any more."""
        return self in (BatchState.COMMITTED, BatchState.REJECTED)


class ManifestUpload(Frozen):
    """One upload of a manifest: the same bytes uploaded again are another upload."""

    key: VaultKey
    etag: str
    last_modified: Moment
    size_bytes: int = Field(ge=0)

    @property
    def run_key(self) -> str:
        """What the sensor calls the run of this upload: key, etag, last-modified."""
        return f"{self.key}|{self.etag}|{self.last_modified.isoformat()}"

    def is_same_as(self, other: ManifestUpload) -> bool:
        """To the millisecond, which is what the ledger keeps of a moment."""
        apart = abs(self.last_modified - other.last_modified)
        return (self.key, self.etag) == (other.key, other.etag) and apart < timedelta(
            milliseconds=1
        )


class FileOutcome(str, Enum):
    """What became of one file of a batch."""

    WAITING = "waiting"
    COMMITTED = "committed"
    SKIPPED = "skipped"
    REJECTED = "rejected"


class PinnedObject(Frozen):
    """An object of the landing zone as it was at receive; what is read must have this etag."""

    key: VaultKey
    etag: str
    size_bytes: int = Field(ge=0)


class BatchFile(Frozen):
    """One file of the manifest and what became of it."""

    path: str
    dataset_id: DatasetId
    objects: tuple[PinnedObject, ...] = ()
    """The file itself first, then its side files; empty when it was missing."""
    outcome: FileOutcome = FileOutcome.WAITING
    asset_id: str | None = None
    problems: tuple[Problem, ...] = ()


class Lease(Frozen):
    """Who works on a batch, and until when by the server's clock."""

    run_id: RunId
    expires_at: Moment


class Batch(Document):
    """A document of the `batches` collection; its key is the submission's fingerprint."""

    id: ContentHash = Field(alias="_id")
    batch_id: str | None
    """The uploader's name for it; None when the manifest could not be read."""
    state: BatchState
    upload: ManifestUpload
    """The newest upload of it."""
    manifest_sha256: ContentHash
    manifest: bytes
    """Verbatim; cut at the limit of `ETL_MANIFEST_MAX_BYTES`."""
    intent: str | None
    recipe_hash: str | None
    files: tuple[BatchFile, ...] = ()
    problems: tuple[Problem, ...] = ()
    fence: int = Field(default=0, ge=0)
    """Raised by one with each claim; a run with a lower one may change nothing."""
    lease: Lease | None = None
    error: str | None = None
    """For `failed`: what happened, in one paragraph."""
    received_at: Moment
    ended_at: Moment | None = None
    settled_at: Moment | None = None
    """When its receipt was written and its manifest moved; None: still to do."""


class Dataset(Document):
    """A document of the `datasets` collection: the version counter."""

    id: DatasetId = Field(alias="_id")
    rung: int = Field(ge=0)
    """Its place in the skip list by which the ledger lists datasets; from the id alone."""
    last_version: int = Field(ge=0)
    """The highest version ever given out."""
    current_version: int | None = None
    """The highest committed version."""
    current_asset_id: str | None = None
    updated_at: Moment


class Migration(Document):
    """A document of the `migrations` collection: a change of the ledger's own shape, applied."""

    id: str = Field(alias="_id")
    applied_at: Moment
    release: str | None = None
    """Which release applied it; None: not recorded, as in the first shape."""


class Restore(Document):
    """A document of the `restores` collection: this ledger was filled from a backup."""

    id: ContentHash = Field(alias="_id")
    """The SHA-256 of the backup's index."""
    backup: str
    """The backup's name: the moment at which it was begun."""
    taken_at: Moment
    version_gap: int = Field(ge=0)
    """How far every dataset's counter was raised, past versions given after the backup."""
    begun_at: Moment
    ended_at: Moment | None = None
    """None: it goes on, and until it ends the ledger is not whole."""
