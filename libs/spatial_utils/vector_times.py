"""Times in a file's text that GDAL hands out as others without a word; part of the child.

A day gets a midnight where its column has times too, digits beyond the millisecond go, and of GML a
day that is in no calendar becomes another one, or null.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator

import pyarrow as pa

from libs.spatial_utils.vector_literals import is_in_no_calendar, parts_of
from libs.spatial_utils.vector_wire import FileProblemError

_DAY = rb"\d{4}[-/]\d\d?[-/]\d\d?"
_FINE = rb"\d\d:\d\d:\d\d\.\d{3}\d*[1-9]"
_CSV = re.compile(rb"(?:^|[,;|\t\n\r\"])" + _DAY + rb"(?=[,;|\t\n\r\"]|$)|" + _FINE)
_JSON = re.compile(
    rb'"\s*:\s*"(?:(' + _DAY + rb")|((?:" + _DAY + rb"[T ])?" + _FINE + rb')[^"]{0,8})"'
)
_KEY = re.compile(rb'"((?:[^"\\]|\\.)*)$')
_GML = re.compile(rb"(?<=[>\"'\s])\d{4}-\d\d-\d\d(?:T\d\d:\d\d:\d\d)?")
_ELEMENT = re.compile(rb"<(?:[^\s<>/:]+:)?([^\s<>/:]+)(?:\s[^<>]*)?>\s*$")
_ATTRIBUTE = re.compile(rb"([^\s<>\"'=:]+)\s*=\s*[\"']\s*$")
_LOOK_BACK_BYTES = 1000

Texts = Callable[[list[str]], Iterator[pa.RecordBatch]]
"""Columns of a CSV file as the texts that they are."""


def notes_on_times(path: str, schema: pa.Schema, driver: str, texts: Texts) -> tuple[str, ...]:
    """On what happens to values of CSV and JSON; raises `FileProblemError` for GML's own."""
    moments = {item.name for item in schema if pa.types.is_timestamp(item.type)}
    times = {item.name for item in schema if pa.types.is_time(item.type)}
    if driver == "GML":
        days = {item.name for item in schema if pa.types.is_date(item.type)}
        _refuse_impossible(path, moments | days)
        return ()
    if not moments | times:
        return ()
    if driver == "CSV":
        return _noted(*_in_csv(path, moments, times, texts))
    return _noted(*_in_json(path, moments, times))


def _noted(days: Iterable[str], fine: Iterable[str]) -> tuple[str, ...]:
    return (
        *(f"Column {name!r} has days and times: the days became midnights." for name in days),
        *(
            f"Column {name!r} has times with digits beyond the millisecond: left aside."
            for name in fine
        ),
    )


def _in_csv(
    path: str, moments: set[str], times: set[str], texts: Texts
) -> tuple[list[str], list[str]]:
    import pyarrow.compute as pc  # late: a tenth of the child's start, and few files need it

    if not any(_CSV.search(part) for part in parts_of(path)):
        return [], []
    days, fine = set[str](), set[str]()
    for batch in texts(sorted(moments | times)):
        for name in batch.schema.names:
            column = batch.column(name)
            for found, pattern in ((days, rf"^\s*{_DAY.decode()}\s*$"), (fine, _FINE.decode())):
                if name not in found and pc.any(pc.match_substring_regex(column, pattern)).as_py():
                    found.add(name)
    return sorted(days & moments), sorted(fine)


def _in_json(path: str, moments: set[str], times: set[str]) -> tuple[list[str], list[str]]:
    days, fine = set[str](), set[str]()
    for part in parts_of(path):
        for found in _JSON.finditer(part):
            key = _KEY.search(_before(part, found.start()))
            if key is not None:
                (fine if found[1] is None else days).add(key[1].decode("utf-8", "replace"))
    return sorted(days & moments), sorted(fine & (moments | times))


def _refuse_impossible(path: str, columns: set[str]) -> None:
    if not columns:
        return
    for part in parts_of(path):
        for found in _GML.finditer(part):
            if is_in_no_calendar(found[0]) and _is_in(columns, _before(part, found.start())):
                raise FileProblemError(
                    f"the time {found[0].decode()!r} in it is in no calendar.",
                    "Correct it, or leave it out.",
                )


def _before(part: bytes, start: int) -> bytes:
    return part[max(0, start - _LOOK_BACK_BYTES) : start]


def _is_in(columns: set[str], near: bytes) -> bool:
    """Whether the element or the attribute that a value stands in is one of the columns."""
    named = _ELEMENT.search(near) or _ATTRIBUTE.search(near)
    return named is not None and any(
        one.endswith(named[1].decode("utf-8", "replace")) for one in columns
    )
