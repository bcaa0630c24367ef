"""Which attributes of a GML file's elements GDAL made no column of; part of the child.

It makes one of most, `owner_href` of an `xlink:href` in `owner`: but not of a feature's own, nor
of any that the schema beside the file does not tell of.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

_SEPARATOR = " "
_MOST = 500
_MOST_NAMED = 10
_NO_DATA = ("XMLSchema-instance", "XML/1998/namespace base", "XML/1998/namespace space")
_NO_DATA_NAMES = frozenset({"srsName", "srsDimension", "axisLabels", "uomLabels", "fid"})


class Attributes:
    """Told of the elements in features, outside their geometries."""

    def __init__(self) -> None:
        self._by_feature: dict[str, dict[tuple[str, str], None]] = {}

    def see(
        self, feature: str, element: str, attributes: Mapping[str, str], is_feature: bool
    ) -> None:
        """An element; the id of a feature is a column always, when it has one."""
        seen = self._by_feature.setdefault(feature, {})
        for name in attributes:
            pair = (element, name)
            if pair not in seen and len(seen) < _MOST and not _is_noise(name, is_feature):
                seen[pair] = None

    def lost(self, layer: str | None, columns: Sequence[str]) -> tuple[str, ...]:
        """A note on those of a layer that are in none of its columns."""
        chosen = [layer] if layer in self._by_feature else list(self._by_feature)
        pairs = dict.fromkeys(pair for name in chosen for pair in self._by_feature[name or ""])
        lost = [
            f"{name.rpartition(_SEPARATOR)[2]!r} of {element!r}"
            for element, name in pairs
            if not any(f"{element}_{name.rpartition(_SEPARATOR)[2]}" in one for one in columns)
        ]
        if not lost:
            return ()
        shown = ", ".join(lost[:_MOST_NAMED]) + (" and more" if len(lost) > _MOST_NAMED else "")
        return (f"Attributes of elements that GDAL makes no column of were left aside: {shown}.",)


def _is_noise(name: str, is_feature: bool) -> bool:
    """How something is written down, and no datum; an empty link's `simple` is its default."""
    namespace, _, local = name.rpartition(_SEPARATOR)
    return (
        any(name.find(words) >= 0 for words in _NO_DATA)
        or (not namespace and local in _NO_DATA_NAMES)
        or (local == "type" and "xlink" in namespace)
        or (is_feature and local == "id" and "/gml" in namespace)
    )
