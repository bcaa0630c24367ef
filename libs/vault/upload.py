"""How a file is cut for its upload, and how progress is told; sends nothing itself."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime

PART_BYTES = 16 * 2**20
"""Of a multipart upload; one part is in memory at a time. Sent one after the other, which was
measured to be faster on the embedded store than three at a time, and stops at the first failure."""
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
