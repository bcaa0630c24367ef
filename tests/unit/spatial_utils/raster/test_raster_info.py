from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.control import GroundControlPoint
from rasterio.transform import Affine, from_origin

from libs.errors import InputError
from libs.spatial_utils.errors import LimitExceededError, ReaderBrokenError
from libs.spatial_utils.gdal_cli import GDAL
from libs.spatial_utils.raster_info import RasterInfo, inspect_raster

MakeTiff = Callable[..., Path]
Translate = Callable[..., Path]
Inspect = Callable[..., RasterInfo]
FILES = Path(__file__).parent / "files"
GRID = from_origin(500_000, 5_000_000, 10, 10)


@pytest.fixture
def inspect(gdal: GDAL, tmp_path: Path) -> Inspect:
    def run(path: Path, driver: str = "GTiff", layer: str | None = None, **more: int) -> RasterInfo:
        return inspect_raster(gdal, path, driver=driver, layer=layer, work_dir=tmp_path, **more)

    return run


def test_a_header_says_what_rasterio_says(make_tiff: MakeTiff, inspect: Inspect) -> None:
    path = make_tiff(
        np.zeros((3, 40, 70), "uint16"),
        nodata=0,
        attributes={"descriptions": ("B2", "grün", "B4"), "scales": (0.1,) * 3},
    )
    info = inspect(path)
    with rasterio.open(path) as file:
        assert (info.width, info.height) == (file.width, file.height)
        assert info.geotransform.bounds(70, 40).xyxy == tuple(file.bounds)
        assert rasterio.CRS.from_wkt(info.crs_wkt) == file.crs
        assert [band.name for band in info.bands] == list(file.descriptions)
    assert [(band.number, band.data_type, band.nodata) for band in info.bands] == [
        (number, "UInt16", "0") for number in (1, 2, 3)
    ]
    assert info.has_units
    assert not (info.has_alpha or info.has_mask or info.has_color_table)


@pytest.mark.parametrize(
    ("dtype", "nodata", "text"),
    [
        ("uint8", 255, "255"),
        ("int16", -32768, "-32768"),
        ("float32", float("nan"), "nan"),
        ("float32", -9999, "-9999.0"),
        ("float32", -3.4028234663852886e38, "-3.4028235e+38"),
        ("float64", 1e-300, "1e-300"),
        ("float64", -1.7976931348623157e308, "-1.7976931348623157e+308"),
        ("int32", -2147483648, "-2147483648"),
        ("int8", -128, "-128"),
        ("float32", None, None),
    ],
)
def test_nodata_is_kept_as_exact_text(
    dtype: str, nodata: float | None, text: str | None, make_tiff: MakeTiff, inspect: Inspect
) -> None:
    band = inspect(make_tiff(np.zeros((1, 8, 8), dtype), nodata=nodata)).bands[0]
    if text is None:
        assert band.nodata is None
    else:
        assert band.nodata is not None
        assert np.array_equal(
            np.dtype(dtype).type(band.nodata),
            np.dtype(dtype).type(nodata),
            equal_nan="f" in np.dtype(dtype).kind,
        )
        assert band.nodata == text


def test_a_64_bit_nodata_keeps_its_last_digit(
    make_tiff: MakeTiff, translate: Translate, inspect: Inspect
) -> None:
    plain = make_tiff(np.zeros((1, 8, 8), "int64"))
    path = translate(plain, "n.tif", "-a_nodata", "-9223372036854775807")
    assert inspect(path).bands[0].nodata == "-9223372036854775807"


def test_palette_mask_and_alpha_are_seen(make_tiff: MakeTiff, inspect: Inspect) -> None:
    codes = np.zeros((1, 8, 8), "uint8")
    palette = make_tiff(codes, "p.tif", colormap={0: (9, 9, 9, 255)})
    masked = make_tiff(codes, "m.tif", mask=np.eye(8, dtype="uint8") * 255)
    alpha = make_tiff(np.zeros((4, 8, 8), "uint8"), "a.tif", photometric="RGB", alpha="YES")
    seen = [
        (i.has_color_table, i.has_mask, i.has_alpha) for i in map(inspect, (palette, masked, alpha))
    ]
    assert seen == [(True, False, False), (False, True, False), (False, False, True)]


def test_a_rotated_grid_has_bounds_around_its_corners(
    make_tiff: MakeTiff, inspect: Inspect
) -> None:
    grid = GRID @ Affine.rotation(20)
    info = inspect(make_tiff(np.zeros((1, 30, 50), "uint8"), transform=grid))
    corners = [grid @ corner for corner in ((0, 0), (50, 0), (0, 30), (50, 30))]
    assert info.geotransform.is_rotated
    assert info.geotransform.cell_size_x == pytest.approx(10)
    bounds = info.geotransform.bounds(50, 30)
    assert bounds.min_x == pytest.approx(min(x for x, _ in corners))
    assert bounds.max_y == pytest.approx(max(y for _, y in corners))


def test_a_file_without_crs_says_none(make_tiff: MakeTiff, inspect: Inspect) -> None:
    assert inspect(make_tiff(np.zeros((1, 8, 8), "uint8"), crs=None)).crs_wkt is None


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
@pytest.mark.parametrize("transform", [None, Affine.identity()])
def test_a_file_whose_place_nothing_says_is_refused(
    transform: Affine | None, make_tiff: MakeTiff, inspect: Inspect
) -> None:
    with pytest.raises(InputError, match="no georeferencing"):
        inspect(make_tiff(np.zeros((1, 4, 4), "uint8"), transform=transform))


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_a_world_file_is_used_whatever_its_case(make_tiff: MakeTiff, inspect: Inspect) -> None:
    path = make_tiff(np.zeros((1, 4, 4), "uint8"), "a.tif", transform=None, crs=None)
    with pytest.raises(InputError, match="no georeferencing"):
        inspect(path)
    path.with_suffix(".TFW").write_text("10\n0\n0\n-10\n500005\n4999995\n")
    assert inspect(path).geotransform.bounds(4, 4).xyxy == (500000, 4999960, 500040, 5000000)


def test_side_files_that_are_none_of_the_formats_add_nothing(
    make_tiff: MakeTiff, inspect: Inspect, tmp_path: Path
) -> None:
    path = make_tiff(np.zeros((1, 64, 64), "uint8"))
    before = inspect(path)
    (tmp_path / "input.tif.aux.xml").write_text(
        "<PAMDataset><PAMRasterBand band='1'><Description>forged</Description>"
        "<NoDataValue>7</NoDataValue></PAMRasterBand></PAMDataset>"
    )
    shutil.copy(path, tmp_path / "input.tif.msk")
    assert (
        "forged"
        in subprocess.run(["gdalinfo", path], capture_output=True, text=True, check=True).stdout
    )
    assert inspect(path) == before


def test_ground_control_points_alone_are_not_enough(make_tiff: MakeTiff, inspect: Inspect) -> None:
    corners = ((0, 0), (0, 8), (8, 0), (8, 8))
    points = [GroundControlPoint(row, col, col * 1.0, row * 1.0) for row, col in corners]
    path = make_tiff(np.zeros((1, 8, 8), "uint8"), transform=None, gcps=points)
    with pytest.raises(InputError, match=r"ground control points.*gdalwarp"):
        inspect(path)


@pytest.mark.parametrize("driver", ["JP2OpenJPEG", "netCDF"])
def test_a_file_of_another_format_is_refused(
    driver: str, make_tiff: MakeTiff, inspect: Inspect
) -> None:
    with pytest.raises(InputError, match="not recognized"):
        inspect(make_tiff(np.zeros((1, 8, 8), "uint8")), driver)


def test_a_header_that_promises_too_much_is_refused_before_any_work(
    inspect: Inspect, tmp_path: Path
) -> None:
    path = tmp_path / "bomb.tif"
    with rasterio.open(
        path, "w", driver="GTiff", width=46_341, height=46_341, count=1, dtype="uint8",
        sparse_ok=True, tiled=True, blockxsize=4096, blockysize=4096, transform=GRID,
    ):  # fmt: skip
        pass
    assert path.stat().st_size < 4_000
    with pytest.raises(LimitExceededError, match="46341 x 46341"):
        inspect(path)


def test_more_pixels_than_the_limit_are_refused(make_tiff: MakeTiff, inspect: Inspect) -> None:
    path = make_tiff(np.zeros((2, 10, 10), "float64"))
    assert inspect(path, raster_max_bytes=1600).uncompressed_bytes == 1600
    with pytest.raises(LimitExceededError, match="1599"):
        inspect(path, raster_max_bytes=1599)


def test_blocks_that_do_not_fit_in_memory_are_refused(make_tiff: MakeTiff, tmp_path: Path) -> None:
    side = 6000 // 16 * 16
    layout = {"tiled": True, "blockxsize": side, "blockysize": side, "compress": "zstd"}
    path = make_tiff(np.zeros((1, side, side), "uint8"), **layout)
    small = GDAL(timeout_s=60, memory_mb=64, workers=1)
    with pytest.raises(LimitExceededError, match="TILED=YES"):
        inspect_raster(small, path, driver="GTiff", layer=None, work_dir=tmp_path)
    large = GDAL(timeout_s=60, memory_mb=128, workers=1)
    inspect_raster(large, path, driver="GTiff", layer=None, work_dir=tmp_path)


def test_names_cannot_change_what_gdal_opens(
    make_tiff: MakeTiff, translate: Translate, inspect: Inspect, tmp_path: Path
) -> None:
    plain = translate(make_tiff(np.zeros((2, 8, 8), "uint8")), "a.nc", "-of", "netCDF")
    strange = plain.rename(tmp_path / "a\":Band1 -of VRT; é'.nc")
    assert inspect(strange, "netCDF", "Band2").subdataset == "Band2"


def test_a_netcdf_file_with_several_variables_needs_a_layer(
    make_tiff: MakeTiff, translate: Translate, inspect: Inspect
) -> None:
    path = translate(make_tiff(np.zeros((2, 8, 8), "int16")), "a.nc", "-of", "netCDF")
    for layer in (None, "Band3"):
        with pytest.raises(InputError, match="'Band1', 'Band2'"):
            inspect(path, "netCDF", layer)
    info = inspect(path, "netCDF", "Band2")
    assert len(info.bands) == 1
    assert info.geotransform.bounds(8, 8).xyxy == (500000, 4999920, 500080, 5000000)


def test_a_single_variable_needs_none_and_may_be_named(
    make_tiff: MakeTiff, translate: Translate, inspect: Inspect
) -> None:
    path = translate(make_tiff(np.zeros((1, 8, 8), "int16")), "a.nc", "-of", "netCDF")
    assert inspect(path, "netCDF") == inspect(path, "netCDF", "Band1")
    with pytest.raises(InputError, match="'Band1'"):
        inspect(path, "netCDF", "x")


@pytest.mark.parametrize("kind", ["NC", "NC2", "NC4", "NC4C"])
def test_a_netcdf_file_that_was_cut_short_is_refused(
    kind: str, make_tiff: MakeTiff, translate: Translate, inspect: Inspect
) -> None:
    tiff = make_tiff(np.arange(10_000, dtype="float32").reshape(1, 100, 100))
    path = translate(tiff, "a.nc", "-of", "netCDF", "-co", f"FORMAT={kind}")
    inspect(path, "netCDF")
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size - 4_000)
    with pytest.raises(InputError):
        inspect(path, "netCDF")


def test_without_landlock_netcdf4_is_not_opened(
    inspect: Inspect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = Path(shutil.copy(FILES / "external_storage.nc", tmp_path))
    monkeypatch.setattr("libs.spatial_utils.gdal_confine.landlock_version", lambda: 0)
    with pytest.raises(ReaderBrokenError, match="Landlock"):
        inspect(path, "netCDF")


def test_pages_of_a_tiff_are_layers(
    make_tiff: MakeTiff, translate: Translate, inspect: Inspect
) -> None:
    first = make_tiff(np.zeros((1, 8, 8), "uint8"))
    second = make_tiff(np.zeros((1, 9, 20), "uint8"), "second.tif")
    path = translate(first, "pages.tif")
    translate(second, "pages.tif", "-co", "APPEND_SUBDATASET=YES")
    with pytest.raises(InputError, match="'1', '2'"):
        inspect(path)
    assert inspect(path, layer="2").width == 20


def test_a_jpeg2000_header_is_read(
    make_tiff: MakeTiff, translate: Translate, inspect: Inspect
) -> None:
    tiff = make_tiff(np.zeros((3, 64, 64), "uint8"), photometric="RGB")
    info = inspect(translate(tiff, "a.jp2", "-of", "JP2OpenJPEG"), "JP2OpenJPEG")
    assert [band.color_interpretation for band in info.bands] == ["Red", "Green", "Blue"]
    assert rasterio.CRS.from_wkt(info.crs_wkt).to_epsg() == 32633


@pytest.mark.parametrize(("photometric", "bands"), [("CMYK", 4), ("CIELAB", 3)])
def test_colours_that_gdal_would_calculate_anew_are_refused(
    photometric: str, bands: int, make_tiff: MakeTiff, inspect: Inspect
) -> None:
    picture = make_tiff(np.full((bands, 8, 8), 20, "uint8"), photometric=photometric)
    with pytest.raises(InputError, match=rf"input\.tif: .*{photometric}.*Cure: Convert it to RGB"):
        inspect(picture)


def test_jpegs_own_colours_are_taken(make_tiff: MakeTiff, inspect: Inspect) -> None:
    picture = np.full((3, 8, 8), 20, "uint8")
    assert inspect(make_tiff(picture, photometric="YCBCR", compress="JPEG", interleave="pixel"))


def test_nothing_is_left_behind(make_tiff: MakeTiff, inspect: Inspect, tmp_path: Path) -> None:
    path = make_tiff(np.zeros((1, 8, 8), "uint8"))
    inspect(path)
    assert list(tmp_path.iterdir()) == [path]
