"""What a file says its numbers mean, where GDAL or a COG would take them for something else."""

from __future__ import annotations

import math

from libs.errors import InputError
from libs.spatial_utils.gdal_info import DatasetInfo, GdalBand, items_of

_KEPT_COLOR_SPACES = ("", "YCbCr")
"""JPEG stores red, green and blue as YCbCr: an encoding, which every reader undoes."""
_SHOWN = 100
"""As many characters of an attribute are quoted: a file may make it as long as it likes."""
_RANGE_NAMES = ("valid_range", "valid_min", "valid_max")


def require_own_colors(info: DatasetInfo, about: str) -> None:
    """Refuse a picture whose colours GDAL would calculate anew: inks (CMYK), CIELAB.

    Raises:
        InputError: it is such a one.
    """
    space = items_of(info.metadata, "IMAGE_STRUCTURE").get("SOURCE_COLOR_SPACE", "")
    if space not in _KEPT_COLOR_SPACES:
        raise InputError.of(
            about,
            f"its pixels are {space} colours, which GDAL reads as red, green, blue and opacity "
            "only: other numbers than the file's.",
            "Convert it to RGB yourself (gdal_translate IN.tif RGB.tif), or, where the bands are "
            "no colours, say so in the file (PhotometricInterpretation: MinIsBlack).",
        )


def notes_on_values(info: DatasetInfo) -> tuple[str, ...]:
    """What a netCDF variable's attributes say of its values and a COG has no place for."""
    notes = (note for band in info.bands for note in _notes_on_band(band))
    return tuple(dict.fromkeys(notes))


def _notes_on_band(band: GdalBand) -> list[str]:
    said = items_of(band.metadata, "")
    name = said.get("NETCDF_VARNAME") or band.description or f"band {band.number}"
    notes = []
    others = [text for text in _parts(said.get("missing_value", "")) if not _is_nodata(text, band)]
    if others:
        nodata = f"{band.nodata} as well" if band.nodata is not None else "no value that says so"
        notes.append(
            f"{name!r} says that {_short(' and '.join(others))} means no data (missing_value), and "
            f"has {nodata} (_FillValue): cells of the first kind were kept and count as data."
        )
    ranges = [f"{key} {_short(said[key])}" for key in _RANGE_NAMES if key in said]
    if ranges:
        notes.append(
            f"{name!r} says which of its values are valid ({', '.join(ranges)}): cells beyond, "
            "if any, were kept and count as data."
        )
    return notes


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _parts(attribute: str) -> list[str]:
    return [part for part in attribute.strip("{} ").split(",") if part]


def _is_nodata(text: str, band: GdalBand) -> bool:
    """As far as the digits go that GDAL writes an attribute with."""
    try:
        value, nodata = float(text), float(str(band.nodata))
    except ValueError:
        return False
    return (math.isnan(value) and math.isnan(nodata)) or math.isclose(value, nodata, rel_tol=1e-6)
