"""The names of a GeoParquet file's own columns, and its `geo` entry. Writes no file."""

from __future__ import annotations

import json

import pyarrow as pa

from libs.models import CRS
from libs.spatial_utils.geoparquet_geometry import GeometrySummary

GEOPARQUET_VERSION = "1.1.0"

_GEOMETRY_NAMES = ("geometry", "geom")
_BOX_NAMES = ("bbox",)
_BOX_TYPE = pa.struct([(side, pa.float64()) for side in ("xmin", "ymin", "xmax", "ymax")])


def feature_schema(attributes: pa.Schema) -> pa.Schema:
    """The schema of a file: the attributes in their order, then the geometry (WKB), then its box.

    The geometry is called `geometry` and the box `bbox`, or where an attribute has that name, in
    upper or lower case, by the first that is free: `geom`, `geometry_1`, …; `bbox_1`, ….
    """
    taken = {name.casefold() for name in attributes.names}
    return pa.schema(
        [
            *attributes,
            pa.field(_free_name(_GEOMETRY_NAMES, taken), pa.binary()),
            pa.field(_free_name(_BOX_NAMES, taken), _BOX_TYPE),
        ]
    )


def _free_name(wanted: tuple[str, ...], taken: set[str]) -> str:
    numbered = (f"{wanted[0]}_{number}" for number in range(1, len(taken) + 2))
    return next(name for name in (*wanted, *numbered) if name not in taken)


def geo_metadata(schema: pa.Schema, crs: CRS | None, summary: GeometrySummary) -> bytes:
    """The `geo` entry as JSON; always the same for the same input."""
    geometry, box = schema.names[-2:]
    column: dict[str, object] = {
        "encoding": "WKB",
        "geometry_types": _types_as_specified(summary),
        "crs": _projjson(crs),
        "edges": "planar",
        "covering": {"bbox": {field.name: [box, field.name] for field in _BOX_TYPE}},
    }
    if summary.bounds is not None:
        column["bbox"] = list(summary.bounds.xyxy)
    document = {
        "version": GEOPARQUET_VERSION,
        "primary_column": geometry,
        "columns": {geometry: column},
    }
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def _types_as_specified(summary: GeometrySummary) -> list[str]:
    """GeoParquet 1.1 has no names for M values. They stay in the WKB; the types are then unknown,
    which the specification writes as an empty list, rather than named wrongly."""
    return [] if summary.has_measures else list(summary.geometry_types)


def _projjson(crs: CRS | None) -> object:
    """PROJJSON; null: not known. Coordinates are x, y all the same: the specification says so."""
    if crs is None:
        return None
    import pyproj

    return pyproj.CRS.from_user_input(crs.code or crs.wkt).to_json_dict()
