"""Finds numbers and dates in text formats that GDAL turns into others without a word; the child's.

30 February becomes 2 March, an integer of 20 digits the largest of 64 bits, and a point with one
coordinate that is NaN an empty one.
"""

from __future__ import annotations

import calendar
import datetime as dt
import re
from collections.abc import Iterator
from pathlib import Path

_CHUNK_BYTES = 2**23
_LONGEST_BYTES = 1024
_DATE = re.compile(rb"(?<!\d)(\d{4})[-/](?:02[-/](29|3[01])|(?:0[469]|11)[-/]31)(?!\d)")
_INTEGER = re.compile(rb"(?<![\w.+-])[+-]?\d{19,}(?![\w.])")
_NO_NUMBER = re.compile(rb"\[\s*-?(?:NaN|Infinity)\b|[\d.]\s*,\s*-?(?:NaN|Infinity)\s*[,\]]")
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)


def impossible_date(path: str) -> str | None:
    """The first date that no calendar has, `2021-02-30` say, wherever in the text it stands."""
    for part in parts_of(path):
        for found in _DATE.finditer(part):
            if found[2] != b"29" or not calendar.isleap(int(found[1])):
                return found[0].decode()
    return None


def integer_beyond_64_bits(path: str) -> str | None:
    """The first integer that 64 bits cannot hold."""
    for part in parts_of(path):
        for found in _INTEGER.finditer(part):
            digits = found[0].decode()
            if len(digits) > 40 or not -(2**63) <= int(digits) < 2**63:
                return digits[:40]
    return None


def coordinate_that_is_no_number(path: str) -> bool:
    """Whether an array of a JSON file has NaN or Infinity in it."""
    if not any(_NO_NUMBER.search(part) for part in parts_of(path)):
        return False
    # Perhaps in a text only: now it is worth the while to leave texts out.
    return _NO_NUMBER.search(_STRING.sub(b'""', Path(path).read_bytes())) is not None


def is_in_no_calendar(text: bytes) -> bool:
    """Of `2021-02-30` or `2021-02-30T00:00:00`: whether there is no such day, or time of day."""
    try:
        dt.datetime.fromisoformat(text.decode())
    except ValueError:
        return True
    return False


def parts_of(path: str) -> Iterator[bytes]:
    """The file in pieces that overlap, so that nothing is cut in two."""
    with Path(path).open("rb") as file:
        before = b""
        while chunk := file.read(_CHUNK_BYTES):
            yield before + chunk
            before = chunk[-_LONGEST_BYTES:]
