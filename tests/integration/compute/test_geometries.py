"""Geometries come out of PostGIS as they went in, in an order that the data alone decides."""

from __future__ import annotations

import struct
import uuid
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pytest
import shapely
from psycopg import sql

from libs.compute import PostGIS, UnusableDataError
from libs.errors import InputError
from libs.models import RunSchema
from libs.spatial_utils.roundness import Reach

pytestmark = pytest.mark.integration

NAN = float("nan")


@pytest.fixture
def schema(compute: PostGIS) -> Iterator[RunSchema]:
    run_schema = RunSchema(run_id=str(uuid.uuid4()))
    with compute.ephemeral_schema(run_schema):
        yield run_schema


def table_of(wkb: list[bytes | None]) -> pa.Table:
    return pa.table({"n": pa.array(range(len(wkb))), "wkb": pa.array(wkb, pa.binary())})


def read(compute: PostGIS, schema: RunSchema, loaded, **options) -> pa.Table:
    with compute.stream_table(schema, loaded.table, loaded, **options) as stream:
        return pa.Table.from_batches(stream, stream.schema)


def wkb(text: str) -> bytes:
    return shapely.to_wkb(shapely.from_wkt(text), flavor="iso", byte_order=1)


# Curves and surfaces that shapely cannot make are given as ISO WKB.
CIRCULAR_STRING = struct.pack("<BII6d", 1, 8, 3, 0, 0, 1, 1, 2, 0)
SHAPES = {
    "point": wkb("POINT (1 2)"),
    "point z": wkb("POINT Z (1 2 3)"),
    "point m": struct.pack("<BI3d", 1, 2001, 1, 2, 9),
    "point zm": struct.pack("<BI4d", 1, 3001, 1, 2, 3, 9),
    "line": wkb("LINESTRING (0 0, 1 1, 1e-300 1e300)"),
    "line m": struct.pack("<BII6d", 1, 2002, 2, 0, 0, 7, 1, 1, 8),
    "polygon with a hole": wkb("POLYGON ((0 0, 9 0, 9 9, 0 9, 0 0), (1 1, 2 1, 2 2, 1 2, 1 1))"),
    "multi point z": wkb("MULTIPOINT Z ((1 2 3), (4 5 6))"),
    "multi line": wkb("MULTILINESTRING ((0 0, 1 1), (2 2, 3 3))"),
    "multi polygon z": wkb("MULTIPOLYGON Z (((0 0 1, 1 0 1, 1 1 1, 0 0 1)))"),
    "collection": wkb("GEOMETRYCOLLECTION (POINT (1 2), LINESTRING (0 0, 1 1))"),
    "circular string": CIRCULAR_STRING,
    "compound curve": struct.pack("<BII", 1, 9, 1) + CIRCULAR_STRING,
    "tin": struct.pack("<BIIBIII8d", 1, 16, 1, 1, 17, 1, 4, 0, 0, 0, 1, 1, 0, 0, 0),
    "bow tie": wkb("POLYGON ((0 0, 1 1, 1 0, 0 1, 0 0))"),
    "empty point": struct.pack("<BI2d", 1, 1, NAN, NAN),
    "empty point zm": struct.pack("<BI4d", 1, 3001, NAN, NAN, NAN, NAN),
    "empty polygon": wkb("POLYGON EMPTY"),
    "empty multi polygon z": struct.pack("<BII", 1, 1006, 0),
    "empty collection": wkb("GEOMETRYCOLLECTION EMPTY"),
    "null": None,
}  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES)
def test_each_kind_of_geometry_comes_out_byte_for_byte(
    compute: PostGIS, schema: RunSchema, shape: str
) -> None:
    loaded = compute.load_arrow(
        table_of([SHAPES[shape]]).to_reader(), schema=schema, geometry_index=1
    )
    result = read(compute, schema, loaded)
    assert result["geometry"].to_pylist() == [SHAPES[shape]]


def test_the_table_tells_how_round_its_polygons_are_if_asked(
    compute: PostGIS, schema: RunSchema
) -> None:
    square = wkb("POLYGON ((0 0, 9 0, 9 9, 0 9, 0 0))")
    rows = table_of([square, *SHAPES.values(), square])
    loaded = compute.load_arrow(
        rows.to_reader(max_chunksize=3),
        schema=schema,
        geometry_index=1,
        round_within=Reach(100, (-10, -10, 10, 10)),
    )
    name = sql.Identifier(schema.name, loaded.table)
    query = sql.SQL("SELECT {} FROM {} ORDER BY rid")
    column = sql.Identifier(str(loaded.roundness_column))
    told = [value for (value,) in compute.run_step(schema, query.format(column, name))]
    assert told[0] == told[-1] == pytest.approx(0.7071, abs=2e-4)
    round_ones = {shape for shape, value in zip(SHAPES, told[1:-1], strict=True) if value}
    assert round_ones == {"multi polygon z"}
    assert sorted(read(compute, schema, loaded)["n"].to_pylist()) == list(range(len(told)))
    asked_nothing = compute.load_arrow(
        rows.to_reader(), schema=schema, geometry_index=1, table="other"
    )
    assert asked_nothing.roundness_column is None


def test_big_endian_and_extended_wkb_come_out_as_little_endian_iso(
    compute: PostGIS, schema: RunSchema
) -> None:
    point = shapely.from_wkt("POINT Z (1 2 3)")
    given = [
        shapely.to_wkb(point, byte_order=0, flavor="iso"),
        shapely.to_wkb(point, byte_order=1, flavor="extended"),
    ]
    loaded = compute.load_arrow(table_of(given).to_reader(), schema=schema, geometry_index=1)
    assert read(compute, schema, loaded)["geometry"].to_pylist() == [SHAPES["point z"]] * 2


def test_the_box_of_each_row_is_the_one_that_shapely_finds(
    compute: PostGIS, schema: RunSchema
) -> None:
    present = [
        value
        for name, value in SHAPES.items()
        if value and not name.startswith(("circular", "compound", "tin"))
    ]
    loaded = compute.load_arrow(table_of(present).to_reader(), schema=schema, geometry_index=1)
    result = read(compute, schema, loaded)
    expected = shapely.bounds(shapely.from_wkb(result["geometry"].to_pylist()))
    sides = ("xmin", "ymin", "xmax", "ymax")
    found = [
        [NAN] * 4 if box is None else [box[side] for side in sides]
        for box in result["bbox"].to_pylist()
    ]
    np.testing.assert_array_equal(found, expected)


def test_rows_without_an_extent_come_last_and_in_the_order_of_the_file(
    compute: PostGIS, schema: RunSchema
) -> None:
    given = [None, SHAPES["empty polygon"], SHAPES["point"], None, SHAPES["line"]]
    loaded = compute.load_arrow(table_of(given).to_reader(), schema=schema, geometry_index=1)
    result = read(compute, schema, loaded)
    assert result["n"].to_pylist()[2:] == [0, 1, 3]
    assert result["bbox"].to_pylist()[2:] == [None, None, None]


def many_polygons(rows: int, seed: int) -> pa.Table:
    random = np.random.default_rng(seed)
    corners = random.integers(0, 40, (rows, 2)).astype(float)  # so coarse that many are equal
    boxes = shapely.box(corners[:, 0], corners[:, 1], corners[:, 0] + 1, corners[:, 1] + 1)
    return table_of(shapely.to_wkb(boxes, flavor="iso").tolist())


def test_the_order_is_the_same_for_any_number_of_workers_and_any_order_on_disk(
    compute: PostGIS, settings, schema: RunSchema
) -> None:
    table = many_polygons(30_000, seed=1)
    loaded = compute.load_arrow(
        table.to_reader(max_chunksize=1000), schema=schema, geometry_index=1
    )
    shuffle = sql.SQL("CREATE UNLOGGED TABLE {} AS SELECT * FROM {} ORDER BY md5(rid::text)")
    compute.run_step(
        schema,
        shuffle.format(
            sql.Identifier(schema.name, "processed"), sql.Identifier(schema.name, loaded.table)
        ),
    )
    results = [read(compute, schema, loaded)]
    for workers in (1, 2, 4):
        with (
            PostGIS.connect(settings.compute, workers=workers) as other,
            other.stream_table(schema, "processed", loaded) as stream,
        ):
            results.append(pa.Table.from_batches(stream, stream.schema))
    assert all(result.equals(results[0]) for result in results[1:])
    assert sorted(results[0]["n"].to_pylist()) == list(range(30_000))


def test_neighbours_in_the_file_are_neighbours_in_space(
    compute: PostGIS, schema: RunSchema
) -> None:
    table = many_polygons(10_000, seed=2)
    loaded = compute.load_arrow(table.to_reader(), schema=schema, geometry_index=1)

    def mean_step(result: pa.Table) -> float:
        centres = shapely.get_coordinates(
            shapely.centroid(shapely.from_wkb(result["geometry"].to_numpy()))
        )
        return float(np.hypot(*np.diff(centres, axis=0).T).mean())

    by_row = read(compute, schema, loaded, order_by_hilbert=False)
    assert by_row["n"].to_pylist() == list(range(10_000))
    assert mean_step(read(compute, schema, loaded)) < mean_step(by_row) / 20


def test_an_empty_layer_comes_out_empty_with_its_schema(
    compute: PostGIS, schema: RunSchema
) -> None:
    loaded = compute.load_arrow(table_of([]).to_reader(), schema=schema, geometry_index=1)
    result = read(compute, schema, loaded)
    assert (loaded.row_count, result.num_rows) == (0, 0)
    assert result.column_names == ["n", "geometry", "bbox"]


def test_a_geometry_that_cannot_be_read_is_named_by_its_row(
    compute: PostGIS, schema: RunSchema
) -> None:
    cut_off = table_of([SHAPES["point"], SHAPES["polygon with a hole"][:-8]])
    with pytest.raises(UnusableDataError, match="line 2, column geom"):
        compute.load_arrow(cut_off.to_reader(), schema=schema, geometry_index=1)


def test_a_layer_without_geometry_is_refused(compute: PostGIS, schema: RunSchema) -> None:
    with pytest.raises(InputError, match="has no geometry"):
        compute.load_arrow(table_of([]).to_reader(), schema=schema, geometry_index=None)


def test_a_coordinate_outside_its_crs_is_the_inputs_fault(
    compute: PostGIS, schema: RunSchema
) -> None:
    far = table_of([wkb("POINT (200 95)")])
    compute.load_arrow(far.to_reader(), schema=schema, geometry_index=1)
    transform = sql.SQL("SELECT ST_Transform(ST_SetSRID(geom, 4326), 32633) FROM {}").format(
        sql.Identifier(schema.name, "raw_data")
    )
    with pytest.raises(UnusableDataError, match=r"normalize_crs.*Invalid coordinate"):
        compute.run_step(schema, transform, "the step normalize_crs")


def test_a_stream_can_be_left_in_the_middle(compute: PostGIS, schema: RunSchema) -> None:
    table = many_polygons(60_000, seed=3)
    loaded = compute.load_arrow(table.to_reader(), schema=schema, geometry_index=1)
    with compute.stream_table(schema, loaded.table, loaded) as stream:
        next(iter(stream))
    assert compute.table_count(schema, loaded.table) == 60_000
