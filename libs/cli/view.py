"""Reports as tables and lines for people; asks no server. JSON is `terminal`'s business."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from rich.box import SIMPLE
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from libs.cli.reports import (
    AssetLine,
    AssetList,
    AssetReport,
    BatchList,
    BatchReport,
    RecipeList,
    RecipeStep,
)
from libs.cli.terminal import safe
from libs.errors import Problem
from libs.models import Asset, BatchState, Bounds, Source

STATE_STYLES = {
    BatchState.COMMITTED: "green",
    BatchState.REJECTED: "red",
    BatchState.FAILED: "red",
    BatchState.CANCELLED: "yellow",
    BatchState.RUNNING: "cyan",
}


def table(*headings: str) -> Table:
    """An empty table in the house's style; long words fold and are never cut."""
    made = Table(box=SIMPLE, pad_edge=False, show_edge=False, header_style="bold")
    for heading in headings:
        made.add_column(heading, overflow="fold")
    return made


def pairs(rows: Iterable[tuple[str, str]]) -> Table:
    """Names and values, one pair a line; pairs without a value are left out."""
    made = Table.grid(padding=(0, 2))
    made.add_column(style="bold", no_wrap=True)
    made.add_column(overflow="fold")
    for name, value in rows:
        if value:
            made.add_row(name, safe(value))
    return made


def heading(text: str, style: str = "bold") -> Text:
    """A line above a table."""
    return Text(safe(text), style=style)


def moment(value: datetime | None) -> str:
    """A point in time, UTC, to the second."""
    return value.strftime("%Y-%m-%d %H:%M:%SZ") if value else ""


def size(number: int) -> str:
    """Bytes as people read them."""
    amount, unit = float(number), "B"
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if amount < 1000 or unit == "TB":
            break
        amount /= 1000
    return f"{number} B" if unit == "B" else f"{amount:.1f} {unit}"


def box(bounds: Bounds | None) -> str:
    """Bounds with their axes named."""
    if bounds is None:
        return "none (no geometry)"
    min_x, min_y, max_x, max_y = map(coordinate, bounds.xyxy)
    return f"x {min_x} … {max_x}, y {min_y} … {max_y}"


def coordinate(value: float) -> str:
    """To a millionth at most (of a degree: 0.1 m), and never as a power of ten."""
    text = f"{value:.6f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def extent(asset: AssetLine) -> str:
    """How large it is: rows or pixels."""
    if asset.row_count is not None:
        return f"{asset.row_count:,} row{'' if asset.row_count == 1 else 's'}"
    width, height = asset.width_height or (0, 0)
    return f"{width} × {height} pixels"


def problems(found: Iterable[Problem]) -> Table:
    """Every problem with its place and its cure."""
    made = table("where", "what", "cure")
    for problem in found:
        made.add_row(safe(problem.where), safe(problem.what), safe(problem.cure))
    return made


def asset_list(found: AssetList) -> RenderableType:
    """The lake in one table."""
    if not found.assets:
        return "There are no assets."
    made = table("dataset", "v", "size", "bytes", "crs", "committed", "id")
    for asset in found.assets:
        made.add_row(
            asset.dataset_id,
            str(asset.version),
            extent(asset),
            size(asset.size_bytes),
            safe(asset.crs or ""),
            moment(asset.committed_at),
            asset.id,
        )
    return made


def asset_facts(asset: AssetLine, sources: Iterable[Source]) -> Iterator[tuple[str, str]]:
    """What there is to say of one asset in short, hashes of both ends included."""
    yield "dataset", f"{asset.dataset_id}, version {asset.version}"
    yield "object", asset.s3_uri
    yield "content sha256", asset.content_hash
    for source in sources:
        yield source_hash(source.uri, source.sha256)
    yield "size", f"{extent(asset)}, {size(asset.size_bytes)}"
    yield "bounds", f"{box(asset.bounds)}  ({asset.crs or 'no CRS'})"
    yield "recipe", asset.recipe
    yield "run", asset.run_id
    yield "Dagster page", asset.dagster_page
    yield "ledger id", asset.id


def source_hash(uri: str, sha256: str) -> tuple[str, str]:
    """The line of one source."""
    return "source sha256", f"{sha256}  {uri.rsplit('/', 1)[-1]}"


def asset_report(report: AssetReport) -> RenderableType:
    """One asset, its columns or bands, and the other versions."""
    asset = report.asset
    rows = [
        *asset_facts(report.in_short, asset.sources),
        ("committed", moment(asset.committed_at)),
        ("description", asset.metadata.description),
        ("tags", ", ".join(asset.metadata.tags)),
        ("uploader", asset.metadata.uploader),
        ("versions", ", ".join(map(str, report.versions))),
        *(("note", note) for note in asset.notes),
    ]
    return Group(pairs(rows), "", _columns(asset))


def _columns(asset: Asset) -> Table:
    if asset.vector is not None:
        made = table("column", "type", "nulls")
        for column in asset.vector.columns:
            made.add_row(safe(column.name), column.type, "yes" if column.nullable else "no")
        return made
    made = table("band", "name", "type", "nodata", "meaning")
    for band in asset.raster.bands if asset.raster else ():
        made.add_row(
            str(band.number),
            safe(band.name or ""),
            band.data_type,
            band.nodata or "",
            band.color_interpretation,
        )
    return made


def batch_list(found: BatchList) -> RenderableType:
    """Batches, one a line."""
    if not found.batches:
        return "The ledger knows no batches."
    made = table("received", "batch", "state", "files", "assets", "fingerprint")
    for batch in found.batches:
        made.add_row(
            moment(batch.received_at),
            safe(batch.batch_id or batch.manifest_uri),
            state_of(batch),
            str(len(batch.files)),
            ", ".join(f"{asset.dataset_id} v{asset.version}" for asset in batch.assets),
            batch.fingerprint[:12],
        )
    return made


def state_of(batch: BatchReport) -> Text:
    """The state in its colour."""
    return Text(batch.state.value, style=STATE_STYLES.get(batch.state, ""))


def batch_report(batch: BatchReport) -> RenderableType:
    """One batch: files, problems, stages, receipt."""
    parts: list[RenderableType] = [pairs(_batch_facts(batch)), "", _files(batch)]
    if batch.all_problems:
        parts += ["", problems(batch.all_problems)]
    if batch.run is not None and batch.run.stages:
        parts += ["", stages(batch)]
    return Group(*parts)


def _batch_facts(batch: BatchReport) -> Iterator[tuple[str, str]]:
    yield "batch", batch.batch_id or "(its manifest could not be read)"
    yield "state", batch.state.value
    yield "intent", batch.intent or ""
    yield "received", moment(batch.received_at)
    yield "ended", moment(batch.ended_at)
    yield "manifest", batch.manifest_uri
    yield "receipt", batch.receipt_uri or ""
    yield "fingerprint", batch.fingerprint
    yield "attempts", str(batch.attempts)
    yield "run", batch.run.id if batch.run else ""
    yield "Dagster page", batch.dagster_page or ""
    yield "error", batch.error or ""


def _files(batch: BatchReport) -> Table:
    made = table("file", "outcome", "dataset", "asset")
    versions = {asset.id: asset for asset in batch.assets}
    for file in batch.files:
        asset = versions.get(file.asset_id or "")
        made.add_row(
            safe(file.path),
            file.outcome.value,
            f"{file.dataset_id} v{asset.version}" if asset else file.dataset_id,
            file.asset_id or "",
        )
    return made


def stages(batch: BatchReport) -> Table:
    """The stages of the newest run."""
    made = table("stage", "seconds", "")
    for record in batch.run.stages if batch.run else ():
        took = "…" if record.seconds is None else f"{record.seconds:.2f}"
        made.add_row(record.stage.value, took, safe(record.detail))
    return made


def recipe_list(found: RecipeList) -> RenderableType:
    """Every intent with its steps."""
    made = table("intent", "for", "what comes out", "steps")
    for recipe in found.recipes:
        made.add_row(
            recipe.intent + (" (default)" if recipe.is_default else ""),
            recipe.kind.value,
            safe(recipe.title),
            "\n".join(map(_step_words, recipe.steps)),
            end_section=True,
        )
    return made


def _step_words(step: RecipeStep) -> str:
    given = ", ".join(
        f"{key}={value}" for key, value in step.parameters.items() if value is not None
    )
    return f"{step.name}({given})"
