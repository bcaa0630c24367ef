"""Atomic work on the ledger: one transaction, tried again until it is known how it ended.

Every write of the ledger goes through here, for three reasons. A plain write waits without end for
a document that a killed client's transaction still holds, and may be carried out long after its
sender gave up; in a transaction it is refused at once. The reads in it are one snapshot. And a lost
reply is settled by running the body again: a body must therefore recognise its own earlier work.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from pymongo import MongoClient, WriteConcern
from pymongo.client_session import ClientSession
from pymongo.errors import PyMongoError
from pymongo.read_concern import ReadConcern
from pymongo.read_preferences import ReadPreference

from libs.ledger.codec import BsonDocument
from libs.ledger.errors import (
    CommitUnknownError,
    LedgerUnavailableError,
    WriteConflictError,
    ledger_errors,
    translate,
)

T = TypeVar("T")

CONFLICT_PATIENCE_S = 90.0
"""How long conflicting writes are tried again: servers abort a dead client's transaction, which
holds its documents until then, after 60 s."""
SILENCE_PATIENCE = 3.0
"""How long a silent server is tried again, in multiples of `MONGODB_TIMEOUT_S`."""
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.004, 0.25

START_OVER = "TransientTransactionError"
"""The driver's label for a transaction that the server does not hold any more."""

DURABLE = WriteConcern("majority", j=True)


@dataclass(frozen=True)
class Transactions:
    """Runs bodies in transactions of one client."""

    client: MongoClient[BsonDocument]
    timeout_s: float

    def run(self, what: str, body: Callable[[ClientSession], T]) -> T:
        """Run `body` in a transaction and return its result once that is durably committed.

        `body` may run several times: it must do the same again, or find its earlier work done. An
        error that it raises ends the transaction without a trace. Raises `WriteConflictError` or
        `LedgerUnavailableError` when nothing was stored, `CommitUnknownError` when that cannot
        be told.
        """
        started, pause_s, in_doubt = time.monotonic(), FIRST_PAUSE_S, False
        while True:
            try:
                return self._once(what, body)
            except (LedgerUnavailableError, CommitUnknownError) as error:
                in_doubt = in_doubt or isinstance(error, CommitUnknownError)
                if time.monotonic() - started > self._patience_s(error):
                    if in_doubt and not isinstance(error, CommitUnknownError):
                        raise CommitUnknownError(what) from error
                    raise
            time.sleep(random.uniform(pause_s / 2, pause_s))  # noqa: S311  jitter, no secret
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    def _once(self, what: str, body: Callable[[ClientSession], T]) -> T:
        # Leaving the session's block aborts a transaction that was not committed.
        with ledger_errors(what), self.client.start_session() as session:
            session.start_transaction(ReadConcern("snapshot"), DURABLE, ReadPreference.PRIMARY)
            result = body(session)
            self._commit(session, what)
            return result

    def _commit(self, session: ClientSession, what: str) -> None:
        """Commit, and ask again while the reply is lost: the server does it only once."""
        started = time.monotonic()
        while True:
            try:
                session.commit_transaction()
            except PyMongoError as error:
                # Only a conflict is a plain no. A restarted server answers "no such transaction"
                # to a second asking although it carried out the first.
                ours = translate(error, what)
                if isinstance(ours, WriteConflictError):
                    raise ours from error
                is_gone = error.has_error_label(START_OVER)
                if is_gone or time.monotonic() - started > self._silence_s:
                    raise CommitUnknownError(what) from error
                time.sleep(LONGEST_PAUSE_S)
            else:
                return

    @property
    def _silence_s(self) -> float:
        return SILENCE_PATIENCE * self.timeout_s

    def _patience_s(self, error: Exception) -> float:
        if isinstance(error, WriteConflictError):
            return max(CONFLICT_PATIENCE_S, self._silence_s)
        return self._silence_s
