"""What is told of a backup, a check and a restore: also what `--json` prints."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from libs.models.base import Frozen, Moment


class Damage(Frozen):
    """One file of a backup that is not what it must be."""

    where: str
    """Below the backup's folder."""
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


class Pruned(Frozen):
    """What `--keep` removed."""

    backups: tuple[str, ...] = ()
    objects: int = Field(default=0, ge=0)
    size_bytes: int = Field(default=0, ge=0)


class BackupReport(Frozen):
    """`backup`."""

    folder: Path
    name: str
    taken_at: Moment
    """By the ledger's clock. What was committed before is in the backup."""
    documents: dict[str, int]
    """By collection."""
    objects: int
    size_bytes: int
    """Of all objects that the backup names."""
    objects_copied: int
    """Now; the others were there from earlier backups."""
    bytes_copied: int
    losses: tuple[Damage, ...]
    """Committed objects that the lake did not give whole; the first ones."""
    losses_count: int
    pruned: Pruned
    seconds: float


class CheckReport(Frozen):
    """`backup --check`."""

    folder: Path
    backups: tuple[str, ...]
    """The whole ones, the oldest first."""
    objects: int
    """Read and hashed."""
    size_bytes: int
    damages: tuple[Damage, ...]
    """The first ones."""
    damages_count: int
    losses_count: int
    """Objects that were lost before the backups were taken: these name them."""
    seconds: float


class RestoreReport(Frozen):
    """`restore`."""

    folder: Path
    name: str
    taken_at: Moment
    documents: dict[str, int]
    objects_restored: int
    objects_there_already: int
    """From a try that was broken off."""
    size_bytes: int
    """Of the objects restored now."""
    batches_ended: int
    """Batches that were at work when the backup was taken: they are `failed`."""
    version_gap: int
    migrations: tuple[str, ...]
    """Applied now: the backup's documents were of an older shape."""
    losses: tuple[Damage, ...]
    losses_count: int
    seconds: float
