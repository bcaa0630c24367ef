"""The lake's objects into the folder: only those that are not there, each hashed on its way."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from libs.backup.damages import Damages
from libs.backup.errors import NoRoomError
from libs.backup.files import Lines, lines_of, move_in
from libs.backup.folder import BackupFolder
from libs.backup.index import FileRecord, StoredObject
from libs.backup.parallel import each
from libs.backup.progress import Ticker
from libs.vault import ObjectMissingError, Vault

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)


@dataclass
class Copied:
    """How far it came."""

    objects: int = 0
    size_bytes: int = 0
    losses: Damages = field(default_factory=Damages)


def stored_objects(path: Path, wanted: FileRecord) -> Iterator[StoredObject]:
    """The objects that a backup names; raises as `lines_of` does."""
    for line in lines_of(path, wanted):
        yield StoredObject.model_validate_json(line)


@dataclass(frozen=True)
class Copying:
    """From one lake into one folder."""

    vault: Vault
    bucket: str
    folder: BackupFolder
    min_free_bytes: int

    def require_room(self, objects: Iterator[StoredObject]) -> None:
        """See that what is to be copied fits on the disk; raises `NoRoomError`."""
        missing = sum(item.size_bytes for item in objects if not self._is_there(item))
        free = shutil.disk_usage(self.folder.root).free
        if free - missing < self.min_free_bytes:
            raise NoRoomError(self.folder.root, free, missing, self.min_free_bytes)

    def copy(
        self, objects: Iterator[StoredObject], losses: Lines, tell: Callable[[str], None]
    ) -> Copied:
        """Copy what is missing. An object that the lake does not give whole is a loss, no error:
        the others are wanted all the more."""
        copied, ticker = Copied(), Ticker(tell)
        missing = (item for item in objects if not self._is_there(item))
        for item, what in each(missing, self._copy):
            if what is None:
                copied.objects += 1
                copied.size_bytes += item.size_bytes
            else:
                losses.add(copied.losses.add(item.key, what).model_dump_json())
            ticker.tell(f"{copied.objects:,} objects copied, {copied.size_bytes:,} bytes")
        return copied

    def _is_there(self, item: StoredObject) -> bool:
        try:
            return self.folder.object(item.key).stat().st_size == item.size_bytes
        except FileNotFoundError:
            return False

    def _copy(self, item: StoredObject) -> str | None:
        """None: it is in the folder now; otherwise what is wrong with it in the lake."""
        part = self.folder.incoming / item.metadata["mongodb_doc_id"]
        try:
            got = self.vault.fetch_file(self.bucket, item.key, etag=None, target=part)
            if got.sha256 != item.sha256:
                part.unlink()
                return f"has SHA-256 {got.sha256} in the lake, and {item.sha256} was committed."
            move_in(part, self.folder.object(item.key))
        except ObjectMissingError:
            return "is not in the lake."
        except OSError as error:
            if error.errno not in _NO_ROOM:
                raise
            free = shutil.disk_usage(self.folder.root).free
            wanted = item.size_bytes
            raise NoRoomError(self.folder.root, free, wanted, self.min_free_bytes) from error
        return None
