"""Documents as they lie in the ledger, for backups: read a page at a time, and put back.

What they mean, and which belong together, is not its business.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pymongo.client_session import ClientSession
from pymongo.operations import ReplaceOne

from libs.ledger.codec import BsonDocument
from libs.ledger.connection import Connection
from libs.ledger.errors import ledger_errors
from libs.ledger.migrations import COLLECTIONS, migrate

Key = tuple[str, ...]


class RawDocuments(Connection):
    """The collections without their models."""

    def raw_pages(
        self,
        name: str,
        query: Mapping[str, Any],
        page: int,
        fields: Sequence[str] | None = None,
    ) -> Iterator[list[BsonDocument]]:
        """All that match, by `_id`, a page at a time; each page is read when it is asked for.

        `fields`: only these, and `_id`.
        """
        after: dict[str, Any] = {}
        while True:
            found = self._page(name, {"$and": [query, after]}, [("_id", 1)], page, fields)
            if found:
                yield found
            if len(found) < page:
                return
            after = {"_id": {"$gt": found[-1]["_id"]}}

    def raw_assets_of(self, batches: Sequence[str], page: int = 100) -> Iterator[BsonDocument]:
        """The committed assets of these batches, by batch and place in the manifest."""
        left: Sequence[str] = sorted(batches)
        after: list[dict[str, Any]] = []
        while left or after:
            choices = [*after, {"batch": {"$in": list(left)}}]
            query = {"$or": choices, "state": {"$eq": "committed"}}
            found = self._page("assets", query, [("batch", 1), ("file_index", 1)], page)
            yield from found
            if len(found) < page:
                return
            last = found[-1]["batch"]
            after = [{"batch": {"$eq": last}, "file_index": {"$gt": found[-1]["file_index"]}}]
            left = [batch for batch in left if batch > last]

    def applied_migrations(self) -> list[BsonDocument]:
        """The numbered changes that this ledger has seen, in their order."""
        return self._page("migrations", {}, [("_id", 1)], 0)

    def count(self, name: str) -> int:
        """How many documents a collection has."""
        with ledger_errors(f"collection {name}"):
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

    def _page(
        self,
        name: str,
        query: Mapping[str, Any],
        order: list[tuple[str, int]],
        limit: int,
        fields: Sequence[str] | None = None,
    ) -> list[BsonDocument]:
        with ledger_errors(f"collection {name}"):
            projection = dict.fromkeys(fields, 1) if fields is not None else None
            return list(self.database[name].find(query, projection, sort=order, limit=limit))
