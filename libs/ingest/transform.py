"""Stage 4: the recipe, step by step. Vectors in PostGIS, rasters by GDAL's CLI; losses measured."""

from __future__ import annotations

from libs.faultpoints import Point
from libs.ingest.platform import Platform
from libs.ingest.raster_work import transform_raster
from libs.ingest.stages import each, running
from libs.ingest.values import InspectedRaster, LoadedFile, StageOutput, TransformedFile
from libs.ingest.vector_work import transform_vector
from libs.models import Stage


def transform(platform: Platform, loaded: StageOutput[LoadedFile]) -> StageOutput[TransformedFile]:
    """Run each file's recipe.

    Raises:
        FilesRejectedError: a step cannot handle a file's geometry and its recipe says to reject.
    """
    job = loaded.job

    def act(item: LoadedFile) -> TransformedFile:
        if isinstance(item, InspectedRaster):
            return transform_raster(platform, job, item)
        return transform_vector(platform, job, item)

    with running(platform, job, Stage.TRANSFORM) as note:
        done: StageOutput[TransformedFile] = each(loaded, act, Point.FILE_TRANSFORMED)
        steps = sum(len(item.steps) for item in done.items)
        note.detail = f"{len(done.items)} file(s), {steps} step(s)"
    return done
