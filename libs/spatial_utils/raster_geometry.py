"""Where the pixels of a raster lie: its geotransform, and what follows from it."""

from __future__ import annotations

import math
from collections.abc import Sequence

from libs.models import Bounds, Frozen
from libs.spatial_utils.errors import UnreadableFileError


class GeoTransform(Frozen):
    """From columns and rows to x and y: the upper left corner of the pixel (column, row) is at

    x = origin_x + column * x_per_column + row * x_per_row
    y = origin_y + column * y_per_column + row * y_per_row

    in the units of the CRS, x being easting or longitude. North-up rasters have `y_per_row` below
    zero, and zero for the two mixed terms.
    """

    origin_x: float
    x_per_column: float
    x_per_row: float
    origin_y: float
    y_per_column: float
    y_per_row: float

    @classmethod
    def from_gdal(cls, numbers: Sequence[float], about: str) -> GeoTransform:
        """From GDAL's six numbers.

        Raises:
            UnreadableFileError: they are no numbers, or put all pixels on one line.
        """
        names = cls.model_fields
        transform = cls(**dict(zip(names, numbers, strict=True)))
        determinant = (
            transform.x_per_column * transform.y_per_row
            - transform.x_per_row * transform.y_per_column
        )
        if not all(map(math.isfinite, numbers)) or determinant == 0:
            raise UnreadableFileError(
                about,
                f"its georeferencing gives the pixels no size: {list(numbers)}.",
                "Correct the geotransform or the world file.",
            )
        return transform

    @property
    def is_rotated(self) -> bool:
        """Whether rows are not parallel to the x axis."""
        return self.x_per_row != 0 or self.y_per_column != 0

    @property
    def cell_size_x(self) -> float:
        """The length of a pixel along its row, in units of the CRS."""
        return math.hypot(self.x_per_column, self.y_per_column)

    @property
    def cell_size_y(self) -> float:
        """The length of a pixel along its column, in units of the CRS; positive."""
        return math.hypot(self.x_per_row, self.y_per_row)

    def bounds(self, width: int, height: int) -> Bounds:
        """The box around the outer edges of all pixels."""
        corners = [(0, 0), (width, 0), (0, height), (width, height)]
        xs = [self.origin_x + c * self.x_per_column + r * self.x_per_row for c, r in corners]
        ys = [self.origin_y + c * self.y_per_column + r * self.y_per_row for c, r in corners]
        return Bounds(min_x=min(xs), min_y=min(ys), max_x=max(xs), max_y=max(ys))
