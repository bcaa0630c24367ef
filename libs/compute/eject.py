"""From a table of a run's schema back into an Arrow stream, by COPY. Writes no file.

Rows come in Hilbert order of their geometries (PostGIS sorts so), ties by row number; those without
an extent come last. So they are the same rows in the same order whatever the server's plan was.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from psycopg import sql

from libs.compute.errors import stream_failure, translated
from libs.compute.prefetch import Prefetched
from libs.compute.table import ROW_ID_COLUMN, LoadedTable, carriers_of
from libs.models import RunSchema
from libs.spatial_utils.geoparquet_metadata import feature_schema

if TYPE_CHECKING:
    from adbc_driver_postgresql.dbapi import Connection as AdbcConnection

    from libs.compute.postgis import PostGIS

# The sort carries each geometry once; WKB is made after it. OFFSET 0 keeps the two apart. A box is
# one value on its way: as four numbers it costs PostgreSQL a sixth of the whole statement.
_EXTENDED = sql.SQL(
    "SELECT ST_AsBinary({geom}, 'NDR'), box_send(box){attributes}"
    " FROM (SELECT *, Box3D({geom})::box AS box FROM {table} WHERE NOT ST_IsEmpty({geom})"
    " ORDER BY {order} OFFSET 0) AS ordered"
)
_WITHOUT_EXTENT = sql.SQL(
    "SELECT ST_AsBinary({geom}, 'NDR'), NULL::bytea{attributes}"
    " FROM (SELECT * FROM {table} WHERE ST_IsEmpty({geom}) IS NOT FALSE"
    " ORDER BY {rid} OFFSET 0) AS ordered"
)

_OWN_COLUMNS = 2

_OPTIONS = {"adbc.postgresql.batch_size_hint_bytes": str(4 * 2**20)}
"""A quarter of the driver's default: less memory, and both sides have always something to do."""


class TableStream:
    """An open table: `schema`, and its batches, once. Close it, or use it in `with`."""

    def __init__(
        self, connection: AdbcConnection, loaded: LoadedTable, queries: tuple[str, str]
    ) -> None:
        self.schema: pa.Schema = feature_schema(loaded.attributes)
        """Attributes under their own names, then WKB, then its box: see `feature_schema`."""
        self._attributes = loaded.attributes
        self._carriers = carriers_of(loaded.attributes)
        self._connection = connection
        self._queries = queries
        self._row_count = loaded.row_count
        self._raw = Prefetched(self._fetched())

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        for batch in self._raw:
            yield self._restored(batch)

    def _fetched(self) -> Iterator[pa.RecordBatch]:
        """The table is looked through a second time only where rows are missing after the first."""
        extended, without_extent = self._queries
        missing = self._row_count
        for batch in self._answers(extended):
            missing -= batch.num_rows
            yield batch
        if missing:
            yield from self._answers(without_extent)

    def _answers(self, query: str) -> Iterator[pa.RecordBatch]:
        with self._connection.cursor() as cursor:
            cursor.adbc_statement.set_options(**_OPTIONS)
            with translated("reading the result"):
                cursor.execute(query)
                reader = cursor.fetch_record_batch()
            try:
                yield from reader
            except (OSError, pa.ArrowException) as error:  # ADBC's own classes end here
                raise stream_failure("reading the result", str(error)) from error

    def _restored(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        wkb, corners = batch.columns[:_OWN_COLUMNS]
        box = _box_of(corners, self.schema.field(-1).type)
        attributes = [
            carrier.unpack(column, field.type)
            for column, field, carrier in zip(
                batch.columns[_OWN_COLUMNS:], self._attributes, self._carriers, strict=True
            )
        ]
        return pa.RecordBatch.from_arrays([*attributes, wkb, box], schema=self.schema)

    def close(self) -> None:
        """Stop the server's work, if it goes on still, and give the connection back."""
        if self._raw.is_running:
            with contextlib.suppress(Exception):  # it may have ended by itself just now
                self._connection.adbc_cancel()
        self._raw.close()
        self._connection.close()

    def __enter__(self) -> TableStream:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _box_of(corners: pa.Array, kind: pa.StructType) -> pa.Array:
    """What `box_send` made, as Parquet's bbox: x and y of the upper right, then the lower left."""
    filled = corners.fill_null(bytes(32))
    numbers = np.frombuffer(filled.buffers()[2] or b"", ">f8", count=4 * len(corners))
    max_x, max_y, min_x, min_y = np.ascontiguousarray(numbers.reshape(-1, 4).T, np.float64)
    sides = [pa.array(side) for side in (min_x, min_y, max_x, max_y)]
    return pa.StructArray.from_arrays(sides, fields=list(kind), mask=corners.is_null())


def stream_table(
    postgis: PostGIS, schema: RunSchema, table: str, loaded: LoadedTable, *, by_hilbert: bool
) -> TableStream:
    """Open a table that descends from `loaded`. `by_hilbert` False: extended rows by row number.

    Raises, here or while it is read, the errors of `libs.compute.errors`.
    """
    order = [loaded.geometry_column, ROW_ID_COLUMN] if by_hilbert else [ROW_ID_COLUMN]
    parts = {
        "geom": sql.Identifier(loaded.geometry_column),
        "rid": sql.Identifier(ROW_ID_COLUMN),
        "table": sql.Identifier(schema.name, table),
        "order": sql.SQL(", ").join(map(sql.Identifier, order)),
        "attributes": sql.SQL("").join(
            sql.SQL(", {}").format(sql.Identifier(name)) for name in loaded.attribute_columns
        ),
    }
    extended, rest = (part.format(**parts).as_string() for part in (_EXTENDED, _WITHOUT_EXTENT))
    session = postgis.session.for_table(loaded)
    return TableStream(session.adbc_connect(schema), loaded, (extended, rest))
