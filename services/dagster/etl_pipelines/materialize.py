"""A committed asset as Dagster shows it: numbers, links, how long it took, and a picture."""

from __future__ import annotations

import base64
from collections.abc import Sequence

from dagster import AssetMaterialization, DataVersion, MetadataValue
from dagster._core.definitions.data_version import DATA_VERSION_TAG

from libs.ingest import CommittedAsset
from libs.models import Asset, StageRecord

__all__ = ["materialization"]


def materialization(
    committed: CommittedAsset, stages: Sequence[StageRecord]
) -> AssetMaterialization:
    """The event of one asset, under its dataset's key."""
    asset = committed.asset
    return AssetMaterialization(
        asset_key=asset.dataset_id.split("/"),
        description=f"{asset.dataset_id} version {asset.version}",
        metadata={
            **_identity(asset),
            **_shape(asset),
            "stages": MetadataValue.md(_stage_table(stages)),
            **({"picture": _picture(committed.picture)} if committed.picture else {}),
        },
        tags={DATA_VERSION_TAG: DataVersion(asset.content_hash).value},
    )


def _identity(asset: Asset) -> dict[str, MetadataValue]:
    return {
        "version": MetadataValue.int(asset.version),
        "content_hash": MetadataValue.text(asset.content_hash),
        "source_hashes": MetadataValue.json({item.uri: item.sha256 for item in asset.sources}),
        "s3_uri": MetadataValue.path(asset.uri),
        "ledger_id": MetadataValue.text(asset.id),
        "batch": MetadataValue.text(asset.batch),
        "recipe": MetadataValue.text(f"{asset.recipe.name} ({asset.recipe.hash[:12]})"),
        "size_bytes": MetadataValue.int(asset.size_bytes),
        **({"notes": MetadataValue.md("\n\n".join(asset.notes))} if asset.notes else {}),
    }


def _shape(asset: Asset) -> dict[str, MetadataValue]:
    shape: dict[str, MetadataValue] = {}
    if asset.vector is not None:
        shape["dagster/row_count"] = MetadataValue.int(asset.vector.row_count)
        shape["geometry_types"] = MetadataValue.text(", ".join(asset.vector.geometry_types))
    if asset.raster is not None:
        shape["pixels"] = MetadataValue.text(f"{asset.raster.width} x {asset.raster.height}")
        shape["bands"] = MetadataValue.int(len(asset.raster.bands))
    if asset.crs is not None:
        shape["crs"] = MetadataValue.text(asset.crs.code or asset.crs.name)
    if asset.bounds is not None:
        shape["bounds"] = MetadataValue.json(asset.bounds.model_dump())
    return shape


def _stage_table(stages: Sequence[StageRecord]) -> str:
    rows = "\n".join(
        f"| {item.stage.value} | {item.seconds:.2f} s | {item.detail} |"
        for item in stages
        if item.seconds is not None
    )
    return f"| stage | time | |\n|---|---|---|\n{rows}"


def _picture(png: bytes) -> MetadataValue:
    return MetadataValue.md(f"![the data](data:image/png;base64,{base64.b64encode(png).decode()})")
