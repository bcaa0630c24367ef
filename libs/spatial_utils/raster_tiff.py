"""Finds out whether a page of a TIFF has a mask; reading pages and masks is GDAL's business.

A mask is a directory of its own behind its page's. GDAL shows none with a page that is opened by
its number, and shows the file's first one with a file that is opened as a whole, whose page it is
or not.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from libs.spatial_utils.errors import UnreadableFileError

MAX_DIRECTORIES = 4096
MAX_ENTRIES = 4096
_NEW_SUBFILE_TYPE = 254
_REDUCED, _MASK = 1, 4
_SHORT = 3


@dataclass(frozen=True)
class _Layout:
    """How a directory is laid out: struct's letters, with the byte order before them."""

    order: str
    count: str
    offset: str
    entry_bytes: int

    def number(self, letter: str, data: bytes) -> int:
        """The first number in the data; `struct.error` where there is none."""
        (value,) = struct.unpack_from(self.order + letter, data)
        return int(value)


def has_mask(path: Path, page: int, about: str) -> bool:
    """Whether a page, counted from 1 as GDAL counts directories, has a mask of its full size.

    Raises:
        UnreadableFileError: the directories do not lead to that page.
    """
    kinds = _subfile_types(path)
    for number, _ in enumerate(kinds, start=1):
        if number == page:
            return _mask_follows(kinds)
    raise UnreadableFileError(
        about,
        f"its list of pages cannot be followed to page {page}.",
        f"Write page {page} into a file of its own, and submit that.",
    )


def _mask_follows(kinds: Iterator[int]) -> bool:
    """Whether one comes before the next page does."""
    for kind in kinds:
        if not kind & (_REDUCED | _MASK):
            return False
        if kind & _MASK and not kind & _REDUCED:
            return True
    return False


def _subfile_types(path: Path) -> Iterator[int]:
    """What each directory says that it is, up to the first that is not made as it must be."""
    with path.open("rb") as file:
        try:
            layout, at = _header(file)
            seen: set[int] = set()
            while at and at not in seen and len(seen) < MAX_DIRECTORIES:
                seen.add(at)
                kind, at = _directory(file, layout, at)
                yield kind
        except (struct.error, KeyError, ValueError, OverflowError):
            return


def _header(file: BinaryIO) -> tuple[_Layout, int]:
    """The layout, and where the first directory lies."""
    head = file.read(16)
    order = {b"II": "<", b"MM": ">"}[head[:2]]
    (version,) = struct.unpack_from(f"{order}H", head, 2)
    if version == 43:  # BigTIFF
        layout = _Layout(order, count="Q", offset="Q", entry_bytes=20)
        return layout, layout.number("Q", head[8:])
    layout = _Layout(order, count="H", offset="I", entry_bytes=12)
    return layout, layout.number("I", head[4:])


def _directory(file: BinaryIO, layout: _Layout, at: int) -> tuple[int, int]:
    """What the directory is, and where the next one lies; 0 for none."""
    file.seek(at)
    count = layout.number(layout.count, file.read(struct.calcsize(f"={layout.count}")))
    if count > MAX_ENTRIES:
        raise ValueError(f"{count} entries")
    entries = file.read(count * layout.entry_bytes)
    following = layout.number(layout.offset, file.read(struct.calcsize(f"={layout.offset}")))
    for start in range(0, len(entries), layout.entry_bytes):
        entry = entries[start : start + layout.entry_bytes]
        if layout.number("H", entry) == _NEW_SUBFILE_TYPE:
            letter = "H" if layout.number("H", entry[2:]) == _SHORT else "I"
            return layout.number(
                letter, entry[4 + struct.calcsize(f"={layout.offset}") :]
            ), following
    return 0, following
