"""Gives each run to a worker, whole, through the broker; and stops it there.

dagster-celery's launcher does the sending. What is changed here: a run that a person cancels is
`CANCELING` before its worker is told, or it would count as failed and be tried again; a broker
that has forgotten a task does not fail its run; a broker that is away puts the run back
into the queue. It reads no pipeline code: Dagster's page and daemon use it too.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from dagster import DagsterRun, Field, IntSource, RunsFilter, StringSource
from dagster._core.errors import DagsterUserCodeUnreachableError
from dagster._core.launcher import CheckRunHealthResult, LaunchRunContext, WorkerStatus
from dagster._serdes import ConfigurableClassData
from dagster_celery.launcher import CeleryRunLauncher
from dagster_celery.tags import DAGSTER_CELERY_TASK_ID_TAG
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

logger = logging.getLogger(__name__)

QUEUE = "dagster"
AWAY = (OperationalError, RedisError, OSError)
"""What is raised when the broker cannot be asked."""
ANSWER_S = 1.0
"""How long the workers have to say how many runs they take."""
REMEMBER_S = 5.0

CELERY: dict[str, Any] = {
    # One process a run, and no run is kept by a worker that has no process for it.
    "worker_max_tasks_per_child": 1,
    "worker_prefetch_multiplier": 1,
    "worker_disable_prefetch": True,
    "worker_proc_alive_timeout": 60.0,
    # A task is gone from the broker when its run begins: the sensor tries again, not the broker.
    "task_acks_late": False,
    "worker_redirect_stdouts": False,
    "worker_hijack_root_logger": False,
    "accept_content": ["json"],
    "result_expires": 86_400,
    "broker_connection_retry_on_startup": True,
    "broker_connection_max_retries": None,
    "task_publish_retry_policy": {"max_retries": 2, "interval_start": 0.2, "interval_step": 0.5},
    "broker_transport_options": {
        "socket_timeout": 10,
        "socket_connect_timeout": 5,
        "socket_keepalive": True,
        "health_check_interval": 10,
    },
    "redis_socket_timeout": 10,
    "redis_socket_connect_timeout": 5,
    "redis_retry_on_timeout": True,
    "redis_backend_health_check_interval": 10,
}


class WorkerRunLauncher(CeleryRunLauncher):
    """Whole runs to whichever worker has room."""

    def __init__(
        self,
        broker_host: str,
        broker_port: int,
        broker_password: str,
        inst_data: ConfigurableClassData | None = None,
    ) -> None:
        address = f"redis://:{quote(broker_password, safe='')}@{broker_host}:{broker_port}"
        self._where = f"{broker_host}:{broker_port}"
        self._looking = threading.Lock()
        self._seen: tuple[float, int] = (float("-inf"), 0)
        super().__init__(
            default_queue=QUEUE,
            broker=f"{address}/0",
            backend=f"{address}/1",
            config_source=CELERY,
            inst_data=inst_data,
        )

    @classmethod
    def config_type(cls) -> dict[str, Field]:
        return {
            "broker_host": Field(StringSource),
            "broker_port": Field(IntSource, is_required=False, default_value=6379),
            "broker_password": Field(StringSource),
        }

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData, config_value: Mapping[str, Any]
    ) -> WorkerRunLauncher:
        return cls(inst_data=inst_data, **config_value)

    def slots(self) -> int:
        """How many runs all workers that answer have room for, those at work included."""
        with self._looking:
            at, slots = self._seen
            if time.monotonic() - at > REMEMBER_S:
                slots = self._ask()
                self._seen = (time.monotonic(), slots)
            return slots

    def _ask(self) -> int:
        """0 while the broker is away. A process whose run is over takes room, until it is gone."""
        try:
            inspect = self.celery.control.inspect(timeout=ANSWER_S)
            slots = [
                answer["pool"]["max-concurrency"] for answer in (inspect.stats() or {}).values()
            ]
            tasks = [task["id"] for found in (inspect.active() or {}).values() for task in found]
        except AWAY as error:
            logger.warning("No run can start: the broker at %s is away: %s", self._where, error)
            return 0
        return max(0, sum(map(int, slots)) - self._over(tasks))

    def _over(self, tasks: Sequence[str]) -> int:
        if not tasks:
            return 0
        known = RunsFilter(tags={DAGSTER_CELERY_TASK_ID_TAG: list(tasks)})
        return sum(run.is_finished for run in self._instance.get_runs(known))

    def launch_run(self, context: LaunchRunContext) -> None:
        """Send it to the broker; when that is away, in the one error that keeps a run queued."""
        try:
            super().launch_run(context)
        except AWAY as error:
            raise DagsterUserCodeUnreachableError(
                f"The broker at {self._where} is away; the run waits in Dagster's queue."
            ) from error

    def terminate(self, run_id: str) -> bool:
        """Tell the run's worker to stop it; what it had is cleaned up by `cancelled_run_sensor`."""
        run = self._instance.get_run_by_id(run_id)
        if run is None or run.is_finished:
            return False
        self._instance.report_run_canceling(run)
        task_id = run.tags.get(DAGSTER_CELERY_TASK_ID_TAG)
        if task_id is not None:
            self._revoke(run, task_id)
        return True

    def _revoke(self, run: DagsterRun, task_id: str) -> None:
        try:
            self.celery.control.revoke(task_id, terminate=True, signal="SIGTERM")
        except AWAY:
            self._instance.report_engine_event(
                f"The broker at {self._where} is away: the run stops at the end of its stage.",
                run,
                cls=type(self),
            )

    @property
    def supports_resume_run(self) -> bool:
        return False

    def check_run_worker_health(self, run: DagsterRun) -> CheckRunHealthResult:
        """Failed, when a worker says that the run's process is gone. A worker that says nothing any
        more proves nothing: `silent_run_sensor` goes by the lease that the run itself keeps."""
        task_id = run.tags.get(DAGSTER_CELERY_TASK_ID_TAG)
        if task_id is not None and self.celery.AsyncResult(task_id).state == "FAILURE":
            return CheckRunHealthResult(WorkerStatus.FAILED, "The process of the run is gone.")
        return CheckRunHealthResult(WorkerStatus.RUNNING)

    def get_run_worker_debug_info(
        self, run: DagsterRun, include_container_logs: bool | None = True
    ) -> str | None:
        del include_container_logs
        task_id = run.tags.get(DAGSTER_CELERY_TASK_ID_TAG)
        if task_id is None:
            return None
        return f"Celery's task {task_id} is {self.celery.AsyncResult(task_id).state}."
