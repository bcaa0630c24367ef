"""A small PNG of vector features for people: areas, lines and points in plain colours."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from libs.models import Bounds
from libs.spatial_utils.picture_colors import (
    AREA_FILL,
    AREA_OUTLINE,
    FRAME,
    LINE,
    PAPER,
    POINT,
)
from libs.spatial_utils.picture_of_raster import MAX_SIDE, narrowing

if TYPE_CHECKING:
    from PIL.Image import Image as PillowImage
    from PIL.ImageDraw import ImageDraw as Pen

Geometry = Mapping[str, object]
"""A GeoJSON geometry: `type` with `coordinates` or `geometries`; x before y, more is ignored."""
Pixel = tuple[float, float]
Part = tuple[str, list[list[Pixel]]]
"""`Point`, `Line` or `Polygon`, and its rings (the first the outer one), in pixels."""

SUPERSAMPLING = 3
"""Drawn so many times larger and reduced at the end, for smooth edges."""
MARGIN = 0.03
"""Of the picture's longer side, on each side."""
FLATTEST = 1 / 4
"""The shorter side is at least this share of the longer one."""


@dataclass(frozen=True)
class _Sheet:
    """From the units of a CRS to pixels, the larger y being further up."""

    width: int
    height: int
    scale_x: float
    scale_y: float
    center_x: float
    center_y: float

    @classmethod
    def around(cls, bounds: Bounds, is_geographic: bool) -> _Sheet:
        narrow = narrowing(bounds.min_y, bounds.max_y) if is_geographic else 1.0
        wide = (bounds.max_x - bounds.min_x) * narrow
        high = bounds.max_y - bounds.min_y
        longest = max(wide, high)
        if longest == 0:  # a single point, on a sheet one unit wide
            wide = high = longest = 1.0
        side = MAX_SIDE * SUPERSAMPLING
        scale = side * (1 - 2 * MARGIN) / longest
        return cls(
            width=round(side * max(FLATTEST, min(1.0, wide / longest + 2 * MARGIN))),
            height=round(side * max(FLATTEST, min(1.0, high / longest + 2 * MARGIN))),
            scale_x=scale * narrow,
            scale_y=scale,
            center_x=bounds.min_x / 2 + bounds.max_x / 2,
            center_y=bounds.min_y / 2 + bounds.max_y / 2,
        )

    def pixels(self, positions: object) -> list[Pixel]:
        """Where positions lie; those that are no finite numbers are left out."""
        return [
            (
                _near(self.width / 2 + (position[0] - self.center_x) * self.scale_x),
                _near(self.height / 2 - (position[1] - self.center_y) * self.scale_y),
            )
            for position in cast("Sequence[Sequence[float]]", positions)
            if len(position) >= 2 and all(map(math.isfinite, position[:2]))
        ]


def _near(pixel: float) -> float:
    # Pillow counts pixels in 32 bits.
    return max(-1e6, min(1e6, pixel))


def picture_of_features(
    features: Iterable[Geometry], bounds: Bounds, target: Path, *, is_geographic: bool = False
) -> Path:
    """Draw GeoJSON geometries within `bounds` as a PNG with at most `MAX_SIDE` pixels a side.

    Areas lie below lines, and lines below points. `is_geographic`: x and y are degrees of
    longitude and latitude, so x is narrowed as on a map.
    """
    from PIL import Image, ImageDraw

    sheet = _Sheet.around(bounds, is_geographic)
    image = Image.new("RGB", (sheet.width, sheet.height), PAPER)
    pen = ImageDraw.Draw(image)
    parts = [part for feature in features for part in _parts(feature, sheet)]
    line_width = 2 if len(parts) > 1_500 else 3
    for kind, rings in parts:
        if kind == "Polygon":
            _draw_area(image, pen, rings, line_width)
    for kind, rings in parts:
        if kind == "Line":
            pen.line(rings[0], fill=LINE, width=line_width + 2, joint="curve")
    _draw_points(pen, [rings[0][0] for kind, rings in parts if kind == "Point" and rings[0]])
    small = image.reduce(SUPERSAMPLING)
    ImageDraw.Draw(small).rectangle((0, 0, small.width - 1, small.height - 1), outline=FRAME)
    small.save(target, "PNG", optimize=True)
    return target


def _parts(geometry: Geometry, sheet: _Sheet) -> Iterator[Part]:
    kind, coordinates = str(geometry.get("type")), geometry.get("coordinates")
    if kind == "GeometryCollection":
        for member in cast("Sequence[Geometry]", geometry.get("geometries") or ()):
            yield from _parts(member, sheet)
    elif kind.startswith("Multi"):
        for single in cast("Sequence[object]", coordinates or ()):
            yield from _parts({"type": kind.removeprefix("Multi"), "coordinates": single}, sheet)
    elif not coordinates:
        return
    elif kind == "Point":
        yield "Point", [sheet.pixels([coordinates])]
    elif kind == "LineString":
        line = sheet.pixels(coordinates)
        if len(line) >= 2:
            yield "Line", [line]
    elif kind == "Polygon":
        rings = [sheet.pixels(ring) for ring in cast("Sequence[object]", coordinates)]
        if len(rings[0]) >= 3:
            yield "Polygon", [ring for ring in rings if len(ring) >= 3]


def _draw_area(image: PillowImage, pen: Pen, rings: list[list[Pixel]], line_width: int) -> None:
    if len(rings) == 1:
        pen.polygon(rings[0], fill=AREA_FILL)
    else:
        _fill_with_holes(image, rings)
    for ring in rings:
        pen.line([*ring, ring[0]], fill=AREA_OUTLINE, width=line_width, joint="curve")


def _fill_with_holes(image: PillowImage, rings: list[list[Pixel]]) -> None:
    from PIL import Image, ImageDraw

    left, top = (max(0, math.floor(min(p[axis] for p in rings[0]))) for axis in (0, 1))
    right = min(image.width, math.ceil(max(p[0] for p in rings[0])) + 1)
    bottom = min(image.height, math.ceil(max(p[1] for p in rings[0])) + 1)
    if right <= left or bottom <= top:
        return
    stencil = Image.new("1", (right - left, bottom - top), 0)
    pen = ImageDraw.Draw(stencil)
    for ring, is_inside in zip(rings, (1, *(0 for _ in rings[1:])), strict=True):
        pen.polygon([(x - left, y - top) for x, y in ring], fill=is_inside)
    image.paste(AREA_FILL, (left, top), stencil)


def _draw_points(pen: Pen, points: list[Pixel]) -> None:
    radius = SUPERSAMPLING * (4.5 if len(points) < 50 else 3 if len(points) < 1_000 else 1.6)
    rim = PAPER if len(points) < 1_000 else None
    for x, y in points:
        box = (x - radius, y - radius, x + radius, y + radius)
        pen.ellipse(box, fill=POINT, outline=rim, width=SUPERSAMPLING)
