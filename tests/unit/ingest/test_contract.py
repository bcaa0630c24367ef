"""The manifest's bytes are read strictly: every fault is named with its place."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.errors import InputError
from libs.ingest.contract import parse_manifest
from libs.ingest.contract_words import field_path
from libs.models import AssetKind, Manifest, OnError


def document(**changes):
    base = {
        "batch_id": "batch-1",
        "uploader": "ana@example.org",
        "intent": "ingest_vector",
        "files": [
            {
                "path": "s3://landing-zone/batch_1/roads.shp",
                "type": "vector",
                "format": "ESRI Shapefile",
                "crs": "EPSG:32633",
            }
        ],
        "metadata": {"project": "ALPHA", "description": "Roads of the north"},
    }
    return {**base, **changes}


def parse(body, **limits):
    if not isinstance(body, bytes):
        body = json.dumps(body).encode()
    options = {"landing_bucket": "landing-zone", "max_bytes": 100_000, "max_files": 10}
    return parse_manifest(body, **{**options, **limits})


def problems_of(body, **limits):
    with pytest.raises(InputError) as caught:
        parse(body, **limits)
    return {problem.where: problem.what for problem in caught.value.problems}


def file_with(**changes):
    return [{**document()["files"][0], **changes}]


def test_a_manifest_as_the_contract_gives_it_is_read():
    manifest = parse(document())
    assert manifest.files[0].type is AssetKind.VECTOR
    assert manifest.files[0].uri.key == "batch_1/roads.shp"
    assert manifest.dataset_id(manifest.files[0]) == "ALPHA/roads"
    assert manifest.on_error is OnError.REJECT_BATCH


def test_the_optional_fields_are_read():
    manifest = parse(
        document(
            files=file_with(layer="main", dataset="streets"),
            metadata={"project": "A", "description": "", "tags": ["x", "ß"]},
            on_error="skip_file",
        )
    )
    assert manifest.dataset_id(manifest.files[0]) == "A/streets"
    assert manifest.metadata.tags == ("x", "ß")
    assert manifest.on_error is OnError.SKIP_FILE


def test_all_problems_are_named_at_once_with_their_places():
    problems = problems_of(
        {
            "batch_id": "../x",
            "uploader": 7,
            "files": [{"path": "roads.shp", "type": "mesh", "format": "DXF", "colour": "red"}],
            "metadata": {"project": "ALPHA", "description": "d", "owner": "me"},
        }
    )
    assert set(problems) == {
        "batch_id", "uploader", "intent", "files[0].path", "files[0].type", "files[0].format",
        "files[0].crs", "files[0].colour", "metadata.owner",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"\xef\xbb\xbf{}", "byte order mark"),
        ("{}".encode("utf-16"), "not UTF-8"),
        (b'{"a": 1, "a": 2}', "'a' twice"),
        (b'{"a": NaN}', "NaN"),
        (b'{"a": -Infinity}', "Infinity"),
        (b'{"a": 1e999}', "1e999"),
        (b"[" * 100_001, "larger than"),
        (b"[" * 10_000 + b"]" * 10_000, "nested deeper"),
        (b'{"a": ' + b"9" * 5000 + b"}", "cannot be read"),
        (b'"' + b"x" * 100_001, "larger than"),
    ],
)
def test_what_is_not_strict_json_is_refused(body, said):
    (what,) = problems_of(body).values()
    assert said in what


def test_brackets_inside_strings_are_not_nesting():
    assert parse(document(metadata={"project": "A", "description": "[" * 500 + '"{'}))


@pytest.mark.parametrize(
    "path",
    [
        "roads.shp", "/etc/passwd", "http://host/x.shp", "/vsicurl/http://h/x", "s3://landing-zone",
        "s3://landing-zone/", "s3://landing-zone/a/", "s3://landing-zone/../x.shp", "",
        "s3://landing-zone/a//b.shp", "s3://landing-zone/a/%2e%2e/b.shp",
        "s3://landing-zone/a\\b.shp", "s3://landing-zone/manifests/x.shp",
        "s3://landing-zone/a\u0000b.shp", "s3://landing-zone/a\nb.shp",
    ],
)  # fmt: skip
def test_a_path_that_is_not_a_plain_key_is_refused(path):
    assert "files[0].path" in problems_of(document(files=file_with(path=path)))


def test_another_bucket_is_refused_with_the_cure():
    problems = problems_of(document(files=file_with(path="s3://data-lake/x.shp")))
    assert "data-lake" in problems["files[0].path"]


@pytest.mark.parametrize(
    "change",
    [
        {"batch_id": "a/b"}, {"batch_id": "$where"}, {"batch_id": "a.b"}, {"batch_id": "a\u0000"},
        {"batch_id": ""}, {"batch_id": None}, {"uploader": ""}, {"uploader": "a\nb"},
        {"intent": ""}, {"files": []}, {"files": None}, {"files": {}}, {"metadata": []},
        {"metadata": {"project": "a/b", "description": ""}}, {"on_error": "ignore"},
        {"extra": 1}, {"uploader": "\ud800"},
    ],
)  # fmt: skip
def test_a_field_that_is_not_what_it_must_be_is_refused(change):
    assert problems_of(json.dumps(document(**change)).encode())


def test_the_same_path_or_dataset_twice_is_refused():
    twice = document()["files"] * 2
    assert "path" in problems_of(document(files=twice))["manifest"]
    other = [*file_with(), *file_with(path="s3://landing-zone/b/roads.shp")]
    assert "dataset" in problems_of(document(files=other))["manifest"]


def test_more_files_than_allowed_are_refused():
    many = [file_with(path=f"s3://landing-zone/a/f{n}.shp")[0] for n in range(11)]
    assert "11 entries" in problems_of(document(files=many))["files"]


def test_a_format_of_the_other_kind_is_refused():
    problems = problems_of(document(files=file_with(format="GTiff")))
    assert "raster" in problems["files[0]"]


def test_a_file_name_without_a_latin_letter_needs_a_dataset_name():
    files = file_with(path="s3://landing-zone/道路.shp")
    assert "dataset" in problems_of(document(files=files))["files[0]"]
    assert parse(document(files=[{**files[0], "dataset": "roads"}]))


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_give_a_manifest_or_reasons(body):
    try:
        assert isinstance(parse(body), Manifest)
    except InputError as error:
        assert all(problem.where and problem.what for problem in error.problems)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner, max_size=4)
    ),
    max_leaves=10,
)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(sorted(document())), json_values)
def test_any_value_in_any_field_gives_a_manifest_or_reasons(field, value):
    body = json.dumps(document(**{field: value})).encode()
    try:
        assert isinstance(parse(body), Manifest)
    except InputError as error:
        assert all(str(problem).isprintable() for problem in error.problems)


def test_a_field_path_reads_as_in_python():
    assert field_path(("files", 0, "crs")) == "files[0].crs"
    assert field_path(()) == "manifest"


@pytest.mark.parametrize(
    ("name", "place"),
    [(" ", "[' ']"), ("", "['']"), ("..", "['..']"), ("ü", r"['\xfc']"), ("not-ours", "not-ours")],
)
def test_a_field_whose_name_is_not_plain_is_quoted_so_that_its_place_can_be_seen(name, place):
    assert list(problems_of(document(**{name: 1}))) == [place]
