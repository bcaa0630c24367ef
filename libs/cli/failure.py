"""How an error that ended a command is told: in its own words, and as JSON with `--json`."""

from __future__ import annotations

import traceback

from libs.cli.exits import ExitCode
from libs.cli.reports import Failure
from libs.cli.terminal import Terminal
from libs.cli.view import problems
from libs.errors import InputError


def report_failure(error: Exception, code: ExitCode, *, as_json: bool, debug: bool) -> None:
    """Say what went wrong; a traceback only with `debug`."""
    terminal = Terminal(as_json=as_json)
    found = error.problems if isinstance(error, InputError) else ()
    words = _words(error, code)
    if as_json:
        terminal.document(
            Failure(error=words, kind=type(error).__name__, exit_code=code, problems=found)
        )
    if debug:
        terminal.say_all(traceback.format_exc().splitlines())
    if found:
        terminal.say("The data cannot be used:", "bold red")
        terminal.err.print(problems(found))
    else:
        first, *rest = words.splitlines() or [""]
        terminal.say(f"Error: {first}", "red")
        terminal.say_all(rest)


def _words(error: Exception, code: ExitCode) -> str:
    if isinstance(error, OSError):
        place = f"{error.filename}: " if error.filename else ""
        return f"{place}{error.strerror or error}. Look at the disk, and at who may use it."
    if code is not ExitCode.BUG:
        return str(error)
    return (
        f"{type(error).__name__}: {error}\n"
        "This is a bug of spatial-etl. --debug (before the command) shows where it happened."
    )
