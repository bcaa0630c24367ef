"""What became of a submission, for people: as the ledger tells it, or else the receipt."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import RenderableType

from libs.cli.reports import BatchReport, Submitted
from libs.cli.terminal import safe
from libs.cli.view import STATE_STYLES, asset_facts, heading, pairs, problems, source_hash, table
from libs.models import BatchState, FileOutcome, Receipt


def submitted(report: Submitted) -> Iterator[RenderableType]:
    """The end, then each asset, then the problems."""
    if report.batch is not None:
        yield from _batch(report, report.batch)
    elif report.receipt is not None:
        yield from _receipt(report.receipt)
    else:
        name = report.manifest.batch_id
        yield f"Batch {name} is submitted; `spatial-etl status {name}` shows what becomes of it."
        return
    for note in report.receipt.notes if report.receipt else ():
        yield heading(f"Note: {note}", "yellow")


def end_line(report: Submitted, batch: BatchReport) -> str:
    """One line: how it ended, and how long it took."""
    took = f" ({report.seconds:.1f} s from manifest to answer)" if report.seconds else ""
    if report.already_done:
        return f"already done: this very batch was {batch.state.value} before{took}"
    return f"{batch.state.value}{took}"


def _batch(report: Submitted, batch: BatchReport) -> Iterator[RenderableType]:
    style = STATE_STYLES.get(batch.state, "")
    yield heading(f"{report.manifest.batch_id}: {end_line(report, batch)}", f"bold {style}")
    sources = _sources(report.receipt)
    for asset in batch.assets:
        yield pairs([*asset_facts(asset, ()), *sources.get(asset.id, ())])
    skipped = [file.path for file in batch.files if file.outcome is FileOutcome.SKIPPED]
    if skipped:
        yield heading(f"Skipped: {', '.join(skipped)}", "yellow")
    if batch.all_problems:
        yield problems(batch.all_problems)
    if batch.error:
        yield heading(batch.error, "red")
    if batch.state is BatchState.FAILED:
        yield "That is not the fault of your data; the platform tries again by itself, a few times."
    if batch.state is BatchState.CANCELLED:
        yield "It is not tried again by itself: ask the operator, or submit again."
    if batch.state is BatchState.REJECTED:
        yield "Nothing was committed. Mend what is named above and submit again."
    if batch.receipt_uri:
        yield f"receipt: {batch.receipt_uri}"


def _sources(receipt: Receipt | None) -> dict[str, list[tuple[str, str]]]:
    if receipt is None:
        return {}
    return {
        file.asset_id: [source_hash(uri, sha256) for uri, sha256 in file.source_sha256.items()]
        for file in receipt.files
        if file.asset_id
    }


def _receipt(receipt: Receipt) -> Iterator[RenderableType]:
    yield heading(f"{receipt.batch_id}: {receipt.summary}", STATE_STYLES[receipt.outcome])
    made = table("file", "outcome", "dataset", "object", "content hash")
    for file in receipt.files:
        version = f" v{file.version}" if file.version else ""
        made.add_row(
            safe(file.path),
            file.outcome.value,
            f"{file.dataset_id}{version}",
            file.s3_uri or "",
            file.content_hash or "",
        )
    yield made
    found = (*receipt.problems, *(item for file in receipt.files for item in file.problems))
    if found:
        yield problems(found)
