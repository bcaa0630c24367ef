"""Rasters made with rasterio for the tests, and GDAL with the platform's usual limits."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
import rasterio
from rasterio.transform import from_origin

from libs.spatial_utils.cog import CogOptions, CogResult, describe_cog, write_cog
from libs.spatial_utils.gdal_cli import GDAL
from libs.spatial_utils.raster_info import inspect_raster

GRID = from_origin(500_000, 5_000_000, 10, 10)
MakeTiff = Callable[..., Path]
MakeCog = Callable[..., CogResult]


@pytest.fixture
def gdal() -> GDAL:
    return GDAL(timeout_s=120, memory_mb=256, workers=2)


@pytest.fixture
def make_tiff(tmp_path: Path) -> MakeTiff:
    """Writes an array (bands, rows, columns) as a plain GeoTIFF."""

    def make(
        array: np.ndarray,
        name: str = "input.tif",
        mask: np.ndarray | None = None,
        colormap: dict[int, tuple[int, int, int, int]] | None = None,
        attributes: dict[str, object] | None = None,
        **profile: object,
    ) -> Path:
        path = tmp_path / name
        settings = {"crs": "EPSG:32633", "transform": GRID, **profile}
        bands, rows, columns = array.shape
        with (
            rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True),
            rasterio.open(
                path, "w", driver="GTiff", count=bands, height=rows, width=columns,
                dtype=array.dtype, **settings,
            ) as file,
        ):  # fmt: skip
            file.write(array)
            if mask is not None:
                file.write_mask(mask)
            if colormap is not None:
                file.write_colormap(1, colormap)
            for attribute, value in (attributes or {}).items():
                setattr(file, attribute, value)
        return path

    return make


@pytest.fixture
def make_cog(gdal: GDAL, tmp_path: Path) -> MakeCog:
    """Inspects a file, writes it as `out.tif` and describes that."""

    def make(
        path: Path, driver: str = "GTiff", layer: str | None = None, **options: object
    ) -> CogResult:
        info = inspect_raster(gdal, path, driver=driver, layer=layer, work_dir=tmp_path)
        target = tmp_path / "out.tif"
        write_cog(
            gdal, path, info, target,
            options=CogOptions.model_validate(options), work_dir=tmp_path,
        )  # fmt: skip
        return describe_cog(gdal, target, work_dir=tmp_path)

    return make


@pytest.fixture
def make_netcdf(tmp_path: Path) -> Callable[..., Path]:
    """Writes a variable `t` over latitudes and longitudes as netCDF-4, as climate models do.

    `dimensions` is the order of the variable's; a `time` among them has one step.
    """

    def make(
        array: np.ndarray,
        latitude: np.ndarray,
        longitude: np.ndarray,
        dimensions: tuple[str, ...] = ("lat", "lon"),
        **attributes: object,
    ) -> Path:
        axes = {
            "lat": (latitude, "degrees_north", "latitude"),
            "lon": (longitude, "degrees_east", "longitude"),
            "time": (np.zeros(1), "days since 2000-01-01", "time"),
        }
        path = tmp_path / "a.nc"
        with h5py.File(path, "w") as file:
            for name in sorted(set(dimensions)):
                values, unit, standard_name = axes[name]
                file[name] = values
                file[name].make_scale(name)
                file[name].attrs["units"] = np.bytes_(unit)
                file[name].attrs["standard_name"] = np.bytes_(standard_name)
            file["t"] = array
            for number, name in enumerate(dimensions):
                file["t"].dims[number].attach_scale(file[name])
            for name, value in attributes.items():
                file["t"].attrs[name] = value
        return path

    return make


@pytest.fixture
def translate(tmp_path: Path) -> Callable[..., Path]:
    """Makes a file of another format with Debian's `gdal_translate`, as a user would."""

    def run(source: Path, name: str, *arguments: str) -> Path:
        target = tmp_path / name
        subprocess.run(["gdal_translate", "-q", *arguments, source, target], check=True)
        return target

    return run
