"""What `submit` does, step by step, and what is seen of it; the options are `submit_command`'s."""

from __future__ import annotations

import getpass
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import typer

from libs.cli.exits import ExitCode, code_of_batch
from libs.cli.manifest_maker import Submission, Words, make_submission
from libs.cli.queries import Registry
from libs.cli.reports import Submitted
from libs.cli.source_files import Wishes, look_at_all
from libs.cli.stage_lines import StageLines
from libs.cli.submitting import (
    Sent,
    not_waited_for,
    registry_if_any,
    send,
    wait_for_all,
    wait_in_the_bucket,
)
from libs.cli.terminal import Terminal
from libs.cli.uploading import LandingZone, Progress, total_bytes
from libs.cli.view import size
from libs.cli.view_submission import submitted
from libs.settings import Settings


def run_submit(
    terminal: Terminal,
    files: list[Path],
    words: Words,
    wishes: Wishes,
    timeout_s: float | None,
) -> None:
    """Submit, and with a `timeout_s` wait for the end and exit with its code."""
    settings = Settings()
    landing = LandingZone.connect(settings)
    sources = look_at_all(files, wishes, settings.etl)
    submission = make_submission(sources, words, landing.bucket)
    with registry_if_any(settings) as registry:
        with upload_bar(terminal, [submission]) as progress:
            sent = send(submission, landing, registry, progress)
        terminal.say(f"manifest sent: s3://{landing.bucket}/{submission.manifest_key}")
        try:
            report = _answer(terminal, sent, landing, registry, timeout_s)
        except KeyboardInterrupt:
            terminal.say(f"The work goes on: `spatial-etl status {submission.manifest.batch_id}`.")
            raise
    terminal.result(report, *submitted(report))
    raise typer.Exit(code_of(report))


def _answer(
    terminal: Terminal,
    sent: Sent,
    landing: LandingZone,
    registry: Registry | None,
    timeout_s: float | None,
) -> Submitted:
    if timeout_s is None:
        return not_waited_for(sent, landing)
    if registry is None:
        terminal.say("The settings name no ledger: waiting for the receipt in the bucket.")
        return wait_in_the_bucket(sent, landing, timeout_s)
    with StageLines(terminal, [sent.submission.manifest.batch_id]).shown() as lines:
        return wait_for_all([sent], landing, registry, lines, timeout_s)[0]


def code_of(report: Submitted) -> ExitCode:
    """The exit code of a submission."""
    if report.batch is not None:
        return code_of_batch(report.batch.state)
    return code_of_batch(report.receipt.outcome) if report.receipt else ExitCode.OK


def login_name() -> str:
    """The name that the machine knows its user by."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        return "unknown"


@contextmanager
def upload_bar(terminal: Terminal, submissions: Sequence[Submission]) -> Iterator[Progress]:
    """A bar on a terminal; in a log, one line when all is sent."""
    total = sum(map(total_bytes, submissions))
    count = sum(len(submission.uploads) for submission in submissions)
    if not terminal.err.is_terminal:
        yield lambda _: None
    else:
        from rich.progress import BarColumn, DownloadColumn, TextColumn, TransferSpeedColumn
        from rich.progress import Progress as Bar

        columns = (TextColumn("uploading"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
        with Bar(*columns, console=terminal.err, transient=True) as bar:
            task = bar.add_task("", total=total)
            yield lambda sent: bar.advance(task, sent)
    terminal.say(f"uploaded {count} file(s), {size(total)}, as the landing user")
