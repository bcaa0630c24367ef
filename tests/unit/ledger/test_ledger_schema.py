"""The validators against what the models write, judged by the jsonschema package."""

from __future__ import annotations

import copy
import functools
from collections.abc import Iterator
from datetime import datetime, timezone
from typing import Any

import bson
import pytest
from jsonschema import Draft4Validator, ValidationError
from jsonschema.validators import extend

from libs.ledger.codec import encode
from libs.ledger.migrations import COLLECTIONS
from libs.ledger.schema import json_schema, to_the_end, validator
from libs.models import Batch, Document, Migration

# What MongoDB's manual lists for $jsonSchema; anything else makes `create` fail.
KNOWN_KEYWORDS = {
    *("additionalItems", "additionalProperties", "allOf", "anyOf", "bsonType", "dependencies"),
    *("description", "enum", "exclusiveMaximum", "exclusiveMinimum", "items", "maximum"),
    *("maxItems", "maxLength", "maxProperties", "minimum", "minItems", "minLength"),
    *("minProperties", "multipleOf", "not", "oneOf", "pattern", "patternProperties"),
    *("properties", "required", "title", "type", "uniqueItems"),
}


def bson_type(value: object) -> set[str]:
    if isinstance(value, bool):
        return {"bool"}
    if isinstance(value, int):
        return {"int"} if -(2**31) <= value < 2**31 else {"long"}
    names = {
        str: "string",
        float: "double",
        dict: "object",
        list: "array",
        bytes: "binData",
        datetime: "date",
        type(None): "null",
    }
    return {names[type(value)]}


def check_bson_type(_: object, wanted: Any, value: object, __: object) -> Iterator[ValidationError]:
    if not bson_type(value) & set([wanted] if isinstance(wanted, str) else wanted):
        yield ValidationError(f"{value!r} is not {wanted}")


MongoValidator = extend(Draft4Validator, {"bsonType": check_bson_type})


def stored(document: Document) -> dict[str, Any]:
    """What a server would be given: through real BSON and back."""
    options = bson.CodecOptions(tz_aware=True, tzinfo=timezone.utc)
    return bson.decode(bson.encode(encode(document)), options)


@functools.cache
def judge(model: type[Document]) -> Any:
    return MongoValidator(json_schema(model))


def is_refused(document: Document, changed: dict[str, Any]) -> bool:
    return next(judge(type(document)).iter_errors(changed), None) is not None


def objects(schema: dict[str, Any], value: Any) -> Iterator[dict[str, Any]]:
    """Every object in a document whose fields are fixed."""
    for choice in schema.get("anyOf", ()):
        yield from objects(choice, value)
    if isinstance(value, list):
        for item in value:
            yield from objects(schema.get("items", {}), item)
    if isinstance(value, dict) and "properties" in schema:
        yield value
        for name, node in schema["properties"].items():
            yield from objects(node, value[name])


def test_what_a_model_writes_passes_its_validator(document: Document) -> None:
    assert list(judge(type(document)).iter_errors(stored(document))) == []


def test_an_unknown_field_is_refused_at_every_depth(one_of_each: Document) -> None:
    whole = stored(one_of_each)
    places = list(objects(json_schema(type(one_of_each)), whole))
    assert places
    for place in places:
        place["surprise"] = 1
        assert is_refused(one_of_each, whole)
        del place["surprise"]


def test_a_missing_field_is_refused_at_every_depth(one_of_each: Document) -> None:
    whole = stored(one_of_each)
    for place in list(objects(json_schema(type(one_of_each)), whole)):
        for name in list(place):
            before = place.pop(name)
            assert is_refused(one_of_each, whole), name
            place[name] = before


def test_no_field_takes_a_value_of_another_type(one_of_each: Document) -> None:
    whole = stored(one_of_each)
    for place in list(objects(json_schema(type(one_of_each)), whole)):
        for name, before in list(place.items()):
            place[name] = [[before]] if not isinstance(before, list) else {"a": before}
            assert is_refused(one_of_each, whole), name
            place[name] = before


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("_id", "0" * 63),
        ("_id", "0" * 64 + "\n"),
        ("_id", "G" * 64),
        ("state", "done"),
        ("fence", -1),
        ("fence", 1.5),
        ("manifest", "text"),
        ("received_at", "2024-01-01"),
        ("lease", {"run_id": "nobody", "expires_at": datetime(2024, 1, 1, tzinfo=timezone.utc)}),
        ("lease", {}),
    ],
)
def test_what_the_model_refuses_the_validator_refuses(path: str, value: object) -> None:
    good = Batch.model_validate(
        {
            "_id": "0" * 64,
            "batch_id": None,
            "state": "received",
            "manifest": b"{}",
            "upload": {
                "key": "k",
                "etag": "e",
                "size_bytes": 1,
                "last_modified": datetime(2024, 1, 1, tzinfo=timezone.utc),
            },
            "manifest_sha256": "0" * 64,
            "intent": None,
            "recipe_hash": None,
            "received_at": datetime(2024, 1, 1, tzinfo=timezone.utc),
        }
    )
    changed = {**copy.deepcopy(stored(good)), path: value}
    assert not is_refused(good, stored(good))
    assert is_refused(good, changed)


@pytest.mark.parametrize("model", COLLECTIONS.values())
def test_only_keywords_that_mongodb_knows_are_used(model: type[Document]) -> None:
    def keywords(node: Any, *, names: bool = False) -> Iterator[str]:
        if isinstance(node, list):
            for item in node:
                yield from keywords(item)
        if isinstance(node, dict):
            for key, value in node.items():
                if not names:
                    yield key
                if key != "enum":
                    yield from keywords(value, names=key == "properties" and not names)

    schema = validator(model)["$jsonSchema"]
    assert set(keywords(schema)) <= KNOWN_KEYWORDS


def test_a_keyword_without_a_mongodb_form_is_an_error_not_a_hole() -> None:
    class Odd(Migration):
        @classmethod
        def model_json_schema(cls, *_: Any, **__: Any) -> dict[str, Any]:
            return {"type": "object", "unevaluatedProperties": False}

    with pytest.raises(TypeError, match="unevaluatedProperties"):
        json_schema(Odd)


def test_an_escaped_dollar_at_the_end_stays() -> None:
    assert to_the_end(r"a\$") == r"a\$"
