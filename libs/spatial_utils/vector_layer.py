"""One open layer inside the child: what both ways of reading, GDAL and Parquet, hand over."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pyarrow as pa

from libs.spatial_utils.vector_wire import FileProblemError


@dataclass(frozen=True)
class OpenLayer:
    """A layer whose batches can be read once."""

    name: str
    layers: tuple[str, ...]
    """All layers of the file, this one among them."""
    crs: str | None
    geometry_type: str | None
    geometry_name: str | None
    geometry_index: int | None
    fid_column: str | None
    encoding: str | None
    feature_count: int | None
    reader: dict[str, str]
    """The library that reads it, with its version."""
    schema: pa.Schema
    batches: Callable[[], Iterator[pa.RecordBatch]]
    notes: tuple[str, ...] = ()
    late_notes: Callable[[], list[str]] = field(default=list)
    """What only the reading itself can tell."""

    def header(self) -> dict[str, object]:
        """As `vector_info.LayerInfo` reads it."""
        return {
            "layer": self.name,
            "layers": self.layers,
            "crs_wkt": self.crs,
            "geometry_type": self.geometry_type,
            "geometry_name": self.geometry_name,
            "geometry_index": self.geometry_index,
            "fid_column": self.fid_column,
            "encoding": self.encoding,
            "feature_count": self.feature_count,
            "reader": self.reader,
            "notes": self.notes,
        }


def refuse_twins(names: list[str]) -> None:
    """Two columns of one name cannot be told apart by anybody later."""
    twins = sorted({name for name in names if names.count(name) > 1})
    if twins:
        raise FileProblemError(
            f"more than one column is called {', '.join(map(repr, twins))}.",
            "Give each column a name of its own.",
        )
