"""The run's own folder on local disk: scratch space that is gone when the run has ended."""

from __future__ import annotations

import shutil
from pathlib import Path

from libs.ingest.errors import DiskFullError
from libs.settings import EtlSettings

_SOURCES = "in"


def run_folder(limits: EtlSettings, run_id: str) -> Path:
    """Where a run keeps its files; not made yet."""
    return limits.work_dir.absolute() / f"run-{run_id.replace('-', '')}"


def file_folder(limits: EtlSettings, run_id: str, index: int) -> Path:
    """The folder of one file of a run, made, readable by its owner only."""
    folder = _place_of_file(limits, run_id, index)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder


def _place_of_file(limits: EtlSettings, run_id: str, index: int) -> Path:
    return run_folder(limits, run_id) / str(index)


def sources_folder(limits: EtlSettings, run_id: str, index: int) -> Path:
    """The folder, made, of what was submitted for one file: it, and its side files."""
    folder = file_folder(limits, run_id, index) / _SOURCES
    folder.mkdir(exist_ok=True, mode=0o700)
    return folder


def remove_sources(limits: EtlSettings, run_id: str, index: int) -> None:
    """Delete what was submitted for one file, once nothing of this run will read it again."""
    shutil.rmtree(_place_of_file(limits, run_id, index) / _SOURCES, ignore_errors=True)


def require_room(limits: EtlSettings, needed_bytes: int) -> None:
    """Check the free disk before anything is written.

    Raises:
        DiskFullError: after writing `needed_bytes`, less than `ETL_MIN_FREE_BYTES` would be left.
    """
    limits.work_dir.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(limits.work_dir).free
    if free - needed_bytes < limits.min_free_bytes:
        raise DiskFullError(
            f"The work folder {limits.work_dir} has {free} bytes free; this batch needs "
            f"{needed_bytes} and {limits.min_free_bytes} must stay free (ETL_MIN_FREE_BYTES). "
            "Free some room or point ETL_WORK_DIR at a larger disk; the batch is tried again."
        )


def remove_run_folder(limits: EtlSettings, run_id: str) -> None:
    """Delete what a run left on disk; it is no error when there is nothing."""
    shutil.rmtree(run_folder(limits, run_id), ignore_errors=True)


def remaining_runs(limits: EtlSettings) -> list[str]:
    """The digits of the run ids that still have a folder here; for the auditor."""
    return [path.name.removeprefix("run-") for path in limits.work_dir.glob("run-*")]
