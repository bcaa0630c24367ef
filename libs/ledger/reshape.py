"""Documents brought from an older shape to this release's: first tried on all, then written.

Which changes there are is `migrations`' business.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from pymongo.client_session import ClientSession
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.operations import ReplaceOne

from libs.ledger.codec import BsonDocument, decode
from libs.ledger.errors import UnfitDocumentsError, UnreadableDocumentError, ledger_errors
from libs.ledger.scan import pages_of
from libs.ledger.transaction import Transactions
from libs.models import Document

Change = Callable[[BsonDocument], BsonDocument]
"""A document in an older shape in, the same one in the next shape out; twice is as once."""

PAGE = 100
"""Documents in one transaction."""


def require_fit(
    database: Database[BsonDocument],
    models: Mapping[str, type[Document]],
    changes: Mapping[str, Change],
) -> None:
    """Try the changes on every document, and write nothing.

    Raises:
        UnfitDocumentsError: some would not be what their models ask for; it names them.
    """
    faults: list[str] = []
    for name, model in models.items():
        change = changes.get(name, _same)
        for page in pages_of(database[name], {}, PAGE):
            for document in page:
                try:
                    decode(model, change(document), name)
                except UnreadableDocumentError as error:
                    faults.append(f"{name} {document['_id']!r} ({error.faults})")
    if faults:
        raise UnfitDocumentsError(faults)


def rewrite(
    database: Database[BsonDocument],
    changes: Mapping[str, Change],
    transactions: Transactions,
    before_each: Callable[[], None],
) -> None:
    """Write every document that a change alters. What others write meanwhile is not lost: each page
    is read again in the transaction that writes it."""
    for name, change in changes.items():
        for page in pages_of(database[name], {}, PAGE):
            due = [document["_id"] for document in page if change(document) != document]
            if due:
                before_each()
                _rewrite_page(database[name], due, change, transactions)


def _rewrite_page(
    collection: Collection[BsonDocument],
    ids: list[object],
    change: Change,
    transactions: Transactions,
) -> None:
    def body(session: ClientSession) -> None:
        with ledger_errors(f"collection {collection.name}"):
            found = list(collection.find({"_id": {"$in": ids}}, session=session))
            changed = [(document["_id"], change(document)) for document in found]
            writes = [
                ReplaceOne({"_id": {"$eq": key}}, new)
                for (key, new), old in zip(changed, found, strict=True)
                if new != old
            ]
            if writes:
                collection.bulk_write(writes, session=session)

    transactions.run(f"rewrite documents of {collection.name}", body)


def _same(document: BsonDocument) -> BsonDocument:
    return document
