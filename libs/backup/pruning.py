"""`--keep`: the oldest backups go, and then the objects that none of the others names."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing

from libs.backup.check import fault_of
from libs.backup.copying import stored_objects
from libs.backup.errors import BackupFolderError, DamagedBackupError
from libs.backup.folder import BackupFolder
from libs.backup.index import OBJECTS
from libs.backup.progress import Tell
from libs.backup.reports import Damage, Pruned
from libs.models import is_object_key

_NOTHING_REMOVED = "The new backup is taken and whole, and nothing was removed (--keep)."
_MEND = (
    "Put back that file from another copy of the folder; or remove {}, which cannot be restored "
    "without it."
)


def prune(folder: BackupFolder, keep: int, tell: Tell) -> Pruned:
    """Keep the newest `keep` backups, at least one.

    Every list of objects that stays is found whole before anything is removed; one that is damaged
    is a `DamagedBackupError`. Nor is anything removed beside a folder that may be a backup and has
    no name of one: nobody knows what it names.
    """
    names = folder.names()
    gone, kept = names[: -max(keep, 1)], names[-max(keep, 1) :]
    if not gone:
        return Pruned()
    for path in folder.unnamed():
        raise BackupFolderError(
            f"{path} has no name of a backup, and one that lies there would lose its objects. "
            f"{_NOTHING_REMOVED} Give it its name back, or move it elsewhere."
        )
    with closing(_named(folder, kept)) as named:
        for name in gone:
            folder.remove(name)
        count, size = _remove_others(folder, named)
    tell(f"Backups removed: {', '.join(gone)}; objects that no other one names: {count:,}.")
    return Pruned(backups=tuple(gone), objects=count, size_bytes=size)


def _named(folder: BackupFolder, names: Sequence[str]) -> sqlite3.Connection:
    """The keys that the backups name, in a database on the disk that is gone when it is closed."""
    database = sqlite3.connect("")
    database.execute("CREATE TABLE named (key TEXT PRIMARY KEY) WITHOUT ROWID")
    for name in names:
        cure = f"{_NOTHING_REMOVED} {_MEND.format(folder.backup(name))}"
        path, record = folder.backup(name) / OBJECTS, folder.index(name, cure).files[OBJECTS]
        fault = fault_of(path, record, read=True)
        if fault is not None:
            damage = Damage(where=folder.below(path), what=fault)
            raise DamagedBackupError(folder.root, [damage], 1, cure)
        database.executemany(
            "INSERT OR IGNORE INTO named VALUES (?)",
            ((item.key,) for item in stored_objects(path, record)),
        )
    return database


def _remove_others(folder: BackupFolder, named: sqlite3.Connection) -> tuple[int, int]:
    """How many objects went, and their bytes.

    The lists of backups that went before are gone, also of one whose pruning was broken off: that
    an object was ever named is told by the form of its key. What is not of that form is not ours.
    """
    count = size = 0
    for path in folder.objects():
        if not is_object_key(folder.key_of(path)):
            continue
        found = named.execute("SELECT 1 FROM named WHERE key = ?", [folder.key_of(path)])
        if found.fetchone() is None:
            size += path.stat().st_size
            path.unlink()
            count += 1
    return count, size
