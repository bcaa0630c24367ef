"""Every attribute comes out of PostgreSQL as it went in: names, types, values."""

from __future__ import annotations

import math
import uuid
from collections.abc import Iterator
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from libs.compute import PostGIS
from libs.errors import InputError
from libs.models import RunSchema

pytestmark = pytest.mark.integration

POINT = bytes.fromhex("0101000000000000000000f03f0000000000000040")


@pytest.fixture(scope="module")
def schema(compute: PostGIS) -> Iterator[RunSchema]:
    run_schema = RunSchema(run_id=str(uuid.uuid4()))
    with compute.ephemeral_schema(run_schema):
        yield run_schema


def there_and_back(compute: PostGIS, schema: RunSchema, attributes: pa.Table) -> pa.Table:
    """Load the attributes beside a point per row; what comes out, in the order it went in."""
    wkb = pa.chunked_array([pa.array([POINT] * attributes.num_rows, pa.binary())])
    table = attributes.append_column("the geometry", wkb)
    name = f"t{uuid.uuid4().hex}"
    loaded = compute.load_arrow(
        table.to_reader(), schema=schema, geometry_index=table.num_columns - 1, table=name
    )
    with compute.stream_table(schema, name, loaded) as stream:
        result = pa.Table.from_batches(stream, stream.schema)
    assert loaded.row_count == table.num_rows
    return result.select(range(attributes.num_columns))


def bits(array: pa.Array | pa.ChunkedArray) -> list[object]:
    """Values as Python sees them exactly: temporal ones as their integers."""
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    width = {32: pa.int32(), 64: pa.int64()}
    if pa.types.is_temporal(array.type):
        array = array.view(width[array.type.bit_width])
    return array.to_pylist()


INT64 = st.integers(-(2**63), 2**63 - 1)
INT32 = st.integers(-(2**31), 2**31 - 1)
DAY_MS = 86_400_000


def _integers(kind: pa.DataType) -> st.SearchStrategy[int]:
    width, signed = kind.bit_width, pa.types.is_signed_integer(kind)
    return (
        st.integers(-(2 ** (width - 1)), 2 ** (width - 1) - 1)
        if signed
        else st.integers(0, 2**width - 1)
    )


def _decimals(precision: int, scale: int) -> st.SearchStrategy[Decimal]:
    limit = 10**precision - 1
    return st.integers(-limit, limit).map(
        lambda n: Decimal((n < 0, tuple(map(int, str(abs(n)))), -scale))
    )


# What a column can be: its type, its values, and the integer type that the values are given in.
LEAVES: list[tuple[pa.DataType, st.SearchStrategy[object], pa.DataType | None]] = [
    *[(kind, _integers(kind), None) for kind in (
        pa.int8(), pa.uint8(), pa.int16(), pa.uint16(),
        pa.int32(), pa.uint32(), pa.int64(), pa.uint64(),
    )],
    (pa.bool_(), st.booleans(), None),
    (pa.float32(), st.floats(width=32), None),
    (pa.float64(), st.floats(), None),
    (pa.string(), st.text(), None),
    (pa.string(), st.text(alphabet="a\0\U0010fffe01"), None),
    (pa.large_string(), st.text(), None),
    (pa.binary(), st.binary(), None),
    (pa.large_binary(), st.binary(), None),
    (pa.binary(3), st.binary(min_size=3, max_size=3), None),
    (pa.decimal128(38, 0), _decimals(38, 0), None),
    (pa.decimal128(38, 38), _decimals(38, 38), None),
    (pa.decimal128(5, 2), _decimals(5, 2), None),
    (pa.decimal256(76, 10), _decimals(76, 10), None),
    (pa.decimal32(5, 2), _decimals(5, 2), None),
    (pa.decimal64(15, 3), _decimals(15, 3), None),
    (pa.date32(), INT32, pa.int32()),
    (pa.date64(), st.integers(-(10**9), 10**9).map(lambda day: day * DAY_MS), pa.int64()),
    (pa.time32("s"), st.integers(0, 86_399), pa.int32()),
    (pa.time32("ms"), st.integers(0, DAY_MS - 1), pa.int32()),
    (pa.time64("us"), st.integers(0, DAY_MS * 1000 - 1), pa.int64()),
    (pa.time64("ns"), st.integers(0, DAY_MS * 10**6 - 1), pa.int64()),
    *[(pa.timestamp(unit, zone), INT64, pa.int64())
      for unit in ("s", "ms", "us", "ns") for zone in (None, "UTC", "Europe/Berlin", "+05:30")],
    *[(pa.duration(unit), INT64, pa.int64()) for unit in ("s", "ms", "us", "ns")],
]  # fmt: skip


def _column(leaf: tuple, rows: int) -> st.SearchStrategy[pa.Array]:
    kind, values, given_as = leaf
    drawn = st.lists(st.none() | values, min_size=rows, max_size=rows)
    if given_as is None:
        return drawn.map(lambda items: pa.array(items, kind))
    return drawn.map(lambda items: pa.array(items, given_as).view(kind))


@st.composite
def tables(draw: st.DrawFn) -> pa.Table:
    rows = draw(st.integers(0, 8))
    leaves = draw(st.lists(st.sampled_from(LEAVES), min_size=1, max_size=20))
    return pa.table({f"column {i}": draw(_column(leaf, rows)) for i, leaf in enumerate(leaves)})


@hypothesis_settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(table=tables())
def test_any_value_of_any_type_comes_out_as_it_went_in(
    compute: PostGIS, schema: RunSchema, table: pa.Table
) -> None:
    result = there_and_back(compute, schema, table)
    assert result.schema.equals(table.schema, check_metadata=True)
    for name in table.column_names:
        assert repr(bits(result[name])) == repr(bits(table[name])), table.schema.field(name)


@pytest.mark.parametrize("leaf", LEAVES, ids=lambda leaf: str(leaf[0]))
def test_each_type_comes_out_of_a_list_a_struct_and_a_map(
    compute: PostGIS, schema: RunSchema, leaf: tuple
) -> None:
    kind, values, given_as = leaf
    items = [_example(values.filter(lambda value: repr(value) != "nan")) for _ in range(3)]
    flat = pa.array([*items, None], given_as or kind)
    flat = flat if given_as is None else flat.view(kind)
    lists = pa.ListArray.from_arrays(pa.array([0, 2, 2, None, 4], pa.int32()), flat)
    structs = pa.StructArray.from_arrays(
        [flat, lists], names=["a b", "Ä"], mask=pa.array([False, True, False, False])
    )
    keys = pa.array(["k", "k", "ö", "\0"])
    maps = pa.MapArray.from_arrays(pa.array([0, 1, None, 4, 4], pa.int32()), keys, flat)
    table = pa.table({"lists": lists, "structs": structs, "maps": maps})
    result = there_and_back(compute, schema, table)
    assert result.schema.equals(table.schema)
    assert result.equals(table)


def _example(values: st.SearchStrategy[object]) -> object:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # an example outside a test is just what is wanted here
        return values.example()


def test_floats_keep_nan_infinity_and_the_sign_of_zero(compute: PostGIS, schema: RunSchema) -> None:
    values = [math.nan, math.inf, -math.inf, -0.0, 5e-324, 1e38, None]
    half = [math.nan, math.inf, -math.inf, -0.0, 6e-8, 65504.0, None]
    table = pa.table(
        {
            "double": pa.array(values),
            "half": pa.array(half, pa.float16()),
            "list": pa.array([values, None, [], [1e-45], values, None, []], pa.list_(pa.float32())),
            "halves": pa.array([half, None, [], half, half, None, []], pa.list_(pa.float16())),
        }
    )
    result = there_and_back(compute, schema, table)
    assert result.schema == table.schema
    assert repr(result.to_pydict()) == repr(table.to_pydict())


def test_dates_from_year_0_to_9999_and_far_beyond_stay(compute: PostGIS, schema: RunSchema) -> None:
    # by days since 1970: 0000-01-01, 9999-12-31, before 4713 BC, after PostgreSQL's last date
    days = [-719528, 2932896, -3_000_000, 2**31 - 1, -(2**31), None]
    table = pa.table({"day": pa.array(days, pa.int32()).view(pa.date32())})
    assert bits(there_and_back(compute, schema, table)["day"]) == days


def test_empty_text_and_null_are_two_things(compute: PostGIS, schema: RunSchema) -> None:
    table = pa.table({"text": ["", None], "bytes": [b"", None], "list": [[], None]})
    table = table.set_column(2, "list", pa.array([[], None], pa.list_(pa.int32())))
    assert there_and_back(compute, schema, table).to_pydict() == table.to_pydict()


def test_names_come_out_as_they_went_in(compute: PostGIS, schema: RunSchema) -> None:
    names = [
        "UPPER", "upper", "with space", "x" * 70, "select", "geom", "rid", "c0", "bbox", "geometry",
        'quo"te', "per%cent", "Straße", "日本", "", "a.b", "{braces}", "line\nbreak", "ctid",
    ]  # fmt: skip
    table = pa.table({name: [index] for index, name in enumerate(names)})
    result = there_and_back(compute, schema, table)
    assert result.to_pydict() == table.to_pydict()
    assert result.column_names == names


def test_a_dictionary_column_comes_out_plain(compute: PostGIS, schema: RunSchema) -> None:
    words = pa.array(["a", None, "a"]).dictionary_encode()
    days = pa.array([1, 1, None], pa.int32()).view(pa.date32()).dictionary_encode()
    result = there_and_back(compute, schema, pa.table({"w": words, "d": days}))
    assert result["w"].to_pylist() == ["a", None, "a"]
    assert result.schema.types == [pa.string(), pa.date32()]


def test_other_encodings_of_text_come_out_as_text(compute: PostGIS, schema: RunSchema) -> None:
    table = pa.table(
        {
            "view": pa.array(["a", None, "ä" * 50], pa.string_view()),
            "bytes": pa.array([b"a", None, b"\0" * 50], pa.binary_view()),
            "runs": pa.RunEndEncodedArray.from_arrays([2, 3], ["x", "y"]),
        }
    )
    result = there_and_back(compute, schema, table)
    assert result.schema.types == [pa.string(), pa.binary(), pa.string()]
    assert result.to_pydict() == table.to_pydict()


def test_an_extension_type_stays_one(compute: PostGIS, schema: RunSchema) -> None:
    ids = pa.ExtensionArray.from_storage(pa.uuid(), pa.array([b"0" * 16, None], pa.binary(16)))
    table = pa.table({"id": ids, "nothing": pa.nulls(2)})
    result = there_and_back(compute, schema, table)
    assert result.schema == table.schema
    assert result.to_pydict() == table.to_pydict()


def test_nullability_and_metadata_of_a_field_stay(compute: PostGIS, schema: RunSchema) -> None:
    field = pa.field(
        "n", pa.int32(), nullable=False, metadata={"unit": "m", "PARQUET:field_id": "7"}
    )
    table = pa.table([pa.array([1], pa.int32())], schema=pa.schema([field]))
    result = there_and_back(compute, schema, table).schema.field("n")
    assert not result.nullable
    assert result.metadata == {b"unit": b"m"}


def test_deep_nesting_comes_out_as_it_went_in(compute: PostGIS, schema: RunSchema) -> None:
    kind = pa.list_(
        pa.struct(
            [
                ("names", pa.map_(pa.string(), pa.list_(pa.timestamp("ns", "UTC")))),
                ("pair", pa.list_(pa.binary(), 2)),
                ("ids", pa.large_list(pa.uint64())),
            ]
        )
    )
    row = {"names": [("é", [None])], "pair": [b"\xff\0", None], "ids": [2**64 - 1]}
    table = pa.table({"deep": pa.array([[row, None], None, [], [row]], kind)}).slice(1)
    result = there_and_back(compute, schema, table)
    assert result.schema == table.schema
    assert result["deep"].combine_chunks() == pa.array([None, [], [row]], kind)


def test_1590_columns_fit_and_1591_are_refused_by_name_of_the_limit(
    compute: PostGIS, schema: RunSchema
) -> None:
    table = pa.table({f"n{index}": pa.array([True]) for index in range(1590)})
    assert there_and_back(compute, schema, table).to_pydict() == table.to_pydict()
    with pytest.raises(InputError, match=r"1591 attribute columns.*1590"):
        there_and_back(compute, schema, table.append_column("more", pa.array([True])))


def test_a_row_too_wide_for_a_page_is_the_inputs_fault(compute: PostGIS, schema: RunSchema) -> None:
    table = pa.table({f"n{index}": pa.array([1.5]) for index in range(1500)})
    with pytest.raises(InputError, match="row is too big"):
        there_and_back(compute, schema, table)


def test_text_that_is_not_utf_8_is_named_by_column_and_row(
    compute: PostGIS, schema: RunSchema
) -> None:
    bad = pa.array([b"ok", b"M\xfcller"]).view(pa.string())
    with pytest.raises(InputError, match=r"column 'owner'.*string index 1"):
        there_and_back(compute, schema, pa.table({"owner": bad}))


@pytest.mark.parametrize(
    "kind",
    [pa.month_day_nano_interval(), pa.decimal128(5, -2), pa.list_(pa.month_day_nano_interval())],
    ids=str,
)
def test_a_type_that_parquet_lacks_is_refused_by_column(
    compute: PostGIS, schema: RunSchema, kind: pa.DataType
) -> None:
    with pytest.raises(InputError, match="column 'odd': is of the type"):
        there_and_back(compute, schema, pa.table({"odd": pa.nulls(1, kind)}))


def test_an_error_of_the_source_comes_through_as_it_is(compute: PostGIS, schema: RunSchema) -> None:
    def broken() -> Iterator[pa.RecordBatch]:
        yield pa.record_batch({"g": pa.array([POINT], pa.binary())})
        raise InputError.of("roads.gpkg", "is cut off.", "Export it anew.")

    with pytest.raises(InputError, match=r"roads\.gpkg: is cut off"):
        compute.load_arrow(
            broken(),
            arrow_schema=pa.schema([("g", pa.binary())]),
            schema=schema,
            geometry_index=0,
            table="broken",
        )


def test_two_columns_of_one_name_are_refused(compute: PostGIS, schema: RunSchema) -> None:
    table = pa.table([pa.array([1]), pa.array([2])], names=["a", "a"])
    with pytest.raises(InputError, match="more than one column named 'a'"):
        there_and_back(compute, schema, table)
