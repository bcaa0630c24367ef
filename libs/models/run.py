"""The run: one try at a batch, stage by stage."""

from __future__ import annotations

from enum import Enum

from pydantic import Field

from libs.models.base import Document, Frozen, Moment, RunId, Seconds


class Stage(str, Enum):
    """The stages of a run, in their order."""

    RECEIVE = "receive"
    FETCH = "fetch"
    LOAD = "load"
    TRANSFORM = "transform"
    EJECT = "eject"
    COMMIT = "commit"


class RunState(str, Enum):
    """How a run stands or ended."""

    RUNNING = "running"
    COMMITTED = "committed"
    REJECTED = "rejected"
    FAILED = "failed"
    CANCELLED = "cancelled"
    NOTHING_TO_DO = "nothing_to_do"
    """The same submission had ended before: one result for one submission."""


class StageRecord(Frozen):
    """One stage of a run."""

    stage: Stage
    started_at: Moment
    seconds: Seconds | None = None
    """None while it goes on."""
    detail: str = ""
    """One line for people: files, rows, bytes."""


class Run(Document):
    """A document of the `runs` collection."""

    id: RunId = Field(alias="_id")
    manifest_key: str
    batch: str | None = None
    """The batch's fingerprint, once it is known."""
    state: RunState = RunState.RUNNING
    stages: tuple[StageRecord, ...] = ()
    tool_versions: dict[str, str] = Field(default_factory=dict)
    worker: str | None = None
    """The machine that it works on, as `ETL_WORKER_NAME` calls it; None: not recorded, as in the
    first shape."""
    started_at: Moment
    ended_at: Moment | None = None
    error: str | None = Field(default=None, description="what stopped it, without secrets")
