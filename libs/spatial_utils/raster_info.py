"""What a raster file is, read from its header; its pixels are not looked at."""

from __future__ import annotations

from pathlib import Path

from libs.models import Band, Frozen
from libs.spatial_utils.errors import ReaderBrokenError, UnreadableFileError
from libs.spatial_utils.gdal_cli import GDAL
from libs.spatial_utils.gdal_info import DatasetInfo, GdalBand, items_of
from libs.spatial_utils.raster_axes import check_axes
from libs.spatial_utils.raster_geometry import GeoTransform
from libs.spatial_utils.raster_hdf5 import refuse_virtual_datasets
from libs.spatial_utils.raster_limits import (
    RASTER_MAX_BYTES,
    require_plausible_size,
    require_readable_blocks,
    uncompressed_bytes,
)
from libs.spatial_utils.raster_meaning import notes_on_values, require_own_colors
from libs.spatial_utils.raster_netcdf import is_hdf5, require_whole_netcdf
from libs.spatial_utils.raster_nodata import has_impossible_nodata, nodata_notes, nodata_text
from libs.spatial_utils.raster_staging import staged
from libs.spatial_utils.raster_subdatasets import (
    choose_subdataset,
    dataset_name,
    require_mask_in_reach,
)

PIXEL_COORDINATES = (0.0, 1.0, 0.0, 0.0, 0.0, 1.0)
"""A geotransform that says no more than columns and rows do: programs write it for none."""


class RasterInfo(Frozen):
    """A raster file, or the one subdataset of it that is meant."""

    driver: str
    subdataset: str | None
    """The netCDF variable, or the page of a TIFF; None: the file itself."""
    width: int
    """Columns."""
    height: int
    """Rows."""
    geotransform: GeoTransform
    crs_wkt: str | None
    """What the file itself says, WKT 2; None: it says nothing."""
    bands: tuple[Band, ...]
    has_color_table: bool
    has_impossible_nodata: bool
    """The file names a nodata value that no cell can hold: the bands have none."""
    has_alpha: bool
    has_mask: bool
    """A mask of valid pixels stored beside the bands."""
    has_units: bool
    """A band has a unit of measure, a scale or an offset: its values are measurements."""
    uncompressed_bytes: int
    has_odd_bits: bool = False
    """Pixels are stored in 12 bits, say: no TIFF predictor takes those."""
    block_rows: int
    """Of the highest block: the lines that are read at once, whether they are wanted or not."""
    notes: tuple[str, ...] = ()

    @property
    def has_nodata(self) -> bool:
        """Whether any band has a nodata value."""
        return any(band.nodata is not None for band in self.bands)


def inspect_raster(
    gdal: GDAL,
    path: Path,
    *,
    driver: str,
    layer: str | None,
    work_dir: Path,
    raster_max_bytes: int = RASTER_MAX_BYTES,
) -> RasterInfo:
    """Read the header of a file in `work_dir` with the declared driver, and with no other.

    `layer` names the netCDF variable or the TIFF page (`2`); needed when the file has several.

    Raises:
        InputError: it is not of that format, is cut short, has no georeferencing, has several
            layers and none is named, declares a size that is not believed, has colours that GDAL
            would change, or axes that make no regular grid.
    """
    about = path.name
    if driver == "netCDF":
        _require_safe_netcdf(gdal, path, about)
    with staged(path, driver, work_dir) as file:
        whole = gdal.info(file, driver, work_dir=work_dir, about=about)
        choice = choose_subdataset(
            whole,
            layer,
            about=about,
            open_one=lambda name: gdal.info(
                dataset_name(file, driver, name, about), driver, work_dir=work_dir, about=about
            ),
        )
        info = choice.info
        notes = choice.notes
        if driver == "netCDF":
            axes = check_axes(gdal, file, info, choice.name, work_dir=work_dir, about=about)
            notes = (*notes, *axes, *notes_on_values(info))
    if driver == "GTiff" and choice.name is not None:
        require_mask_in_reach(path, choice.name, about)
    if not info.bands:
        raise UnreadableFileError(about, "it has no bands.", "Submit a raster with pixels.")
    require_own_colors(info, about)
    require_plausible_size(
        info, file_bytes=path.stat().st_size, max_bytes=raster_max_bytes, about=about
    )
    require_readable_blocks(info, memory_bytes=gdal.cache_mb * 2**20, about=about)
    return _described(info, driver, choice.name, notes, about)


def _require_safe_netcdf(gdal: GDAL, path: Path, about: str) -> None:
    if is_hdf5(path) and not gdal.is_confined:
        raise ReaderBrokenError(
            f"{about} is netCDF-4, so an HDF5 file, which may name any local file as part "
            "of itself. It is read only where Linux's Landlock prevents that, and this kernel has "
            "no Landlock: use Linux 5.13 or later, or submit classic netCDF."
        )
    if is_hdf5(path):
        refuse_virtual_datasets(path, about)
    require_whole_netcdf(path, about)


def _described(
    info: DatasetInfo, driver: str, subdataset: str | None, notes: tuple[str, ...], about: str
) -> RasterInfo:
    wkt = info.coordinate_system.wkt if info.coordinate_system else ""
    return RasterInfo(
        driver=driver,
        subdataset=subdataset,
        width=info.size[0],
        height=info.size[1],
        geotransform=_geotransform(info, about),
        crs_wkt=wkt or None,
        bands=bands_of(info),
        has_color_table=any(band.color_table for band in info.bands),
        has_impossible_nodata=has_impossible_nodata(info),
        has_alpha=any(band.color_interpretation == "Alpha" for band in info.bands),
        has_mask=any(
            "PER_DATASET" in band.mask.flags and "ALPHA" not in band.mask.flags
            for band in info.bands
        ),
        has_units=any(band.unit or band.scale or band.offset for band in info.bands),
        has_odd_bits=any(_has_odd_bits(band) for band in info.bands),
        uncompressed_bytes=uncompressed_bytes(info),
        block_rows=max(band.block[1] for band in info.bands),
        notes=(*notes, *nodata_notes(info.bands, about)),
    )


def _has_odd_bits(band: GdalBand) -> bool:
    bits = items_of(band.metadata, "IMAGE_STRUCTURE").get("NBITS", "8")
    return bits not in ("8", "16", "32", "64")


def bands_of(info: DatasetInfo) -> tuple[Band, ...]:
    """The bands in the platform's words."""
    return tuple(
        Band(
            number=band.number,
            name=band.description or None,
            data_type=band.data_type,
            nodata=nodata_text(band),
            color_interpretation=band.color_interpretation,
        )
        for band in info.bands
    )


def _geotransform(info: DatasetInfo, about: str) -> GeoTransform:
    if info.geotransform not in (None, PIXEL_COORDINATES):
        return GeoTransform.from_gdal(info.geotransform, about)
    points = info.control_points.count if info.control_points else 0
    if info.control_points is not None:
        raise UnreadableFileError(
            about,
            f"it has ground control points{f' ({points})' if points else ''} but no geotransform.",
            "Rectify it first: gdalwarp -t_srs EPSG:CODE FILE RECTIFIED.tif",
        )
    geolocated = bool(items_of(info.metadata, "GEOLOCATION"))
    raise UnreadableFileError(
        about,
        "it is not on a regular grid: the place of each pixel stands in arrays of its own."
        if geolocated
        else "it has no georeferencing: nothing says where its pixels lie.",
        "Rectify it first: gdalwarp -t_srs EPSG:CODE FILE RECTIFIED.tif"
        if geolocated
        else "Submit a georeferenced file, or its world file with it (FILE.tfw, FILE.j2w).",
    )
