"""Documents as lines of canonical Extended JSON and back: every type of BSON survives."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timezone
from pathlib import Path

from bson import json_util
from bson.json_util import JSONMode, JSONOptions

from libs.backup.files import lines_of
from libs.backup.index import FileRecord
from libs.ledger.codec import BsonDocument

_CANONICAL = JSONOptions(json_mode=JSONMode.CANONICAL, tz_aware=True, tzinfo=timezone.utc)
_PAGE_DOCUMENTS = 100
_PAGE_CHARACTERS = 4_000_000


def to_line(document: BsonDocument) -> str:
    """One line."""
    return json_util.dumps(document, json_options=_CANONICAL)


def pages_of(path: Path, wanted: FileRecord) -> Iterator[list[BsonDocument]]:
    """A file's documents, some at a time; raises as `lines_of` does."""
    page: list[BsonDocument] = []
    size = 0
    for line in lines_of(path, wanted):
        page.append(json_util.loads(line, json_options=_CANONICAL))
        size += len(line)
        if len(page) >= _PAGE_DOCUMENTS or size >= _PAGE_CHARACTERS:
            yield page
            page, size = [], 0
    if page:
        yield page
