import shutil
import zipfile

import geopandas
import numpy as np
import pytest
import rasterio
from shapely.geometry import Point

from libs.cli.errors import UsageError
from libs.cli.source_files import Wishes, format_of, look_at_all
from libs.errors import InputError


def points(path, crs="EPSG:32633", **options):
    frame = geopandas.GeoDataFrame({"n": [1, 2]}, geometry=[Point(0, 0), Point(9, 9)], crs=crs)
    frame.to_file(path, **options)
    return path


def points_without_crs(path):
    points(path).with_suffix(".prj").unlink()
    return path


def raster(path, crs):
    profile = {
        "driver": "GTiff", "width": 4, "height": 3, "count": 1, "dtype": "uint8", "crs": crs,
        "transform": rasterio.Affine(0.5, 0, 10, 0, -0.5, 50),
    }  # fmt: skip
    with rasterio.open(path, "w", **profile) as target:
        target.write(np.zeros((1, 3, 4), "uint8"))
    return path


def look(limits, *paths, **wishes):
    return look_at_all(list(paths), Wishes(**wishes), limits)


def test_a_real_shapefile_is_known_with_its_crs_and_all_its_parts(natural_earth, limits):
    (found,) = look(limits, natural_earth)
    assert (found.format.driver, found.format.kind.value) == ("ESRI Shapefile", "vector")
    assert found.crs == "EPSG:4326"
    assert {path.suffix for path in found.all_paths} == {".shp", ".shx", ".dbf", ".prj", ".cpg"}


@pytest.mark.parametrize(
    ("name", "driver"),
    [("a.gpkg", "GPKG"), ("a.fgb", "FlatGeobuf"), ("a.shp", "ESRI Shapefile")],
)
def test_the_crs_is_read_from_the_file_itself(tmp_path, limits, name, driver):
    (found,) = look(limits, points(tmp_path / name))
    assert (found.format.driver, found.crs) == (driver, "EPSG:32633")


def test_endings_in_capitals_are_parts_of_a_shapefile_too(tmp_path, limits):
    made = points(tmp_path / "roads.shp")
    for part in list(tmp_path.iterdir()):
        part.rename(part.with_name("ROADS" + part.suffix.upper()))
    (found,) = look(limits, made.with_name("ROADS.SHP"))
    assert {path.name for path in found.side_files} >= {"ROADS.SHX", "ROADS.DBF", "ROADS.PRJ"}


def test_a_shapefile_without_its_attributes_is_refused_by_name(tmp_path, limits):
    made = points(tmp_path / "roads.shp")
    made.with_suffix(".dbf").unlink()
    with pytest.raises(InputError, match=r"roads\.shp: has no \.dbf file beside it"):
        look(limits, made)


def test_a_file_without_a_crs_asks_for_one_and_takes_it(tmp_path, limits):
    made = points_without_crs(tmp_path / "roads.shp")
    with pytest.raises(InputError, match="--crs EPSG:32633"):
        look(limits, made)
    (found,) = look(limits, made, crs="EPSG:25832")
    assert found.crs == "EPSG:25832"


def test_a_crs_that_contradicts_the_file_is_refused_before_anything_is_sent(tmp_path, limits):
    with pytest.raises(InputError, match=r"--crs says.*EPSG:3857.*EPSG:32633.*[Ll]eave --crs out"):
        look(limits, points(tmp_path / "a.gpkg"), crs="EPSG:3857")


def test_a_crs_that_does_not_exist_is_refused(tmp_path, limits):
    with pytest.raises(InputError, match="EPSG:999999"):
        look(limits, points_without_crs(tmp_path / "a.shp"), crs="EPSG:999999")


def test_geojson_has_the_crs_of_its_standard(tmp_path, limits):
    path = tmp_path / "a.geojson"
    path.write_text(
        '{"type":"Feature","properties":{},"geometry":{"type":"Point","coordinates":[1,2]}}'
    )
    (found,) = look(limits, path)
    assert (found.format.driver, found.crs) == ("GeoJSON", "EPSG:4326")


def test_a_file_with_several_layers_asks_which_one(tmp_path, limits):
    path = points(tmp_path / "a.gpkg", layer="roads")
    points(path, layer="rivers")
    with pytest.raises(InputError, match=r"roads.*rivers"):
        look(limits, path)
    (found,) = look(limits, path, layer="rivers")
    assert found.layer == "rivers"


def test_a_zip_is_known_by_what_is_in_it(tmp_path, natural_earth):
    shapes, tables = tmp_path / "shapes.zip", tmp_path / "tables.zip"
    with zipfile.ZipFile(shapes, "w") as archive:
        archive.write(natural_earth, "a/roads.shp")
    with zipfile.ZipFile(tables, "w") as archive:
        archive.writestr("roads.gdb/a00000001.gdbtable", b"")
    assert format_of(shapes).driver == "ESRI Shapefile"
    assert format_of(tables).driver == "OpenFileGDB"


def test_a_raster_is_known_with_its_crs_and_leaves_nothing_beside_it(tmp_path, limits):
    (found,) = look(limits, raster(tmp_path / "a.tif", "EPSG:25832"))
    assert (found.format.driver, found.format.kind.value, found.crs) == (
        "GTiff",
        "raster",
        "EPSG:25832",
    )
    assert [path.name for path in tmp_path.iterdir()] == ["a.tif"]


def test_a_folder_is_refused_with_the_cure(tmp_path, limits):
    with pytest.raises(UsageError, match="is a folder"):
        look(limits, tmp_path)
    geodatabase = tmp_path / "roads.gdb"
    geodatabase.mkdir()
    with pytest.raises(UsageError, match=r"Zip it as roads\.gdb\.zip"):
        look(limits, geodatabase)


def test_a_name_of_no_format_is_refused_and_a_named_format_believed(tmp_path, limits):
    path = tmp_path / "roads.data"
    shutil.copy(points(tmp_path / "a.gpkg"), path)
    with pytest.raises(UsageError, match="GPKG"):
        look(limits, path)
    with pytest.raises(UsageError, match="'VRT' is not accepted"):
        look(limits, path, format="VRT")
    assert format_of(path, "GPKG").driver == "GPKG"


def test_the_problems_of_all_files_are_told_at_once(tmp_path, limits):
    bad = tmp_path / "b.geojson"
    bad.write_text("no json")
    with pytest.raises(InputError) as caught:
        look(limits, points_without_crs(tmp_path / "a.shp"), bad)
    assert {problem.where.rsplit("/", 1)[-1] for problem in caught.value.problems} == {
        "a.shp",
        "b.geojson",
    }
