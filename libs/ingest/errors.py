"""Errors of the flow itself; those of files and servers come from their own layers."""

from __future__ import annotations

from collections.abc import Sequence

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


class HalfUploadedError(OperatorError):
    """The lake does not hold what was just written to it: the commit is refused."""
