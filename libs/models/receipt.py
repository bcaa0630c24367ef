"""The receipt: what a user who can reach nothing but the bucket finds there."""

from __future__ import annotations

from pydantic import Field

from libs.errors import Problem
from libs.models.base import ContentHash, Frozen, Moment
from libs.models.batch import BatchState, FileOutcome
from libs.models.changes import RecipeRecord
from libs.models.geo import Bounds


class FileReceipt(Frozen):
    """The answer for one file of the manifest."""

    path: str
    outcome: FileOutcome
    dataset_id: str
    version: int | None = None
    asset_id: str | None = None
    s3_uri: str | None = None
    source_sha256: dict[str, ContentHash] = Field(default_factory=dict)
    """By the source's URI."""
    content_hash: ContentHash | None = None
    row_count: int | None = None
    width_height: tuple[int, int] | None = None
    """Pixels, columns first."""
    crs: str | None = None
    bounds: Bounds | None = None
    recipe: RecipeRecord | None = None
    """With what each step changed."""
    notes: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()


class Receipt(Frozen):
    """Written as JSON beside the archived manifest."""

    receipt_version: int = 1
    batch_id: str | None
    outcome: BatchState
    summary: str
    """One sentence: what happened, and what to do now."""
    manifest_key: str
    manifest_sha256: ContentHash
    fingerprint: ContentHash
    run_id: str | None
    intent: str | None
    notes: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()
    files: tuple[FileReceipt, ...] = ()
    received_at: Moment
    ended_at: Moment | None
