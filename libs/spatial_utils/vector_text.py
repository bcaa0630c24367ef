"""Looks at text formats for what GDAL passes over in silence; part of the child."""

from __future__ import annotations

import os
import re
from pathlib import Path

from libs.spatial_utils.vector_wire import FileProblemError

_LARGE_CHUNK_BYTES = 2**23
_TAIL_BYTES = 4096
_LONGEST_RUN_BYTES = 256
_FAR_FROM_ZERO = re.compile(rb"[:\[,]\s*(?:-\d{19}|\d{20})")
_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")


def look_at_json(path: str) -> tuple[str, ...]:
    """Notes on what GDAL will change; raises `FileProblemError` for a NUL, where it cuts a text."""
    notes: tuple[str, ...] = ()
    with Path(path).open("rb") as file:
        before = b""
        while chunk := file.read(_LARGE_CHUNK_BYTES):
            part = before + chunk
            if b"\\u0000" in part and _NUL.search(part):
                raise FileProblemError(
                    "a text in it has a NUL character (\\u0000).",
                    "Remove it: no database holds NUL in a text.",
                )
            if not notes and _FAR_FROM_ZERO.search(part):
                notes = (
                    "Integers below -10^18 or above 10^19 are read as floating-point numbers.",
                )
            before = chunk[-_LONGEST_RUN_BYTES:]
    return notes


def refuse_cut_lines(path: str) -> None:
    """Raise `FileProblemError` for JSON lines the last of which has no end.

    GDAL closes the brackets of a feature that was cut off, and hands out what is there of it.
    """
    with Path(path).open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - _TAIL_BYTES))
        tail = file.read().rstrip(b" \t\r\n\x1e\0")
    if tail and not tail.endswith(b"}"):
        raise FileProblemError(
            "its last line is no whole feature: the file was cut off.", "Export the file anew."
        )


def refuse_cut_table(path: str) -> None:
    """Raise `FileProblemError` for a CSV file whose last line has no end and too few fields."""
    with Path(path).open("rb") as file:
        head = file.readline(_TAIL_BYTES)
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - _TAIL_BYTES))
        last = file.read().rpartition(b"\n")[2]
    separator = max((b",", b";", b"\t", b"|"), key=head.count)
    # A quotation mark may belong to a text of several lines, whose other fields are further up.
    if last.strip() and b'"' not in last and last.count(separator) < head.count(separator):
        raise FileProblemError(
            "its last line has no end and too few fields: the file was cut off.",
            "Export the file anew.",
        )
