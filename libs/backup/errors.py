"""Errors of backups and restores; those of ledger and vault come from their own layers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from libs.backup.reports import Damage
from libs.errors import OperatorError


class BackupError(OperatorError):
    """A backup or a restore cannot be made, or not like this."""


class BackupFolderError(BackupError):
    """The folder is not the one that is meant."""


class BackupBusyError(BackupError):
    """Another process works on the folder."""

    def __init__(self, root: Path) -> None:
        super().__init__(
            f"Another backup, check or restore works on {root} just now. Wait for its end."
        )


class NoRoomError(BackupError):
    """The disk of the backup is too small."""

    def __init__(self, root: Path, free: int, needed: int, kept_free: int) -> None:
        super().__init__(
            f"The disk of {root} has {free:,} bytes free; this backup needs {needed:,} and "
            f"{kept_free:,} must stay free (ETL_MIN_FREE_BYTES). Free some room, keep fewer "
            "backups (--keep), or take a folder on a larger disk. What was copied is kept for the "
            "next try."
        )


class DamagedBackupError(BackupError):
    """Files of a backup are missing or are not what they were."""

    def __init__(self, root: Path, damages: Sequence[Damage], count: int, cure: str) -> None:
        self.damages = tuple(damages)
        lines = [f"  {damage}" for damage in damages]
        more = [f"  and {count - len(damages)} more"] if count > len(damages) else []
        head = f"The backup in {root} is damaged, in {count} place(s). {cure}"
        super().__init__("\n".join([head, *lines, *more]))


class NewerBackupError(BackupError):
    """The backup's documents have a shape that this release does not know."""

    def __init__(self, name: str, release: str, unknown: Sequence[str]) -> None:
        super().__init__(
            f"Backup {name} was taken by release {release} and has documents of a newer shape "
            f"({', '.join(unknown)}): restore it with that release, or a newer one."
        )


class OtherLakeError(BackupError):
    """The documents name another bucket than the settings."""

    def __init__(self, name: str, theirs: str, ours: str) -> None:
        super().__init__(
            f"Backup {name} is of a lake called {theirs!r}, and its documents name it; "
            f"MINIO_LAKE_BUCKET is {ours!r}. Make a bucket {theirs!r}, and let MINIO_LAKE_BUCKET "
            "name it."
        )


class LakeNotEmptyError(BackupError):
    """A restore wants an empty lake."""

    def __init__(self, bucket: str, key: str) -> None:
        super().__init__(
            f"The lake is not empty: the bucket {bucket} has {key}. A backup is restored into an "
            "empty platform only: make a new one, or empty the bucket."
        )
