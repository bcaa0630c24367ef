"""A small PNG of a COG for people: stretched, coloured, clear where there is no data."""

from __future__ import annotations

import math
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from libs.spatial_utils.gdal_cli import GDAL, local_path
from libs.spatial_utils.gdal_info import DatasetInfo, GdalBand
from libs.spatial_utils.picture_colors import CLASS_COLORS, ramp_colors
from libs.spatial_utils.raster_geometry import GeoTransform

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Pixels = NDArray[np.float64]
    """Rows by columns."""
    Colors = NDArray[np.uint8]
    """Rows by columns by red, green, blue."""

MAX_SIDE = 512
"""Pixels of the picture's longer side."""
STRETCH_PERCENT = (2.0, 98.0)
"""These shares of the valid pixels become the darkest and the lightest colour."""
MOST_CLASSES = 32
"""Whole numbers with no more distinct values than this are drawn as classes."""


def picture_of_cog(gdal: GDAL, path: Path, info: DatasetInfo, target: Path, work_dir: Path) -> Path:
    """Draw a COG in `work_dir` as a PNG with at most `MAX_SIDE` pixels a side.

    `info` is what `gdal.info` says of it.
    Three colour bands as they are, a palette by its colours, codes by a colour each, measurements
    on a ramp of colours. Degrees of longitude are narrowed as on a map.

    Raises:
        InputError: the file cannot be read.
    """
    import numpy as np
    from PIL import Image

    chosen = _chosen_bands(info)
    layers = _read_small(gdal, path, info, chosen, work_dir)
    valid = layers[-1] > 0
    for band in layers[:-1]:
        valid &= np.isfinite(band)
    colors = _colors(layers[:-1], chosen, valid)
    alpha = np.where(valid, 255, 0).astype(np.uint8)
    image = Image.fromarray(np.dstack([colors, alpha]), "RGBA")
    image.save(target, "PNG")
    return target


def _chosen_bands(info: DatasetInfo) -> list[GdalBand]:
    by_color = {band.color_interpretation: band for band in info.bands}
    if {"Red", "Green", "Blue"} <= by_color.keys():
        return [by_color[color] for color in ("Red", "Green", "Blue")]
    plain = [band for band in info.bands if band.color_interpretation != "Alpha"]
    return plain[:3] if len(plain) >= 3 else (plain or list(info.bands))[:1]


def _read_small(
    gdal: GDAL, path: Path, info: DatasetInfo, chosen: list[GdalBand], work_dir: Path
) -> Pixels:
    import numpy as np

    width, height = _size(info)
    keeps_values = chosen[0].color_table is not None or "Float" not in chosen[0].type
    bands = [*(str(band.number) for band in chosen), f"mask,{chosen[0].number}"]
    with tempfile.TemporaryDirectory(prefix="picture-", dir=work_dir) as folder:
        small = Path(folder).resolve() / "small.raw"
        # ENVI's file is the bare numbers, band after band.
        arguments = ["-q", "-if", "GTiff", "-of", "ENVI", "-co", "INTERLEAVE=BSQ"]
        arguments += ["-ot", "Float64"]
        arguments += ["-outsize", str(width), str(height)]
        arguments += ["-r", "nearest" if keeps_values and len(chosen) == 1 else "average"]
        for band in bands:
            arguments += ["-b", band]
        arguments += [local_path(path, work_dir), str(small)]
        gdal.run("gdal_translate", arguments, work_dir=work_dir, about=path.name)
        numbers = np.fromfile(small, dtype="<f8").reshape(len(bands), height, width)
    for values, described in zip(numbers, chosen, strict=False):
        if described.data_type == "Int8":  # GDAL before 3.7 hands them out unsigned
            values[values > 127] -= 256
    return numbers


def _size(info: DatasetInfo) -> tuple[int, int]:
    wide, high = float(info.size[0]), float(info.size[1])
    if info.geotransform is not None:
        transform = GeoTransform.from_gdal(info.geotransform, "")
        wide, high = wide * transform.cell_size_x, high * transform.cell_size_y
        bounds = transform.bounds(*info.size)
        if info.coordinate_system and info.coordinate_system.wkt.startswith("GEOG"):
            wide *= narrowing(bounds.min_y, bounds.max_y)
    longest = min(MAX_SIDE, max(info.size))
    scale = longest / max(wide, high)
    return max(1, round(wide * scale)), max(1, round(high * scale))


def narrowing(south: float, north: float) -> float:
    """How much shorter than a degree of latitude one of longitude is, between two latitudes."""
    middle = max(-75.0, min(75.0, (south + north) / 2))
    return math.cos(math.radians(middle))


def _colors(bands: Pixels, chosen: list[GdalBand], valid: NDArray[np.bool_]) -> Colors:
    import numpy as np

    if len(chosen) == 3:
        return _three_channels(bands, chosen, valid)
    band, table = chosen[0], chosen[0].color_table
    if table is not None and table.entries:
        return _picked(np.array(table.entries, dtype=np.uint8)[:, :3], np.nan_to_num(bands[0]))
    if "Int" in band.data_type or band.data_type == "Byte":
        codes = np.unique(bands[0][valid])
        if 0 < len(codes) <= MOST_CLASSES:
            palette = np.resize(np.array(CLASS_COLORS, dtype=np.uint8), (len(codes), 3))
            return _picked(palette, np.searchsorted(codes, bands[0]))
    return ramp_colors(_stretched(bands[0], valid))


def _three_channels(bands: Pixels, chosen: list[GdalBand], valid: NDArray[np.bool_]) -> Colors:
    import numpy as np

    is_image = all(band.type == "Byte" for band in chosen)
    channels = [
        np.clip(np.nan_to_num(band), 0, 255) if is_image else _stretched(band, valid) * 255
        for band in bands
    ]
    colors: Colors = np.stack(channels, axis=-1).astype(np.uint8)
    return colors


def _picked(palette: Colors, places: NDArray[np.generic]) -> Colors:
    import numpy as np

    colors: Colors = palette[np.clip(places, 0, len(palette) - 1).astype(np.intp)]
    return colors


def _stretched(band: Pixels, valid: NDArray[np.bool_]) -> Pixels:
    import numpy as np

    if not valid.any():
        return np.zeros_like(band)
    low, high = np.percentile(band[valid], STRETCH_PERCENT)
    if high <= low:
        return np.full_like(band, 0.5)
    shares: Pixels = np.clip((np.where(valid, band, low) - low) / (high - low), 0, 1)
    return shares
