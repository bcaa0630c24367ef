"""A ledger that an older release wrote, brought to today's shape; and what may go wrong on the way.

`fixtures/first_shape.json` was written by the first version that had the whole flow.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from pathlib import Path
from typing import Any

import pytest
from bson.json_util import loads

from libs.ledger import Ledger, NewerLedgerError, OlderLedgerError, UnfitDocumentsError
from libs.ledger.errors import MigrationBusyError
from libs.ledger.migration_lock import MigrationLock
from libs.ledger.migrations import COLLECTIONS, STEPS, Step, migrate
from libs.settings import LedgerSettings

pytestmark = pytest.mark.integration

FIRST_SHAPE = Path(__file__).parent / "fixtures/first_shape.json"


@pytest.fixture
def written() -> dict[str, Any]:
    return loads(FIRST_SHAPE.read_text())


@pytest.fixture
def old_ledger(ledger_settings: LedgerSettings, written: dict[str, Any]):
    """The first version's documents in a database that nothing of today's has touched."""
    with Ledger.connect(ledger_settings) as ledger:
        for name, documents in written["collections"].items():
            ledger.database[name].insert_many(documents)
        yield ledger


DUE = ["002_workers", "003_shared_steps", "004_rungs"]


def steps_of(asset: dict[str, Any]) -> tuple[list[dict[str, Any]], ...]:
    lineage = asset["metadata"]["iso19115"]["lineage"]
    return asset["recipe"]["steps"], lineage["process_steps"]


def rung_by_hand(dataset_id: str) -> int:
    """How many zeros end the first 16 hexadecimal digits of the id's SHA-256, up to 3."""
    digits = hashlib.sha256(dataset_id.encode()).hexdigest()[:16]
    return min(3, len(digits) - len(digits.rstrip("0")))


def documents(ledger: Ledger) -> dict[str, dict[object, dict[str, Any]]]:
    names = [name for name in ledger.database.list_collection_names() if name in COLLECTIONS]
    return {name: {it["_id"]: it for it in ledger.database[name].find()} for name in names}


def test_a_document_keeps_all_that_it_had(old_ledger: Ledger) -> None:
    before = documents(old_ledger)
    old_ledger.migrate()
    after = documents(old_ledger)
    added = {"runs": {"worker": None}, "migrations": {"release": None}}
    for name, kept in before.items():
        for key, document in kept.items():
            for steps in steps_of(document) if name == "assets" else ():
                for step in steps:
                    step["is_shared"] = False
            if name == "datasets":
                assert after[name][key].pop("rung") == rung_by_hand(key)
            assert after[name].pop(key) == {**document, **added.get(name, {})}
    assert [*after["migrations"]] == DUE
    assert not any(after[name] for name in before if name != "migrations")


def test_documents_that_do_not_fit_are_named_and_nothing_is_changed(old_ledger: Ledger) -> None:
    runs = old_ledger.database["runs"]
    broken = runs.find_one()["_id"]
    runs.update_one({"_id": broken}, {"$set": {"state": "sleeping", "colour": "red"}})
    before, collections = documents(old_ledger), old_ledger.database.list_collection_names()
    with pytest.raises(UnfitDocumentsError) as caught:
        old_ledger.migrate()
    said = str(caught.value)
    assert broken in said and "runs" in said and "state" in said and "colour" in said
    assert "1 document(s)" in said
    assert documents(old_ledger) == before
    new = set(old_ledger.database.list_collection_names()) - set(collections)
    assert new == {"locks"}
    runs.update_one({"_id": broken}, {"$set": {"state": "failed"}, "$unset": {"colour": ""}})
    assert old_ledger.migrate() == tuple(DUE)


def test_an_asset_that_a_change_finds_nothing_in_is_named_and_not_tripped_over(old_ledger) -> None:
    assets = old_ledger.database["assets"]
    broken = assets.find_one()["_id"]
    assets.update_one({"_id": broken}, {"$set": {"recipe": "lost", "metadata": None}})
    with pytest.raises(UnfitDocumentsError, match=broken) as caught:
        old_ledger.migrate()
    assert "recipe" in str(caught.value) and "1 document(s)" in str(caught.value)


def test_an_older_program_refuses_a_newer_ledger_and_says_what_to_do(ledger: Ledger) -> None:
    migrate(ledger.database, (*STEPS, Step("999_future")))
    ledger.database.command({"collMod": "migrations", "validationLevel": "off"})
    ledger.database["migrations"].update_one({"_id": "999_future"}, {"$set": {"release": "9.1.0"}})
    before = documents(ledger)
    for act in (ledger.migrate, ledger.require_current):
        with pytest.raises(NewerLedgerError) as caught:
            act()
        for word in ("9.1.0", "0.1.0", "999_future", "update"):
            assert word in str(caught.value)
    assert documents(ledger) == before


def test_a_newer_program_refuses_to_read_what_is_not_migrated_and_names_the_cure(
    old_ledger: Ledger, ledger_settings: LedgerSettings
) -> None:
    with pytest.raises(OlderLedgerError) as caught:
        old_ledger.require_current()
    for word in ("001_first_shape", "002_workers", "spatial-etl ledger --migrate"):
        assert word in str(caught.value)

    def spatial_etl(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [Path(sys.executable).with_name("spatial-etl"), *arguments],
            env={**os.environ, "MONGODB_DATABASE": ledger_settings.database},
            capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip

    refused = spatial_etl("status")
    assert refused.returncode == 5 and "002_workers" in refused.stderr
    shown = spatial_etl("ledger", "--json")
    assert shown.returncode == 5 and json.loads(shown.stdout)["due"] == DUE
    cured = spatial_etl("ledger", "--migrate")
    assert cured.returncode == 0 and "002_workers" in cured.stdout
    assert "first-shape-one" in spatial_etl("status").stdout


KILLED = """
import os, signal, sys
from libs.ledger import Ledger
from libs.ledger.migrations import STEPS, Step, migrate
from libs.settings import LedgerSettings, load_section

seen = set()

def change(document):
    if "mark" in document["error"]:
        return document
    if len(seen) >= 150 and document["_id"] not in seen and WRITING:
        os.kill(os.getpid(), signal.SIGKILL)
    seen.add(document["_id"])
    return {**document, "error": document["error"] + " mark"}

settings = load_section(LedgerSettings).model_copy(update={"database": sys.argv[1]})
with Ledger.connect(settings) as ledger:
    from libs.ledger import migrations
    rewrite, WRITING = migrations.rewrite, False
    def late(*arguments):
        global WRITING
        WRITING = True
        seen.clear()
        return rewrite(*arguments)
    migrations.rewrite = late
    migrate(ledger.database, (*STEPS, Step("997_mark", {"runs": change})), lease_s=4)
"""


def marked(document: dict[str, Any]) -> dict[str, Any]:
    if "mark" in document["error"]:
        return document
    return {**document, "error": document["error"] + " mark"}


def many_runs(ledger: Ledger, count: int) -> list[str]:
    (one,) = ledger.database["runs"].find({"state": "rejected"})
    fresh = [{**one, "_id": str(uuid.uuid4()), "error": "e", "worker": None} for _ in range(count)]
    ledger.database["runs"].delete_many({})
    ledger.database["runs"].insert_many(fresh)
    return [run["_id"] for run in fresh]


def test_what_a_killed_migration_left_is_finished_by_the_next_start(
    old_ledger: Ledger, ledger_settings: LedgerSettings
) -> None:
    old_ledger.migrate()
    many_runs(old_ledger, 300)
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, ledger_settings.database],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    errors = [run["error"] for run in old_ledger.database["runs"].find()]
    assert 0 < errors.count("e mark") < 300, "it died on the way"
    started = time.monotonic()
    steps = (*STEPS, Step("997_mark", {"runs": marked}))
    assert migrate(old_ledger.database, steps, lease_s=4) == ("997_mark",)
    assert time.monotonic() - started < 30, "its lock ran out by itself"
    assert {run["error"] for run in old_ledger.database["runs"].find()} == {"e mark"}


def test_while_one_migrates_another_waits_and_then_finds_it_done(old_ledger: Ledger) -> None:
    lock = MigrationLock(old_ledger.transactions, old_ledger.database, lease_s=3)
    entered, done = threading.Event(), threading.Event()

    def hold() -> None:
        with lock.held():
            entered.set()
            done.wait(20)

    holder = threading.Thread(target=hold)
    holder.start()
    assert entered.wait(20)
    with pytest.raises(MigrationBusyError, match=str(os.getpid())):
        migrate(old_ledger.database, patience_s=5)  # longer than the lease: it is kept
    assert "worker" not in old_ledger.database["runs"].find_one()
    done.set()
    holder.join()
    assert old_ledger.migrate() == tuple(DUE)


def test_what_runs_write_meanwhile_is_not_lost(old_ledger: Ledger) -> None:
    old_ledger.migrate()
    ids = many_runs(old_ledger, 60)
    stop, written = threading.Event(), dict.fromkeys(ids, 0)

    def work() -> None:
        number = 0
        while not stop.is_set():
            run_id = ids[number % len(ids)]
            old_ledger.end_run(run_id, old_ledger.run(run_id).state)  # as a run that reads itself
            old_ledger.attach_batch(run_id, f"{number:064x}")
            written[run_id] = number
            number += 1

    worker = threading.Thread(target=work)
    worker.start()
    try:
        for name in ("995_a", "996_b", "997_c"):

            def change(document: dict[str, Any], name: str = name) -> dict[str, Any]:
                if name in document["error"]:
                    return document
                return {**document, "error": f"{document['error']} {name}"}

            known = [Step(it["_id"]) for it in old_ledger.database["migrations"].find()]
            assert migrate(old_ledger.database, (*known, Step(name, {"runs": change}))) == (name,)
    finally:
        stop.set()
        worker.join()
    assert sum(1 for number in written.values() if number) > 5
    for run in old_ledger.database["runs"].find():
        assert run["error"] == "e 995_a 996_b 997_c"
        if written[run["_id"]]:
            assert run["batch"] == f"{written[run['_id']]:064x}"
