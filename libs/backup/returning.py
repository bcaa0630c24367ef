"""A backup's objects back into the lake, each hashed before it is sent."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from libs.backup.check import fault_of
from libs.backup.copying import stored_objects
from libs.backup.damages import Damages
from libs.backup.folder import BackupFolder
from libs.backup.index import OBJECTS, BackupIndex, StoredObject
from libs.backup.parallel import each
from libs.backup.progress import Tell, Ticker
from libs.vault import Vault

_THERE_ALREADY = "is there"


@dataclass
class Returned:
    """How far it came."""

    objects: int = 0
    size_bytes: int = 0
    there_already: int = 0


@dataclass(frozen=True)
class Returning:
    """From one backup into one lake."""

    folder: BackupFolder
    index: BackupIndex
    vault: Vault
    bucket: str

    def look(self, damages: Damages) -> None:
        """See that every object is in the folder, by its size; reads none."""
        for item in self._objects():
            path = self.folder.object(item.key)
            fault = fault_of(path, item, read=False)
            if fault is not None:
                damages.add(self.folder.below(path), fault)

    def put_back(self, damages: Damages, tell: Tell, *, lake_is_empty: bool) -> Returned:
        """Store each object with its metadata. One that is damaged is named, and left out.

        An object that is in the lake already was put there whole by a try that was broken off.
        """
        returned, ticker = Returned(), Ticker(tell)

        def act(item: StoredObject) -> str | None:
            if not lake_is_empty and self._is_there(item):
                return _THERE_ALREADY
            fault = fault_of(self.folder.object(item.key), item, read=True)
            if fault is None:
                self._put(item)
            return fault

        for item, what in each(self._objects(), act):
            if what == _THERE_ALREADY:
                returned.there_already += 1
            elif what is None:
                returned.objects += 1
                returned.size_bytes += item.size_bytes
            else:
                damages.add(self.folder.below(self.folder.object(item.key)), what)
            ticker.tell(f"{returned.objects:,} objects restored, {returned.size_bytes:,} bytes")
        return returned

    def _objects(self) -> Iterator[StoredObject]:
        path = self.folder.backup(self.index.name) / OBJECTS
        return stored_objects(path, self.index.files[OBJECTS])

    def _is_there(self, item: StoredObject) -> bool:
        found = self.vault.stat(self.bucket, item.key)
        return (
            found is not None
            and found.size_bytes == item.size_bytes
            and found.metadata == item.metadata
        )

    def _put(self, item: StoredObject) -> None:
        self.vault.put_file(
            self.bucket,
            item.key,
            self.folder.object(item.key),
            metadata=item.metadata,
            content_type=item.content_type,
        )
