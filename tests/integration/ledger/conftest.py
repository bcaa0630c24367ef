"""A ledger of its own for each test, and the little things that batches and assets are made of."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone

import pytest
from pymongo.client_session import ClientSession

from libs.ledger import Ledger
from libs.models import (
    Asset,
    AssetDraft,
    AssetKind,
    AssetMetadata,
    Batch,
    BatchState,
    ManifestUpload,
    OutputFormat,
    RecipeRecord,
    VectorShape,
)
from libs.models.iso19115 import (
    Distribution,
    Extent,
    Identification,
    Iso19115,
    Lineage,
    ResponsibleParty,
)
from libs.settings import LedgerSettings, Settings

LONG_AGO = datetime(2001, 1, 1, tzinfo=timezone.utc)


@pytest.fixture(scope="session")
def server_settings() -> LedgerSettings:
    """The ledger that the settings name, whatever it is; no other server is needed here."""
    return Settings().ledger


@pytest.fixture
def ledger_settings(server_settings: LedgerSettings) -> Iterator[LedgerSettings]:
    """The same server with a database that nobody else uses, dropped afterwards."""
    own = server_settings.model_copy(update={"database": f"test_ledger_{uuid.uuid4().hex[:12]}"})
    yield own
    with Ledger.connect(own) as ledger:
        _empty(ledger)
        ledger.client.drop_database(own.database)


def _empty(ledger: Ledger) -> None:
    """Delete everything in a transaction, which waits for what a cut-off client may have locked.

    Dropping a database over an open transaction hangs secantus 0.7 as a whole, for everybody.
    """

    def body(session: ClientSession) -> None:
        for name in ledger.database.list_collection_names():
            ledger.database[name].delete_many({}, session=session)

    ledger.transactions.run("empty the test's database", body)


@pytest.fixture
def ledger(ledger_settings: LedgerSettings) -> Iterator[Ledger]:
    with Ledger.connect(ledger_settings) as ledger:
        ledger.migrate()
        yield ledger


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


class Make:
    """Builders of valid values; a name stands for what makes each different."""

    long_ago = LONG_AGO

    @staticmethod
    def run_id() -> str:
        return str(uuid.uuid4())

    @staticmethod
    def upload(
        key: str = "manifests/a.json", etag: str = "e1", later_s: float = 0
    ) -> ManifestUpload:
        return ManifestUpload(
            key=key,
            etag=etag,
            last_modified=LONG_AGO + timedelta(seconds=later_s),
            size_bytes=2,
        )

    @classmethod
    def batch(cls, name: str, state: BatchState = BatchState.RECEIVED) -> Batch:
        return Batch(
            id=sha(name),
            batch_id=name,
            state=state,
            upload=cls.upload(f"manifests/{name}.json"),
            manifest_sha256=sha(f"manifest of {name}"),
            manifest=b"{}",
            intent="ingest_vector",
            recipe_hash=sha("recipe"),
            received_at=LONG_AGO,
        )

    @staticmethod
    def draft(
        batch: Batch, dataset: str = "ALPHA/roads", index: int = 0, data: str = ""
    ) -> AssetDraft:
        assert batch.lease is not None
        return AssetDraft(
            id=sha(f"{batch.id}/{index}")[:32],
            batch=batch.id,
            file_index=index,
            dataset_id=dataset,
            run_id=batch.lease.run_id,
            kind=AssetKind.VECTOR,
            format=OutputFormat.GEOPARQUET,
            content_hash=sha(data or f"{batch.id}/{index}"),
            size_bytes=1,
            sources=(),
            recipe=RecipeRecord(
                name="r", version="1", hash=sha("recipe"), requested_intent="ingest_vector"
            ),
            crs=None,
            bounds=None,
            vector=VectorShape(row_count=0, geometry_types=(), geometry_column="geom", columns=()),
            tool_versions={},
        )

    @staticmethod
    def metadata(draft: AssetDraft, version: int, key: str) -> AssetMetadata:
        party = ResponsibleParty(name="someone", role="originator")
        return AssetMetadata(
            project=draft.dataset_id.partition("/")[0],
            description="d",
            uploader="someone",
            iso19115=Iso19115(
                date_stamp=LONG_AGO,
                contact=party,
                identification=Identification(
                    title="t",
                    identifier=draft.id,
                    edition=str(version),
                    abstract="",
                    spatial_representation_type="vector",
                    point_of_contact=party,
                ),
                extent=Extent(geographic=None),
                reference_system=None,
                lineage=Lineage(statement="", sources=(), process_steps=()),
                distribution=Distribution(
                    format="GeoParquet", online_resource=f"s3://lake/{key}", transfer_size_bytes=1
                ),
            ),
        )


@pytest.fixture
def make() -> type[Make]:
    return Make


Claimed = Callable[..., Batch]


@pytest.fixture
def claimed(ledger: Ledger, make: type[Make]) -> Claimed:
    """Receive a new batch and claim it for a new run."""

    def new(name: str, lease_s: float = 60) -> Batch:
        batch = ledger.receive(make.batch(name))
        return ledger.claim(batch.id, make.run_id(), lease_s)

    return new


@pytest.fixture
def reserve(ledger: Ledger, make: type[Make]) -> Callable[..., tuple[Asset, ...]]:
    """Reserve drafts for a claimed batch, with that ledger or another one."""

    def act(batch: Batch, *drafts: AssetDraft, by: Ledger | None = None) -> tuple[Asset, ...]:
        return (by or ledger).reserve(
            batch.id, batch.fence, drafts, lake_bucket="lake", metadata_of=make.metadata
        )

    return act
