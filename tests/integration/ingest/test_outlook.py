"""What the sensor sees of a manifest before its run."""

from __future__ import annotations

import pytest

from libs.ingest import outlook

pytestmark = pytest.mark.integration


def entry(user, path, **more):
    return {"path": user.upload(path), "type": "vector", "format": "GeoJSON",
            "crs": "EPSG:4326", **more}  # fmt: skip


def test_it_names_intent_dataset_and_bytes(user, platform, tmp_path):
    files = []
    for name, size in (("roads", 1000), ("rivers", 500)):
        path = tmp_path / f"{name}.geojson"
        path.write_bytes(b"x" * size)
        files.append(entry(user, path))
    upload = user.manifest(files, intent="ingest_road_network")
    seen = outlook(platform, upload, with_size=True)
    assert seen.intent == "ingest_road_network"
    assert seen.dataset_id == f"{user.name}/roads"
    assert seen.input_bytes == 1500
    assert outlook(platform, upload, with_size=False).input_bytes is None


def test_of_many_files_the_size_is_guessed(user, platform, tmp_path):
    files = []
    for number in range(40):
        path = tmp_path / f"tile_{number}.geojson"
        path.write_bytes(b"x" * 10)
        files.append(entry(user, path))
    upload = user.manifest(files)
    assert outlook(platform, upload, with_size=True).input_bytes == 400


def test_a_missing_file_counts_nothing_and_a_manifest_without_sense_is_nothing(user, platform):
    gone = {"path": f"s3://{user.bucket}/{user.name}/gone.geojson", "type": "vector",
            "format": "GeoJSON", "crs": "EPSG:4326"}  # fmt: skip
    assert outlook(platform, user.manifest([gone]), with_size=True).input_bytes == 0
    assert outlook(platform, user.put_manifest(b"{"), with_size=True) is None


def test_a_manifest_that_was_replaced_meanwhile_is_nothing(user, platform):
    upload = user.put_manifest(b"{}")
    user.put_manifest(b"{ }")
    assert outlook(platform, upload, with_size=True) is None
