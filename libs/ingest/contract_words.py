"""What is said of a manifest's faults: place, fault and cure, short whatever the manifest holds."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import islice

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from libs.errors import Problem

WHOLE = "manifest"
"""The place of a problem that concerns the document as a whole."""
NAMED_PROBLEMS = 50
"""So many are named; the others are counted: a manifest may have as many faults as letters."""
LONGEST_WORDS = 500
"""Characters of a place or of what is wrong there."""

_PLAIN = re.compile("[A-Za-z0-9_-]+")

_CURE_OF_FAULT = {
    "missing": "Add the field.",
    "extra_forbidden": "Remove the field, or check its spelling: unknown fields are errors.",
}
_NAME = "Use letters, digits, _ and - only, 100 at most; a letter or digit first."
_CURE_OF_FIELD = {
    "path": "Name an uploaded file as s3://BUCKET/KEY, by its plain key.",
    "type": "Say vector or raster.",
    "format": "Give the name of an accepted format, in GDAL's spelling.",
    "crs": "Give the code of an authority, EPSG:32633 say.",
    "layer": "Give the layer's name as the file has it, or leave `layer` out.",
    "dataset": _NAME,
    "project": _NAME,
    "batch_id": "Use letters, digits, _, : and - only, 128 at most; a letter or digit first.",
    "files": "List each file once, with a dataset name of its own.",
    "on_error": "Say reject_batch or skip_file, or leave it out.",
}
_OTHER_CURE = "Correct the value; docs/manifest.md says what each field holds."


def problems_of(error: ValidationError) -> list[Problem]:
    """Each fault with its place and cure; from some number on they are only counted."""
    faults = error.errors(include_url=False, include_context=True)
    inside = {fault["loc"][0] for fault in faults if len(fault["loc"]) > 1}
    # That no valid file is left says nothing where each file's own fault is named.
    telling = [
        fault for fault in faults if fault["type"] != "too_short" or fault["loc"][0] not in inside
    ]
    return in_part([_problem_of(fault) for fault in telling[:NAMED_PROBLEMS]], len(telling))


def in_part(named: Sequence[Problem], total: int) -> list[Problem]:
    """The problems that are named, and one that says how many there are beside them."""
    further = total - len(named)
    if not further:
        return list(named)
    what = f"has {further:,} further problems of this kind ({total:,} in all)."
    return [*named, Problem(where=WHOLE, what=what, cure="Mend those that are named, and submit.")]


def twice_in_one_object(keys: Sequence[str]) -> list[Problem]:
    """A problem for each of these keys, which an object has more than once."""
    named = [
        Problem(
            where=WHOLE,
            what=f"has the key {shown(key)} twice in one object.",
            cure="Remove one of them.",
        )
        for key in islice(keys, NAMED_PROBLEMS)
    ]
    return in_part(named, len(keys))


def _problem_of(fault: ErrorDetails) -> Problem:
    kind, message = str(fault["type"]), str(fault["msg"]).removeprefix("Value error, ")
    if kind == "string_pattern_mismatch":
        message = f"{shown(fault['input'])} does not match {fault['ctx']['pattern']}"
    elif kind not in _CURE_OF_FAULT and kind != "value_error":
        message = f"{message}, but got {shown(fault['input'])}"
    fields = [part for part in fault["loc"] if isinstance(part, str)]
    about = fields[-1] if fields else "files" if kind == "value_error" else ""
    return Problem(
        where=field_path(fault["loc"]),
        what=f"{_cut(message)}.",
        cure=_CURE_OF_FAULT.get(kind, cure_of_field(about)),
    )


def cure_of_field(name: str) -> str:
    """What a field of the manifest may hold, as one sentence."""
    return _CURE_OF_FIELD.get(name, _OTHER_CURE)


def field_path(location: tuple[int | str, ...]) -> str:
    """`('files', 0, 'crs')` as `files[0].crs`; the empty location is the manifest itself.

    A name of anything but letters, digits, _ and - is quoted, as `[' ']`: it might be blank.
    """
    path = "".join(
        f".{part}" if isinstance(part, str) and _PLAIN.fullmatch(part) else f"[{part!a}]"
        for part in location
    )
    return _cut(path.removeprefix(".")) or WHOLE


def shown(value: object, limit: int = 80) -> str:
    """The value in ASCII, cut short."""
    text = ascii(value[: limit + 1] if isinstance(value, str) else value)
    return text if len(text) <= limit else text[:limit] + "…"


def _cut(words: str) -> str:
    return words if len(words) <= LONGEST_WORDS else words[:LONGEST_WORDS] + "…"
