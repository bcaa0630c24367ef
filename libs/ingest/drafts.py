"""From a result to the draft of its asset: what is the same for vectors and rasters."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from libs.ingest.values import FetchedFile, Job
from libs.models import (
    CRS,
    AssetDraft,
    Bounds,
    GeometryChange,
    OutputFormat,
    RasterShape,
    RecipeRecord,
    StepRecord,
    VectorShape,
)


@dataclass(frozen=True)
class Result:
    """What was made of a file."""

    format: OutputFormat
    content_hash: str
    size_bytes: int
    crs: CRS
    bounds: Bounds | None
    steps: tuple[StepRecord, ...]
    tool_versions: dict[str, str]
    notes: tuple[str, ...]
    vector: VectorShape | None = None
    raster: RasterShape | None = None


def draft_of(job: Job, fetched: FetchedFile, result: Result) -> AssetDraft:
    """The asset as far as it is known before the ledger gives it a version and a key."""
    work = fetched.work
    return AssetDraft(
        id=asset_id(job.fingerprint, work.file.path),
        batch=job.fingerprint,
        file_index=work.index,
        dataset_id=work.dataset_id,
        run_id=job.run_id,
        kind=work.file.type,
        format=result.format,
        content_hash=result.content_hash,
        size_bytes=result.size_bytes,
        sources=fetched.sources,
        recipe=_recipe_record(fetched, result.steps),
        crs=result.crs,
        bounds=result.bounds,
        vector=result.vector,
        raster=result.raster,
        tool_versions=result.tool_versions,
        notes=(*_intent_notes(fetched), *result.notes, *change_notes(result.steps)),
    )


def asset_id(fingerprint: str, path: str) -> str:
    """The id of an asset: the same for each try at the same file of the same submission."""
    return hashlib.sha256(f"{fingerprint}\n{path}".encode()).hexdigest()[:32]


def _recipe_record(fetched: FetchedFile, steps: tuple[StepRecord, ...]) -> RecipeRecord:
    resolved = fetched.work.recipe
    return RecipeRecord(
        name=resolved.recipe.name,
        version=resolved.recipe.version,
        hash=resolved.recipe.hash,
        requested_intent=resolved.requested_intent,
        is_default_for_unknown_intent=resolved.is_default_for_unknown_intent,
        nearest_known_intent=resolved.nearest_known_intent,
        steps=steps,
    )


def _intent_notes(fetched: FetchedFile) -> tuple[str, ...]:
    resolved = fetched.work.recipe
    if not resolved.is_default_for_unknown_intent:
        return ()
    nearest = resolved.nearest_known_intent
    hint = f" The nearest known intent is {nearest!r}." if nearest else ""
    return (
        f"Unknown intent {resolved.requested_intent!r} for a {fetched.work.file.type.value} file: "
        f"the default recipe {resolved.recipe.name!r} was taken.{hint}",
    )


def change_notes(steps: Sequence[StepRecord]) -> tuple[str, ...]:
    """One sentence for each thing that a step did to geometries and a reader must know."""
    notes = []
    for step in steps:
        change = step.change
        if change is None:
            continue
        said = {
            "repaired": change.rows_repaired,
            "collapsed to nothing": change.rows_collapsed,
            "had curves, which became straight segments": change.rows_linearised,
        }
        notes += [
            f"{step.name}: {count} feature(s) {what}." for what, count in said.items() if count
        ]
        if change.vertices_before != change.vertices_after:
            notes.append(
                f"{step.name}: {change.vertices_before} vertices became {change.vertices_after}"
                f"{_displacement(change)}."
            )
    return tuple(notes)


def _displacement(change: GeometryChange) -> str:
    if change.largest_displacement_m is None:
        return ""
    return f"; in x and y the largest displacement is {change.largest_displacement_m:.3g} m"
