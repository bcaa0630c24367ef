"""Writes GeoParquet 1.1 from a stream of Arrow batches. Orders and transforms nothing.

The bytes depend on the rows, the CRS and the options alone: no time, host or random number is in
the file, and it does not matter how the rows were portioned.
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import Field

from libs.errors import InputError
from libs.models import CRS, Bounds, Frozen, VectorShape
from libs.models.asset import Column
from libs.models.base import ContentHash
from libs.spatial_utils.geoparquet_geometry import GeometrySummary
from libs.spatial_utils.geoparquet_metadata import feature_schema, geo_metadata
from libs.spatial_utils.geoparquet_rows import row_groups, unique_columns
from libs.spatial_utils.hashing import FollowingHash

__all__ = ["GeoParquetResult", "feature_schema", "write_geoparquet"]


class GeoParquetResult(Frozen):
    """A written file and what is in it."""

    path: Path
    sha256: ContentHash
    size_bytes: int = Field(ge=0)
    row_count: int = Field(ge=0)
    bounds: Bounds | None
    """In the units of the CRS, x and y in GIS order; None: no geometry has an extent."""
    geometry_types: tuple[str, ...]
    """`Polygon`, `MultiPolygon Z`, …, sorted; with `Point M` and the like, too."""
    columns: tuple[Column, ...]
    """The attributes, with the types that they have in the file: Parquet has no whole
    seconds and stores them as milliseconds, and dates in milliseconds as days."""
    geometry_column: str

    @property
    def shape(self) -> VectorShape:
        """The same in the ledger's words."""
        return VectorShape(
            row_count=self.row_count,
            geometry_types=self.geometry_types,
            geometry_column=self.geometry_column,
            columns=self.columns,
        )


def write_geoparquet(
    batches: Iterable[pa.RecordBatch],
    path: Path,
    *,
    schema: pa.Schema,
    crs: CRS | None,
    row_group_rows: int = 20_000,
    zstd_level: int = 2,
) -> GeoParquetResult:
    """Write one file; when it fails, none is left behind. An empty stream gives a valid file.

    Args:
        batches: rows as `feature_schema` orders them: attributes, little-endian ISO WKB, box.
        schema: what `feature_schema` made of the attributes.
        crs: of the coordinates; None: not known.

    Raises:
        InputError: a geometry type or a coordinate that GeoParquet cannot have.
    """
    summary, row_count = GeometrySummary(), 0
    groups = row_groups(batches, row_group_rows)
    try:
        plain, groups = unique_columns(groups, attributes=len(schema) - 2)
        with _writer(path, schema, zstd_level, plain) as writer, FollowingHash(path) as hashing:
            for table in groups:
                geometry, box = table.columns[-2:]
                summary.add(geometry.chunk(0), box.chunk(0))
                _write(writer, table)
                hashing.follow()
                row_count += table.num_rows
            writer.add_key_value_metadata({"geo": geo_metadata(schema, crs, summary)})
            writer.close()
            sha256 = hashing.hexdigest()
    except BaseException:
        path.unlink(missing_ok=True)  # closing has given it a footer: it would look complete
        raise
    return GeoParquetResult(
        path=path,
        sha256=sha256,
        size_bytes=path.stat().st_size,
        row_count=row_count,
        bounds=summary.bounds,
        geometry_types=summary.geometry_types,
        columns=tuple(
            Column(name=field.name, type=str(field.type), nullable=field.nullable)
            for field in list(pq.read_schema(path))[:-2]
        ),
        geometry_column=schema.names[-2],
    )


def _write(writer: pq.ParquetWriter, table: pa.Table) -> None:
    try:
        writer.write_table(table, row_group_size=table.num_rows)
    except pa.ArrowInvalid as error:  # a time in seconds, millions of years from now
        raise InputError.of(
            "attributes", f"have a value that Parquet cannot hold: {error}.", "Correct that value."
        ) from error


def _writer(path: Path, schema: pa.Schema, zstd_level: int, plain: set[str]) -> pq.ParquetWriter:
    geometry, box = schema.names[-2:]
    own = {geometry, *(f"{box}.{field.name}" for field in schema.field(box).type), *plain}
    leaves = _leaf_paths(schema)
    return pq.ParquetWriter(
        path,
        schema,
        version="2.6",
        compression="zstd",
        compression_level=zstd_level,
        use_dictionary=[leaf for leaf in leaves if leaf not in own],
        write_statistics=[leaf for leaf in leaves if leaf != geometry],
    )


def _leaf_paths(schema: pa.Schema) -> list[str]:
    """Parquet's names of the columns that it stores: `a`, `b.c`, `d.list.element`, …."""
    buffer = io.BytesIO()
    pq.write_table(schema.empty_table(), buffer)
    stored = pq.read_metadata(buffer).schema
    return [stored.column(index).path for index in range(len(stored))]
