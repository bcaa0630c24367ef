"""The ledger's own shape: collections, validators, indexes and numbered changes of old documents.

`migrate` may be run at any time and by several processes at once. It looks first, and changes a
ledger only under a lock and only when every document will fit. Validators come before documents,
so that nothing old is written meanwhile; the record of a change comes last, so that one that was
broken off is made again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from importlib.metadata import version

from pymongo.client_session import ClientSession
from pymongo.database import Database
from pymongo.errors import OperationFailure

from libs.ledger.codec import BsonDocument
from libs.ledger.documents import NOW, literal
from libs.ledger.errors import NAMESPACE_EXISTS, ledger_errors
from libs.ledger.level import Level
from libs.ledger.listing import rung_of
from libs.ledger.migration_lock import LEASE_S, PATIENCE_S, MigrationLock
from libs.ledger.reshape import Change, require_fit, rewrite
from libs.ledger.schema import validator
from libs.ledger.transaction import Transactions
from libs.models import Asset, AuditRecord, Batch, Dataset, Document, Migration, Restore, Run

COLLECTIONS: dict[str, type[Document]] = {
    "batches": Batch,
    "assets": Asset,
    "datasets": Dataset,
    "runs": Run,
    "audits": AuditRecord,
    "migrations": Migration,
    "restores": Restore,
}
_TIMEOUT_S = 10.0
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
    Index("assets", (("committed_at", 1),)),
    # The embedded ledger answers a range of `_id` from no index but one that begins with it.
    Index("batches", (("_id", 1), ("state", 1))),
    Index("datasets", (("_id", 1), ("current_version", 1))),
    Index("datasets", (("rung", 1), ("_id", 1))),
    Index("audits", (("bytes_verified", 1), ("ended_at", -1))),
    Index("runs", (("ended_at", 1),)),
    Index("runs", (("batch", 1), ("started_at", -1))),
    Index("runs", (("started_at", -1),)),
    Index("runs", (("state", 1), ("started_at", 1))),
)


@dataclass(frozen=True)
class Step:
    """A numbered migration: what it makes of one document of each collection that it names.

    A change is a plain function of the document and leaves one alone that has its shape already.
    """

    id: str
    changes: Mapping[str, Change] = field(default_factory=dict)


def _with(**new: object) -> Change:
    """The change that gives a document fields which it lacks."""
    return lambda document: {**new, **document}


def _in_each(path: Sequence[str], **new: object) -> Change:
    """The change that gives such fields to each document of the list that lies at `path`.

    What has no such list is left alone; its model says then what is wrong with it.
    """
    first, *rest = path

    def change(document: BsonDocument) -> BsonDocument:
        inner = document.get(first)
        if rest:
            changed = _in_each(rest, **new)(inner) if isinstance(inner, dict) else inner
        else:
            changed = [{**new, **item} for item in inner] if isinstance(inner, list) else inner
        return {**document, first: changed} if first in document else document

    return change


def _on_its_rung(dataset: BsonDocument) -> BsonDocument:
    return {"rung": rung_of(str(dataset["_id"])), **dataset}


def _in_turn(changes: Sequence[Change]) -> Change:
    return lambda document: reduce(lambda now, change: change(now), changes, document)


STEPS: tuple[Step, ...] = (
    Step("001_first_shape"),
    # Which machine a run was on was not recorded before, nor which release applied a migration.
    Step("002_workers", {"runs": _with(worker=None), "migrations": _with(release=None)}),
    # Until then, each step had a statement of its own.
    Step(
        "003_shared_steps",
        {
            "assets": _in_turn(
                [
                    _in_each(("recipe", "steps"), is_shared=False),
                    _in_each(("metadata", "iso19115", "lineage", "process_steps"), is_shared=False),
                ]
            )
        },
    ),
    # Until then, each listing of datasets read all of them in the embedded ledger.
    Step("004_rungs", {"datasets": _on_its_rung}),
)


def release() -> str:
    """This release, as the ledger and its errors call it."""
    return version("spatial-etl")


def level(database: Database[BsonDocument], steps: Sequence[Step] = STEPS) -> Level:
    """Which migrations a ledger has had, and which are due."""
    return Level.read(database, [step.id for step in steps], release())


def migrate(
    database: Database[BsonDocument],
    steps: Sequence[Step] = STEPS,
    *,
    lease_s: float = LEASE_S,
    patience_s: float = PATIENCE_S,
) -> tuple[str, ...]:
    """Bring a ledger to this release's shape; returns the migrations that were applied now.

    Raises:
        NewerLedgerError: a newer release has been here; nothing was changed.
        UnfitDocumentsError: documents would not fit, and are named; nothing was changed.
        MigrationBusyError: another process is still at it after `patience_s` seconds.
    """
    level(database, steps).refuse_newer()
    if _is_current(database, steps):
        return ()
    transactions = Transactions(database.client, _TIMEOUT_S)
    lock = MigrationLock(transactions, database, lease_s)
    with lock.held(patience_s):
        now = level(database, steps)
        now.refuse_newer()
        due = [step for step in steps if step.id in now.due]
        changes = _together(due)
        require_fit(database, COLLECTIONS, changes)
        lock.require()
        _set_validators(database)
        rewrite(database, changes, transactions, lock.require)
        lock.require()
        _set_indexes(database)
        lock.require()
        _record(database, due, transactions)
    return now.due


def _is_current(database: Database[BsonDocument], steps: Sequence[Step]) -> bool:
    with ledger_errors("migrate"):
        return not (
            level(database, steps).due or _wrong_validators(database) or _missing_indexes(database)
        )


def _together(steps: Sequence[Step]) -> dict[str, Change]:
    """All steps as one change a collection: a document is written once, in its last shape."""
    found: dict[str, list[Change]] = {}
    for step in steps:
        for name, change in step.changes.items():
            found.setdefault(name, []).append(change)
    return {name: _in_turn(changes) for name, changes in found.items()}


def _record(
    database: Database[BsonDocument], steps: Sequence[Step], transactions: Transactions
) -> None:
    with_release = {"$ifNull": ["$release", literal(release())]}
    first_time = {"applied_at": {"$ifNull": ["$applied_at", NOW]}, "release": with_release}

    def body(session: ClientSession) -> None:
        with ledger_errors("collection migrations"):
            for step in steps:
                database["migrations"].update_one(
                    {"_id": step.id}, [{"$set": first_time}], upsert=True, session=session
                )

    transactions.run("record migrations", body)


def _wanted(model: type[Document]) -> dict[str, object]:
    return {
        "validator": validator(model),
        "validationLevel": "strict",
        "validationAction": "error",
    }


def _wrong_validators(database: Database[BsonDocument]) -> dict[str, bool]:
    """The collections without their options, and whether each is there at all."""
    options = {found["name"]: found.get("options", {}) for found in database.list_collections()}
    return {
        name: name in options
        for name, model in COLLECTIONS.items()
        if any(options.get(name, {}).get(key) != value for key, value in _wanted(model).items())
    }


def _set_validators(database: Database[BsonDocument]) -> None:
    # collMod waits for every open transaction on the collection: only when it is needed.
    with ledger_errors("validators"):
        for name, is_there in _wrong_validators(database).items():
            wanted = _wanted(COLLECTIONS[name])
            if not is_there:
                _create(database, name, wanted)
            else:
                _modify(database, name, wanted)


def _create(database: Database[BsonDocument], name: str, wanted: Mapping[str, object]) -> None:
    try:
        database.command({"create": name, **wanted, **_DURABLY})
    except OperationFailure as error:
        if error.code != NAMESPACE_EXISTS:
            raise
        _modify(database, name, wanted)


def _modify(database: Database[BsonDocument], name: str, wanted: Mapping[str, object]) -> None:
    database.command({"collMod": name, **wanted, **_DURABLY})


def _missing_indexes(database: Database[BsonDocument]) -> list[Index]:
    there = {
        (name, tuple(found["key"].items()), bool(found.get("unique", False)))
        for name in {index.collection for index in INDEXES}
        for found in database[name].list_indexes()
    }
    return [index for index in INDEXES if (index.collection, index.keys, index.unique) not in there]


def _set_indexes(database: Database[BsonDocument]) -> None:
    with ledger_errors("indexes"):
        for index in _missing_indexes(database):
            database[index.collection].create_index(list(index.keys), unique=index.unique)
