"""Errors of the flow itself; those of files and servers come from their own layers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from libs.errors import InputError, OperatorError, Problem, TransientError
from libs.models import Batch


class BatchRejectedError(InputError):
    """The batch is recorded as rejected and its receipt is written; nothing is left to do."""

    def __init__(self, batch: Batch, problems: Sequence[Problem]) -> None:
        self.batch = batch
        super().__init__(problems)


class ManifestGoneError(InputError):
    """The upload that the sensor saw is no longer there, and no batch of it is known."""


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
