"""Restored documents as they were when the backup was taken, made into a ledger at rest.

The work that was going on then has ended, the datasets know their newest version, and no number
that may have been given out since is given again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pymongo.operations import UpdateOne

from libs.ledger.codec import D
from libs.ledger.commit import CommitProtocol
from libs.ledger.documents import NOW, Documents, Write, literal
from libs.ledger.queries import COMMITTED
from libs.ledger.raw import RawDocuments
from libs.ledger.runs import ending_run
from libs.models import Batch, BatchState, Dataset, Run, RunState

FENCE_GAP = 1000
"""A run that outlived the disaster may hold a fence that was given out after the backup. None of
those is given again, so that it can change nothing."""
_PAGE = 100
_NOT_FINAL = [state.value for state in BatchState if not state.is_final]
_AT_WORK = (BatchState.RECEIVED, BatchState.RUNNING)
_WORKING = [state.value for state in _AT_WORK]
_CLAIMS = {
    RunState.COMMITTED: (BatchState.COMMITTED,),
    RunState.REJECTED: (BatchState.REJECTED,),
    RunState.NOTHING_TO_DO: (BatchState.COMMITTED, BatchState.REJECTED),
}
"""What a run's end says of its batch."""


class Reviving(CommitProtocol, RawDocuments):
    """What is done with restored documents before anybody sees them; may be done again."""

    def revive(self, reason: str, version_gap: int) -> None:
        """Bring all documents to rest; `reason` is what batches and runs that were at work say."""
        self._end_batches(reason)
        self._end_runs(reason)
        self._set_datasets(version_gap)

    def batches_that_failed_of(self, reason: str) -> Iterator[Batch]:
        """Those that `revive` ended."""
        state = {"$eq": BatchState.FAILED.value}
        query = {"state": state, "error": {"$eq": reason}}
        return self.batches.pages(query, _PAGE)

    def _end_batches(self, reason: str) -> None:
        is_working = {"$in": ["$state", _WORKING]}
        ended = {"state": BatchState.FAILED.value, "lease": None, "error": literal(reason)}
        own_end = {
            name: {"$cond": [is_working, value, f"${name}"]}
            for name, value in {**ended, "ended_at": NOW}.items()
        }
        change = [{"$set": {"fence": {"$add": ["$fence", FENCE_GAP]}, **own_end}}]
        query = {"state": {"$in": _NOT_FINAL}}
        for ids in self.raw_ids("batches", query, _PAGE):
            writes: list[Write] = [UpdateOne({"_id": {"$eq": key}}, change) for key in ids]
            self._write("end restored batches", self.batches, writes)

    def _end_runs(self, reason: str) -> None:
        for ids in self.raw_ids("runs", {}, _PAGE):
            runs = self.runs_log.find({"_id": {"$in": ids}})
            batches = self._states_of(runs)
            writes: list[Write] = [
                write for run in runs for write in self._rest(run, batches, reason)
            ]
            if writes:
                self._write("end restored runs", self.runs_log, writes)

    def _states_of(self, runs: Sequence[Run]) -> dict[str, BatchState]:
        ids = sorted({run.batch for run in runs if run.batch})
        found = self.raw_by_ids("batches", ids, fields=["state"])
        return {item["_id"]: BatchState(item["state"]) for item in found}

    def _rest(self, run: Run, batches: dict[str, BatchState], reason: str) -> Iterator[UpdateOne]:
        """What must change of a run: its batch is unknown here, or they tell different ends."""
        this = {"_id": {"$eq": run.id}}
        state = batches.get(run.batch) if run.batch else None
        if run.batch and state is None:
            yield UpdateOne(this, {"$set": {"batch": None}})
        if run.batch and run.state in _CLAIMS and state not in _CLAIMS[run.state]:
            yield UpdateOne(this, {"$set": {"state": RunState.RUNNING.value}})
        elif run.state is not RunState.RUNNING:
            return
        own = {"batch": {"$eq": run.batch}, "run_id": {"$eq": run.id}, **COMMITTED}
        if state is BatchState.COMMITTED and self.assets.first(own) is not None:
            yield UpdateOne(this, ending_run(RunState.COMMITTED, None))
        else:
            yield UpdateOne(this, ending_run(RunState.FAILED, reason))

    def _set_datasets(self, version_gap: int) -> None:
        for ids in self.raw_ids("datasets", {}, _PAGE):
            datasets = self.datasets.find({"_id": {"$in": ids}})
            writes: list[Write] = [self._set_newest(item, version_gap) for item in datasets]
            self._write("set restored datasets", self.datasets, writes)

    def _set_newest(self, dataset: Dataset, version_gap: int) -> UpdateOne:
        query = {"dataset_id": {"$eq": dataset.id}, **COMMITTED}
        newest = self.assets.first(query, [("version", -1)])
        known = max(dataset.last_version, newest.version if newest else 0)
        change = {
            "current_version": newest.version if newest else None,
            "current_asset_id": newest.id if newest else None,
            "last_version": known + version_gap,
        }
        return UpdateOne({"_id": {"$eq": dataset.id}}, {"$set": change})

    def _write(self, what: str, documents: Documents[D], writes: Sequence[Write]) -> None:
        self.transactions.run(what, lambda session: documents.write(writes, session))
