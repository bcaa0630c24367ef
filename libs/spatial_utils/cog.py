"""Writes a raster as a Cloud Optimized GeoTIFF, the same bytes for the same input and options.

Reading the source's header is `raster_info`'s business; what a recipe asks for is decided before.
"""

from __future__ import annotations

import functools
import math
import tempfile
from collections.abc import Callable
from pathlib import Path

from libs.models import Bounds, Frozen, RasterShape
from libs.spatial_utils.cog_commands import (
    CogOptions,
    adds_mask,
    copy_arguments,
    lost_heights,
    require_exact_warp,
    selection_arguments,
    warp_arguments,
)
from libs.spatial_utils.cog_overviews import (
    are_rounded,
    level_arguments,
    level_sizes,
    overview_notes,
    show_levels,
)
from libs.spatial_utils.gdal_cli import GDAL, GDALOutput, local_path
from libs.spatial_utils.gdal_info import DatasetInfo
from libs.spatial_utils.raster_geometry import GeoTransform
from libs.spatial_utils.raster_info import RasterInfo, bands_of
from libs.spatial_utils.raster_seams import outlook, require_kept, told_as_torn
from libs.spatial_utils.raster_staging import staged
from libs.spatial_utils.raster_subdatasets import dataset_name

__all__ = ["CogOptions", "CogResult", "describe_cog", "write_cog"]

_ROOM_BESIDE_PIXELS_BYTES = 64 * 2**20
_USUAL_CACHE_MB = 128
"""256 is no faster at 20 000² of 32 bits; 1 024 a twentieth, for six times the memory."""


class CogResult(Frozen):
    """A finished COG on local disk, described from the file itself."""

    path: Path
    size_bytes: int
    bounds: Bounds
    """The outer edges of all pixels, in the units of its CRS, x being easting or longitude."""
    crs_wkt: str
    """WKT 2."""
    geotransform: GeoTransform
    shape: RasterShape
    info: DatasetInfo
    """What GDAL says of it."""


def write_cog(
    gdal: GDAL,
    source: Path,
    info: RasterInfo,
    target: Path,
    *,
    options: CogOptions,
    work_dir: Path,
) -> tuple[str, ...]:
    """Make `target` from `source`, which `inspect_raster` described; both lie in `work_dir`.

    Pixels, data types, nodata, band names, palettes, scales and masks are kept. `target` appears
    whole or not at all. Returns what a reader must know: a mask or a nodata value that the source
    had not, what a reprojection did to the cells, heights whose reference system is not named now.

    Raises:
        InputError: the pixels cannot all be read, or not be reprojected without loss.
        TransientError: the disk is full.
    """
    about, end = source.name, local_path(target, work_dir)
    if options.reprojects:
        require_exact_warp(info, about)
    run = functools.partial(
        gdal.run,
        work_dir=work_dir,
        about=about,
        # A reprojected grid has about as many pixels as its source, and an alpha band at most.
        max_file_bytes=8 * info.uncompressed_bytes + _ROOM_BESIDE_PIXELS_BYTES,
        cache_mb=_cache_mb(gdal, info, options),
    )
    with (
        staged(source, info.driver, work_dir) as file,
        tempfile.TemporaryDirectory(prefix="cog-", dir=work_dir) as folder,
    ):
        made = Path(folder).resolve() / "made.tif"
        opened = str(file)
        if info.subdataset:
            opened = dataset_name(file, info.driver, info.subdataset, about)
        size, notes = (info.width, info.height), _notes(info, options)
        if options.reprojects:
            warped = made.with_name("warped.tif")
            size, more = _warp(gdal, run, info, options, opened, warped, about)
            opened, notes = str(warped), notes + more
        levels = level_sizes(*size, options.blocksize)
        has_own = bool(levels) and are_rounded(info, options.overview_resampling)
        if has_own:
            opened = _vrt_with_levels(run, info, options, opened, levels, made.parent)
        arguments = copy_arguments(info, options, opened, str(made), gdal.workers, from_vrt=has_own)
        run("gdal_translate", arguments)
        made.replace(end)
    return notes + (overview_notes(info, options.overview_resampling) if levels else ())


def _warp(
    gdal: GDAL,
    run: Callable[..., GDALOutput],
    info: RasterInfo,
    options: CogOptions,
    opened: str,
    warped: Path,
    about: str,
) -> tuple[tuple[int, int], tuple[str, ...]]:
    """Reproject into a plain GeoTIFF; returns its size, and what a reader must know."""
    target_crs = options.target_crs or ""
    expected = outlook(info, info.crs_wkt or options.source_crs or "", target_crs)
    to_360 = expected is not None and expected.crosses_antimeridian
    arguments = warp_arguments(
        info, options, opened, str(warped), gdal.workers, degrees_to_360=to_360
    )
    with told_as_torn(expected, target_crs, about):
        run("gdalwarp", arguments)
    made = gdal.info(warped, "GTiff", work_dir=warped.parent, about=about)
    if expected is None:
        return made.size, ()
    transform = GeoTransform.from_gdal(made.geotransform or (), about)
    notes = require_kept(expected, transform, made.size, target_crs=target_crs, about=about)
    return made.size, notes


def _vrt_with_levels(
    run: Callable[..., GDALOutput],
    info: RasterInfo,
    options: CogOptions,
    opened: str,
    levels: list[tuple[int, int]],
    folder: Path,
) -> str:
    """Make each overview by itself; returns a VRT that shows them with the raster."""
    files = [folder / f"level-{number}.tif" for number in range(len(levels))]
    selection = selection_arguments(info, options)
    for size, file in zip(levels, files, strict=True):
        run("gdal_translate", ["-q", *selection, *level_arguments(info, size), opened, str(file)])
    vrt = folder / "made.vrt"
    run("gdal_translate", ["-q", "-of", "VRT", *selection, opened, str(vrt)])
    show_levels(vrt, files)
    return str(vrt)


def _cache_mb(gdal: GDAL, info: RasterInfo, options: CogOptions) -> int:
    """Room for three rows of blocks of the source or the COG, whichever are higher.

    With less a block would be decompressed once for each tile that it is a part of.
    """
    row_bytes = info.uncompressed_bytes / info.height * max(options.blocksize, info.block_rows)
    return min(gdal.cache_mb, max(_USUAL_CACHE_MB, math.ceil(3 * row_bytes / 2**20)))


def _notes(info: RasterInfo, options: CogOptions) -> tuple[str, ...]:
    if not options.reprojects:
        return ()
    heights = lost_heights(info, options)
    if heights is None:
        return _marked_outside(info)
    note = (
        f"The source's CRS counts heights in {heights}, and {options.target_crs} names none: the "
        "values are the source's, but the result no longer says what its heights are above."
    )
    return (note, *_marked_outside(info))


def _marked_outside(info: RasterInfo) -> tuple[str, ...]:
    if info.has_nodata or info.has_alpha or info.has_mask:
        return ()
    how = "a mask" if adds_mask(info) else "the nodata value NaN"
    return (f"The source had no nodata value: {how} marks what lies outside of it.",)


def describe_cog(gdal: GDAL, path: Path, *, work_dir: Path) -> CogResult:
    """What a COG in `work_dir` is, from its own header.

    Raises:
        InputError: GDAL cannot read it.
    """
    info = gdal.info(path, "GTiff", work_dir=work_dir, about=path.name)
    transform = GeoTransform.from_gdal(info.geotransform or (), path.name)
    return CogResult(
        path=path,
        size_bytes=path.stat().st_size,
        bounds=transform.bounds(*info.size),
        crs_wkt=info.coordinate_system.wkt if info.coordinate_system else "",
        geotransform=transform,
        shape=_shape(info, transform),
        info=info,
    )


def _shape(info: DatasetInfo, transform: GeoTransform) -> RasterShape:
    return RasterShape(
        width=info.size[0],
        height=info.size[1],
        cell_size_x=transform.cell_size_x,
        cell_size_y=transform.cell_size_y,
        bands=bands_of(info),
        compression=info.compression,
        overview_count=len(info.bands[0].overviews),
    )
