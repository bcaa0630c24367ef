"""Dagster's queue, which lets out as many runs as the workers that are there have room for.

So nothing waits in the broker: what no worker can take stays in Dagster's own storage.
"""

from __future__ import annotations

from dagster._core.run_coordinator import QueuedRunCoordinator
from dagster._core.run_coordinator.queued_run_coordinator import RunQueueConfig

from etl_workers.launcher import WorkerRunLauncher


class WorkerQueue(QueuedRunCoordinator):
    """`max_concurrent_runs` is an upper bound; the workers' own limits count below it."""

    def get_run_queue_config(self) -> RunQueueConfig:
        config = super().get_run_queue_config()
        launcher = self._instance.run_launcher
        if not isinstance(launcher, WorkerRunLauncher):
            return config
        return config._replace(
            max_concurrent_runs=min(config.max_concurrent_runs, launcher.slots())
        )
