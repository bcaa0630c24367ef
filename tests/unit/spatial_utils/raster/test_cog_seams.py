"""A reprojection keeps the cells, also over the antimeridian and at a pole, or is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.transform import from_origin
from rasterio.warp import transform

from libs.errors import InputError
from libs.spatial_utils.cog import CogOptions, CogResult, describe_cog, write_cog
from libs.spatial_utils.crs import describe, to_geographic_extent
from libs.spatial_utils.gdal_cli import GDAL
from libs.spatial_utils.raster_info import inspect_raster

MakeTiff = Callable[..., Path]
Reproject = Callable[..., tuple[CogResult, tuple[str, ...]]]
CELLS = np.random.default_rng(1).random((1, 300, 300)).astype("float32")
WORLD = np.repeat(np.arange(0.5, 360)[None], 180, 0)[None].astype("float32")


@pytest.fixture
def reproject(gdal: GDAL, make_tiff: MakeTiff, tmp_path: Path) -> Reproject:
    def run(cells: np.ndarray, crs: str, x: float, y: float, size: float, target: str) -> tuple:
        source = make_tiff(cells, crs=crs, transform=from_origin(x, y, size, size), nodata=-9)
        info = inspect_raster(gdal, source, driver="GTiff", layer=None, work_dir=tmp_path)
        notes = write_cog(
            gdal, source, info, tmp_path / "out.tif",
            options=CogOptions(target_crs=target, source_crs=crs), work_dir=tmp_path,
        )  # fmt: skip
        return describe_cog(gdal, tmp_path / "out.tif", work_dir=tmp_path), notes

    return run


def fiji(offset_m: float) -> tuple[str, float, float, float]:
    """A grid of 300 cells of 100 m in UTM zone 60 south; 15 km: half of it beyond 180° east."""
    (east,), (north,) = transform("EPSG:4326", "EPSG:32760", [180], [-17])
    return "EPSG:32760", east - offset_m, north, 100.0


@pytest.mark.parametrize("offset_m", [15_000, 29_850, 150])
def test_degrees_go_on_beyond_180_where_a_raster_crosses_the_antimeridian(
    offset_m: float, reproject: Reproject
) -> None:
    result, notes = reproject(CELLS, *fiji(offset_m), "EPSG:4326")
    assert len(notes) == 1
    assert "beyond 180" in notes[0]
    assert result.bounds.min_x < 180 < result.bounds.max_x < 181
    extent = to_geographic_extent(result.bounds, describe("EPSG:4326"))
    assert extent.west_bound_longitude == pytest.approx(result.bounds.min_x)
    assert extent.east_bound_longitude == pytest.approx(result.bounds.max_x - 360)
    with rasterio.open(result.path) as cog:
        cells = cog.read(1)
        assert (cells != -9).sum() == pytest.approx(CELLS.size, rel=0.02)
        assert cells[cells != -9].mean() == pytest.approx(CELLS.mean(), abs=0.01)


@pytest.mark.parametrize("offset_m", [40_000, -10_000])
def test_beside_the_antimeridian_degrees_stay_as_they_are(
    offset_m: float, reproject: Reproject
) -> None:
    result, notes = reproject(CELLS, *fiji(offset_m), "EPSG:4326")
    assert notes == ()
    assert -180 <= result.bounds.min_x < result.bounds.max_x <= 180
    assert (result.bounds.min_x > 0) == (offset_m > 0)


@pytest.mark.parametrize("target", ["EPSG:3857", "EPSG:8857"])
def test_a_raster_that_the_target_would_tear_apart_is_refused(
    target: str, reproject: Reproject, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=rf"input\.tif: .*{target} .*times as long.*Cure: Cut it"):
        reproject(CELLS, *fiji(15_000), target)
    assert [path.name for path in tmp_path.iterdir()] == ["input.tif"]


def test_a_target_without_a_seam_there_takes_it(reproject: Reproject) -> None:
    result, notes = reproject(CELLS, *fiji(15_000), "EPSG:3832")
    assert notes == ()
    with rasterio.open(result.path) as cog:
        assert (cog.read(1) != -9).sum() == pytest.approx(CELLS.size, rel=0.02)


@pytest.mark.parametrize(("west", "columns"), [(0, 360), (150, 60), (-210, 60)])
def test_degrees_beyond_180_do_not_lose_one_side(
    west: int, columns: int, reproject: Reproject
) -> None:
    with pytest.raises(InputError, match=r"only \d\d % of its cells.*EPSG:8857.*Cure: Cut it"):
        reproject(WORLD[:, 30:150, :columns], "EPSG:4326", west, 60, 1, "EPSG:8857")


@pytest.mark.parametrize(
    ("crs", "x", "y", "size"),
    [("EPSG:4326", -180, 90, 1), ("EPSG:3857", -20037508.34, 2e7, 111319.49)],
)
def test_a_world_that_the_target_shows_whole_is_taken(
    crs: str, x: float, y: float, size: float, reproject: Reproject
) -> None:
    result, notes = reproject(WORLD, crs, x, y, size, "EPSG:8857")
    assert notes == ()
    assert result.bounds.min_x < -17e6
    assert result.bounds.max_x > 17e6


def test_a_pole_in_degrees_is_taken_with_a_note(reproject: Reproject) -> None:
    result, notes = reproject(CELLS, "EPSG:3995", -3e6, 3e6, 2e4, "EPSG:4326")
    assert len(notes) == 1
    assert "times as long" in notes[0]
    assert result.bounds.xyxy[::2] == pytest.approx((-180, 180))
    with rasterio.open(result.path) as cog:
        assert (cog.read(1) != -9).mean() > 0.7
