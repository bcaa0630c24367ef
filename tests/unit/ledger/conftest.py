"""Whole documents of every kind, each field filled in, or empty where it may be."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from libs.errors import Problem
from libs.models import (
    CRS,
    Asset,
    AssetKind,
    AssetMetadata,
    AssetState,
    Band,
    Batch,
    BatchFile,
    BatchState,
    Bounds,
    Column,
    Dataset,
    Document,
    FileOutcome,
    GeographicExtent,
    GeometryChange,
    Iso19115,
    Lease,
    ManifestUpload,
    Migration,
    OutputFormat,
    PinnedObject,
    RasterShape,
    RecipeRecord,
    Run,
    RunState,
    Source,
    Stage,
    StageRecord,
    StepRecord,
    VectorShape,
)
from libs.models.iso19115 import (
    Distribution,
    Extent,
    GridRepresentation,
    Identification,
    Lineage,
    LineageSource,
    ResponsibleParty,
    VectorRepresentation,
)

SHA = "0123456789abcdef" * 4
RUN = "123e4567-e89b-12d3-a456-426614174000"
MOMENT = datetime(2024, 2, 29, 23, 59, 59, 123000, tzinfo=timezone.utc)
UTM = CRS(
    code="EPSG:32633",
    name="WGS 84 / UTM 33N",
    wkt="PROJCRS[…]",
    is_geographic=False,
    metres_per_unit=1,
)
PLANET = CRS(code=None, name="Moon (2015)", wkt="GEOGCRS[…]", is_geographic=True)
STEP = StepRecord(
    name="simplify_geometry",
    description="Fewer vertices.",
    parameters={"tolerance": 0.0001, "passes": 2, "strict": True, "mode": "all", "seed": None},
    started_at=MOMENT,
    seconds=1,
    change=GeometryChange(vertices_before=2**40, vertices_after=0, largest_displacement_m=0.5),
)
PARTY = ResponsibleParty(name="$where — Ünïcode\nzwei Zeilen", role="originator")


def iso(crs: CRS | None, *, vector: bool) -> Iso19115:
    return Iso19115(
        date_stamp=MOMENT,
        contact=PARTY,
        identification=Identification(
            title="t",
            identifier="i",
            edition="1",
            abstract="",
            keywords=("a", "b"),
            spatial_representation_type="vector",
            point_of_contact=PARTY,
        ),
        extent=Extent(
            geographic=None
            if crs is None
            else GeographicExtent(
                west_bound_longitude=179,
                east_bound_longitude=-179,
                south_bound_latitude=-90,
                north_bound_latitude=90,
            )
        ),
        reference_system=crs,
        vector_representation=VectorRepresentation(geometry_types=(), object_count=0)
        if vector
        else None,
        grid_representation=None
        if vector
        else GridRepresentation(columns=1, rows=2, cell_size_x=1, cell_size_y=1.5, band_count=1),
        lineage=Lineage(
            statement="s",
            sources=(LineageSource(description="d", reference="s3://a/b", sha256=SHA),),
            process_steps=(STEP,),
        ),
        distribution=Distribution(
            format="COG", online_resource="s3://x/y", transfer_size_bytes=2**33
        ),
    )


def asset(kind: AssetKind, crs: CRS | None, state: AssetState) -> Asset:
    is_vector = kind is AssetKind.VECTOR
    return Asset(
        id="0" * 32,
        batch=SHA,
        file_index=3,
        dataset_id="ALPHA/roads-1",
        run_id=RUN,
        kind=kind,
        format=OutputFormat.GEOPARQUET if is_vector else OutputFormat.COG,
        content_hash=SHA,
        size_bytes=2**33,
        sources=(Source(uri="s3://landing-zone/ä b.shp", etag='"e"', size_bytes=0, sha256=SHA),),
        recipe=RecipeRecord(
            name="ingest_vector",
            version="1",
            hash=SHA,
            requested_intent="ingest_vectr",
            is_default_for_unknown_intent=True,
            nearest_known_intent="ingest_vector",
            steps=(STEP, STEP.model_copy(update={"change": None})),
        ),
        crs=crs,
        bounds=Bounds(min_x=-1, min_y=0, max_x=1.5, max_y=0) if crs else None,
        vector=VectorShape(
            row_count=2**31,
            geometry_types=("Polygon",),
            geometry_column="geom",
            columns=(Column(name="ORDER BY", type="int64", nullable=False),),
        )
        if is_vector
        else None,
        raster=None
        if is_vector
        else RasterShape(
            width=1,
            height=2**20,
            cell_size_x=0.25,
            cell_size_y=0.25,
            bands=(
                Band(
                    number=1, name=None, data_type="Byte", nodata="nan", color_interpretation="Gray"
                ),
            ),
            compression="ZSTD",
            overview_count=0,
        ),
        tool_versions={"gdal": "3.12", "a.dotted.$name": "1"},
        notes=("repaired",),
        state=state,
        version=1,
        s3_bucket="data-lake",
        s3_key="ALPHA/roads-1/v1/roads-1-0123456789ab.parquet",
        fence=1,
        metadata=AssetMetadata(
            project="ALPHA",
            description="$set: {}",
            tags=("x",),
            uploader="ä",
            iso19115=iso(crs, vector=is_vector),
        ),
        reserved_at=MOMENT,
        committed_at=MOMENT if state is AssetState.COMMITTED else None,
    )


def batch(state: BatchState) -> Batch:
    is_read = state is not BatchState.REJECTED
    problem = Problem(where="files[0].crs", what="w", cure="c")
    return Batch(
        id=SHA,
        batch_id="B:1" if is_read else None,
        state=state,
        upload=ManifestUpload(
            key="manifests/a.json", etag="e", last_modified=MOMENT, size_bytes=12
        ),
        manifest_sha256=SHA,
        manifest=b"\x00{\xff",
        intent="ingest_vector" if is_read else None,
        recipe_hash=SHA if is_read else None,
        files=(
            BatchFile(
                path="s3://landing-zone/a.shp",
                dataset_id="A/b",
                objects=(PinnedObject(key="a.shp", etag="e", size_bytes=2**40),),
                outcome=FileOutcome.SKIPPED,
                problems=(problem,),
            ),
        )
        if is_read
        else (),
        problems=() if is_read else (problem,),
        fence=7,
        lease=Lease(run_id=RUN, expires_at=MOMENT) if state is BatchState.RUNNING else None,
        error="why" if state is BatchState.FAILED else None,
        received_at=MOMENT,
        ended_at=MOMENT + timedelta(days=1) if state.is_final else None,
        settled_at=MOMENT if state.is_final else None,
    )


def every_kind() -> list[Document]:
    runs = [
        Run(
            id=RUN.replace("-", ""),
            manifest_key="manifests/a.json",
            batch=SHA,
            state=state,
            stages=(
                StageRecord(stage=Stage.FETCH, started_at=MOMENT, seconds=2, detail="1 file"),
                StageRecord(stage=Stage.LOAD, started_at=MOMENT),
            ),
            tool_versions={"gdal": "3"},
            started_at=MOMENT,
        )
        for state in RunState
    ]
    assets = [
        asset(kind, crs, state)
        for kind in AssetKind
        for crs in (UTM, PLANET, None)
        for state in AssetState
    ]
    return [
        *assets,
        *map(batch, BatchState),
        *runs,
        Run(id=RUN, manifest_key="manifests/b.json", started_at=MOMENT),
        Dataset(id="A/b", rung=0, last_version=0, updated_at=MOMENT),
        Dataset(
            id="A/b",
            rung=2,
            last_version=2**31,
            current_version=2,
            current_asset_id="f" * 32,
            updated_at=MOMENT,
        ),
        Migration(id="001_first_shape", applied_at=MOMENT),
    ]


@pytest.fixture(params=every_kind(), ids=lambda document: type(document).__name__)
def document(request: pytest.FixtureRequest) -> Document:
    value = request.param
    assert isinstance(value, Document)
    return value


ONE_OF_EACH = [
    asset(AssetKind.VECTOR, UTM, AssetState.COMMITTED),
    asset(AssetKind.RASTER, UTM, AssetState.PENDING),
    batch(BatchState.RUNNING),
    batch(BatchState.REJECTED),
    *every_kind()[-4:],
]


@pytest.fixture(params=ONE_OF_EACH, ids=lambda document: type(document).__name__)
def one_of_each(request: pytest.FixtureRequest) -> Document:
    value = request.param
    assert isinstance(value, Document)
    return value
