from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from pydantic import ValidationError
from rasterio.enums import ColorInterp, MaskFlags
from rasterio.transform import Affine, from_origin
from rasterio.warp import Resampling, reproject, transform, transform_bounds
from rio_cogeo.cogeo import cog_validate

from libs.errors import InputError
from libs.spatial_utils.cog import CogOptions, CogResult, write_cog
from libs.spatial_utils.crs import describe, reconcile, to_geographic_extent
from libs.spatial_utils.gdal_cli import GDAL
from libs.spatial_utils.raster_info import inspect_raster

MakeTiff = Callable[..., Path]
MakeCog = Callable[..., CogResult]
Translate = Callable[..., Path]
REAL_GRID = Path("/usr/share/proj/egm96_15.gtx")
"""The EGM96 geoid, of Debian's proj-data."""
GRID = from_origin(500_000, 5_000_000, 10, 10)


def gradient(
    rows: int = 600, columns: int = 700, bands: int = 1, dtype: str = "float32"
) -> np.ndarray:
    """Smooth numbers from 0 to 100, other ones in each band."""
    y, x = np.mgrid[0:rows, 0:columns]
    layers = [50 + 25 * (np.sin(x / (40 + 9 * b)) + np.cos(y / (50 + 7 * b))) for b in range(bands)]
    return np.stack(layers).astype(dtype)


def assert_valid_cog(path: Path) -> None:
    is_valid, errors, complaints = cog_validate(str(path), strict=True, quiet=True)
    assert (is_valid, errors, complaints) == (True, [], [])


def assert_same_raster(made: Path, source: Path) -> None:
    with rasterio.open(made) as cog, rasterio.open(source) as file:
        assert cog.dtypes == file.dtypes
        assert np.array_equal(
            cog.read(), file.read(), equal_nan=np.dtype(cog.dtypes[0]).kind in "fc"
        )
        assert np.array_equal(cog.dataset_mask(), file.dataset_mask())
        assert cog.transform == file.transform
        assert cog.crs == file.crs
        assert (cog.nodata is None) == (file.nodata is None)
        if file.nodata is not None:  # a Float32 file may hold it with a double's digits
            kept, wanted = (np.dtype(cog.dtypes[0]).type(f.nodata) for f in (cog, file))
            assert np.array_equal(kept, wanted, equal_nan=True)
        assert cog.descriptions == file.descriptions
        assert (cog.scales, cog.offsets, cog.units) == (file.scales, file.offsets, file.units)


@pytest.mark.parametrize(
    ("dtype", "compression"),
    [
        ("uint8", "DEFLATE"),
        ("int8", "DEFLATE"),
        ("int16", "ZSTD"),
        ("uint16", "ZSTD"),
        ("int32", "ZSTD"),
        ("uint32", "ZSTD"),
        ("int64", "ZSTD"),
        ("uint64", "ZSTD"),
        ("float32", "ZSTD"),
        ("float64", "ZSTD"),
        ("complex64", "ZSTD"),
    ],
)
def test_every_data_type_comes_out_as_it_went_in(
    dtype: str, compression: str, make_tiff: MakeTiff, make_cog: MakeCog
) -> None:
    source = make_tiff(gradient(dtype=dtype))
    result = make_cog(source)
    assert_valid_cog(result.path)
    assert_same_raster(result.path, source)
    assert result.shape.compression == compression


@pytest.mark.parametrize("compression", ["zstd", "deflate", "lzw", "none"])
def test_each_compression_is_lossless(
    compression: str, make_tiff: MakeTiff, make_cog: MakeCog
) -> None:
    source = make_tiff(gradient(bands=3, dtype="uint16"))
    result = make_cog(source, compression=compression, blocksize=256)
    assert_valid_cog(result.path)
    assert_same_raster(result.path, source)
    with rasterio.open(result.path) as cog:
        assert cog.block_shapes == [(256, 256)] * 3


@pytest.mark.parametrize("target_crs", [None, "EPSG:3035"])
def test_bands_one_after_the_other_come_out_as_they_went_in(
    target_crs: str | None, make_tiff: MakeTiff, make_cog: MakeCog
) -> None:
    source = make_tiff(gradient(bands=4, dtype="uint16"), interleave="band", compress="deflate")
    result = make_cog(source, target_crs=target_crs)
    assert_valid_cog(result.path)
    if target_crs is None:
        assert_same_raster(result.path, source)


@pytest.mark.parametrize(
    ("dtype", "bits", "bands"), [("uint16", 12, 1), ("uint8", 4, 3), ("uint32", 20, 2)]
)
@pytest.mark.parametrize("target_crs", [None, "EPSG:3035"])
def test_pixels_in_an_odd_number_of_bits_stay_so(
    dtype: str, bits: int, bands: int, target_crs: str | None,
    make_tiff: MakeTiff, make_cog: MakeCog,
) -> None:  # fmt: skip
    values = gradient(bands=bands) % (2**bits)
    source = make_tiff(values.astype(dtype), nbits=bits)
    result = make_cog(source, target_crs=target_crs)
    assert_valid_cog(result.path)
    if target_crs is None:
        assert_same_raster(result.path, source)
        with rasterio.open(result.path) as cog:
            assert cog.tags(1, ns="IMAGE_STRUCTURE")["NBITS"] == str(bits)


def test_a_scene_of_sentinel_2_in_15_bits_comes_out_pixel_by_pixel(
    make_tiff: MakeTiff, translate: Translate, make_cog: MakeCog
) -> None:
    tiff = make_tiff((gradient() * 300).astype("uint16"))
    lossless = ("-co", "REVERSIBLE=YES", "-co", "QUALITY=100", "-co", "NBITS=15")
    result = make_cog(translate(tiff, "a.jp2", "-of", "JP2OpenJPEG", *lossless), "JP2OpenJPEG")
    assert_valid_cog(result.path)
    assert_same_raster(result.path, tiff)


@pytest.mark.parametrize("nodata", [-9999.0, float("nan"), -3.4028234663852886e38])
def test_names_scales_and_nodata_are_kept(
    nodata: float, make_tiff: MakeTiff, make_cog: MakeCog
) -> None:
    pixels = gradient(bands=2)
    pixels[:, :50] = nodata
    attributes = {
        "descriptions": ("Höhe", 'with "quotes", & <signs>'),
        "scales": (0.5, 0.25),
        "offsets": (3.0, -1.0),
        "units": ("m", "K"),
    }
    source = make_tiff(pixels, nodata=nodata, attributes=attributes)
    result = make_cog(source)
    assert_same_raster(result.path, source)
    assert [band.name for band in result.shape.bands] == list(attributes["descriptions"])


def test_a_palette_is_kept_and_its_overviews_hold_its_codes_only(
    make_tiff: MakeTiff, make_cog: MakeCog
) -> None:
    codes = np.random.default_rng(1).choice([3, 7, 200], (1, 1200, 1200)).astype("uint8")
    colors = {3: (255, 0, 0, 255), 7: (0, 255, 0, 255), 200: (0, 0, 255, 255)}
    result = make_cog(make_tiff(codes, colormap=colors))
    assert result.shape.overview_count == 2
    with rasterio.open(result.path) as cog:
        assert cog.colorinterp == (ColorInterp.palette,)
        assert {code: cog.colormap(1)[code] for code in colors} == colors
    with rasterio.open(result.path, overview_level=1) as overview:
        assert set(np.unique(overview.read())) <= {3, 7, 200}


def test_overviews_of_measurements_are_means(make_tiff: MakeTiff, make_cog: MakeCog) -> None:
    pixels = gradient(1024, 1024)
    result = make_cog(make_tiff(pixels))
    with rasterio.open(result.path, overview_level=0) as overview:
        means = pixels[0].reshape(512, 2, 512, 2).mean(axis=(1, 3))
        assert np.allclose(overview.read(1), means, atol=1e-4)


def test_overviews_of_the_source_are_not_believed(make_tiff: MakeTiff, make_cog: MakeCog) -> None:
    source = make_tiff(gradient(1024, 1024))
    with rasterio.open(source, "r+") as file:
        file.build_overviews([2], Resampling.nearest)
        file.write(np.full((1, 1024, 1024), 5, "float32"))  # the overviews stay as they were
    with rasterio.open(source, overview_level=0) as overview:
        assert overview.read().max() > 90
    with rasterio.open(make_cog(source).path, overview_level=0) as overview:
        assert set(np.unique(overview.read())) == {5}


def test_a_mask_is_kept(make_tiff: MakeTiff, make_cog: MakeCog) -> None:
    mask = np.zeros((600, 700), "uint8")
    mask[100:300, 50:500] = 255
    source = make_tiff(gradient(bands=3, dtype="uint8"), mask=mask, photometric="RGB")
    result = make_cog(source)
    assert_valid_cog(result.path)
    assert_same_raster(result.path, source)
    with rasterio.open(result.path) as cog:
        assert cog.mask_flag_enums[0] == [MaskFlags.per_dataset]


def test_an_alpha_band_stays_one(make_tiff: MakeTiff, make_cog: MakeCog) -> None:
    source = make_tiff(gradient(bands=4, dtype="uint8"), photometric="RGB", alpha="YES")
    result = make_cog(source)
    assert_same_raster(result.path, source)
    with rasterio.open(result.path) as cog:
        assert [color.name for color in cog.colorinterp] == ["red", "green", "blue", "alpha"]


def test_a_rotated_grid_stays_rotated(make_tiff: MakeTiff, make_cog: MakeCog) -> None:
    source = make_tiff(gradient(), transform=GRID @ Affine.rotation(20))
    assert_same_raster(make_cog(source).path, source)


def test_the_result_describes_the_file(make_tiff: MakeTiff, make_cog: MakeCog) -> None:
    result = make_cog(make_tiff(gradient(1300, 700)))
    assert result.size_bytes == result.path.stat().st_size
    with rasterio.open(result.path) as cog:
        assert result.bounds.xyxy == tuple(cog.bounds)
        assert (result.shape.width, result.shape.height) == (cog.width, cog.height)
        assert (result.shape.cell_size_x, result.shape.cell_size_y) == cog.res
        assert result.shape.overview_count == len(cog.overviews(1)) == 2
        assert rasterio.CRS.from_wkt(result.crs_wkt) == cog.crs


def test_the_declared_crs_is_written_where_the_file_names_none(
    make_tiff: MakeTiff, make_cog: MakeCog
) -> None:
    silent = make_tiff(gradient(), crs=None)
    with rasterio.open(make_cog(silent, source_crs="EPSG:25833").path) as cog:
        assert cog.crs.to_epsg() == 25833
    wkt = rasterio.CRS.from_epsg(25833).to_wkt()
    with rasterio.open(make_cog(silent, source_crs=wkt).path) as cog:
        assert cog.crs.to_epsg() == 25833


@pytest.mark.parametrize("code", [3411, 3412, 31700, 3785])
def test_a_code_that_epsg_has_withdrawn_is_the_cogs_too(
    code: int, make_tiff: MakeTiff, make_cog: MakeCog, tmp_path: Path
) -> None:
    result = make_cog(make_tiff(gradient(), crs=None), source_crs=f"EPSG:{code}")
    again = make_cog(result.path.rename(tmp_path / "again.tif"), source_crs=f"EPSG:{code}")
    warped = make_cog(make_tiff(gradient()), target_crs=f"EPSG:{code}")
    for made in (result, again, warped):
        assert made.crs_wkt.endswith(f'ID["EPSG",{code}]]')
        assert reconcile(f"EPSG:{code}", made.crs_wkt, "x").code == f"EPSG:{code}"
    with rasterio.Env(OSR_USE_NON_DEPRECATED="NO"), rasterio.open(warped.path) as cog:
        assert cog.crs.to_wkt().endswith(f'AUTHORITY["EPSG","{code}"]]')


BESSEL = "+proj=tmerc +lat_0=0 +lon_0=9 +k=1 +x_0=3500000 +y_0=0 +ellps=bessel +units=m +no_defs"


def test_the_declared_crs_is_written_where_the_files_own_has_no_datum(
    make_tiff: MakeTiff, make_cog: MakeCog
) -> None:
    grid = from_origin(3_500_000, 5_500_000, 10, 10)
    source = make_tiff(gradient(), crs=rasterio.CRS.from_proj4(BESSEL), transform=grid)
    result = make_cog(source, source_crs="EPSG:31467")
    assert result.crs_wkt.endswith('ID["EPSG",31467]]')
    named = make_cog(
        make_tiff(gradient(), "named.tif", crs="EPSG:31467", transform=grid),
        source_crs="EPSG:31467", target_crs="EPSG:4326",
    )  # fmt: skip
    wanted = named.path.read_bytes()
    warped = make_cog(source, source_crs="EPSG:31467", target_crs="EPSG:4326")
    assert warped.path.read_bytes() == wanted


@pytest.mark.parametrize(
    ("declared", "found"),
    [
        ("EPSG:32633", "EPSG:32633+5773"),
        ("EPSG:4326", "EPSG:4979"),
        ("EPSG:31467", f"{BESSEL} +towgs84=598.1,73.7,418.2,0.202,0.045,-2.455,6.7"),
        ("OGC:CRS84", "EPSG:4326"),
    ],
)
def test_the_files_own_crs_is_kept_where_it_says_more(
    declared: str, found: str, make_tiff: MakeTiff, make_cog: MakeCog
) -> None:
    source = make_tiff(
        gradient(), crs=rasterio.CRS.from_user_input(found), transform=from_origin(0, 50, 0.1, 0.1)
    )
    without = make_cog(source).path.read_bytes()
    assert make_cog(source, source_crs=declared).path.read_bytes() == without


def test_heights_that_a_reprojection_does_not_carry_on_are_noted(
    make_tiff: MakeTiff, gdal: GDAL, tmp_path: Path
) -> None:
    source = make_tiff(np.full((1, 50, 50), 100, "float32"), nodata=-1, crs="EPSG:32633+5773")
    info = inspect_raster(gdal, source, driver="GTiff", layer=None, work_dir=tmp_path)
    for target, count in ((None, 0), ("EPSG:3035", 1)):
        options = CogOptions(source_crs="EPSG:32633", target_crs=target)
        path = tmp_path / "out.tif"
        notes = write_cog(gdal, source, info, path, options=options, work_dir=tmp_path)
        assert len(notes) == count
        assert all("EGM96 height" in note and "EPSG:3035" in note for note in notes)
        with rasterio.open(path) as cog:
            assert set(np.unique(cog.read(1, masked=True).compressed())) == {100}


@pytest.mark.parametrize("crs", ["http://127.0.0.1/crs", "/etc/passwd", "crs.prj", "+proj=utm"])
def test_a_crs_is_a_code_or_wkt_and_no_path(crs: str) -> None:
    with pytest.raises(ValidationError):
        CogOptions(target_crs=crs)


@pytest.mark.parametrize("resampling", ["nearest", "bilinear", "cubic"])
def test_a_reprojection_gives_what_rasterio_gives(
    resampling: str, make_tiff: MakeTiff, make_cog: MakeCog
) -> None:
    pixels = gradient()
    result = make_cog(
        make_tiff(pixels, nodata=-9999), target_crs="EPSG:4326", resampling=resampling
    )
    assert_valid_cog(result.path)
    with rasterio.open(result.path) as cog:
        assert cog.crs.to_epsg() == 4326
        expected = np.full((cog.height, cog.width), -9999, "float32")
        reproject(
            pixels[0], expected, src_transform=GRID, src_crs="EPSG:32633", src_nodata=-9999,
            dst_transform=cog.transform, dst_crs="EPSG:4326", dst_nodata=-9999,
            resampling=Resampling[resampling],
        )  # fmt: skip
        got = cog.read(1)
        west, south, east, north = transform_bounds("EPSG:32633", "EPSG:4326", *box_of(pixels))
        assert np.allclose(cog.bounds, (west, south, east, north), atol=2e-4)
    both = (got != -9999) & (expected != -9999)
    assert both.mean() > 0.9
    assert ((got != -9999) == (expected != -9999)).mean() > 0.995
    # GDAL's approximation of PROJ may be off by an eighth of a pixel, where values change by two.
    assert np.abs(got - expected)[both].max() < 1.5
    assert np.abs(got - expected)[both].mean() < 0.1


def box_of(pixels: np.ndarray) -> tuple[float, float, float, float]:
    return (500_000, 5_000_000 - 10 * pixels.shape[1], 500_000 + 10 * pixels.shape[2], 5_000_000)


@pytest.mark.parametrize(
    ("dtype", "target_crs", "word"),
    [
        ("uint8", "EPSG:3035", "a mask"),
        ("int16", "EPSG:3035", "a mask"),
        ("float32", "EPSG:3035", "NaN"),
        ("uint8", None, ""),
    ],
)
def test_what_marks_the_outside_is_noted(
    dtype: str, target_crs: str | None, word: str, gdal: GDAL, make_tiff: MakeTiff, tmp_path: Path
) -> None:
    source = make_tiff(np.zeros((3, 300, 300), dtype))
    info = inspect_raster(gdal, source, driver="GTiff", layer=None, work_dir=tmp_path)
    notes = write_cog(
        gdal, source, info, tmp_path / "out.tif",
        options=CogOptions(target_crs=target_crs), work_dir=tmp_path,
    )  # fmt: skip
    assert len(notes) == bool(word)
    assert all(word in note for note in notes)


@pytest.mark.parametrize("dtype", ["uint8", "int16"])
def test_a_reprojection_marks_its_empty_corners_by_a_mask(
    dtype: str, make_tiff: MakeTiff, make_cog: MakeCog
) -> None:
    source = make_tiff(np.zeros((3, 300, 300), dtype))
    result = make_cog(source, target_crs="EPSG:3035")
    assert_valid_cog(result.path)
    with rasterio.open(result.path) as cog:
        assert (cog.count, cog.dtypes[0], cog.nodata) == (3, dtype, None)
        mask = cog.dataset_mask()
        assert mask[0, 0] == 0
        assert mask[mask.shape[0] // 2, mask.shape[1] // 2] == 255


def test_a_reprojection_of_floats_marks_them_by_nan(make_tiff: MakeTiff, make_cog: MakeCog) -> None:
    result = make_cog(make_tiff(gradient()), target_crs="EPSG:3035")
    assert result.shape.bands[0].nodata == "nan"
    with rasterio.open(result.path) as cog:
        assert np.isnan(cog.read(1)[0, 0])
        assert cog.read_masks(1)[0, 0] == 0


def test_a_reprojected_palette_holds_its_codes_only(make_tiff: MakeTiff, make_cog: MakeCog) -> None:
    codes = np.random.default_rng(1).choice([3, 7, 200], (1, 200, 200)).astype("uint8")
    source = make_tiff(codes, nodata=0, colormap={3: (255, 0, 0, 255), 7: (0, 9, 0, 255)})
    result = make_cog(source, target_crs="EPSG:4326")
    with rasterio.open(result.path) as cog:
        assert set(np.unique(cog.read())) <= {0, 3, 7, 200}
        assert cog.colormap(1)[3] == (255, 0, 0, 255)


def test_a_mask_survives_a_reprojection(make_tiff: MakeTiff, make_cog: MakeCog) -> None:
    mask = np.full((400, 400), 255, "uint8")
    mask[:200] = 0
    result = make_cog(
        make_tiff(gradient(400, 400, 3, "uint8"), mask=mask, photometric="RGB"),
        target_crs="EPSG:4326",
    )
    with rasterio.open(result.path) as cog:
        share = (cog.dataset_mask() == 255).mean()
        assert 0.42 < share < 0.51
        assert cog.count == 3


@pytest.mark.parametrize("dtype", ["int8", "int64", "uint64"])
def test_what_gdal_cannot_reproject_exactly_is_refused(
    dtype: str, make_tiff: MakeTiff, make_cog: MakeCog
) -> None:
    with pytest.raises(InputError, match=r"input\.tif.*without changing"):
        make_cog(make_tiff(gradient(dtype=dtype)), target_crs="EPSG:4326")


@pytest.mark.parametrize("target_crs", [None, "EPSG:4326"])
def test_the_same_input_gives_the_same_bytes_whatever_the_machine(
    target_crs: str | None, make_tiff: MakeTiff, tmp_path: Path
) -> None:
    source = make_tiff(gradient(1100, 1100, 2, "uint16"))
    hashes = set()
    for number, (workers, memory_mb) in enumerate([(1, 64), (2, 512)]):
        gdal = GDAL(timeout_s=120, memory_mb=memory_mb, workers=workers)
        folder = tmp_path / f"run-{number}"
        folder.mkdir()
        copy = folder / f"another name {number}.tif"
        copy.write_bytes(source.read_bytes())
        info = inspect_raster(gdal, copy, driver="GTiff", layer=None, work_dir=folder)
        options = CogOptions(target_crs=target_crs)
        target = folder / "out.tif"
        write_cog(gdal, copy, info, target, options=options, work_dir=folder)
        assert str(tmp_path).encode() not in target.read_bytes()
        hashes.add(hashlib.sha256(target.read_bytes()).hexdigest())
    assert len(hashes) == 1


@pytest.mark.parametrize(
    ("shape", "profile", "memory_mb", "cache_mb"),
    [
        ((1, 600, 700), {"tiled": True, "blockxsize": 256, "blockysize": 256}, 1024, "128"),
        ((1, 600, 700), {}, 64, "32"),  # never more than the setting allows
        ((1, 8, 40_000), {}, 1024, "235"),  # three times 512 lines of 160 000 bytes
    ],
)
def test_the_block_cache_is_no_larger_than_the_raster_needs(
    shape: tuple[int, ...], profile: dict[str, object], memory_mb: int, cache_mb: str,
    make_tiff: MakeTiff, tmp_path: Path,
) -> None:  # fmt: skip
    seen = set()

    def popen(argv: list[str], **settings: Any) -> subprocess.Popen[bytes]:
        if any("gdal_translate" in word for word in argv):
            seen.add(settings["env"]["GDAL_CACHEMAX"])
        return subprocess.Popen(argv, **settings)

    gdal = GDAL(timeout_s=120, memory_mb=memory_mb, workers=2, popen=popen)
    source = make_tiff(np.ones(shape, "float32"), **profile)
    info = inspect_raster(gdal, source, driver="GTiff", layer=None, work_dir=tmp_path)
    write_cog(gdal, source, info, tmp_path / "out.tif", options=CogOptions(), work_dir=tmp_path)
    assert seen == {cache_mb}


@pytest.mark.parametrize("target_crs", [None, "EPSG:4326"])
def test_a_file_that_was_cut_short_gives_nothing(
    target_crs: str | None, make_tiff: MakeTiff, make_cog: MakeCog, tmp_path: Path
) -> None:
    source = make_tiff(gradient())
    with source.open("r+b") as file:
        file.truncate(source.stat().st_size // 2)
    with pytest.raises(InputError, match="GDAL says"):
        make_cog(source, target_crs=target_crs)
    assert list(tmp_path.iterdir()) == [source]


@pytest.mark.parametrize("target_crs", [None, "EPSG:3035"])
@pytest.mark.parametrize("damage", [bytes(500), b"\xff\xd9"])
def test_a_damaged_jpeg_tile_is_refused(
    damage: bytes, target_crs: str | None, make_tiff: MakeTiff, make_cog: MakeCog
) -> None:
    source = make_tiff(
        gradient(bands=3, dtype="uint8"), photometric="YCBCR", compress="JPEG", tiled=True,
        interleave="pixel",
    )  # fmt: skip
    make_cog(source, target_crs=target_crs)
    data = bytearray(source.read_bytes())
    middle = data.index(b"\xff\xda") + 140  # in the first tile, behind its start of scan
    data[middle : middle + len(damage)] = damage
    source.write_bytes(data)
    with pytest.raises(InputError, match=r"input\.tif: .*Corrupt JPEG data.*Cure: .*again"):
        make_cog(source, target_crs=target_crs)


def test_a_real_geoid_grid_comes_out_as_it_went_in(translate: Translate, make_cog: MakeCog) -> None:
    source = translate(REAL_GRID, "egm96.tif")
    result = make_cog(source)
    assert_valid_cog(result.path)
    assert_same_raster(result.path, source)
    assert result.bounds.xyxy == pytest.approx((-180.125, -90.125, 179.875, 90.125))


def test_a_world_in_degrees_can_be_reprojected_to_mercator(
    translate: Translate, make_cog: MakeCog
) -> None:
    result = make_cog(translate(REAL_GRID, "egm96.tif"), target_crs="EPSG:3857")
    assert_valid_cog(result.path)
    with rasterio.open(result.path) as cog, rasterio.open(REAL_GRID) as grid:
        east, north = transform("EPSG:4326", "EPSG:3857", [10], [50])
        there = next(cog.sample([(east[0], north[0])]))[0]
        here = next(grid.sample([(10, 50)]))[0]
        assert there == pytest.approx(here, abs=0.5)


@pytest.mark.parametrize("code", ["ESRI:54009", "ESRI:54030", "ESRI:54052", "EPSG:3408"])
def test_a_map_of_the_world_whose_corners_are_no_places_comes_in_and_out(
    code: str, make_tiff: MakeTiff, make_cog: MakeCog
) -> None:
    half = 18_100_000
    world = make_tiff(
        gradient(181, 181), crs=code, transform=from_origin(-half, half, 200_000, 200_000)
    )
    result = make_cog(world, source_crs=code)
    assert_valid_cog(result.path)
    assert_same_raster(result.path, world)
    degrees = make_tiff(gradient(180, 360), crs="EPSG:4326", transform=from_origin(-180, 90, 1, 1))
    warped = make_cog(degrees, target_crs=code)
    extent = to_geographic_extent(warped.bounds, describe(code))
    assert extent.west_bound_longitude == pytest.approx(-180, abs=1)
    assert extent.east_bound_longitude == pytest.approx(180, abs=1)
    # Where GDAL ends its grid is its own guess: for Goode's projection at 81 degrees.
    assert -90 <= extent.south_bound_latitude < -81
    assert 81 < extent.north_bound_latitude <= 90


def test_jpeg2000_comes_out_pixel_by_pixel(
    make_tiff: MakeTiff, translate: Translate, make_cog: MakeCog
) -> None:
    tiff = make_tiff(gradient(bands=3, dtype="uint8"), photometric="RGB")
    lossless = ("-co", "REVERSIBLE=YES", "-co", "QUALITY=100")
    result = make_cog(translate(tiff, "a.jp2", "-of", "JP2OpenJPEG", *lossless), "JP2OpenJPEG")
    assert_valid_cog(result.path)
    assert_same_raster(result.path, tiff)


@pytest.mark.parametrize("kind", ["NC", "NC4"])
def test_a_netcdf_variable_comes_out_pixel_by_pixel(
    kind: str, make_tiff: MakeTiff, translate: Translate, make_cog: MakeCog
) -> None:
    tiff = make_tiff(gradient(bands=2))
    source = translate(tiff, "a.nc", "-of", "netCDF", "-co", f"FORMAT={kind}")
    result = make_cog(source, "netCDF", "Band2")
    assert_valid_cog(result.path)
    with rasterio.open(result.path) as cog, rasterio.open(tiff) as file:
        assert np.array_equal(cog.read(1), file.read(2))
        assert cog.transform == file.transform
        assert cog.crs == file.crs


def test_nothing_but_the_cog_is_left(
    make_tiff: MakeTiff, make_cog: MakeCog, tmp_path: Path
) -> None:
    source = make_tiff(gradient())
    result = make_cog(source, target_crs="EPSG:4326")
    assert sorted(tmp_path.iterdir()) == sorted([source, result.path])
