"""Looks at XML before GDAL does: whether it is whole, and what in it leads elsewhere; the child's.

What GDAL makes of a GML file's geometries is `vector_gml`'s business.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from xml.parsers import expat

from libs.spatial_utils.vector_gml import SEPARATOR, GmlWatch
from libs.spatial_utils.vector_wire import FileProblemError

_CHUNK_BYTES = 2**16
_MOST_LEVELS = 1000
_KML_FEATURES = frozenset({"Placemark", "GroundOverlay", "ScreenOverlay", "PhotoOverlay"})


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
    elements = _Elements(GmlWatch() if is_gml else None)
    parser = expat.ParserCreate(namespace_separator=SEPARATOR)
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
    if elements.gml is not None:
        return XmlLook(gml=elements.gml)
    return XmlLook(notes=elements.links_of_kml())


class _Elements:
    """Takes expat's calls."""

    def __init__(self, gml: GmlWatch | None) -> None:
        self.gml = gml
        self._depth = 0
        self._links = self._features = 0

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        self._depth += 1
        if self._depth > _MOST_LEVELS:
            raise FileProblemError(
                f"its elements are nested deeper than {_MOST_LEVELS} levels.",
                "Export it with fewer folders in folders.",
            )
        if self.gml is not None:
            self.gml.start(name, attributes)
            return
        local = name.rpartition(SEPARATOR)[2]
        self._links += local == "NetworkLink"
        self._features += local in _KML_FEATURES

    def end(self, name: str) -> None:
        self._depth -= 1
        if self.gml is not None:
            self.gml.end(name)

    def links_of_kml(self) -> tuple[str, ...]:
        """A note on what was not fetched."""
        if self._links and not self._features:
            raise FileProblemError(
                f"it has no feature, only {self._links} NetworkLink(s) to other files, which are "
                "never fetched.",
                "Submit the file that the link leads to.",
            )
        if self._links:
            return (f"{self._links} NetworkLink(s) to other files were not followed.",)
        return ()


def _doctype(*_: object) -> None:
    raise FileProblemError(
        "it has a document type definition (<!DOCTYPE …>), which is not accepted.",
        "Remove it, and write out the entities that it defines.",
    )
