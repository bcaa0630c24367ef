"""The words of the platform; see CONTEXT.md for which module holds what."""

from libs.errors import Problem
from libs.models.asset import (
    Asset,
    AssetDraft,
    AssetMetadata,
    AssetState,
    Band,
    Column,
    RasterShape,
    Source,
    VectorShape,
    is_object_key,
    object_key,
)
from libs.models.audit import AuditRecord, FindingCount, FindingKind
from libs.models.base import Document, Frozen, RunSchema, utc_now
from libs.models.batch import (
    Batch,
    BatchFile,
    BatchState,
    Dataset,
    FileOutcome,
    Lease,
    ManifestUpload,
    Migration,
    PinnedObject,
    Restore,
)
from libs.models.changes import GeometryChange, ParameterValue, RecipeRecord, StepRecord
from libs.models.formats import INPUT_FORMATS, AssetKind, InputFormat, OutputFormat, formats_of_file
from libs.models.geo import CRS, Bounds, CrsCode, GeographicExtent
from libs.models.iso19115 import Iso19115
from libs.models.manifest import (
    MANIFEST_PREFIX,
    Manifest,
    ManifestFile,
    ManifestMetadata,
    OnError,
    S3Uri,
    slug_of_stem,
)
from libs.models.receipt import FileReceipt, Receipt
from libs.models.run import Run, RunState, Stage, StageRecord

__all__ = [
    "CRS",
    "INPUT_FORMATS",
    "MANIFEST_PREFIX",
    "Asset",
    "AssetDraft",
    "AssetKind",
    "AssetMetadata",
    "AssetState",
    "AuditRecord",
    "Band",
    "Batch",
    "BatchFile",
    "BatchState",
    "Bounds",
    "Column",
    "CrsCode",
    "Dataset",
    "Document",
    "FileOutcome",
    "FileReceipt",
    "FindingCount",
    "FindingKind",
    "Frozen",
    "GeographicExtent",
    "GeometryChange",
    "InputFormat",
    "Iso19115",
    "Lease",
    "Manifest",
    "ManifestFile",
    "ManifestMetadata",
    "ManifestUpload",
    "Migration",
    "OnError",
    "OutputFormat",
    "ParameterValue",
    "PinnedObject",
    "Problem",
    "RasterShape",
    "Receipt",
    "RecipeRecord",
    "Restore",
    "Run",
    "RunSchema",
    "RunState",
    "S3Uri",
    "Source",
    "Stage",
    "StageRecord",
    "StepRecord",
    "VectorShape",
    "formats_of_file",
    "is_object_key",
    "object_key",
    "slug_of_stem",
    "utc_now",
]
