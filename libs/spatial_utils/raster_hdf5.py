"""Finds out whether an HDF5 file shows pixels of other files; reading them is GDAL's business.

A virtual dataset's parts lie in other files. Where these are out of reach, as they are for us, the
HDF5 library hands out fill values in their place, without a word. Which files they are stands in
the file's global heap (HDF5 File Format Specification, "Global Heap" and "Virtual Dataset").
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterator
from pathlib import Path

from libs.spatial_utils.errors import UnreadableFileError

_COLLECTION = b"GCOL\x01\0\0\0"
_SAME_FILE = b"."
_MOST_NAME_BYTES = 4096
_SELECTIONS = range(4)


def refuse_virtual_datasets(path: Path, about: str) -> None:
    """Raise `UnreadableFileError` where a dataset of the file is made of other files' data."""
    if not path.stat().st_size:
        return
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        for block in _heap_objects(data):
            source = _source_of_mapping(block)
            if source not in (None, _SAME_FILE):
                raise UnreadableFileError(
                    about,
                    f"pixels of it lie in another file ({str(source)[2:-1]:.200}), which is never "
                    "opened.",
                    "Copy the data into one file: nccopy or h5repack does it.",
                )


def _heap_objects(data: mmap.mmap) -> Iterator[bytes]:
    """The objects of every collection; one that is not made as it must be ends its collection."""
    start = data.find(_COLLECTION)
    while start >= 0:
        head = data[start + 8 : start + 16]
        end = min(len(data), start + struct.unpack("<Q", head)[0]) if len(head) == 8 else start
        at = start + 16
        while at + 16 <= end:
            index, _, _, size = struct.unpack("<HHIQ", data[at : at + 16])
            if index == 0 or at + 16 + size > end:
                break
            yield data[at + 16 : at + 16 + size]
            at += 16 + (size + 7) // 8 * 8
        start = data.find(_COLLECTION, start + 8)


def _source_of_mapping(block: bytes) -> bytes | None:
    """The first file that a virtual dataset's list of parts names; None: it is no such list."""
    if len(block) < 20 or block[0] > 1:
        return None
    (count,) = struct.unpack("<Q", block[1:9])
    names = block[9 + block[0] :].split(b"\0", 2)
    if not 0 < count < 2**32 or len(names) < 3 or not 0 < len(names[0]) <= _MOST_NAME_BYTES:
        return None
    kind = names[2][:4]
    if not names[1] or len(kind) < 4 or struct.unpack("<I", kind)[0] not in _SELECTIONS:
        return None
    return names[0]
