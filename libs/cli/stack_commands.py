"""`stack up|status|down`: the embedded stack by hand; all work is in `libs.stack`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from libs.cli.options import DEFAULT_STATE, JsonOption, StateOption

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.table import Table

    from libs.stack import ServiceStatus

app = typer.Typer(
    help="Real servers on this machine, on loopback.",
    no_args_is_help=True,
)


@app.command()
def up(
    state: StateOption = DEFAULT_STATE,
    dagster: Annotated[
        bool, typer.Option("--dagster/--no-dagster", help="Start Dagster beside the stores.")
    ] = True,
    as_json: JsonOption = False,
) -> None:
    """Start all servers, and wait until each answers."""
    from libs.cli.terminal import Terminal
    from libs.cli.view import pairs
    from libs.stack import up as stack_up

    terminal = Terminal(as_json=as_json)
    info = stack_up(state, dagster=dagster, progress=terminal.say)
    rows = (
        ("state", "brought up" if info.changed else "was running already"),
        ("settings", str(info.env_file)),
        ("Dagster", info.dagster_url or "not started"),
    )
    terminal.result(info, services_table(info.services), "", pairs(rows))


@app.command()
def status(state: StateOption = DEFAULT_STATE, as_json: JsonOption = False) -> None:
    """Show each server and whether it answers.

    Exit 5 when one does not, 3 when there is no stack.
    """
    from libs.cli.errors import NotFoundError
    from libs.cli.exits import ExitCode
    from libs.cli.stack_reports import StackReport
    from libs.cli.terminal import Terminal
    from libs.stack import status as stack_status

    services = tuple(stack_status(state))
    if not services:
        raise NotFoundError(f"There is no stack in {state}: `spatial-etl stack up` makes one.")
    report = StackReport(state=state.absolute(), services=services)
    Terminal(as_json=as_json).result(report, services_table(services))
    if any(service.state != "running" for service in services):
        raise typer.Exit(ExitCode.PLATFORM)


@app.command()
def down(
    state: StateOption = DEFAULT_STATE,
    purge: Annotated[
        bool, typer.Option("--purge", help="Delete the state folder too: all data and passwords.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Stop all servers; the data stays.

    Unless --purge is given.
    """
    from libs.cli.errors import NotFoundError
    from libs.cli.stack_reports import StackStopped
    from libs.cli.terminal import Terminal
    from libs.stack import down as stack_down

    if not stack_down(state, purge=purge):
        raise NotFoundError(f"There is no stack in {state}.")
    kept = "its data is deleted" if purge else f"its data stays in {state}"
    report = StackStopped(state=state.absolute(), purged=purge)
    Terminal(as_json=as_json).result(report, f"The stack is stopped; {kept}.")


def services_table(services: Iterable[ServiceStatus]) -> Table:
    """One line a server."""
    from rich.text import Text

    from libs.cli.terminal import safe
    from libs.cli.view import table

    made = table("server", "state", "address", "pid", "what it is")
    for service in services:
        style = "green" if service.state == "running" else "red"
        made.add_row(
            service.name,
            Text(service.state, style=style),
            service.address,
            str(service.pid or ""),
            safe(f"{service.what}: {service.problem}" if service.problem else service.what),
        )
    return made
