"""The ISO 19115 record of an asset, filled from the data itself and the manifest."""

from __future__ import annotations

from libs.models import AssetDraft, AssetKind, AssetMetadata, Manifest
from libs.models.base import utc_now
from libs.models.geo import GeographicExtent
from libs.models.iso19115 import (
    Distribution,
    Extent,
    GridRepresentation,
    Identification,
    Iso19115,
    Lineage,
    LineageSource,
    ResponsibleParty,
    VectorRepresentation,
)
from libs.spatial_utils.crs import to_geographic_extent


def metadata_of(draft: AssetDraft, version: int, uri: str, manifest: Manifest) -> AssetMetadata:
    """What is said of an asset once its version and address are known."""
    return AssetMetadata(
        project=manifest.metadata.project,
        description=manifest.metadata.description,
        tags=manifest.metadata.tags,
        uploader=manifest.uploader,
        iso19115=Iso19115(
            date_stamp=utc_now(),
            contact=ResponsibleParty(name=manifest.uploader, role="pointOfContact"),
            identification=_identification(draft, version, manifest),
            extent=Extent(geographic=_extent(draft)),
            reference_system=draft.crs,
            vector_representation=_vector(draft),
            grid_representation=_grid(draft),
            lineage=_lineage(draft),
            distribution=Distribution(
                format=draft.format.value, online_resource=uri, transfer_size_bytes=draft.size_bytes
            ),
        ),
    )


def _identification(draft: AssetDraft, version: int, manifest: Manifest) -> Identification:
    return Identification(
        title=draft.dataset_id,
        identifier=draft.id,
        edition=str(version),
        abstract=manifest.metadata.description,
        keywords=manifest.metadata.tags,
        spatial_representation_type="vector" if draft.kind is AssetKind.VECTOR else "grid",
        point_of_contact=ResponsibleParty(name=manifest.uploader, role="originator"),
    )


def _extent(draft: AssetDraft) -> GeographicExtent | None:
    if draft.bounds is None or draft.crs is None:
        return None
    return to_geographic_extent(draft.bounds, draft.crs)


def _vector(draft: AssetDraft) -> VectorRepresentation | None:
    if draft.vector is None:
        return None
    return VectorRepresentation(
        geometry_types=draft.vector.geometry_types, object_count=draft.vector.row_count
    )


def _grid(draft: AssetDraft) -> GridRepresentation | None:
    if draft.raster is None:
        return None
    return GridRepresentation(
        columns=draft.raster.width,
        rows=draft.raster.height,
        cell_size_x=draft.raster.cell_size_x,
        cell_size_y=draft.raster.cell_size_y,
        band_count=len(draft.raster.bands),
    )


def _lineage(draft: AssetDraft) -> Lineage:
    names = ", ".join(step.name for step in draft.recipe.steps) or "no steps"
    return Lineage(
        statement=(
            f"Made by recipe {draft.recipe.name!r} version {draft.recipe.version} ({names}) "
            f"in run {draft.run_id}. " + " ".join(draft.notes)
        ).strip(),
        sources=tuple(
            LineageSource(description="as uploaded", reference=source.uri, sha256=source.sha256)
            for source in draft.sources
        ),
        process_steps=draft.recipe.steps,
    )
