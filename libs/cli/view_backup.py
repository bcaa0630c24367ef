"""What became of a backup, a check or a restore, for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from rich.console import RenderableType
from rich.text import Text

from libs.backup import BackupReport, CheckReport, Damage, RestoreReport
from libs.cli.terminal import safe
from libs.cli.view import heading, moment, pairs, size, table


def backup_report(report: BackupReport) -> Iterator[RenderableType]:
    """What is in it, and what it took."""
    yield heading(f"Backup {report.name} is whole, in {report.folder}.", "bold green")
    gone = report.pruned
    rows = (
        ("documents", _counts(report.documents)),
        ("objects", f"{report.objects:,}, {size(report.size_bytes)}"),
        ("copied now", f"{report.objects_copied:,}, {size(report.bytes_copied)}"),
        ("removed", f"{', '.join(gone.backups)}; {gone.objects:,} objects" if gone.backups else ""),
        ("took", f"{report.seconds:.1f} s"),
    )
    yield pairs(rows)
    if report.losses_count:
        yield from _damages(
            report.losses, report.losses_count, "Not in it, because the lake did not have it whole"
        )
        yield "`spatial-etl audit --verify-bytes` says more; submit their sources again."


def check_report(report: CheckReport) -> Iterator[RenderableType]:
    """What was read, and what is damaged."""
    read = f"{report.objects:,} objects, {size(report.size_bytes)}, in {report.seconds:.1f} s"
    whole = f"{len(report.backups)} backup(s) are whole"
    newest = f", the newest of {report.backups[-1]}" if report.backups else ""
    yield heading(f"{whole}{newest}; read: {read}.")
    if report.losses_count:
        yield f"{report.losses_count:,} object(s) were lost before they could be backed up."
    if report.damages_count:
        yield from _damages(report.damages, report.damages_count, "Damaged")
        yield "Put these files back from another copy of the folder, or remove the damaged objects:"
        yield "the next backup copies those again that the lake still has."
    else:
        yield Text("Nothing is damaged.", style="green")


def restore_report(report: RestoreReport) -> Iterator[RenderableType]:
    """What is there again, and what to know of it."""
    yield heading(f"Restored from backup {report.name}.", "bold green")
    there = f", {report.objects_there_already:,} were there" if report.objects_there_already else ""
    ended = f"{report.batches_ended} batch(es), now failed: submit them again"
    rows = (
        ("taken at", moment(report.taken_at)),
        ("documents", _counts(report.documents)),
        ("objects", f"{report.objects_restored:,}, {size(report.size_bytes)}{there}"),
        ("migrations", ", ".join(report.migrations)),
        ("at work then", ended if report.batches_ended else ""),
        ("versions", f"the next one of a dataset is its last known one + {report.version_gap + 1}"),
        ("took", f"{report.seconds:.1f} s"),
    )
    yield pairs(rows)
    if report.losses_count:
        yield from _damages(report.losses, report.losses_count, "Left out, because damaged")
    yield "Now let `spatial-etl audit --verify-bytes` look at all of it."


def _counts(documents: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in documents.items())


def _damages(shown: Sequence[Damage], count: int, title: str) -> Iterator[RenderableType]:
    yield heading(f"{title} ({count:,}):", "red")
    made = table("what", "is wrong")
    for damage in shown:
        made.add_row(safe(damage.where), safe(damage.what))
    yield made
    if count > len(shown):
        yield f"and {count - len(shown):,} more"
