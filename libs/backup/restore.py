"""`restore_backup`: objects first, documents last, and one write that makes all of it visible.

Until that write the ledger says that it is being restored: no run begins, readers and the auditor
are told so, and no object of the lake is taken for left over. Broken off anywhere, the same command
goes on: objects that are there are left, documents are put in place of themselves.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from libs.backup.check import check_files
from libs.backup.damages import Damages
from libs.backup.documents import pages_of
from libs.backup.errors import (
    BackupError,
    BackupFolderError,
    DamagedBackupError,
    LakeNotEmptyError,
    NewerBackupError,
    OtherLakeError,
)
from libs.backup.folder import BackupFolder
from libs.backup.index import INDEX, BackupIndex, file_of
from libs.backup.progress import Tell
from libs.backup.reports import RestoreReport
from libs.backup.returning import Returned, Returning
from libs.ingest import Platform, settle
from libs.ingest.settle import answer_failure
from libs.ledger.codec import BsonDocument
from libs.ledger.migrations import STEPS
from libs.models import Restore
from libs.spatial_utils.hashing import sha256_of_file

DEFAULT_VERSION_GAP = 1000
"""Far more versions than a dataset gets between two backups."""
_FILLED = ("assets", "batches", "datasets", "runs", "restores")
"""Assets first: whoever looks past our words sees what is true of each, object included."""
_OTHER_COPY = "Put back those files from another copy of the folder, or name another backup."
_OTHER_BACKUP = (
    "Restore another backup (--backup NAME), or put back that file from another copy of the folder."
)
_GO_ON = (
    "Nothing of it is visible. Put back those files from another copy of the folder and give the "
    "same command again; or add --accept-losses, which restores all but these objects."
)


@dataclass(frozen=True)
class Wishes:
    """How a backup is to be restored."""

    name: str | None = None
    """None: the newest."""
    version_gap: int = DEFAULT_VERSION_GAP
    """How far every dataset's counter is raised."""
    accept_losses: bool = False
    """Restore although objects are damaged or missing: their documents come without them."""


def restore_backup(
    platform: Platform, root: Path, wishes: Wishes, *, tell: Tell = lambda _line: None
) -> RestoreReport:
    """Fill an empty platform from a backup, or go on with that.

    Raises:
        LedgerNotEmptyError, LakeNotEmptyError: the platform is not empty.
        DamagedBackupError: files of the backup are not what was written; it names them.
        BackupError: the backup is not for this platform.
        TransientError: a server did not answer: give the same command again.
    """
    started = time.monotonic()
    with BackupFolder.for_reading(root) as folder:
        index = folder.index(_chosen(folder, wishes.name), _OTHER_BACKUP)
        work = _Work(platform, folder, index, wishes, tell)
        work.require_fit()
        damages = Damages()
        restore_id = work.begin()
        returned = work.return_objects(damages)
        migrations = work.fill()
        ended = work.answer()
        platform.ledger.end_restore(restore_id)
    return RestoreReport(
        folder=folder.root,
        name=index.name,
        taken_at=index.taken_at,
        documents={name: index.files[file_of(name)].lines for name in _FILLED},
        objects_restored=returned.objects,
        objects_there_already=returned.there_already,
        size_bytes=returned.size_bytes,
        batches_ended=ended,
        version_gap=wishes.version_gap,
        migrations=migrations,
        losses=tuple(damages.first),
        losses_count=damages.count,
        seconds=time.monotonic() - started,
    )


def _chosen(folder: BackupFolder, name: str | None) -> str:
    names = folder.names()
    if not names:
        raise BackupFolderError(f"{folder.root} holds no backup that was finished.")
    if name is not None and name not in names:
        raise BackupFolderError(
            f"{folder.root} has no backup {name}; it has {', '.join(names[-5:])}."
        )
    return name or names[-1]


class _Work:
    def __init__(
        self,
        platform: Platform,
        folder: BackupFolder,
        index: BackupIndex,
        wishes: Wishes,
        tell: Tell,
    ) -> None:
        self._ledger = platform.ledger
        self._platform = platform
        self._folder = folder
        self._index = index
        self._wishes = wishes
        self._tell = tell
        self._is_new = False
        self._objects = Returning(folder, index, platform.vault, platform.lake_bucket)
        self._reason = (
            f"The platform was restored from the backup of {index.taken_at:%Y-%m-%d %H:%M:%S}Z. "
            "This was at work then, and what became of it later is not in the backup."
        )

    def require_fit(self) -> None:
        """What can be said before anything is read."""
        index = self._index
        unknown = sorted(set(index.migrations) - {step.id for step in STEPS})
        if unknown:
            raise NewerBackupError(index.name, index.release, unknown)
        if index.lake_bucket != self._platform.lake_bucket:
            raise OtherLakeError(index.name, index.lake_bucket, self._platform.lake_bucket)

    def begin(self) -> str:
        """Look the backup over, then claim the platform; returns the restore's id."""
        self._is_new = self._ledger.restore_under_way() is None
        if self._is_new:
            self._require_empty_lake()
        files, missing = Damages(), Damages()
        if not check_files(self._folder, self._index, files):
            raise DamagedBackupError(self._folder.root, files.first, files.count, _OTHER_COPY)
        self._objects.look(missing)
        self._judge(missing, _OTHER_COPY + " Or add --accept-losses: all but these is restored.")
        index = self._index
        begun = self._ledger.begin_restore(
            Restore(
                id=sha256_of_file(self._folder.backup(index.name) / INDEX),
                backup=index.name,
                taken_at=index.taken_at,
                version_gap=self._wishes.version_gap,
                begun_at=self._ledger.server_now(),
            )
        )
        return begun.id

    def return_objects(self, damages: Damages) -> Returned:
        self._tell(f"Restoring {self._index.objects:,} objects.")
        returned = self._objects.put_back(damages, self._tell, lake_is_empty=self._is_new)
        self._judge(damages, _GO_ON)
        return returned

    def fill(self) -> tuple[str, ...]:
        """All documents, brought to this release's shape and to rest."""
        self._tell("Restoring the ledger.")
        self._ledger.accept_older_shapes(
            [item for page in self._pages("migrations") for item in page]
        )
        for name in _FILLED:
            for page in self._pages(name):
                self._ledger.put_back(name, page)
        migrations = self._ledger.bring_up_to_date()
        self._require_all()
        self._ledger.revive(self._reason, self._wishes.version_gap)
        return migrations

    def answer(self) -> int:
        """Every batch has its answer in the bucket; returns how many were ended by the restore."""
        ended = 0
        for batch in self._ledger.batches_that_failed_of(self._reason):
            answer_failure(self._platform, batch)
            ended += 1
        while unsettled := self._ledger.unsettled():
            for batch in unsettled:
                settle(self._platform, batch)
        return ended

    def _pages(self, name: str) -> Iterator[list[BsonDocument]]:
        record = self._index.files[file_of(name)]
        return pages_of(self._folder.backup(self._index.name) / file_of(name), record)

    def _require_empty_lake(self) -> None:
        bucket = self._platform.lake_bucket
        for found in self._platform.vault.list_objects(bucket):
            raise LakeNotEmptyError(bucket, found.key)

    def _require_all(self) -> None:
        for name in ("assets", "batches", "datasets", "runs"):
            there, wanted = self._ledger.count(name), self._index.files[file_of(name)].lines
            if there != wanted:
                raise BackupError(
                    f"The ledger has {there} documents in {name!r}, and the backup {wanted}: "
                    "something else writes to this database. Nothing is visible; stop that, empty "
                    "the database and the lake, and restore again."
                )

    def _judge(self, damages: Damages, cure: str) -> None:
        if damages.count and not self._wishes.accept_losses:
            raise DamagedBackupError(self._folder.root, damages.first, damages.count, cure)
