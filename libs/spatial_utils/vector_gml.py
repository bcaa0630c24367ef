"""Keeps GDAL from changing the geometries of a GML file; part of the child.

It does that twice. Of a feature with two geometries, it keeps the last one when it knows no schema.
And where the schema declares polygons, it makes a polygon of each multi-polygon, with all other
parts as its holes; the files that GDAL itself writes from shapefiles are like that.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from libs.spatial_utils.vector_wire import FileProblemError

_MEMBERS = frozenset({"featureMember", "featureMembers", "member"})
_GEOMETRIES = frozenset(
    f"{multi}{kind}"
    for multi in ("", "Multi")
    for kind in ("Point", "LineString", "Polygon", "Curve", "Surface", "Geometry", "Solid")
) | {"CompositeCurve", "CompositeSurface", "OrientableCurve", "PolyhedralSurface", "Tin"}
_KINDS = rb"(?:Multi)?(?:Point|LineString|Polygon|Curve|Surface|Geometry|Solid)"
_COMMENT = re.compile(rb"<!--.*?-->", re.DOTALL)
_PROPERTY_TYPE = re.compile(rb"(?<=[\"'])([\w.-]*:?)" + _KINDS + rb"PropertyType(?=[\"'])")
_PROPERTY_ELEMENT = re.compile(
    rb"ref=[\"']([\w.-]*:)((?i:" + _KINDS + rb"|position|centerOf|extentOf)(?:Property)?)[\"']"
)
SEPARATOR = " "
"""Between the namespace and the name of an element, as expat is to give them."""


class GeometryCounter:
    """Takes expat's calls; raises `FileProblemError` at the first feature with two geometries."""

    def __init__(self) -> None:
        self._path: list[str] = []
        self._feature_depth: int | None = None
        self._properties: list[str] = []

    def start(self, name: str, _attributes: object) -> None:
        """An element begins."""
        namespace, _, local = name.rpartition(SEPARATOR)
        depth, feature = len(self._path), self._feature_depth
        if feature is None and self._path and self._path[-1] in _MEMBERS:
            self._feature_depth, self._properties = depth, []
        elif (
            feature is not None
            and depth == feature + 2
            and "/gml" in namespace
            and local in _GEOMETRIES
        ):
            self._count(self._path[-1])
        self._path.append(local)

    def end(self, _name: str) -> None:
        """An element ends."""
        self._path.pop()
        if len(self._path) == self._feature_depth:
            self._feature_depth = None

    def _count(self, geometry_property: str) -> None:
        if geometry_property not in self._properties:
            self._properties.append(geometry_property)
        if len(self._properties) > 1:
            names = ", ".join(map(repr, self._properties))
            raise FileProblemError(
                f"a feature of it has {len(self._properties)} geometry columns: {names}.",
                "Submit features with a single one.",
            )


def schema_without_geometry_types(path: str) -> str | None:
    """A copy of the schema beside the file whose properties may hold any geometry; None: no schema.

    It lies in the folder for temporary files.
    """
    schema = Path(path).with_suffix(".xsd")
    if not schema.is_file():
        return None
    # A comment `restricted to Polygon`, as GDAL writes it, counts for GDAL as much as a type.
    text = _COMMENT.sub(b"", schema.read_bytes())
    text = _PROPERTY_TYPE.sub(rb"\1GeometryPropertyType", text)
    text = _PROPERTY_ELEMENT.sub(rb'name="\2" type="\1GeometryPropertyType"', text)
    copy = Path(os.environ["TMPDIR"]) / schema.name
    copy.write_bytes(text)
    return str(copy)
