"""The ledger into files, while batches go on, so that the files fit each other.

There is no snapshot over all collections: servers end one after a minute or five, and a large
ledger takes longer. Instead the order of reading makes what was read earlier never promise what is
not there, because a committed batch and its assets never change again and never go:

- batches, then assets: the assets are asked for batch by batch, after the batch was read as
  committed. They became visible in one transaction with it, so all of them are found. An asset
  whose batch was read before its commit is left out with it. Reservations are left out always.
- assets, then datasets: a counter only grows, and it grew before an asset got its version. So a
  counter read later covers every version that is here. Which version is the newest is worked out
  again by the restore, since the dataset may name one that was committed in between.
- batches and assets, then runs: the run of each committed asset was recorded before the commit, so
  it is found. A run may tell an end of its batch that came after the batch was read; the restore
  gives it the end that the batch has.
- the migrations are read first and compared at the end: all documents are of one shape.

So a backup holds whole batches: all that were committed before it began, none committed after it
ended, and some of those in between.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from libs.backup.documents import to_line
from libs.backup.errors import BackupError
from libs.backup.files import Lines, new_lines
from libs.backup.index import COLLECTIONS, OBJECT_SUMS, OBJECTS, FileRecord, StoredObject, file_of
from libs.ledger import Ledger
from libs.ledger.codec import BsonDocument, decode
from libs.models import Asset, BatchState

_BATCHES = 25
"""At a time: a batch may carry a manifest of some megabytes."""
_OTHERS = 200


@dataclass(frozen=True)
class Dumped:
    """What was written."""

    files: dict[str, FileRecord]
    migrations: tuple[BsonDocument, ...]
    objects: int
    objects_bytes: int


def dump_ledger(ledger: Ledger, folder: Path, *, below: str) -> Dumped:
    """Write a file for each collection into `folder`, and two that list the objects.

    `below` leads from the folder to the objects. Raises `BackupError` when the ledger was migrated
    meanwhile.
    """
    names = [*map(file_of, COLLECTIONS), OBJECTS, OBJECT_SUMS]
    with ExitStack() as stack:
        files = {name: stack.enter_context(new_lines(folder / name)) for name in names}
        dump = _Dump(ledger, files, below)
        migrations = ledger.applied_migrations()
        dump.write("migrations", migrations)
        dump.batches_with_their_assets()
        for name in ("datasets", "runs", "restores"):
            for page in ledger.raw_pages(name, {}, _OTHERS):
                dump.write(name, page)
        if ledger.applied_migrations() != migrations:
            raise BackupError(
                "The ledger was brought to a newer shape while it was read, so this backup is "
                "given up. Take it again."
            )
    records = {name: lines.record for name, lines in files.items()}
    return Dumped(records, tuple(migrations), records[OBJECTS].lines, dump.objects_bytes)


class _Dump:
    def __init__(self, ledger: Ledger, files: dict[str, Lines], below: str) -> None:
        self._ledger = ledger
        self._files = files
        self._below = below
        self.objects_bytes = 0

    def write(self, collection: str, documents: Iterable[BsonDocument]) -> None:
        lines = self._files[file_of(collection)]
        for document in documents:
            lines.add(to_line(document))

    def batches_with_their_assets(self) -> None:
        for page in self._ledger.raw_pages("batches", {}, _BATCHES):
            self.write("batches", page)
            committed = BatchState.COMMITTED.value
            ids = [batch["_id"] for batch in page if batch["state"] == committed]
            for document in self._ledger.raw_assets_of(ids):
                self.write("assets", [document])
                self._list(decode(Asset, document, "assets"))

    def _list(self, asset: Asset) -> None:
        stored = StoredObject(
            key=asset.s3_key,
            size_bytes=asset.size_bytes,
            sha256=asset.content_hash,
            content_type=asset.format.media_type,
            metadata=asset.object_metadata,
        )
        self._files[OBJECTS].add(stored.model_dump_json())
        self._files[OBJECT_SUMS].add(f"{stored.sha256}  {self._below}/{stored.key}")
        self.objects_bytes += stored.size_bytes
