"""Overviews of types that GDAL would round: it reduces every type in single precision, 24 bits.

So codes of 32 bits would become other codes, and nodata values valid ones. `gdal_translate` takes
single cells in the type that they have: each level is made by it, and a VRT shows them to the COG
driver as the overviews of the raster. How the rest of a COG is made is `cog_commands`' business.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path

from libs.spatial_utils.raster_compression import overview_resampling
from libs.spatial_utils.raster_info import RasterInfo

WHOLE_NUMBERS = frozenset({"Int32", "UInt32", "Int64", "UInt64", "CInt32"})
DOUBLES = frozenset({"Float64", "CFloat64"})
_BAND_END = b"\n  </VRTRasterBand>\n"
_MASK_END = b"\n    </VRTRasterBand>\n"
"""As GDAL writes both; in the text of metadata it writes `&lt;`."""


def are_rounded(info: RasterInfo, wished: str | None) -> bool:
    """Whether overviews made by GDAL would hold other values than they have to.

    Means of doubles may have single precision, as long as nodata stays what it is.
    """
    types = {band.data_type for band in info.bands}
    if types & WHOLE_NUMBERS:
        return True
    if not types & DOUBLES:
        return False
    is_nearest = overview_resampling(info, wished) == "nearest"
    return is_nearest or any(not _is_single(band.nodata) for band in info.bands)


def _is_single(nodata: str | None) -> bool:
    """Whether single precision has exactly this number."""
    if nodata is None or nodata == "nan":
        return True
    try:
        (single,) = struct.unpack("f", struct.pack("f", float(nodata)))
    except OverflowError:
        return False
    return bool(single == float(nodata))


def overview_notes(info: RasterInfo, wished: str | None) -> tuple[str, ...]:
    """What a reader must know of the overviews."""
    types = {band.data_type for band in info.bands}
    if overview_resampling(info, wished) == "nearest" or not types & (WHOLE_NUMBERS | DOUBLES):
        return ()
    names = ", ".join(sorted(types))
    if are_rounded(info, wished):
        return (
            f"The overviews hold single cells and no means: GDAL would round means of {names}, or "
            "the nodata value with them.",
        )
    return (f"The overviews hold means in single precision, the cells themselves {names}.",)


def level_sizes(width: int, height: int, blocksize: int) -> list[tuple[int, int]]:
    """Columns and rows of each overview, as many as the COG driver makes."""
    sizes, factor = [], 1
    while max(width // factor, height // factor) > blocksize:
        factor *= 2
        sizes.append((-(-width // factor), -(-height // factor)))
    return sizes


def level_arguments(info: RasterInfo, size: tuple[int, int]) -> list[str]:
    """`gdal_translate`'s options for one of them."""
    columns, rows = map(str, size)
    nodata = info.bands[0].nodata
    return [
        *("--config", "GDAL_TIFF_INTERNAL_MASK", "YES"),
        # A file's own overviews may show anything.
        *("-ovr", "NONE", "-r", "nearest", "-outsize", columns, rows),
        # That option loses a nodata value of 64 bits.
        *(("-a_nodata", nodata) if nodata is not None else ()),
        *("-co", "TILED=YES", "-co", "BIGTIFF=IF_SAFER"),
    ]


def show_levels(vrt: Path, levels: Sequence[Path]) -> None:
    """Name the levels, files beside the VRT, as the overviews of its bands and of their mask."""
    *bands, rest = vrt.read_bytes().split(_BAND_END)
    shown = [band + _overviews(levels, number) for number, band in enumerate(bands, start=1)]
    # For a mask GDAL takes that of the overview's band, whichever of them is named.
    rest = rest.replace(_MASK_END, _overviews(levels, 1) + _MASK_END)
    vrt.write_bytes(_BAND_END.join([*shown, rest]))


def _overviews(levels: Sequence[Path], band: int) -> bytes:
    return "".join(
        f'\n<Overview><SourceFilename relativeToVRT="1">{level.name}</SourceFilename>'
        f"<SourceBand>{band}</SourceBand></Overview>"
        for level in levels
    ).encode()
