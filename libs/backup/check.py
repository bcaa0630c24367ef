"""`check_backup`: reads a folder of backups again, every byte, and says whether all is whole."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from libs.backup.copying import stored_objects
from libs.backup.damages import Damages
from libs.backup.errors import BackupFolderError, DamagedBackupError
from libs.backup.files import lines_of
from libs.backup.folder import BackupFolder
from libs.backup.index import LOSSES, OBJECTS, BackupIndex, FileRecord, StoredObject
from libs.backup.progress import Tell, Ticker
from libs.backup.reports import CheckReport, Damage
from libs.spatial_utils.hashing import sha256_of_file


def check_backup(root: Path, *, tell: Tell = lambda _line: None) -> CheckReport:
    """Hash every file of every backup in the folder, and every object that one of them names.

    Raises `BackupFolderError` when there is no backup at all; damage is in the report.
    """
    started = time.monotonic()
    with BackupFolder.for_reading(root) as folder:
        names = folder.names()
        if not names:
            raise BackupFolderError(f"{root} holds no backup that was finished.")
        damages, whole = Damages(), []
        with closing(_Objects(folder, damages, tell)) as objects:
            for name in names:
                if _check_one(folder, name, objects, damages):
                    whole.append(name)
            return CheckReport(
                folder=folder.root,
                backups=tuple(whole),
                objects=objects.hashed,
                size_bytes=objects.size_bytes,
                damages=tuple(damages.first),
                damages_count=damages.count,
                losses_count=objects.losses,
                seconds=time.monotonic() - started,
            )


def _check_one(folder: BackupFolder, name: str, objects: _Objects, damages: Damages) -> bool:
    """Whether all of it is whole, objects that were read for an earlier backup included."""
    try:
        index = folder.index(name)
    except DamagedBackupError as error:
        for damage in error.damages:
            damages.add(damage.where, damage.what)
        return False
    return check_files(folder, index, damages) and objects.check(index)


def check_files(folder: BackupFolder, index: BackupIndex, damages: Damages) -> bool:
    """Hash the files of one backup, without its objects. False: some are damaged."""
    before = damages.count
    for name, record in index.files.items():
        path = folder.backup(index.name) / name
        fault = fault_of(path, record, read=True)
        if fault is not None:
            damages.add(folder.below(path), fault)
    return damages.count == before


def fault_of(path: Path, wanted: FileRecord | StoredObject, *, read: bool) -> str | None:
    """What is wrong with a file; `read`: hash its bytes, not only look at its size."""
    if not path.is_file():
        return "is missing."
    size = path.stat().st_size
    if size != wanted.size_bytes:
        return f"has {size} bytes instead of {wanted.size_bytes}."
    if read and sha256_of_file(path) != wanted.sha256:
        return f"has other bytes than were written: its SHA-256 is not {wanted.sha256}."
    return None


class _Objects:
    """The objects of several backups, each read once. What each was like is kept on the disk."""

    def __init__(self, folder: BackupFolder, damages: Damages, tell: Tell) -> None:
        self._folder = folder
        self._damages = damages
        self._ticker = Ticker(tell)
        self._keys = sqlite3.connect("")
        for table in ("seen", "damaged", "lost", "missed"):
            self._keys.execute(f"CREATE TABLE {table} (key TEXT PRIMARY KEY) WITHOUT ROWID")
        self.hashed = self.size_bytes = self.losses = 0

    def close(self) -> None:
        self._keys.close()

    def check(self, index: BackupIndex) -> bool:
        """Whether all that the backup names is whole, but for what it says to have lost."""
        self._learn_losses(index)
        path = self._folder.backup(index.name) / OBJECTS
        is_whole = True
        for item in stored_objects(path, index.files[OBJECTS]):
            if self._is_in("lost", item.key) and not self._folder.object(item.key).exists():
                self.losses += self._is_new("missed", item.key)
                continue
            if self._is_new("seen", item.key):
                self._check(item)
            is_whole = is_whole and not self._is_in("damaged", item.key)
        return is_whole

    def _check(self, item: StoredObject) -> None:
        path = self._folder.object(item.key)
        fault = fault_of(path, item, read=True)
        if fault is not None:
            self._damages.add(self._folder.below(path), fault)
            self._is_new("damaged", item.key)
        self.hashed += 1
        self.size_bytes += item.size_bytes
        self._ticker.tell(f"{self.hashed:,} objects read, {self.size_bytes:,} bytes")

    def _learn_losses(self, index: BackupIndex) -> None:
        """Of this backup: an earlier or later one may have found the object in the lake."""
        self._keys.execute("DELETE FROM lost")
        for item in losses_of(self._folder, index):
            self._is_new("lost", item.where)

    def _is_in(self, table: str, key: str) -> bool:
        statement = f"SELECT 1 FROM {table} WHERE key = ?"  # noqa: S608  one of our words
        return self._keys.execute(statement, [key]).fetchone() is not None

    def _is_new(self, table: str, key: str) -> bool:
        """Puts it into the table."""
        statement = f"INSERT OR IGNORE INTO {table} VALUES (?)"  # noqa: S608  one of our words
        return self._keys.execute(statement, [key]).rowcount == 1


def losses_of(folder: BackupFolder, index: BackupIndex) -> Iterator[Damage]:
    """The objects that were lost before the backup was taken."""
    for line in lines_of(folder.backup(index.name) / LOSSES, index.files[LOSSES]):
        yield Damage.model_validate_json(line)
