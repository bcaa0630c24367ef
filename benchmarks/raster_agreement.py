"""Whether two results of the raster job are the same pixels, and both are what they claim to be.

rasterio and rio-cogeo look; none of our own code does.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import rasterio
from rasterio.windows import Window
from rio_cogeo.cogeo import cog_validate

from benchmarks.agreement import DisagreementError

STRIP_ROWS = 1024


def require_same_pixels(name: str, ours: Path, theirs: Path, most_apart: float = 0.0) -> None:
    """Every pixel of every band, a strip at a time.

    `most_apart`: how far the mean of a strip's differences may be from none, in the pixels' unit:
    a reprojection is an approximation that depends on where GDAL cuts.

    Raises:
        DisagreementError: names the first thing in which they differ.
    """
    with rasterio.open(ours) as first, rasterio.open(theirs) as second:
        for what in ("shape", "count", "dtypes", "crs"):
            if getattr(first, what) != getattr(second, what):
                raise DisagreementError(
                    f"{name}: {what} is {getattr(second, what)}, ours {getattr(first, what)}"
                )
        if not first.transform.almost_equals(second.transform, 1e-9):
            raise DisagreementError(f"{name}: the grids lie elsewhere")
        for window in _strips(first.height, first.width):
            one, other = first.read(window=window), second.read(window=window)
            if not _are_close(one, other, most_apart):
                raise DisagreementError(f"{name}: pixels differ below row {window.row_off}")


def require_valid_cog(name: str, path: Path) -> None:
    """Raises `DisagreementError` with what `rio cogeo validate --strict` says."""
    is_valid, errors, warnings = cog_validate(path, strict=True, quiet=True)
    if not is_valid:
        raise DisagreementError(f"{name}: no strict COG: {'; '.join([*errors, *warnings])}")


def _strips(height: int, width: int) -> Iterator[Window]:
    for top in range(0, height, STRIP_ROWS):
        yield Window(0, top, width, min(STRIP_ROWS, height - top))


def _are_close(one: np.ndarray, other: np.ndarray, most_apart: float) -> bool:
    if not most_apart:
        return np.array_equal(one, other, equal_nan=one.dtype.kind == "f")
    nothing = np.isnan(one), np.isnan(other)
    if np.mean(nothing[0] != nothing[1]) > 0.001:
        return False
    both = ~(nothing[0] | nothing[1])
    apart = np.abs(one[both].astype(float) - other[both])
    return not apart.size or float(apart.mean()) <= most_apart
