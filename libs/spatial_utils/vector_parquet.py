"""Opens a GeoParquet file with pyarrow, inside the child; GDAL has no part in it.

Which encodings there are and how they become WKB is `vector_geoarrow`'s business.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from libs.spatial_utils.vector_geoarrow import ENCODINGS, to_wkb
from libs.spatial_utils.vector_layer import OpenLayer, refuse_twins
from libs.spatial_utils.vector_wire import MAX_BATCH_ROWS, FileProblemError, Request

_DEFAULT_CRS = "OGC:CRS84"
_MANY_BYTES = 64 * 2**20
_NARROWED = {pa.large_string(): pa.string(), pa.string_view(): pa.string()}
_NARROWED |= {pa.large_binary(): pa.binary(), pa.binary_view(): pa.binary()}


@contextmanager
def open_parquet(request: Request) -> Iterator[OpenLayer]:
    """Raises `FileProblemError` for a file that is not what it should be, at any time."""
    with _translated():
        file = pq.ParquetFile(request.path)
        arrow = file.schema_arrow
    with file:
        stem = Path(request.path).stem
        if request.layer not in (None, stem):
            raise FileProblemError(
                f"it has no layer {request.layer!r}: a Parquet file is a single one, {stem!r}.",
                "Leave `layer` out of the manifest's entry.",
            )
        geo = _GeoMetadata.of(arrow)
        refuse_twins(arrow.names)
        kept = [name for name in arrow.names if name not in geo.derived]
        schema = pa.schema([_field(arrow.field(name), geo) for name in kept])
        yield OpenLayer(
            name=stem,
            layers=(stem,),
            crs=geo.crs,
            geometry_type=", ".join(geo.types) or None,
            geometry_name=geo.column,
            geometry_index=kept.index(geo.column),
            fid_column=None,
            encoding="UTF-8",
            feature_count=file.metadata.num_rows,
            reader={"pyarrow (vector reader)": pa.__version__},
            schema=schema,
            batches=_reader(file, schema, geo),
            notes=geo.notes,
        )


@dataclass(frozen=True)
class _GeoMetadata:
    """What the file's `geo` key says of its one geometry column."""

    column: str
    encoding: str
    crs: str | None
    types: tuple[str, ...]
    derived: frozenset[str]
    """Columns that only repeat the geometry: the bbox covering."""
    notes: tuple[str, ...]

    @classmethod
    def of(cls, schema: pa.Schema) -> _GeoMetadata:
        raw = (schema.metadata or {}).get(b"geo")
        if raw is None:
            raise FileProblemError(
                "it has no `geo` metadata, so it is plain Parquet and not GeoParquet.",
                "Write it as GeoParquet (1.0 or 1.1).",
            )
        try:
            return cls._from_json(json.loads(raw), schema)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise FileProblemError(
                f"its `geo` metadata is not GeoParquet's ({type(error).__name__}: {error}).",
                "Write it with a GeoParquet writer.",
            ) from error

    @classmethod
    def _from_json(cls, geo: dict[str, object], schema: pa.Schema) -> _GeoMetadata:
        columns, primary = geo["columns"], geo["primary_column"]
        if not isinstance(columns, dict) or not isinstance(primary, str):
            raise TypeError("`columns` is no object or `primary_column` no text")
        missing = [name for name in columns if name not in schema.names]
        if missing or primary not in columns:
            raise ValueError(f"no such column: {', '.join(missing) or primary}")
        if len(columns) > 1:
            raise FileProblemError(
                f"it has {len(columns)} geometry columns: {', '.join(map(repr, columns))}.",
                "Submit a file with a single one.",
            )
        column = columns[primary]
        if column["encoding"] not in ENCODINGS:
            raise FileProblemError(
                f"the geometry is encoded as {column['encoding']!r}, which is not known.",
                f"Encode it as one of {', '.join(ENCODINGS)}.",
            )
        return cls(
            column=primary,
            encoding=column["encoding"],
            crs=_crs(column),
            types=tuple(map(str, column.get("geometry_types", ()))),
            derived=_covering(column, schema),
            notes=_notes(column),
        )


def _crs(column: dict[str, object]) -> str | None:
    """Absent means longitude and latitude of WGS 84; null means that nobody knows."""
    if "crs" not in column:
        return _DEFAULT_CRS
    crs = column["crs"]
    return None if crs is None else json.dumps(crs)


def _covering(column: dict[str, object], schema: pa.Schema) -> frozenset[str]:
    covering = column.get("covering")
    if not isinstance(covering, dict) or not isinstance(covering.get("bbox"), dict):
        return frozenset()
    paths = covering["bbox"].values()
    return frozenset(
        path[0]
        for path in paths
        if len(path) == 2 and path[0] in schema.names and _is_box(schema.field(path[0]).type)
    )


def _is_box(kind: pa.DataType) -> bool:
    return pa.types.is_struct(kind) and {"xmin", "ymin", "xmax", "ymax"} <= {
        item.name for item in kind
    }


def _notes(column: dict[str, object]) -> tuple[str, ...]:
    notes = []
    if column.get("edges", "planar") != "planar":
        notes.append(
            f"The file's edges are {column['edges']}; from here on they are straight in its CRS."
        )
    if column.get("epoch") is not None:
        notes.append(f"The coordinates' epoch {column['epoch']} was not taken over.")
    return tuple(notes)


def _field(item: pa.Field, geo: _GeoMetadata) -> pa.Field:
    kind = pa.binary() if item.name == geo.column else _plain(item.type)
    return pa.field(item.name, kind)


def _plain(kind: pa.DataType) -> pa.DataType:
    """Without dictionaries, extensions and large offsets: what they hold, in its usual form."""
    if isinstance(kind, pa.BaseExtensionType):
        return _plain(kind.storage_type)
    if pa.types.is_dictionary(kind):
        return _plain(kind.value_type)
    return _NARROWED.get(kind, kind)


def _reader(
    file: pq.ParquetFile, schema: pa.Schema, geo: _GeoMetadata
) -> Callable[[], Iterator[pa.RecordBatch]]:
    """Batch by batch, so that no row group is ever whole in memory."""

    def read() -> Iterator[pa.RecordBatch]:
        batches = file.iter_batches(
            batch_size=_batch_rows(file), columns=schema.names, use_threads=False
        )
        while True:
            with _translated():
                batch = next(batches, None)
                if batch is None:
                    return
                made = _converted(batch, schema, geo)
            yield made

    return read


def _batch_rows(file: pq.ParquetFile) -> int:
    """Rows that make up about 64 MiB, going by the sizes that the file itself states."""
    sizes = [
        (group.total_byte_size, group.num_rows)
        for group in map(file.metadata.row_group, range(file.metadata.num_row_groups))
        if group.num_rows
    ]
    widest = max((size / rows for size, rows in sizes), default=1.0)
    return max(1, min(MAX_BATCH_ROWS, int(_MANY_BYTES / max(1.0, widest))))


def _converted(batch: pa.RecordBatch, schema: pa.Schema, geo: _GeoMetadata) -> pa.RecordBatch:
    columns = []
    for item in schema:
        column = batch.column(batch.schema.get_field_index(item.name))
        while isinstance(column, pa.ExtensionArray):
            column = column.storage
        if item.name == geo.column:
            columns.append(to_wkb(column, geo.encoding))
        else:
            columns.append(column if column.type == item.type else column.cast(item.type))
    return pa.record_batch(columns, schema=schema)


@contextmanager
def _translated() -> Iterator[None]:
    """Around a call of pyarrow, and nothing else."""
    try:
        yield
    except MemoryError:
        raise  # pyarrow's own is one of the errors below, too
    except (pa.ArrowException, OSError) as error:
        text = " ".join(str(error).split())[:500]
        raise FileProblemError(
            f"it cannot be read as Parquet: {text}",
            "Check that it is whole and of the declared format, or write it anew.",
        ) from error
