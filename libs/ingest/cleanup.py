"""What a run leaves behind when it ends, however it ends: nothing in PostGIS, nothing on disk."""

from __future__ import annotations

from libs.faultpoints import Point, reach
from libs.ingest.platform import Platform
from libs.ingest.workspace import remove_run_folder


def clean_up(platform: Platform, run_id: str) -> None:
    """Drop the run's schemas and folder. Safe to repeat; the auditor does it for dead runs."""
    remove_run_folder(platform.limits, run_id)
    reach(Point.FOLDER_REMOVED)
    platform.compute.drop_run_schemas(run_id)
    reach(Point.SCHEMAS_DROPPED)
