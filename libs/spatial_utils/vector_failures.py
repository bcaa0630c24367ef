"""From the end of a reading child to the error that its caller gets."""

from __future__ import annotations

import json

from libs.errors import Problem, SpatialEtlError
from libs.spatial_utils.errors import (
    LimitExceededError,
    ReaderBrokenError,
    ReaderKilledError,
    UnreadableFileError,
)
from libs.spatial_utils.sandbox import Child, ChildLimits, Ended, Outcome
from libs.spatial_utils.vector_wire import EXIT_PROBLEM, PROBLEM_MARK

_CANNOT_LOAD = "failed to map segment from shared object"


def failure_of(child: Child, name: str, cause: Exception | None = None) -> SpatialEtlError:
    """Why the child's stream is not whole; waits for its end."""
    child.stdout.close()  # one that is still writing ends by that
    outcome = child.wait()
    if outcome.returncode == EXIT_PROBLEM and PROBLEM_MARK in outcome.stderr:
        return _problem(outcome, name)
    if _CANNOT_LOAD in outcome.stderr:
        return ReaderBrokenError(
            f"{name}: {child.limits.memory_bytes // 2**20} MiB (ETL_READER_MEMORY_MB) are too few "
            "for the reader's own libraries; 512 are enough for small files."
        )
    limit = limit_exceeded(outcome, child.limits, name)
    if limit is not None:
        return limit
    if outcome.ended is Ended.CRASHED:
        return UnreadableFileError(
            name,
            f"the reader crashed on it (signal {-outcome.returncode}).",
            "The file is damaged, or made to do that: export it anew.",
        )
    if outcome.ended is Ended.KILLED:
        return ReaderKilledError(f"{name}: its reader was killed from outside.")
    detail = outcome.last_lines or str(cause or "it ended without a word")
    return ReaderBrokenError(f"{name}: the reader of vector files failed: {detail}")


def limit_exceeded(outcome: Outcome, limits: ChildLimits, name: str) -> LimitExceededError | None:
    """The error of a child that hit one of its limits; None: it did not."""
    used = {
        Ended.OUT_OF_MEMORY: (
            f"needs more than the {limits.memory_bytes // 2**20} MiB of memory",
            "ETL_READER_MEMORY_MB",
        ),
        Ended.OUT_OF_CPU: (f"takes more than the {limits.cpu_s} s of CPU", "ETL_READER_CPU_S"),
        Ended.OUT_OF_TIME: (f"takes longer than the {limits.wall_s:g} s", "ETL_READER_TIMEOUT_S"),
        Ended.FILE_TOO_LARGE: (
            f"needs a temporary file above the {limits.max_file_bytes // 2**20} MiB",
            None,
        ),
    }.get(outcome.ended)
    if used is None:
        return None
    what, setting = used
    return LimitExceededError(
        [
            Problem(
                where=name,
                what=f"reading it {what} that a reader may have.",
                cure="Split the file" + (f", or have {setting} raised." if setting else "."),
            )
        ]
    )


def _problem(outcome: Outcome, name: str) -> SpatialEtlError:
    line = outcome.stderr.rpartition(PROBLEM_MARK)[2].splitlines()[0]
    try:
        told = json.loads(line)
        return UnreadableFileError(name, str(told["what"]), str(told["cure"]))
    except (ValueError, KeyError, TypeError):
        return ReaderBrokenError(f"{name}: the reader of vector files failed: {line[:500]}")
