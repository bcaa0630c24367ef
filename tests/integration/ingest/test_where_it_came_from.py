"""What the asset says of the way that its coordinates came, and of what was lost on it."""

from __future__ import annotations

import geopandas
import pyogrio
import pytest
import shapely

from libs.models import BatchState

pytestmark = pytest.mark.integration


def asset_of(user, path, shapes, crs, intent="ingest_vector_lossless"):
    frame = geopandas.GeoDataFrame({"n": range(len(shapes))}, geometry=shapes, crs=crs)
    pyogrio.write_dataframe(frame, path, driver="GPKG")
    entry = user.vector(path, "GPKG", crs=crs)
    return user.run(user.manifest([entry], intent=intent)).assets[0].asset


@pytest.mark.parametrize(
    ("code", "point", "words"),
    [
        ("EPSG:27700", (651_409, 313_177), "uk_os_OSTN15_NTv2_OSGBtoETRS.tif, which PostGIS has"),
        ("EPSG:5514", (-740_000, -1_040_000), "is accurate to 6 m, as PROJ says"),
        ("EPSG:31467", (3_500_000, 5_500_000), None),  # Debian's proj-data has its grid
        ("EPSG:32633", (500_000, 5_000_000), None),
        ("EPSG:4326", (15, 48), None),
    ],
)
def test_it_names_the_crs_it_came_in_and_how_far_a_datum_shift_may_be_off(
    user, tmp_path, code, point, words
):
    asset = asset_of(user, tmp_path / "p.gpkg", [shapely.Point(point)], code)
    [step] = [step for step in asset.recipe.steps if step.name == "normalize_crs"]
    assert code in step.description
    notes = [note for note in asset.notes if "accurate to" in note]
    assert len(notes) == (words is not None)
    assert all(words in note and f"from {code} to EPSG:4326" in note for note in notes)


def test_that_vertices_went_is_told_where_x_and_y_stay_as_they_are(user, tmp_path):
    """A summit of 1000 m on a straight line: no displacement that a map would show."""
    line = shapely.LineString([(15, 48, 0), (15.5, 48, 1000), (16, 48, 0)])
    asset = asset_of(user, tmp_path / "l.gpkg", [line], "EPSG:4326", "ingest_vector")
    [note] = [note for note in asset.notes if "vertices became" in note]
    assert note == (
        "simplify_geometry: 3 vertices became 2; in x and y the largest displacement is 0 m."
    )


def test_a_multipoint_with_an_empty_point_is_ingested_and_drawn_without_it(user, tmp_path):
    path = tmp_path / "p.csv"
    path.write_text('n,wkt\n0,"MULTIPOINT ((1 2), EMPTY)"\n1,"MULTIPOINT ((3 4), (5 6))"\n')
    done = user.run(user.manifest([user.vector(path, "CSV")]))
    assert done.batch.state is BatchState.COMMITTED
    assert done.assets[0].picture is not None


def test_no_bug_of_drawing_keeps_data_from_its_commit(user, tmp_path, monkeypatch):
    from libs.ingest import vector_work

    def buggy(*_args, **_kwargs):
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(vector_work, "picture_of_features", buggy)
    path = tmp_path / "p.csv"
    path.write_text("n,lon,lat\n0,1,2\n")
    done = user.run(user.manifest([user.vector(path, "CSV")]))
    assert done.assets[0].picture is None


def test_postgis_is_asked_for_its_grids(compute):
    assert compute.has_grid("BETA2007.gsb")
    assert not compute.has_grid("no_such_grid.tif")
