"""The ids of a GeoJSON file's features as they stand there; part of the child.

GDAL numbers its features by them, so it gives a number to one that has none, another number to one
whose id was there before, and 0 to a text. Needed only where the ids say something: who has none
pays nothing. What else a feature holds is GDAL's to read.
"""

from __future__ import annotations

import codecs
import json
import re
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pyarrow as pa

from libs.spatial_utils.vector_wire import FileProblemError

_CHUNK_BYTES = 2**20
_FEATURES = re.compile(r'"features"\s*:\s*\[')
_BETWEEN = re.compile(r"[\s,\x1e\ufeff]*")
_COORDINATES = re.compile(r'"coordinates"\s*:\s*\[[-+0-9eE.,\s\[\]]*\](?=\s*(?:\}|,\s*"))')
"""What a feature is made of for the most part, and nothing here needs: left out before parsing."""
_LEFT_OUT = '"coordinates":0'
_SMALLEST, _LARGEST = -(2**63), 2**63 - 1


def feature_ids(path: str) -> pa.Array:
    """One for each feature, null where it has none: integers, or text if any is something else."""
    numbers = array("q")
    missing = bytearray()
    texts: list[str | None] | None = None
    for value in _ids(path):
        is_number = type(value) is int and _SMALLEST <= value <= _LARGEST
        if texts is None and not (is_number or value is None):
            # Text from here on, and so must be what came before.
            texts = [None if no else str(n) for n, no in zip(numbers, missing, strict=True)]
        if texts is not None:
            texts.append(_as_text(value))
        else:
            numbers.append(value if isinstance(value, int) else 0)
            missing.append(value is None)
    if texts is not None:
        return pa.array(texts, pa.string())
    if not numbers:
        return pa.array([], pa.int64())
    import numpy as np

    return pa.array(np.frombuffer(numbers, np.int64), mask=np.frombuffer(missing, np.bool_))


def _as_text(value: object) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value)


def _ids(path: str) -> Iterator[object]:
    try:
        for item in _features(path):
            yield item.get("id") if isinstance(item, dict) else None
    except (ValueError, RecursionError) as error:  # what Python's JSON has limits for
        raise FileProblemError(
            "its features have ids, but one of them nests too deeply, or has a number of "
            "thousands of digits.",
            "Remove that, or the ids.",
        ) from error


def _features(path: str) -> Iterator[object]:
    """The members of `features`, or else the values one after the other: lines, or one feature."""
    decoder = json.JSONDecoder(strict=False)
    with Path(path).open("rb") as file:
        text = _COORDINATES.sub(_LEFT_OUT, (chunks := _Chunks(file)).more(1))
        begin = _FEATURES.search(text)
        at, wanted = begin.end() if begin else 0, 1
        while True:
            at = _end(_BETWEEN.match(text, at), at)
            if begin and text.startswith("]", at):
                return
            try:
                item, at = decoder.raw_decode(text, at)
            except json.JSONDecodeError:  # cut off by the chunk's end, or the end of them all
                more = chunks.more(wanted)
                if not more:
                    return
                # Ever more at a time: a feature of many chunks is not parsed once for each.
                text, at, wanted = _COORDINATES.sub(_LEFT_OUT, text[at:] + more), 0, wanted * 2
                continue
            wanted = 1
            yield item


def _end(found: re.Match[str] | None, otherwise: int) -> int:
    return found.end() if found else otherwise


class _Chunks:
    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def more(self, times: int) -> str:
        """So many chunks more of the text; nothing at its end."""
        return self._decoder.decode(self._file.read(times * _CHUNK_BYTES))
