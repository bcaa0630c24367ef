from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from libs.models import Bounds
from libs.spatial_utils.cog import CogResult
from libs.spatial_utils.gdal_cli import GDAL
from libs.spatial_utils.picture import picture_of_cog, picture_of_features
from libs.spatial_utils.picture_colors import AREA_FILL, CLASS_COLORS, PAPER, RAMP

MakeTiff = Callable[..., Path]
Draw = Callable[..., np.ndarray]
MERCATOR_LIKE = Bounds(min_x=0, min_y=0, max_x=100, max_y=100)
SQUARE = [[10, 10], [90, 10], [90, 90], [10, 90], [10, 10]]
HOLE = [[40, 40], [60, 40], [60, 60], [40, 60], [40, 40]]


@pytest.fixture
def draw(
    gdal: GDAL, make_tiff: MakeTiff, make_cog: Callable[..., CogResult], tmp_path: Path
) -> Draw:
    """The picture of an array as rows x columns x red, green, blue, alpha."""

    def run(array: np.ndarray, **profile: object) -> np.ndarray:
        cog = make_cog(make_tiff(array, **profile))
        picture = picture_of_cog(gdal, cog.path, cog.info, tmp_path / "p.png", tmp_path)
        with Image.open(picture) as image:
            assert (image.format, image.mode) == ("PNG", "RGBA")
            return np.asarray(image)

    return run


def drawn(geometries: list[dict[str, object]], bounds: Bounds, target: Path, **how: bool) -> Image:
    with Image.open(picture_of_features(geometries, bounds, target, **how)) as image:
        image.load()
        return image


def test_an_image_is_shown_in_its_own_colours(draw: Draw) -> None:
    pixels = np.zeros((3, 100, 200), "uint8")
    pixels[0, :, :100], pixels[2, :, 100:] = 250, 120
    picture = draw(pixels, photometric="RGB")
    assert picture.shape == (100, 200, 4)
    assert picture[50, 20].tolist() == [250, 0, 0, 255]
    assert picture[50, 180].tolist() == [0, 0, 120, 255]


def test_a_palette_gives_its_colours(draw: Draw) -> None:
    codes = np.repeat([[3, 9]], 50, axis=1).repeat(40, axis=0).astype("uint8")[None]
    picture = draw(codes, colormap={3: (1, 2, 3, 255), 9: (200, 100, 50, 255)})
    assert picture[20, 10].tolist() == [1, 2, 3, 255]
    assert picture[20, 90].tolist() == [200, 100, 50, 255]


def test_codes_get_a_colour_each(draw: Draw) -> None:
    codes = np.repeat([[-5, 4000]], 50, axis=1).repeat(40, axis=0).astype("int16")[None]
    picture = draw(codes)
    assert tuple(picture[20, 10, :3]) == CLASS_COLORS[0]
    assert tuple(picture[20, 90, :3]) == CLASS_COLORS[1]


def test_measurements_run_along_the_ramp_whatever_their_range(draw: Draw) -> None:
    row = np.linspace(-1e6, 3e6, 400, dtype="float32")
    picture = draw(np.tile(row, (1, 100, 1)))
    assert np.abs(picture[50, 2, :3].astype(int) - RAMP[0]).max() <= 2
    assert np.abs(picture[50, 397, :3].astype(int) - RAMP[-1]).max() <= 2
    lightness = picture[50, ::20, :3].astype(int).sum(axis=1)
    assert (np.diff(lightness) >= 0).all()


@pytest.mark.parametrize("nodata", [-9999.0, float("nan")])
def test_pixels_without_data_are_clear(nodata: float, draw: Draw) -> None:
    pixels = np.tile(np.linspace(0, 1, 200, dtype="float32"), (1, 100, 1))
    pixels[0, :50] = nodata
    picture = draw(pixels, nodata=nodata)
    assert (picture[:49, :, 3] == 0).all()
    assert (picture[51:, :, 3] == 255).all()


def test_a_raster_without_any_data_is_a_clear_picture(draw: Draw) -> None:
    assert (draw(np.full((1, 50, 50), -1, "float32"), nodata=-1)[..., 3] == 0).all()


def test_infinities_do_not_spoil_the_picture(draw: Draw) -> None:
    pixels = np.tile(np.linspace(0, 1, 200, dtype="float32"), (1, 100, 1))
    pixels[0, 0, 0] = np.inf
    assert draw(pixels)[50, 195, :3].sum() > draw(pixels)[50, 5, :3].sum()


def test_large_rasters_become_small_pictures(draw: Draw) -> None:
    assert draw(np.zeros((1, 600, 1500), "uint8")).shape == (205, 512, 4)


def test_degrees_are_narrowed_as_on_a_map(draw: Draw) -> None:
    from rasterio.transform import from_origin

    grid = from_origin(10, 65, 0.01, 0.01)
    height, width, _ = draw(
        np.zeros((1, 1000, 1000), "uint8"), crs="EPSG:4326", transform=grid
    ).shape
    assert height == 512
    assert width == pytest.approx(512 * math.cos(math.radians(60)), abs=1)


def test_a_hole_in_an_area_is_left_open(tmp_path: Path) -> None:
    area = {"type": "Polygon", "coordinates": [SQUARE, HOLE]}
    image = drawn([area], MERCATOR_LIKE, tmp_path / "p.png")
    assert image.size == (512, 512)
    assert image.getpixel((256, 256)) == PAPER
    assert image.getpixel((120, 256)) == AREA_FILL
    assert image.getpixel((20, 20)) == PAPER


def test_lines_lie_above_areas_and_points_above_lines(tmp_path: Path) -> None:
    geometries = [
        {"type": "Point", "coordinates": [50, 50, 7.5]},
        {"type": "MultiLineString", "coordinates": [[[0, 50], [100, 50]], [[50, 0], [50, 100]]]},
        {
            "type": "GeometryCollection",
            "geometries": [{"type": "Polygon", "coordinates": [SQUARE]}],
        },
    ]
    image = drawn(geometries, MERCATOR_LIKE, tmp_path / "p.png")
    from libs.spatial_utils.picture_colors import LINE, POINT

    assert image.getpixel((256, 256)) == POINT
    assert image.getpixel((150, 256)) == LINE
    assert image.getpixel((150, 150)) == AREA_FILL


def test_north_is_up(tmp_path: Path) -> None:
    low = {"type": "Polygon", "coordinates": [[[0, 0], [100, 0], [100, 30], [0, 30], [0, 0]]]}
    image = drawn([low], MERCATOR_LIKE, tmp_path / "p.png")
    assert image.getpixel((256, 440)) == AREA_FILL
    assert image.getpixel((256, 100)) == PAPER


def test_features_in_degrees_are_narrowed(tmp_path: Path) -> None:
    bounds = Bounds(min_x=10, min_y=59, max_x=12, max_y=61)
    wide = drawn([], bounds, tmp_path / "a.png")
    narrow = drawn([], bounds, tmp_path / "b.png", is_geographic=True)
    assert wide.size == (512, 512)
    assert narrow.size[1] == 512
    assert 256 <= narrow.size[0] <= 300


@pytest.mark.parametrize(
    "geometry",
    [
        {"type": "Point", "coordinates": []},
        {"type": "Polygon", "coordinates": []},
        {"type": "Polygon", "coordinates": [[[1, 1], [2, 2]]]},
        {"type": "LineString", "coordinates": [[float("nan"), 1]]},
        {"type": "MultiPoint", "coordinates": []},
        {"type": "GeometryCollection", "geometries": []},
        {"type": "Point", "coordinates": [1e300, -1e300]},
        {"type": "LineString", "coordinates": [[1e300, 1e300], [1e300, 1e299]]},
        {"type": "Unknown"},
    ],
)
def test_odd_geometries_leave_the_sheet_as_it_is(
    geometry: dict[str, object], tmp_path: Path
) -> None:
    image = drawn([geometry], MERCATOR_LIKE, tmp_path / "p.png")
    assert image.getpixel((256, 256)) == PAPER


def test_a_single_point_has_a_picture(tmp_path: Path) -> None:
    bounds = Bounds(min_x=5, min_y=5, max_x=5, max_y=5)
    image = drawn([{"type": "Point", "coordinates": [5, 5]}], bounds, tmp_path / "p.png")
    assert image.size == (512, 512)
    assert image.getpixel((256, 256)) != PAPER
