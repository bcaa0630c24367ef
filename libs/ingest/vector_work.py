"""What transform and eject do with one vector file: steps in PostGIS, then GeoParquet."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path

from psycopg import sql

from libs.errors import TransientError
from libs.ingest.datum_notes import datum_notes
from libs.ingest.drafts import Result, draft_of
from libs.ingest.platform import Platform
from libs.ingest.values import Job, LoadedVector, TransformedVector, WrittenAsset
from libs.ingest.workspace import file_folder, require_room
from libs.models import OutputFormat, StepRecord, utc_now
from libs.spatial_utils.crs import describe
from libs.spatial_utils.crs_bending import bends_little
from libs.spatial_utils.geoparquet import GeoParquetResult, write_geoparquet
from libs.spatial_utils.picture import Geometry, picture_of_features
from libs.transformations import (
    PROCESSED_TABLE,
    RAW_TABLE,
    ROW_ID,
    Execute,
    KnownGeometries,
    PlannedStep,
    StepOutcome,
    VectorRecipe,
    drop_table,
    plan_steps,
    run_in_one_pass,
    run_step,
)

PICTURE_FEATURES = 4_000
"""As many features, evenly spread over the table, are drawn at most."""
PICTURE_PIXELS = 512

_SAMPLE = sql.SQL(
    "SELECT ST_AsGeoJSON(ST_Simplify(ST_Force2D({geometry}), {pixel}, true), 6) FROM {table}"
    " WHERE {row_id} % {every} = 0 AND NOT ST_IsEmpty({geometry})"
)


def transform_vector(platform: Platform, job: Job, loaded: LoadedVector) -> TransformedVector:
    """Run the recipe, all steps in one statement where the rows allow it: `raw_data` → `processed`.

    Else one by one: `raw_data` → `step_0` → … → `processed`. A table that was read goes.
    """
    recipe = loaded.fetched.work.recipe.recipe
    assert isinstance(recipe, VectorRecipe)  # noqa: S101  resolved by the file's kind
    plan = plan_steps(
        recipe,
        source_crs=loaded.crs,
        crs_of=describe,
        srid_of=platform.compute.register_crs,
        bends_little=bends_little,
    )
    steps = _steps(platform, loaded, plan)
    notes = (*loaded.notes, *datum_notes(platform, loaded.crs, plan))
    return TransformedVector(loaded=loaded, crs=plan[-1].crs, steps=steps, notes=notes)


def _steps(
    platform: Platform, loaded: LoadedVector, plan: Sequence[PlannedStep]
) -> tuple[StepRecord, ...]:
    table = loaded.table
    schema, columns = table.run_schema, (ROW_ID, *table.attribute_columns)

    def executing(what: str) -> Execute:
        return lambda statement: platform.compute.run_step(schema, statement, what, about=table)

    started_at, started = utc_now(), time.monotonic()
    known = KnownGeometries.seen(loaded.geometry_types, table.roundness_column)
    outcomes = run_in_one_pass(plan, schema.name, columns, executing("the recipe"), known)
    if outcomes is not None:
        executing("tidying up")(drop_table(schema.name, RAW_TABLE))
        seconds = time.monotonic() - started
        return tuple(
            _record(step, outcome, started_at, seconds, is_shared=True)
            for step, outcome in zip(plan, outcomes, strict=True)
        )
    records = []
    for step in plan:
        started_at, started = utc_now(), time.monotonic()
        outcome = run_step(step, schema.name, columns, executing(step.step.kind))
        records.append(_record(step, outcome, started_at, time.monotonic() - started))
        executing("tidying up")(drop_table(schema.name, step.input_table))
    return tuple(records)


def _record(
    planned: PlannedStep,
    outcome: StepOutcome,
    started_at: datetime,
    seconds: float,
    *,
    is_shared: bool = False,
) -> StepRecord:
    return StepRecord(
        name=planned.step.kind,
        description=planned.step.describe(),
        parameters=planned.step.parameters(),
        started_at=started_at,
        seconds=seconds,
        is_shared=is_shared,
        change=outcome.change,
    )


def write_vector(platform: Platform, job: Job, done: TransformedVector) -> WrittenAsset:
    """Write `processed` as GeoParquet, in Hilbert order.

    Raises:
        RowsLostError: not as many rows came out as went in; PostGIS has lost some.
    """
    loaded = done.loaded
    table, schema = loaded.table, loaded.table.run_schema
    folder = file_folder(platform.limits, job.run_id, loaded.fetched.work.index)
    require_room(platform.limits, sum(item.size_bytes for item in loaded.fetched.sources))
    with platform.compute.stream_table(schema, PROCESSED_TABLE, table) as stream:
        result = write_geoparquet(
            stream,
            folder / "out.parquet",
            schema=stream.schema,
            crs=done.crs,
            row_group_rows=platform.limits.row_group_rows,
            zstd_level=platform.limits.zstd_level,
        )
    if result.row_count != table.row_count:
        raise RowsLostError(table.row_count, result.row_count)
    return WrittenAsset(
        draft=draft_of(job, loaded.fetched, _result(platform, done, result)),
        path=result.path,
        draw=partial(_picture, platform, done, result, folder / "picture.png"),
    )


class RowsLostError(TransientError):
    """PostGIS was restarted: that empties unlogged tables, so fewer rows came out than went in."""

    def __init__(self, loaded: int, written: int) -> None:
        super().__init__(
            f"{loaded} features were loaded, but {written} came out of PostGIS, which has probably "
            "been restarted meanwhile. Nothing is committed; the batch is tried again."
        )


def _result(platform: Platform, done: TransformedVector, result: GeoParquetResult) -> Result:
    return Result(
        format=OutputFormat.GEOPARQUET,
        content_hash=result.sha256,
        size_bytes=result.size_bytes,
        crs=done.crs,
        bounds=result.bounds,
        steps=done.steps,
        tool_versions={**platform.compute.versions(), **done.loaded.reader},
        notes=done.notes,
        vector=result.shape,
    )


def _picture(
    platform: Platform, done: TransformedVector, result: GeoParquetResult, target: Path
) -> Path | None:
    if result.bounds is None:
        return None
    table = done.loaded.table
    width, height = (
        result.bounds.max_x - result.bounds.min_x,
        result.bounds.max_y - result.bounds.min_y,
    )
    statement = _SAMPLE.format(
        geometry=sql.Identifier(table.geometry_column),
        pixel=sql.Literal(max(width, height) / PICTURE_PIXELS / 2),
        table=sql.Identifier(table.run_schema.name, PROCESSED_TABLE),
        row_id=sql.Identifier(ROW_ID),
        every=sql.Literal(max(1, result.row_count // PICTURE_FEATURES)),
    )
    rows = platform.compute.run_step(table.run_schema, statement, "the picture", about=table)
    return picture_of_features(
        _geometries(rows), result.bounds, target, is_geographic=done.crs.is_geographic
    )


def _geometries(rows: Sequence[Sequence[object]]) -> Iterator[Geometry]:
    for (text,) in rows:
        # PostGIS 3.3 writes what is no JSON of a multipoint with an empty point in it.
        with contextlib.suppress(json.JSONDecodeError):
            if text is not None:
                yield json.loads(str(text))
