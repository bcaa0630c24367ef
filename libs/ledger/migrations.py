"""The ledger's own shape: collections, validators, indexes and numbered changes of old documents.

`migrate` may be run at any time and by several processes at once: each step finds its work done.
The order is validators, migrations, indexes: a migration writes documents of the new shape.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from pymongo.database import Database
from pymongo.errors import OperationFailure

from libs.ledger.codec import BsonDocument
from libs.ledger.documents import NOW
from libs.ledger.errors import NewerLedgerError, ledger_errors
from libs.ledger.schema import validator
from libs.models import Asset, AuditRecord, Batch, Dataset, Document, Migration, Run

COLLECTIONS: dict[str, type[Document]] = {
    "batches": Batch,
    "assets": Asset,
    "datasets": Dataset,
    "runs": Run,
    "audits": AuditRecord,
    "migrations": Migration,
}
_NAMESPACE_EXISTS = 48
_DURABLY = {"writeConcern": {"w": "majority"}}


@dataclass(frozen=True)
class Index:
    """One index: its fields in order, 1 rising and -1 falling. `_id` is unique by itself."""

    collection: str
    keys: tuple[tuple[str, int], ...]
    unique: bool = False


INDEXES = (
    Index("assets", (("dataset_id", 1), ("version", 1)), unique=True),
    Index("assets", (("s3_key", 1),), unique=True),
    Index("assets", (("batch", 1), ("file_index", 1)), unique=True),
    Index("assets", (("dataset_id", 1), ("state", 1), ("version", -1))),
    Index("assets", (("state", 1), ("committed_at", 1))),
    Index("batches", (("state", 1), ("lease.expires_at", 1))),
    Index("batches", (("settled_at", 1), ("state", 1), ("ended_at", 1))),
    Index("batches", (("received_at", -1),)),
    Index("batches", (("batch_id", 1),)),
    Index("batches", (("upload.key", 1), ("upload.etag", 1))),
    Index("batches", (("lease.run_id", 1),)),
    Index("batches", (("ended_at", 1),)),
    Index("audits", (("bytes_verified", 1), ("ended_at", -1))),
    Index("runs", (("ended_at", 1),)),
    Index("runs", (("batch", 1), ("started_at", -1))),
    Index("runs", (("started_at", -1),)),
    Index("runs", (("state", 1), ("started_at", 1))),
)


@dataclass(frozen=True)
class Step:
    """A numbered migration. `apply` must do no harm when it runs twice, or twice at once."""

    id: str
    apply: Callable[[Database[BsonDocument]], None]


def _first_shape(_: Database[BsonDocument]) -> None:
    """Nothing to change: the shape of the first release."""


STEPS: tuple[Step, ...] = (Step("001_first_shape", _first_shape),)


def migrate(database: Database[BsonDocument], steps: Sequence[Step] = STEPS) -> tuple[str, ...]:
    """Bring a ledger to this release's shape; returns the migrations that were applied now.

    Raises `NewerLedgerError`, and changes nothing, when a newer release has been here.
    """
    with ledger_errors("migrate"):
        applied = _applied(database)
        unknown = sorted(applied - {step.id for step in steps})
        if unknown:
            raise NewerLedgerError(unknown)
        _set_validators(database)
        due = [step for step in steps if step.id not in applied]
        for step in due:
            step.apply(database)
            _record(database, step)
        _set_indexes(database)
    return tuple(step.id for step in due)


def _applied(database: Database[BsonDocument]) -> set[str]:
    return {document["_id"] for document in database["migrations"].find({}, {"_id": 1})}


def _record(database: Database[BsonDocument], step: Step) -> None:
    first_time = {"applied_at": {"$ifNull": ["$applied_at", NOW]}}
    database["migrations"].update_one({"_id": step.id}, [{"$set": first_time}], upsert=True)


def _set_validators(database: Database[BsonDocument]) -> None:
    options = {found["name"]: found.get("options", {}) for found in database.list_collections()}
    for name, model in COLLECTIONS.items():
        wanted: dict[str, object] = {
            "validator": validator(model),
            "validationLevel": "strict",
            "validationAction": "error",
        }
        if name not in options:
            _create(database, name, wanted)
        # collMod waits for every open transaction on the collection: only when it is needed.
        elif any(options[name].get(key) != value for key, value in wanted.items()):
            _modify(database, name, wanted)


def _create(database: Database[BsonDocument], name: str, wanted: Mapping[str, object]) -> None:
    try:
        database.command({"create": name, **wanted, **_DURABLY})
    except OperationFailure as error:
        if error.code != _NAMESPACE_EXISTS:
            raise
        _modify(database, name, wanted)


def _modify(database: Database[BsonDocument], name: str, wanted: Mapping[str, object]) -> None:
    database.command({"collMod": name, **wanted, **_DURABLY})


def _set_indexes(database: Database[BsonDocument]) -> None:
    for index in INDEXES:
        database[index.collection].create_index(list(index.keys), unique=index.unique)
