"""`audit`: the auditor by hand; all checks are in `libs.audit`."""

from __future__ import annotations

from typing import Annotated

import typer

from libs.cli.options import JsonOption


def audit(
    repair: Annotated[
        bool, typer.Option("--repair", help="Mend what dead runs left; never touches assets.")
    ] = False,
    verify_bytes: Annotated[
        bool, typer.Option("--verify-bytes", help="Read and hash every object in the lake.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Compare ledger, lake and PostGIS.

    Exit 6 when something is found that a person must look at: a committed object that is missing or
    altered, or one that nobody can account for. What --repair can mend does not count.
    """
    from libs.audit import audit as run_audit
    from libs.cli.exits import ExitCode
    from libs.cli.terminal import Terminal
    from libs.cli.view_audit import audit_report
    from libs.ingest import Platform
    from libs.settings import Settings

    terminal = Terminal(as_json=as_json)
    with Platform.connect(Settings()) as platform:
        report = run_audit(platform, repair=repair, verify_bytes=verify_bytes)
    terminal.result(report, *audit_report(report))
    if report.for_a_person:
        raise typer.Exit(ExitCode.NEEDS_A_PERSON)
