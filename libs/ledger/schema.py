"""MongoDB validators generated from the Pydantic documents: one source of truth.

Pydantic tells its JSON Schema; here it becomes MongoDB's dialect of draft 4 (`bsonType`, boolean
`exclusiveMinimum`, no `$ref`). Every field is required: what a model writes is always whole, and a
new field comes with a migration that fills it in.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from libs.models import Document

Schema = dict[str, Any]

_BSON_TYPES: dict[str, str | list[str]] = {
    "string": "string",
    "integer": ["int", "long"],
    "number": ["double", "int", "long"],
    "boolean": "bool",
    "object": "object",
    "array": "array",
    "null": "null",
}
_STRING_FORMATS = {"date-time": "date", "binary": "binData"}
_UNUSED = frozenset({"title", "description", "default", "format", "type", "$defs", "$ref"})
"""Keywords for readers only, or handled before the others."""


def json_schema(model: type[Document]) -> Schema:
    """The `$jsonSchema` of a collection that holds documents of this model."""
    raw = model.model_json_schema(by_alias=True, mode="serialization")
    return _Translation(raw.get("$defs", {})).of(raw)


def validator(model: type[Document]) -> Schema:
    """What `create` and `collMod` take as `validator`."""
    return {"$jsonSchema": json_schema(model)}


class _Translation:
    def __init__(self, definitions: Mapping[str, Schema]) -> None:
        self._definitions = definitions
        self._keywords: dict[str, Callable[[Any], Schema]] = {
            "properties": self._properties,
            "items": lambda node: {"items": self.of(node)},
            "anyOf": self._any_of,
            "additionalProperties": self._additional,
            "pattern": lambda pattern: {"pattern": to_the_end(pattern)},
            "const": lambda value: {"enum": [value]},
            "exclusiveMinimum": lambda n: {"minimum": n, "exclusiveMinimum": True},
            "exclusiveMaximum": lambda n: {"maximum": n, "exclusiveMaximum": True},
            "required": lambda _: {},
            **{
                name: self._same(name)
                for name in (
                    *("enum", "minimum", "maximum", "minLength", "maxLength"),
                    *("minItems", "maxItems", "uniqueItems"),
                )
            },
        }

    def of(self, node: Schema) -> Schema:
        if "$ref" in node:
            return self.of(self._definitions[node["$ref"].rpartition("/")[2]])
        result: Schema = {}
        if "type" in node:
            is_text = node["type"] == "string"
            special = _STRING_FORMATS.get(node.get("format", "")) if is_text else None
            result["bsonType"] = special or _BSON_TYPES[node["type"]]
        for keyword, value in node.items():
            if keyword in _UNUSED:
                continue
            if keyword not in self._keywords:
                raise TypeError(f"no MongoDB form is known for the JSON Schema keyword {keyword!r}")
            result.update(self._keywords[keyword](value))
        return result

    def _properties(self, fields: Mapping[str, Schema]) -> Schema:
        return {
            **({"required": list(fields)} if fields else {}),
            "properties": {name: self.of(node) for name, node in fields.items()},
        }

    def _any_of(self, nodes: list[Schema]) -> Schema:
        choices = [self.of(node) for node in nodes]
        others = [choice for choice in choices if choice != {"bsonType": "null"}]
        if len(choices) == 2 and len(others) == 1:
            return _or_null(others[0])
        return {"anyOf": choices}

    def _additional(self, node: bool | Schema) -> Schema:
        return {"additionalProperties": node if isinstance(node, bool) else self.of(node)}

    @staticmethod
    def _same(name: str) -> Callable[[Any], Schema]:
        return lambda value: {name: value}


def _or_null(schema: Schema) -> Schema:
    """The same, or null; in one rule, because a server explains a broken `anyOf` poorly."""
    types = schema["bsonType"]
    nullable = {**schema, "bsonType": [*(types if isinstance(types, list) else [types]), "null"]}
    if "enum" in schema:
        nullable["enum"] = [*schema["enum"], None]
    return nullable


def to_the_end(pattern: str) -> str:
    r"""A pattern whose final `$` also refuses a trailing newline, as Pydantic's does.

    `\z` is not known to every server's regular expressions; "nothing follows" is.
    """
    return re.sub(r"(?<!\\)\$$", r"(?![\\s\\S])", pattern)
