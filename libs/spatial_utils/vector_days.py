"""Days that are in no calendar: GDAL counts on, and makes 2 March of 30 February; the child's."""

from __future__ import annotations

import calendar
import re

import pyarrow as pa

from libs.spatial_utils.vector_wire import FileProblemError

_DAY = re.compile(r"\s*([-+]?\d+)[-/](\d{1,2})[-/](\d{1,2})(?!\d)")
_LATE_IN_MONTH = r"^\s*[-+]?\d+[-/]\d{1,2}[-/](29|3[01])|^\s*-|^\s*\+?0+[-/]"
"""What cannot be a wrong day need not be looked at closer."""


def is_impossible(text: str) -> bool:
    """Whether it begins with the day of a month that does not have it, or is before the year 1."""
    found = _DAY.match(text)
    if found is None:
        return False
    year, month, day = (int(part) for part in found.groups())
    if not 1 <= month <= 12:
        return False  # GDAL takes that for no time at all, and says so
    return year < 1 or day > calendar.monthrange((year - 1) % 400 + 1, month)[1]


def refuse_impossible_days(name: str, column: pa.StringArray) -> None:
    """Raise `FileProblemError` for the first one in a column of times as text."""
    import pyarrow.compute as pc  # late: a tenth of the child's start, and few files need it

    late = column.filter(pc.match_substring_regex(column, _LATE_IN_MONTH))
    for text in late.to_pylist():
        if is_impossible(text):
            raise impossible_day(name, text)


def impossible_day(name: str, value: object) -> FileProblemError:
    """What is said of one, wherever it was found."""
    return FileProblemError(
        f"column {name!r} has the date {value!r:.100}, which is in no calendar (or is before the "
        "year 1).",
        "Correct the date, leave it blank, or make the column one of text.",
    )
