"""The asset: one version of one dataset in the lake, and its place in the ledger."""

from __future__ import annotations

import re
from enum import Enum

from pydantic import Field, model_validator

from libs.models.base import ContentHash, DatasetId, Document, Frozen, Moment, RunId, VaultKey
from libs.models.changes import RecipeRecord
from libs.models.formats import AssetKind, OutputFormat
from libs.models.geo import CRS, Bounds
from libs.models.iso19115 import Iso19115


class AssetState(str, Enum):
    """Only a committed asset exists for readers."""

    PENDING = "pending"
    COMMITTED = "committed"


class Source(Frozen):
    """One object of the landing zone as it was read: the proof of what came in."""

    uri: str
    etag: str
    size_bytes: int = Field(ge=0)
    sha256: ContentHash


class Column(Frozen):
    """An attribute column of a vector asset."""

    name: str
    type: str
    """The Arrow type, `int64`, `timestamp[ms, tz=UTC]` …"""
    nullable: bool = True


class Band(Frozen):
    """A band of a raster asset."""

    number: int = Field(ge=1, description="from 1, as GDAL counts")
    name: str | None
    data_type: str
    """GDAL's name, `Byte`, `Float32` …"""
    nodata: str | None
    """As text, so that NaN and 64-bit integers survive; None: no nodata value."""
    color_interpretation: str


class VectorShape(Frozen):
    """How large a vector asset is and what it holds."""

    row_count: int = Field(ge=0)
    geometry_types: tuple[str, ...]
    """As GeoParquet names them, sorted; empty when every geometry is null."""
    geometry_column: str | None
    columns: tuple[Column, ...]


class RasterShape(Frozen):
    """How large a raster asset is and what it holds."""

    width: int = Field(ge=1, description="pixels")
    height: int = Field(ge=1, description="pixels")
    cell_size_x: float
    cell_size_y: float
    bands: tuple[Band, ...]
    compression: str
    overview_count: int = Field(ge=0)


class AssetMetadata(Frozen):
    """What is said of an asset: the uploader's own words, and the ISO 19115 record."""

    project: str
    description: str
    tags: tuple[str, ...] = ()
    uploader: str
    iso19115: Iso19115


class AssetDraft(Frozen):
    """All that is known of an asset before the ledger gives it a version and a key."""

    id: str = Field(pattern=r"^[0-9a-f]{32}$")
    """Made from the batch's fingerprint and the file's path, so that a retry makes the same."""
    batch: ContentHash
    """The batch's fingerprint."""
    file_index: int = Field(ge=0)
    dataset_id: DatasetId
    run_id: RunId
    kind: AssetKind
    format: OutputFormat
    content_hash: ContentHash
    """SHA-256 of the object's bytes."""
    size_bytes: int = Field(ge=0)
    sources: tuple[Source, ...]
    recipe: RecipeRecord
    crs: CRS | None
    bounds: Bounds | None
    """In the units of `crs`; None for an empty dataset."""
    vector: VectorShape | None = None
    raster: RasterShape | None = None
    tool_versions: dict[str, str]
    notes: tuple[str, ...] = ()
    """What a reader must know: repaired rows, linearised curves, an unknown intent."""

    @model_validator(mode="after")
    def _has_the_shape_of_its_kind(self) -> AssetDraft:
        expected = (self.kind is AssetKind.VECTOR, self.kind is AssetKind.RASTER)
        if (self.vector is not None, self.raster is not None) != expected:
            raise ValueError(f"a {self.kind.value} asset has just its own shape")
        return self


class Asset(Document, AssetDraft):
    """A document of the `assets` collection."""

    id: str = Field(alias="_id", pattern=r"^[0-9a-f]{32}$")
    state: AssetState
    version: int = Field(ge=1)
    s3_bucket: str
    s3_key: VaultKey
    """`<project>/<dataset>/v<version>/<dataset>-<12 digits of the hash>.<suffix>`, from the second
    try on with `-<fence>` behind the digits. So two tries never share a key, and no run can
    overwrite what another one committed."""
    fence: int = Field(ge=1)
    """The fence of the run that reserved it."""
    metadata: AssetMetadata
    reserved_at: Moment
    committed_at: Moment | None = None

    @property
    def uri(self) -> str:
        """`s3://BUCKET/KEY`."""
        return f"s3://{self.s3_bucket}/{self.s3_key}"

    @property
    def object_metadata(self) -> dict[str, str]:
        """The user metadata of its object: the link from the vault back to the ledger."""
        return {
            "mongodb_doc_id": self.id,
            "content_hash": self.content_hash,
            "run_id": self.run_id,
            "dataset_id": self.dataset_id,
            "version": str(self.version),
        }


def object_key(dataset_id: str, version: int, content_hash: str, suffix: str, *, fence: int) -> str:
    """The lake key of an asset that a run with this fence makes; see `Asset.s3_key`."""
    dataset = dataset_id.partition("/")[2]
    attempt = f"-{fence}" if fence > 1 else ""
    return f"{dataset_id}/v{version}/{dataset}-{content_hash[:12]}{attempt}{suffix}"


_OBJECT_KEY = re.compile(
    r"[A-Za-z0-9][\w-]*/(?P<dataset>[A-Za-z0-9][\w-]*)"
    r"/v[1-9]\d*/(?P=dataset)-[0-9a-f]{12}(-[1-9]\d*)?\.[a-z]+",
    re.ASCII,
)


def is_object_key(key: str) -> bool:
    """True for a key as `object_key` makes it: no other one was ever a run's."""
    return _OBJECT_KEY.fullmatch(key) is not None
