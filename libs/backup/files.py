"""Files that stay: written through to the disk, hashed as they are written and as they are read."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from libs.backup.errors import BackupFolderError
from libs.backup.index import FileRecord


def sync_folder(folder: Path) -> None:
    """What was made, renamed or removed in it stays so after a loss of power."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_file(path: Path) -> None:
    """Its bytes stay after a loss of power."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


def make_folders(folder: Path) -> None:
    """The folder and those above it, each of them there to stay."""
    missing = []
    while not folder.is_dir():
        missing.append(folder)
        folder = folder.parent
    for part in reversed(missing):
        part.mkdir(mode=0o700, exist_ok=True)  # another thread may be as quick
        sync_folder(part.parent)


def move_in(source: Path, target: Path) -> None:
    """Give a finished file its name, for good; what had that name is gone."""
    sync_file(source)
    make_folders(target.parent)
    source.replace(target)
    sync_folder(target.parent)


class Lines:
    """A file of lines that is being written."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._digest = hashlib.sha256()
        self._lines = 0
        self._size = 0

    def add(self, line: str) -> None:
        """One more line, without its end."""
        data = line.encode() + b"\n"
        self._file.write(data)
        self._digest.update(data)
        self._lines += 1
        self._size += len(data)

    @property
    def record(self) -> FileRecord:
        """What was written so far."""
        return FileRecord(lines=self._lines, size_bytes=self._size, sha256=self._digest.hexdigest())


@contextmanager
def new_lines(path: Path) -> Iterator[Lines]:
    """A new file, on the disk when the block has ended."""
    with path.open("xb") as file:
        path.chmod(0o600)
        yield Lines(file)
        file.flush()
        os.fsync(file.fileno())


def lines_of(path: Path, wanted: FileRecord) -> Iterator[str]:
    """The lines of a file that is what `wanted` says; raises after the last one when it is not.

    So nobody may believe a line before the end has come without an error.
    """
    digest = hashlib.sha256()
    with path.open("rb") as file:
        for line in file:
            digest.update(line)
            yield line.decode()
    if digest.hexdigest() != wanted.sha256:
        raise BackupFolderError(
            f"{path} changed while it was used: its SHA-256 is not the one in the index. "
            "`spatial-etl backup FOLDER --check` says what else is damaged."
        )
