"""From an Arrow stream into a table of a run's schema, by COPY. Reads no file, transforms nothing.

WKB goes straight into a geometry column: PostGIS reads it as the binary form of the type.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from psycopg import sql

from libs.compute.carriers import Carrier, settle
from libs.compute.errors import UnusableDataError, translated
from libs.compute.prefetch import Prefetched
from libs.compute.table import (
    GEOMETRY_COLUMN,
    ROUNDNESS_COLUMN,
    ROW_ID_COLUMN,
    Layout,
    LoadedTable,
)
from libs.models import RunSchema
from libs.spatial_utils.roundness import Reach, roundness

if TYPE_CHECKING:
    from libs.compute.postgis import PostGIS

RAW_TABLE = "raw_data"


def load_arrow(
    postgis: PostGIS,
    batches: Iterable[pa.RecordBatch],
    *,
    schema: RunSchema,
    geometry_index: int | None,
    table: str = RAW_TABLE,
    arrow_schema: pa.Schema | None = None,
    round_within: Reach | None = None,
) -> LoadedTable:
    """Make the unlogged table and fill it; the schema exists already. See `LoadedTable`.

    `arrow_schema` is needed only where `batches` does not know it itself, as a reader does.
    `round_within`: the table tells of polygons within it how round they are. None: of none.

    Raises:
        InputError: see `Layout`; or a value that PostgreSQL or PostGIS cannot take.
        Exception: what `batches` raises comes through as it is.
    """
    arrow_schema = batches.schema if arrow_schema is None else arrow_schema  # type: ignore[attr-defined]
    layout = Layout(arrow_schema, geometry_index)
    has_roundness = round_within is not None
    _create_table(postgis, schema, table, layout, has_roundness=has_roundness)
    packed = _Packed(batches, arrow_schema, layout, round_within)
    with (
        contextlib.closing(postgis.session.adbc_connect(schema)) as connection,
        Prefetched(packed) as ahead,
    ):
        reader = pa.RecordBatchReader.from_batches(packed.schema, ahead)
        try:
            with translated("loading", where=table), connection.cursor() as cursor:
                cursor.adbc_ingest(table, reader, mode="append", db_schema_name=schema.name)
                connection.commit()
        except Exception as error:
            if packed.failure is not None:  # ADBC turns the source's own error into its text
                raise packed.failure from error
            raise
    return LoadedTable(
        run_schema=schema,
        table=table,
        row_count=packed.row_count,
        size_bytes=packed.size_bytes,
        source_geometry_name=layout.source_geometry_name,
        roundness_column=ROUNDNESS_COLUMN if has_roundness else None,
        attributes=layout.attributes,
    )


def _create_table(
    postgis: PostGIS, schema: RunSchema, table: str, layout: Layout, *, has_roundness: bool
) -> None:
    qualified = sql.Identifier(schema.name, table)
    columns = [
        sql.SQL("{} bigint NOT NULL").format(sql.Identifier(ROW_ID_COLUMN)),
        sql.SQL("{} geometry").format(sql.Identifier(GEOMETRY_COLUMN)),
    ]
    if has_roundness:
        columns.append(sql.SQL("{} real").format(sql.Identifier(ROUNDNESS_COLUMN)))
    comments = []
    for name, sql_type, original in layout.columns():
        columns.append(sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(sql_type)))
        comments.append(
            sql.SQL("COMMENT ON COLUMN {} IS {}").format(
                sql.Identifier(schema.name, table, name),
                sql.Literal(original.replace("\0", "\N{SYMBOL FOR NULL}")),
            )
        )
    create = sql.SQL("CREATE UNLOGGED TABLE {} ({})").format(qualified, sql.SQL(", ").join(columns))
    postgis.run_step(schema, sql.SQL("; ").join([create, *comments]), f"making {table}")


class _Packed:
    """The batches as they travel; counts rows and bytes, and keeps the error that ended them."""

    def __init__(
        self,
        batches: Iterable[pa.RecordBatch],
        arrow_schema: pa.Schema,
        layout: Layout,
        round_within: Reach | None,
    ) -> None:
        self._batches = batches
        self._layout = layout
        self._round_within = round_within
        self.row_count = self.size_bytes = 0
        self.failure: Exception | None = None
        nothing = [pa.nulls(0, field.type) for field in arrow_schema]
        self.schema = self._pack(pa.RecordBatch.from_arrays(nothing, schema=arrow_schema)).schema

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        try:
            for batch in self._batches:
                packed = self._pack(batch)
                self.row_count += batch.num_rows
                self.size_bytes += packed.nbytes
                yield packed
        except Exception as error:
            self.failure = error
            raise

    def _pack(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        layout = self._layout
        row_ids = np.arange(self.row_count, self.row_count + batch.num_rows, dtype=np.int64)
        attributes = {
            f"c{index}": self._pack_column(batch.column(source), field.name, carrier)
            for index, (source, field, carrier) in enumerate(
                zip(layout.attribute_indices, layout.attributes, layout.carriers, strict=True)
            )
        }
        columns = {ROW_ID_COLUMN: pa.array(row_ids)}
        columns[GEOMETRY_COLUMN] = geometry = _wkb_of(batch.column(layout.geometry_index))
        if self._round_within is not None:
            columns[ROUNDNESS_COLUMN] = roundness(geometry, self._round_within)
        return pa.record_batch({**columns, **attributes})

    def _pack_column(self, array: pa.Array, name: str, carrier: Carrier) -> pa.Array:
        try:
            array.validate(full=True)
            return carrier.pack(settle(array))
        except (pa.ArrowException, UnicodeDecodeError) as error:
            raise UnusableDataError.of(
                f"column {name!r}",
                f"has a value that cannot be read, in row {self.row_count} or later: {error}.",
                "Save the source again, as UTF-8.",
            ) from error


def _wkb_of(array: pa.Array) -> pa.Array:
    storage = array.storage if isinstance(array, pa.ExtensionArray) else array
    return settle(storage).cast(pa.binary())
