"""Keys and user metadata as the vault accepts them; pure functions.

S3 takes any key, but stores differ: one that keeps objects as files folds `a//b` into `a/b` and
takes `a/` for a folder. So keys that are not the same everywhere are refused before anything is
sent.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from libs.vault.errors import InvalidKeyError

MAX_KEY_BYTES = 1024
"""S3's limit, in UTF-8."""
MAX_SEGMENT_BYTES = 255
"""Of one part of a key between slashes: what file systems take."""
METADATA_PREFIX = "x-amz-meta-"
CONTROL = re.compile(r"[\x00-\x1f\x7f]")
"""What no key that we make may have in it."""


def readable_key(key: str) -> str:
    """The key itself, when it names one object everywhere; else raises `InvalidKeyError`."""
    try:
        length = len(key.encode("utf-8"))
    except UnicodeEncodeError:
        raise InvalidKeyError.of_key(key, "is not valid Unicode.") from None
    if length > MAX_KEY_BYTES:
        raise InvalidKeyError.of_key(key, f"is longer than {MAX_KEY_BYTES} bytes.")
    if not key.strip():
        raise InvalidKeyError.of_key(key, "is blank.")
    if any(segment in ("", ".", "..") for segment in key.split("/")):
        raise InvalidKeyError.of_key(key, "has an empty, '.' or '..' part between its slashes.")
    return key


def writable_key(key: str) -> str:
    """Like `readable_key`, for keys that we make: they must also be fit for file names."""
    readable_key(key)
    if CONTROL.search(key):
        raise InvalidKeyError.of_key(key, "has a control character in it.")
    if any(len(segment.encode("utf-8")) > MAX_SEGMENT_BYTES for segment in key.split("/")):
        raise InvalidKeyError.of_key(key, f"has a part of more than {MAX_SEGMENT_BYTES} bytes.")
    return key


def user_metadata(headers: Mapping[str, str]) -> dict[str, str]:
    """The user's own metadata among a response's headers, keys in lower case without S3's prefix.

    A server or proxy may change the case of headers; the platform's keys are lower case.
    """
    return {
        name.lower().removeprefix(METADATA_PREFIX): value
        for name, value in headers.items()
        if name.lower().startswith(METADATA_PREFIX)
    }
