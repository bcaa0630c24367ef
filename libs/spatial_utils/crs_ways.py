"""How well PROJ knows the way from one CRS to another: datums differ by metres, grids tell more.

pyproj brings PROJ's list of ways without the grids that some of them need; which grids there are
where the transformation is done is not known here.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from libs.models.geo import CRS

if TYPE_CHECKING:
    from pyproj.transformer import TransformerGroup


@dataclass(frozen=True)
class Way:
    """One of PROJ's coordinate operations."""

    name: str
    accuracy_m: float | None
    """None: PROJ does not know."""
    grids: tuple[str, ...] = ()
    """The files that it needs."""


@dataclass(frozen=True)
class Ways:
    """The best one that needs no grid, and the best of all where that is another one."""

    without_grids: Way
    better: Way | None


def ways(source: CRS, target: CRS) -> Ways | None:
    """PROJ's ways from one CRS to another; None: it knows none, or none is needed."""
    return _ways(source.wkt, target.wkt)


@lru_cache(maxsize=64)
def _ways(source: str, target: str) -> Ways | None:
    group = transformer_group(source, target)
    if group is None or not group.transformers:
        return None
    first = group.transformers[0]
    plain = Way(first.description, _known(first.accuracy))
    if group.best_available or not group.unavailable_operations:
        return Ways(plain, None)
    best = group.unavailable_operations[0]
    needed = tuple(grid.short_name for grid in best.grids if not grid.available)
    return Ways(plain, Way(best.name, _known(best.accuracy), needed) if needed else None)


def _known(accuracy: float) -> float | None:
    return accuracy if accuracy >= 0 else None


def transformer_group(source: str, target: str) -> TransformerGroup | None:
    """All ways that PROJ knows; None: it knows none, or has a way there only and none back."""
    import warnings

    from pyproj.exceptions import ProjError
    from pyproj.transformer import TransformerGroup

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # about grids that are missing
        try:
            return TransformerGroup(source, target, always_xy=True)
        except (ProjError, IndexError):  # the latter where it has no way at all
            return None
