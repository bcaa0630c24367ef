"""After the ledger has spoken, and never before: write the receipt, move the manifest."""

from __future__ import annotations

import hashlib

from libs.faultpoints import Point, reach
from libs.ingest.platform import Platform
from libs.ingest.receipts import receipt_of
from libs.models import MANIFEST_PREFIX, Batch, BatchState, ManifestUpload
from libs.vault.keys import CONTROL, MAX_SEGMENT_BYTES

_RECEIPT = ".receipt.json"
_FOLDERS = {
    BatchState.COMMITTED: "done/",
    BatchState.REJECTED: "rejected/",
    BatchState.FAILED: "failed/",
    BatchState.CANCELLED: "failed/",
}


def archive_key(batch: Batch) -> str:
    """Where the manifest of an ended batch lies: its old name in `done/` or `rejected/`.

    One that failed stays where it is, since it is tried again; only its receipt is in `failed/`.
    """
    return f"{MANIFEST_PREFIX}{_FOLDERS[batch.state]}{_name(batch)}.json"


def receipt_key(batch: Batch) -> str:
    """The receipt lies beside the archived manifest: `NAME.receipt.json` beside `NAME.json`."""
    return archive_key(batch).removesuffix(".json") + _RECEIPT


def _name(batch: Batch) -> str:
    """The manifest's name without its ending, and without what no key of ours may have.

    A user may upload what we may not write: a name with a control character, or one so long that
    no receipt's name would fit. It is answered under one that is like it, and that no other has.
    """
    name = batch.upload.key.removeprefix(MANIFEST_PREFIX).removesuffix(".json")
    plain = CONTROL.sub(lambda found: f"%{ord(found[0]):02X}", name)
    folder, slash, stem = plain.rpartition("/")
    room = MAX_SEGMENT_BYTES - len(_RECEIPT)
    if plain == name and len(stem.encode()) <= room:
        return name
    mark = f"~{hashlib.sha256(name.encode()).hexdigest()[:12]}"
    return folder + slash + stem.encode()[: room - len(mark)].decode(errors="ignore") + mark


def settle(platform: Platform, batch: Batch, upload: ManifestUpload | None = None) -> None:
    """Answer the user in the bucket for a batch that is committed or rejected.

    With `upload`, the one that a run was for, this one too: the batch knows its newest only, and
    the same bytes may lie under two names. A kill anywhere in it is healed by doing it again.

    Raises:
        VaultUnavailableError, LedgerUnavailableError: try again later; the auditor does too.
    """
    _settle(platform, batch)
    if upload is not None and not upload.is_same_as(batch.upload):
        _settle(platform, batch.model_copy(update={"upload": upload}))


def _settle(platform: Platform, batch: Batch) -> None:
    """The manifest is taken away last, and only when it still is the batch's upload."""
    vault, bucket = platform.vault, platform.landing_bucket
    assets = platform.ledger.assets_of_batch(batch.id)
    run = platform.ledger.run_of_batch(batch.id)
    body = receipt_of(batch, assets, run).model_dump_json(indent=2).encode()
    vault.put_bytes(bucket, receipt_key(batch), body, content_type="application/json")
    reach(Point.RECEIPT_WRITTEN)
    _archive(platform, batch)
    reach(Point.MANIFEST_ARCHIVED)
    vault.remove(bucket, _failure_key(batch))
    if stands_there(platform, batch.upload):
        vault.remove(bucket, batch.upload.key)
    reach(Point.MANIFEST_REMOVED)
    platform.ledger.settle(batch.id, batch.upload)
    reach(Point.SETTLED)


def _archive(platform: Platform, batch: Batch) -> None:
    """The whole manifest. Of one that was too large the ledger has only the beginning."""
    if batch.upload.size_bytes <= len(batch.manifest):
        platform.vault.put_bytes(
            platform.landing_bucket,
            archive_key(batch),
            batch.manifest,
            content_type="application/json",
        )
    elif stands_there(platform, batch.upload):
        platform.vault.copy(platform.landing_bucket, batch.upload.key, archive_key(batch))


def answer_failure(platform: Platform, batch: Batch) -> None:
    """Say in the bucket that a try failed through no fault of the user's; the manifest stays."""
    run = platform.ledger.run_of_batch(batch.id)
    body = receipt_of(batch, (), run).model_dump_json(indent=2).encode()
    platform.vault.put_bytes(
        platform.landing_bucket, _failure_key(batch), body, content_type="application/json"
    )


def _failure_key(batch: Batch) -> str:
    return receipt_key(batch.model_copy(update={"state": BatchState.FAILED}))


def waiting_manifests(platform: Platform) -> list[ManifestUpload]:
    """The manifests in `manifests/*.json` that have no final answer yet, the oldest first."""
    found = platform.vault.list_objects(platform.landing_bucket, MANIFEST_PREFIX, recursive=False)
    uploads = [
        ManifestUpload(
            key=item.key,
            etag=item.etag,
            last_modified=item.last_modified,
            size_bytes=item.size_bytes,
        )
        for item in found
        if item.key.endswith(".json")
    ]
    return sorted(uploads, key=lambda upload: (upload.last_modified, upload.key))


def stands_there(platform: Platform, upload: ManifestUpload) -> bool:
    """Whether the manifest is still there, and still this upload of it.

    The same bytes uploaded again later are a submission of their own and stay for their run.

    HEAD gives whole seconds where a listing gives milliseconds: seconds are compared.
    """
    standing = platform.vault.stat(platform.landing_bucket, upload.key)
    if standing is None or standing.etag != upload.etag:
        return False
    return int(standing.last_modified.timestamp()) == int(upload.last_modified.timestamp())
