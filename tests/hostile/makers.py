"""Makes files that no honest program writes, for the tests of this folder."""

from __future__ import annotations

import json
import sqlite3
import struct
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import geopandas
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import rasterio
import shapely
from rasterio.transform import from_origin

SUFFIXES = {
    "ESRI Shapefile": ".shp", "GPKG": ".gpkg", "GeoJSON": ".geojson", "GeoJSONSeq": ".geojsonl",
    "FlatGeobuf": ".fgb", "Parquet": ".parquet", "KML": ".kml", "GML": ".gml", "CSV": ".csv",
    "OpenFileGDB": ".gdb.zip", "GTiff": ".tif", "JP2OpenJPEG": ".jp2", "netCDF": ".nc",
}  # fmt: skip
RASTERS = ("GTiff", "JP2OpenJPEG", "netCDF")
VECTORS = tuple(name for name in SUFFIXES if name not in RASTERS)


def frame(rows: int = 50) -> geopandas.GeoDataFrame:
    """An honest layer: points with a name and a number each."""
    numbers = np.arange(rows)
    return geopandas.GeoDataFrame(
        {"name": [f"place {n}" for n in numbers], "n": numbers},
        geometry=shapely.points(numbers % 90, numbers % 45), crs="EPSG:4326",
    )  # fmt: skip


def honest(folder: Path, driver: str, rows: int = 50, stem: str = "honest") -> list[Path]:
    """A whole file of a format and its side files, as an honest program writes them."""
    path = folder / f"{stem}{SUFFIXES[driver]}"
    if driver in RASTERS:
        return [raster(path, driver)]
    if driver == "Parquet":
        frame(rows).to_parquet(path)
    elif driver == "CSV":
        lines = [f"{row.name},{row.n},{row.geometry.x},{row.geometry.y}" for row in _rows(rows)]
        path.write_text("name,n,x,y\n" + "\n".join(lines) + "\n")
    elif driver == "OpenFileGDB":
        inner = folder / f"{stem}.gdb"
        frame(rows).to_file(inner, driver=driver, layer="places", engine="pyogrio")
        zipped(path, {f"{stem}.gdb/{part.name}": part.read_bytes() for part in inner.iterdir()})
    else:
        layer = frame(rows).rename(columns={"name": "Name"}) if driver == "KML" else frame(rows)
        layer.to_file(path, driver=driver, engine="pyogrio")
    beside = [part for part in folder.glob(f"{stem}.*") if part != path and part.is_file()]
    return [path, *sorted(beside)]


def _rows(rows: int) -> Iterable:
    return frame(rows).itertuples()


def raster(path: Path, driver: str = "GTiff", pixels: np.ndarray | None = None, **more) -> Path:
    """A small raster; JPEG 2000 and netCDF by GDAL's own program, from a GeoTIFF."""
    if pixels is None:
        pixels = np.random.default_rng(7).integers(0, 255, (64, 64), np.uint8)
    tiff = path if driver == "GTiff" else path.with_name(f"{path.stem}-source.tif")
    settings = {"crs": "EPSG:32633", "transform": from_origin(500_000, 5_000_000, 10, 10), **more}
    with rasterio.open(
        tiff, "w", driver="GTiff", count=1, height=pixels.shape[0], width=pixels.shape[1],
        dtype=pixels.dtype, **settings,
    ) as file:  # fmt: skip
        file.write(pixels, 1)
    if driver != "GTiff":
        gdal_translate(tiff, path, "-of", driver)
    return path


def gdal_translate(source: Path, target: Path, *options: str) -> None:
    """Debian's GDAL; what it says is shown only when it fails."""
    import subprocess

    subprocess.run(["gdal_translate", "-q", *options, str(source), str(target)], check=True)
    target.with_name(target.name + ".aux.xml").unlink(missing_ok=True)


def crs_of(driver: str) -> str:
    """What is declared for an honest file."""
    return "EPSG:32633" if driver in RASTERS else "EPSG:4326"


def zipped(path: Path, entries: Mapping[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return path


def shapefile_parts(folder: Path, stem: str = "s", **columns) -> dict[str, bytes]:
    """A shapefile of squares: its parts' endings, and their bytes."""
    squares = [shapely.box(n, n, n + 0.5, n + 0.5) for n in range(5)]
    layer = geopandas.GeoDataFrame({"n": range(5), **columns}, geometry=squares, crs="EPSG:4326")
    layer.to_file(folder / f"{stem}.shp", engine="pyogrio")
    return {part.suffix: part.read_bytes() for part in folder.glob(f"{stem}.*")}


def write_parts(folder: Path, parts: Mapping[str, bytes], stem: str = "s") -> list[Path]:
    """The same parts as files, the `.shp` first."""
    folder.mkdir(exist_ok=True)
    for ending, content in parts.items():
        (folder / f"{stem}{ending}").write_bytes(content)
    return sorted(
        (folder / f"{stem}{ending}" for ending in parts), key=lambda path: path.suffix != ".shp"
    )


def polygon_wkb(*rings: Sequence[tuple[float, float]]) -> bytes:
    """A polygon of exactly these vertices: closed or not, numbers or not."""
    body = b"".join(
        struct.pack("<I", len(ring)) + b"".join(struct.pack("<2d", *point) for point in ring)
        for ring in rings
    )
    return struct.pack("<BII", 1, 3, len(rings)) + body


def point_wkb(x: float, y: float) -> bytes:
    return struct.pack("<BI2d", 1, 1, x, y)


def line_wkb(*points: tuple[float, float]) -> bytes:
    return struct.pack("<BII", 1, 2, len(points)) + b"".join(struct.pack("<2d", *p) for p in points)


def geoparquet(
    path: Path, wkbs: Sequence[bytes | None], crs: object = "default", **columns: pa.Array
) -> Path:
    """GeoParquet with these very bytes as its geometries; `crs` replaces the metadata's."""
    geo = {
        "version": "1.1.0", "primary_column": "geometry",
        "columns": {"geometry": {"encoding": "WKB", "geometry_types": []}},
    }  # fmt: skip
    if crs != "default":
        geo["columns"]["geometry"]["crs"] = crs
    table = pa.table({
        "n": pa.array(range(len(wkbs)), pa.int64()), **columns,
        "geometry": pa.array(wkbs, pa.binary()),
    })  # fmt: skip
    return with_geo(path, table, json.dumps(geo).encode())


def with_geo(path: Path, table: pa.Table, geo: bytes) -> Path:
    pq.write_table(table.replace_schema_metadata({b"geo": geo}), path)
    return path


def geopackage(
    path: Path, wkbs: Sequence[bytes | None], kind: str = "Unknown", epsg: int = 4326
) -> Path:
    """A GeoPackage with these very bytes as its geometries, each behind a right header."""
    points = [shapely.Point(0, 0)] * len(wkbs)
    geopandas.GeoDataFrame({"n": range(len(wkbs))}, geometry=points, crs=f"EPSG:{epsg}").to_file(
        path, layer="layer", geometry_type=kind, engine="pyogrio", SPATIAL_INDEX="NO"
    )
    header = b"GP\0\1" + struct.pack("<i", epsg)
    with sqlite3.connect(path) as base:
        for row, wkb in enumerate(wkbs):
            blob = None if wkb is None else header + wkb
            base.execute("UPDATE layer SET geom = ? WHERE n = ?", (blob, row))
    return path


def feature_collection(features: Iterable[str]) -> str:
    return '{"type":"FeatureCollection","features":[' + ",".join(features) + "]}"


def feature(properties: str = "{}", geometry: str | None = None) -> str:
    """One GeoJSON feature as text, so that it may say what JSON writers refuse to."""
    shape = geometry or '{"type":"Point","coordinates":[1,2]}'
    return f'{{"type":"Feature","properties":{properties},"geometry":{shape}}}'


def kml(content: str, head: str = "") -> str:
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>{head}'
        f'<kml xmlns="http://www.opengis.net/kml/2.2"><Document>{content}</Document></kml>'
    )


PLACEMARK = "<Placemark><name>{}</name><Point><coordinates>1,2</coordinates></Point></Placemark>"


def gml(members: str, head: str = "", attributes: str = "") -> str:
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>{head}<ogr:FeatureCollection '
        'xmlns:ogr="http://ogr.maptools.org/" xmlns:gml="http://www.opengis.net/gml" '
        f"{attributes}>{members}</ogr:FeatureCollection>"
    )


def gml_member(name: str, geometry: str = "<gml:Point><gml:coordinates>1,2</gml:coordinates>"
               "</gml:Point>") -> str:  # fmt: skip
    return (
        "<gml:featureMember><ogr:place><ogr:geometryProperty>"
        f"{geometry}</ogr:geometryProperty><ogr:name>{name}</ogr:name></ogr:place>"
        "</gml:featureMember>"
    )
