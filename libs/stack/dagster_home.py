"""Dagster's own folder in the state folder: `dagster.yaml` and `workspace.yaml`.

What a deployment may tune is taken from services/dagster/dagster.yaml; where things are stored and
how runs are started is the stack's.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from libs.stack.paths import StackPaths
from libs.stack.private_files import read_or_empty, write_private
from libs.stack.programs import CODE_FOLDER

_TUNABLE = (
    "auto_materialize",
    "backfills",
    "code_servers",
    "concurrency",
    "python_logs",
    "retention",
    "run_coordinator",
    "run_monitoring",
    "run_queue",
    "run_retries",
    "schedules",
    "sensors",
)
_DEFAULTS: dict[str, Any] = {"concurrency": {"runs": {"max_concurrent_runs": 4}}}


def write(paths: StackPaths) -> None:
    """Write both files where they differ."""
    _write(paths.dagster_home / "dagster.yaml", instance(paths, CODE_FOLDER / "dagster.yaml"))
    _write(paths.dagster_home / "workspace.yaml", workspace(paths))


def instance(paths: StackPaths, shared: Path) -> dict[str, Any]:
    """Dagster's instance: SQLite and files in the state folder, no telemetry."""
    given = yaml.safe_load(read_or_empty(shared)) or {}
    home = paths.dagster_home
    return {
        **_DEFAULTS,
        **{key: given[key] for key in _TUNABLE if key in given},
        "storage": {"sqlite": {"base_dir": str(paths.dagster_storage)}},
        "local_artifact_storage": {
            "module": "dagster.core.storage.root",
            "class": "LocalArtifactStorage",
            "config": {"base_dir": str(home / "artifacts")},
        },
        "compute_logs": {
            "module": "dagster.core.storage.local_compute_log_manager",
            "class": "LocalComputeLogManager",
            "config": {"base_dir": str(home / "compute_logs")},
        },
        "telemetry": {"enabled": False},
        "nux": {"enabled": False},  # no invitation to sign up for anything outside
    }


def workspace(paths: StackPaths) -> dict[str, Any]:
    """One code location, on the socket of the code server."""
    server = {"socket": str(paths.socket("code")), "host": "localhost"}
    return {"load_from": [{"grpc_server": {**server, "location_name": "etl_pipelines"}}]}


def _write(path: Path, content: dict[str, Any]) -> None:
    text = yaml.safe_dump(content, sort_keys=False)
    if text != read_or_empty(path):
        write_private(path, text)
