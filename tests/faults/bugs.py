"""Bugs that the platform does not have, planted to see that the checker would find them.

Each is a small change of the code in the memory of one process, of the kind that a tired programmer
makes. `test_planted_bugs.py` says under which fault each one shows, and which check must see it.
"""

from __future__ import annotations

from collections.abc import Callable

PLANTED: dict[str, Callable[[], None]] = {}


def plant(name: str) -> None:
    """Change the code of this process."""
    PLANTED[name]()


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
    from libs.ingest import commit, eject
    from libs.vault import Vault

    commit._look_at = lambda platform, asset: None
    waiting: list[tuple[object, tuple, dict]] = []
    put_file, settle = Vault.put_file, commit.settle

    def later(vault: Vault, *args: object, **kwargs: object) -> None:
        waiting.append((vault, args, kwargs))

    def now(*args: object) -> None:
        import shutil

        for vault, parts, kwargs in waiting:
            put_file(vault, *parts, **kwargs)
        settle(*args)
        del shutil

    Vault.put_file = later
    commit.settle = now
    eject.reach = commit.reach


@_bug
def version_read_then_added() -> None:
    """The next version is read in one statement and written in another, outside the transaction."""
    from libs.ledger.commit import CommitProtocol
    from libs.ledger.documents import NOW

    def next_version(self: CommitProtocol, _session: object, dataset_id: str) -> tuple:
        import time

        known = self.database["datasets"].find_one({"_id": dataset_id}) or {"last_version": 0}
        time.sleep(0.05)
        version = known["last_version"] + 1
        self.database["datasets"].update_one(
            {"_id": dataset_id},
            [
                {
                    "$set": {
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
    from libs.ingest import commit

    ledger_first = commit._look_at

    def archive_first(platform: object, asset: object) -> None:
        batch = platform.ledger.batches.first({"_id": {"$eq": asset.batch}})
        platform.vault.remove(platform.landing_bucket, batch.upload.key)
        ledger_first(platform, asset)

    commit._look_at = archive_first


@_bug
def hash_of_the_wrong_bytes() -> None:
    """The hash in the ledger is that of the source, and not of what lies in the lake."""
    from libs.ingest import vector_work

    draft_of = vector_work.draft_of

    def wrong(job: object, fetched: object, result: object) -> object:
        source = fetched.sources[0].sha256
        return draft_of(job, fetched, result.model_copy(update={"content_hash": source}))

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
    from libs.ingest import commit
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

    checks.LakeCheck.orphans = lambda self, *, repair: iter(())
    checks.pending_assets = _pending_without_objects


def _pending_without_objects(platform: object, *, repair: bool) -> list:
    for asset in platform.ledger.pending_assets():
        platform.ledger.delete_pending(asset.id)
    return []


@_bug
def schemas_are_left() -> None:
    """Nobody drops the schema of a run that was killed."""
    from libs.audit import checks
    from libs.compute import PostGIS

    checks.orphan_schemas = lambda platform, *, repair: iter(())
    PostGIS.drop_run_schemas = lambda self, run_id: None


@_bug
def folders_are_left() -> None:
    """Nobody removes the work folder of a run that was killed."""
    from libs.audit import checks
    from libs.ingest import cleanup

    checks.orphan_folders = lambda platform, *, repair: iter(())
    cleanup.remove_run_folder = lambda limits, run_id: None


@_bug
def a_try_is_a_new_batch() -> None:
    """The fingerprint has the run's time in it, so a retry after the commit makes a twin."""
    import uuid

    from libs.ingest import receive
    from libs.ledger.queries import Queries

    honest = receive.fingerprint
    Queries.batch_of_upload = lambda self, upload: None

    def salted(manifest_sha256: str, objects, recipes) -> str:
        return honest(manifest_sha256 + uuid.uuid4().hex, objects, recipes)

    receive.fingerprint = salted


@_bug
def receipt_before_the_ledger() -> None:
    """The receipt says committed while the transaction may still fail."""
    from libs.ingest import commit
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

    run = vector_work.run_step

    def without_last(planned: object, schema: str, columns: object, execute) -> object:
        outcome = run(planned, schema, columns, execute)
        if planned.output_table == vector_work.PROCESSED_TABLE:
            from psycopg import sql

            execute(
                sql.SQL("DELETE FROM {table} WHERE {row} = (SELECT max({row}) FROM {table})"
                        " RETURNING 1").format(
                    table=sql.Identifier(schema, planned.output_table),
                    row=sql.Identifier(vector_work.ROW_ID),
                )
            )  # fmt: skip
        return outcome

    vector_work.run_step = without_last
    vector_work.RowsLostError.__init__ = Exception.__init__


@_bug
def retries_overwrite_the_object() -> None:
    """A run writes to its key whatever lies there, with a key that does not depend on the bytes."""
    from libs.ledger import commit

    commit.object_key = (
        lambda dataset_id, version, content_hash, suffix, fence: f"{dataset_id}/latest{suffix}"
    )
