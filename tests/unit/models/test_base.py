"""The small domain types hold what they promise."""

import pytest
from pydantic import ValidationError

from libs.models import (
    Bounds,
    RunSchema,
    formats_of_file,
    is_object_key,
    object_key,
    slug_of_stem,
)


def test_a_run_schema_is_named_after_its_run_and_can_be_traced_back():
    run_id = "0a1b2c3d-0000-4000-8000-00000000000f"
    first, third = RunSchema(run_id=run_id), RunSchema(run_id=run_id, file_index=2)
    assert first.name == "proc_0a1b2c3d00004000800000000000000f"
    assert third.name == first.name + "_3"
    assert len(RunSchema(run_id=run_id, file_index=999).name) < 63
    assert RunSchema.run_digits(first.name) == RunSchema.run_digits(third.name)
    assert RunSchema.run_digits("public") is None
    assert RunSchema.run_digits("proc_x") is None


@pytest.mark.parametrize("run_id", ["", "x", "0a1b; drop schema public", "../" * 11])
def test_a_run_id_that_is_no_uuid_never_names_a_schema(run_id):
    with pytest.raises(ValidationError):
        RunSchema(run_id=run_id)


def test_bounds_must_be_a_finite_box():
    assert Bounds(min_x=1, min_y=2, max_x=1, max_y=2).xyxy == (1, 2, 1, 2)
    for bad in ((2, 0, 1, 0), (0, 2, 0, 1), (0, 0, float("nan"), 0), (0, 0, float("inf"), 0)):
        with pytest.raises(ValidationError):
            Bounds(min_x=bad[0], min_y=bad[1], max_x=bad[2], max_y=bad[3])


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("s3://b/x/roads.shp", "roads"),
        ("Übersicht 1:5000.gpkg", "Ubersicht_1_5000"),
        ("a.b.gdb.zip", "a"),
        ("-_x.tif", "x"),
        ("道路.shp", ""),
    ],
)
def test_a_dataset_is_named_after_its_file(name, slug):
    assert slug_of_stem(name) == slug


def test_the_likeliest_format_of_a_file_name_comes_first():
    def drivers(name):
        return [form.driver for form in formats_of_file(name)]

    assert drivers("a.shp") == ["ESRI Shapefile"]
    assert drivers("a.GDB.zip")[0] == "OpenFileGDB"
    assert drivers("a.shp.zip")[0] == "ESRI Shapefile"
    assert drivers("a.json") == ["GeoJSON"]
    assert drivers("a.exe") == []


def test_other_bytes_have_another_key():
    one = object_key("A/roads", 3, "ab" * 32, ".parquet", fence=1)
    assert one == "A/roads/v3/roads-abababababab.parquet"
    assert one != object_key("A/roads", 3, "cd" * 32, ".parquet", fence=1)


@pytest.mark.parametrize("dataset", ["A/roads", "a_b-1/9", "P/x-0123456789ab-2"])
@pytest.mark.parametrize("fence", [1, 12])
def test_a_key_of_ours_is_known_by_its_form(dataset, fence):
    assert is_object_key(object_key(dataset, 1001, "0a" * 32, ".tif", fence=fence))


@pytest.mark.parametrize(
    "key",
    [
        "precious.gpkg",
        "A/roads/v1/roads.parquet",
        "A/roads/v1/rails-abababababab.parquet",
        "A/roads/v0/roads-abababababab.parquet",
        "A/roads/v1/roads-abababababab.parquet.bak",
        "A/roads/v1/roads-abababababab (copy).parquet",
        "B/A/roads/v1/roads-abababababab.parquet",
    ],
)
def test_a_key_that_no_run_gives_is_not_ours(key):
    assert not is_object_key(key)


def test_the_same_bytes_of_another_try_have_another_key():
    second = object_key("A/roads", 3, "ab" * 32, ".parquet", fence=2)
    assert second == "A/roads/v3/roads-abababababab-2.parquet"
