"""What GDAL would make of the times in a KML file that are no moments; part of the child.

It makes a null of a year alone, the first moment of a month or a day alone, and another day of 30
February.
"""

from __future__ import annotations

import datetime as dt
import re

from libs.spatial_utils.vector_wire import FileProblemError

_DATE = re.compile(r"(\d{4})(?:-(\d\d))?(?:-(\d\d))?(?:Z|[+-]\d\d:\d\d)?")
_MOMENT = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:Z|[+-]\d\d:\d\d)?")
_MOST_CHARS = 100
_NULL, _FIRST, _CUT, _ODD = (
    "Times that name only a year cannot be kept: null instead, as of {}.",
    "Times that name only a month or a day are read as its first moment, as {}.",
    "Digits of times beyond the millisecond were left aside, as of {}.",
    "Times in a form that KML does not have are null, or without their zone, as of {}.",
)


class KmlTimes:
    """What was seen of them."""

    def __init__(self) -> None:
        self._seen: dict[str, str] = {}

    def see(self, text: str) -> None:
        """Raises `FileProblemError` for one that is in no calendar or on no clock."""
        text = text.strip()
        if not text:
            return
        kind = _kind(text)
        if kind:
            self._seen.setdefault(kind, text)

    def notes(self) -> tuple[str, ...]:
        """One for each way in which a time comes out otherwise, with the first of them."""
        return tuple(
            kind.format(repr(self._seen[kind]))
            for kind in (_NULL, _FIRST, _CUT, _ODD)
            if kind in self._seen
        )


def _kind(text: str) -> str | None:
    moment, date = _MOMENT.fullmatch(text), _DATE.fullmatch(text)
    if moment is not None:
        _refuse_impossible(text, *map(int, moment.groups()[:6]))
        return _CUT if len((moment[7] or "").rstrip("0")) > 3 else None
    if date is None:
        return _ODD
    year, month, day = date.groups()
    _refuse_impossible(text, int(year), int(month or 1), int(day or 1))
    return _NULL if month is None else _FIRST


def _refuse_impossible(text: str, *parts: int) -> None:
    try:
        dt.datetime(*parts, tzinfo=dt.timezone.utc)  # type: ignore[misc, arg-type]
    except ValueError as error:
        raise FileProblemError(
            f"the time {text[:_MOST_CHARS]!r} in it is in no calendar: {error}.",
            "Correct it, or leave it out.",
        ) from error
