"""What a loaded layer looks like in PostGIS: which column carries which attribute. No I/O."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pyarrow as pa
from pydantic import ConfigDict, Field

from libs.compute.carriers import Carrier, carrier_of, settled_type
from libs.errors import InputError
from libs.models import Frozen, RunSchema

GEOMETRY_COLUMN = "geom"
ROW_ID_COLUMN = "rid"
ROUNDNESS_COLUMN = "__roundness"
MAX_ATTRIBUTES = 1590
"""PostgreSQL's limit of 1600 columns, less ours and some that steps may add."""

WORTH_MORE_CORES_BYTES = 2 * 2**20
"""From here on another process of the server helps. It takes 30 ms to start, most of them to load
PostGIS: two cores save as much with 10,000 polygons, of 4 MB, and more cores with fewer."""

_READER_KEYS = (b"PARQUET:",)
"""Field metadata that tells about the file it was read from, and nothing about the data."""


class LoadedTable(Frozen):
    """A layer in a run's schema: `rid` (row number from 0 in file order), `geom`, `c0`, `c1`, ….

    Names and Arrow types of the attributes are kept here, so that any name comes out as it went in.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    run_schema: RunSchema
    table: str
    row_count: int = Field(ge=0)
    size_bytes: int = Field(ge=0)
    """Of the rows on their way into PostGIS."""
    geometry_column: str = GEOMETRY_COLUMN
    source_geometry_name: str
    """The geometry column's name in the source."""
    roundness_column: str | None = None
    """How round its polygons are, where that is known: see `libs.spatial_utils.roundness`."""
    attributes: pa.Schema
    """The attributes as they come out again: original names, types, nullability, in their order."""

    @property
    def attribute_columns(self) -> tuple[str, ...]:
        """The internal names, in the order of `attributes`."""
        return tuple(f"c{index}" for index in range(len(self.attributes)))

    @property
    def is_worth_more_cores(self) -> bool:
        """Whether statements about it, and tables that descend from it, should run on several."""
        return self.size_bytes >= WORTH_MORE_CORES_BYTES


class Layout:
    """Which column of an Arrow stream goes where; made before any row moves.

    Raises:
        InputError: no geometry, too many columns, two columns of one name, a type without a home.
    """

    def __init__(self, source: pa.Schema, geometry_index: int | None) -> None:
        if geometry_index is None:
            raise InputError.of("layer", "has no geometry.", "Name a layer that has one.")
        self.geometry_index = geometry_index
        self.source_geometry_name = source.field(geometry_index).name
        self.attribute_indices = [i for i in range(len(source)) if i != geometry_index]
        fields = [source.field(index) for index in self.attribute_indices]
        _refuse_what_does_not_fit(fields)
        self.attributes = pa.schema([_settled(field) for field in fields])
        self.carriers = carriers_of(self.attributes)

    def columns(self) -> Iterator[tuple[str, str, str]]:
        """Internal name, PostgreSQL type and original name of each attribute."""
        for index, (field, carrier) in enumerate(zip(self.attributes, self.carriers, strict=True)):
            yield f"c{index}", carrier.sql_type, field.name


def carriers_of(attributes: pa.Schema) -> tuple[Carrier, ...]:
    """The carrier of each attribute."""
    return tuple(carrier_of(field.type, field.name) for field in attributes)


def _settled(field: pa.Field) -> pa.Field:
    kept = {
        key: value
        for key, value in (field.metadata or {}).items()
        if not key.startswith(_READER_KEYS)
    }
    return field.with_type(settled_type(field.type)).with_metadata(kept or None)


def _refuse_what_does_not_fit(fields: list[pa.Field]) -> None:
    if len(fields) > MAX_ATTRIBUTES:
        raise InputError.of(
            "layer",
            f"has {len(fields)} attribute columns; PostgreSQL takes {MAX_ATTRIBUTES} at most.",
            "Split the layer into narrower ones.",
        )
    twice = [name for name, count in Counter(field.name for field in fields).items() if count > 1]
    if twice:
        raise InputError.of(
            "layer",
            f"has more than one column named {', '.join(map(repr, sorted(twice)))}.",
            "Give each column a name of its own.",
        )
