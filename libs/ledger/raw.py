"""Documents as they lie in the ledger, for backups: read a page at a time, and put back.

What they mean, and which belong together, is not its business.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pymongo
from pymongo.client_session import ClientSession
from pymongo.operations import ReplaceOne

from libs.ledger.codec import BsonDocument
from libs.ledger.connection import Connection
from libs.ledger.errors import ledger_errors
from libs.ledger.migrations import COLLECTIONS, migrate
from libs.ledger.scan import SCAN_TIMEOUT_S, ids_of, pages_of


class RawDocuments(Connection):
    """The collections without their models."""

    def raw_ids(self, name: str, query: Mapping[str, Any], page: int) -> Iterator[list[str]]:
        """The `_id` of all that match now, some at a time."""
        return ids_of(self.database[name], query, page)

    def raw_pages(
        self, name: str, query: Mapping[str, Any], page: int
    ) -> Iterator[list[BsonDocument]]:
        """All that match now, by `_id`; see `scan.pages_of`."""
        return pages_of(self.database[name], query, page)

    def raw_by_ids(
        self, name: str, ids: Sequence[str], fields: Sequence[str] | None = None
    ) -> list[BsonDocument]:
        """The documents with these `_id`, in that order; `fields`: only these, and `_id`."""
        with ledger_errors(f"collection {name}"):
            projection = dict.fromkeys(fields, 1) if fields is not None else None
            cursor = self.database[name].find({"_id": {"$in": list(ids)}}, projection)
            found = {item["_id"]: item for item in cursor}
        return [found[key] for key in ids if key in found]

    def raw_assets_of(self, batches: Sequence[str], page: int = 50) -> Iterator[BsonDocument]:
        """The committed assets of these batches, by batch and place in the manifest."""
        query = {"batch": {"$in": list(batches)}, "state": {"$eq": "committed"}}
        order = [("batch", 1), ("file_index", 1)]
        with ledger_errors("collection assets"):
            ids = [
                item["_id"] for item in self.database["assets"].find(query, {"_id": 1}, sort=order)
            ]
        for start in range(0, len(ids), page):
            yield from self.raw_by_ids("assets", ids[start : start + page])

    def applied_migrations(self) -> list[BsonDocument]:
        """The numbered changes that this ledger has seen, in their order."""
        with ledger_errors("collection migrations"):
            return list(self.database["migrations"].find({}, sort=[("_id", 1)]))

    def count(self, name: str) -> int:
        """How many documents a collection has."""
        with ledger_errors(f"collection {name}"), pymongo.timeout(SCAN_TIMEOUT_S):
            return self.database[name].count_documents({})

    def accept_older_shapes(self, migrations: Sequence[BsonDocument]) -> None:
        """Let in documents of the shape that these migrations made, until `bring_up_to_date`."""
        with ledger_errors("accept older documents"):
            if not set(COLLECTIONS) <= set(self.database.list_collection_names()):
                migrate(self.database)
            for name in COLLECTIONS:
                self.database.command({"collMod": name, "validationLevel": "off"})

        def body(session: ClientSession) -> None:
            self.database["migrations"].delete_many({}, session=session)
            if migrations:
                self.database["migrations"].insert_many(migrations, session=session)

        self.transactions.run("take over the backup's migrations", body)

    def bring_up_to_date(self) -> tuple[str, ...]:
        """Apply the migrations that are due, and this release's validators and indexes.

        Returns those applied now.
        """
        return migrate(self.database)

    def put_back(self, name: str, documents: Sequence[BsonDocument]) -> None:
        """Store documents, each in place of what its `_id` held."""
        writes = [ReplaceOne({"_id": item["_id"]}, item, upsert=True) for item in documents]
        self.transactions.run(
            f"put back {name}",
            lambda session: self.database[name].bulk_write(writes, session=session),
        )
