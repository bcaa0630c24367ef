import json
from dataclasses import replace
from pathlib import Path

import pytest

from libs.cli.errors import UsageError
from libs.cli.manifest_maker import Words, make_submission
from libs.cli.source_files import SourceFile
from libs.models import INPUT_FORMATS, Manifest

WORDS = Words(project="ALPHA", intent="ingest_vector", uploader="ana")


def source(path: Path, content=b"data", **changes):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    found = SourceFile(
        path=path, side_files=(), format=INPUT_FORMATS["GPKG"], crs="EPSG:4326", layer=None
    )
    return replace(found, **changes)


def test_the_bytes_are_a_manifest_that_the_platform_reads(tmp_path):
    from libs.ingest.contract import parse_manifest

    made = make_submission([source(tmp_path / "a.gpkg")], WORDS, "landing-zone")
    read = parse_manifest(made.body, landing_bucket="landing-zone", max_bytes=10_000, max_files=10)
    assert read == made.manifest
    assert made.manifest_key == f"manifests/{read.batch_id}.json"
    assert read.files[0].path == f"s3://landing-zone/{made.uploads[0].key}"


def test_side_files_are_uploaded_beside_their_file_and_not_named(tmp_path):
    side = tmp_path / "a.dbf"
    side.write_bytes(b"x")
    shape = source(tmp_path / "a.shp", side_files=(side,), format=INPUT_FORMATS["ESRI Shapefile"])
    made = make_submission([shape], replace(WORDS, batch_id="b"), "landing-zone")
    assert [upload.key for upload in made.uploads] == ["b/a.shp", "b/a.dbf"]
    assert [file.path for file in made.manifest.files] == ["s3://landing-zone/b/a.shp"]


def test_the_same_files_and_words_are_the_same_submission_wherever_they_lie(tmp_path):
    one = make_submission([source(tmp_path / "x" / "a.gpkg")], WORDS, "landing-zone")
    other = make_submission([source(tmp_path / "y" / "a.gpkg")], WORDS, "landing-zone")
    assert (one.body, one.manifest_key) == (other.body, other.manifest_key)


@pytest.mark.parametrize("changed", ["content", "intent", "crs"])
def test_anything_that_changes_makes_another_batch(tmp_path, changed):
    before = make_submission([source(tmp_path / "a.gpkg")], WORDS, "landing-zone")
    content = b"other" if changed == "content" else b"data"
    crs = "EPSG:3857" if changed == "crs" else "EPSG:4326"
    words = replace(WORDS, intent="ingest_roads") if changed == "intent" else WORDS
    after = make_submission([source(tmp_path / "a.gpkg", content, crs=crs)], words, "landing-zone")
    assert before.manifest.batch_id != after.manifest.batch_id


def test_a_long_project_still_gives_a_batch_id_that_is_valid(tmp_path):
    words = replace(WORDS, project="P" * 100, dataset="d" * 100)
    made = make_submission([source(tmp_path / "a.gpkg")], words, "landing-zone")
    assert Manifest.model_validate(json.loads(made.body)) == made.manifest


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"project": "no spaces"}, "--project"),
        ({"batch_id": "-x"}, "--batch-id"),
        ({"dataset": "a/b"}, "--dataset"),
        ({"uploader": "a\x1b[31m"}, "--uploader"),
        ({"intent": ""}, "--intent"),
        ({"tags": ("",)}, "--tag"),
    ],
)
def test_a_word_that_no_manifest_can_hold_is_told_by_its_option(tmp_path, changes, named):
    with pytest.raises(UsageError, match=named) as caught:
        make_submission([source(tmp_path / "a.gpkg")], replace(WORDS, **changes), "landing-zone")
    assert "\x1b" not in str(caught.value)


def test_a_wrong_word_is_told_once_and_without_a_pattern(tmp_path):
    """No word of the batch's name, which was made of the project and not asked for."""
    with pytest.raises(UsageError) as caught:
        make_submission(
            [source(tmp_path / "a.gpkg")], replace(WORDS, project="P/x"), "landing-zone"
        )
    assert str(caught.value) == (
        "--project ('P/x'): Use letters, digits, _ and - only, 100 at most; "
        "a letter or digit first."
    )


def test_a_name_without_latin_letters_asks_for_a_dataset(tmp_path):
    shape = source(tmp_path / "дороги.gpkg")
    with pytest.raises(UsageError, match=r"gpkg'?: no dataset name .*: give one in --dataset\."):
        make_submission([shape], WORDS, "landing-zone")
    made = make_submission([shape], replace(WORDS, dataset="roads"), "landing-zone")
    assert made.manifest.files[0].dataset_slug == "roads"
    assert made.uploads[0].key.endswith("/дороги.gpkg")


def test_files_of_one_name_and_a_dataset_for_several_are_refused(tmp_path):
    twins = [source(tmp_path / "x" / "a.gpkg"), source(tmp_path / "y" / "a.gpkg")]
    with pytest.raises(UsageError, match=r"a\.gpkg"):
        make_submission(twins, WORDS, "landing-zone")
    several = [source(tmp_path / "a.gpkg"), source(tmp_path / "b.gpkg")]
    with pytest.raises(UsageError, match="one dataset"):
        make_submission(several, replace(WORDS, dataset="d"), "landing-zone")
