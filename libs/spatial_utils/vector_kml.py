"""What GDAL would lose of a KML file: data called like its own columns, or twice; the child's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from xml.parsers import expat

import pyogrio

from libs.spatial_utils.vector_drivers import KML_UNSET
from libs.spatial_utils.vector_gml import SEPARATOR
from libs.spatial_utils.vector_kml_times import KmlTimes
from libs.spatial_utils.vector_wire import FileProblemError

_FEATURES = frozenset({"Placemark", "GroundOverlay", "ScreenOverlay", "PhotoOverlay"})
_TIMES = {"when": "TimeStamp", "begin": "TimeSpan", "end": "TimeSpan"}
"""Elements of times that become columns, and the elements that they are in."""
_DATA = frozenset({"Data", "SimpleData"})
_MOST_NAMES = 10_000


class KmlWatch:
    """Takes expat's calls.

    Raises `FileProblemError` for a placemark with two data of one name, of which GDAL keeps one;
    to it, names that differ in their case are one.
    """

    def __init__(self, parser: expat.XMLParserType) -> None:
        self._parser = parser
        self._path: list[str] = []
        self._times = KmlTimes()
        self._text: list[str] = []
        self._links = self._features = 0
        self._here: dict[str, str] | None = None
        self._names: dict[str, dict[str, None]] = {}
        self._declared: set[str] = set()
        self._simple: dict[str, None] = {}

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        """An element begins."""
        local = name.rpartition(SEPARATOR)[2]
        self._path.append(local)
        if local in _FEATURES:
            self._features += 1
            self._here = {}
        elif local == "NetworkLink":
            self._links += 1
        elif local in _DATA and "name" in attributes:
            self._data(local, attributes["name"])
        elif local == "SimpleField" and "name" in attributes:
            self._declared.add(attributes["name"].lower())
        elif local in _TIMES and self._path[-2:-1] == [_TIMES[local]]:
            # Nobody hears any other text: coordinates are long.
            self._text = []
            self._parser.CharacterDataHandler = self._text.append

    def end(self, _name: str) -> None:
        """An element ends."""
        local = self._path.pop()
        if local in _FEATURES:
            self._here = None
        if local in _TIMES and self._parser.CharacterDataHandler is not None:
            self._parser.CharacterDataHandler = None
            if self._path[-2:-1] and self._path[-2] in _FEATURES:
                self._times.see("".join(self._text))

    def notes(self) -> tuple[str, ...]:
        """On what is left aside or called otherwise; gives GDAL other names for its own columns."""
        named = (*self._renamed(), *self._merged(), *self._undeclared())
        return (*self._links_left(), *named, *self._times.notes())

    def _data(self, local: str, name: str) -> None:
        lower = name.lower()
        if self._here is None:  # a folder's, which GDAL makes no column of
            return
        if lower in self._here:
            raise FileProblemError(
                f"placemark {self._features} has two data of one name, {self._here[lower]!r} and "
                f"{name!r}, of which only one can be read.",
                "Give each its own name; upper and lower case are the same there.",
            )
        self._here[lower] = name
        if len(self._names) < _MOST_NAMES or lower in self._names:
            self._names.setdefault(lower, {})[name] = None
            if local == "SimpleData":
                self._simple[name] = None
            else:
                self._declared.add(lower)

    def _links_left(self) -> Iterable[str]:
        if self._links and not self._features:
            raise FileProblemError(
                f"it has no feature, only {self._links} NetworkLink(s) to other files, which are "
                "never fetched.",
                "Submit the file that the link leads to.",
            )
        if self._links:
            yield f"{self._links} NetworkLink(s) to other files were not followed."

    def _renamed(self) -> Iterable[str]:
        for own in KML_UNSET:
            if own.lower() not in self._names:
                continue
            name = f"kml_{own.lower()}"
            while name in self._names:
                name = f"_{name}"
            pyogrio.set_gdal_config_options({_option(own): name})
            yield (
                f"A placemark's own {own.lower()} is in column {name!r}, where it has one: data "
                "of the file have that name."
            )

    def _merged(self) -> Iterable[str]:
        for forms in self._names.values():
            if len(forms) > 1:
                yield (
                    f"Data called {' or '.join(map(repr, forms))} are one column where a layer "
                    "has both."
                )

    def _undeclared(self) -> Iterable[str]:
        lost = [name for name in self._simple if name.lower() not in self._declared]
        if lost:
            shown = ", ".join(map(repr, lost[:10]))
            yield f"SimpleData that no Schema of the file declares were left aside: {shown}."


def unset_columns() -> dict[str, object]:
    """`KML_UNSET` by the names that the columns have now."""
    return {
        pyogrio.get_gdal_config_option(_option(own)) or own: value
        for own, value in KML_UNSET.items()
    }


def _option(own: str) -> str:
    return f"LIBKML_{own.upper()}_FIELD"
