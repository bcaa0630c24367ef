"""The formats that come in and go out, as tables; reading them is not done here."""

from __future__ import annotations

from enum import Enum

from libs.models.base import Frozen


class AssetKind(str, Enum):
    """Vector (features with attributes) or raster (cells in bands)."""

    VECTOR = "vector"
    RASTER = "raster"


class OutputFormat(str, Enum):
    """What the lake holds. The values are the formats' own names."""

    GEOPARQUET = "GeoParquet"
    COG = "COG"

    @property
    def suffix(self) -> str:
        """The file name's ending, dot included."""
        return {"GeoParquet": ".parquet", "COG": ".tif"}[self.value]

    @property
    def media_type(self) -> str:
        """The IANA media type that objects of this format carry."""
        return {
            "GeoParquet": "application/vnd.apache.parquet",
            "COG": "image/tiff; application=geotiff; profile=cloud-optimized",
        }[self.value]


class InputFormat(Frozen):
    """One row of the allow-list."""

    driver: str
    """GDAL's short name: what a manifest says in `format`."""
    kind: AssetKind
    suffixes: tuple[str, ...]
    """Endings of a file name, lower case, the first one the most usual."""
    side_files: tuple[str, ...] = ()
    """Endings of the files that belong to it and are fetched with it when they exist."""
    required_side_files: tuple[str, ...] = ()
    """Endings of side files without which attributes would be lost in silence."""
    zipped: tuple[str, ...] = ()
    """Endings under which it may come as a zip archive."""
    fixed_crs: str | None = None
    """The CRS that the format's standard prescribes when a file does not name one."""


V, R = AssetKind.VECTOR, AssetKind.RASTER

INPUT_FORMATS: dict[str, InputFormat] = {
    row.driver: row
    for row in (
        InputFormat(
            driver="ESRI Shapefile",
            kind=V,
            suffixes=(".shp",),
            side_files=(".shx", ".dbf", ".prj", ".cpg"),
            required_side_files=(".shx", ".dbf"),
            zipped=(".shp.zip", ".shz", ".zip"),
        ),
        InputFormat(driver="GPKG", kind=V, suffixes=(".gpkg",)),
        InputFormat(
            driver="GeoJSON", kind=V, suffixes=(".geojson", ".json"), fixed_crs="EPSG:4326"
        ),
        InputFormat(
            driver="GeoJSONSeq",
            kind=V,
            suffixes=(".geojsonl", ".geojsons", ".ndjson", ".ndgeojson"),
            fixed_crs="EPSG:4326",
        ),
        InputFormat(driver="FlatGeobuf", kind=V, suffixes=(".fgb",)),
        InputFormat(
            driver="Parquet", kind=V, suffixes=(".parquet", ".geoparquet"), fixed_crs="EPSG:4326"
        ),
        InputFormat(driver="KML", kind=V, suffixes=(".kml",), fixed_crs="EPSG:4326"),
        InputFormat(driver="GML", kind=V, suffixes=(".gml",), side_files=(".xsd",)),
        InputFormat(driver="CSV", kind=V, suffixes=(".csv", ".tsv")),
        InputFormat(driver="OpenFileGDB", kind=V, suffixes=(), zipped=(".gdb.zip", ".zip")),
        InputFormat(driver="GTiff", kind=R, suffixes=(".tif", ".tiff"), side_files=(".tfw",)),
        InputFormat(driver="JP2OpenJPEG", kind=R, suffixes=(".jp2", ".j2k"), side_files=(".j2w",)),
        InputFormat(driver="netCDF", kind=R, suffixes=(".nc", ".nc4")),
    )
}
"""The allow-list, by GDAL driver short name."""


def formats_of_file(name: str) -> tuple[InputFormat, ...]:
    """The formats that a file of this name can have, the likeliest first; empty: none of ours."""
    lower = name.lower()
    plain = [row for row in INPUT_FORMATS.values() if lower.endswith(row.suffixes)]
    archives = [
        (max(map(len, hits)), row)
        for row in INPUT_FORMATS.values()
        if (hits := [end for end in row.zipped if lower.endswith(end)])
    ]
    archives.sort(key=lambda pair: -pair[0])
    return (*plain, *(row for _, row in archives))
