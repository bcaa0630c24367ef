"""Overviews hold the source's own values, also where single precision has none of them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rasterio
from rio_cogeo.cogeo import cog_validate

from libs.spatial_utils.cog import CogOptions, CogResult, write_cog
from libs.spatial_utils.gdal_cli import GDAL
from libs.spatial_utils.raster_info import inspect_raster

MakeTiff = Callable[..., Path]
MakeCog = Callable[..., CogResult]
Translate = Callable[..., Path]
SIZE = 1100
CODES = [
    ("int32", 100_000_000, -(2**31) + 1),
    ("uint32", 4_000_000_000, 2**32 - 2),
    ("int64", 2**60, 2**53 - 1),
    ("uint64", 2**63, 2**53 - 1),
]
"""A type, the least code, and a nodata value that single precision rounds."""


def codes(dtype: str, least: int, bands: int = 1) -> np.ndarray:
    offsets = np.random.default_rng(1).integers(0, 1000, (bands, SIZE, SIZE))
    return offsets.astype(dtype) + np.dtype(dtype).type(least)


def overviews(path: Path) -> list[tuple[np.ndarray, np.ndarray]]:
    """Pixels and mask of each level, the largest first."""
    is_valid, errors, complaints = cog_validate(str(path), strict=True, quiet=True)
    assert (is_valid, errors, complaints) == (True, [], [])
    with rasterio.open(path) as cog:
        count = len(cog.overviews(1))
    levels = []
    for level in range(count):
        with rasterio.open(path, overview_level=level) as cog:
            levels.append((cog.read(), cog.read_masks(1) == 255))
    return levels


@pytest.mark.parametrize("units", [None, "m"])
@pytest.mark.parametrize(("dtype", "least", "nodata"), CODES)
def test_codes_are_no_others_in_overviews(
    dtype: str, least: int, nodata: int, units: str | None, make_tiff: MakeTiff, make_cog: MakeCog
) -> None:
    cells = codes(dtype, least, bands=2)
    cells[:, :, :300] = nodata
    attributes = {"units": (units, units), "descriptions": ("a", "b")} if units else {}
    result = make_cog(make_tiff(cells, nodata=nodata, attributes=attributes))
    assert result.shape.overview_count == 2
    with rasterio.open(result.path) as cog:
        assert np.array_equal(cog.read(), cells)
        assert (cog.units, cog.descriptions) == (
            (units, units),
            ("a", "b") if units else (None,) * 2,
        )
    for pixels, mask in overviews(result.path):
        valid = pixels[0] != nodata
        assert valid.mean() == pytest.approx(8 / 11, abs=0.01)
        # GDAL's dataset of a single overview has no nodata value of 64 bits
        assert np.array_equal(mask, valid) or dtype in ("int64", "uint64")
        for band, source in zip(pixels, cells, strict=True):
            assert np.isin(band, source).all()
            assert len(np.unique(band)) == 1001


@pytest.mark.parametrize("target_crs", [None, "EPSG:4326"])
def test_overviews_of_codes_have_the_mask_too(
    target_crs: str | None, make_tiff: MakeTiff, make_cog: MakeCog
) -> None:
    cells = codes("int32", 100_000_000)
    mask = np.full((SIZE, SIZE), 255, "uint8")
    mask[:, :300], cells[:, :, :300] = 0, 7
    result = make_cog(make_tiff(cells, mask=mask), target_crs=target_crs)
    for pixels, valid in overviews(result.path):
        assert valid.mean() == pytest.approx(8 / 11, abs=0.04)
        assert np.isin(pixels[0][valid], cells).all()
        assert 7 not in pixels[0][valid]


def test_overviews_of_the_source_are_not_believed_for_codes(
    make_tiff: MakeTiff, make_cog: MakeCog
) -> None:
    source = make_tiff(np.ones((1, SIZE, SIZE), "int32"))
    with rasterio.open(source, "r+") as file:
        file.build_overviews([2, 4], rasterio.enums.Resampling.nearest)
        file.write(codes("int32", 100_000_000))  # the overviews stay as they were
    for pixels, _ in overviews(make_cog(source).path):
        assert 1 not in pixels


@pytest.mark.parametrize("nodata", [-1.797e308, 1e20, -9999.9])
def test_nodata_of_doubles_stays_nodata_in_overviews(
    nodata: float, make_tiff: MakeTiff, make_cog: MakeCog
) -> None:
    cells = np.random.default_rng(1).random((1, SIZE, SIZE)) + 4_500_000
    cells[:, :, :300] = nodata
    for pixels, valid in overviews(make_cog(make_tiff(cells, nodata=nodata)).path):
        assert valid.mean() == pytest.approx(8 / 11, abs=0.01)
        assert np.isin(pixels[0], cells).all()


@pytest.mark.parametrize(
    ("dtype", "profile", "options", "word"),
    [
        ("int32", {}, {}, None),
        ("int32", {}, {"overview_resampling": "average"}, "single cells"),
        ("float64", {"nodata": -9999.9}, {}, "single cells"),
        ("float64", {"nodata": -9999}, {}, "single precision"),
        ("float64", {}, {"overview_resampling": "nearest"}, None),
        ("float32", {}, {}, None),
        ("int16", {}, {"overview_resampling": "average"}, None),
    ],
)
def test_what_overviews_do_not_hold_is_noted(
    dtype: str, profile: dict, options: dict, word: str | None,
    gdal: GDAL, make_tiff: MakeTiff, tmp_path: Path,
) -> None:  # fmt: skip
    source = make_tiff(np.ones((1, SIZE, SIZE), dtype), **profile)
    info = inspect_raster(gdal, source, driver="GTiff", layer=None, work_dir=tmp_path)
    notes = write_cog(
        gdal, source, info, tmp_path / "out.tif", options=CogOptions(**options), work_dir=tmp_path
    )
    assert len(notes) == bool(word)
    assert all((word or "") in note for note in notes)


def test_a_netcdf_variable_has_its_codes_in_overviews(
    make_tiff: MakeTiff, translate: Translate, make_cog: MakeCog
) -> None:
    cells = codes("int32", 100_000_000, bands=2)
    source = translate(make_tiff(cells), "a.nc", "-of", "netCDF", "-co", "FORMAT=NC4")
    result = make_cog(source, "netCDF", "Band2")
    with rasterio.open(result.path) as cog:
        assert np.array_equal(cog.read(1), cells[1])
    for pixels, _ in overviews(result.path):
        assert np.isin(pixels, cells[1]).all()


def test_exact_overviews_have_the_same_bytes_whatever_the_machine(
    make_tiff: MakeTiff, tmp_path: Path
) -> None:
    source, hashes = make_tiff(codes("int32", 100_000_000), crs=None), set()
    for number, (workers, memory_mb) in enumerate([(1, 64), (2, 512)]):
        folder = tmp_path / f"run-{number}"
        folder.mkdir()
        copy = folder / f'another "name" {number}.tif'
        copy.write_bytes(source.read_bytes())
        gdal = GDAL(timeout_s=120, memory_mb=memory_mb, workers=workers)
        info = inspect_raster(gdal, copy, driver="GTiff", layer=None, work_dir=folder)
        target, options = folder / "out.tif", CogOptions(source_crs="EPSG:25833")
        write_cog(gdal, copy, info, target, options=options, work_dir=folder)
        assert sorted(folder.iterdir()) == sorted([copy, target])
        assert str(tmp_path).encode() not in target.read_bytes()
        hashes.add(hashlib.sha256(target.read_bytes()).hexdigest())
    assert len(hashes) == 1
