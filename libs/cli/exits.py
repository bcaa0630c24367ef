"""The exit codes: which one each kind of error ends in. Part of the command line's contract."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from libs.models import BatchState


class ExitCode(IntEnum):
    """What a script can tell from `$?`."""

    OK = 0
    BUG = 1
    USAGE = 2
    NOT_FOUND = 3
    REJECTED = 4
    PLATFORM = 5
    NEEDS_A_PERSON = 6
    TIMED_OUT = 7
    CONFIGURATION = 78
    INTERRUPTED = 130


MEANINGS = {
    ExitCode.OK: "done",
    ExitCode.BUG: "a bug of spatial-etl (--debug shows where)",
    ExitCode.USAGE: "the command line is wrong",
    ExitCode.NOT_FOUND: "no such batch, asset or stack",
    ExitCode.REJECTED: "your data is at fault; nothing was committed",
    ExitCode.PLATFORM: "the platform failed, or a server is away",
    ExitCode.NEEDS_A_PERSON: "something was lost or damaged: a person must look",
    ExitCode.TIMED_OUT: "timed out waiting; the work may still go on",
    ExitCode.CONFIGURATION: "a setting is missing or wrong",
    ExitCode.INTERRUPTED: "interrupted from the keyboard",
}


def help_text() -> str:
    """The table of exit codes for `--help`; `\\b` keeps its lines apart."""
    rows = (f"  {code.value:3} {meaning}" for code, meaning in MEANINGS.items())
    return "\b\nExit codes:\n" + "\n".join(rows)


def code_of_error(error: BaseException) -> ExitCode:
    """The exit code of an error that ended a command."""
    from libs.cli.errors import NotFoundError, UsageError, WaitTimeoutError
    from libs.errors import ConfigError, InputError, OperatorError, TransientError

    table: tuple[tuple[type[BaseException], ExitCode], ...] = (
        (UsageError, ExitCode.USAGE),
        (NotFoundError, ExitCode.NOT_FOUND),
        (WaitTimeoutError, ExitCode.TIMED_OUT),
        (ConfigError, ExitCode.CONFIGURATION),
        (InputError, ExitCode.REJECTED),
        (TransientError, ExitCode.PLATFORM),
        (OperatorError, ExitCode.PLATFORM),
        (OSError, ExitCode.PLATFORM),  # a full disk, no rights: nobody's bug
        (KeyboardInterrupt, ExitCode.INTERRUPTED),
    )
    return next((code for kind, code in table if isinstance(error, kind)), ExitCode.BUG)


def code_of_batch(state: BatchState) -> ExitCode:
    """The exit code of a batch that was waited for."""
    from libs.models import BatchState

    return {
        BatchState.COMMITTED: ExitCode.OK,
        BatchState.REJECTED: ExitCode.REJECTED,
        BatchState.FAILED: ExitCode.PLATFORM,
        BatchState.CANCELLED: ExitCode.PLATFORM,
    }.get(state, ExitCode.TIMED_OUT)
