"""Metadata shaped after ISO 19115-1:2014 (and 19115-2 for lineage); names are the standard's.

A projection of the standard, not all of it: what the platform can fill from the data itself.
"""

from __future__ import annotations

from libs.models.base import ContentHash, Frozen, Moment
from libs.models.changes import StepRecord
from libs.models.geo import CRS, GeographicExtent


class ResponsibleParty(Frozen):
    """CI_Responsibility."""

    name: str
    role: str
    """A CI_RoleCode: `originator`, `processor`, …"""


class Identification(Frozen):
    """MD_DataIdentification."""

    title: str
    identifier: str
    """The asset's ledger id."""
    edition: str
    """The dataset's version."""
    abstract: str
    keywords: tuple[str, ...] = ()
    spatial_representation_type: str
    """MD_SpatialRepresentationTypeCode: `vector` or `grid`."""
    point_of_contact: ResponsibleParty


class Extent(Frozen):
    """EX_Extent; no box for empty data."""

    geographic: GeographicExtent | None


class VectorRepresentation(Frozen):
    """MD_VectorSpatialRepresentation."""

    geometry_types: tuple[str, ...]
    """As GeoParquet names them: `Polygon`, `MultiPolygon Z`, …"""
    object_count: int


class GridRepresentation(Frozen):
    """MD_Georectified, as far as GDAL tells."""

    columns: int
    rows: int
    cell_size_x: float
    """Units of the CRS per column."""
    cell_size_y: float
    """Units of the CRS per row, positive."""
    band_count: int


class LineageSource(Frozen):
    """LI_Source."""

    description: str
    reference: str
    """Its URI when it was read."""
    sha256: ContentHash


class Lineage(Frozen):
    """LI_Lineage."""

    statement: str
    sources: tuple[LineageSource, ...]
    process_steps: tuple[StepRecord, ...]


class Distribution(Frozen):
    """MD_Distribution."""

    format: str
    online_resource: str
    """The object's s3:// URI."""
    transfer_size_bytes: int


class Maintenance(Frozen):
    """MD_MaintenanceInformation."""

    update_frequency: str = "asNeeded"
    note: str = "Each change is a new version; no version is ever overwritten."


class Iso19115(Frozen):
    """MD_Metadata."""

    metadata_standard: str = "ISO 19115-1:2014"
    date_stamp: Moment
    contact: ResponsibleParty
    identification: Identification
    extent: Extent
    reference_system: CRS | None
    vector_representation: VectorRepresentation | None = None
    grid_representation: GridRepresentation | None = None
    lineage: Lineage
    distribution: Distribution
    maintenance: Maintenance = Maintenance()
