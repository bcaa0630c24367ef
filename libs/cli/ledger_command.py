"""`ledger`: which shape the ledger has, and bringing it to this release's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from libs.cli.options import JsonOption

if TYPE_CHECKING:
    from libs.ledger.level import Level


def ledger(
    migrate: Annotated[
        bool, typer.Option("--migrate", help="Bring it to this release's shape first.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Show which numbered changes the ledger has had, and which are due.

    Exit 5 when it is not of this release: a newer one has been at work, or changes are due. Before
    `--migrate`, make a backup and stop what runs an older release.
    """
    from libs.cli.exits import ExitCode
    from libs.cli.terminal import Terminal
    from libs.errors import OperatorError
    from libs.ledger import Ledger
    from libs.settings import Settings

    terminal = Terminal(as_json=as_json)
    with Ledger.connect(Settings().ledger) as connected:
        if migrate:
            applied = connected.migrate()
            terminal.say(f"Applied now: {', '.join(applied) or 'nothing was due'}.")
        level = connected.level()
    terminal.result(level, *_lines(level))
    try:
        level.require_current()
    except OperatorError as error:  # the result is printed: no second one may follow
        terminal.say(str(error))
        raise typer.Exit(ExitCode.PLATFORM) from error


def _lines(level: Level) -> list[str]:
    applied = [
        f"{step.id}  applied {step.applied_at:%Y-%m-%d %H:%M:%S}Z"
        + (f" by release {step.release}" if step.release else "")
        for step in level.applied
    ]
    return [
        f"This is release {level.release}.",
        *applied,
        *(f"{step}  due" for step in level.due),
        *(f"{step}  is not known to this release" for step in level.unknown),
    ]
