"""Looks at XML before GDAL does: whether it is whole, and what in it leads elsewhere; the child's.

What GDAL makes of the rest is `vector_gml`'s and `vector_kml`'s business.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from xml.parsers import expat

from libs.spatial_utils.vector_gml import SEPARATOR, GmlWatch
from libs.spatial_utils.vector_kml import KmlWatch
from libs.spatial_utils.vector_wire import FileProblemError

_CHUNK_BYTES = 2**16
_MOST_LEVELS = 1000


@dataclass(frozen=True)
class XmlLook:
    """What was seen."""

    notes: tuple[str, ...] = ()
    """On what is left aside."""
    gml: GmlWatch | None = None
    """What there is in a GML file."""


def look_at_xml(path: str, *, is_gml: bool) -> XmlLook:
    """Raises `FileProblemError` for XML that is not whole.

    Or has a document type: that defines entities, and GDAL leaves out what one stands for, or all
    the rest of a file whose entities grow too large, without a word. No schema of GML or KML asks
    for one. Of a file that ends too early GDAL takes what is there. Of GML, also features with two
    geometries; of KML, one that has nothing but links to others.
    """
    parser = expat.ParserCreate(namespace_separator=SEPARATOR)
    watch = GmlWatch() if is_gml else KmlWatch(parser)
    elements = _Elements(watch)
    parser.StartElementHandler = elements.start
    parser.EndElementHandler = elements.end
    parser.StartDoctypeDeclHandler = _doctype
    try:
        with Path(path).open("rb") as file:
            while chunk := file.read(_CHUNK_BYTES):
                parser.Parse(chunk)
            parser.Parse(b"", True)
    except (expat.ExpatError, LookupError, ValueError) as error:
        # The latter two: an encoding that Python does not know, or that has no single bytes.
        raise FileProblemError(
            f"it is not whole XML: {error}.", "Export the file anew, in UTF-8."
        ) from error
    return XmlLook(gml=watch) if isinstance(watch, GmlWatch) else XmlLook(notes=watch.notes())


class _Elements:
    """Takes expat's calls."""

    def __init__(self, watch: GmlWatch | KmlWatch) -> None:
        self._watch = watch
        self._depth = 0

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        self._depth += 1
        if self._depth > _MOST_LEVELS:
            raise FileProblemError(
                f"its elements are nested deeper than {_MOST_LEVELS} levels.",
                "Export it with fewer folders in folders.",
            )
        self._watch.start(name, attributes)

    def end(self, name: str) -> None:
        self._depth -= 1
        self._watch.end(name)


def _doctype(*_: object) -> None:
    raise FileProblemError(
        "it has a document type definition (<!DOCTYPE …>), which is not accepted.",
        "Remove it, and write out the entities that it defines.",
    )
