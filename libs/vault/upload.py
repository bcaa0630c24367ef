"""How a file is cut for its upload, what is told of it on the way and after; sends nothing."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime

from minio.helpers import ObjectWriteResult

from libs.vault.objects import ObjectInfo

PART_BYTES = 16 * 2**20
"""Of a multipart upload; in memory are twice as many parts as are sent at once, and one more."""
PARTS_AT_ONCE = 3
"""1.4 GB into the embedded store, on two cores, five times in turn: 3.2 to 4.0 s with three, 3.3 to
4.4 s with two, 3.2 to 4.0 s with four. When a part fails, the SDK reads the rest of the file, and
sends none of it."""
MAX_PARTS = 10_000
"""S3's limit."""


def part_size(size_bytes: int) -> int:
    """Bytes per part; by the size alone, so that the same file always gets the same etag."""
    needed = math.ceil(size_bytes / MAX_PARTS)
    return max(PART_BYTES, math.ceil(needed / 2**20) * 2**20)


class Progress:
    """Tells a function how many more bytes have been taken, in the form that the SDK wants."""

    def __init__(self, tell: Callable[[int], None]) -> None:
        self._tell = tell

    def set_meta(self, object_name: str, total_length: int) -> None:
        """The caller knows both."""

    def update(self, length: int) -> None:
        """`length` more bytes."""
        self._tell(length)


def moment_of(http_date: str | None) -> datetime:
    """The server's clock in a response (`Date`), UTC; this machine's where there is none."""
    if http_date is None:
        return datetime.now(timezone.utc)
    return parsedate_to_datetime(http_date).astimezone(timezone.utc)


def info_of_written(
    bucket: str, key: str, written: ObjectWriteResult, size: int, metadata: Mapping[str, str]
) -> ObjectInfo:
    """What was written, from the server's own answer: a later look might see another writer's."""
    return ObjectInfo(
        bucket=bucket,
        key=key,
        etag=(written.etag or "").strip('"'),
        size_bytes=size,
        last_modified=moment_of(written.http_headers.get("date")),
        metadata={name.lower(): value for name, value in metadata.items()},
    )
