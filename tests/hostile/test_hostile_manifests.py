"""Manifests that are not what they should be: each problem is named, nothing is begun."""

from __future__ import annotations

import json

import geopandas
import pytest
import shapely

from libs.ingest import waiting_manifests

pytestmark = pytest.mark.integration
GROUP = "manifests"


@pytest.fixture(scope="module")
def point(tmp_path_factory):
    path = tmp_path_factory.mktemp("point") / "p.gpkg"
    frame = geopandas.GeoDataFrame({"n": [1]}, geometry=[shapely.Point(1, 2)], crs="EPSG:4326")
    frame.to_file(path, driver="GPKG")
    return path


@pytest.fixture
def good(attack, point):
    """A manifest that would be committed as it is."""
    return {
        "batch_id": attack.user.name, "uploader": "ana@example.org", "intent": "ingest_vector",
        "files": [attack.user.vector(point, "GPKG")],
        "metadata": {"project": attack.user.name, "description": "Test data"},
    }  # fmt: skip


def reject(attack, body, says):
    if not isinstance(body, bytes):
        body = json.dumps(body).encode()
    return attack.reject(attack.user.put_manifest(body), says)


def test_the_manifest_that_all_others_are_made_of_is_good(attack, good):
    attack.commit(attack.user.put_manifest(json.dumps(good).encode()))


NOT_A_MANIFEST = {
    "empty": (b"", "not JSON"),
    "not JSON": (b"batch_id: x\nfiles: []\n", "not JSON: .* line 1, column 1"),
    "cut off": (b'{"batch_id": "x", "files": [', "not JSON"),
    "two documents": (b"{}{}", "not JSON"),
    "a byte order mark": (b"\xef\xbb\xbf{}", "byte order mark"),
    "UTF-16": ('{"batch_id": "x"}'.encode("utf-16"), "not UTF-8"),
    "UTF-16 without mark": ('{"batch_id": "x"}'.encode("utf-16-le"), "not JSON"),
    "Latin-1": ('{"uploader": "Zürich"}'.encode("latin-1"), "not UTF-8: byte 15"),
    "a list": (b"[]", "manifest"),
    "null": (b"null", "manifest"),
    "a number": (b"7", "manifest"),
    "a text": (b'"manifest"', "manifest"),
    "NaN": (b'{"batch_id": NaN}', "the number NaN"),
    "infinity": (b'{"batch_id": -Infinity}', "the number -Infinity"),
    "an overflow": (b'{"batch_id": 1e999}', "the number 1e999"),
    "an endless integer": (b'{"batch_id": ' + b"9" * 100_000 + b"}", "number that cannot be read"),
    "10 000 levels": (b'{"files": ' + b"[" * 10_000 + b"]" * 10_000 + b"}", "nested deeper"),
    "10 000 open levels": (b"[" * 10_000, "nested deeper"),
    "10 000 levels of objects": (b'{"a":' * 10_000 + b"1" + b"}" * 10_000, "nested deeper"),
    "a NUL": (b'{"batch_id": "a\0b"}', "not JSON"),
}  # fmt: skip


@pytest.mark.parametrize("kind", NOT_A_MANIFEST)
def test_what_is_no_manifest_at_all_is_rejected(attack, kind):
    body, says = NOT_A_MANIFEST[kind]
    reject(attack, body, says)


def test_100_megabytes_are_rejected_and_not_read(attack):
    receipt = reject(attack, b'{"a":"' + b"x" * 100_000_000 + b'"}', "larger than 4000000 bytes")
    assert len(receipt["problems"]) == 1


def test_the_same_key_twice_in_the_manifest_is_named(attack, good):
    text = json.dumps(good).replace('"uploader"', '"intent": "other", "uploader"', 1)
    reject(attack, text.encode(), "key 'intent' twice")


def test_the_same_key_twice_deep_inside_is_named(attack, good):
    text = json.dumps(good).replace('"crs"', '"crs": "EPSG:3857", "crs"', 1)
    reject(attack, text.encode(), "key 'crs' twice")


def test_one_key_twice_among_200_000_is_found_at_once(attack):
    keys = ",".join(f'"k{number}":0' for number in range(200_000))
    reject(attack, f'{{{keys},"k7":1}}'.encode(), "key 'k7' twice")


def test_200_000_keys_twice_are_named_in_part_and_counted(attack):
    keys = ",".join(f'"k{number}":0' for number in range(120_000))
    receipt = reject(attack, f"{{{keys},{keys}}}".encode(), "119,9.. further")
    assert len(json.dumps(receipt)) < 100_000


def test_200_000_unknown_fields_are_named_in_part_and_counted(attack, good):
    body = {**good, **{f"u{number}": 0 for number in range(200_000)}}
    receipt = reject(attack, body, "further problems")
    assert len(json.dumps(receipt)) < 100_000


def test_a_key_of_two_megabytes_does_not_become_a_problem_of_two_megabytes(attack, good):
    receipt = reject(attack, {**good, "k" * 2_000_000: 0}, "unknown fields")
    assert len(json.dumps(receipt)) < 100_000
    twice = b'{"%(k)s":0,"%(k)s":0}' % {b"k": b"k" * 1_500_000}
    assert len(json.dumps(reject(attack, twice, "twice in one object"))) < 100_000


@pytest.mark.parametrize("field", ["batch_id", "uploader", "intent", "files", "metadata"])
def test_a_missing_field_is_named(attack, good, field):
    del good[field]
    reject(attack, good, rf"{field}: Field required.*Add the field")


@pytest.mark.parametrize("field", ["path", "type", "format", "crs"])
def test_a_missing_field_of_a_file_is_named(attack, good, field):
    del good["files"][0][field]
    reject(attack, good, rf"files\[0\]\.{field}: Field required")


WRONG_TYPES = {
    "batch_id": 7, "uploader": ["ana"], "intent": None, "files": {"path": "x"}, "metadata": "text",
    "on_error": "ignore", "files.0": "s3://landing-zone/x.gpkg", "files.0.path": 7,
    "files.0.type": "vektor", "files.0.format": "VRT", "files.0.crs": 4326, "files.0.layer": 1,
    "files.0.dataset": {}, "metadata.project": 7, "metadata.description": [],
    "metadata.tags": "a,b", "metadata.tags.0": 7,
}  # fmt: skip


@pytest.mark.parametrize("place", WRONG_TYPES)
def test_a_value_of_the_wrong_type_is_named_with_its_place(attack, good, place):
    *parents, last = [int(part) if part.isdigit() else part for part in place.split(".")]
    target = good
    good["metadata"]["tags"] = ["a"]
    for part in parents:
        target = target[part]
    target[last] = WRONG_TYPES[place]
    where = place.replace(".0", "[0]").replace("[", r"\[").replace("]", r"\]")
    reject(attack, good, where)


@pytest.mark.parametrize("place", ["", "files", "metadata"])
def test_an_unknown_field_is_named(attack, good, place):
    target = {"": good, "files": good["files"][0], "metadata": good["metadata"]}[place]
    target["shell"] = "rm -rf /"
    reject(attack, good, "shell: .*Remove the field")


def test_a_batch_without_files_is_rejected(attack, good):
    reject(attack, {**good, "files": []}, "files: ")


def test_10_000_files_are_rejected_at_once(attack, good):
    entry = good["files"][0]
    good["files"] = [
        {**entry, "path": f"s3://{attack.user.bucket}/{number}.gpkg", "dataset": f"d{number}"}
        for number in range(10_000)
    ]
    receipt = reject(attack, good, "10000 entries, more than 1000")
    assert len(receipt["problems"]) == 1


def test_10_000_files_that_are_all_wrong_are_named_in_part(attack, good):
    good["files"] = [{"path": number} for number in range(10_000)]
    receipt = reject(attack, good, "further problems")
    assert len(json.dumps(receipt)) < 100_000


def test_1000_files_that_are_all_missing_are_named_each(attack, good):
    entry = good["files"][0]
    good["files"] = [
        {**entry, "path": f"s3://{attack.user.bucket}/{attack.user.name}/no{number}.gpkg"}
        for number in range(1000)
    ]
    receipt = reject(attack, good, "no7.gpkg is not in the bucket")
    assert len(receipt["files"]) == 1000


def test_the_same_path_twice_is_rejected(attack, good):
    good["files"].append({**good["files"][0], "dataset": "other"})
    reject(attack, good, "the same path stands more than once: s3://")


def test_two_files_of_one_dataset_are_rejected(attack, good):
    other = good["files"][0]["path"].replace("p.gpkg", "sub/p.gpkg")
    good["files"].append({**good["files"][0], "path": other})
    reject(attack, good, "the same dataset stands more than once: p")


ODD_TEXTS = {
    "a lone surrogate": "a\ud800b",
    "a lone low surrogate": "\udfff",
    "a NUL": "a\0b",
    "a line break": "a\nb",
    "an escape sequence": "\x1b[2J",
    "DEL": "a\x7f",
    "a C1 control": "a\x9bb",
    "a line separator": "a\u2028b",
}


FIELDS = ["batch_id", "uploader", "intent", "layer", "path", "project"]


@pytest.mark.parametrize(
    ("kind", "field"),
    [*((kind, "uploader") for kind in ODD_TEXTS), *(("a NUL", field) for field in FIELDS)],
)
def test_control_characters_and_lone_surrogates_are_rejected(attack, good, kind, field):
    target = good["files"][0] if field in ("layer", "path") else good
    target = good["metadata"] if field == "project" else target
    target[field] = str(target.get(field, "")) + ODD_TEXTS[kind]
    receipt = reject(attack, good, field)
    assert ODD_TEXTS[kind] not in receipt["problems"][0]["what"]


def test_a_lone_surrogate_in_prose_is_rejected(attack, good):
    good["metadata"]["description"] = "a\udc00"
    reject(attack, good, "metadata.description: .*surrogate")


def test_a_lone_surrogate_in_a_key_is_rejected(attack, good):
    reject(attack, {**good, "\ud800": 1}, "manifest: Input should be a valid string")


ODD_IDS = ["../../etc", "a/b", "..", ".", "$where", "a.b", "", " ", "a b", "-rf", "%2e%2e", "a\\b",
           "İ", "x" * 129, "a'; DROP TABLE t; --", "{{7*7}}", "${HOME}", "\u202etxt"]  # fmt: skip


@pytest.mark.parametrize("text", ODD_IDS)
def test_an_id_that_would_be_a_path_a_command_or_an_operator_is_rejected(attack, good, text):
    reject(attack, {**good, "batch_id": text}, "batch_id: ")
    good["files"][0]["dataset"] = text
    good["metadata"]["project"] = text
    receipt = reject(attack, good, r"files\[0\]\.dataset: ")
    assert {problem["where"] for problem in receipt["problems"]} == {
        "files[0].dataset",
        "metadata.project",
    }


def test_a_key_that_does_not_end_in_json_is_no_submission(attack, good):
    user = attack.user
    for name in ("x.txt", "x.json.gz", "json", "x.json "):
        key = f"manifests/{name.replace('x', user.name)}"
        user.uploader.put_bytes(user.bucket, key, json.dumps(good).encode(), content_type="text/x")
        try:
            waiting = [upload.key for upload in waiting_manifests(user.platform)]
            assert key not in waiting
        finally:
            user.uploader.remove(user.bucket, key)


def test_a_manifest_that_names_a_manifest_as_its_data_is_rejected(attack, good):
    good["files"][0]["path"] = f"s3://{attack.user.bucket}/manifests/{attack.user.name}/m.json"
    good["files"][0]["format"] = "GeoJSON"
    reject(attack, good, "where only manifests belong")
