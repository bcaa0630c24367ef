"""`demo`: the whole way of two real files, on this machine; the work is in `demo`."""

from __future__ import annotations

import typer

from libs.cli.options import DEFAULT_STATE, JsonOption, StateOption, TimeoutOption


def demo(
    state: StateOption = DEFAULT_STATE,
    timeout: TimeoutOption = 300.0,
    as_json: JsonOption = False,
) -> None:
    """Watch real data travel to the lake.

    Starts the embedded stack, and submits two files as the restricted landing user: countries from
    Natural Earth as a shapefile, and the EGM96 geoid as a GeoTIFF. Run again on a running stack, it
    shows how a batch is recognised as already done.
    """
    from libs.cli.demo import how_to_go_on, run_demo
    from libs.cli.submit_work import code_of
    from libs.cli.terminal import Terminal
    from libs.cli.view_submission import submitted

    terminal = Terminal(as_json=as_json)
    report = run_demo(terminal, state, timeout)
    views = [view for one in report.submissions for view in (*submitted(one), "")]
    terminal.result(report, *views, how_to_go_on(report))
    raise typer.Exit(max(code_of(one) for one in report.submissions))
