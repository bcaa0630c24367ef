"""A typed view of one collection: models in, models out, errors translated; no protocol here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import Any, Generic

from pymongo.client_session import ClientSession
from pymongo.collection import Collection
from pymongo.operations import DeleteOne, InsertOne, ReplaceOne, UpdateOne

from libs.ledger.codec import BsonDocument, D, decode, encode
from libs.ledger.errors import ledger_errors
from libs.ledger.scan import pages_of

Filter = Mapping[str, Any]
Change = Mapping[str, Any] | Sequence[Mapping[str, Any]]
Order = Sequence[tuple[str, int]]
Write = InsertOne[BsonDocument] | ReplaceOne[BsonDocument] | UpdateOne | DeleteOne
NOW = "$$NOW"
"""The server's clock, in an update pipeline, to be stored. Compare it only as `$toLong`."""
_LOOK_BACK_MINUTES = (10, 120, 1_440, 14_400, 144_000)
"""Ten minutes, two hours, a day, ten days, a hundred days."""


def literal(value: object) -> dict[str, object]:
    """A value in an update pipeline that must never be read as an expression or a field path."""
    return {"$literal": value}


class Documents(Generic[D]):
    """One collection of the ledger, whose documents are all of one model."""

    def __init__(self, collection: Collection[BsonDocument], model: type[D]) -> None:
        self._collection = collection
        self._model = model
        self.name = collection.name

    def get(self, document_id: str, session: ClientSession | None = None) -> D | None:
        """The document with this `_id`."""
        return self.first({"_id": {"$eq": document_id}}, session=session)

    def first(
        self, query: Filter, order: Order = (), session: ClientSession | None = None
    ) -> D | None:
        """The first that matches, in this order."""
        found = self.find(query, order, limit=1, session=session)
        return found[0] if found else None

    def find(
        self,
        query: Filter,
        order: Order = (),
        *,
        skip: int = 0,
        limit: int = 0,
        session: ClientSession | None = None,
    ) -> tuple[D, ...]:
        """All that match; a limit of 0 means no limit."""
        with self._errors():
            cursor = self._collection.find(
                query, sort=list(order) or None, skip=skip, limit=limit, session=session
            )
            return tuple(self._decode(document) for document in cursor)

    def newest(self, moment: str, now: datetime, limit: int) -> tuple[D, ...]:
        """Those whose `moment`, which has an index, is the latest.

        The embedded ledger walks through all that a question covers, however few are wanted: so
        first only the last minutes are asked for, and longer times only while that is not enough.
        """
        order = [(moment, -1)]
        for minutes in _LOOK_BACK_MINUTES:
            since = now - timedelta(minutes=minutes)
            found = self.find({moment: {"$gte": since}}, order, limit=limit)
            if len(found) >= limit > 0:
                return found
        return self.find({}, order, limit=limit)

    def pages(self, query: Filter, page: int = 200) -> Iterator[D]:
        """All that match now, by `_id`, one page at a time; see `scan.pages_of`."""
        for found in pages_of(self._collection, query, page):
            yield from map(self._decode, found)

    def is_there_any(self, session: ClientSession | None = None) -> bool:
        """True: the collection has a document."""
        with self._errors():
            return self._collection.find_one({}, {"_id": 1}, session=session) is not None

    def insert(self, document: D, session: ClientSession) -> None:
        """Add a new document; its `_id` must be new."""
        with self._errors():
            self._collection.insert_one(encode(document), session=session)

    def change(
        self, query: Filter, change: Change, session: ClientSession, *, upsert: bool = False
    ) -> D | None:
        """One conditional update: the document as it is afterwards; None when nothing matched.

        The query names an `_id`. Two calls in one transaction are one to everybody else; the
        server's own find-and-modify looks at every document in the embedded ledger.
        """
        with self._errors():
            done = self._collection.update_one(query, change, upsert=upsert, session=session)
            if not done.matched_count and done.upserted_id is None:
                return None
            document = self._collection.find_one({"_id": query["_id"]}, session=session)
        return self._decode(document) if document is not None else None

    def write(self, writes: Sequence[Write], session: ClientSession) -> int:
        """Several writes in one go, in order; how many documents they inserted or matched."""
        if not writes:
            return 0
        with self._errors():
            result = self._collection.bulk_write(writes, session=session)
        return result.inserted_count + result.matched_count + result.upserted_count

    def delete(self, query: Filter, session: ClientSession) -> int:
        """Remove all that match; how many they were."""
        with self._errors():
            return self._collection.delete_many(query, session=session).deleted_count

    def _decode(self, document: BsonDocument) -> D:
        return decode(self._model, document, self.name)

    def _errors(self) -> AbstractContextManager[None]:
        return ledger_errors(f"collection {self.name}")
