"""A ledger that is being filled from a backup: who may begin, and that nobody else works on it.

While a document of `restores` has no end, the ledger is not whole: runs do not begin, and readers
and the auditor are told to come back later. What is filled in is `reviving`'s business.
"""

from __future__ import annotations

from pymongo.client_session import ClientSession

from libs.ledger.connection import Connection
from libs.ledger.documents import NOW
from libs.ledger.errors import LedgerNotEmptyError, LedgerRestoringError, OtherRestoreError
from libs.models import Restore

_UNDER_WAY = {"ended_at": None}


class Restoring(Connection):
    """Beginning and ending a restore, and seeing whether one goes on."""

    def check(self) -> None:
        """As `Connection.check`, and see that the ledger is whole."""
        super().check()
        self.require_whole()

    def require_whole(self, session: ClientSession | None = None) -> None:
        """Raise `LedgerRestoringError` while a restore goes on, or was broken off."""
        going_on = self.restore_under_way(session)
        if going_on is not None:
            raise LedgerRestoringError(going_on)

    def restore_under_way(self, session: ClientSession | None = None) -> Restore | None:
        """The restore that goes on, or was broken off."""
        return self.restores.first(_UNDER_WAY, session=session)

    def begin_restore(self, wanted: Restore) -> Restore:
        """Claim an empty ledger for a restore, or go on with the same one that was broken off.

        Raises `LedgerNotEmptyError` when it holds anything, `OtherRestoreError` when another
        restore was begun here, or this one with another gap.
        """

        def body(session: ClientSession) -> Restore:
            going_on = self.restore_under_way(session)
            if going_on is None:
                self._require_empty(session)
                begun = wanted.model_copy(update={"begun_at": self.server_now()})
                self.restores.insert(begun, session)
                return begun
            if (going_on.id, going_on.version_gap) != (wanted.id, wanted.version_gap):
                raise OtherRestoreError(going_on)
            return going_on

        return self.transactions.run("begin a restore", body)

    def end_restore(self, restore_id: str) -> None:
        """The ledger is whole: from this moment on, what was restored is visible."""
        change = [{"$set": {"ended_at": {"$ifNull": ["$ended_at", NOW]}}}]
        self.transactions.run(
            "end a restore",
            lambda session: self.restores.change({"_id": {"$eq": restore_id}}, change, session),
        )

    def _require_empty(self, session: ClientSession) -> None:
        for documents in (self.batches, self.assets, self.datasets, self.runs_log, self.restores):
            if documents.is_there_any(session):
                raise LedgerNotEmptyError(self.database.name, self.address, documents.name)
