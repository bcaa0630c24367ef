"""`backup` and `restore`: all work is in `libs.backup`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from libs.cli.options import JsonOption


def backup(
    target: Annotated[Path, typer.Argument(metavar="FOLDER", help="The folder of backups.")],
    keep: Annotated[
        int | None, typer.Option(min=1, help="Afterwards, keep the newest N backups only.")
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Take none: read every byte of those that are there.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Back up ledger and lake into a folder, while batches go on.

    Objects that the folder has already are not copied again.

    Exit 6 when an object of the lake was lost or altered before it could be copied, and with
    --check when a file of a backup is damaged.
    """
    from libs.backup import check_backup, take_backup
    from libs.cli.errors import UsageError
    from libs.cli.exits import ExitCode
    from libs.cli.terminal import Terminal
    from libs.cli.view_backup import backup_report, check_report
    from libs.settings import Settings

    terminal = Terminal(as_json=as_json)
    if check and keep is not None:
        raise UsageError("--check changes nothing, so it does not go with --keep.")
    if check:
        checked = check_backup(target, tell=terminal.say)
        terminal.result(checked, *check_report(checked))
        needs_a_person = checked.damages_count > 0
    else:
        taken = take_backup(Settings(), target, keep=keep, tell=terminal.say)
        terminal.result(taken, *backup_report(taken))
        needs_a_person = taken.losses_count > 0
    if needs_a_person:
        raise typer.Exit(ExitCode.NEEDS_A_PERSON)


def restore(
    source: Annotated[Path, typer.Argument(metavar="FOLDER", help="The folder of backups.")],
    name: Annotated[
        str | None, typer.Option("--backup", metavar="NAME", help="Which one. Default: the newest.")
    ] = None,
    version_gap: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="So many version numbers of each dataset are left out, since they may have been "
            "given out after the backup. Default: 1000.",
        ),
    ] = None,
    accept_losses: Annotated[
        bool, typer.Option("--accept-losses", help="Restore all but objects that are damaged.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Fill an empty platform from a backup.

    Broken off, the same command goes on. Nothing of it is visible before all is there.

    Exit 6 when --accept-losses left objects out: `audit` names their assets.
    """
    from libs.backup import DEFAULT_VERSION_GAP, Wishes, restore_backup
    from libs.cli.exits import ExitCode
    from libs.cli.terminal import Terminal
    from libs.cli.view_backup import restore_report
    from libs.ingest import Platform
    from libs.settings import Settings

    terminal = Terminal(as_json=as_json)
    gap = DEFAULT_VERSION_GAP if version_gap is None else version_gap
    wishes = Wishes(name=name, version_gap=gap, accept_losses=accept_losses)
    with Platform.connect(Settings()) as platform:
        report = restore_backup(platform, source, wishes, tell=terminal.say)
    terminal.result(report, *restore_report(report))
    if report.losses_count:
        raise typer.Exit(ExitCode.NEEDS_A_PERSON)
