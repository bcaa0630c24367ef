"""The demo: the embedded stack, two real files, two manifests, followed from bucket to lake."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path, PurePosixPath

from libs.cli.demo_data import COUNTRIES_WORDS, GEOID_WORDS, countries, geoid
from libs.cli.manifest_maker import Submission, make_submission
from libs.cli.queries import Registry
from libs.cli.reports import Submitted
from libs.cli.source_files import Wishes, look_at_all
from libs.cli.stack_reports import DemoReport
from libs.cli.stage_lines import StageLines
from libs.cli.submit_work import upload_bar
from libs.cli.submitting import send, wait_for_all
from libs.cli.terminal import Terminal
from libs.cli.uploading import LandingZone
from libs.settings import Settings
from libs.stack import up


def run_demo(terminal: Terminal, state: Path, timeout_s: float) -> DemoReport:
    """Bring the stack up, submit both files as the landing user, and wait for both.

    Raises:
        SpatialEtlError: the stack does not start, the data is missing, or time is over.
    """
    terminal.say("The embedded stack:", "bold")
    stack = up(state, progress=terminal.say)
    if not stack.changed:
        terminal.say_all(
            f"{service.name:9} runs already  {service.address}" for service in stack.services
        )
    settings = Settings(env_file=stack.env_file)
    landing = LandingZone.connect(settings)
    submissions = _submissions(settings, stack.state, landing.bucket)
    terminal.say(f"Two submissions, as the landing user {settings.uploader.access_key!r}:", "bold")
    with Registry.connect(settings) as registry:
        done = _submit(terminal, submissions, landing, registry, timeout_s)
    return DemoReport(stack=stack, submissions=tuple(done))


def _submissions(settings: Settings, state: Path, bucket: str) -> list[Submission]:
    files = ((countries(), COUNTRIES_WORDS), (geoid(state / "demo", settings.etl), GEOID_WORDS))
    return [
        make_submission(look_at_all([path], Wishes(), settings.etl), words, bucket)
        for path, words in files
    ]


def _submit(
    terminal: Terminal,
    submissions: list[Submission],
    landing: LandingZone,
    registry: Registry,
    timeout_s: float,
) -> list[Submitted]:
    with upload_bar(terminal, submissions) as progress:
        sent = [send(submission, landing, registry, progress) for submission in submissions]
    names = [submission.manifest.batch_id for submission in submissions]
    with StageLines(terminal, names).shown() as lines:
        return wait_for_all(sent, landing, registry, lines, timeout_s)


def how_to_go_on(report: DemoReport) -> str:
    """What to type next, with the very ids of this demo's assets."""
    program = program_name()
    lines = ["To look further:"]
    for submission in report.submissions:
        for asset in submission.batch.assets if submission.batch else ():
            name = asset.dataset_id.partition("/")[2] + PurePosixPath(asset.s3_uri).suffix
            lines += [
                f"  {program} asset {asset.id}",
                f"  {program} lineage {asset.dataset_id}@{asset.version}",
                f"  {program} get {asset.id} {name}    # checks its hash",
                f"      then open {name} in QGIS{_or_in_sql(name)}",
            ]
    lines += [
        f"  {program} status {COUNTRIES_WORDS.batch_id}",
        f"  {program} submit YOUR-FILE --project MINE --intent ingest_vector",
        f"  Dagster's page: {report.stack.dagster_url}",
        "",
        "To stop and to remove every trace:",
        f"  {program} stack down{_state_option(report)}            # the data stays",
        f"  {program} stack down --purge{_state_option(report)}    # the data goes, too",
    ]
    return "\n".join(lines)


def program_name() -> str:
    """What to type to run this program: its name where the shell finds it, else its path."""
    called = Path(sys.argv[0])
    if shutil.which(called.name) or called.name != "spatial-etl":
        return "spatial-etl"
    return str(called)


def _or_in_sql(name: str) -> str:
    if not name.endswith(".parquet"):
        return ""
    return f", or in DuckDB: FROM '{name}'"


def _state_option(report: DemoReport) -> str:
    is_default = report.stack.state == Path(".stack").absolute()
    return "" if is_default else f" --state {report.stack.state}"
