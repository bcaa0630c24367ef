"""What transform and eject do with one raster file: GDAL makes a COG, which is then described."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from pathlib import Path

from libs.errors import TransientError
from libs.ingest.drafts import Result, draft_of
from libs.ingest.platform import Platform
from libs.ingest.values import InspectedRaster, Job, TransformedRaster, WrittenAsset
from libs.ingest.workspace import file_folder, remove_sources, require_room
from libs.models import OutputFormat, StepRecord, utc_now
from libs.spatial_utils.cog import CogResult, describe_cog, write_cog
from libs.spatial_utils.cog_commands import CogOptions
from libs.spatial_utils.crs import describe
from libs.spatial_utils.errors import UnreadableFileError
from libs.spatial_utils.gdal_cli import GDAL
from libs.spatial_utils.hashing import FollowingHash
from libs.spatial_utils.picture import picture_of_cog
from libs.transformations import CogStep, RasterRecipe, ReprojectRasterStep

_GDALS_WORD = {"nearest": "near"}
"""Where `gdalwarp` has another word for a resampling method than a recipe."""


def transform_raster(platform: Platform, job: Job, item: InspectedRaster) -> TransformedRaster:
    """Make the COG in the work folder, as the recipe says."""
    work = item.work
    recipe = work.recipe.recipe
    assert isinstance(recipe, RasterRecipe)  # noqa: S101  resolved by the file's kind
    folder = file_folder(platform.limits, job.run_id, work.index)
    options = cog_options(recipe, item)
    require_room(platform.limits, _needed_bytes(item, options))
    started_at, started = utc_now(), time.monotonic()
    path = folder / "out.tif"
    cog_notes = write_cog(
        platform.gdal,
        item.fetched.path,
        item.info,
        path,
        options=options,
        work_dir=folder,
    )
    seconds = time.monotonic() - started
    remove_sources(platform.limits, job.run_id, work.index)
    steps = tuple(
        StepRecord(
            name=step.kind,
            description=step.describe(),
            parameters=step.parameters(),
            started_at=started_at,
            # GDAL does all steps in one go: the last one has the time.
            seconds=seconds if step is recipe.steps[-1] else 0.0,
        )
        for step in recipe.steps
    )
    crs = describe(options.target_crs) if options.target_crs else item.crs
    notes = (*item.info.notes, *cog_notes)
    return TransformedRaster(inspected=item, crs=crs, path=path, steps=steps, notes=notes)


def _needed_bytes(item: InspectedRaster, options: CogOptions) -> int:
    """An upper bound: the COG, its overviews uncompressed before they are in it (a third), and a
    reprojected raster uncompressed before it becomes a COG."""
    pixels = item.info.uncompressed_bytes
    return pixels * (2 if options.reprojects else 1) + pixels // 3


def cog_options(recipe: RasterRecipe, item: InspectedRaster) -> CogOptions:
    """What a recipe's steps mean for GDAL."""
    values: dict[str, object] = {"source_crs": item.crs.code or item.crs.wkt}
    for step in recipe.steps:
        if isinstance(step, ReprojectRasterStep):
            values["target_crs"] = step.target_crs
            values["resampling"] = _GDALS_WORD.get(step.resampling, step.resampling)
        if isinstance(step, CogStep):
            values["compression"] = step.compression
            values["blocksize"] = step.blocksize
            values["overview_resampling"] = step.overview_resampling
    return CogOptions.model_validate(values)


def write_raster(
    platform: Platform, job: Job, done: TransformedRaster, artist: Executor
) -> WrittenAsset:
    """The COG lies there already; describe it for the ledger, and let the artist begin to draw it.

    One core hashes it: all that is left to do is done by the others meanwhile.
    """
    fetched, gdal = done.inspected.fetched, platform.gdal
    folder = file_folder(platform.limits, job.run_id, fetched.work.index)
    with FollowingHash(done.path) as hashing:
        hashing.follow()
        gdal_version = artist.submit(gdal.version)
        with _no_users_fault():
            cog = describe_cog(gdal, done.path, work_dir=folder)
        picture = artist.submit(_picture, gdal, cog, folder)
        sha256 = hashing.hexdigest()
    result = Result(
        format=OutputFormat.COG,
        content_hash=sha256,
        size_bytes=cog.size_bytes,
        crs=done.crs,
        bounds=cog.bounds,
        steps=done.steps,
        tool_versions={"GDAL": gdal_version.result()},
        notes=done.notes,
        raster=cog.shape,
    )
    return WrittenAsset(
        draft=draft_of(job, fetched, result),
        path=cog.path,
        draw=picture.result,
    )


def _picture(gdal: GDAL, cog: CogResult, folder: Path) -> Path:
    with _no_users_fault():
        return picture_of_cog(gdal, cog.path, cog.info, folder / "picture.png", folder)


@contextmanager
def _no_users_fault() -> Iterator[None]:
    try:
        yield
    except UnreadableFileError as error:
        raise UnreadableResultError(error) from error


class UnreadableResultError(TransientError):
    """GDAL cannot read the COG that it made: the machine is at fault, or GDAL, and no user."""

    def __init__(self, error: UnreadableFileError) -> None:
        said = " ".join(problem.what for problem in error.problems)
        super().__init__(
            "The COG was made, but cannot be read again. Nothing is committed; the batch is tried "
            f"again. If that goes on, look at the disk under ETL_WORK_DIR. ({said})"
        )
