"""How pixels are compressed and reduced, by what they are: tables and the choice from them."""

from __future__ import annotations

from enum import Enum

from libs.models import Band
from libs.spatial_utils.raster_info import RasterInfo

# Measured with GDAL 3.6.2 on two cores, 9 million pixels, without overviews: megabytes, seconds.
#
# | pixels             | raw   | deflate 6  | + predictor | zstd 9     | + predictor | lzw + pred. |
# |--------------------|-------|------------|-------------|------------|-------------|-------------|
# | Byte, RGB image    |  27.0 | 20.4  2.1  | 14.5  1.5 * | 21.0  1.7  | 15.0  2.3   | 17.8  1.2   |
# | Byte, grey image   |   9.0 |  5.9  0.7  |  4.8  0.7 * |  6.2  0.9  |  4.9  1.0   |  5.7  0.5   |
# | Byte, 12 classes   |   9.0 | 0.27  0.5 *| 0.30  0.6   | 0.26  0.4  | 0.28  0.4   | 0.31  0.2   |
# | Int32, ids         |  36.0 |  3.6  2.2  |  3.0  2.7   |  3.7  1.6  |  3.2  1.7 * |  3.3  0.5   |
# | Int16, elevation   |  18.0 |  9.1  0.6  |  5.5  2.1   |  8.4  0.8  |  5.4  0.9 * |  6.1  0.4   |
# | UInt16, 3 bands    |  54.0 | 39.8  1.3  | 33.9  1.5   | 39.0  2.0  | 31.0  3.3 * | 39.1  0.9   |
# | Float32, elevation |  36.0 | 32.1  0.9  | 23.7  2.7   | 32.0  1.1  | 23.1  1.5 * | 31.3  0.7   |
# | Float64, elevation |  72.0 | 35.2  3.8  | 27.4  1.3   | 31.3  2.7  | 25.7  1.4 * | 34.0  0.9   |
#
# (*) what "auto" takes. zstd 15 saves under 2 % more and takes six times as long. For Byte, deflate
# is as small, and every reader of TIFF knows it.

LEVELS = {"deflate": 6, "zstd": 9}


class Content(str, Enum):
    """What the numbers in a raster mean."""

    CLASSES = "classes"
    """Codes: the mean of two of them is nonsense."""
    CONTINUOUS = "continuous"
    """Measurements or colours: the mean of two of them lies between."""


def content_of(info: RasterInfo) -> Content:
    """Classes where there is a palette, or whole numbers that nothing tells to be measurements.

    In doubt classes: taking a neighbour's value is never wrong, a mean of codes always is.
    """
    if info.has_color_table:
        return Content.CLASSES
    colours = {band.color_interpretation for band in info.bands}
    is_image = {"Red", "Green", "Blue"} <= colours
    is_float = all("Float" in band.data_type for band in info.bands)
    if is_float or info.has_units or is_image:
        return Content.CONTINUOUS
    return Content.CLASSES


def needs_nearest(info: RasterInfo) -> bool:
    """Whether GDAL cannot take means of these pixels: it counts signed bytes as unsigned, 64-bit
    integers as doubles, and complex numbers have no mean that a picture could use."""
    return any(
        band.data_type in ("Int8", "Int64", "UInt64") or band.data_type.startswith("C")
        for band in info.bands
    )


def overview_resampling(info: RasterInfo, wished: str | None) -> str:
    """How overviews are made: as wished, or by the content."""
    if needs_nearest(info):
        return "nearest"
    if wished is not None:
        return wished
    return "average" if content_of(info) is Content.CONTINUOUS else "nearest"


def warp_resampling(info: RasterInfo, wished: str) -> str:
    """How a reprojection finds its values, in `gdalwarp`'s word: as wished, or by the content."""
    if wished != "auto":
        return "near" if wished == "nearest" else wished
    is_continuous = content_of(info) is Content.CONTINUOUS and not needs_nearest(info)
    return "bilinear" if is_continuous else "near"


def compression_options(info: RasterInfo, wished: str, *, is_warped: bool) -> list[str]:
    """Creation options of the COG driver; every choice is lossless.

    `is_warped`: the pixels come from `gdalwarp`, which stores them in whole bytes.
    """
    name = wished if wished != "auto" else _automatic(info)
    options = [f"COMPRESS={name.upper()}"]
    if name in LEVELS:
        options.append(f"LEVEL={LEVELS[name]}")
    if name != "none":
        is_odd = info.has_odd_bits and not is_warped
        options.append(f"PREDICTOR={'NO' if is_odd else _predictor(info)}")
    return options


def _automatic(info: RasterInfo) -> str:
    return "deflate" if _is_byte(info.bands) else "zstd"


def _predictor(info: RasterInfo) -> str:
    types = {band.data_type for band in info.bands}
    if types <= {"Float32", "Float64"}:
        return "FLOATING_POINT"
    is_coded = _is_byte(info.bands) and content_of(info) is Content.CLASSES and len(info.bands) == 1
    if any(name.startswith("C") for name in types) or is_coded:
        return "NO"
    return "STANDARD"


def _is_byte(bands: tuple[Band, ...]) -> bool:
    return all(band.data_type in ("Byte", "Int8") for band in bands)
