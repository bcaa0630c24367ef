"""Whether a reprojection keeps a raster's cells: foreseen on a sample of them, checked afterwards.

Where a raster lies across the seam of the target CRS, the antimeridian mostly, GDAL lays its grid
around the whole Earth, with cells as large as that takes, or over one of both sides only; and says
nothing. The reprojection itself is the business of `cog_commands`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from libs.errors import InputError
from libs.spatial_utils.crs import describe
from libs.spatial_utils.errors import UnreadableFileError
from libs.spatial_utils.raster_geometry import GeoTransform
from libs.spatial_utils.raster_info import RasterInfo

if TYPE_CHECKING:
    import numpy as np

    Numbers = np.ndarray[tuple[int, ...], np.dtype[np.float64]]

_POINTS = 33
"""As many along each side are looked at."""
_EDGE = 0.01
"""How far the outermost of them lie within the raster, in cells: on its very edge may be a pole."""
MOST_COARSE = 4.0
"""A cell may be as many times as long as the source's; a pole in degrees comes to 2.6."""
WORTH_A_NOTE = 2.0
LEAST_COVERED = 0.8
"""The part of the source that must lie in the result; a world in Web Mercator comes to 0.88."""
NEARLY_ALL = 0.99
_MARGIN_CELLS = 2


@dataclass(frozen=True)
class Outlook:
    """What a reprojection is to come to."""

    x: Numbers
    """Of the points that the target CRS has a place for."""
    y: Numbers
    cell_size: float
    """The length of the source's cells in units of the target CRS: the median of all points."""
    crosses_antimeridian: bool
    """The target is in degrees, which are to be counted from 0 to 360 then."""
    coarse: float
    """How many times as long the cells become where GDAL puts all points into one grid."""


def outlook(info: RasterInfo, source_crs: str, target_crs: str) -> Outlook | None:
    """Look at points of the source; None: PROJ gives none of them a place in the target."""
    import numpy as np
    from pyproj import CRS, Transformer
    from pyproj.exceptions import ProjError

    try:
        way = Transformer.from_crs(CRS(source_crs), CRS(target_crs), always_xy=True)
    except ProjError:
        return None  # what GDAL makes of it, it says itself

    def target_xy(columns: Numbers, rows: Numbers) -> tuple[Numbers, Numbers]:
        t = info.geotransform
        x = t.origin_x + columns * t.x_per_column + rows * t.x_per_row
        y = t.origin_y + columns * t.y_per_column + rows * t.y_per_row
        x, y = way.transform(x, y)
        return np.where(np.isfinite(x), x, np.nan), np.where(np.isfinite(y), y, np.nan)

    columns, rows = np.meshgrid(
        np.linspace(_EDGE, info.width - _EDGE, _POINTS),
        np.linspace(_EDGE, info.height - _EDGE, _POINTS),
    )
    x, y = target_xy(columns, rows)
    right, below = target_xy(columns + 1, rows), target_xy(columns, rows + 1)
    area = (right[0] - x) * (below[1] - y) - (right[1] - y) * (below[0] - x)
    known = np.isfinite(x) & np.isfinite(y)
    if not known.any() or not np.isfinite(area).any():
        return None
    crosses = describe(target_crs).is_in_degrees and _is_torn(x) and not _is_torn(x % 360)
    x, y = x[known] % 360 if crosses else x[known], y[known]
    cell_size = float(np.sqrt(np.nanmedian(np.abs(area))))
    diagonal = float(np.hypot(np.ptp(x), np.ptp(y)))
    coarse = diagonal / np.hypot(info.width, info.height) / cell_size
    return Outlook(x, y, cell_size, crosses, coarse)


def _is_torn(longitudes: Numbers) -> bool:
    """Whether neighbours lie on both sides of where the degrees begin anew."""
    import numpy as np

    return any(bool((np.abs(np.diff(longitudes, axis=axis)) > 180).any()) for axis in (0, 1))


def require_kept(
    expected: Outlook,
    made: GeoTransform,
    size: tuple[int, int],
    *,
    target_crs: str,
    about: str,
) -> tuple[str, ...]:
    """Compare what was made, `size` being its columns and rows; returns what a reader must know.

    Raises:
        InputError: the cells became much larger, or many have no place in it.
    """
    coarse = (made.cell_size_x * made.cell_size_y) ** 0.5 / expected.cell_size
    if coarse > MOST_COARSE:
        raise _too_coarse(coarse, target_crs, about)
    covered = _covered(expected, made, size)
    if covered < LEAST_COVERED:
        what = f"only {covered * 100:.0f} % of its cells would be kept in {target_crs}."
        raise InputError.of(about, what, _CURE)
    return _notes(expected, coarse, covered)


@contextlib.contextmanager
def told_as_torn(expected: Outlook | None, target_crs: str, about: str) -> Iterator[None]:
    """Where GDAL makes no grid at all of a raster that would be torn apart, say why."""
    try:
        yield
    except UnreadableFileError as error:
        if expected is None or expected.coarse <= MOST_COARSE:
            raise
        raise _too_coarse(expected.coarse, target_crs, about) from error


def _too_coarse(coarse: float, target_crs: str, about: str) -> InputError:
    what = f"reprojected to {target_crs} its cells would be {coarse:.0f} times as long as they are."
    return InputError.of(about, what, _CURE)


_CURE = (
    "Cut it where the target's map ends (at the antimeridian, before a pole) and submit the parts, "
    "or take a recipe whose `target_crs` is made for the place."
)


def _covered(expected: Outlook, made: GeoTransform, size: tuple[int, int]) -> float:
    box = made.bounds(*size)
    aside, above = _MARGIN_CELLS * made.cell_size_x, _MARGIN_CELLS * made.cell_size_y
    inside = (expected.x >= box.min_x - aside) & (expected.x <= box.max_x + aside)
    inside &= (expected.y >= box.min_y - above) & (expected.y <= box.max_y + above)
    return float(inside.mean())


def _notes(expected: Outlook, coarse: float, covered: float) -> tuple[str, ...]:
    notes = []
    if expected.crosses_antimeridian:
        notes.append("The raster crosses the antimeridian: its longitudes go on beyond 180°.")
    if coarse > WORTH_A_NOTE:
        notes.append(f"The reprojected cells are {coarse:.1f} times as long as the source's.")
    if covered < NEARLY_ALL:
        lost = f"{(1 - covered) * 100:.0f} % of the source's cells"
        notes.append(f"{lost} lie beyond the edge of the target's map, and are left out.")
    return tuple(notes)
