"""Where things are: bounds and coordinate reference systems, always with their axis order."""

from __future__ import annotations

import math
from typing import Annotated

from pydantic import Field, StringConstraints, model_validator

from libs.models.base import Frozen

CrsCode = Annotated[str, StringConstraints(pattern=r"^(EPSG|ESRI|OGC|IAU_2015):[A-Za-z0-9]{1,12}$")]
"""`AUTHORITY:CODE`, `EPSG:32633` for one."""


class Bounds(Frozen):
    """A box in the units of its CRS. x is easting or longitude, y northing or latitude.

    That is GIS order whatever axis order the CRS's authority prescribes, as in GeoParquet and in
    GDAL's traditional order. Empty data has no bounds: use None.
    """

    min_x: float
    min_y: float
    max_x: float
    max_y: float

    @model_validator(mode="after")
    def _is_a_box(self) -> Bounds:
        if not all(map(math.isfinite, self.xyxy)):
            raise ValueError(f"bounds must be finite numbers, not {self.xyxy}")
        if self.min_x > self.max_x or self.min_y > self.max_y:
            raise ValueError(f"a bound's minimum is above its maximum: {self.xyxy}")
        return self

    @property
    def xyxy(self) -> tuple[float, float, float, float]:
        """(min_x, min_y, max_x, max_y)."""
        return (self.min_x, self.min_y, self.max_x, self.max_y)


class GeographicExtent(Frozen):
    """ISO 19115 EX_GeographicBoundingBox: degrees of WGS 84 longitude and latitude.

    `west_bound_longitude` above `east_bound_longitude` means a box across the antimeridian.
    """

    west_bound_longitude: float = Field(ge=-180, le=180)
    east_bound_longitude: float = Field(ge=-180, le=180)
    south_bound_latitude: float = Field(ge=-90, le=90)
    north_bound_latitude: float = Field(ge=-90, le=90)


class CRS(Frozen):
    """A coordinate reference system: its authority's code where it has one, its WKT always."""

    code: CrsCode | None
    """`EPSG:4326`; None for a CRS that no authority lists."""
    name: str
    wkt: str
    """WKT 2:2019."""
    is_geographic: bool
    """True: x and y are degrees; False: `metres_per_unit` gives the linear unit."""
    metres_per_unit: float | None = None
    """Length of one unit of x and y in metres; None for a geographic or an unknown unit."""

    @property
    def is_in_degrees(self) -> bool:
        """True: x and y are degrees, and not grads or radians, nor metres."""
        return self.is_geographic and 'ANGLEUNIT["degree"' in self.wkt
