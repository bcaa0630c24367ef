"""The receipt of an ended batch, made from what the ledger holds; writing it is `settle`'s work."""

from __future__ import annotations

from collections.abc import Sequence

from libs.models import (
    Asset,
    Batch,
    BatchFile,
    BatchState,
    FileOutcome,
    FileReceipt,
    Receipt,
    Run,
)


def receipt_of(batch: Batch, assets: Sequence[Asset], run: Run | None) -> Receipt:
    """One entry a file, in the manifest's order."""
    by_file = {asset.file_index: asset for asset in assets}
    return Receipt(
        batch_id=batch.batch_id,
        outcome=batch.state,
        summary=_summary(batch),
        manifest_key=batch.upload.key,
        manifest_sha256=batch.manifest_sha256,
        fingerprint=batch.id,
        run_id=run.id if run else None,
        intent=batch.intent,
        notes=_intent_notes(assets),
        problems=batch.problems,
        files=tuple(
            _file_receipt(file, by_file.get(index)) for index, file in enumerate(batch.files)
        ),
        received_at=batch.received_at,
        ended_at=batch.ended_at,
    )


def _summary(batch: Batch) -> str:
    committed = sum(file.outcome is FileOutcome.COMMITTED for file in batch.files)
    skipped = len(batch.files) - committed
    if batch.state is BatchState.COMMITTED and not skipped:
        return f"All {committed} file(s) are committed."
    if batch.state is BatchState.COMMITTED:
        return f"{committed} file(s) are committed, {skipped} skipped: see their problems."
    if batch.state is BatchState.CANCELLED:
        return (
            f"Not committed: {batch.error} It is not tried again by itself. Ask the platform's "
            "operator, or upload the manifest again."
        )
    if batch.state is BatchState.FAILED:
        return (
            f"Not committed: {batch.error} The platform tries again by itself, a few times. While "
            "this receipt is here no try has gone well yet: if it stays, ask its operator."
        )
    return (
        "Nothing was committed. Mend what `problems` names, here and under `files`, and upload the "
        "files and then the manifest again."
    )


def _intent_notes(assets: Sequence[Asset]) -> tuple[str, ...]:
    return tuple(
        dict.fromkeys(
            note for asset in assets for note in asset.notes if note.startswith("Unknown intent")
        )
    )


def _file_receipt(file: BatchFile, asset: Asset | None) -> FileReceipt:
    answer = FileReceipt(
        path=file.path, outcome=file.outcome, dataset_id=file.dataset_id, problems=file.problems
    )
    if asset is None or file.outcome is not FileOutcome.COMMITTED:
        return answer
    raster, vector = asset.raster, asset.vector
    return answer.model_copy(
        update={
            "version": asset.version,
            "asset_id": asset.id,
            "s3_uri": asset.uri,
            "source_sha256": {source.uri: source.sha256 for source in asset.sources},
            "content_hash": asset.content_hash,
            "row_count": vector.row_count if vector else None,
            "width_height": (raster.width, raster.height) if raster else None,
            "crs": (asset.crs.code or asset.crs.name) if asset.crs else None,
            "bounds": asset.bounds,
            "recipe": asset.recipe,
            "notes": asset.notes,
        }
    )
