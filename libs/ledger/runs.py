"""The log of runs: one document a run, with its stages as they begin and end; decides nothing."""

from __future__ import annotations

from collections.abc import Mapping

from pymongo.client_session import ClientSession

from libs.ledger.codec import encode, to_bson
from libs.ledger.documents import NOW, Change, literal
from libs.ledger.errors import MissingDocumentError
from libs.ledger.restoring import Restoring
from libs.models import Run, RunState, Stage


class RunLog(Restoring):
    """Recording and reading runs."""

    def start_run(self, run: Run) -> Run:
        """Record that a run begins, or begins again: it is running, from its first start on."""
        fresh = encode(run)
        begun = {
            "state": RunState.RUNNING.value,
            "manifest_key": fresh["manifest_key"],
            "tool_versions": fresh["tool_versions"],
            "worker": fresh["worker"],
        }
        first = {"started_at": {"$ifNull": ["$started_at", NOW]}, "ended_at": None, "error": None}
        kept = {
            "stages": {"$ifNull": ["$stages", []]},
            "batch": literal(run.batch) if run.batch else {"$ifNull": ["$batch", None]},
        }
        values = {name: literal(value) for name, value in begun.items()}
        change = [{"$set": {**values, **first, **kept}}]
        return self._change(run.id, change, upsert=True, whole=True)

    def attach_batch(self, run_id: str, fingerprint: str) -> Run:
        """Link a run with its batch, as soon as that is known."""
        return self._change(run_id, {"$set": {"batch": fingerprint}})

    def add_tools(self, run_id: str, versions: Mapping[str, str]) -> Run:
        """Record further tools that a run works with; a name may hold dots and dollars."""
        merged = {"$mergeObjects": ["$tool_versions", literal(dict(versions))]}
        return self._change(run_id, [{"$set": {"tool_versions": merged}}])

    def stage_started(self, run_id: str, stage: Stage) -> Run:
        """Record that a stage begins; one that is tried again begins anew."""
        record = {"stage": stage.value, "started_at": NOW, "seconds": None, "detail": ""}
        return self._change(run_id, _with_stage(stage, record))

    def stage_ended(self, run_id: str, stage: Stage, seconds: float, detail: str = "") -> Run:
        """Record that a stage ended after so many seconds, with one line for people."""
        start = {"$subtract": [NOW, int(seconds * 1000)]}
        record = {
            "stage": stage.value,
            "started_at": {"$ifNull": [_first_start(stage), start]},
            "seconds": literal(float(seconds)),
            "detail": literal(detail),
        }
        return self._change(run_id, _with_stage(stage, record))

    def end_run(
        self, run_id: str, state: RunState, error: str | None = None, batch: str | None = None
    ) -> Run:
        """Record how a run ended. The first end counts: a run that ended before stays as it is."""
        return self._change(run_id, ending_run(state, error, batch))

    def run(self, run_id: str) -> Run | None:
        """The run with this id."""
        return self.runs_log.get(run_id)

    def run_of_batch(self, fingerprint: str) -> Run | None:
        """The newest run that worked on a batch."""
        return self.runs_log.first({"batch": {"$eq": fingerprint}}, [("started_at", -1)])

    def recent_runs(self, limit: int = 20, state: RunState | None = None) -> tuple[Run, ...]:
        """The runs (in a state) started last, the newest first."""
        if state is None:
            return self.runs_log.newest("started_at", self.server_now(), limit)
        query = {"state": {"$eq": to_bson(state)}}
        return self.runs_log.find(query, [("started_at", -1)], limit=limit)

    def _change(
        self, run_id: str, change: Change, *, upsert: bool = False, whole: bool = False
    ) -> Run:
        """`whole`: only when no restore goes on."""

        def body(session: ClientSession) -> Run | None:
            if whole:
                self.require_whole(session)
            return self.runs_log.change({"_id": {"$eq": run_id}}, change, session, upsert=upsert)

        run = self.transactions.run(f"record run {run_id}", body)
        if run is None:
            raise MissingDocumentError("runs", run_id)
        return run


def ending_run(
    state: RunState, error: str | None, batch: str | None = None
) -> list[dict[str, object]]:
    """The change that ends a running run, and leaves one that has ended as it is."""
    ended: dict[str, object] = {
        "state": literal(state.value),
        "ended_at": NOW,
        "error": literal(error),
    }
    if batch is not None:
        ended["batch"] = literal(batch)
    is_running = {"$eq": ["$state", RunState.RUNNING.value]}
    merged = {"$mergeObjects": ["$$ROOT", ended]}
    return [{"$replaceWith": {"$cond": [is_running, merged, "$$ROOT"]}}]


def _with_stage(stage: Stage, record: Mapping[str, object]) -> list[dict[str, object]]:
    others = _records("$ne", stage)
    return [{"$set": {"stages": {"$concatArrays": [others, [record]]}}}]


def _first_start(stage: Stage) -> dict[str, object]:
    started = {"input": _records("$eq", stage), "as": "record", "in": "$$record.started_at"}
    return {"$arrayElemAt": [{"$map": started}, 0]}


def _records(operator: str, stage: Stage) -> dict[str, object]:
    chosen = {operator: ["$$record.stage", stage.value]}
    return {"$filter": {"input": "$stages", "as": "record", "cond": chosen}}
