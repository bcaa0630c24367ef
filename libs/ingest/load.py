"""Stage 3: vectors into PostGIS, rasters as far as their header. A file must be what it says."""

from __future__ import annotations

from libs.errors import InputError
from libs.faultpoints import Point, reach
from libs.ingest.platform import Platform
from libs.ingest.stages import each, running
from libs.ingest.values import (
    FetchedFile,
    InspectedRaster,
    Job,
    LoadedFile,
    LoadedVector,
    StageOutput,
)
from libs.ingest.workspace import remove_sources
from libs.models import CRS, AssetKind, Stage
from libs.spatial_utils.crs import describe, reconcile, require_latitudes
from libs.spatial_utils.crs_bending import bends_little, reach_of
from libs.spatial_utils.raster_info import inspect_raster
from libs.spatial_utils.roundness import Reach
from libs.spatial_utils.sandbox import ChildLimits
from libs.spatial_utils.vector_info import LayerInfo
from libs.spatial_utils.vector_reader import VectorSource, open_vector
from libs.transformations import NormalizeCRSStep, Recipe, ValidateGeometryStep, VectorRecipe

_WITHOUT_POLYGONS = ("Point", "MultiPoint", "LineString", "MultiLineString")


def load(platform: Platform, fetched: StageOutput[FetchedFile]) -> StageOutput[LoadedFile]:
    """Read each file and check it against its manifest entry.

    Raises:
        FilesRejectedError: a file cannot be read, or is not what the manifest says.
    """
    job = fetched.job

    def act(item: FetchedFile) -> LoadedFile:
        if item.work.file.type is AssetKind.VECTOR:
            return _load_vector(platform, job, item)
        return _inspect_raster(platform, item)

    with running(platform, job, Stage.LOAD) as note:
        loaded: StageOutput[LoadedFile] = each(fetched, act, Point.FILE_LOADED)
        vectors = [item for item in loaded.items if isinstance(item, LoadedVector)]
        rows = sum(item.table.row_count for item in vectors)
        in_postgis = f", {rows:,} features in PostGIS" if vectors else ""
        note.detail = f"{len(loaded.items)} file(s) opened{in_postgis}"
    return loaded


def _load_vector(platform: Platform, job: Job, fetched: FetchedFile) -> LoadedVector:
    file = fetched.work.file
    schema = job.schema_of(fetched.work)
    source = VectorSource(path=fetched.path, driver=file.format, layer=file.layer, label=file.path)
    with open_vector(
        source, limits=ChildLimits.for_readers(platform.limits), work_dir=fetched.path.parent.parent
    ) as stream:
        if stream.geometry_index is None:
            raise InputError.of(
                file.path,
                f"layer {stream.info.layer!r} has no geometry.",
                "Submit a layer with a geometry column; plain tables are not spatial data.",
            )
        crs = reconcile(file.crs, stream.info.crs_wkt, file.path)
        platform.compute.create_schema(schema)
        reach(Point.SCHEMA_CREATED)
        table = platform.compute.load_arrow(
            stream.batches(),
            arrow_schema=stream.schema,
            schema=schema,
            geometry_index=stream.geometry_index,
            round_within=_round_within(fetched.work.recipe.recipe, crs, stream.info),
        )
        info, geometry_types = stream.info, stream.end.geometry_types
    remove_sources(platform.limits, job.run_id, fetched.work.index)
    return LoadedVector(
        fetched=fetched,
        crs=crs,
        table=table,
        geometry_types=geometry_types,
        reader=info.reader,
        notes=info.notes,
    )


def _round_within(recipe: Recipe, crs: CRS, layer: LayerInfo) -> Reach | None:
    """Of which polygons it is worth while to prove that they are valid; None: of none.

    Where the recipe asks whether they are, and does not bend them too much before.
    """
    if (layer.geometry_type or "").startswith(_WITHOUT_POLYGONS):
        return None
    assert isinstance(recipe, VectorRecipe)  # noqa: S101  resolved by the file's kind
    if not any(isinstance(step, ValidateGeometryStep) for step in recipe.steps):
        return None
    transforms = [step for step in recipe.steps if isinstance(step, NormalizeCRSStep)]
    targets = {step.target_crs for step in transforms} - {crs.code}
    if not all(bends_little(crs, describe(target)) for target in targets):
        return None
    return reach_of(crs)


def _inspect_raster(platform: Platform, fetched: FetchedFile) -> InspectedRaster:
    file = fetched.work.file
    info = inspect_raster(
        platform.gdal,
        fetched.path,
        driver=file.format,
        layer=file.layer,
        work_dir=fetched.path.parent.parent,
    )
    crs = reconcile(file.crs, info.crs_wkt, file.path)
    grid = info.geotransform
    require_latitudes(grid.bounds(info.width, info.height), grid.cell_size_y, crs, file.path)
    return InspectedRaster(fetched=fetched, crs=crs, info=info)
