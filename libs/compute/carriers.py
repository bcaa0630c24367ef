"""How each Arrow type travels through PostgreSQL and comes back the same. Knows no server.

Natural types where PostgreSQL's hold every value of Arrow's: integers, floats, booleans, text,
binary, decimals. Dates, times, timestamps and durations travel as the integers they are: PostgreSQL
begins in 4713 BC, ends earlier and knows no nanoseconds. Nested values travel as JSON text.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import types

from libs.compute import nested
from libs.errors import InputError


@dataclass(frozen=True)
class Carrier:
    """One row of the table: a PostgreSQL type and the two ways."""

    sql_type: str
    pack: Callable[[pa.Array], pa.Array]
    """From the column as it came in to the array that COPY sends."""
    unpack: Callable[[pa.Array, pa.DataType], pa.Array]
    """From the array that COPY returned to the type that the column comes out as."""


def _same(array: pa.Array) -> pa.Array:
    return array


def _cast_to(carrying: pa.DataType) -> Callable[[pa.Array], pa.Array]:
    return lambda array: array.cast(carrying)


def _cast_back(array: pa.Array, wanted: pa.DataType) -> pa.Array:
    return array if array.type == wanted else array.cast(wanted)


def _view_as(carrying: pa.DataType) -> Callable[[pa.Array], pa.Array]:
    return lambda array: array.view(carrying)


def _view_back(array: pa.Array, wanted: pa.DataType) -> pa.Array:
    return array.view(wanted)


# PostgreSQL's text holds every character but NUL. A character that Unicode will never assign
# stands for it, and is itself escaped where it occurs.
_ESCAPE = "\U0010fffe"
_ESCAPED_NUL, _ESCAPED_ESCAPE = _ESCAPE + "0", _ESCAPE + "1"
_ESCAPE_BYTE = _ESCAPE.encode()[0]
"""No character's UTF-8 has a greater one."""


def _pack_text(array: pa.Array) -> pa.Array:
    text = array.cast(pa.string())
    least, greatest = _range_of_bytes(text)
    if least > 0 and greatest < _ESCAPE_BYTE:
        return text
    escaped = pc.replace_substring(text, _ESCAPE, _ESCAPED_ESCAPE)
    return pc.replace_substring(escaped, "\0", _ESCAPED_NUL)


def _range_of_bytes(text: pa.Array) -> tuple[int, int]:
    """The least and the greatest byte in the buffer: a hundredth of a search in every text.

    The buffer of a slice holds other texts, too. Where nothing is in it: 255 and 0.
    """
    held = np.frombuffer(text.buffers()[2] or b"", np.uint8)
    return int(held.min(initial=255)), int(held.max(initial=0))


def _unpack_text(array: pa.Array, wanted: pa.DataType) -> pa.Array:
    _, greatest = _range_of_bytes(array)
    if greatest >= _ESCAPE_BYTE:
        array = pc.replace_substring(array, _ESCAPED_NUL, "\0")
        array = pc.replace_substring(array, _ESCAPED_ESCAPE, _ESCAPE)
    return _cast_back(array, wanted)


def _pack_decimal(array: pa.Array) -> pa.Array:
    small = types.is_decimal32(array.type) or types.is_decimal64(array.type)
    return array.cast(pa.decimal128(38, array.type.scale)) if small else array


def _unpack_decimal(array: pa.Array, wanted: pa.DataType) -> pa.Array:
    storage = array.storage if isinstance(array, pa.ExtensionArray) else array
    return storage.cast(wanted)


def _no_values(array: pa.Array, wanted: pa.DataType) -> pa.Array:
    return pa.nulls(len(array), wanted)


def _is_decimal_of_parquet(kind: pa.DataType) -> bool:
    return bool(types.is_decimal(kind) and kind.scale >= 0)


_SMALLINT = Carrier("smallint", _cast_to(pa.int16()), _cast_back)
_INTEGER = Carrier("integer", _cast_to(pa.int32()), _cast_back)
_BIGINT = Carrier("bigint", _cast_to(pa.int64()), _cast_back)
_BITS_32 = Carrier("integer", _view_as(pa.int32()), _view_back)
_BITS_64 = Carrier("bigint", _view_as(pa.int64()), _view_back)
_REAL = Carrier("real", _cast_to(pa.float32()), _cast_back)
_DOUBLE = Carrier("double precision", _same, _cast_back)
_TEXT = Carrier("text", _pack_text, _unpack_text)
_BYTES = Carrier("bytea", _cast_to(pa.binary()), _cast_back)
_NUMERIC = Carrier("numeric", _pack_decimal, _unpack_decimal)
_JSON = Carrier("text", nested.to_json, nested.from_json)

_TABLE: tuple[tuple[Callable[[pa.DataType], bool], Carrier], ...] = (
    (types.is_null, Carrier("boolean", _cast_to(pa.bool_()), _no_values)),
    (types.is_boolean, Carrier("boolean", _same, _cast_back)),
    (types.is_int8, _SMALLINT),
    (types.is_uint8, _SMALLINT),
    (types.is_int16, _SMALLINT),
    (types.is_uint16, _INTEGER),
    (types.is_int32, _INTEGER),
    (types.is_uint32, _BIGINT),
    (types.is_int64, _BIGINT),
    (types.is_uint64, _BITS_64),
    (types.is_float16, _REAL),
    (types.is_float32, _REAL),
    (types.is_float64, _DOUBLE),
    (_is_decimal_of_parquet, _NUMERIC),
    (types.is_string, _TEXT),
    (types.is_large_string, _TEXT),
    (types.is_string_view, _TEXT),
    (types.is_binary, _BYTES),
    (types.is_large_binary, _BYTES),
    (types.is_binary_view, _BYTES),
    (types.is_fixed_size_binary, _BYTES),
    (types.is_date32, _BITS_32),
    (types.is_date64, _BITS_64),
    (types.is_time32, _BITS_32),
    (types.is_time64, _BITS_64),
    (types.is_timestamp, _BITS_64),
    (types.is_duration, _BITS_64),
)


def settled_type(kind: pa.DataType) -> pa.DataType:
    """The type that a column comes out as: the same, without dictionary or run-end encoding."""
    if types.is_dictionary(kind) or types.is_run_end_encoded(kind):
        return settled_type(kind.value_type)
    if types.is_string_view(kind):
        return pa.string()
    return pa.binary() if types.is_binary_view(kind) else kind


def settle(array: pa.Array) -> pa.Array:
    """The same values as an array of `settled_type`."""
    if types.is_dictionary(array.type):
        return settle(array.dictionary_decode())
    if types.is_run_end_encoded(array.type):
        return settle(pc.run_end_decode(array))
    return _cast_back(array, settled_type(array.type))


def carrier_of(kind: pa.DataType, column: str) -> Carrier:
    """The carrier of a settled type.

    Raises:
        InputError: no column of a GeoParquet file can have this type.
    """
    if isinstance(kind, pa.BaseExtensionType):
        return _extension(carrier_of(kind.storage_type, column), kind.storage_type)
    if types.is_nested(kind) and nested.can_carry(kind):
        return _JSON
    for matches, carrier in _TABLE:
        if matches(kind):
            return carrier
    raise InputError.of(
        f"column {column!r}",
        f"is of the type {kind}, which a GeoParquet file cannot hold.",
        "Drop the column, or give it another type.",
    )


def _extension(carrier: Carrier, storage: pa.DataType) -> Carrier:
    def pack(array: pa.Array) -> pa.Array:
        return carrier.pack(array.storage)

    def unpack(array: pa.Array, wanted: pa.DataType) -> pa.Array:
        return pa.ExtensionArray.from_storage(wanted, carrier.unpack(array, storage))

    return Carrier(carrier.sql_type, pack, unpack)
