"""What the files of a backup are called and what its index says; reads and writes no document."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from libs.models.base import ContentHash, Frozen, Moment, VaultKey

INDEX = "index.json"
OBJECTS = "objects.jsonl"
LOSSES = "losses.jsonl"
OBJECT_SUMS = "objects.sha256"
"""For `sha256sum --check`, from within the backup's own folder."""
SUMS = "SHA256SUMS"
"""The same for the files of the backup itself."""
COLLECTIONS = ("migrations", "batches", "assets", "datasets", "runs", "restores")
"""What is backed up. Audits and locks are of the platform that was, and are left behind."""


def file_of(collection: str) -> str:
    """The file that has a collection's documents."""
    return f"{collection}.jsonl"


class FileRecord(Frozen):
    """One file of a backup."""

    lines: int = Field(ge=0)
    size_bytes: int = Field(ge=0)
    sha256: ContentHash


class StoredObject(Frozen):
    """One object of the lake, with all that is needed to put it back: a line of `objects.jsonl`."""

    key: VaultKey
    size_bytes: int = Field(ge=0)
    sha256: ContentHash
    content_type: str
    metadata: dict[str, str]


class BackupIndex(Frozen):
    """A backup's `index.json`, written last: what has one is whole."""

    format: Literal[1] = 1
    name: str
    release: str
    """Of the program that took it."""
    taken_at: Moment
    ended_at: Moment
    ledger_since: Moment
    """When that ledger got its first shape: two ledgers differ in it, and a restore keeps it."""
    ledger_address: str
    ledger_database: str
    lake_bucket: str
    migrations: tuple[str, ...]
    """The level of the documents' shape."""
    files: dict[str, FileRecord]
    objects: int = Field(ge=0)
    objects_bytes: int = Field(ge=0)
    losses: int = Field(ge=0)
    """Objects that the lake did not give whole: `losses.jsonl` names them."""

    def documents(self) -> dict[str, int]:
        """How many documents of each collection."""
        return {name: self.files[file_of(name)].lines for name in COLLECTIONS}
