"""What can go wrong with the embedded stack: each message names the thing, its place, the cure."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from pathlib import Path

from libs.errors import OperatorError


class StackError(OperatorError):
    """The embedded stack cannot be started, read or stopped."""


class MissingProgramsError(StackError):
    """Programs that the stack runs are not installed; names all of them."""

    def __init__(self, missing: Sequence[str]) -> None:
        super().__init__(
            f"The embedded stack lacks: {'; '.join(missing)}. "
            "Run scripts/bootstrap.sh, which installs what it can and says what it cannot."
        )


class ForeignFolderError(StackError):
    """A folder that this stack did not make; nothing in it is touched."""

    def __init__(self, folder: Path) -> None:
        super().__init__(
            f"{folder} is not empty and was not made by `stack up`. "
            "Name another folder, or empty this one yourself."
        )


class MovedFolderError(StackError):
    """A state folder that is not where its stack was made; nothing in it is started or stopped."""

    def __init__(self, folder: Path, made_at: Path) -> None:
        another = f"`spatial-etl backup` of the stack in {made_at}, restored into a new one"
        if os.path.exists(made_at):  # noqa: PTH110  false where we may not look, and no error
            what = (
                f"is a copy of the one in {made_at}, and its servers would work on the data there. "
                f"Use that one. For a second one take a {another}. "
                "A copy that nobody needs you may delete yourself."
            )
        else:
            names = shlex.join([str(folder), str(made_at)])
            what = (
                f"was made in {made_at}, which is gone, and its data is bound to that place. Put "
                f"it back (mv {names}), or leave a link there (ln -s {names}). To have it here, "
                f"put it back and take a {another}."
            )
        super().__init__(f"The stack in {folder} {what}")


class ServerFailedError(StackError):
    """A server did not come to answer; carries the last lines of its log."""

    def __init__(self, name: str, reason: str, log_file: Path, log_tail: str) -> None:
        self.name = name
        lines = "\n".join(f"    {line}" for line in log_tail.splitlines()) or "    (nothing)"
        super().__init__(
            f"{name} {reason}. The end of its log, {log_file}:\n{lines}\n"
            "Cure: mend what the log names and run `spatial-etl stack up` again (it goes on from "
            "here); or `spatial-etl stack down --purge` to begin anew, which deletes the data."
        )


class PreparationError(StackError):
    """A server's data folder could not be made."""

    def __init__(self, name: str, program: str, output: str) -> None:
        super().__init__(f"{name}: {program} could not prepare its data folder: {output.strip()}")


class StillRunningError(StackError):
    """Processes of the stack outlived even SIGKILL for a while."""

    def __init__(self, pids: Sequence[int]) -> None:
        super().__init__(
            f"These processes of the stack do not end: {', '.join(map(str, pids))}. "
            "They wait for the kernel (a full or a dead disk, mostly); look at them with ps."
        )
