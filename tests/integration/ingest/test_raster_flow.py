"""Rasters from the landing bucket to a committed COG, compared with what rasterio reads."""

import hashlib
import subprocess

import numpy as np
import pytest
import rasterio
from rasterio.transform import from_origin
from rio_cogeo.cogeo import cog_validate

from libs.ingest import BatchRejectedError
from tests.integration.ingest.scenes import geotiff

pytestmark = pytest.mark.integration

INTENT = "ingest_satellite_raster"


def run_one(user, entry, intent=INTENT):
    return user.run(user.manifest([entry], intent=intent)).assets[0].asset


@pytest.fixture
def bands():
    return np.random.default_rng(7).integers(0, 4000, (3, 700, 900)).astype("uint16")


def test_a_geotiff_becomes_a_cog_with_the_same_pixels(user, tmp_path, bands, vault):
    path = geotiff(tmp_path / "scene.tif", bands, nodata=0, descriptions=("red", "green", "nir"))
    asset = run_one(user, user.raster(path, crs="EPSG:32633"))
    file = user.download(asset, tmp_path)
    valid, errors, warnings = cog_validate(file, strict=True)
    assert (valid, errors, warnings) == (True, [], [])
    assert asset.content_hash == hashlib.sha256(file.read_bytes()).hexdigest()
    with rasterio.open(file) as result:
        assert np.array_equal(result.read(), bands)
        assert result.descriptions == ("red", "green", "nir")
        assert result.nodatavals == (0, 0, 0)
        assert result.crs.to_epsg() == 32633
        assert result.overviews(1)
        assert asset.bounds.xyxy == pytest.approx(tuple(result.bounds))
        assert (asset.raster.width, asset.raster.height) == (result.width, result.height)
        assert asset.raster.overview_count == len(result.overviews(1))
    assert [band.name for band in asset.raster.bands] == ["red", "green", "nir"]
    assert asset.metadata.iso19115.grid_representation.cell_size_x == 10
    assert vault.stat(asset.s3_bucket, asset.s3_key).metadata["mongodb_doc_id"] == asset.id


@pytest.mark.parametrize(("driver", "file"), [("JP2OpenJPEG", "s.jp2"), ("netCDF", "s.nc")])
def test_jpeg_2000_and_netcdf_come_in(user, tmp_path, bands, driver, file):
    source = geotiff(tmp_path / "s.tif", bands[:1])
    path = tmp_path / file
    lossless = ["-co", "QUALITY=100", "-co", "REVERSIBLE=YES"] if driver == "JP2OpenJPEG" else []
    subprocess.run(
        ["gdal_translate", "-q", "-of", driver, *lossless, str(source), str(path)], check=True
    )
    asset = run_one(user, user.raster(path, driver, crs="EPSG:32633"))
    with rasterio.open(user.download(asset, tmp_path)) as result:
        assert np.array_equal(np.squeeze(result.read()), bands[0])


def test_a_colour_table_is_kept(user, tmp_path):
    classes = np.random.default_rng(1).integers(0, 4, (1, 600, 600)).astype("uint8")
    path = geotiff(tmp_path / "classes.tif", classes, photometric="palette")
    colours = {0: (0, 0, 0, 255), 1: (200, 30, 30, 255), 2: (0, 200, 0, 255), 3: (9, 9, 250, 255)}
    with rasterio.open(path, "r+") as out:
        out.write_colormap(1, colours)
    asset = run_one(user, user.raster(path, crs="EPSG:32633"))
    with rasterio.open(user.download(asset, tmp_path)) as result:
        assert {key: result.colormap(1)[key] for key in colours} == colours
        assert set(np.unique(result.read(1, out_shape=(75, 75)))) <= set(colours)


def test_the_same_raster_gives_the_same_bytes(user, tmp_path, bands):
    path = geotiff(tmp_path / "scene.tif", bands)
    entry = user.raster(path, crs="EPSG:32633")
    one = user.run(user.manifest([entry], intent=INTENT, name="one")).assets[0].asset
    two = user.run(user.manifest([entry], intent=INTENT, name="two")).assets[0].asset
    assert (one.version, two.version) == (1, 2)
    assert one.content_hash == two.content_hash


def test_a_declared_crs_that_the_raster_contradicts_is_an_error(user, tmp_path, bands):
    path = geotiff(tmp_path / "scene.tif", bands)
    with pytest.raises(BatchRejectedError, match="32633"):
        run_one(user, user.raster(path, crs="EPSG:4326"))


def test_a_truncated_raster_is_refused(user, tmp_path, bands):
    path = geotiff(tmp_path / "scene.tif", bands)
    path.write_bytes(path.read_bytes()[:100_000])
    with pytest.raises(BatchRejectedError, match=r"scene\.tif"):
        run_one(user, user.raster(path, crs="EPSG:32633"))


def test_a_recipe_that_says_so_reprojects(user, tmp_path, bands, platform):
    from dataclasses import replace

    from libs.transformations import RecipeRegistry

    folder = tmp_path / "recipes"
    folder.mkdir()
    (folder / "to_web_mercator.yaml").write_text(
        """
name: to_web_mercator
kind: raster
version: "1.0"
title: To Web Mercator
description: For a map server.
steps:
  - kind: reproject_raster
    target_crs: EPSG:3857
  - kind: cog
"""
    )
    recipes = RecipeRegistry.load(folder)
    person = replace(user, platform=replace(platform, recipes=recipes))
    path = geotiff(tmp_path / "scene.tif", bands, nodata=0)
    asset = run_one(person, user.raster(path, crs="EPSG:32633"), intent="to_web_mercator")
    with rasterio.open(user.download(asset, tmp_path)) as result:
        assert result.crs.to_epsg() == 3857
    assert asset.crs.code == "EPSG:3857"
    assert [step.name for step in asset.recipe.steps] == ["reproject_raster", "cog"]


def test_a_raster_that_lies_beyond_the_poles_is_refused(user, tmp_path, bands):
    grid = from_origin(-90, 360, 0.2, 0.4)
    path = geotiff(tmp_path / "turned.tif", bands, crs="EPSG:4326", transform=grid)
    with pytest.raises(BatchRejectedError, match=r"turned\.tif.*latitudes 80 to 360"):
        run_one(user, user.raster(path, crs="EPSG:4326"))


def test_a_map_of_the_world_in_mollweides_projection_comes_in(user, tmp_path):
    world = np.ones((1, 181, 362), "uint8")
    grid = from_origin(-18_100_000, 9_050_000, 100_000, 100_000)
    path = geotiff(tmp_path / "world.tif", world, crs="ESRI:54009", transform=grid)
    asset = run_one(user, user.raster(path, crs="ESRI:54009"))
    extent = asset.metadata.iso19115.extent.geographic
    assert (extent.west_bound_longitude, extent.east_bound_longitude) == (-180, 180)
    assert (extent.south_bound_latitude, extent.north_bound_latitude) == (-90, 90)


def test_the_cog_is_in_the_crs_that_the_ledger_names(user, tmp_path, bands):
    grid = from_origin(-1_000_000, -2_000_000, 1000, 1000)
    path = geotiff(tmp_path / "ice.tif", bands, crs=None, transform=grid)
    asset = run_one(user, user.raster(path, crs="EPSG:3411"))
    file = user.download(asset, tmp_path)
    with rasterio.Env(OSR_USE_NON_DEPRECATED="NO"), rasterio.open(file) as result:
        assert result.crs.to_wkt().endswith('AUTHORITY["EPSG","3411"]]')
    assert asset.crs.code == "EPSG:3411"
