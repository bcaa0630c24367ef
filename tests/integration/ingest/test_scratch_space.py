"""What a run takes of the disk while it works: nothing stays there that it will not read again."""

import geopandas
import numpy as np
import pytest
import shapely

from libs.faultpoints import Point, step_in
from tests.integration.ingest.scenes import geotiff

pytestmark = pytest.mark.integration


@pytest.fixture
def seen(platform):
    """For each moment of a run: its files in the work folder, and its tables in PostGIS."""
    looks = {}
    others = {*files(platform), *platform.compute.run_schemas()}

    def look(point):
        names = sorted(path.name for path in files(platform) - others)
        looks[point] = (names, tables(platform, {*platform.compute.run_schemas()} - others))

    step_in(look)
    yield looks
    step_in(None)


def files(platform):
    return {path for path in platform.limits.work_dir.rglob("*") if path.is_file()}


def tables(platform, schemas):
    with platform.compute.connection() as connection:
        rows = connection.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = ANY(%s)", [list(schemas)]
        )
        return sorted(name for (name,) in rows)


def squares(path, is_valid=True):
    bow_tie = shapely.Polygon([(0, 0), (9, 9), (9, 0), (0, 9)])
    shapes = [shapely.box(x, 0, x + 5, 5) for x in range(0, 100, 10)]
    frame = geopandas.GeoDataFrame(geometry=shapes if is_valid else [*shapes, bow_tie])
    frame.geometry = frame.translate(500_000, 5_000_000).set_crs("EPSG:32633")
    frame.to_file(path)
    return path


@pytest.mark.parametrize("is_valid", [True, False], ids=["in one pass", "step by step"])
def test_of_a_vector_file_only_what_comes_next_is_kept(user, tmp_path, seen, is_valid):
    path = squares(tmp_path / "squares.gpkg", is_valid)
    user.run(user.manifest([user.vector(path, "GPKG", crs="EPSG:32633")]))
    assert seen[Point.FILE_FETCHED] == (["squares.gpkg"], [])
    assert seen[Point.FILE_LOADED] == ([], ["raw_data"])
    assert seen[Point.FILE_TRANSFORMED] == ([], ["processed"])
    assert seen[Point.FILE_WRITTEN] == (["out.parquet"], ["processed"])


def test_of_a_raster_only_the_result_is_kept(user, tmp_path, seen):
    data = np.arange(630_000).reshape(1, 700, 900).astype("uint8")
    path = geotiff(tmp_path / "scene.tif", data)
    entry = user.raster(path, crs="EPSG:32633")
    user.run(user.manifest([entry], intent="ingest_satellite_raster"))
    assert seen[Point.FILE_LOADED] == (["scene.tif"], [])
    assert seen[Point.FILE_TRANSFORMED] == (["out.tif"], [])
