"""Each vector format comes in: rows, attributes, geometries as an independent reader has them."""

import shutil
import subprocess
import zipfile

import geopandas
import numpy as np
import pandas as pd
import pytest
import shapely

from libs.ingest import Committed

pytestmark = pytest.mark.integration

LOSSLESS = "ingest_vector_lossless"


@pytest.fixture
def places():
    return geopandas.GeoDataFrame(
        {
            "name": ["Zürich", "São Paulo", "東京", None],
            "people": [434_335, 12_300_000_000, 13_960_000, 7],
            "share": [0.5, -1.25, 1e-9, np.nan],
        },
        geometry=shapely.points([[8.5, 47.4], [-46.6, -23.5], [139.7, 35.7], [0, 0]]),
        crs="EPSG:4326",
    )


@pytest.fixture
def parcels():
    rings = [shapely.box(x, 45, x + 0.5, 45.5) for x in range(10, 14)]
    return geopandas.GeoDataFrame({"id": [1, 2, 3, 4]}, geometry=rings, crs="EPSG:4326")


def committed_frame(user, tmp_path, entry, **changes):
    committed = user.run(user.manifest([entry], intent=LOSSLESS, **changes))
    assert isinstance(committed, Committed)
    asset = committed.assets[0].asset
    return geopandas.read_parquet(user.download(asset, tmp_path)), asset


def assert_same(result, source, key):
    left = result.sort_values(key).reset_index(drop=True)
    right = source.sort_values(key).reset_index(drop=True)
    assert len(left) == len(right)
    # A shapefile's rings run clockwise, whichever way they ran before.
    mine, theirs = (shapely.normalize(frame.geometry.values) for frame in (left, right))
    same = shapely.equals_exact(mine, theirs, tolerance=1e-9)
    assert same.all()
    columns = [name for name in right.columns if name != right.geometry.name]
    pd.testing.assert_frame_equal(
        pd.DataFrame(left[columns]), pd.DataFrame(right[columns]), check_dtype=False
    )


@pytest.mark.parametrize(
    ("driver", "file"),
    [
        ("GPKG", "p.gpkg"), ("GeoJSON", "p.geojson"), ("GeoJSONSeq", "p.geojsonl"),
        ("FlatGeobuf", "p.fgb"),
    ],
)  # fmt: skip
def test_a_format_that_keeps_all_types_comes_out_as_it_went_in(
    user, tmp_path, places, driver, file
):
    path = tmp_path / file
    places.to_file(path, driver=driver, engine="pyogrio")
    result, _ = committed_frame(user, tmp_path, user.vector(path, driver))
    assert_same(result, places, "people")


def test_geoparquet_comes_out_as_it_went_in(user, tmp_path, places):
    path = tmp_path / "p.parquet"
    places.to_parquet(path, write_covering_bbox=True)
    result, _ = committed_frame(user, tmp_path, user.vector(path, "Parquet"))
    assert_same(result, places, "people")


@pytest.mark.parametrize("encoding", ["UTF-8", "ISO-8859-1"])
def test_a_shapefile_with_its_side_files_keeps_its_encoding(user, tmp_path, parcels, encoding):
    source = parcels.assign(name=["Zürich", "Genève", "Chur", "Örebro"])
    path = tmp_path / "p.shp"
    source.to_file(path, encoding=encoding, engine="pyogrio")
    for ending in (".shx", ".dbf", ".prj", ".cpg"):
        user.upload(path.with_suffix(ending))
    result, asset = committed_frame(user, tmp_path, user.vector(path, "ESRI Shapefile"))
    assert_same(result, source, "id")
    assert len(asset.sources) == 5


def test_a_zipped_shapefile_is_unpacked(user, tmp_path, parcels):
    folder = tmp_path / "z"
    folder.mkdir()
    parcels.to_file(folder / "p.shp")
    archive = tmp_path / "p.zip"
    with zipfile.ZipFile(archive, "w") as out:
        for part in folder.iterdir():
            out.write(part, f"sub/{part.name}")
    result, _ = committed_frame(user, tmp_path, user.vector(archive, "ESRI Shapefile"))
    assert_same(result, parcels, "id")


def test_kml_comes_in(user, tmp_path, parcels):
    path = tmp_path / "p.kml"
    parcels.assign(Name=["a", "b", "c", "d"])[["Name", "geometry"]].to_file(path, driver="KML")
    result, _ = committed_frame(user, tmp_path, user.vector(path, "KML"))
    assert sorted(result["Name"]) == ["a", "b", "c", "d"]
    flat = shapely.force_2d(result.sort_values("Name").geometry.values)
    assert shapely.equals(flat, parcels.geometry.values).all()


def test_gml_comes_in_with_x_before_y(user, tmp_path, parcels):
    source = tmp_path / "p.gpkg"
    parcels.to_file(source, driver="GPKG")
    path = tmp_path / "p.gml"
    subprocess.run(["ogr2ogr", "-f", "GML", str(path), str(source)], check=True)
    user.upload(path.with_suffix(".xsd"))
    result, _ = committed_frame(user, tmp_path, user.vector(path, "GML"))
    assert shapely.equals(result.sort_values("id").geometry.values, parcels.geometry.values).all()


@pytest.mark.parametrize(
    "text",
    [
        'id;WKT\n1;"POINT (8.5 47.4)"\n2;"POINT (9 48)"\n'.replace(";", ","),
        "id,lon,lat\n1,8.5,47.4\n2,9,48\n",
        "id,X,Y\n1,8.5,47.4\n2,9,48\n",
    ],
    ids=["wkt", "lon-lat", "x-y"],
)
def test_csv_with_wkt_or_coordinates_comes_in(user, tmp_path, text):
    path = tmp_path / "p.csv"
    path.write_text(text)
    result, _ = committed_frame(user, tmp_path, user.vector(path, "CSV"))
    ordered = result.sort_values("id")
    assert [(p.x, p.y) for p in ordered.geometry] == [(8.5, 47.4), (9, 48)]


def test_a_zipped_file_geodatabase_comes_in(user, tmp_path, parcels):
    folder = tmp_path / "p.gdb"
    parcels.to_file(folder, driver="OpenFileGDB", layer="parcels")
    archive = shutil.make_archive(str(tmp_path / "p.gdb"), "zip", tmp_path, "p.gdb")
    entry = user.vector(type(tmp_path)(archive), "OpenFileGDB")
    result, _ = committed_frame(user, tmp_path, entry)
    # The format has multipolygons only, and snaps coordinates to a grid of its own.
    read = geopandas.read_file(folder, layer="parcels")
    assert_same(result[["id", "geometry"]], read[["id", "geometry"]], "id")
    assert shapely.hausdorff_distance(read.geometry.values, parcels.geometry.values).max() < 1e-8


def test_one_of_several_layers_is_chosen_by_name(user, tmp_path, parcels, places):
    path = tmp_path / "two.gpkg"
    parcels.to_file(path, driver="GPKG", layer="parcels")
    places.to_file(path, driver="GPKG", layer="places")
    result, _ = committed_frame(user, tmp_path, user.vector(path, "GPKG", layer="parcels"))
    assert_same(result, parcels, "id")


def test_a_projected_file_is_reprojected(user, tmp_path, parcels):
    projected = parcels.to_crs(32633)
    path = tmp_path / "p.gpkg"
    projected.to_file(path, driver="GPKG")
    entry = user.vector(path, "GPKG", crs="EPSG:32633")
    result, asset = committed_frame(user, tmp_path, entry)
    assert_same(result, projected.to_crs(4326), "id")
    assert asset.crs.code == "EPSG:4326"
