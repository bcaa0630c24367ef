"""Backups of ledger and lake, and their restore; see CONTEXT.md."""

from libs.backup.check import check_backup
from libs.backup.errors import (
    BackupBusyError,
    BackupError,
    BackupFolderError,
    DamagedBackupError,
    LakeNotEmptyError,
    NewerBackupError,
    NoRoomError,
    OtherLakeError,
)
from libs.backup.reports import BackupReport, CheckReport, Damage, RestoreReport
from libs.backup.restore import DEFAULT_VERSION_GAP, Wishes, restore_backup
from libs.backup.take import take_backup

__all__ = [
    "DEFAULT_VERSION_GAP",
    "BackupBusyError",
    "BackupError",
    "BackupFolderError",
    "BackupReport",
    "CheckReport",
    "Damage",
    "DamagedBackupError",
    "LakeNotEmptyError",
    "NewerBackupError",
    "NoRoomError",
    "OtherLakeError",
    "RestoreReport",
    "Wishes",
    "check_backup",
    "restore_backup",
    "take_backup",
]
