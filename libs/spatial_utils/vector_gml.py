"""Keeps GDAL from changing the geometries of a GML file; part of the child.

It does that twice. Of a feature with two geometries, it keeps the last one when it knows no schema.
And where the schema declares polygons, it makes a polygon of each multi-polygon, with all other
parts as its holes; the files that GDAL itself writes from shapefiles are like that.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from libs.spatial_utils.vector_gml_attributes import Attributes
from libs.spatial_utils.vector_gml_crs import SrsNames
from libs.spatial_utils.vector_wire import FileProblemError

_MEMBERS = frozenset({"featureMember", "featureMembers", "member"})
_GEOMETRIES = frozenset(
    f"{multi}{kind}"
    for multi in ("", "Multi")
    for kind in ("Point", "LineString", "Polygon", "Curve", "Surface", "Geometry", "Solid")
) | {"CompositeCurve", "CompositeSurface", "OrientableCurve", "PolyhedralSurface", "Tin"}
_BOXES = frozenset({"Envelope", "Box"})
_KINDS = rb"(?:Multi)?(?:Point|LineString|Polygon|Curve|Surface|Geometry|Solid)"
_COMMENT = re.compile(rb"<!--.*?-->", re.DOTALL)
_PROPERTY_TYPE = re.compile(rb"(?<=[\"'])([\w.-]*:?)" + _KINDS + rb"PropertyType(?=[\"'])")
_PROPERTY_ELEMENT = re.compile(
    rb"ref=[\"']([\w.-]*:)((?i:" + _KINDS + rb"|position|centerOf|extentOf)(?:Property)?)[\"']"
)
SEPARATOR = " "
"""Between the namespace and the name of an element, as expat is to give them."""


class GmlWatch:
    """Takes expat's calls; raises `FileProblemError` at the first feature with two geometries.

    Tells `srs_names` of every geometry, and `attributes` of every attribute that may be data.
    """

    def __init__(self) -> None:
        self.srs_names = SrsNames()
        self.attributes = Attributes()
        self._path: list[str] = []
        self._feature_depth: int | None = None
        self._geometry_depth: int | None = None
        self._properties: list[str] = []

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        """An element begins."""
        if self._geometry_depth is not None:  # most elements: nothing else matters in there
            if attributes and "srsName" in attributes:
                self.srs_names.part_says(attributes["srsName"])
            self._path.append(name)
            return
        namespace, _, local = name.rpartition(SEPARATOR)
        if self._feature_depth is None and self._path and self._path[-1] in _MEMBERS:
            self._feature_depth, self._properties = len(self._path), []
            self.srs_names.feature_says(None)
        elif "/gml" in namespace:
            self._look_at_gml(local, attributes.get("srsName"))
        self._path.append(local)
        if attributes and self._feature_depth is not None and self._geometry_depth is None:
            is_feature = len(self._path) == self._feature_depth + 1
            self.attributes.see(self._path[self._feature_depth], local, attributes, is_feature)

    def end(self, _name: str) -> None:
        """An element ends."""
        self._path.pop()
        depth = len(self._path)
        if depth == self._geometry_depth:
            self._geometry_depth = None
            feature = self._feature_depth
            self.srs_names.geometry_ends("" if feature is None else self._path[feature])
        elif depth == self._feature_depth:
            self._feature_depth = None

    def _look_at_gml(self, local: str, srs_name: str | None) -> None:
        depth, feature = len(self._path), self._feature_depth
        if local in _GEOMETRIES:
            if feature is not None and depth == feature + 2:
                self._count(self._path[-1])
            self._geometry_depth = depth
            self.srs_names.geometry_begins(srs_name)
        elif srs_name is not None and local in _BOXES and self._path[-1:] == ["boundedBy"]:
            if feature is None:
                self.srs_names.collection_says(srs_name)
            elif depth == feature + 2:
                self.srs_names.feature_says(srs_name)

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
