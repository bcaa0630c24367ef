"""The ingestion contract: from a manifest's bytes to a `Manifest`, or to every reason why not.

Python's `json` takes duplicate keys, NaN, 1e999 and endless nesting; a contract must not.
"""

from __future__ import annotations

import json
import math
import re
from typing import NoReturn

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from libs.errors import InputError, Problem
from libs.models import Manifest

MAX_DEPTH = 32
"""Levels of nesting; a valid manifest has four."""

WHOLE = "manifest"
"""The place of a problem that concerns the document as a whole."""

_STRINGS = re.compile(r'"(?:[^"\\]|\\.)*"?', re.DOTALL)


def parse_manifest(body: bytes, *, landing_bucket: str, max_bytes: int, max_files: int) -> Manifest:
    """Read a manifest strictly.

    Raises:
        InputError: with every problem that can be told apart, each with its field path.
    """
    document = _strict_json(_text_of(body, max_bytes))
    try:
        manifest = Manifest.model_validate(document)
    except ValidationError as error:
        raise InputError([_problem_of(fault) for fault in _telling(error)]) from None
    _check_against_platform(manifest, landing_bucket, max_files)
    return manifest


def _text_of(body: bytes, max_bytes: int) -> str:
    if len(body) > max_bytes:
        raise InputError.of(
            WHOLE, f"is larger than {max_bytes} bytes.", "Split the batch into several manifests."
        )
    if body.startswith(b"\xef\xbb\xbf"):
        raise InputError.of(
            WHOLE, "begins with a byte order mark.", "Save it as UTF-8 without BOM."
        )
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError.of(
            WHOLE, f"is not UTF-8: byte {error.start} cannot be read.", "Save it as UTF-8."
        ) from None


def _strict_json(text: str) -> object:
    if _depth(text) > MAX_DEPTH:
        raise InputError.of(WHOLE, f"is nested deeper than {MAX_DEPTH} levels.")
    try:
        return json.loads(
            text,
            object_pairs_hook=_object_without_duplicates,
            parse_constant=_refuse_number,
            parse_float=_finite_number,
        )
    except json.JSONDecodeError as error:
        raise InputError.of(
            WHOLE,
            f"is not JSON: {error.msg} at line {error.lineno}, column {error.colno}.",
            "Check it with a JSON validator.",
        ) from None
    except ValueError as error:  # an integer with more digits than Python converts
        raise InputError.of(WHOLE, f"has a number that cannot be read: {error}") from None


def _depth(text: str) -> int:
    depth = deepest = 0
    for character in _STRINGS.sub("", text):
        if character in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif character in "]}":
            depth -= 1
    return deepest


def _object_without_duplicates(pairs: list[tuple[str, object]]) -> dict[str, object]:
    keys = [key for key, _ in pairs]
    twice = (
        sorted({key for key in keys if keys.count(key) > 1}) if len(set(keys)) < len(keys) else []
    )
    if twice:
        raise InputError(
            [
                Problem(where=WHOLE, what=f"has the key {key!r} twice in one object.")
                for key in twice
            ]
        )
    return dict(pairs)


def _refuse_number(text: str) -> NoReturn:
    raise InputError.of(WHOLE, f"has the number {text}, which JSON does not know.")


def _finite_number(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        _refuse_number(text)
    return number


def _telling(error: ValidationError) -> list[ErrorDetails]:
    """All faults but one: that no valid file is left, where each file's own fault is named."""
    faults = error.errors()
    inside = {fault["loc"][0] for fault in faults if len(fault["loc"]) > 1}
    return [
        fault for fault in faults if fault["type"] != "too_short" or fault["loc"][0] not in inside
    ]


_CURES = {
    "missing": "Add the field.",
    "extra_forbidden": "Remove the field, or check its spelling: unknown fields are errors.",
}


def _problem_of(fault: ErrorDetails) -> Problem:
    kind, message = str(fault["type"]), str(fault["msg"]).removeprefix("Value error, ")
    if kind == "string_pattern_mismatch":
        message = f"{_shown(fault['input'])} does not match {fault['ctx']['pattern']}"
    elif kind not in _CURES and kind != "value_error":
        message = f"{message}, but got {_shown(fault['input'])}"
    return Problem(where=field_path(fault["loc"]), what=f"{message}.", cure=_CURES.get(kind, ""))


def field_path(location: tuple[int | str, ...]) -> str:
    """`('files', 0, 'crs')` as `files[0].crs`; the empty location is the manifest itself."""
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)
    return ascii(path.lstrip("."))[1:-1] or WHOLE


def _shown(value: object, limit: int = 80) -> str:
    text = ascii(value)
    return text if len(text) <= limit else text[:limit] + "…"


def _check_against_platform(manifest: Manifest, landing_bucket: str, max_files: int) -> None:
    problems = [
        Problem(
            where=f"files[{index}].path",
            what=f"{file.path} is in bucket {file.uri.bucket!r}.",
            cure=f"Upload it to s3://{landing_bucket}/ and name it there.",
        )
        for index, file in enumerate(manifest.files)
        if file.uri.bucket != landing_bucket
    ]
    if len(manifest.files) > max_files:
        problems.append(
            Problem(
                where="files",
                what=f"has {len(manifest.files)} entries, more than {max_files}.",
                cure="Split the batch into several manifests.",
            )
        )
    if problems:
        raise InputError(problems)
