"""Opens a layer with GDAL, inside the child, as Arrow batches that say what the file says.

Which driver may do it was settled by `vector_child`; Parquet files are `vector_parquet`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyogrio

from libs.spatial_utils.vector_columns import ColumnPlan, plan_columns
from libs.spatial_utils.vector_drivers import READINGS, Reading
from libs.spatial_utils.vector_gdal import GdalMessages, gdal_batches, gdal_layer
from libs.spatial_utils.vector_layer import OpenLayer
from libs.spatial_utils.vector_prescan import Prescan, prescan
from libs.spatial_utils.vector_wire import FileProblemError, Request
from libs.spatial_utils.vector_xml import XmlLook, look_at_xml

_NO_FID_COLUMN = "OGC_FID"
"""What pyogrio calls the feature ids of a layer that has no column for them."""


@contextmanager
def open_ogr(request: Request) -> Iterator[OpenLayer]:
    """Raises `FileProblemError` for a file that is not what it should be, at any time."""
    reading = READINGS[request.format]
    messages = GdalMessages(request.path)
    with messages.gathered(), ExitStack() as stack:
        seen = _seen_before_gdal(request)
        choice = _choose_layer(request, reading, messages)
        crs, crs_notes = _crs_of_gml(seen, choice.name, messages)
        known = prescan(request, reading, choice.name, messages)
        meta, reader = stack.enter_context(
            gdal_layer(request.path, messages, {**known.arguments, "layer": choice.name})
        )
        first, batches = _peeked(gdal_batches(reader, messages))
        plan = plan_columns(reader.schema, known, meta, first)
        yield OpenLayer(
            name=choice.name or Path(request.path).stem,
            layers=choice.layers,
            crs=crs or meta["crs"],
            geometry_type=meta["geometry_type"],
            geometry_name=meta["geometry_name"] or None,
            geometry_index=plan.geometry_index,
            fid_column=None if meta["fid_column"] == _NO_FID_COLUMN else meta["fid_column"],
            encoding=meta["encoding"],
            feature_count=_cheap_count(request, reading, choice.name, messages),
            reader={"GDAL (vector reader)": pyogrio.__gdal_version_string__},
            schema=plan.schema,
            batches=_converted(plan, batches, known),
            notes=(
                *_unread_prj(request, meta["crs"]),
                *seen.notes,
                *choice.notes,
                *crs_notes,
                *(seen.gml.attributes.lost(choice.name, reader.schema.names) if seen.gml else ()),
                *known.notes,
                *plan.notes,
            ),
            late_notes=lambda: [*plan.late_notes, *messages.notes()],
        )


def _seen_before_gdal(request: Request) -> XmlLook:
    """XML is looked at first: GDAL's parsers are silent about much, or speak in riddles."""
    if request.format not in ("GML", "KML"):
        return XmlLook()
    return look_at_xml(request.path, is_gml=request.format == "GML")


def _crs_of_gml(
    seen: XmlLook, layer: str | None, messages: GdalMessages
) -> tuple[str | None, tuple[str, ...]]:
    """What geometries say that GDAL makes nothing of; None: nothing beyond what GDAL says."""
    if seen.gml is None:
        return None, ()
    with messages.translated():
        return seen.gml.srs_names.of_layer(layer)


def _unread_prj(request: Request, crs: str | None) -> tuple[str, ...]:
    """GDAL passes over a .prj that it cannot make out, as if there were none."""
    beside = Path(request.path).with_suffix(".prj")
    if crs is not None or request.format != "ESRI Shapefile" or not beside.is_file():
        return ()
    return ("The .prj file says no reference system that GDAL knows: the declared one was taken.",)


@dataclass(frozen=True)
class _Choice:
    name: str | None
    """None: the file's only layer."""
    layers: tuple[str, ...]
    notes: tuple[str, ...] = ()


def _choose_layer(request: Request, reading: Reading, messages: GdalMessages) -> _Choice:
    if reading.single_layer and request.layer is None:
        return _Choice(None, (Path(request.path).stem,))
    with messages.translated():
        listed = pyogrio.list_layers(request.path).tolist()
    names = tuple(str(name) for name, _ in listed)
    spatial = [str(name) for name, geometry in listed if geometry is not None]
    if request.layer is not None:
        return _named_layer(request.layer, names)
    only = names[0] if len(names) == 1 else spatial[0] if len(spatial) == 1 else None
    if only is None:
        raise FileProblemError(
            f"it has {len(names)} layers: {_listed(names)}." if names else "it has no layer.",
            "Name the one that is meant in `layer` of the manifest's entry."
            if names
            else "Export it anew, with a layer of features.",
        )
    others = [name for name in names if name != only]
    note = f"Tables without geometry were left aside: {_listed(others)}."
    return _Choice(only, names, (note,) if others else ())


def _named_layer(wanted: str, names: tuple[str, ...]) -> _Choice:
    if wanted not in names:
        raise FileProblemError(
            f"it has no layer {wanted!r}; its layers are: {_listed(names)}.",
            "Correct `layer` in the manifest's entry.",
        )
    return _Choice(wanted, names)


def _listed(names: tuple[str, ...] | list[str]) -> str:
    shown = ", ".join(map(repr, names[:30]))
    return shown if len(names) <= 30 else f"{shown} and {len(names) - 30} more"


def _cheap_count(
    request: Request, reading: Reading, layer: str | None, messages: GdalMessages
) -> int | None:
    if not reading.counts_cheaply:
        return None
    with messages.translated():
        count = int(pyogrio.read_info(request.path, layer=layer)["features"])
    return count if count >= 0 else None


def _peeked(
    batches: Iterator[pa.RecordBatch],
) -> tuple[pa.RecordBatch | None, Iterator[pa.RecordBatch]]:
    """The first batch, and all of them: some columns cannot be judged by the schema alone."""
    first = next(batches, None)

    def again() -> Iterator[pa.RecordBatch]:
        if first is not None:
            yield first
            yield from batches

    return first, again()


def _converted(
    plan: ColumnPlan, batches: Iterator[pa.RecordBatch], known: Prescan
) -> Callable[[], Iterator[pa.RecordBatch]]:
    def read() -> Iterator[pa.RecordBatch]:
        yield from map(plan.convert, batches)
        if known.afterwards is not None:
            known.afterwards(plan.geometries)

    return read
