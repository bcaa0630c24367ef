"""What has to be known of a file before its columns can be planned; the child's first look.

Some drivers tell the truth only in the values: whether a time has a zone, which of the columns
that every KML layer has are in use, where a CSV file keeps its geometry.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import pyogrio

from libs.spatial_utils import vector_shapefile
from libs.spatial_utils.vector_csv import look_at_rows, notes_on_choice
from libs.spatial_utils.vector_days import refuse_impossible_days
from libs.spatial_utils.vector_drivers import (
    GML_BOX_ATTRIBUTES,
    WKT_COLUMNS,
    XY_COLUMNS,
    Reading,
)
from libs.spatial_utils.vector_encoding import shapefile_encoding
from libs.spatial_utils.vector_gdal import GdalMessages, gdal_batches, gdal_layer
from libs.spatial_utils.vector_geopackage import MisfitSearch, refuse_lost_columns
from libs.spatial_utils.vector_gml import schema_without_geometry_types
from libs.spatial_utils.vector_json_ids import feature_ids
from libs.spatial_utils.vector_kml import unset_columns
from libs.spatial_utils.vector_literals import (
    coordinate_that_is_no_number,
    impossible_date,
    integer_beyond_64_bits,
)
from libs.spatial_utils.vector_shapefile_numbers import exact_numbers
from libs.spatial_utils.vector_text import look_at_json, refuse_cut_lines, refuse_cut_table
from libs.spatial_utils.vector_times import notes_on_times
from libs.spatial_utils.vector_wire import FileProblemError, Request

_ZONED = r"(Z|[+-]\d\d(:?\d\d)?)$"
_NO_NAIVE_TIMES = frozenset({"GPKG", "ESRI Shapefile"})
"""Drivers that have no times without a zone: always UTC in the one, only dates in the other."""
_TEXT_WITH_TIMES = frozenset({"CSV", "GeoJSON", "GeoJSONSeq", "GML"})


@dataclass(frozen=True)
class Prescan:
    """How the layer is to be opened and what its columns are."""

    arguments: dict[str, object] = field(default_factory=dict)
    """For pyogrio's `open_arrow`: open options of the driver among them."""
    dropped: frozenset[str] = frozenset()
    """Columns that are not the file's own, or are its geometry."""
    types: dict[str, pa.DataType] = field(default_factory=dict)
    """Types of those columns that come as others: times as text, integers as shorter ones."""
    source_of_geometry: tuple[str, ...] = ()
    """CSV: the WKT column, or those of x and y."""
    keeps_fids: str | None = None
    """The name of the feature ids' column; None: they are not read. See `vector_columns`."""
    ids: Callable[[], pa.Array] | None = None
    """Reads these ids, one for each feature, where GDAL makes others of them."""
    notes: tuple[str, ...] = ()
    afterwards: Callable[[int], None] | None = None
    """Given how many geometries came, raises `FileProblemError` for what else was found."""


def prescan(
    request: Request, reading: Reading, layer: str | None, messages: GdalMessages
) -> Prescan:
    """Look at the file as far as its format needs it."""
    known = Prescan(arguments=dict(reading.options))
    if reading.driver in _SPECIALS:
        with messages.translated():
            known = _SPECIALS[reading.driver](request, known)
    look = _Look(request.path, layer, messages, known.arguments)
    known = _feature_ids(look, reading, known)
    if reading.driver == "LIBKML":
        known = replace(known, dropped=frozenset(_unused(look)))
    if reading.driver == "GPKG" and layer is not None:
        refuse_lost_columns(request.path, layer, look.names())
        known = replace(known, afterwards=MisfitSearch(request.path, layer).finish)
    if reading.driver not in _NO_NAIVE_TIMES:
        schema, _ = look.schema()
        known = _with_zones(look, schema, known)
        if reading.driver in _TEXT_WITH_TIMES:
            told = notes_on_times(request.path, schema, reading.driver, look.texts)
            known = replace(known, notes=(*known.notes, *told))
    return known


@dataclass(frozen=True)
class _Look:
    path: str
    layer: str | None
    messages: GdalMessages
    arguments: dict[str, object]

    def schema(self) -> tuple[pa.Schema, dict[str, Any]]:
        with gdal_layer(
            self.path, self.messages, {"layer": self.layer, **self.arguments}
        ) as opened:
            meta, reader = opened
            return reader.schema, meta

    def names(self) -> set[str]:
        """All that GDAL hands out: attributes, the geometry, the feature ids."""
        schema, meta = self.schema()
        return {*schema.names, meta["geometry_name"] or "", meta["fid_column"] or ""}

    def columns(self, names: list[str]) -> Iterator[pa.RecordBatch]:
        """Only these attributes, times as text."""
        arguments = {
            **self.arguments,
            "layer": self.layer,
            "columns": names,
            "read_geometry": False,
            "datetime_as_string": True,
        }
        with gdal_layer(self.path, self.messages, arguments) as (_, reader):
            yield from gdal_batches(reader, self.messages)

    def texts(self, names: list[str]) -> Iterator[pa.RecordBatch]:
        """Columns of a CSV file, as the texts that stand there."""
        plain = {**self.arguments, "AUTODETECT_TYPE": "NO"}
        yield from replace(self, arguments=plain).columns(names)

    def feature_ids_count_rows(self) -> bool:
        """Whether they are 0, 1, 2, ... or 1, 2, 3, ... without a gap: nobody can miss them."""
        arguments = {**self.arguments, "layer": self.layer, "columns": [], "return_fids": True}
        expected: int | None = None
        with gdal_layer(self.path, self.messages, {**arguments, "read_geometry": False}) as (
            _,
            reader,
        ):
            for batch in gdal_batches(reader, self.messages):
                ids = batch.column(0).to_numpy()
                if not len(ids):
                    continue
                expected = int(ids[0]) if expected is None and ids[0] in (0, 1) else expected
                if expected is None or (ids != np.arange(expected, expected + len(ids))).any():
                    return False
                expected += len(ids)
        return True


def _shapefile(request: Request, known: Prescan) -> Prescan:
    vector_shapefile.refuse_misfits(request.path)
    encoding, note = shapefile_encoding(request.path)
    if encoding is not None:
        known = replace(
            known,
            arguments={**known.arguments, "ENCODING": encoding},
            notes=(*known.notes, *([note] if note else [])),
        )
    options, types = exact_numbers(request.path, known.arguments)
    return replace(known, arguments={**known.arguments, **options}, types=types)


def _csv(request: Request, known: Prescan) -> Prescan:
    refuse_cut_table(request.path)
    known = _csv_types(request, known)
    names = [str(name) for name in pyogrio.read_info(request.path, HEADERS="YES")["fields"]]
    known = replace(known, notes=(*known.notes, *look_at_rows(request.path, names)))
    by_lower = {name.lower(): name for name in reversed(names)}
    known = replace(known, notes=(*known.notes, *notes_on_choice(by_lower)))
    wkt = next((by_lower[name] for name in WKT_COLUMNS if name in by_lower), None)
    if wkt is not None:
        return replace(
            known,
            arguments={**known.arguments, "GEOM_POSSIBLE_NAMES": wkt},
            dropped=frozenset({wkt}),
            source_of_geometry=(wkt,),
        )
    pair = next(((x, y) for x, y in XY_COLUMNS if x in by_lower and y in by_lower), None)
    if pair is None:
        raise FileProblemError(
            f"no column of it is a geometry; its columns are {', '.join(map(repr, names[:30]))}.",
            "Call the WKT column `WKT`, or those of the coordinates `x` and `y` (or `lon`, `lat`).",
        )
    x, y = (by_lower[name] for name in pair)
    return replace(
        known,
        arguments={**known.arguments, "X_POSSIBLE_NAMES": x, "Y_POSSIBLE_NAMES": y},
        source_of_geometry=(x, y),
    )


def _csv_types(request: Request, known: Prescan) -> Prescan:
    """Types are GDAL's guess, unless that would change values: then all columns stay text."""
    odd = integer_beyond_64_bits(request.path) or impossible_date(request.path)
    if odd is None:
        return known
    note = f"All columns stay text, since {odd} is no integer of 64 bits and no date."
    arguments = {**known.arguments, "AUTODETECT_TYPE": "NO"}
    return replace(known, arguments=arguments, notes=(*known.notes, note))


def _gml(request: Request, known: Prescan) -> Prescan:
    schema = schema_without_geometry_types(request.path)
    arguments = {**known.arguments, **({"XSD": schema} if schema else {})}
    return replace(known, arguments=arguments, dropped=GML_BOX_ATTRIBUTES)


def _json(request: Request, known: Prescan) -> Prescan:
    if coordinate_that_is_no_number(request.path):
        raise FileProblemError(
            "a coordinate in it is NaN or Infinity, which JSON does not know.",
            "Repair or remove the feature, and export the file anew.",
        )
    known = replace(known, notes=(*known.notes, *look_at_json(request.path)))
    odd = impossible_date(request.path)
    if odd is None:
        return known
    note = f"Dates stay text, since {odd} is in no calendar."
    arguments = {**known.arguments, "DATE_AS_STRING": "YES"}
    return replace(known, arguments=arguments, notes=(*known.notes, note))


def _json_lines(request: Request, known: Prescan) -> Prescan:
    refuse_cut_lines(request.path)
    return _json(request, known)


_SPECIALS: dict[str, Callable[[Request, Prescan], Prescan]] = {
    "ESRI Shapefile": _shapefile,
    "CSV": _csv,
    "GML": _gml,
    "GeoJSON": _json,
    "GeoJSONSeq": _json_lines,
}


def _feature_ids(look: _Look, reading: Reading, known: Prescan) -> Prescan:
    """Ids that a file gives its features are data; a row's mere number is not."""
    if reading.driver in ("GeoJSON", "GeoJSONSeq"):
        return replace(
            known,
            arguments={**known.arguments, "return_fids": True},
            keeps_fids="id",
            ids=partial(feature_ids, look.path),
        )
    if not reading.own_row_numbers:
        return known
    _, meta = look.schema()
    name = str(meta["fid_column"])
    if name.lower() in reading.own_row_numbers and look.feature_ids_count_rows():
        return replace(
            known, notes=(*known.notes, f"The row numbers in {name!r} were not taken over.")
        )
    return replace(known, arguments={**known.arguments, "return_fids": True}, keeps_fids=name)


def _unused(look: _Look) -> set[str]:
    schema, _ = look.schema()
    unset = unset_columns()
    unused = {name for name in unset if name in schema.names}
    for batch in look.columns(sorted(unused)):
        for name in sorted(unused):
            values = set(batch.column(name).to_pylist())
            if values - {None, unset[name]}:
                unused.discard(name)
    return unused


def _with_and_without_zone(column: pa.Array) -> tuple[bool, bool]:
    """Whether some texts of times end in a zone, and whether some do not."""
    import pyarrow.compute as pc  # late: a tenth of the child's start, and few files need it

    told = pc.match_substring_regex(column, _ZONED)
    return bool(pc.any(told).as_py()), bool(pc.any(pc.invert(told)).as_py())


def _with_zones(look: _Look, schema: pa.Schema, known: Prescan) -> Prescan:
    """Find out which times have a zone; those that all have one become moments in UTC."""
    naive = [
        item.name
        for item in schema
        if pa.types.is_timestamp(item.type)
        and item.type.tz is None
        and item.name not in known.dropped
    ]
    zoned, bare = (set[str](), set[str]())
    for batch in look.columns(naive) if naive else ():
        for name in naive:
            refuse_impossible_days(name, batch.column(name))
            with_zone, without = _with_and_without_zone(batch.column(name))
            zoned |= {name} if with_zone else set()
            bare |= {name} if without else set()
    if not zoned:
        return known
    times = {item.name: item.type for item in schema if pa.types.is_timestamp(item.type)} | {
        name: pa.timestamp("ms", "UTC") for name in zoned - bare
    }
    mixed = sorted(zoned & bare)
    notes = [f"Column {name!r} has times with and without a zone: kept as text." for name in mixed]
    return replace(
        known,
        arguments={**known.arguments, "datetime_as_string": True},
        types={name: kind for name, kind in times.items() if name not in mixed},
        notes=(*known.notes, *notes),
    )
