"""Vectors from the landing bucket to a committed dataset, compared with what GeoPandas reads."""

import os
import subprocess
import sys
from pathlib import Path

import geopandas
import numpy as np
import pandas as pd
import pyogrio
import pytest
import shapely

from libs.compute import PostGIS
from libs.ingest import Committed

pytestmark = pytest.mark.integration


@pytest.fixture
def countries():
    """Natural Earth countries, as the pyogrio wheel ships them."""
    folder = Path(pyogrio.__file__).parent / "tests" / "fixtures" / "naturalearth_lowres"
    return folder / "naturalearth_lowres.shp"


def shapefile(user, path, **more):
    for side in (".shx", ".dbf", ".prj", ".cpg"):
        if path.with_suffix(side).exists():
            user.upload(path.with_suffix(side))
    return user.vector(path, "ESRI Shapefile", **more)


def only(committed):
    assert isinstance(committed, Committed)
    (done,) = committed.assets
    return done.asset


def test_postgis_is_told_what_each_of_its_statements_is_about(user, countries, monkeypatch):
    """Else all of them would run on all cores, whose processes a small table is not worth."""
    about, real = {}, PostGIS.run_step

    def seen(self, schema, statement, what="a step", **more):
        about.setdefault(what, set()).add(more.get("about") is not None)
        return real(self, schema, statement, what, **more)

    monkeypatch.setattr(PostGIS, "run_step", seen)
    only(user.run(user.manifest([shapefile(user, countries)])))
    assert about.pop("making raw_data") == {False}
    assert {"tidying up", "the picture"} < about.keys()
    assert set.union(*about.values()) == {True}


def test_no_row_is_asked_for_what_the_reader_has_seen_of_all_rows(user, tmp_path, monkeypatch):
    asked, real = [], PostGIS.run_step

    def seen(self, schema, statement, what="a step", **more):
        if what == "the recipe" and "CREATE" in (text := statement.as_string()):
            asked.append(text)
        return real(self, schema, statement, what, **more)

    monkeypatch.setattr(PostGIS, "run_step", seen)
    place = shapely.Point(15, 48)
    shapes = {
        "points": place,
        "lines": shapely.LineString([place, (16, 49)]),
        "polygons": place.buffer(0.1),
        "collections": shapely.GeometryCollection([place]),
    }
    for name, shape in shapes.items():
        path = tmp_path / f"{name}.gpkg"
        geopandas.GeoDataFrame({"a": [1]}, geometry=[shape], crs="EPSG:4326").to_file(path)
        only(user.run(user.manifest([user.vector(path, "GPKG")], name=name)))
    points, lines, polygons, collections = asked
    assert "ST_IsValid" not in points
    assert "ST_IsValid" in polygons
    assert ['"__roundness"' in text for text in asked] == [False, False, True, True]
    assert "CURVE" not in points + lines + polygons
    assert "CURVE" in collections


@pytest.mark.parametrize(
    ("code", "intent", "wanted"),
    [
        ("EPSG:32633", "ingest_vector", True),
        ("EPSG:4326", "ingest_vector", True),
        ("EPSG:32633", "ingest_building_footprints", True),
        ("EPSG:3035", "ingest_vector", False),  # not conformal
        ("EPSG:27700", "ingest_vector", False),  # another datum
        ("EPSG:32633", "ingest_vector_lossless", False),  # asks nobody whether it is valid
    ],
)
def test_roundness_is_looked_for_where_it_is_of_use(
    user, tmp_path, monkeypatch, code, intent, wanted
):
    loaded, real = [], PostGIS.load_arrow

    def seen(self, *args, **more):
        loaded.append(real(self, *args, **more))
        return loaded[-1]

    monkeypatch.setattr(PostGIS, "load_arrow", seen)
    path = tmp_path / "squares.gpkg"
    square = shapely.box(15, 50, 15.001, 50.001)
    data = geopandas.GeoDataFrame({"a": [1]}, geometry=[square], crs="EPSG:4326").to_crs(code)
    data.to_file(path)
    manifest = user.manifest([user.vector(path, "GPKG", crs=code)], intent=intent)
    asset = only(user.run(manifest))
    assert asset.vector.row_count == 1
    [table] = loaded
    assert (table.roundness_column is not None) == wanted


def test_a_natural_earth_shapefile_becomes_a_geoparquet_that_everybody_reads(
    user, countries, tmp_path, vault, ledger
):
    upload = user.manifest([shapefile(user, countries)])
    committed = user.run(upload)
    asset = only(committed)

    result = geopandas.read_parquet(user.download(asset, tmp_path))
    source = geopandas.read_file(countries)
    assert len(result) == len(source) == asset.vector.row_count
    columns = [name for name in source.columns if name != "geometry"]
    left = result.sort_values("name").reset_index(drop=True)
    right = source.sort_values("name").reset_index(drop=True)
    pd.testing.assert_frame_equal(left[columns], right[columns], check_dtype=False)
    assert result.crs.to_epsg() == 4326
    moved = shapely.hausdorff_distance(left.geometry.values, right.geometry.values)
    assert moved.max() <= 0.0001
    assert left.geometry.is_valid.all()
    assert asset.bounds.xyxy == pytest.approx(tuple(result.total_bounds), abs=1e-9)

    linked = vault.stat(asset.s3_bucket, asset.s3_key)
    assert linked.metadata["mongodb_doc_id"] == asset.id
    assert linked.metadata["content_hash"] == asset.content_hash
    assert ledger.asset(asset.id).s3_key == asset.s3_key
    assert asset.version == 1
    iso = asset.metadata.iso19115
    assert iso.extent.geographic.west_bound_longitude == pytest.approx(-180)
    assert [step.name for step in iso.lineage.process_steps]
    assert {source.uri.rsplit(".")[-1] for source in asset.sources} >= {"shp", "shx", "dbf"}


def test_duckdb_and_gpio_read_it_without_complaint(user, countries, tmp_path, duck, duckdb_home):
    asset = only(user.run(user.manifest([shapefile(user, countries)])))
    file = user.download(asset, tmp_path)
    source = geopandas.read_file(countries)
    row = duck.execute(
        "SELECT count(*), sum(pop_est), max(bbox.ymax) FROM read_parquet(?)", [str(file)]
    ).fetchone()
    assert row == (len(source), source["pop_est"].sum(), pytest.approx(source.total_bounds[3]))
    gpio = subprocess.run(
        [Path(sys.executable).with_name("gpio"), "check", "all", file],
        env=os.environ | {"HOME": str(duckdb_home), "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    said = gpio.stdout + gpio.stderr
    assert "checks passed" in said
    assert not [mark for mark in ("❌", "⚠", "✗", "failed") if mark in said], said


def test_the_user_finds_a_receipt_and_the_manifest_has_moved(user, countries, uploader_vault):
    upload = user.manifest([shapefile(user, countries)])
    committed = user.run(upload)
    asset = only(committed)
    receipt = user.receipt(committed.batch)
    assert receipt["outcome"] == "committed"
    assert receipt["files"][0]["content_hash"] == asset.content_hash
    assert receipt["files"][0]["version"] == 1
    assert receipt["files"][0]["recipe"]["steps"]
    assert uploader_vault.stat(user.bucket, upload.key) is None
    assert uploader_vault.stat(user.bucket, upload.key.replace("manifests/", "manifests/done/"))


def test_nothing_is_left_in_postgis_or_on_disk(user, countries, platform):
    committed = user.run(user.manifest([shapefile(user, countries)]))
    digits = only(committed).run_id.replace("-", "")
    assert not [name for name in platform.compute.run_schemas() if digits in name]
    assert not (platform.limits.work_dir / f"run-{digits}").exists()


def test_lossless_keeps_every_coordinate(user, countries, tmp_path):
    upload = user.manifest([shapefile(user, countries)], intent="ingest_vector_lossless")
    asset = only(user.run(upload))
    result = geopandas.read_parquet(user.download(asset, tmp_path)).sort_values("name")
    source = geopandas.read_file(countries).sort_values("name")
    equal = shapely.equals_exact(result.geometry.values, source.geometry.values, tolerance=0)
    assert equal.all()
    for step in asset.recipe.steps:
        assert step.change is None or step.change.largest_displacement_m in (None, 0)


def test_the_same_input_gives_the_same_bytes(user, countries):
    first = only(user.run(user.manifest([shapefile(user, countries)], name="one")))
    second = only(user.run(user.manifest([shapefile(user, countries)], name="two")))
    assert (first.version, second.version) == (1, 2)
    assert first.content_hash == second.content_hash


def test_an_unknown_intent_takes_the_default_recipe_and_says_so(user, countries):
    committed = user.run(user.manifest([shapefile(user, countries)], intent="ingest_vectro"))
    asset = only(committed)
    assert asset.recipe.is_default_for_unknown_intent
    assert asset.recipe.nearest_known_intent == "ingest_vector"
    assert "ingest_vectro" in " ".join(user.receipt(committed.batch)["notes"])


def test_simplifying_is_measured(user, tmp_path):
    angles = np.linspace(0, 2 * np.pi, 2001)
    circle = shapely.Polygon(np.column_stack([np.cos(angles), np.sin(angles)]))
    frame = geopandas.GeoDataFrame({"id": [1]}, geometry=[circle], crs="EPSG:4326")
    path = tmp_path / "circle.gpkg"
    frame.to_file(path, driver="GPKG")
    asset = only(user.run(user.manifest([user.vector(path, "GPKG")])))
    (change,) = [s.change for s in asset.recipe.steps if s.name == "simplify_geometry"]
    result = geopandas.read_parquet(user.download(asset, tmp_path)).geometry.iloc[0]
    assert change.vertices_before == shapely.get_num_coordinates(circle)
    assert change.vertices_after == shapely.get_num_coordinates(result)
    moved = shapely.hausdorff_distance(circle, result)
    assert change.largest_displacement_m == pytest.approx(moved * 111_000, rel=0.05)
    assert change.rows_collapsed == 0


def test_an_empty_layer_has_no_bounds(user, tmp_path):
    frame = geopandas.GeoDataFrame({"id": []}, geometry=[], crs="EPSG:4326")
    path = tmp_path / "nothing.gpkg"
    frame.to_file(path, driver="GPKG", geometry_type="Point")
    asset = only(user.run(user.manifest([user.vector(path, "GPKG")])))
    assert asset.bounds is None
    assert asset.vector.row_count == 0
    assert asset.metadata.iso19115.extent.geographic is None
    assert len(geopandas.read_parquet(user.download(asset, tmp_path))) == 0
