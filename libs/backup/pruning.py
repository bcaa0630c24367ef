"""`--keep`: the oldest backups go, and then the objects that none of the others names."""

from __future__ import annotations

import sqlite3
from contextlib import closing

from libs.backup.copying import stored_objects
from libs.backup.folder import BackupFolder
from libs.backup.index import OBJECTS
from libs.backup.progress import Tell
from libs.backup.reports import Pruned


def prune(folder: BackupFolder, keep: int, tell: Tell) -> Pruned:
    """Keep the newest `keep` backups, at least one.

    Every list of objects that stays is read to its end and found whole before any object is
    removed. Raises `BackupError` when one is damaged; then all objects stay.
    """
    gone = folder.names()[: -max(keep, 1)]
    for name in gone:
        folder.remove(name)
    if not gone:
        return Pruned()
    count = size = 0
    with closing(_named(folder)) as named:
        for path in folder.objects():
            found = named.execute("SELECT 1 FROM named WHERE key = ?", [folder.key_of(path)])
            if found.fetchone() is None:
                size += path.stat().st_size
                path.unlink()
                count += 1
    tell(f"Backups removed: {', '.join(gone)}; objects that no other one names: {count:,}.")
    return Pruned(backups=tuple(gone), objects=count, size_bytes=size)


def _named(folder: BackupFolder) -> sqlite3.Connection:
    """The keys that the backups name, in a database on the disk that is gone when it is closed."""
    database = sqlite3.connect("")
    database.execute("CREATE TABLE named (key TEXT PRIMARY KEY) WITHOUT ROWID")
    for name in folder.names():
        record = folder.index(name).files[OBJECTS]
        objects = stored_objects(folder.backup(name) / OBJECTS, record)
        database.executemany(
            "INSERT OR IGNORE INTO named VALUES (?)", ((item.key,) for item in objects)
        )
    return database
