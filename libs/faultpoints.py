"""Named moments of a run at which a test may step in; in normal use a call that does nothing.

Nothing outside a process can switch them on: a test that wants to step in calls `step_in` in the
process that runs. What it may do there, and why each moment matters, is tests/faults' business.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum


class Point(str, Enum):
    """Every moment between two steps of the flow, in its order."""

    RUN_RECORDED = "receive.run-recorded"
    MANIFEST_READ = "receive.manifest-read"
    BATCH_RECORDED = "receive.batch-recorded"
    BATCH_CLAIMED = "receive.batch-claimed"
    RECEIVE_ENDED = "receive.ended"
    FETCH_STARTED = "fetch.started"
    FILE_FETCHED = "fetch.file-fetched"
    FETCH_ENDED = "fetch.ended"
    LOAD_STARTED = "load.started"
    SCHEMA_CREATED = "load.schema-created"
    FILE_LOADED = "load.file-loaded"
    LOAD_ENDED = "load.ended"
    TRANSFORM_STARTED = "transform.started"
    FILE_TRANSFORMED = "transform.file-transformed"
    TRANSFORM_ENDED = "transform.ended"
    EJECT_STARTED = "eject.started"
    FILE_WRITTEN = "eject.file-written"
    VERSIONS_TAKEN = "eject.versions-taken"
    RESERVED = "eject.reserved"
    OBJECT_UPLOADED = "eject.object-uploaded"
    EJECT_ENDED = "eject.ended"
    COMMIT_STARTED = "commit.started"
    OBJECTS_CHECKED = "commit.objects-checked"
    COMMITTING = "commit.in-transaction"
    COMMITTED = "commit.committed"
    RUN_ENDED = "commit.run-ended"
    REJECTED = "reject.recorded"
    RECEIPT_WRITTEN = "settle.receipt-written"
    MANIFEST_ARCHIVED = "settle.manifest-archived"
    MANIFEST_REMOVED = "settle.manifest-removed"
    SETTLED = "settle.recorded"
    FOLDER_REMOVED = "clean-up.folder-removed"
    SCHEMAS_DROPPED = "clean-up.schemas-dropped"


_hook: Callable[[Point], None] | None = None


def reach(point: Point) -> None:
    """The run is at this moment now."""
    if _hook is not None:
        _hook(point)


def step_in(hook: Callable[[Point], None] | None) -> None:
    """Let `hook` be called at each moment of this process, in the thread that reaches it.

    What it raises goes up from there. None: let the moments pass again.
    """
    global _hook  # noqa: PLW0603  one process has one flow
    _hook = hook
