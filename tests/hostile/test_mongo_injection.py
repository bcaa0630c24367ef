"""What users write never becomes a query: refused, or stored and found as the text that it is."""

from __future__ import annotations

import json

import pytest

from tests.hostile import makers

pytestmark = pytest.mark.integration
GROUP = "Mongo injection"
TEXTS = ["$where", "$gt", "{$gt: ''}", '{"$ne": null}', "a.b", ".", "$", "$$ROOT", "$function",
         "'; return true; //", "this.a == 1", "\u2024", "/.*/", "$regex"]  # fmt: skip
FUNCTION = {"body": "function() {}", "args": [], "lang": "js"}
OPERATORS = [
    {"$gt": ""},
    {"$ne": None},
    {"$where": "sleep(10000) || true"},
    {"$regex": ".*"},
    {"$function": FUNCTION},
    [{"$gt": ""}],
]


@pytest.fixture
def manifest(attack, tmp_path):
    [path] = makers.honest(tmp_path, "GPKG", rows=2)
    entry = attack.user.vector(path, "GPKG", dataset="d")
    return {
        "batch_id": attack.user.name, "uploader": "ana", "intent": "ingest_vector",
        "files": [entry], "metadata": {"project": attack.user.name, "description": "x"},
    }  # fmt: skip


def put(attack, manifest):
    return attack.user.put_manifest(json.dumps(manifest).encode())


@pytest.mark.parametrize("operator", OPERATORS, ids=str)
def test_an_operator_in_the_place_of_a_text_is_refused(attack, manifest, operator):
    entry = manifest["files"][0]
    fields = ("path", "type", "format", "crs", "layer", "dataset")
    everywhere = {
        **manifest, "batch_id": operator, "uploader": operator, "intent": operator,
        "on_error": operator, "files": [{**entry, **dict.fromkeys(fields, operator)}],
        "metadata": {"project": operator, "description": operator},
    }  # fmt: skip
    receipt = attack.reject(put(attack, everywhere), "batch_id")
    places = {problem["where"] for problem in receipt["problems"]}
    assert places == {
        "batch_id", "uploader", "intent", "on_error", "metadata.project", "metadata.description",
        *(f"files[0].{name}" for name in fields),
    }  # fmt: skip


@pytest.mark.parametrize("operator", ["$where", "$gt", "a.b", "$set", "_id", "__proto__"])
def test_an_operator_in_the_place_of_a_field_is_refused(attack, manifest, operator):
    manifest[operator] = 1
    manifest["metadata"][operator] = {"$gt": ""}
    attack.reject(put(attack, manifest), "unknown fields")


def test_texts_that_look_like_operators_are_stored_and_found_as_texts(attack, manifest):
    text = " ".join(TEXTS)
    manifest["uploader"] = "$where: 1"
    manifest["intent"] = "$gt"
    manifest["metadata"] |= {"description": text, "tags": TEXTS}
    done = attack.commit(put(attack, manifest))
    found = attack.user.platform.ledger.asset(done.asset.id)
    assert found.metadata.description == text
    assert list(found.metadata.tags) == TEXTS
    assert found.recipe.requested_intent == "$gt"
    batch = attack.user.platform.ledger.batch(found.batch)
    assert json.loads(batch.manifest)["uploader"] == "$where: 1"


@pytest.mark.parametrize("text", TEXTS)
def test_an_id_that_looks_like_an_operator_finds_nothing_of_others(attack, manifest, text):
    attack.reject(put(attack, {**manifest, "batch_id": text}), "batch_id")
    ledger = attack.user.platform.ledger
    assert ledger.batch(text) is None
    assert ledger.asset(text) is None
    assert ledger.versions(f"{text}/{text}") == ()
    assert ledger.current_assets(text) == ()


def test_columns_that_look_like_operators_are_stored_in_the_document(attack, tmp_path):
    import pyarrow as pa

    columns = {name: pa.array([1]) for name in TEXTS}
    path = makers.geoparquet(tmp_path / "c.parquet", [makers.point_wkb(1, 2)], **columns)
    done = attack.commit_file(path, "Parquet")
    found = attack.user.platform.ledger.asset(done.asset.id)
    assert set(TEXTS) < {column.name for column in found.vector.columns}
