"""The ingestion contract: from a manifest's bytes to a `Manifest`, or to every reason why not.

Python's `json` takes duplicate keys, NaN, 1e999 and endless nesting; a contract must not.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from itertools import islice
from typing import NoReturn

from pydantic import ValidationError

from libs.errors import InputError, Problem
from libs.ingest.contract_words import (
    NAMED_PROBLEMS,
    WHOLE,
    in_part,
    problems_of,
    twice_in_one_object,
)
from libs.models import Manifest

MAX_DEPTH = 32
"""Levels of nesting; a valid manifest has four."""

_ADVICE = "Check it with a JSON validator, and against docs/manifest.md."
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
        raise InputError(problems_of(error)) from None
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
        raise InputError.of(WHOLE, f"is nested deeper than {MAX_DEPTH} levels.", _ADVICE)
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
            _ADVICE,
        ) from None
    except ValueError as error:  # an integer with more digits than Python converts
        raise InputError.of(WHOLE, f"has a number that cannot be read: {error}.", _ADVICE) from None


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
    found = dict(pairs)
    if len(found) < len(pairs):
        counted = Counter(key for key, _ in pairs)
        twice = sorted(key for key, count in counted.items() if count > 1)
        raise InputError(twice_in_one_object(twice))
    return found


def _refuse_number(text: str) -> NoReturn:
    raise InputError.of(WHOLE, f"has the number {text[:80]}, which JSON does not know.", _ADVICE)


def _finite_number(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        _refuse_number(text)
    return number


def _check_against_platform(manifest: Manifest, landing_bucket: str, max_files: int) -> None:
    if len(manifest.files) > max_files:
        raise InputError.of(
            "files",
            f"has {len(manifest.files)} entries, more than {max_files}.",
            "Split the batch into several manifests.",
        )
    elsewhere = [
        (index, file)
        for index, file in enumerate(manifest.files)
        if file.uri.bucket != landing_bucket
    ]
    named = [
        Problem(
            where=f"files[{index}].path",
            what=f"{file.path} is in bucket {file.uri.bucket!r}.",
            cure=f"Upload it to s3://{landing_bucket}/ and name it there.",
        )
        for index, file in islice(elsewhere, NAMED_PROBLEMS)
    ]
    if named:
        raise InputError(in_part(named, len(elsewhere)))
