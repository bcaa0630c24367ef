"""The life of a batch: received, claimed, renewed, ended, settled; one function, one transaction.

A batch's `fence` and `lease` decide who may change it; all times are the server's. Reserving and
committing assets is `libs.ledger.commit`'s business.
"""

from __future__ import annotations

from collections.abc import Sequence

from pymongo.client_session import ClientSession

from libs.errors import Problem
from libs.ledger.codec import encode, to_bson
from libs.ledger.documents import NOW, Change, literal
from libs.ledger.errors import (
    BatchBusyError,
    BatchEndedError,
    LeaseLostError,
    MissingDocumentError,
)
from libs.ledger.restoring import Restoring
from libs.models import Batch, BatchFile, BatchState, ManifestUpload

FINAL = [state.value for state in BatchState if state.is_final]
OPEN = [state.value for state in BatchState if not state.is_final]


class BatchProtocol(Restoring):
    """What a run, or one who answers for a run, may do with a batch."""

    def receive(self, batch: Batch) -> Batch:
        """Record a submission in state `received`, or `rejected` when it cannot start.

        A fingerprint that is known already keeps its batch, which learns of the newest upload; a
        new upload of an ended batch is to be settled again.
        """

        def body(session: ClientSession) -> Batch:
            known = self.batches.get(batch.id, session)
            if known is not None:
                return self._uploaded_again(known, batch.upload, session)
            self.require_whole(session)
            now = self.server_now()
            ended_at = now if batch.state.is_final else None
            fresh = batch.model_copy(update={"received_at": now, "ended_at": ended_at})
            self.batches.insert(fresh, session)
            return fresh

        return self.transactions.run(f"receive batch {batch.id}", body)

    def claim(self, fingerprint: str, run_id: str, lease_s: float) -> Batch:
        """Take the batch for a run: fence + 1, a lease of `lease_s` seconds.

        Raises `BatchEndedError` when it is committed or rejected, and `BatchBusyError` while
        another run holds a lease that has not expired. The run's own lease is taken anew.
        """
        claimed = {
            "fence": {"$add": ["$fence", 1]},
            "state": literal(BatchState.RUNNING.value),
            "lease": {"run_id": literal(run_id), "expires_at": _after(lease_s)},
            "error": None,
            "ended_at": None,
        }
        change = [
            {
                "$replaceWith": {
                    "$cond": [_is_free(run_id), {"$mergeObjects": ["$$ROOT", claimed]}, "$$ROOT"]
                }
            }
        ]
        batch = self.transactions.run(
            f"claim batch {fingerprint}",
            lambda session: self.batches.change(_this(fingerprint), change, session),
        )
        if batch is None:
            raise MissingDocumentError("batches", fingerprint)
        if batch.state.is_final:
            raise BatchEndedError(batch)
        if batch.lease is None or batch.lease.run_id != run_id:
            raise BatchBusyError(batch)
        return batch

    def renew(self, fingerprint: str, fence: int, lease_s: float) -> Batch:
        """Let the lease end `lease_s` seconds from now; raise `LeaseLostError` when it is lost."""
        return self._under_fence(
            f"renew batch {fingerprint}",
            fingerprint,
            fence,
            [{"$set": {"lease.expires_at": _after(lease_s)}}],
        )

    def update_files(self, fingerprint: str, fence: int, files: tuple[BatchFile, ...]) -> Batch:
        """Record what became of the files so far; raise `LeaseLostError` when the lease is lost."""
        return self._under_fence(
            f"update files of batch {fingerprint}",
            fingerprint,
            fence,
            {"$set": {"files": to_bson(files)}},
        )

    def reject(
        self,
        fingerprint: str,
        fence: int,
        problems: Sequence[Problem],
        files: tuple[BatchFile, ...],
    ) -> Batch:
        """End the batch for good as the user's error; its reservations are given up."""
        change = ending(
            BatchState.REJECTED, problems=to_bson(tuple(problems)), files=to_bson(files)
        )

        def body(session: ClientSession) -> Batch:
            batch = self._end(session, fingerprint, fence, BatchState.REJECTED, change)
            self.assets.delete(pending_of(fingerprint), session)
            return batch

        return self.transactions.run(f"reject batch {fingerprint}", body)

    def settle(self, fingerprint: str, upload: ManifestUpload | None = None) -> bool:
        """Record that the receipt is written and the manifest moved; False: nothing to record.

        With `upload`, only if that is still the newest one: one that came meanwhile stays to do.
        """
        query = {**_this(fingerprint), "state": {"$in": FINAL}, "settled_at": None}
        if upload is not None:
            query |= {f"upload.{key}": {"$eq": value} for key, value in encode(upload).items()}
        batch = self.transactions.run(
            f"settle batch {fingerprint}",
            lambda session: self.batches.change(query, [{"$set": {"settled_at": NOW}}], session),
        )
        return batch is not None

    def unsettled(self, limit: int = 100) -> tuple[Batch, ...]:
        """Ended batches whose receipt and manifest are still to do, the oldest first."""
        query = {"settled_at": None, "state": {"$in": FINAL}}
        return self.batches.find(query, [("ended_at", 1)], limit=limit)

    def _uploaded_again(
        self, known: Batch, upload: ManifestUpload, session: ClientSession
    ) -> Batch:
        is_older = (
            upload.key == known.upload.key and upload.last_modified < known.upload.last_modified
        )
        if encode(upload) == encode(known.upload) or is_older:
            return known
        change = {"$set": {"upload": encode(upload), "settled_at": None}}
        return self.batches.change(_this(known.id), change, session) or known

    def _under_fence(self, what: str, fingerprint: str, fence: int, change: Change) -> Batch:
        def body(session: ClientSession) -> Batch:
            batch = self.batches.change(held_by(fingerprint, fence), change, session)
            if batch is None:
                raise LeaseLostError(fingerprint, fence, self.batches.get(fingerprint, session))
            return batch

        return self.transactions.run(what, body)

    def _end(
        self,
        session: ClientSession,
        fingerprint: str,
        fence: int,
        state: BatchState,
        change: Change,
    ) -> Batch:
        """End a batch under its fence, or find that this was done already (a reply was lost)."""
        batch = self.batches.change(held_by(fingerprint, fence), change, session)
        if batch is not None:
            return batch
        batch = self.batches.get(fingerprint, session)
        if batch is None or batch.fence != fence or batch.state is not state:
            raise LeaseLostError(fingerprint, fence, batch)
        return batch


def held_by(fingerprint: str, fence: int) -> dict[str, object]:
    """The filter of a batch that a run with this fence may change."""
    return {
        **_this(fingerprint),
        "fence": {"$eq": fence},
        "state": {"$eq": BatchState.RUNNING.value},
    }


def pending_of(fingerprint: str) -> dict[str, object]:
    """The filter of a batch's reservations."""
    return {"batch": {"$eq": fingerprint}, "state": {"$eq": "pending"}}


def ending(state: BatchState, **fields: object) -> list[dict[str, object]]:
    """The change that ends a batch: no lease any more, ended now, and these fields."""
    values = {name: literal(value) for name, value in fields.items()}
    return [{"$set": {"state": literal(state.value), "lease": None, "ended_at": NOW, **values}}]


def _this(fingerprint: str) -> dict[str, object]:
    return {"_id": {"$eq": fingerprint}}


def _after(seconds: float) -> dict[str, object]:
    return {"$add": [NOW, int(seconds * 1000)]}


def _is_free(run_id: str) -> dict[str, object]:
    return {
        "$and": [
            {"$in": ["$state", OPEN]},
            {
                "$or": [
                    {"$eq": [{"$ifNull": ["$lease", None]}, None]},
                    {"$eq": ["$lease.run_id", literal(run_id)]},
                    # As milliseconds: secantus 0.7 takes $$NOW for equal to every stored date.
                    {"$lte": [{"$toLong": "$lease.expires_at"}, {"$toLong": NOW}]},
                ]
            },
        ]
    }
