"""Which nodata values mark any cell: those that a cell can hold.

A TIFF names its nodata value in free text, `-9999` for unsigned bytes say. No cell is marked by
that, and GDAL, which clamps it to a 0 or a 255 where it fills in, would mark none by it either.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from libs.spatial_utils.gdal_info import DatasetInfo, GdalBand

_WHOLE_NUMBERS = re.compile(r"(U?)Int(8|16|32|64)")


def nodata_text(band: GdalBand) -> str | None:
    """The nodata value of a band as text; None where it has none that its cells can hold."""
    value = band.nodata
    if value is None or not _is_a_value_of(band):
        return None
    if isinstance(value, float) and "Float" not in band.data_type and value.is_integer():
        return str(int(value))
    return _text(value)


def has_impossible_nodata(info: DatasetInfo) -> bool:
    """Whether a band has a nodata value that none of its cells can hold."""
    return any(not _is_a_value_of(band) for band in info.bands)


def nodata_notes(bands: Sequence[GdalBand], about: str) -> tuple[str, ...]:
    """What a reader must know: the nodata values that are ignored, each once."""
    ignored = {(_text(band.nodata), band.data_type) for band in bands if not _is_a_value_of(band)}
    return tuple(
        f"{about} names the nodata value {text}, which is no value of the type {data_type}: it "
        "marks no cell, and was left out."
        for text, data_type in sorted(ignored)
    )


def _is_a_value_of(band: GdalBand) -> bool:
    """Also true for none at all, and for every number of a floating point type: GDAL rounds it."""
    limits = _limits(band.data_type)
    if band.nodata is None or limits is None:
        return True
    try:
        value = float(str(band.nodata))
    except ValueError:
        return False
    if isinstance(band.nodata, int):  # 64 bits, which a float would round
        return limits[0] <= band.nodata <= limits[1]
    return math.isfinite(value) and value.is_integer() and limits[0] <= value <= limits[1]


def _limits(data_type: str) -> tuple[int, int] | None:
    """The least and the greatest value of a type of whole numbers; None: it is another type."""
    if data_type == "Byte":
        return 0, 255
    match = _WHOLE_NUMBERS.fullmatch(data_type)
    if match is None:
        return None
    bits = int(match[2])
    return (0, 2**bits - 1) if match[1] else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


def _text(value: object) -> str:
    return value.lower() if isinstance(value, str) else str(value)
