"""`status [BATCH]`: what became of batches, from the ledger."""

from __future__ import annotations

from typing import Annotated

import typer

from libs.cli.options import JsonOption


def status(
    batch: Annotated[
        str | None,
        typer.Argument(metavar="BATCH", help="A batch id, or 4+ digits of a fingerprint."),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many batches to list.")] = 20,
    as_json: JsonOption = False,
) -> None:
    """List the newest batches, or show one.

    Of one: its files, problems, stages and receipt.

    A batch id that was submitted several times shows each submission, the newest first.
    """
    from libs.cli.queries import Registry
    from libs.cli.terminal import Terminal
    from libs.cli.view import batch_list, batch_report
    from libs.settings import Settings

    terminal = Terminal(as_json=as_json)
    with Registry.connect(Settings()) as registry:
        found = registry.recent_batches(limit) if batch is None else registry.find_batches(batch)
    if batch is None:
        terminal.result(found, batch_list(found))
    else:
        terminal.result(found, *(batch_report(one) for one in found.batches))
