"""What is left by runs that ended without a word, and how others end it for them.

For the auditor, and for handlers that know a run's id and nothing else.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

from pymongo.client_session import ClientSession

from libs.ledger.codec import to_bson
from libs.ledger.documents import Change
from libs.ledger.protocol import BatchProtocol, ending, pending_of
from libs.ledger.runs import RunLog, ending_run
from libs.models import AssetState, Batch, BatchState, Run, RunState

RUNNING = {"state": {"$eq": BatchState.RUNNING.value}}
_BATCH_STATES = {
    RunState.FAILED: BatchState.FAILED,
    RunState.CANCELLED: BatchState.CANCELLED,
}


class DeadRun(NamedTuple):
    """A run that the ledger calls running, and that holds no lease."""

    run_id: str
    subject: str
    """What it was at: its batch's fingerprint, or the key of its manifest."""


class Recovery(BatchProtocol, RunLog):
    """Finding and ending what nobody works on any more."""

    def abandon_run(self, run_id: str, reason: str, state: RunState) -> Batch | None:
        """End a run, and the batch that it still holds, as `failed` or `cancelled`.

        Returns that batch; None when it held none. A run that has ended stays as it is, and of one
        whose batch had ended before it could say so, the batch's end is recorded.
        """
        held = {**RUNNING, "lease.run_id": {"$eq": run_id}}
        change = ending(_BATCH_STATES[state], error=reason)

        def body(session: ClientSession) -> Batch | None:
            known = self.batches.first(held, session=session)
            batch = (
                self.batches.change({"_id": {"$eq": known.id}, **held}, change, session)
                if known
                else None
            )
            run = self.runs_log.get(run_id, session)
            if run is not None:
                end = (
                    ending_run(state, reason)
                    if batch
                    else self._end_of(run, ending_run(state, reason), session)
                )
                self.runs_log.change({"_id": {"$eq": run_id}}, end, session)
            return batch

        return self.transactions.run(f"abandon run {run_id}", body)

    def live_run_ids(self) -> frozenset[str]:
        """The runs that hold a lease now, by the server's clock."""
        now = to_bson(self.server_now())
        held = self.batches.find({**RUNNING, "lease.expires_at": {"$gt": now}})
        return frozenset(batch.lease.run_id for batch in held if batch.lease)

    def dead_runs(self, idle_s: float = 900) -> tuple[DeadRun, ...]:
        """Runs whose lease ran out, and those without one that began over `idle_s` seconds ago."""
        now = self.server_now()
        expired = self.batches.find({**RUNNING, "lease.expires_at": {"$lte": to_bson(now)}})
        dead = {batch.lease.run_id: batch.id for batch in expired if batch.lease}
        alive = self.live_run_ids()
        for run in self.runs_log.find({**RUNNING, "started_at": {"$lte": _before(now, idle_s)}}):
            if run.id not in alive:
                dead.setdefault(run.id, run.batch or run.manifest_key)
        return tuple(DeadRun(run_id, subject) for run_id, subject in dead.items())

    def delete_pending(self, asset_id: str) -> bool:
        """Give up a reservation that no living run works on; False: it is not so, or is gone."""

        def body(session: ClientSession) -> bool:
            asset = self.assets.get(asset_id, session)
            if asset is None or asset.state is not AssetState.PENDING:
                return False
            batch = self.batches.get(asset.batch, session)
            if batch is not None and batch.lease and batch.lease.expires_at > self.server_now():
                return False
            # A run that takes it up now writes it too: one of the two transactions conflicts.
            still = {**pending_of(asset.batch), "_id": {"$eq": asset_id}}
            return self.assets.delete(still, session) == 1

        return self.transactions.run(f"delete pending asset {asset_id}", body)

    def _end_of(self, run: Run, otherwise: Change, session: ClientSession) -> Change:
        """How a run ended that holds no batch: as its batch did, when that was its own doing."""
        batch = self.batches.get(run.batch, session) if run.batch else None
        if batch is not None and batch.state is BatchState.COMMITTED:
            own = {"batch": {"$eq": batch.id}, "run_id": {"$eq": run.id}}
            if self.assets.first(own, session=session) is not None:
                return ending_run(RunState.COMMITTED, None)
        return otherwise


def _before(now: datetime, seconds: float) -> object:
    return to_bson(now - timedelta(seconds=seconds))
