"""NetCDF as climate models write it: axes of coordinates, special values in attributes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rasterio

from libs.errors import InputError
from libs.spatial_utils.cog import CogResult
from libs.spatial_utils.gdal_cli import GDAL
from libs.spatial_utils.raster_info import RasterInfo, inspect_raster

MakeNetcdf = Callable[..., Path]
MakeCog = Callable[..., CogResult]
Inspect = Callable[..., RasterInfo]
LATITUDE = np.arange(-89.5, 90, 1)
LONGITUDE = np.arange(0.5, 360, 1)


@pytest.fixture
def inspect(gdal: GDAL, tmp_path: Path) -> Inspect:
    def run(path: Path, layer: str | None = None) -> RasterInfo:
        return inspect_raster(gdal, path, driver="netCDF", layer=layer, work_dir=tmp_path)

    return run


def rows() -> np.ndarray:
    """The latitude of each cell, as its value."""
    return np.repeat(LATITUDE[:, None], LONGITUDE.size, axis=1).astype("float32")


def test_cells_beyond_a_valid_range_are_kept_and_noted(
    make_netcdf: MakeNetcdf, make_cog: MakeCog, inspect: Inspect
) -> None:
    source = make_netcdf(
        rows(), LATITUDE, LONGITUDE, _FillValue=np.array([-9999], "float32"),
        valid_range=np.array([0, 50], "float32"),
    )  # fmt: skip
    (note,) = inspect(source).notes
    assert "'t'" in note
    assert "{0,50}" in note
    for target_crs in (None, "EPSG:3857"):
        with rasterio.open(make_cog(source, "netCDF", target_crs=target_crs).path) as cog:
            cells = cog.read(1, masked=True)
        assert cells.min() < -80
        assert cells.max() > 80
    with rasterio.open(make_cog(source, "netCDF").path) as cog:
        assert np.array_equal(cog.read(1), rows()[::-1])


@pytest.mark.parametrize(
    ("missing", "fill", "count"),
    [
        (-8888, -9999, 1),
        ([-9999, -8888], -9999, 1),
        (-9999, -9999, 0),
        (1e20, 1e20, 0),
        (np.nan, np.nan, 0),
        (-9999, None, 0),
    ],
)
def test_a_missing_value_that_is_not_the_fill_value_is_noted(
    missing: float | list[float], fill: float | None, count: int,
    make_netcdf: MakeNetcdf, inspect: Inspect,
) -> None:  # fmt: skip
    fills = {} if fill is None else {"_FillValue": np.array([fill], "float32")}
    missing_value = np.array(missing, "float32").reshape(-1)
    source = make_netcdf(rows(), LATITUDE, LONGITUDE, missing_value=missing_value, **fills)
    notes = inspect(source).notes
    assert len(notes) == count
    assert all("-8888 means no data" in note and "-9999" in note for note in notes)


@pytest.mark.parametrize("dimensions", [("lon", "lat"), ("time", "lon", "lat")])
def test_rows_and_columns_that_are_exchanged_are_refused(
    dimensions: tuple[str, ...], make_netcdf: MakeNetcdf, inspect: Inspect
) -> None:
    latitude, longitude = np.arange(40.25, 60, 0.5), np.arange(5.25, 35, 0.5)
    shape = (1,) * (len(dimensions) - 2) + (longitude.size, latitude.size)
    path = make_netcdf(np.zeros(shape, "float32"), latitude, longitude, dimensions)
    with pytest.raises(InputError, match=r"a\.nc: 't' .*lon, lat.*Cure: .*-a lat,lon"):
        inspect(path)


def gaussian(count: int) -> np.ndarray:
    return np.degrees(np.arcsin(np.polynomial.legendre.leggauss(count)[0]))


def wrapped(longitude: np.ndarray) -> np.ndarray:
    return (longitude + 180) % 360 - 180


@pytest.mark.parametrize(
    ("latitude", "longitude", "notes"),
    [
        (LATITUDE, LONGITUDE, 0),
        (LATITUDE[::-1], LONGITUDE, 0),
        (LATITUDE, wrapped(LONGITUDE + 20), 0),
        (LATITUDE.astype("float32"), np.arange(170, 179, 0.01).astype("float32"), 0),
        (LATITUDE[:2], LONGITUDE[:2], 0),
        (gaussian(94), np.arange(192) * 1.875, 1),
        (gaussian(320), np.arange(640) * 0.5625, 1),
    ],
)
def test_even_axes_are_taken_and_gaussian_ones_noted(
    latitude: np.ndarray, longitude: np.ndarray, notes: int,
    make_netcdf: MakeNetcdf, inspect: Inspect,
) -> None:  # fmt: skip
    cells = np.zeros((latitude.size, longitude.size), "float32")
    assert len(inspect(make_netcdf(cells, latitude, longitude)).notes) == notes


@pytest.mark.parametrize(
    ("latitude", "longitude", "axis"),
    [
        (np.delete(LATITUDE, 30), LONGITUDE, "lat"),
        (np.delete(LATITUDE, slice(30, 50)), LONGITUDE, "lat"),
        (LATITUDE, np.cumsum(np.r_[np.ones(100), np.full(50, 0.5), np.ones(210)]), "lon"),
    ],
)
def test_axes_whose_steps_are_uneven_are_refused(
    latitude: np.ndarray, longitude: np.ndarray, axis: str,
    make_netcdf: MakeNetcdf, inspect: Inspect,
) -> None:  # fmt: skip
    path = make_netcdf(np.zeros((latitude.size, longitude.size), "float32"), latitude, longitude)
    with pytest.raises(InputError, match=rf"a\.nc: the steps of '{axis}' are uneven"):
        inspect(path)
