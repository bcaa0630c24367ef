"""What watchers ask: right, and as cheap in a large ledger as in a small one; the log of audits."""

from __future__ import annotations

import hashlib
import time
import uuid
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone

import pymongo.monitoring
import pytest

from libs.ledger import Ledger, audits
from libs.models import AuditRecord, BatchState, FindingCount, FindingKind
from libs.settings import LedgerSettings

pytestmark = pytest.mark.integration

BEGIN = datetime(2026, 1, 1, tzinfo=timezone.utc)
MANY = 1200


class Commands(pymongo.monitoring.CommandListener):
    """Remembers each question that is put to the server."""

    def __init__(self) -> None:
        self.seen: list[dict] = []

    def started(self, event: pymongo.monitoring.CommandStartedEvent) -> None:
        if event.command_name in ("find", "aggregate"):
            self.seen.append({k: v for k, v in event.command.items()
                              if k in ("find", "aggregate", "filter", "pipeline", "projection",
                                       "sort", "limit", "cursor", "hint")})  # fmt: skip

    def succeeded(self, event: pymongo.monitoring.CommandSucceededEvent) -> None:
        pass

    def failed(self, event: pymongo.monitoring.CommandFailedEvent) -> None:
        pass


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> Commands:
    """Of every client that is made from now on."""
    listener = Commands()
    pymongo.monitoring.register(listener)
    return listener


@pytest.fixture
def large(commands: Commands, ledger_settings: LedgerSettings) -> Iterator[Ledger]:
    """Thousands of runs, batches and assets that ended one after the other, a minute each."""
    with Ledger.connect(ledger_settings) as ledger:
        ledger.migrate()
        raw = ledger.client.get_database(ledger_settings.database)
        ends = [BEGIN + timedelta(minutes=n) for n in range(MANY)]
        ids = [hashlib.sha256(str(n).encode()).hexdigest() for n in range(MANY)]
        for name, documents in {
            "runs": [
                {"_id": str(uuid.UUID(int=n)), "state": "failed" if n % 3 else "committed",
                 "stages": [{"stage": "load", "seconds": float(n)}, {"stage": "eject"}],
                 "started_at": at, "ended_at": at}
                for n, at in enumerate(ends)
            ],
            "batches": [
                {"_id": ids[n], "state": "rejected" if n % 2 else "committed", "ended_at": at,
                 "upload": {"key": str(n)}}
                for n, at in enumerate(ends)
            ],
            "assets": [
                {"_id": ids[n][:32], "state": "committed", "committed_at": at, "kind": "vector",
                 "size_bytes": n, "sources": [{"size_bytes": 2}, {"size_bytes": n}],
                 "dataset_id": f"A/{n}", "version": 1, "s3_key": str(n), "batch": str(n),
                 "file_index": 0}
                for n, at in enumerate(ends)
            ],
        }.items():  # fmt: skip
            for start in range(0, MANY, 200):  # a busy server answers each within its time
                part = documents[start : start + 200]
                raw[name].insert_many(part, bypass_document_validation=True)
        yield ledger


def examined(ledger: Ledger, command: dict) -> int:
    """How many documents and index entries the server looks at for it, by its own account."""
    explain = {"explain": command, "verbosity": "executionStats"}
    stats = ledger.database.client[ledger.database.name].command(explain)["executionStats"]
    return max(stats["totalDocsExamined"], stats["totalKeysExamined"])


def test_a_look_at_a_large_ledger_examines_only_what_is_new(
    large: Ledger, commands: Commands
) -> None:
    commands.seen.clear()
    since = BEGIN + timedelta(minutes=MANY - 10)
    runs, batches = large.runs_ended_since(since, 500), large.batches_ended_since(since, 500)
    assets = large.assets_committed_since(since, 500)
    assert len(runs) == len(batches) == len(assets) == 10
    assert large.open_batches(10_000) == {it: 0 for it in BatchState if not it.is_final}
    assert large.silent_runs(60) == 0
    large.last_audit(bytes_verified=True)
    asked = list(commands.seen)
    assert len(asked) == 3 + 4 + 2 + 1
    for command in asked:
        assert examined(large, command) <= 11, command


def test_what_ended_is_told_in_order_with_its_numbers(large: Ledger) -> None:
    first = large.runs_ended_since(BEGIN, 4)
    assert [run.at for run in first] == [BEGIN + timedelta(minutes=n) for n in range(4)]
    assert [run.outcome.value for run in first] == ["committed", "failed", "failed", "committed"]
    assert [[(stage.value, s) for stage, s in run.stages] for run in first[:2]] == [
        [("load", 0.0)], [("load", 1.0)],
    ]  # fmt: skip
    third = large.assets_committed_since(BEGIN + timedelta(minutes=2), 1)[0]
    assert (third.kind.value, third.bytes_in, third.bytes_out) == ("vector", 4, 2)


def record(*, bytes_verified: bool, found: int = 0) -> AuditRecord:
    counts = (FindingCount(kind=FindingKind.DEAD_RUN, found=found, repaired=0),) if found else ()
    return AuditRecord(
        id=uuid.uuid4().hex, ended_at=BEGIN, seconds=1, repair=False,
        bytes_verified=bytes_verified, assets_checked=1, objects_checked=2, findings=counts,
    )  # fmt: skip


def test_the_last_audit_of_each_depth_is_known_by_the_servers_clock(ledger: Ledger) -> None:
    assert ledger.last_audit(bytes_verified=True) is None
    deep = ledger.record_audit(record(bytes_verified=True, found=3))
    ledger.record_audit(record(bytes_verified=False))
    time.sleep(0.01)
    shallow = ledger.record_audit(record(bytes_verified=False, found=1))
    assert ledger.last_audit(bytes_verified=True) == deep
    assert ledger.last_audit(bytes_verified=False) == shallow
    assert abs(deep.ended_at - ledger.server_now()) < timedelta(seconds=20)


def test_old_audits_are_forgotten_but_never_the_last_of_a_depth(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audits, "KEPT", 3)
    deep = ledger.record_audit(record(bytes_verified=True))
    kept = []
    for _ in range(6):
        kept.append(ledger.record_audit(record(bytes_verified=False)).id)
        time.sleep(0.005)
    left = {found["_id"] for found in ledger.database["audits"].find()}
    assert left == {deep.id, *kept[-3:]}
