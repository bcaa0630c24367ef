"""What a reader must know of the datum shifts in a vector recipe: they may be off by metres."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from libs.ingest.platform import Platform
from libs.models import CRS
from libs.spatial_utils.crs_ways import Way, ways
from libs.transformations import NormalizeCRSStep, PlannedStep

GOOD_ENOUGH_M = 1.0
"""What PROJ says of the best shifts between national datums and WGS 84; no word of those."""


def datum_notes(platform: Platform, source: CRS, plan: Sequence[PlannedStep]) -> tuple[str, ...]:
    """A sentence for each transformation that is less accurate than it might be, or than a metre.

    `source`: of the data before the first step.
    """
    notes: list[str] = []
    for planned in plan:
        if isinstance(planned.step, NormalizeCRSStep) and planned.crs != source:
            notes += _of(platform, source, planned.crs)
        source = planned.crs
    return tuple(notes)


def _of(platform: Platform, source: CRS, target: CRS) -> Iterator[str]:
    known = ways(source, target)
    if known is None:
        return
    plain, better = known.without_grids, known.better
    names = f"{source.code or source.name} to {target.code or target.name}"
    missing = (
        [grid for grid in better.grids if not platform.compute.has_grid(grid)] if better else []
    )
    if better is not None and missing:
        yield (
            f"The transformation from {names} is accurate to {_metres(plain)}. PROJ's best way "
            f"({better.name}, {_metres(better)}) needs {', '.join(missing)}, which PostGIS has not "
            "got: put it into the folder of PROJ's data there, and submit under another batch_id "
            "(the same submission has the same answer)."
        )
    elif better is None and (plain.accuracy_m or 0) > GOOD_ENOUGH_M:
        yield f"The transformation from {names} is accurate to {_metres(plain)}, as PROJ says."


def _metres(way: Way) -> str:
    return "an unknown number of metres" if way.accuracy_m is None else f"{way.accuracy_m:g} m"
