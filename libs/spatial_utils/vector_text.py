"""Looks at text formats for what GDAL passes over in silence; part of the child."""

from __future__ import annotations

import os
import re
from pathlib import Path
from xml.parsers import expat

from libs.spatial_utils.vector_gml import SEPARATOR, GeometryCounter
from libs.spatial_utils.vector_wire import FileProblemError

_CHUNK_BYTES = 2**16
_LARGE_CHUNK_BYTES = 2**23
_TAIL_BYTES = 4096
_LONGEST_RUN_BYTES = 256
_FAR_BELOW_ZERO = re.compile(rb"[:\[,]\s*-\d{19}")
_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")


def refuse_bad_xml(path: str, *, is_gml: bool) -> None:
    """Raise `FileProblemError` for XML that is not whole, or has a document type.

    A document type defines entities, and GDAL leaves out what one stands for, or all the rest of a
    file whose entities grow too large, without a word. No schema of GML or KML asks for one. Of a
    file that ends too early it takes what is there. Of GML, also features with two geometries.
    """
    parser = expat.ParserCreate(namespace_separator=SEPARATOR)
    if is_gml:
        counter = GeometryCounter()
        parser.StartElementHandler = counter.start
        parser.EndElementHandler = counter.end
    parser.StartDoctypeDeclHandler = _doctype
    try:
        with Path(path).open("rb") as file:
            while chunk := file.read(_CHUNK_BYTES):
                parser.Parse(chunk)
            parser.Parse(b"", True)
    except expat.ExpatError as error:
        raise FileProblemError(f"it is not whole XML: {error}.", "Export the file anew.") from error


def _doctype(*_: object) -> None:
    raise FileProblemError(
        "it has a document type definition (<!DOCTYPE …>), which is not accepted.",
        "Remove it, and write out the entities that it defines.",
    )


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
            if not notes and _FAR_BELOW_ZERO.search(part):
                notes = ("Integers below -10^18 are read as floating-point numbers.",)
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
