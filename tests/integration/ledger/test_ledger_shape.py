"""Validators, indexes and migrations on a real server."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from pymongo.errors import DuplicateKeyError, WriteError

from libs.errors import OperatorError
from libs.ledger import Ledger, NewerLedgerError, UnreadableDocumentError
from libs.ledger.codec import encode
from libs.ledger.migration_lock import LOCKS
from libs.ledger.migrations import COLLECTIONS, INDEXES, STEPS, Step, migrate
from libs.models import Asset, Batch
from libs.settings import LedgerSettings

pytestmark = pytest.mark.integration


def shape(ledger: Ledger) -> dict[str, Any]:
    """Everything that migrate sets, as the server tells it."""
    database = ledger.database
    return {
        found["name"]: (
            found["options"],
            {
                index["name"]: (tuple(index["key"].items()), index.get("unique", False))
                for index in database[found["name"]].list_indexes()
            },
        )
        for found in database.list_collections()
    }


def test_migrating_twice_changes_nothing_the_second_time(
    ledger: Ledger, ledger_settings: LedgerSettings
) -> None:
    before, applied = shape(ledger), list(ledger.database["migrations"].find())
    assert ledger.migrate() == ()
    assert shape(ledger) == before
    assert list(ledger.database["migrations"].find()) == applied
    assert set(before) == {*COLLECTIONS, LOCKS}
    indexes = [entry for _, found in before.values() for entry in found.values()]
    for index in INDEXES:
        assert (index.keys, index.unique) in indexes


def test_two_processes_may_migrate_at_once(ledger_settings: LedgerSettings) -> None:
    code = (
        "import sys; from libs.ledger import Ledger; from libs.settings import load_section,"
        " LedgerSettings; s = load_section(LedgerSettings).model_copy("
        "update={'database': sys.argv[1]}); Ledger.connect(s).migrate()"
    )
    command = [sys.executable, "-c", code, ledger_settings.database]
    others = [subprocess.Popen(command, stderr=subprocess.PIPE) for _ in range(2)]
    with Ledger.connect(ledger_settings) as ledger, ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: ledger.migrate(), range(4)))
        for other in others:
            _, errors = other.communicate(timeout=60)
            assert other.returncode == 0, errors.decode()
        assert set(shape(ledger)) == {*COLLECTIONS, LOCKS}
        applied = ledger.database["migrations"].find({}, sort=[("_id", 1)])
        assert [step["_id"] for step in applied] == [step.id for step in STEPS]


def test_a_validator_of_an_older_release_is_replaced(ledger: Ledger) -> None:
    wanted = shape(ledger)
    ledger.database.command({"collMod": "runs", "validator": {"old": {"$exists": True}}})
    assert shape(ledger) != wanted
    ledger.migrate()
    assert shape(ledger) == wanted


def test_a_migration_is_applied_once_and_recorded(ledger: Ledger, make: Any) -> None:
    calls: list[object] = []

    def change(document: dict[str, Any]) -> dict[str, Any]:
        calls.append(document["_id"])
        return document

    batch = ledger.receive(make.batch("one"))
    steps = (*STEPS, Step("998_next", {"batches": change}))
    assert migrate(ledger.database, steps) == ("998_next",)
    assert set(calls) == {batch.id}
    calls.clear()
    assert migrate(ledger.database, steps) == ()
    assert calls == []


def test_a_ledger_of_a_newer_release_is_left_alone(ledger: Ledger) -> None:
    migrate(ledger.database, (*STEPS, Step("999_future")))
    with pytest.raises(NewerLedgerError, match="999_future"):
        ledger.migrate()


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("batches", {"surprise": 1}),
        ("batches", {"state": "done"}),
        ("batches", {"fence": "1"}),
        ("batches", {"manifest": "text"}),
        ("batches", {"upload": {"key": "k"}}),
        ("batches", {"received_at": "today"}),
        ("assets", {"surprise": None}),
        ("assets", {"content_hash": "F" * 64}),
        ("assets", {"version": 0}),
        ("assets", {"metadata": {}}),
        ("assets", {"recipe.surprise": 1}),
        ("assets", {"content_hash": "0" * 64 + "\n"}),
    ],
)
def test_the_server_itself_refuses_what_does_not_fit_the_model(
    ledger: Ledger,
    make: Any,
    claimed: Callable[..., Batch],
    reserve: Callable[..., tuple[Asset, ...]],
    name: str,
    change: dict[str, object],
) -> None:
    batch = claimed("one")
    reserve(batch, make.draft(batch))
    collection = ledger.database[name]
    (whole,) = collection.find()
    with pytest.raises(WriteError) as caught:
        collection.update_one({"_id": whole["_id"]}, {"$set": change})
    assert caught.value.code == 121
    assert list(collection.find()) == [whole]
    if "." not in next(iter(change)):
        with pytest.raises(WriteError) as caught:
            collection.insert_one({**whole, "_id": "0" * len(whole["_id"]), **change})
        assert caught.value.code == 121


@pytest.mark.parametrize("keep", ["dataset_id+version", "s3_key", "batch+file_index"])
def test_unique_indexes_hold_each_promise_by_itself(
    ledger: Ledger,
    make: Any,
    claimed: Callable[..., Batch],
    reserve: Callable[..., tuple[Asset, ...]],
    keep: str,
) -> None:
    batch = claimed("one")
    (asset,) = reserve(batch, make.draft(batch))
    other = {"_id": "f" * 32, "version": 2, "s3_key": "other", "file_index": 1}
    twin = {**encode(asset), **other}
    for field in keep.split("+"):
        twin[field] = encode(asset)[field]
    with pytest.raises(DuplicateKeyError):
        ledger.database["assets"].insert_one(twin)
    ledger.database["assets"].insert_one({**encode(asset), **other})


def test_a_document_that_was_changed_by_hand_is_named(ledger: Ledger, make: Any) -> None:
    batch = ledger.receive(make.batch("one"))
    ledger.database.command({"collMod": "batches", "validationLevel": "off"})
    ledger.database["batches"].update_one({}, {"$set": {"colour": "red"}})
    with pytest.raises(UnreadableDocumentError, match="colour") as caught:
        ledger.batch(batch.id)
    assert isinstance(caught.value, OperatorError)
    assert batch.id in str(caught.value)
