"""Paths of a manifest that lead somewhere else: into other buckets, the disk, the network."""

from __future__ import annotations

import json

import geopandas
import pytest
import shapely

pytestmark = pytest.mark.integration
GROUP = "paths"


def reject(attack, path, says):
    entry = {"path": path, "type": "vector", "format": "GPKG", "crs": "EPSG:4326", "dataset": "d"}
    body = {
        "batch_id": attack.user.name, "uploader": "ana@example.org", "intent": "ingest_vector",
        "files": [entry], "metadata": {"project": attack.user.name, "description": "x"},
    }  # fmt: skip
    receipt = attack.reject(attack.user.put_manifest(json.dumps(body).encode()), says)
    found = receipt["problems"] + [p for file in receipt["files"] for p in file["problems"]]
    assert {problem["where"] for problem in found} == {"files[0].path"}


NO_KEY = "not of the form s3://BUCKET/KEY"
ODD_PART = "empty, '.', '..' or backslash part"
NOT_THERE = "is not in the bucket"
PATHS = {
    "": NO_KEY,
    "roads.gpkg": NO_KEY,
    "/etc/passwd": NO_KEY,
    "file:///etc/passwd": NO_KEY,
    "../../../etc/passwd": NO_KEY,
    "/vsicurl/{url}/x.gpkg": NO_KEY,
    "/vsis3/data-lake/x.gpkg": NO_KEY,
    "/vsizip/{url}/x.zip": NO_KEY,
    "{url}/x.gpkg": NO_KEY,
    "https://{address}/x.gpkg": NO_KEY,
    "PG:host={address}": NO_KEY,
    "<OGRVRTDataSource/>": NO_KEY,
    "S3://{bucket}/x.gpkg": NO_KEY,
    "s3:/{bucket}/x.gpkg": NO_KEY,
    "s3://{bucket}": NO_KEY,
    "s3://{bucket}/": NO_KEY,
    "s3:///x.gpkg": NO_KEY,
    "s3://user:password@{address}/x.gpkg": NO_KEY,
    "s3://LANDING-ZONE/x.gpkg": NO_KEY,
    "s3://data-lake/x.gpkg": "is in bucket 'data-lake'",
    "s3://other-bucket/x.gpkg": "is in bucket 'other-bucket'",
    "s3://{bucket}/../data-lake/x.gpkg": ODD_PART,
    "s3://{bucket}/a/../../x.gpkg": ODD_PART,
    "s3://{bucket}/./x.gpkg": ODD_PART,
    "s3://{bucket}/%2e%2e/data-lake/x.gpkg": ODD_PART,
    "s3://{bucket}/%2E%2E%2Fdata-lake/x.gpkg": ODD_PART,
    "s3://{bucket}/..%5cx.gpkg": ODD_PART,
    "s3://{bucket}/a\\..\\x.gpkg": ODD_PART,
    "s3://{bucket}//etc/passwd": ODD_PART,
    "s3://{bucket}/{name}/": ODD_PART,
    "s3://{bucket}/{name}//x.gpkg": ODD_PART,
    "s3://{bucket}/manifests/m.json": "where only manifests belong",
    "s3://{bucket}/manifests/done/m.json": "where only manifests belong",
    "s3://{bucket}/{name}/nothing.gpkg": NOT_THERE,
    "s3://{bucket}/{name}/%252e%252e/x.gpkg": NOT_THERE,
    "s3://{bucket}/vsicurl/{url}/x.gpkg": ODD_PART,
    "s3://{bucket}/{name}/folder": NOT_THERE,
    "s3://{bucket}/{name}/x.gpkg?versionId=1": NOT_THERE,
    "s3://{bucket}/{name}/*.gpkg": NOT_THERE,
    "s3://{bucket}/" + "k" * 1025: "longer than the 1024 bytes",
    "s3://{bucket}/{name}/" + "k" * 300 + ".gpkg": "part of the key is longer than 255 bytes",
}


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path[:40])
def test_a_path_that_is_no_plain_key_of_the_landing_zone_is_rejected(attack, tmp_path, path):
    (tmp_path / "inside.gpkg").write_bytes(b"x")
    attack.user.upload(tmp_path / "inside.gpkg", f"{attack.user.name}/folder/inside.gpkg")
    filled = path.format(
        bucket=attack.user.bucket, name=attack.user.name,
        url=attack.canary.url, address=attack.canary.address,
    )  # fmt: skip
    reject(attack, filled, PATHS[path])


NAMES = {
    "shell": "$(touch pwned);`id`|&.gpkg",
    "quotes": "a'b\"c.gpkg",
    "an option": "--config GDAL_DRIVER_PATH x.gpkg",
    "an archive": "a.zip!b.gpkg",
    "SQL": "x'; DROP TABLE batches; --.gpkg",
    "a URL": "http:127.0.0.1%3A9.gpkg",
    "a VRT": "<OGRVRTDataSource>.gpkg",
    "a driver's prefix": "GPKG:x:y.gpkg",
    "percent signs": "%s%n%00%d.gpkg",
    "braces": "{0.__class__}.gpkg",
    "an operator": "$where.gpkg",
    "dots": "...x.y.z.gpkg",
    "another script": "данные-資料.gpkg",
    "right to left": "a\u202egkpg.gpkg",
    "the longest": "n" * 250 + ".gpkg",
}


@pytest.mark.parametrize("kind", NAMES)
def test_a_file_name_is_a_name_and_nothing_else(attack, tmp_path, kind):
    path = tmp_path / "plain.gpkg"
    frame = geopandas.GeoDataFrame(
        {"n": [1, 2]}, geometry=shapely.points([[1, 2], [3, 4]]), crs=4326
    )
    frame.to_file(path, driver="GPKG")
    uri = attack.user.upload(path, f"{attack.user.name}/{NAMES[kind]}")
    entry = {"path": uri, "type": "vector", "format": "GPKG", "crs": "EPSG:4326", "dataset": "d"}
    done = attack.commit(attack.user.manifest([entry]))
    assert done.asset.vector.row_count == 2
    assert done.receipt["files"][0]["path"] == uri
    assert done.asset.sources[0].uri == uri


def test_the_name_of_a_bad_file_is_shown_as_it_is(attack, tmp_path):
    path = tmp_path / "bad.gpkg"
    path.write_bytes(b"nothing")
    name = "$(id) {x} %s '\".gpkg"
    uri = attack.user.upload(path, f"{attack.user.name}/{name}")
    entry = {"path": uri, "type": "vector", "format": "GPKG", "crs": "EPSG:4326", "dataset": "d"}
    attack.reject(attack.user.manifest([entry]), "cannot read it", names=name)


def test_a_dataset_whose_name_only_another_script_could_say_asks_for_one(attack, tmp_path):
    path = tmp_path / "資料.gpkg"
    path.write_bytes(b"nothing")
    reject_upload = attack.manifest_of(path, "GPKG")
    attack.reject(reject_upload, r"files\[0\]: no dataset name .*give one in `dataset`")
