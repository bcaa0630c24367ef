"""An asset's lineage for people: sources, then each step with what it changed, then the asset."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Group, RenderableType

from libs.cli.reports import LineageReport
from libs.cli.terminal import safe
from libs.cli.view import asset_facts, heading, moment, pairs, size, table
from libs.models import StepRecord
from libs.models.changes import GeometryChange


def lineage(report: LineageReport) -> RenderableType:
    """Everything that is known of how an asset came to be."""
    sources = table("source", "bytes", "sha256")
    for source in report.sources:
        sources.add_row(safe(source.uri), size(source.size_bytes), source.sha256)
    parts: list[RenderableType] = [heading("Sources"), sources, ""]
    parts += [heading(f"Recipe {_recipe_name(report)}"), _steps(report), ""]
    parts += [heading("Asset"), pairs(asset_facts(report.asset, ()))]
    parts += ["", heading("Notes and tools"), pairs(_notes(report))]
    return Group(*parts)


def _recipe_name(report: LineageReport) -> str:
    recipe = report.recipe
    name = f"{recipe.name}, version {recipe.version}, sha256 {recipe.hash}"
    if not recipe.is_default_for_unknown_intent:
        return name
    nearest = recipe.nearest_known_intent
    meant = f"; did you mean {nearest!r}?" if nearest else ""
    return f"{name} (default: the intent {recipe.requested_intent!r} is unknown{meant})"


def _steps(report: LineageReport) -> RenderableType:
    if not report.recipe.steps:
        return "No steps."
    made = table("step", "parameters", "began", "seconds", "what it changed")
    for step in report.recipe.steps:
        made.add_row(
            f"{step.name}\n{safe(step.description)}",
            "\n".join(f"{key} = {value}" for key, value in step.parameters.items()),
            moment(step.started_at),
            f"{step.seconds:.2f}{' (shared)' if step.is_shared else ''}",
            "\n".join(changes(step)),
        )
    return made


def changes(step: StepRecord) -> Iterator[str]:
    """What a step did to the geometries, in numbers with their units."""
    if step.change is None:
        yield "no geometry was changed"
        return
    change = step.change
    yield f"vertices {change.vertices_before:,} → {change.vertices_after:,}"
    if change.largest_displacement_m is not None:
        yield f"largest displacement {change.largest_displacement_m:.3g} m"
    if change.area_changed_m2 is not None:
        yield f"area changed {change.area_changed_m2:,.0f} m²{_share(change)}"
    for words, rows in (
        ("repaired", change.rows_repaired),
        ("collapsed", change.rows_collapsed),
        ("linearised", change.rows_linearised),
    ):
        if rows:
            yield f"rows {words}: {rows:,}"


def _share(change: GeometryChange) -> str:
    if not change.area_before_m2 or change.area_changed_m2 is None:
        return ""
    return f" ({100 * change.area_changed_m2 / change.area_before_m2:.2g} %)"


def _notes(report: LineageReport) -> Iterator[tuple[str, str]]:
    yield "statement", report.statement
    for note in report.notes:
        yield "note", note
    yield from sorted(report.tool_versions.items())
