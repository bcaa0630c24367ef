"""The program `spatial-etl`: its commands wired together, and how any of them ends."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from libs.cli import (
    asset_commands,
    audit_command,
    backup_commands,
    batch_commands,
    demo_command,
    ledger_command,
    recipe_command,
    stack_commands,
    submit_command,
)
from libs.cli.exits import ExitCode, code_of_error, help_text

app = typer.Typer(
    name="spatial-etl",
    help="Geodata in a bucket, versioned and provable datasets out.",
    epilog=help_text(),
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.add_typer(stack_commands.app, name="stack")
for command in (
    submit_command.submit,
    batch_commands.status,
    asset_commands.assets,
    asset_commands.asset,
    asset_commands.lineage,
    asset_commands.get,
    recipe_command.recipes,
    audit_command.audit,
    ledger_command.ledger,
    backup_commands.backup,
    backup_commands.restore,
    demo_command.demo,
):
    app.command()(command)


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(version("spatial-etl"))
        raise typer.Exit


@app.callback()
def options(
    env_file: Annotated[
        Path | None,
        typer.Option(help="The settings file. Default: .env, or else .stack/.env."),
    ] = None,
    debug: Annotated[bool, typer.Option(help="Show where an error came from.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    """Options before the command."""
    del debug, version  # the first is `main`'s, the second ended the program
    if env_file is not None:
        from libs.settings import ENV_FILE_VARIABLE

        os.environ[ENV_FILE_VARIABLE] = str(env_file)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; ends by `SystemExit` with one of `ExitCode`."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        app(given, prog_name="spatial-etl")
    except Exception as error:  # noqa: BLE001  the program's outermost frame: each kind has its code
        code = code_of_error(error)
        _report(error, code, as_json="--json" in given, debug="--debug" in given)
        sys.exit(code)


def _report(error: Exception, code: ExitCode, *, as_json: bool, debug: bool) -> None:
    from libs.cli.failure import report_failure

    report_failure(error, code, as_json=as_json, debug=debug)
