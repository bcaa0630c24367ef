"""`take_backup`: the ledger first, then what it names of the lake, then the name that makes it one.

The other way round, the ledger could name an object that was committed after the lake was copied.
"""

from __future__ import annotations

import time
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

from libs.backup.copying import Copied, Copying, stored_objects
from libs.backup.dump import Dumped, dump_ledger
from libs.backup.errors import BackupError, BackupFolderError
from libs.backup.files import new_lines
from libs.backup.folder import BackupFolder
from libs.backup.index import (
    INDEX,
    LOSSES,
    OBJECTS,
    SUMS,
    BackupIndex,
    FileRecord,
)
from libs.backup.progress import Tell
from libs.backup.pruning import prune
from libs.backup.reports import BackupReport, Pruned
from libs.ledger import Ledger
from libs.settings import Settings
from libs.spatial_utils.hashing import sha256_of_file
from libs.vault import Vault

_OBJECTS_FROM_BACKUP = "../../objects"


def take_backup(
    settings: Settings, root: Path, *, keep: int | None = None, tell: Tell = lambda _line: None
) -> BackupReport:
    """Back up ledger and lake into a folder of backups; safe while batches go on.

    `keep`: afterwards, only so many backups stay, the newest ones.

    Raises:
        BackupError: the folder cannot take it; what was copied before stays for the next try.
        TransientError: a server did not answer; likewise.
    """
    started = time.monotonic()
    with BackupFolder.for_writing(root) as folder, Ledger.connect(settings.ledger) as ledger:
        work = _Work(settings, folder, ledger, tell)
        index, copied = work.take()
        pruned = prune(folder, keep, tell) if keep is not None else Pruned()
    return BackupReport(
        folder=folder.root,
        name=index.name,
        taken_at=index.taken_at,
        documents=index.documents(),
        objects=index.objects,
        size_bytes=index.objects_bytes,
        objects_copied=copied.objects,
        bytes_copied=copied.size_bytes,
        losses=tuple(copied.losses.first),
        losses_count=copied.losses.count,
        pruned=pruned,
        seconds=time.monotonic() - started,
    )


class _Work:
    def __init__(
        self, settings: Settings, folder: BackupFolder, ledger: Ledger, tell: Tell
    ) -> None:
        self._settings = settings
        self._folder = folder
        self._ledger = ledger
        self._tell = tell

    def take(self) -> tuple[BackupIndex, Copied]:
        self._ledger.check()
        since = self._since()
        self._require_the_same_ledger(since)
        taken_at = self._moment()
        name = _name(taken_at)
        part = self._folder.unfinished(name)
        part.mkdir(mode=0o700)
        dumped = dump_ledger(self._ledger, part, below=_OBJECTS_FROM_BACKUP)
        self._tell(f"The ledger is read: {dumped.objects:,} assets.")
        copied, losses = self._copy(part, dumped)
        index = BackupIndex(
            name=name,
            release=version("spatial-etl"),
            taken_at=taken_at,
            ended_at=self._ledger.server_now(),
            ledger_since=since,
            ledger_address=self._ledger.address,
            ledger_database=self._settings.ledger.database,
            lake_bucket=self._settings.vault.lake_bucket,
            migrations=tuple(item["_id"] for item in dumped.migrations),
            files={**dumped.files, LOSSES: losses},
            objects=dumped.objects,
            objects_bytes=dumped.objects_bytes,
            losses=copied.losses.count,
        )
        _write_index(part, index)
        self._folder.publish(name)
        return index, copied

    def _copy(self, part: Path, dumped: Dumped) -> tuple[Copied, FileRecord]:
        copying = Copying(
            vault=Vault.connect(self._settings.vault),
            bucket=self._settings.vault.lake_bucket,
            folder=self._folder,
            min_free_bytes=self._settings.etl.min_free_bytes,
        )
        named = part / OBJECTS, dumped.files[OBJECTS]
        copying.require_room(stored_objects(*named))
        with new_lines(part / LOSSES) as losses:
            copied = copying.copy(stored_objects(*named), losses, self._tell)
        return copied, losses.record

    def _since(self) -> datetime:
        moments = [item["applied_at"] for item in self._ledger.applied_migrations()]
        if not moments:
            raise BackupError(
                f"The database {self._settings.ledger.database} at {self._ledger.address} is no "
                "ledger yet: check MONGODB_DATABASE."
            )
        first: datetime = min(moments)
        return first

    def _require_the_same_ledger(self, since: datetime) -> None:
        """Two ledgers in one folder: the older backups of one would make room for the other's."""
        names, newest = self._folder.names(), self._folder.newest_index(self._tell)
        if names and newest is None:
            raise BackupFolderError(
                f"{self._folder.root} holds {len(names)} backup(s), and no index of them can be "
                f"read ({self._folder.backup(names[-1]) / INDEX}): it cannot be told whether they "
                "are of this ledger. Put one back from another copy of the folder, or name an "
                "empty folder."
            )
        if newest is not None and newest.ledger_since != since:
            raise BackupFolderError(
                f"{self._folder.root} holds backups of another ledger (the database "
                f"{newest.ledger_database} at {newest.ledger_address}): take a folder of its "
                "own for this one."
            )

    def _moment(self) -> datetime:
        """Now, by the ledger's clock: later than the newest backup, since names tell the order."""
        newest = max(self._folder.names(), default="")
        for _ in range(3):
            now = self._ledger.server_now()
            if _name(now) > newest:
                return now
            time.sleep(1.0)
        raise BackupFolderError(
            f"The newest backup in {self._folder.root} is {newest}, and by the ledger's clock it "
            f"is {_name(now)}: set that clock right."
        )


def _name(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H-%M-%SZ}"


def _write_index(part: Path, index: BackupIndex) -> None:
    with new_lines(part / INDEX) as lines:
        lines.add(index.model_dump_json(indent=2))
    with new_lines(part / SUMS) as sums:
        sums.add(f"{sha256_of_file(part / INDEX)}  {INDEX}")
        for name, record in index.files.items():
            sums.add(f"{record.sha256}  {name}")
