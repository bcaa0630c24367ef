"""What the reader is given, and what it knows of a layer at both ends of its stream."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pydantic import Field

from libs.models.base import Frozen


@dataclass(frozen=True)
class VectorSource:
    """A local file, and what the manifest says of it."""

    path: Path
    driver: str
    """The format's name in the manifest; nothing about the file itself can change it."""
    layer: str | None = None
    """Needed only where the file has several."""
    label: str | None = None
    """What errors call it; default: the file's name."""

    @property
    def name(self) -> str:
        return self.label or self.path.name


class LayerInfo(Frozen):
    """What a file says of a layer before any of its rows is read."""

    layer: str
    layers: tuple[str, ...]
    """All layers of the file."""
    crs_wkt: str | None
    """The file's own CRS, as a code or a definition; None: it says nothing."""
    geometry_type: str | None
    """As declared, which binds nobody: see `StreamEnd.geometry_types` for what came."""
    geometry_name: str | None
    """The geometry column's name in the file; None: the format has none."""
    geometry_index: int | None
    """Which column of the stream is the geometry; None: the layer has none."""
    fid_column: str | None
    encoding: str | None
    feature_count: int | None = Field(default=None, ge=0)
    """As the file's header has it; None: it has no such number."""
    reader: dict[str, str]
    """The library that reads the file, with its version: `{"GDAL (vector reader)": "3.12.1"}`."""
    notes: tuple[str, ...] = ()
    """What was left aside, guessed or warned of: complete once the stream has ended."""


class StreamEnd(Frozen):
    """What only the whole stream tells."""

    row_count: int = Field(ge=0)
    geometry_types: tuple[str, ...]
    """The outermost types of all geometries, as GeoParquet names them; null ones have none."""
    rows_with_curves: int = Field(ge=0)
    """Rows whose geometry is a curve or made of curves; those inside collections are not seen."""
    notes: tuple[str, ...] = ()
