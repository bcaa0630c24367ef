"""What `gdalinfo -json` prints, as frozen models; only the parts that the platform uses."""

from __future__ import annotations

import json

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from libs.spatial_utils.errors import UnreadableFileError


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)


class CoordinateSystem(_Part):
    """A CRS as GDAL writes it."""

    wkt: str = ""


class ControlPoints(_Part):
    """Ground control points: positions known for single pixels only."""

    count: int = 0


class ColorTable(_Part):
    """A palette."""

    entries: tuple[tuple[int, int, int, int], ...] = ()
    """Red, green, blue, alpha, 0 to 255, by pixel value."""


class Mask(_Part):
    """How the valid pixels of a band are told from the others."""

    flags: tuple[str, ...] = ()


class Overview(_Part):
    """A reduced copy of a band."""

    size: tuple[int, int]
    """Columns, rows."""


class GdalBand(_Part):
    """A band as GDAL describes it."""

    number: int = Field(alias="band")
    block: tuple[int, int]
    """Columns, rows of what is read at once."""
    type: str
    color_interpretation: str = Field(default="Undefined", alias="colorInterpretation")
    description: str = ""
    nodata: JsonValue = Field(default=None, alias="noDataValue")
    unit: str = ""
    scale: float | None = None
    offset: float | None = None
    color_table: ColorTable | None = Field(default=None, alias="colorTable")
    mask: Mask = Mask()
    overviews: tuple[Overview, ...] = ()
    metadata: dict[str, JsonValue] = {}

    @property
    def data_type(self) -> str:
        """GDAL's name of the type; `Int8` also where GDAL before 3.7 says signed Byte."""
        signed = items_of(self.metadata, "IMAGE_STRUCTURE").get("PIXELTYPE") == "SIGNEDBYTE"
        return "Int8" if signed and self.type == "Byte" else self.type


class DatasetInfo(_Part):
    """A dataset as GDAL describes it."""

    size: tuple[int, int]
    """Columns, rows."""
    coordinate_system: CoordinateSystem | None = Field(default=None, alias="coordinateSystem")
    geotransform: tuple[float, float, float, float, float, float] | None = Field(
        default=None, alias="geoTransform"
    )
    """GDAL's order: x of the origin, x per column, x per row, y of the origin, y per column, y per
    row."""
    control_points: ControlPoints | None = Field(default=None, alias="gcps")
    bands: tuple[GdalBand, ...] = ()
    metadata: dict[str, JsonValue] = {}

    @property
    def compression(self) -> str:
        """`ZSTD`, `DEFLATE`, …; `NONE` for none."""
        return items_of(self.metadata, "IMAGE_STRUCTURE").get("COMPRESSION", "NONE")

    @property
    def subdatasets(self) -> tuple[str, ...]:
        """Their names as GDAL opens them, in the file's order."""
        items = items_of(self.metadata, "SUBDATASETS")
        names = ((key.split("_"), value) for key, value in items.items() if key.endswith("_NAME"))
        return tuple(value for _, value in sorted((int(key[1]), value) for key, value in names))


def items_of(metadata: dict[str, JsonValue], domain: str) -> dict[str, str]:
    """One domain of a metadata object; the default domain is called ''."""
    items = metadata.get(domain)
    if not isinstance(items, dict):
        return {}
    return {key: value for key, value in items.items() if isinstance(value, str)}


def parse_gdalinfo(text: str, about: str) -> DatasetInfo:
    """Read gdalinfo's JSON.

    Raises:
        UnreadableFileError: the file's metadata make GDAL print something that is no such JSON.
    """
    try:
        return DatasetInfo.model_validate(json.loads(text))
    except (ValueError, ValidationError, RecursionError) as error:
        reason = str(error).splitlines()[0]
        raise UnreadableFileError(
            about,
            f"GDAL's description of it cannot be read ({reason}).",
            "Look at the output of gdalinfo -json for the file, and mend its metadata.",
        ) from error
