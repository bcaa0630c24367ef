"""The lock under which a ledger's shape is changed: a lease in the ledger, by the server's clock.

A holder that was killed holds it until its lease runs out, and no longer. What is done under the
lock is not known here.
"""

from __future__ import annotations

import logging
import os
import socket
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from pymongo import ReturnDocument
from pymongo.client_session import ClientSession
from pymongo.database import Database
from pymongo.errors import OperationFailure

from libs.errors import TransientError
from libs.ledger.codec import BsonDocument
from libs.ledger.documents import NOW, literal
from libs.ledger.errors import (
    NAMESPACE_EXISTS,
    MigrationBusyError,
    MigrationLockLostError,
    ledger_errors,
)
from libs.ledger.keeping import kept
from libs.ledger.transaction import Transactions

logger = logging.getLogger(__name__)

LOCKS = "locks"
LEASE_S = 30.0
PATIENCE_S = 600.0
"""How long a starter waits for another one's migration."""
_LOOK_EVERY_S = 0.5
_THE_LOCK = {"_id": {"$eq": "migration"}}


class MigrationLock:
    """One process's hold on the lock; made for one `held()`."""

    def __init__(
        self,
        transactions: Transactions,
        database: Database[BsonDocument],
        lease_s: float = LEASE_S,
    ) -> None:
        self._transactions = transactions
        self._database = database
        self._lease_s = lease_s
        self._holder = f"{socket.gethostname()}, process {os.getpid()}, {uuid.uuid4().hex[:8]}"

    @contextmanager
    def held(self, patience_s: float = PATIENCE_S) -> Iterator[None]:
        """Wait for the lock, keep it while the work goes on, give it back.

        Raises:
            MigrationBusyError: another process still holds it after `patience_s` seconds.
        """
        self._acquire(patience_s)
        try:
            with kept(
                "The migration's lock",
                self.require,
                lease_s=self._lease_s,
                lost=MigrationLockLostError,  # the next `require` of the work itself says so
            ):
                yield
        finally:
            self._release()

    def require(self) -> None:
        """Renew the lease; to be asked before each change.

        Raises:
            MigrationLockLostError: another process has taken over meanwhile.
        """
        if self._take()["holder"] != self._holder:
            raise MigrationLockLostError

    def _acquire(self, patience_s: float) -> None:
        self._make_collection()
        until = time.monotonic() + patience_s
        while (found := self._take())["holder"] != self._holder:
            if time.monotonic() > until:
                raise MigrationBusyError(found["holder"], patience_s)
            time.sleep(_LOOK_EVERY_S)

    def _take(self) -> BsonDocument:
        """The lock as it is now: ours, if it was ours or free."""
        ours = {
            "holder": literal(self._holder),
            "expires_at": {"$add": [NOW, int(self._lease_s * 1000)]},
        }
        # As milliseconds: secantus 0.7 takes $$NOW for equal to every stored date.
        expires = {"$ifNull": [{"$toLong": "$expires_at"}, 0]}
        free = {
            "$or": [
                {"$eq": ["$holder", literal(self._holder)]},
                {"$lte": [expires, {"$toLong": NOW}]},
            ]
        }
        take = {"$cond": [free, {"$mergeObjects": ["$$ROOT", ours]}, "$$ROOT"]}

        def body(session: ClientSession) -> BsonDocument:
            return self._locks_change([{"$replaceWith": take}], session, upsert=True)

        return self._transactions.run("take the migration's lock", body)

    def _release(self) -> None:
        """Let it run out at once. Not by deleting it: the next one need not make it again."""
        mine = {"$eq": ["$holder", literal(self._holder)]}
        ended = {"$mergeObjects": ["$$ROOT", {"expires_at": NOW}]}
        change: list[dict[str, object]] = [{"$replaceWith": {"$cond": [mine, ended, "$$ROOT"]}}]
        try:
            self._transactions.run(
                "give the migration's lock back",
                lambda session: self._locks_change(change, session, upsert=False),
            )
        except TransientError as error:  # it runs out by itself
            logger.warning("The migration's lock could not be given back: %s", error)

    def _locks_change(
        self, change: list[dict[str, object]], session: ClientSession, *, upsert: bool
    ) -> BsonDocument:
        with ledger_errors(f"collection {LOCKS}"):
            found = self._database[LOCKS].find_one_and_update(
                _THE_LOCK,
                change,
                upsert=upsert,
                return_document=ReturnDocument.AFTER,
                session=session,
            )
        return found or {"holder": None}

    def _make_collection(self) -> None:
        with ledger_errors(f"collection {LOCKS}"):
            try:
                self._database.command({"create": LOCKS, "writeConcern": {"w": "majority"}})
            except OperationFailure as error:
                if error.code != NAMESPACE_EXISTS:
                    raise
