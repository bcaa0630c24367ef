"""The arguments of `gdalwarp` and `gdal_translate` that make a COG; `cog` runs them.

Nothing in them depends on the machine, so that the same input gives the same bytes: number of
threads and size of the block cache change the time and not the result; the working memory of a
reprojection would change it, and is fixed.
"""

from __future__ import annotations

import re
from typing import Literal

from pydantic import Field, field_validator

from libs.errors import InputError
from libs.models import Frozen
from libs.spatial_utils.crs import heights_of, says_as_much
from libs.spatial_utils.raster_compression import (
    compression_options,
    overview_resampling,
    warp_resampling,
)
from libs.spatial_utils.raster_info import RasterInfo

WARP_MEMORY_MB = 128
"""How much is reprojected at once; where GDAL cuts, its approximation of PROJ begins anew."""
WARP_TOLERANCE_PIXELS = 0.125
"""How far that approximation may be off; GDAL's own default."""

Resampling = Literal[
    "auto",
    "near",
    "nearest",
    "bilinear",
    "cubic",
    "cubicspline",
    "lanczos",
    "average",
    "mode",
    "med",
]
OverviewResampling = Literal[
    "nearest", "average", "bilinear", "cubic", "cubicspline", "lanczos", "mode", "gauss", "rms"
]
Compression = Literal["auto", "zstd", "deflate", "lzw", "none"]

_CRS_ARGUMENT = re.compile(r"[A-Z][A-Z_0-9]*:[A-Za-z0-9]+|[A-Z]+(_[A-Z]+)?\[.*", re.DOTALL)


class CogOptions(Frozen):
    """What may be chosen about a COG."""

    source_crs: str | None = None
    """`EPSG:32633` or WKT: the declared CRS, which the file does not contradict; assigned when the
    file says less, or nothing."""
    target_crs: str | None = None
    """Reproject into this CRS; None: the grid stays as it is."""
    resampling: Resampling = "auto"
    """For the reprojection. `auto`: bilinear for measurements and images, near for classes."""
    overview_resampling: OverviewResampling | None = None
    """None: average for measurements and images, nearest for classes."""
    compression: Compression = "auto"
    """`auto`: deflate for 8 bit, zstd for all others. All are lossless."""
    blocksize: int = Field(default=512, ge=128, le=4096, multiple_of=16)
    """Pixels on each side of a tile."""

    @field_validator("source_crs", "target_crs")
    @classmethod
    def _is_no_path_or_url(cls, crs: str | None) -> str | None:
        # GDAL takes much more for a CRS: file names, URLs, PROJ strings.
        if crs is not None and not _CRS_ARGUMENT.fullmatch(crs):
            raise ValueError(f"{crs[:80]!r} is neither an authority's code nor WKT")
        return crs

    @property
    def reprojects(self) -> bool:
        """Whether the pixels move to another grid."""
        return self.target_crs is not None and self.target_crs != self.source_crs


def adds_mask(info: RasterInfo) -> bool:
    """Whether a reprojection has to say by a mask which pixels are none of the source's.

    Else its empty corners would be zeros that look like data. Floating point needs no mask: NaN.
    """
    if info.has_mask:
        return True
    return not (info.has_nodata or info.has_alpha or _is_float(info))


def lost_heights(info: RasterInfo, options: CogOptions) -> str | None:
    """The reference system of the source's heights, where a reprojection into a CRS without any
    leaves it behind.

    `gdalwarp` would take all cells for heights and count them from the ellipsoid from then on.
    """
    source, target = info.crs_wkt or options.source_crs, options.target_crs
    if source is None or target is None or not options.reprojects or heights_of(target):
        return None
    return heights_of(source)


def warp_arguments(
    info: RasterInfo,
    options: CogOptions,
    source: str,
    target: str,
    threads: int,
    *,
    degrees_to_360: bool = False,
) -> list[str]:
    """`gdalwarp`'s arguments: into a plain GeoTIFF, with an alpha band where a mask is to come."""
    arguments = ["-q", *_source_options(info), "-of", "GTiff"]
    if degrees_to_360:
        arguments += ["--config", "CENTER_LONG", "180"]
    arguments += _declared_crs("-s_srs", info, options)
    if lost_heights(info, options):
        arguments.append("-novshift")
    arguments += ["-t_srs", options.target_crs or ""]
    arguments += ["-r", warp_resampling(info, options.resampling)]
    arguments += ["-et", str(WARP_TOLERANCE_PIXELS), "-wm", str(WARP_MEMORY_MB)]
    arguments += ["-multi", "-wo", f"NUM_THREADS={threads}"]
    if adds_mask(info):
        # By itself GDAL heeds the nodata value alone: a mask beside it would be lost, and one that
        # no cell can hold become a 0 that looks like data.
        arguments += ["-srcnodata", "None", "-dstalpha"]
    elif not info.has_nodata and _is_float(info):
        arguments += ["-dstnodata", "nan"]
    for option in (
        "TILED=YES",
        f"BLOCKXSIZE={options.blocksize}",
        f"BLOCKYSIZE={options.blocksize}",
        "BIGTIFF=IF_SAFER",
        "SPARSE_OK=TRUE",
    ):
        arguments += ["-co", option]
    return [*arguments, source, target]


def selection_arguments(info: RasterInfo, options: CogOptions) -> list[str]:
    """`gdal_translate`'s arguments: what it takes of the source, or of what `gdalwarp` left."""
    arguments: list[str] = []
    if options.reprojects:
        arguments += ["-if", "GTiff"]
        if adds_mask(info):
            for band in info.bands:
                arguments += ["-b", str(band.number)]
            arguments += ["-mask", str(len(info.bands) + 1)]
            nodata = info.bands[0].nodata
            arguments += ["-a_nodata", nodata] if nodata is not None else []
    else:
        arguments += _source_options(info)
        arguments += _declared_crs("-a_srs", info, options)
        if info.has_impossible_nodata and not info.has_nodata:
            arguments += ["-a_nodata", "none"]
    return arguments


def copy_arguments(
    info: RasterInfo,
    options: CogOptions,
    source: str,
    target: str,
    threads: int,
    *,
    from_vrt: bool = False,
) -> list[str]:
    """`gdal_translate`'s arguments: into the COG, with the overviews that a VRT of ours names."""
    arguments = ["-q", "-of", "COG"]
    arguments += ["-if", "VRT"] if from_vrt else selection_arguments(info, options)
    for option in (
        *compression_options(info, options.compression, is_warped=options.reprojects),
        f"BLOCKSIZE={options.blocksize}",
        # A file's own overviews may show anything: they are made anew from its pixels.
        f"OVERVIEWS={'AUTO' if from_vrt else 'IGNORE_EXISTING'}",
        f"OVERVIEW_RESAMPLING={overview_resampling(info, options.overview_resampling).upper()}",
        f"NUM_THREADS={threads}",
        "BIGTIFF=IF_SAFER",
    ):
        arguments += ["-co", option]
    return [*arguments, source, target]


def _source_options(info: RasterInfo) -> list[str]:
    options = ["-if", info.driver]
    if info.driver == "netCDF":
        # Else GDAL overwrites what lies beyond a variable's valid range with its fill value.
        options += ["-oo", "HONOUR_VALID_RANGE=NO"]
    return options


def _declared_crs(option: str, info: RasterInfo, options: CogOptions) -> list[str]:
    declared = options.source_crs
    if declared is None or (info.crs_wkt is not None and says_as_much(info.crs_wkt, declared)):
        return []
    return [option, declared]


def _is_float(info: RasterInfo) -> bool:
    return all(band.data_type in ("Float32", "Float64") for band in info.bands)


def require_exact_warp(info: RasterInfo, about: str) -> None:
    """Check that GDAL can reproject these pixels.

    Raises:
        InputError: they are of a type whose numbers it would change: it counts signed bytes as
            unsigned, and 64-bit integers as doubles.
    """
    inexact = sorted({band.data_type for band in info.bands} & {"Int8", "Int64", "UInt64"})
    if inexact:
        raise InputError.of(
            about,
            f"GDAL cannot reproject pixels of type {', '.join(inexact)} without changing some.",
            "Convert them to Int16, Int32 or Float64 first, or take a recipe without reprojection.",
        )
