"""Lists, structs and maps as JSON text and back, every value the same. Knows no server.

Before JSON, each leaf is seen as something that JSON has: a timestamp as its integer, a decimal as
its bytes. NaN and infinities are written as Python's `json` writes them, bytes as hexadecimal.
"""

from __future__ import annotations

import json
from collections.abc import Callable

import pyarrow as pa
from pyarrow import types

_Restore = Callable[[object], object]

_LISTS: tuple[tuple[Callable[[pa.DataType], bool], Callable[[pa.Field], pa.DataType]], ...] = (
    (types.is_list, pa.list_),
    (types.is_large_list, pa.large_list),
)

_BINARY = (types.is_binary, types.is_large_binary, types.is_fixed_size_binary)

_AS_THEY_ARE = (
    types.is_null,
    types.is_boolean,
    types.is_integer,
    types.is_floating,
    types.is_string,
    types.is_large_string,
)

_INTEGER_OF_WIDTH = {16: pa.uint16(), 32: pa.int32(), 64: pa.int64()}


def can_carry(kind: pa.DataType) -> bool:
    """Whether every leaf of a nested type can be written as JSON."""
    try:
        _bare(kind)
    except NotImplementedError:
        return False
    return True


def to_json(array: pa.Array) -> pa.Array:
    """One JSON text per row; null for a null row."""
    plain = array.view(_bare(array.type)).to_pylist()
    dumps = json.JSONEncoder(separators=(",", ":"), default=bytes.hex).encode
    return pa.array([None if value is None else dumps(value) for value in plain], pa.string())


def from_json(array: pa.Array, wanted: pa.DataType) -> pa.Array:
    """The rows that `to_json` wrote, as the type they had."""
    bare = _bare(wanted)
    restore = _restorer(bare)
    values = [None if text is None else json.loads(text) for text in array.to_pylist()]
    if restore is not None:
        values = [restore(value) for value in values]
    return pa.array(values, bare).view(wanted)


def _bare(kind: pa.DataType) -> pa.DataType:
    """A type of the same layout in memory, with leaves that JSON can write."""
    if types.is_fixed_size_list(kind):
        return pa.list_(_bare_field(kind.value_field), kind.list_size)
    if types.is_map(kind):
        return pa.list_(
            pa.field(
                "entries",
                pa.struct([_bare_field(kind.key_field), _bare_field(kind.item_field)]),
                nullable=False,
            )
        )
    for matches, make in _LISTS:
        if matches(kind):
            return make(_bare_field(kind.value_field))
    if types.is_struct(kind) and kind.num_fields:  # Parquet has no structs without fields
        return pa.struct([_bare_field(field) for field in kind])
    return _bare_leaf(kind)


def _bare_field(field: pa.Field) -> pa.Field:
    return field.with_type(_bare(field.type)).remove_metadata()


def _bare_leaf(kind: pa.DataType) -> pa.DataType:
    if types.is_decimal(kind) and kind.scale >= 0:
        return pa.binary(kind.byte_width)
    if types.is_float16(kind) or (types.is_temporal(kind) and not types.is_interval(kind)):
        return _INTEGER_OF_WIDTH[kind.bit_width]
    if any(matches(kind) for matches in (*_AS_THEY_ARE, *_BINARY)):
        return kind
    raise NotImplementedError(str(kind))


def _restorer(bare: pa.DataType) -> _Restore | None:
    """What turns hexadecimal back into bytes within a value of this type; None: nothing to do."""
    if any(matches(bare) for matches in _BINARY):
        return lambda value: None if value is None else bytes.fromhex(str(value))
    if types.is_struct(bare):
        return _struct_restorer(bare)
    if not types.is_nested(bare):
        return None
    inner = _restorer(bare.value_type)
    if inner is None:
        return None
    return lambda value: [inner(item) for item in value] if isinstance(value, list) else None


def _struct_restorer(bare: pa.DataType) -> _Restore | None:
    inner = {field.name: change for field in bare if (change := _restorer(field.type))}
    if not inner:
        return None

    def restore(value: object) -> object:
        if not isinstance(value, dict):
            return None
        return value | {name: change(value[name]) for name, change in inner.items()}

    return restore
