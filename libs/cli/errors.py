"""Errors of the command line itself; those of files and servers come from their own layers."""

from __future__ import annotations

from pathlib import Path

from libs.errors import OperatorError, SpatialEtlError


class UsageError(SpatialEtlError):
    """The arguments do not fit together or do not fit the files."""


class NotFoundError(SpatialEtlError):
    """What was asked for is not in the ledger, or there is no stack."""


class WaitTimeoutError(SpatialEtlError):
    """`--timeout` passed before a batch came to its end."""

    def __init__(self, name: str, seconds: float, taken_up: bool | None) -> None:
        """`taken_up` None: it cannot be told, since only the bucket can be seen."""
        reason = {
            True: f"It is still being worked on: `spatial-etl status {name}` shows how it ends.",
            False: "No run has taken it up: is Dagster running, with its sensor on? "
            "`spatial-etl stack status` tells for the embedded stack.",
            None: "The answer will be in the landing bucket, in manifests/done/, rejected/ or "
            f"failed/, as {name}.receipt.json; your operator sees what becomes of it.",
        }[taken_up]
        super().__init__(f"Batch {name} has not ended after {seconds:g} s. {reason}")


class ObjectLostError(OperatorError):
    """A committed asset has no object."""

    def __init__(self, uri: str) -> None:
        super().__init__(
            f"{uri} is not in the lake, though the ledger has it as committed. "
            "`spatial-etl audit` checks the whole lake."
        )


class HashMismatchError(OperatorError):
    """A downloaded object is not what the ledger says was committed."""

    def __init__(self, uri: str, wanted: str, got: str) -> None:
        super().__init__(
            f"{uri} has SHA-256 {got}, but {wanted} was committed: the object was altered. "
            "Nothing was saved; `spatial-etl audit --verify-bytes` checks the whole lake."
        )


class TargetExistsError(UsageError):
    """A download would overwrite a file."""

    def __init__(self, target: Path) -> None:
        super().__init__(f"{target} exists already. Name another target, or use --force.")


class DemoDataError(OperatorError):
    """The demo's data is not on this machine."""

    def __init__(self, name: str, cure: str) -> None:
        super().__init__(f"The demo's data, {name}, is not on this machine; {cure}.")
