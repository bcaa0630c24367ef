"""After the ledger has spoken, and never before: write the receipt, move the manifest."""

from __future__ import annotations

from libs.faultpoints import Point, reach
from libs.ingest.platform import Platform
from libs.ingest.receipts import receipt_of
from libs.models import MANIFEST_PREFIX, Batch, BatchState, ManifestUpload
from libs.vault import ObjectInfo

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
    return MANIFEST_PREFIX + _FOLDERS[batch.state] + batch.upload.key.removeprefix(MANIFEST_PREFIX)


def receipt_key(batch: Batch) -> str:
    """The receipt lies beside the archived manifest: `NAME.receipt.json` beside `NAME.json`."""
    return archive_key(batch).removesuffix(".json") + ".receipt.json"


def settle(platform: Platform, batch: Batch) -> None:
    """Answer the user in the bucket for a batch that is committed or rejected.

    A kill anywhere in it is healed by doing it again. The manifest is taken away last, and only
    when it still is the upload that this batch was made of.

    Raises:
        VaultUnavailableError, LedgerUnavailableError: try again later; the auditor does too.
    """
    vault, bucket = platform.vault, platform.landing_bucket
    assets = platform.ledger.assets_of_batch(batch.id)
    run = platform.ledger.run_of_batch(batch.id)
    body = receipt_of(batch, assets, run).model_dump_json(indent=2).encode()
    vault.put_bytes(bucket, receipt_key(batch), body, content_type="application/json")
    reach(Point.RECEIPT_WRITTEN)
    vault.put_bytes(bucket, archive_key(batch), batch.manifest, content_type="application/json")
    reach(Point.MANIFEST_ARCHIVED)
    vault.remove(bucket, _failure_key(batch))
    standing = vault.stat(bucket, batch.upload.key)
    if standing is not None and _is_the_upload(standing, batch.upload):
        vault.remove(bucket, batch.upload.key)
    reach(Point.MANIFEST_REMOVED)
    platform.ledger.settle(batch.id, batch.upload)
    reach(Point.SETTLED)


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


def _is_the_upload(standing: ObjectInfo, upload: ManifestUpload) -> bool:
    """The same bytes uploaded again later are a submission of their own and stay for their run.

    HEAD gives whole seconds where a listing gives milliseconds: seconds are compared.
    """
    moments = (standing.last_modified, upload.last_modified)
    return standing.etag == upload.etag and len({int(at.timestamp()) for at in moments}) == 1
