"""Numbers of a shapefile's table that GDAL would round without a word; part of the child.

A field of 19 digits or more without decimals is one of floating-point numbers in GDAL, although
64 bits hold integers of 19 digits, and such a number only 15 to 17 of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal

import pyarrow as pa
import pyogrio

from libs.spatial_utils.vector_dbf import DbfField, DbfTable, table_beside
from libs.spatial_utils.vector_wire import FileProblemError

_FIRST_WIDTH_OF_REALS = 19
_FEWEST_DIGITS = 16
"""2^53, up to which floating-point numbers hold all integers, has so many."""
_WHOLE = rb"^ *(\*.*|[+-]?[0-9]+)? *$"
"""An integer, or nothing: blank, or the asterisks of a number that did not fit."""


def exact_numbers(
    path: str, arguments: Mapping[str, object]
) -> tuple[dict[str, object], dict[str, pa.DataType]]:
    """More open options, which keep integers whole, and the types of the columns they change.

    `arguments` are those that the file is opened with anyway. Raises `FileProblemError` for a
    number that would be another one nevertheless.
    """
    table = table_beside(path)
    wide = {at for at, item in enumerate(table.fields) if _is_wide(item)}
    # GDAL would choose integers for `1.5` and `1E3` too, and make 1 of both.
    adjusted = bool(wide) and all(_all_whole(table, table.fields[at]) for at in wide)
    options: dict[str, object] = {"ADJUST_TYPE": "YES"} if adjusted else {}
    plain = pyogrio.read_info(path, **arguments)
    now = pyogrio.read_info(path, **arguments, **options)["dtypes"] if adjusted else plain["dtypes"]
    for field, kind in zip(table.fields, now, strict=False):
        if str(kind) == "float64":
            _refuse_inexact(table, field)
    columns = zip(plain["fields"], plain["dtypes"], now, strict=True)
    # By what a field is declared as, and not by how large its values happen to be.
    return options, {
        str(name): pa.int64() if at in wide else pa.from_numpy_dtype(before)
        for at, (name, before, after) in enumerate(columns)
        if before != after
    }


def _is_wide(field: DbfField) -> bool:
    return field.is_number and field.decimals == 0 and field.width >= _FIRST_WIDTH_OF_REALS


def _values(table: DbfTable, field: DbfField) -> Iterator[tuple[int, pa.Array]]:
    for row, values in table.chunks(field):
        kind = pa.binary(field.width)
        yield (
            row,
            pa.Array.from_buffers(kind, len(values), [None, pa.py_buffer(values)]).cast(
                pa.binary()
            ),
        )


def _all_whole(table: DbfTable, field: DbfField) -> bool:
    import pyarrow.compute as pc  # late: a tenth of the child's start, and few files need it

    return all(
        pc.all(pc.match_substring_regex(values, _WHOLE)).as_py()
        for _, values in _values(table, field)
    )


def _refuse_inexact(table: DbfTable, field: DbfField) -> None:
    places = field.width - (field.decimals + 1 if field.decimals else 0)
    if not field.is_number or places < _FEWEST_DIGITS:
        return
    import pyarrow.compute as pc

    long = rb"[0-9]{%d}" % _FEWEST_DIGITS
    for first_row, values in _values(table, field):
        rows = pc.indices_nonzero(pc.match_substring_regex(values, long))
        for row, value in zip(rows.to_pylist(), values.take(rows).to_pylist(), strict=True):
            text = value.decode("latin-1").strip()
            if _is_inexact(text):
                raise FileProblemError(
                    f"column {field.name!r} has the number {text} in row {first_row + row}, "
                    "counted from 0, and would be read as floating-point numbers, which do not "
                    "hold it: it has more than 64 bits, or other values of the column have "
                    "decimals.",
                    "Save the column as text, or let all its values be integers of 64 bits.",
                )


def _is_inexact(text: str) -> bool:
    """Whether it is beyond 2^53, and neither its double nor that one's shortest text is it."""
    try:
        number, double = Decimal(text), float(text)
    except ArithmeticError:
        return False
    return abs(number) > 2**53 and number not in (Decimal(double), Decimal(repr(double)))
