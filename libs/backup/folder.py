"""The folder that holds backups: what lies where, who works on it, and when a backup is one.

    README.txt                    says this
    objects/<key in the lake>     the data, shared by all backups: a key of the lake never changes
    ledger/<UTC time>/            one backup: a file a collection, and index.json

What is not finished has a name that begins with a dot.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import ValidationError

from libs.backup.errors import BackupBusyError, BackupFolderError, DamagedBackupError
from libs.backup.files import make_folders, sync_folder
from libs.backup.index import INDEX, BackupIndex
from libs.backup.ownership import (
    INCOMING,
    LEDGER,
    LOCK,
    LOST_AND_FOUND,
    OBJECTS,
    stranger_in,
    write_readme,
)
from libs.backup.progress import Tell
from libs.backup.reports import Damage
from libs.vault.keys import writable_key

_NAME = re.compile(r"\d{4}-\d\d-\d\dT\d\d-\d\d-\d\dZ", re.ASCII)
_OTHER_COPY = "Put that file back from another copy of the folder."


class BackupFolder:
    """One folder of backups; get one from `for_writing` or `for_reading`."""

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()
        self._objects = self.root / OBJECTS
        self._ledger = self.root / LEDGER
        self.incoming = self.root / INCOMING
        """For objects that are not whole yet."""

    @classmethod
    @contextmanager
    def for_writing(cls, root: Path) -> Iterator[BackupFolder]:
        """The folder, made when it is not there, and nobody else's until the block ends.

        What a backup that was broken off left behind is gone. Raises `BackupBusyError`, and
        `BackupFolderError` for a folder in which other things lie.
        """
        folder = cls(root)
        folder._require_ours()
        make_folders(folder.root)
        with folder._locked(fcntl.LOCK_EX, os.O_CREAT | os.O_RDWR):
            write_readme(folder.root)
            for part in (folder._objects, folder._ledger, folder.incoming):
                make_folders(part)
            folder._remove_unfinished()
            yield folder

    @classmethod
    @contextmanager
    def for_reading(cls, root: Path) -> Iterator[BackupFolder]:
        """The folder, which no backup changes until the block ends."""
        folder = cls(root)
        if not folder._ledger.is_dir():
            raise BackupFolderError(f"{root} is no folder of backups: it has no folder `ledger`.")
        with folder._locked(fcntl.LOCK_SH, os.O_RDONLY):
            yield folder

    def names(self) -> list[str]:
        """The backups, the oldest first."""
        return sorted(path.name for path in self._folders() if _NAME.fullmatch(path.name))

    def unnamed(self) -> list[Path]:
        """Folders beside the backups: each may be one that a person gave another name."""
        return sorted(path for path in self._folders() if not _NAME.fullmatch(path.name))

    def backup(self, name: str) -> Path:
        """Where a backup lies, or would lie."""
        return self._ledger / name

    def unfinished(self, name: str) -> Path:
        """Where it lies until it is whole."""
        return self._ledger / f".{name}.part"

    def object(self, key: str) -> Path:
        """Where an object lies, or would lie."""
        return self._objects / writable_key(key)

    def objects(self) -> Iterator[Path]:
        """Every file below `objects`."""
        for folder, _, files in os.walk(self._objects):
            for file in files:
                yield Path(folder) / file

    def key_of(self, path: Path) -> str:
        """The key of an object's file."""
        return path.relative_to(self._objects).as_posix()

    def below(self, path: Path) -> str:
        """A path as it is told to people."""
        return path.relative_to(self.root).as_posix()

    def index(self, name: str, cure: str = _OTHER_COPY) -> BackupIndex:
        """A backup's index; raises `DamagedBackupError` when it cannot be read."""
        path = self.backup(name) / INDEX
        try:
            found = BackupIndex.model_validate_json(path.read_bytes())
        except (OSError, ValidationError) as error:
            reason = error.strerror if isinstance(error, OSError) else "is not what was written"
            damage = Damage(where=self.below(path), what=f"cannot be read: {reason}.")
            raise DamagedBackupError(self.root, [damage], 1, cure) from error
        if found.name != name:
            damage = Damage(where=self.below(path), what=f"is that of backup {found.name}.")
            raise DamagedBackupError(self.root, [damage], 1, cure)
        return found

    def newest_index(self, tell: Tell = lambda _line: None) -> BackupIndex | None:
        """The newest index that can be read; `tell` gets a line for each that cannot."""
        for name in reversed(self.names()):
            try:
                return self.index(name)
            except DamagedBackupError as error:
                for damage in error.damages:
                    tell(f"Damaged: {damage} `spatial-etl backup FOLDER --check` says more.")
        return None

    def publish(self, name: str) -> None:
        """From now on the backup is one."""
        sync_folder(self.unfinished(name))
        self.unfinished(name).rename(self.backup(name))
        sync_folder(self._ledger)

    def remove(self, name: str) -> None:
        """From now on it is none; then its files go."""
        self.backup(name).rename(self.unfinished(name))
        sync_folder(self._ledger)
        shutil.rmtree(self.unfinished(name))

    def _require_ours(self) -> None:
        if not self.root.exists():
            return
        if not self.root.is_dir():
            raise BackupFolderError(f"{self.root} is not a folder.")
        stranger = stranger_in(self.root, self._has_backup)
        if stranger is not None:
            raise BackupFolderError(
                f"{self.root} is not empty and is no folder of backups (there is {stranger!r}): "
                "name an empty folder, or one of earlier backups."
            )

    def _has_backup(self) -> bool:
        return self._ledger.is_dir() and self.newest_index() is not None

    def _folders(self) -> Iterator[Path]:
        for path in self._ledger.iterdir():
            if path.is_dir() and path.name[0] != "." and path.name != LOST_AND_FOUND:
                yield path

    @contextmanager
    def _locked(self, kind: int, mode: int) -> Iterator[None]:
        """The lock is the operating system's: it ends with its process, however that ends."""
        try:
            handle = os.open(self.root / LOCK, mode, 0o600)
        except FileNotFoundError:  # a copy of the folder, made without hidden files
            yield
            return
        try:
            try:
                fcntl.flock(handle, kind | fcntl.LOCK_NB)
            except BlockingIOError:
                raise BackupBusyError(self.root) from None
            yield
        finally:
            os.close(handle)

    def _remove_unfinished(self) -> None:
        for path in [*self._ledger.glob(".*.part"), *self.incoming.iterdir()]:
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()
