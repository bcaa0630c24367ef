"""What travels from stage to stage: frozen values, one kind a stage. They do nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

from pydantic import ConfigDict

from libs.compute import LoadedTable
from libs.models import (
    CRS,
    Asset,
    AssetDraft,
    Batch,
    Frozen,
    Manifest,
    ManifestFile,
    ManifestUpload,
    PinnedObject,
    Problem,
    RunSchema,
    Source,
    StageRecord,
    StepRecord,
)
from libs.spatial_utils.raster_info import RasterInfo
from libs.transformations import ResolvedRecipe


class FileJob(Frozen):
    """One file of the batch: what it is and what is to be done with it."""

    index: int
    """Its place in the manifest, from 0."""
    file: ManifestFile
    dataset_id: str
    objects: tuple[PinnedObject, ...]
    """The file itself first, then its side files, as they were at receive."""
    recipe: ResolvedRecipe

    @property
    def work(self) -> FileJob:
        """Itself, so that it can be asked like what the stages make of it."""
        return self


class Job(Frozen):
    """A batch that this run has claimed."""

    fingerprint: str
    fence: int
    run_id: str
    upload: ManifestUpload
    manifest: Manifest
    files: tuple[FileJob, ...]

    def schema_of(self, file: FileJob) -> RunSchema:
        """The PostGIS schema of one of its files."""
        return RunSchema(run_id=self.run_id, file_index=file.index)


class Ended(Frozen):
    """There is nothing to do: the same submission had ended before."""

    batch: Batch
    run_id: str


class SkippedFile(Frozen):
    """A file that will not be committed, and why."""

    index: int
    problems: tuple[Problem, ...]


ItemT = TypeVar("ItemT", bound=Frozen)


class StageOutput(Frozen, Generic[ItemT]):
    """What a stage hands to the next one: the files that are still in, and those that fell out."""

    job: Job
    items: tuple[ItemT, ...]
    skipped: tuple[SkippedFile, ...] = ()


class FetchedFile(Frozen):
    """A file and its side files in the work folder, hashed as they came in."""

    work: FileJob
    path: Path
    sources: tuple[Source, ...]


class LoadedVector(Frozen):
    """A vector file in `raw_data` of its schema."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    fetched: FetchedFile
    crs: CRS
    table: LoadedTable
    geometry_types: tuple[str, ...]
    """Of all its geometries, as GeoParquet names them."""
    reader: dict[str, str]
    """What read the file, with its version."""
    notes: tuple[str, ...] = ()

    @property
    def work(self) -> FileJob:
        """What was to be done with the file."""
        return self.fetched.work


class InspectedRaster(Frozen):
    """A raster file whose header was read and agrees with the manifest."""

    fetched: FetchedFile
    crs: CRS
    info: RasterInfo

    @property
    def work(self) -> FileJob:
        """What was to be done with the file."""
        return self.fetched.work


class TransformedVector(Frozen):
    """A vector file in `processed` of its schema."""

    loaded: LoadedVector
    crs: CRS
    """Of the result."""
    steps: tuple[StepRecord, ...]
    notes: tuple[str, ...] = ()

    @property
    def work(self) -> FileJob:
        """What was to be done with the file."""
        return self.loaded.work


class TransformedRaster(Frozen):
    """A raster file as a Cloud Optimized GeoTIFF in the work folder."""

    inspected: InspectedRaster
    crs: CRS
    """Of the result."""
    path: Path
    steps: tuple[StepRecord, ...]
    notes: tuple[str, ...] = ()

    @property
    def work(self) -> FileJob:
        """What was to be done with the file."""
        return self.inspected.work


class WrittenAsset(Frozen):
    """A result as a local file with all that is known of it; not yet in the lake."""

    draft: AssetDraft
    path: Path
    draw: Callable[[], Path | None]
    """Draws a picture of it, for people; None: there is nothing to see."""


class EjectedAsset(Frozen):
    """A reserved asset whose object is in the lake."""

    asset: Asset
    picture: Path | None


class CommittedAsset(Frozen):
    """An asset that now exists, with its picture (PNG bytes) for people."""

    asset: Asset
    picture: bytes | None


class Committed(Frozen):
    """The end of a run that committed its batch."""

    batch: Batch
    assets: tuple[CommittedAsset, ...]
    stages: tuple[StageRecord, ...]


LoadedFile = LoadedVector | InspectedRaster
TransformedFile = TransformedVector | TransformedRaster
FileAtWork = FileJob | FetchedFile | LoadedFile | TransformedFile
"""Each of them says what its `work` is."""
