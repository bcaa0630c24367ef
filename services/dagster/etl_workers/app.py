"""The worker's one entry: Celery's `app`, from the instance configuration in DAGSTER_HOME.

`celery --app etl_workers.app worker` (start-worker.sh) takes runs with it. A run is one process of
the worker's; before it begins, what dead runs have left on this machine is taken away.
"""

from __future__ import annotations

import logging

from celery import Celery, Task
from celery.signals import setup_logging
from dagster import DagsterInstance
from dagster._cli.api import _execute_run_command_body
from dagster._grpc.types import ExecuteRunArgs
from dagster._serdes import unpack_value
from dagster._utils.interrupts import capture_interrupts
from dagster_celery.config import TASK_EXECUTE_JOB_NAME

from etl_workers.launcher import WorkerRunLauncher
from etl_workers.leftovers import take_away_leftovers
from libs.logs import configure
from libs.settings import EtlSettings, load_section


def worker_app() -> Celery:
    """The launcher's own app, with the task that it sends.

    Raises:
        TypeError: `dagster.yaml` names another launcher.
    """
    with DagsterInstance.get() as instance:
        launcher = instance.run_launcher
        if not isinstance(launcher, WorkerRunLauncher):
            raise TypeError(
                f"The run_launcher of dagster.yaml is {type(launcher).__name__}; a worker needs "
                "etl_workers.launcher.WorkerRunLauncher."
            )
        app = launcher.celery
    app.task(bind=True, name=TASK_EXECUTE_JOB_NAME, track_started=True)(_execute_run)
    return app


def _log_in_our_form() -> None:
    """As JSON, where the settings say so: Celery leaves logs alone when this signal is heard."""

    def set_up(**_: object) -> None:
        configure("json")
        logging.getLogger("celery").setLevel(logging.INFO)

    if load_section(EtlSettings).log_format == "json":
        setup_logging.connect(set_up, weak=False)


def _execute_run(_: Task, execute_job_args_packed: dict[str, object]) -> int:
    """One run, from its first event to its last; 1 when it failed."""
    arguments = unpack_value(execute_job_args_packed, as_type=ExecuteRunArgs)
    # A cancellation that comes between two stages waits for the next one.
    with capture_interrupts():
        take_away_leftovers()
        with DagsterInstance.get() as instance:
            return _execute_run_command_body(
                run_id=arguments.run_id,
                instance=instance,
                write_stream_fn=lambda _: None,
                set_exit_code_on_failure=True,
            )


_log_in_our_form()
app = worker_app()
