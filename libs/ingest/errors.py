"""Errors of the flow itself; those of files and servers come from their own layers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from libs.errors import InputError, OperatorError, Problem, TransientError
from libs.models import Batch, S3Uri


class BatchRejectedError(InputError):
    """The batch is recorded as rejected and its receipt is written; nothing is left to do."""

    def __init__(self, batch: Batch, problems: Sequence[Problem]) -> None:
        self.batch = batch
        super().__init__(problems)


class ManifestGoneError(InputError):
    """The upload that the sensor saw is no longer there, and no batch of it is known."""


class SourceChangedError(TransientError):
    """A file is no longer what it was when the manifest was received."""

    def __init__(self, uri: S3Uri) -> None:
        super().__init__(
            f"{uri} was replaced or removed while the batch was at work. The next try takes the "
            "file as it is then; if it is gone, the batch is rejected."
        )


class RunStoppedError(TransientError):
    """The run's process was told to end, though nobody had cancelled the run."""

    def __init__(self) -> None:
        super().__init__("The process of the run was stopped, with its machine or its service.")


class RunTooLongError(OperatorError):
    """The run has taken all the time that a run may take."""

    def __init__(self, limit_s: float) -> None:
        super().__init__(
            f"The run was stopped after {limit_s:g} s, the most that a run may take: raise "
            "ETL_RUN_TIMEOUT_S, or split the batch."
        )


class RunCancelledError(OperatorError):
    """A person has cancelled the run, on Dagster's page say."""

    def __init__(self) -> None:
        super().__init__("Cancelled by a person.")


class DiskFullError(TransientError):
    """The work folder has not enough room for what a batch needs."""

    @classmethod
    def while_writing(cls, work_dir: Path, error: OSError) -> DiskFullError:
        """The disk became full in the middle of the work, or the user's quota was used up."""
        return cls(
            f"The disk of the work folder {work_dir} became full while the batch was worked on "
            f"({error.strerror}). Free some room or point ETL_WORK_DIR at a larger disk; the batch "
            "is tried again."
        )


class HalfUploadedError(OperatorError):
    """The lake does not hold what was just written to it: the commit is refused."""
