"""What those who watch ask again and again: what has ended since, what is open, what is silent.

Each question is answered from an index and reads only the fields it names, so that it costs as much
in a ledger of a hundred thousand batches as in a small one. Nothing here writes.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

from libs.ledger.codec import BsonDocument, to_bson
from libs.ledger.connection import Connection
from libs.ledger.errors import ledger_errors
from libs.models import AssetKind, BatchState, RunState, Stage


class EndedRun(NamedTuple):
    """A run that has ended, and how long each stage took that it finished."""

    id: str
    at: datetime
    outcome: RunState
    stages: tuple[tuple[Stage, float], ...]


class EndedBatch(NamedTuple):
    """A batch and a state in which it ended; one that failed may end again, in another."""

    id: str
    at: datetime
    state: BatchState


class CommittedAsset(NamedTuple):
    """A committed asset: how many bytes came in for it, and how many went out."""

    id: str
    at: datetime
    kind: AssetKind
    bytes_in: int
    bytes_out: int


class Watching(Connection):
    """Questions whose cost does not grow with the ledger."""

    def runs_ended_since(self, since: datetime, limit: int) -> tuple[EndedRun, ...]:
        """Runs that ended at that moment or later, the first ones first."""
        fields = ("ended_at", "state", "stages.stage", "stages.seconds")
        return tuple(
            EndedRun(found["_id"], found["ended_at"], RunState(found["state"]), _stages(found))
            for found in self._since("runs", "ended_at", since, fields, limit)
        )

    def batches_ended_since(self, since: datetime, limit: int) -> tuple[EndedBatch, ...]:
        """Batches that ended so far at that moment or later, the first ones first.

        Their state is no condition: a planner was seen to take its index, and to read all there is.
        """
        fields = ("ended_at", "state")
        return tuple(
            EndedBatch(
                f"{found['_id']} {found['state']}", found["ended_at"], BatchState(found["state"])
            )
            for found in self._since("batches", "ended_at", since, fields, limit)
        )

    def assets_committed_since(self, since: datetime, limit: int) -> tuple[CommittedAsset, ...]:
        """Assets committed at that moment or later, the first ones first."""
        fields = ("committed_at", "kind", "size_bytes", "sources.size_bytes")
        return tuple(
            CommittedAsset(
                id=found["_id"],
                at=found["committed_at"],
                kind=AssetKind(found["kind"]),
                bytes_in=sum(source["size_bytes"] for source in found["sources"]),
                bytes_out=found["size_bytes"],
            )
            for found in self._since("assets", "committed_at", since, fields, limit)
        )

    def open_batches(self, up_to: int) -> dict[BatchState, int]:
        """How many batches are in each state that is not final; no count goes beyond `up_to`."""
        with ledger_errors("count open batches"):
            return {
                state: self.database["batches"].count_documents(
                    {"state": {"$eq": state.value}}, limit=up_to
                )
                for state in BatchState
                if not state.is_final
            }

    def silent_runs(self, idle_s: float) -> int:
        """Runs that the ledger calls running, begun over `idle_s` seconds ago, without a lease."""
        now = self.server_now()
        with ledger_errors("count silent runs"):
            running = {"state": {"$eq": RunState.RUNNING.value}}
            runs = {
                found["_id"]
                for found in self.database["runs"].find(running, {"started_at": 1})
                if found["started_at"] <= now - timedelta(seconds=idle_s)
            }
            leases = {
                found["lease"]["run_id"]
                for found in self.database["batches"].find(running, {"lease": 1})
                if found.get("lease") and found["lease"]["expires_at"] > now
            }
            return len(runs - leases)

    def _since(
        self,
        collection: str,
        moment: str,
        since: datetime,
        fields: tuple[str, ...],
        limit: int,
    ) -> Iterator[BsonDocument]:
        with ledger_errors(f"what ended in {collection}"):
            yield from self.database[collection].find(
                {moment: {"$gte": to_bson(since)}},
                dict.fromkeys(fields, 1),
                sort=[(moment, 1)],
                limit=limit,
            )


def _stages(found: BsonDocument) -> tuple[tuple[Stage, float], ...]:
    return tuple(
        (Stage(record["stage"]), float(record["seconds"]))
        for record in found.get("stages", [])
        if record.get("seconds") is not None
    )
