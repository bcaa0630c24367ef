"""In which reference systems the geometries of a GML file are; part of the child.

GDAL hands out all coordinates of a layer as one column: where geometries say different systems, it
names none, and turns the axes of each as its own `srsName` asks. Which forms of a name mean the
same, axes included, is asked of GDAL itself, with a point.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from xml.sax.saxutils import quoteattr

import pyogrio

from libs.spatial_utils.vector_wire import FileProblemError

_MOST_NAMES = 20
_POINT = """<c:C xmlns:c="urn:c" xmlns:gml="http://www.opengis.net/gml/3.2"><gml:featureMember>
<c:p><c:g><gml:Point srsName={}><gml:pos>1 2</gml:pos></gml:Point></c:g></c:p>
</gml:featureMember></c:C>"""


@dataclass
class _Names:
    """What the geometries of one kind of feature say."""

    said: dict[str, None] = field(default_factory=dict)
    """Every name, in the order of the file."""
    some_bare: bool = False
    """A geometry has none, and neither has its feature."""
    some_unheeded: bool = False
    """A geometry's name stands where GDAL does not look: in its parts, or with its feature."""

    def add(self, name: str) -> None:
        if len(self.said) < _MOST_NAMES:
            self.said[name] = None


class SrsNames:
    """Told of a file's geometries while it is looked at."""

    def __init__(self) -> None:
        self._by_feature: dict[str, _Names] = {}
        self._collection: str | None = None
        self._feature: str | None = None
        self._own: str | None = None
        self._parts: dict[str, None] = {}

    def collection_says(self, name: str) -> None:
        """The box of the whole file names a system, which is that of geometries without a name."""
        self._collection = self._collection or name

    def feature_says(self, name: str | None) -> None:
        """A feature's box, or (None) a feature without one that begins."""
        self._feature = name

    def geometry_begins(self, name: str | None) -> None:
        """The outermost element of a geometry, with its own name."""
        self._own, self._parts = name, {}

    def part_says(self, name: str) -> None:
        """A part of the geometry has a name of its own."""
        if len(self._parts) < _MOST_NAMES:
            self._parts[name] = None

    def geometry_ends(self, feature: str) -> None:
        """`feature` is its feature's element."""
        names = self._by_feature.setdefault(feature, _Names())
        inherited = self._own or (None if self._parts else self._feature)
        for name in (*([inherited] if inherited else []), *self._parts):
            names.add(name)
        if self._own is None:
            names.some_unheeded |= inherited is not None or bool(self._parts)
            names.some_bare |= inherited is None and not self._parts

    def of_layer(self, layer: str | None) -> tuple[str | None, tuple[str, ...]]:
        """The system of all geometries of a layer, and notes; None: what GDAL says is right.

        Raises `FileProblemError` where there is no single one.
        """
        names = self._of(layer)
        if (names.some_bare or names.some_unheeded) and self._collection:
            names.add(self._collection)
            names.some_bare = names.some_unheeded = False
        odd = names.some_bare or names.some_unheeded or self._collection not in (None, *names.said)
        if not names.said or (len(names.said) == 1 and not odd):
            return None, ()
        crs, turned = _single(list(names.said))
        if turned and (names.some_bare or names.some_unheeded):
            raise FileProblemError(
                "not every geometry in it has a `srsName` of its own, and that decides which axis "
                f"comes first: {_listed(list(names.said))} is not in its outermost element.",
                "Give the outermost element of each geometry its `srsName`.",
            )
        if not names.some_bare:
            return crs, ()
        return crs, (f"Geometries without a srsName were taken to be in {next(iter(names.said))}.",)

    def _of(self, layer: str | None) -> _Names:
        """Those of the layer's features; of all, where GDAL calls the layer otherwise."""
        chosen = [name for name in (layer or "", "") if name in self._by_feature]
        every = _Names()
        for name in chosen if layer in chosen else self._by_feature:
            one = self._by_feature[name]
            every.some_bare |= one.some_bare
            every.some_unheeded |= one.some_unheeded
            for said in one.said:
                every.add(said)
        return every


def _single(names: list[str]) -> tuple[str | None, bool]:
    """What all names mean: the system as GDAL calls it, and whether its axes are turned."""
    meant = {name: _as_gdal_reads(name) for name in names}
    if len({(crs or name) for name, (crs, _) in meant.items()}) > 1:
        raise FileProblemError(
            f"its geometries are in different reference systems: {_listed(names)}.",
            "Submit one file for each reference system, or transform all to one before.",
        )
    if len({turned for _, turned in meant.values()}) > 1:
        raise FileProblemError(
            "its geometries name one reference system in forms that differ in which axis comes "
            f"first: {_listed(names)}.",
            "Use one form of `srsName` for all geometries, with coordinates in its order.",
        )
    return meant[names[0]]


def _as_gdal_reads(name: str) -> tuple[str | None, bool]:
    path = Path(os.environ["TMPDIR"]) / "srs_name.gml"
    path.write_text(_POINT.format(quoteattr(name)), "utf-8")
    try:
        info = pyogrio.read_info(str(path), force_total_bounds=True)
    finally:
        # GDAL leaves a description beside it, which it would take for that of the next point.
        path.with_suffix(".gfs").unlink(missing_ok=True)
    return info["crs"], info["total_bounds"][0] == 2


def _listed(names: list[str]) -> str:
    shown = ", ".join(repr(name[:100]) for name in names[:5])
    return shown if len(names) <= 5 else f"{shown} and more"
