"""From GDAL's Arrow columns to the file's own: which are kept, as what type, checked how."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from libs.spatial_utils.vector_layer import refuse_twins
from libs.spatial_utils.vector_prescan import Prescan
from libs.spatial_utils.vector_wire import FileProblemError

_WKB = (b"geoarrow.wkb", b"ogc.wkb")


class ColumnPlan:
    """Turns batches of the layer into batches of `schema`."""

    def __init__(self, schema: pa.Schema, known: Prescan, kept: list[int], fid: int | None) -> None:
        self._known = known
        self._kept = kept
        self._fid = fid
        self._geometry = next((i for i, item in enumerate(schema) if is_geometry(item)), None)
        self._names = schema.names
        self._rows = 0
        self._ids: pa.Array | None = None
        self.geometries = 0
        self.notes: tuple[str, ...] = ()
        self.late_notes: list[str] = []
        self.schema = pa.schema([self._field(schema.field(index)) for index in kept])
        self.geometry_index = None if self._geometry is None else kept.index(self._geometry)

    def make_geometry_unique(self) -> None:
        """An attribute keeps its name; the geometry, found by its index, gets another one."""
        if self._geometry is None or self.geometry_index is None:
            return
        name, taken = self.schema.names[self.geometry_index], set(self.schema.names)
        if self.schema.names.count(name) > 1:
            while name in taken:
                name = f"_{name}"
            self.rename(self._geometry, name)

    def rename(self, index: int, name: str) -> None:
        """Give a kept column another name."""
        at = self._kept.index(index)
        self.schema = self.schema.set(at, self.schema.field(at).with_name(name))

    def take_ids(self, ids: pa.Array) -> None:
        """Hand out these instead of GDAL's."""
        at, self._ids = self._kept.index(0), ids
        item = pa.field(self.schema.names[at], ids.type, nullable=ids.null_count > 0)
        self.schema = self.schema.set(at, item)

    def convert(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Raises `FileProblemError` for a row whose geometry GDAL could not make out."""
        if self._known.source_of_geometry:
            self._check_geometry(batch)
        if self._fid is not None and self._fid not in self._kept and not self.late_notes:
            self._watch_ids(batch.column(self._fid))
        columns = [
            _as_type(self._column(batch, index), self.schema.field(at))
            for at, index in enumerate(self._kept)
        ]
        self._rows += batch.num_rows
        if self._geometry is not None:
            self.geometries += batch.num_rows - batch.column(self._geometry).null_count
        return pa.record_batch(columns, schema=self.schema)

    def _column(self, batch: pa.RecordBatch, index: int) -> pa.Array:
        if self._ids is None or index != self._fid:
            return batch.column(index)
        ids = self._ids.slice(self._rows, batch.num_rows)
        if len(ids) != batch.num_rows:
            raise FileProblemError(
                f"it has {len(self._ids)} features, of which GDAL makes more.",
                "Export it anew, as one collection of features.",
            )
        return ids

    def _field(self, item: pa.Field) -> pa.Field:
        return pa.field(item.name, self._known.types.get(item.name) or _plain_type(item))

    def _check_geometry(self, batch: pa.RecordBatch) -> None:
        import pyarrow.compute as pc  # late: a tenth of the child's start, and few files need it

        faulty = pc.is_null(batch.column(self._geometry))
        for name in self._known.source_of_geometry:
            faulty = pc.and_(faulty, _has_content(batch.column(self._names.index(name))))
        row = pc.index(faulty, True).as_py()
        if row < 0:
            return
        values = {
            name: str(batch.column(self._names.index(name))[row].as_py())[:100]
            for name in self._known.source_of_geometry
        }
        raise FileProblemError(
            f"row {self._rows + row + 1} has no geometry that can be read: "
            + ", ".join(f"{name} = {value!r}" for name, value in values.items())
            + ".",
            "Correct the value, or leave it empty for a row without geometry.",
        )

    def _watch_ids(self, ids: pa.Array) -> None:
        if not _are_row_numbers(ids, self._rows):
            self.late_notes.append("The numeric ids of the features were not taken over.")


def plan_columns(
    schema: pa.Schema, known: Prescan, meta: dict[str, Any], first: pa.RecordBatch | None
) -> ColumnPlan:
    """Choose the columns; `first` is the layer's first batch, None for an empty layer."""
    fid = 0 if known.keeps_fids is not None else None
    attributes = [index for index, item in enumerate(schema) if index != fid]
    kept = [
        index
        for index in attributes
        if is_geometry(schema.field(index)) or schema.field(index).name not in known.dropped
    ]
    refuse_twins([schema.field(i).name for i in kept if not is_geometry(schema.field(i))])
    _refuse_more_geometries([schema.field(i).name for i in kept if is_geometry(schema.field(i))])
    plan = _with_ids(schema, known, kept, first)
    plan.make_geometry_unique()
    return plan


def _with_ids(
    schema: pa.Schema, known: Prescan, kept: list[int], first: pa.RecordBatch | None
) -> ColumnPlan:
    fid = 0 if known.keeps_fids is not None else None
    if fid is None or known.keeps_fids is None:
        return ColumnPlan(schema, known, kept, fid)
    if known.keeps_fids == "id" and (first is None or _are_row_numbers(first.column(0), 0)):
        return ColumnPlan(schema, known, kept, fid)
    plan = ColumnPlan(schema, known, [0, *kept], fid)
    taken = {schema.field(index).name for index in kept}
    name = known.keeps_fids if known.keeps_fids not in taken else f"feature_{known.keeps_fids}"
    refuse_twins([name, *sorted(taken)])
    plan.rename(0, name)
    if known.ids is not None:
        plan.take_ids(known.ids())
    return plan


def is_geometry(item: pa.Field) -> bool:
    """By what GDAL says of the column, never by its name: an attribute may bear any name."""
    return bool(item.metadata) and item.metadata.get(b"ARROW:extension:name") in _WKB


def _refuse_more_geometries(names: list[str]) -> None:
    if len(names) > 1:
        raise FileProblemError(
            f"it has {len(names)} geometry columns: {', '.join(map(repr, names))}.",
            "Submit a layer with a single one.",
        )


def _plain_type(item: pa.Field) -> pa.DataType:
    if is_geometry(item):
        return pa.binary()
    if isinstance(item.type, pa.BaseExtensionType):
        return item.type.storage_type
    if pa.types.is_dictionary(item.type):
        return item.type.index_type  # a coded domain: the attribute is the code, not its label
    return item.type


def _as_type(column: pa.Array, wanted: pa.Field) -> pa.Array:
    if isinstance(column, pa.ExtensionArray):
        column = column.storage
    if isinstance(column, pa.DictionaryArray):
        column = column.indices
    if column.type == wanted.type:
        return column
    try:
        return column.cast(wanted.type)
    except pa.ArrowInvalid as error:
        raise FileProblemError(
            f"column {wanted.name!r} has a value that is none of its type: {error}"[:500],
            "Correct the value, or make the column one of text.",
        ) from error


def _has_content(column: pa.Array) -> pa.Array:
    import pyarrow.compute as pc

    there = pc.is_valid(column)
    if pa.types.is_string(column.type):
        return pc.and_(there, pc.not_equal(pc.fill_null(pc.utf8_trim_whitespace(column), ""), ""))
    if pa.types.is_floating(column.type):
        return pc.and_(there, pc.invert(pc.fill_null(pc.is_nan(column), True)))
    return there


def _are_row_numbers(ids: pa.Array, start: int) -> bool:
    counted = pa.array(range(start, start + len(ids)), pa.int64())
    whole = ids if ids.type == counted.type else ids.cast(counted.type)
    return bool(whole.equals(counted))
