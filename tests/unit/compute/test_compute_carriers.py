"""How Arrow types travel: the part that needs no server."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.compute.carriers import carrier_of, settle, settled_type
from libs.compute.table import MAX_ATTRIBUTES, Layout
from libs.errors import InputError


@pytest.mark.parametrize(
    ("kind", "sql_type"),
    [
        (pa.int8(), "smallint"),
        (pa.uint16(), "integer"),
        (pa.uint32(), "bigint"),
        (pa.float16(), "real"),
        (pa.float64(), "double precision"),
        (pa.bool_(), "boolean"),
        (pa.large_string(), "text"),
        (pa.binary(4), "bytea"),
        (pa.decimal256(60, 5), "numeric"),
        (pa.date32(), "integer"),
        (pa.timestamp("us", "UTC"), "bigint"),
        (pa.list_(pa.int8()), "text"),
    ],
    ids=str,
)
def test_each_type_has_its_carrier(kind: pa.DataType, sql_type: str) -> None:
    assert carrier_of(kind, "a").sql_type == sql_type


@settings(deadline=None)
@given(
    st.lists(st.none() | st.text(alphabet=st.sampled_from("a\0\U0010fffe\U0010ffff01é"))),
    st.integers(0, 2),
)
def test_text_travels_without_nul_and_comes_back(values: list[str | None], start: int) -> None:
    array = pa.array(values, pa.string()).slice(start)
    carrier = carrier_of(array.type, "a")
    packed = carrier.pack(array)
    assert "\0" not in "".join(filter(None, packed.to_pylist()))
    assert carrier.unpack(packed, array.type) == array


def test_ordinary_text_travels_as_it_is() -> None:
    array = pa.array(["Straße", "日本", "\N{PILE OF POO}", "", None])
    assert carrier_of(array.type, "a").pack(array) == array


def test_a_slice_of_a_nested_array_travels_as_the_slice_only() -> None:
    array = pa.array([[1], [2, None], None, []], pa.list_(pa.timestamp("ns"))).slice(1)
    carrier = carrier_of(array.type, "a")
    packed = carrier.pack(array)
    assert packed.to_pylist() == ["[2,null]", None, "[]"]
    assert carrier.unpack(packed, array.type) == array


def test_dictionaries_and_runs_settle_to_plain_values() -> None:
    plain = pa.array(["x", "x", "y"])
    for encoded in (
        plain.dictionary_encode(),
        pa.RunEndEncodedArray.from_arrays([2, 3], pa.array(["x", "y"])),
    ):
        assert settled_type(encoded.type) == pa.string()
        assert settle(encoded) == plain


def test_a_struct_without_fields_is_refused_by_column() -> None:
    with pytest.raises(InputError, match="column 'odd'"):
        carrier_of(pa.struct([]), "odd")


def test_a_layer_too_wide_is_refused_before_a_row_moves() -> None:
    names = [f"n{index}" for index in range(MAX_ATTRIBUTES + 1)]
    fields = [pa.field(name, pa.int8()) for name in names]
    with pytest.raises(InputError, match=f"{MAX_ATTRIBUTES} at most"):
        Layout(pa.schema([*fields, pa.field("g", pa.binary())]), len(fields))


def test_the_geometry_may_stand_anywhere() -> None:
    schema = pa.schema([("a", pa.int8()), ("g", pa.binary()), ("b", pa.string())])
    layout = Layout(schema, 1)
    assert layout.source_geometry_name == "g"
    assert list(layout.columns()) == [("c0", "smallint", "a"), ("c1", "text", "b")]
