"""What `--json` prints: one model a command. Made by `queries`, shown to people by `view`.

A field is never renamed or removed within a major version; new ones may come.
"""

from __future__ import annotations

from pathlib import Path

from libs.errors import Problem
from libs.models import (
    Asset,
    AssetKind,
    Batch,
    BatchFile,
    BatchState,
    Bounds,
    Manifest,
    Receipt,
    RecipeRecord,
    Run,
    Source,
)
from libs.models.base import ContentHash, DatasetId, Frozen, Moment
from libs.models.changes import ParameterValue


class AssetLine(Frozen):
    """An asset in short."""

    id: str
    dataset_id: DatasetId
    version: int
    kind: AssetKind
    s3_uri: str
    content_hash: ContentHash
    size_bytes: int
    row_count: int | None
    """None for a raster."""
    width_height: tuple[int, int] | None
    """Pixels, columns first; None for a vector."""
    crs: str | None
    bounds: Bounds | None
    recipe: str
    run_id: str
    dagster_page: str
    """Of the run that made it."""
    batch: ContentHash
    committed_at: Moment | None
    description: str

    @classmethod
    def of(cls, asset: Asset, dagster_url: str) -> AssetLine:
        """The same asset in short."""
        vector, raster = asset.vector, asset.raster
        return cls(
            id=asset.id,
            dataset_id=asset.dataset_id,
            version=asset.version,
            kind=asset.kind,
            s3_uri=asset.uri,
            content_hash=asset.content_hash,
            size_bytes=asset.size_bytes,
            row_count=vector.row_count if vector else None,
            width_height=(raster.width, raster.height) if raster else None,
            crs=(asset.crs.code or asset.crs.name) if asset.crs else None,
            bounds=asset.bounds,
            recipe=asset.recipe.name,
            run_id=asset.run_id,
            dagster_page=run_page(dagster_url, asset.run_id),
            batch=asset.batch,
            committed_at=asset.committed_at,
            description=asset.metadata.description,
        )


class AssetList(Frozen):
    """`assets`: the newest version of each dataset."""

    assets: tuple[AssetLine, ...]


class AssetReport(Frozen):
    """`asset ID`: the ledger's document, and which other versions there are."""

    asset: Asset
    in_short: AssetLine
    versions: tuple[int, ...]
    """All committed versions of its dataset, the newest first."""


class LineageReport(Frozen):
    """`lineage ID`: from the sources over the steps to the asset."""

    asset: AssetLine
    statement: str
    """ISO 19115 LI_Lineage."""
    sources: tuple[Source, ...]
    recipe: RecipeRecord
    """With each step's parameters, times and what it changed."""
    tool_versions: dict[str, str]
    notes: tuple[str, ...]


class Download(Frozen):
    """`get ID TARGET`: the file, with the hash that was checked."""

    asset: AssetLine
    path: Path


class BatchReport(Frozen):
    """A batch as the ledger has it, but for the manifest's bytes."""

    fingerprint: ContentHash
    batch_id: str | None
    state: BatchState
    intent: str | None
    manifest_uri: str
    """Where it was uploaded; it is moved when the batch has ended."""
    manifest_sha256: ContentHash
    receipt_uri: str | None
    """None while there is none."""
    attempts: int
    files: tuple[BatchFile, ...]
    problems: tuple[Problem, ...]
    """Of the batch as a whole; those of a file are with the file."""
    error: str | None
    received_at: Moment
    ended_at: Moment | None
    run: Run | None
    """The newest one."""
    dagster_page: str | None
    assets: tuple[AssetLine, ...]

    @property
    def all_problems(self) -> tuple[Problem, ...]:
        """The batch's own problems, then those of its files."""
        return (*self.problems, *(problem for file in self.files for problem in file.problems))


class BatchList(Frozen):
    """`status`: batches, the newest first."""

    batches: tuple[BatchReport, ...]


class Submitted(Frozen):
    """`submit`: the manifest as it was sent, and what became of it."""

    manifest: Manifest
    manifest_uri: str
    uploaded_bytes: int
    already_done: bool = False
    """True: the same submission had ended before; `batch` is that result."""
    seconds: float | None = None
    """From the manifest's upload to the answer; None with `--no-wait`."""
    batch: BatchReport | None = None
    """None with `--no-wait`, and where the settings name no ledger: see `receipt`."""
    receipt: Receipt | None = None
    """As it lies in the bucket."""


class RecipeStep(Frozen):
    """One step of a recipe."""

    name: str
    parameters: dict[str, ParameterValue]


class RecipeLine(Frozen):
    """One recipe: what its intent does."""

    intent: str
    kind: AssetKind
    version: str
    hash: ContentHash
    title: str
    description: str
    is_default: bool
    steps: tuple[RecipeStep, ...]


class RecipeList(Frozen):
    """`recipes`."""

    recipes: tuple[RecipeLine, ...]


class Failure(Frozen):
    """What `--json` prints when a command ends with an error."""

    error: str
    kind: str
    """The error's class."""
    exit_code: int
    problems: tuple[Problem, ...] = ()


def batch_report(
    batch: Batch,
    *,
    run: Run | None,
    assets: tuple[Asset, ...],
    landing_bucket: str,
    receipt_key: str | None,
    dagster_url: str,
) -> BatchReport:
    """The report of one batch."""
    return BatchReport(
        fingerprint=batch.id,
        batch_id=batch.batch_id,
        state=batch.state,
        intent=batch.intent,
        manifest_uri=f"s3://{landing_bucket}/{batch.upload.key}",
        manifest_sha256=batch.manifest_sha256,
        receipt_uri=f"s3://{landing_bucket}/{receipt_key}" if receipt_key else None,
        attempts=batch.fence,
        files=batch.files,
        problems=batch.problems,
        error=batch.error,
        received_at=batch.received_at,
        ended_at=batch.ended_at,
        run=run,
        dagster_page=run_page(dagster_url, run.id) if run else None,
        assets=tuple(AssetLine.of(asset, dagster_url) for asset in assets),
    )


def run_page(dagster_url: str, run_id: str) -> str:
    """The page of a run in Dagster."""
    return f"{dagster_url.rstrip('/')}/runs/{run_id}"
