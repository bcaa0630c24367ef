"""The log of audits: the newest of each depth, and some before them. It does not judge them."""

from __future__ import annotations

from pymongo.client_session import ClientSession

from libs.ledger.codec import encode, to_bson
from libs.ledger.connection import Connection
from libs.ledger.documents import NOW, literal
from libs.ledger.errors import MissingDocumentError
from libs.models import AuditRecord

KEPT = 500
"""So many audits of each depth are remembered: ten days of one every half hour."""


class AuditLog(Connection):
    """Recording audits, and reading the last ones."""

    def record_audit(self, record: AuditRecord) -> AuditRecord:
        """Remember an audit, ended now by the server's clock; the oldest ones are forgotten."""
        own = encode(record)
        values = {name: literal(own[name]) for name in own.keys() - {"_id", "ended_at"}}
        change = [{"$set": {**values, "ended_at": {"$ifNull": ["$ended_at", NOW]}}}]

        def body(session: ClientSession) -> AuditRecord:
            query = {"_id": {"$eq": record.id}}
            kept = self.audits.change(query, change, session, upsert=True)
            if kept is None:
                raise MissingDocumentError("audits", record.id)
            self._forget(record.bytes_verified, session)
            return kept

        return self.transactions.run(f"record audit {record.id}", body)

    def last_audit(self, *, bytes_verified: bool) -> AuditRecord | None:
        """The newest audit of this depth: one that hashed every byte, or one that did not."""
        return self.audits.first(_of_depth(bytes_verified), [("ended_at", -1)])

    def _forget(self, bytes_verified: bool, session: ClientSession) -> None:
        query = _of_depth(bytes_verified)
        older = self.audits.find(query, [("ended_at", -1)], skip=KEPT, limit=1, session=session)
        if older:
            too_old = {"$lte": to_bson(older[0].ended_at)}
            self.audits.delete({**query, "ended_at": too_old}, session)


def _of_depth(bytes_verified: bool) -> dict[str, object]:
    return {"bytes_verified": {"$eq": bytes_verified}}
