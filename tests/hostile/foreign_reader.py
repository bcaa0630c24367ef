"""What pyogrio, GeoPandas and rasterio find in a foreign file, and how a committed asset differs.

No code of the platform reads anything here.
"""

from __future__ import annotations

import datetime
import json
import math
import warnings
from dataclasses import dataclass
from pathlib import Path

import geopandas
import numpy as np
import pandas
import pyogrio
import pyproj
import rasterio
import shapely

from libs.models import AssetKind
from libs.models.formats import InputFormat
from tests.hostile.foreign import CODES

DEGREES = 1e-7
"""A centimetre: PROJ's versions differ by less, unless they take another operation."""
CURVE_SHARE = 1e-3
"""Of a curve's extent: the reader makes lines of 4 degrees of it, the recipe finer ones."""


@dataclass(frozen=True)
class Foreign:
    """A valid file, and what a user says of it."""

    path: Path
    form: InputFormat
    crs: str
    layer: str | None
    rows: geopandas.GeoDataFrame | None = None

    @property
    def side_files(self) -> list[Path]:
        """Those that belong to it."""
        endings = self.form.side_files
        beside = self.path.parent.iterdir() if endings else ()
        return [
            item
            for item in sorted(beside)
            if item.stem == self.path.stem and item.suffix.lower() in endings
        ]

    def difference(self, committed: Path) -> str:
        """Empty when the asset holds the same."""
        if self.form.kind is AssetKind.RASTER:
            return _raster_difference(_gdal_name(self.path, self.layer), committed)
        return _vector_difference(
            self.rows, geopandas.read_parquet(committed), may_curve=_may_curve(self.path)
        )


def read(path: Path, form: InputFormat) -> Foreign | None:
    """None: the independent reader does not read it, or finds nothing spatial in it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return _raster(path, form) if form.kind is AssetKind.RASTER else _vector(path, form)
        except Exception:  # noqa: BLE001  whatever the independent reader says, it says no
            return None


def _vector(path: Path, form: InputFormat) -> Foreign | None:
    if form.driver == "Parquet":
        rows = geopandas.read_parquet(path)
        return Foreign(path, form, _code(rows.crs) or "OGC:CRS84", None, _in_degrees(rows))
    source = f"/vsizip/{path}" if path.suffix == ".zip" else path
    layers = [name for name, kind in pyogrio.list_layers(source) if kind is not None]
    if not layers:
        return None
    several = len(pyogrio.list_layers(source)) > 1
    # The platform finds out the types of a CSV file's columns; GDAL does it when it is asked to.
    options = {"AUTODETECT_TYPE": "YES"} if form.driver == "CSV" else {}
    rows = geopandas.read_file(source, layer=layers[0], engine="pyogrio", **options)
    if rows.crs is None:
        rows = rows.set_crs(form.fixed_crs or _guess(rows))
    known = CODES.get(path.name)
    if known:
        rows = rows.set_crs(known, allow_override=True)
    if form.driver == "CSV":  # the column that the geometries were made of
        rows = rows.drop(columns=[name for name in rows.columns if name.upper() == "WKT"])
    code = known or _code(rows.crs) or "EPSG:4326"
    return Foreign(path, form, code, layers[0] if several else None, _in_degrees(rows))


def _guess(rows: geopandas.GeoDataFrame) -> str:
    west, south, east, north = rows.total_bounds
    fits = west >= -180 and east <= 180 and south >= -90 and north <= 90
    return "EPSG:4326" if fits else "EPSG:3857"


def _code(crs: pyproj.CRS | None) -> str | None:
    if crs is None:
        return None
    known = pyproj.CRS.from_user_input(crs)
    found = known.to_authority() or known.to_authority("EPSG", min_confidence=25)
    return ":".join(found) if found else None


def _in_degrees(rows: geopandas.GeoDataFrame) -> geopandas.GeoDataFrame:
    return rows.to_crs("EPSG:4326")


def _raster(path: Path, form: InputFormat) -> Foreign | None:
    with rasterio.open(path) as source:
        names = [name.rsplit(":", 1)[-1] for name in source.subdatasets]
    layer = names[0] if names else None
    with rasterio.open(_gdal_name(path, layer)) as source:
        source.read(1)
        code = _code(pyproj.CRS.from_wkt(source.crs.to_wkt())) if source.crs else None
    return Foreign(path, form, CODES.get(path.name) or code or "EPSG:4326", layer)


def _gdal_name(path: Path, layer: str | None) -> str:
    return str(path) if layer is None else f'NETCDF:"{path}":{layer}'


def _raster_difference(source: str, committed: Path) -> str:
    with rasterio.open(source) as one, rasterio.open(committed) as other:
        for what in ("count", "width", "height", "dtypes"):
            if getattr(one, what) != getattr(other, what):
                return f"{what}: {getattr(one, what)} became {getattr(other, what)}"
        if not np.array_equal(_numbers(one.nodatavals), _numbers(other.nodatavals), equal_nan=True):
            return f"nodata: {one.nodatavals} became {other.nodatavals}"
        a, b = one.read(), other.read()
        equal = np.array_equal(a, b, equal_nan=a.dtype.kind in "fc")
        if not equal:
            return f"pixels: {int((a != b).sum())} of {a.size} differ"
        if not one.transform.almost_equals(other.transform, 1e-9):
            return f"grid: {tuple(one.transform)} became {tuple(other.transform)}"
    return ""


def _numbers(values: tuple) -> np.ndarray:
    return np.array([math.inf if value is None else value for value in values], float)


def _may_curve(path: Path) -> bool:
    """Whether a text names curves; the reader cannot say so once it has made lines of them."""
    text = path.read_bytes().upper() if path.suffix in (".gml", ".csv") else b""
    return any(word in text for word in (b"CURVE", b"CIRCULARSTRING", b"ARC"))


def _vector_difference(
    rows: geopandas.GeoDataFrame, other: geopandas.GeoDataFrame, *, may_curve: bool
) -> str:
    if len(rows) != len(other):
        return f"{len(rows)} rows became {len(other)}"
    names = [name for name in rows.columns if name != rows.geometry.name]
    lost = [name for name in names if name not in other.columns]
    if lost:
        return f"columns lost: {lost}"
    nested = {name for name in names if any(isinstance(v, dict | list) for v in rows[name])}
    groups: dict[tuple, list] = {}
    for key, geometry in _keyed(other, names, nested):
        groups.setdefault(key, []).append(geometry)
    for at, (key, geometry) in enumerate(_keyed(rows, names, nested)):
        same = groups.get(key)
        if not same:
            return f"row {at}: no committed row has the values {str(key)[:300]}"
        match = next(
            (
                i
                for i, item in enumerate(same)
                if _is_same(geometry, item) or (may_curve and _is_same_curve(geometry, item))
            ),
            None,
        )
        if match is None:
            return f"row {at}: geometry {str(geometry)[:120]} became {str(same[0])[:120]}"
        del same[match]
    return ""


def _keyed(rows: geopandas.GeoDataFrame, names: list[str], nested: set[str]):
    values = [
        [_as_json(value) if name in nested else _plain(value) for value in rows[name]]
        for name in names
    ]
    keys = list(zip(*values, strict=True)) if values else [()] * len(rows)
    return zip(keys, rows.geometry, strict=True)


def _as_json(value: object) -> object:
    """Of a column that holds JSON: as text in one reader, as its content in the other."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            return value
    return _plain(value)


def _plain(value: object) -> object:
    """One form for the same value, whatever type the reader gave it."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, list | dict | tuple | np.ndarray):
        return json.dumps(value, default=lambda item: item.tolist(), sort_keys=True)
    if pandas.isna(value):
        return None
    if isinstance(value, datetime.date):
        moment = pandas.Timestamp(value)
        return (moment.tz_convert("UTC").tz_localize(None) if moment.tzinfo else moment).isoformat()
    return value


def _is_same(one, other) -> bool:
    if one is None or other is None:
        return one is None and other is None
    if one.is_empty or other.is_empty:
        return one.is_empty and other.is_empty and one.geom_type == other.geom_type
    if one.geom_type == other.geom_type and one.has_z == other.has_z:
        a, b = (shapely.get_coordinates(item, include_z=one.has_z) for item in (one, other))
        if a.shape == b.shape:
            return bool(np.allclose(a, b, rtol=1e-12, atol=DEGREES, equal_nan=True))
    return False


def _is_same_curve(one, other) -> bool:
    west, south, east, north = one.bounds
    near = CURVE_SHARE * math.hypot(east - west, north - south)
    return one.geom_type == other.geom_type and one.hausdorff_distance(other) <= near
