"""How each vector format is read: tables only. Imports nothing that costs; the child reads it."""

from __future__ import annotations

from dataclasses import dataclass, field

GDAL_VECTOR_DRIVERS = (
    "MEM PCIDSK PDS4 VICAR PDF MBTiles EEDA OGCAPI GDALG|ESRI Shapefile|MapInfo File|LVBAG S57 DGN "
    "OGR_VRT CSV GML GPX LIBKML KML GeoJSON GeoJSONSeq ESRIJSON TopoJSON OGR_GMT GPKG SQLite WAsP "
    "OpenFileGDB DXF FlatGeobuf GeoRSS VFK PGDUMP OSM GPSBabel OGR_PDS WFS OAPIF EDIGEO Idrisi ODS "
    "XLSX Elasticsearch Carto AmigoCloud SXF Selafin JML PLSCENES CSW VDV MVT NGW MapML GTFS "
    "PMTiles JSONFG MiraMonVector ADBC AVCBin AVCE00 AIVector HTTP"
)
"""Every vector driver of the pinned pyogrio wheel, see `all_drivers`; a test keeps it true."""


def all_drivers() -> tuple[str, ...]:
    """The names one by one; those with a space in them stand between bars in the table."""
    before, *spaced, after = GDAL_VECTOR_DRIVERS.split("|")
    return (*before.split(), *spaced, *after.split())


@dataclass(frozen=True)
class Reading:
    """How GDAL is asked to read one format."""

    driver: str
    """GDAL's driver; for KML another than the format's name, since GDAL's plain KML driver drops
    all attributes but the name and the description."""
    options: dict[str, str] = field(default_factory=dict)
    """Open options of that driver."""
    single_layer: bool = False
    """A file of it has just one layer, so that its list need not be asked for (for GeoJSON that
    alone costs a reading of the whole file)."""
    counts_cheaply: bool = False
    """The number of features stands in the file's header or index."""
    own_row_numbers: frozenset[str] = frozenset()
    """Names of the feature id column that mean nothing but the row's number in the file, if they
    count the rows without a gap: others may be what another table refers to."""


READINGS: dict[str, Reading] = {
    "ESRI Shapefile": Reading("ESRI Shapefile", single_layer=True, counts_cheaply=True),
    "GPKG": Reading("GPKG", counts_cheaply=True, own_row_numbers=frozenset({"fid", "ogc_fid"})),
    "GeoJSON": Reading("GeoJSON", single_layer=True),
    "GeoJSONSeq": Reading("GeoJSONSeq", single_layer=True),
    "FlatGeobuf": Reading("FlatGeobuf", single_layer=True, counts_cheaply=True),
    "KML": Reading("LIBKML"),
    "GML": Reading("GML"),
    "CSV": Reading(
        "CSV",
        # Without being told, GDAL takes a header for data when a column's name is a number.
        {"AUTODETECT_TYPE": "YES", "AUTODETECT_SIZE_LIMIT": "0", "HEADERS": "YES"},
        single_layer=True,
    ),
    "OpenFileGDB": Reading(
        "OpenFileGDB", counts_cheaply=True, own_row_numbers=frozenset({"objectid"})
    ),
}
"""By the format's name in the manifest; `Parquet` is not here: GDAL never reads that."""

PARQUET = "Parquet"

WKT_COLUMNS = (
    "wkt",
    "_wkt",
    "the_geom",
    "geom",
    "geometry",
    "wkt_geom",
    "geom_wkt",
    "wkb_geometry",
)
"""Names, in any case, of a CSV column that holds WKT; the first that is there counts."""

XY_COLUMNS = (
    ("x", "y"),
    ("lon", "lat"),
    ("longitude", "latitude"),
    ("long", "lat"),
    ("lng", "lat"),
    ("easting", "northing"),
    ("x_coord", "y_coord"),
    ("coord_x", "coord_y"),
    ("point_x", "point_y"),
    ("xcoord", "ycoord"),
)
"""Pairs of names, in any case, of CSV columns that hold coordinates; x (or longitude) first."""

KML_UNSET = {
    "id": None,
    "Name": None,
    "description": None,
    "timestamp": None,
    "begin": None,
    "end": None,
    "altitudeMode": None,
    "tessellate": -1,
    "extrude": 0,
    "visibility": -1,
    "drawOrder": None,
    "icon": None,
}
"""The columns that the KML driver always adds, with what stands there when the file says nothing:
one that has nothing else in it is not a column of the file."""

GML_BOX_ATTRIBUTES = frozenset(
    f"{box}_{attribute}"
    for box in ("Envelope", "Box", "EnvelopeWithTimePeriod")
    for attribute in ("srsName", "srsDimension", "axisLabels", "uomLabels")
)
"""Columns that the GML driver makes of how a feature's box is written: not the file's own."""

LOSSES = (
    "Invalid content",
    "Invalid value type found",
    "parsed incompletely",
    "Ignoring invalid WKT",
    "out of range",
    "overflow",
    "clamped",
    "NULL geometry assigned",
    "unbalanced number of double-quotes",
    "couldn't be converted correctly",
)
"""Words of those GDAL warnings that mean: another value is handed out than stands in the file."""

CHATTER = (
    "Measured (M) geometry types are not supported",
    "GFS file saving asked, but failed",
    "Altering it to be unique",
)
"""Words of warnings that are not about what is handed out: the measures are there, as WKB, and ids
are the file's own, see `vector_json_ids`."""

GDAL_CHILD_OPTIONS = {
    "OGR_ARROW_MEM_LIMIT": str(256 * 2**20),
    "OGR_GEOJSON_MAX_OBJ_SIZE": "1024",
    "OGR_CSV_MAX_LINE_SIZE": str(256 * 2**20),
    "OGR_GPKG_NUM_THREADS": "2",
    "GML_EXPOSE_GML_ID": "YES",
    "GML_ATTRIBUTES_TO_OGR_FIELDS": "YES",
    "SHAPE_RESTORE_SHX": "NO",
    "OGR_GEOMETRY_ACCEPT_UNCLOSED_RING": "NO",
}
"""Configuration of the reading child: bytes of one batch, and the size of one feature (MB)."""
