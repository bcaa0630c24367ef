"""Bugs that the platform does not have, planted to see that the checker would find them.

Each is a small change of the code in the memory of one process, of the kind that a tired programmer
makes. `test_planted_bugs.py` says under which fault each one shows, and which check must see it.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from types import ModuleType

PLANTED: dict[str, Callable[[], None]] = {}


def plant(name: str) -> None:
    """Change the code of this process."""
    PLANTED[name]()


def _stage(name: str) -> ModuleType:
    """The module of a stage; the package gives the function of that name."""
    return importlib.import_module(f"libs.ingest.{name}")


def _without(*kinds: str) -> None:
    """The auditor does not look for these."""
    from libs.audit import leftovers

    leftovers.LEFTOVERS = tuple(
        item for item in leftovers.LEFTOVERS if item.kind.value not in kinds
    )


def _bug(function: Callable[[], None]) -> Callable[[], None]:
    PLANTED[function.__name__] = function
    return function


@_bug
def no_fence() -> None:
    """A run that lost its batch may still commit it: nobody asks whose turn it is."""
    from libs.ledger import commit, protocol

    def held_by(fingerprint: str, fence: int) -> dict[str, object]:
        return {"_id": {"$eq": fingerprint}}

    def reservation_of(asset: object, fingerprint: str, fence: int) -> dict[str, object]:
        return {"_id": {"$eq": asset.id}}

    protocol.held_by = commit.held_by = held_by
    commit._reservation_of = reservation_of


@_bug
def object_after_commit() -> None:
    """The ledger says committed first, and the upload follows."""
    from libs.vault import Vault

    commit = _stage("commit")
    commit._look_at = lambda platform, asset: None
    waiting: list[Callable[[], object]] = []
    put_file, settle = Vault.put_file, commit.settle

    def later(*args: object, **kwargs: object) -> None:
        waiting.append(lambda: put_file(*args, **kwargs))

    def now(*args: object) -> None:
        for upload in waiting:
            upload()
        settle(*args)

    Vault.put_file = later
    commit.settle = now


@_bug
def version_read_then_added() -> None:
    """The next version is read in one statement and written in another, outside the transaction."""
    from libs.ledger.commit import CommitProtocol
    from libs.ledger.documents import NOW
    from libs.ledger.listing import rung_of

    def next_version(self: CommitProtocol, _session: object, dataset_id: str) -> tuple:
        import time

        known = self.database["datasets"].find_one({"_id": dataset_id}) or {"last_version": 0}
        time.sleep(2)
        version = known["last_version"] + 1
        self.database["datasets"].update_one(
            {"_id": dataset_id},
            [
                {
                    "$set": {
                        "rung": rung_of(dataset_id),
                        "last_version": version,
                        "current_version": {"$ifNull": ["$current_version", None]},
                        "current_asset_id": {"$ifNull": ["$current_asset_id", None]},
                        "updated_at": NOW,
                    }
                }
            ],
            upsert=True,
        )
        return version, self.server_now()

    CommitProtocol._next_version = next_version


@_bug
def cleanup_before_commit() -> None:
    """The manifest is taken away before the ledger has spoken."""
    commit = _stage("commit")

    ledger_first = commit._look_at

    def archive_first(platform: object, asset: object) -> None:
        batch = platform.ledger.batches.first({"_id": {"$eq": asset.batch}})
        platform.vault.remove(platform.landing_bucket, batch.upload.key)
        ledger_first(platform, asset)

    commit._look_at = archive_first


@_bug
def hash_of_the_wrong_bytes() -> None:
    """The hash in the ledger is that of the source, and not of what lies in the lake."""
    from dataclasses import replace

    from libs.ingest import vector_work

    draft_of = vector_work.draft_of

    def wrong(job: object, fetched: object, result: object) -> object:
        source = fetched.sources[0].sha256
        return draft_of(job, fetched, replace(result, content_hash=source))

    vector_work.draft_of = wrong


@_bug
def commits_file_by_file() -> None:
    """Each asset is committed in a transaction of its own, so that a reader sees half a batch."""
    import time

    from pymongo import MongoClient

    from libs.ledger.commit import CommitProtocol

    whole = CommitProtocol.commit

    def one_by_one(self: CommitProtocol, fingerprint: str, fence: int, assets, files) -> object:
        assert isinstance(self.client, MongoClient)
        for asset in assets[:-1]:
            change = {
                "state": "committed",
                "committed_at": self.server_now(),
                "size_bytes": asset.size_bytes,
            }
            self.database["assets"].update_one({"_id": asset.id}, {"$set": change})
            time.sleep(0.2)
        for asset in assets[:-1]:
            self.database["assets"].update_one(
                {"_id": asset.id}, {"$set": {"state": "pending", "committed_at": None}}
            )
        return whole(self, fingerprint, fence, assets, files)

    CommitProtocol.commit = one_by_one


@_bug
def no_link_to_the_ledger() -> None:
    """The object does not name its document, and nobody looks."""
    commit = _stage("commit")
    from libs.vault import Vault

    put_file = Vault.put_file
    commit._look_at = lambda platform, asset: None

    def bare(vault: Vault, *args: object, metadata: dict, **kwargs: object) -> object:
        kept = {name: value for name, value in metadata.items() if name != "mongodb_doc_id"}
        return put_file(vault, *args, metadata=kept, **kwargs)

    Vault.put_file = bare


@_bug
def orphans_are_left() -> None:
    """The auditor takes reservations back and forgets their objects."""
    from libs.audit import checks
    from libs.vault import Vault

    checks.LakeCheck.orphans = lambda self, *, repair: iter(())
    remove = Vault.remove
    Vault.remove = lambda self, bucket, key: (
        None if bucket == "data-lake" else remove(self, bucket, key)
    )


@_bug
def schemas_are_left() -> None:
    """Nobody drops the schema of a run that was killed."""
    from libs.compute import PostGIS

    _without("orphan_schema")
    PostGIS.drop_run_schemas = lambda self, run_id: None


@_bug
def folders_are_left() -> None:
    """Nobody removes the work folder of a run that was killed."""
    from libs.ingest import cleanup

    _without("orphan_folder")
    cleanup.remove_run_folder = lambda limits, run_id: None


@_bug
def reservations_are_left() -> None:
    """The auditor forgets what a run had reserved whose manifest was taken away."""
    _without("pending_asset")


@_bug
def a_try_is_a_new_batch() -> None:
    """The fingerprint has the run's time in it, so a retry after the commit makes a twin."""
    import uuid

    receive = _stage("receive")
    from libs.ledger.queries import Queries

    honest = receive.fingerprint
    Queries.batch_of_upload = lambda self, upload: None

    def salted(manifest_sha256: str, objects, recipes) -> str:
        return honest(manifest_sha256 + uuid.uuid4().hex, objects, recipes)

    receive.fingerprint = salted


@_bug
def receipt_before_the_ledger() -> None:
    """The receipt says committed while the transaction may still fail."""
    commit = _stage("commit")
    from libs.ledger.commit import CommitProtocol
    from libs.models import BatchState

    ledger_commit, settle = CommitProtocol.commit, commit.settle
    platforms: list[object] = []
    look_at = commit._look_at

    def seen(platform: object, asset: object) -> None:
        platforms.append(platform)
        look_at(platform, asset)

    def early(self: CommitProtocol, fingerprint: str, fence: int, assets, files) -> object:
        batch = self.batches.first({"_id": {"$eq": fingerprint}})
        settle(platforms[-1], batch.model_copy(update={"state": BatchState.COMMITTED}))
        return ledger_commit(self, fingerprint, fence, assets, files)

    commit._look_at = seen
    CommitProtocol.commit = early


@_bug
def rows_are_dropped_in_silence() -> None:
    """The last row never arrives, and nobody counts."""
    from libs.ingest import vector_work

    one_pass, run_step = vector_work.run_in_one_pass, vector_work.run_step

    def drop_last(schema: str, execute) -> None:
        from psycopg import sql

        execute(
            sql.SQL("DELETE FROM {table} WHERE {row} = (SELECT max({row}) FROM {table})"
                    " RETURNING 1").format(
                table=sql.Identifier(schema, vector_work.PROCESSED_TABLE),
                row=sql.Identifier(vector_work.ROW_ID),
            )
        )  # fmt: skip

    def all_at_once(plan: object, schema: str, columns: object, execute, types: object) -> object:
        outcomes = one_pass(plan, schema, columns, execute, types)
        if outcomes is not None:
            drop_last(schema, execute)
        return outcomes

    def one_by_one(planned: object, schema: str, columns: object, execute) -> object:
        outcome = run_step(planned, schema, columns, execute)
        if planned.output_table == vector_work.PROCESSED_TABLE:
            drop_last(schema, execute)
        return outcome

    vector_work.run_in_one_pass, vector_work.run_step = all_at_once, one_by_one
    eject, write_vector = _stage("eject"), vector_work.write_vector

    def uncounted(platform: object, job: object, done: object) -> object:
        object.__setattr__(done.loaded.table, "row_count", done.loaded.table.row_count - 1)
        return write_vector(platform, job, done)

    eject.write_vector = uncounted


@_bug
def tries_share_a_key() -> None:
    """The key of an object does not depend on the try, so a run that wakes up writes over it."""
    from libs.ledger import commit

    object_key = commit.object_key
    commit.object_key = lambda *args, fence: object_key(*args, fence=1)
