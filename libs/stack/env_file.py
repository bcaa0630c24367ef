"""The settings that a stack answers to, as `libs.settings` reads them, and their file."""

from __future__ import annotations

import os

from libs.stack.identity import Identity
from libs.stack.paths import PROJECT, StackPaths
from libs.stack.private_files import read_or_empty, write_private

LAKE_BUCKET = "data-lake"
_HEADER = (
    "# Written by `spatial-etl stack up` at each start; holds passwords; edits are lost.\n"
    "# Settings of your own belong into own.env beside it: they come last here, and win.\n"
)


def settings_of(paths: StackPaths, identity: Identity) -> dict[str, str]:
    """Environment variables by name; paths are absolute. Holds secrets."""
    recipes = PROJECT / "configs" / "recipes"
    return {
        "MINIO_ENDPOINT": f"127.0.0.1:{identity.ports.vault}",
        "MINIO_SECURE": "false",
        "MINIO_ACCESS_KEY": identity.vault_pipeline.name,
        "MINIO_SECRET_KEY": identity.vault_pipeline.clear,
        "MINIO_REGION": "us-east-1",
        "MINIO_LANDING_BUCKET": "landing-zone",
        "MINIO_LAKE_BUCKET": LAKE_BUCKET,
        "LANDING_ACCESS_KEY": identity.vault_uploader.name,
        "LANDING_SECRET_KEY": identity.vault_uploader.clear,
        "MONGODB_URI": f"mongodb://127.0.0.1:{identity.ports.ledger}/",
        "MONGODB_USERNAME": identity.ledger_pipeline.name,
        "MONGODB_PASSWORD": identity.ledger_pipeline.clear,
        "MONGODB_AUTH_SOURCE": "admin",
        "MONGODB_DATABASE": "spatial_etl",
        "POSTGIS_HOST": "127.0.0.1",
        "POSTGIS_PORT": str(identity.ports.compute),
        "POSTGIS_DATABASE": "compute",
        "POSTGIS_USER": identity.compute_pipeline.name,
        "POSTGIS_PASSWORD": identity.compute_pipeline.clear,
        "ETL_WORK_DIR": str(paths.work),
        **({"ETL_RECIPES_DIR": str(recipes)} if recipes.is_dir() else {}),
        "ETL_WORKERS": str(len(os.sched_getaffinity(0))),
        "ETL_DAGSTER_URL": dagster_url(identity),
        "MONITOR_PORT": str(identity.ports.monitor),
        "MONITOR_DAGSTER_URL": dagster_url(identity),
        "MONITOR_WORK_DIR": str(paths.work),
    }


def dagster_url(identity: Identity) -> str:
    """The address of Dagster's page."""
    return f"http://127.0.0.1:{identity.ports.webserver}"


def write(paths: StackPaths, settings: dict[str, str]) -> None:
    """Write the settings file when it differs; what `own.env` holds is put at its end."""
    text = _HEADER + "".join(f"{name}='{value}'\n" for name, value in settings.items())
    text += read_or_empty(paths.own_settings)
    if text != read_or_empty(paths.env_file):
        write_private(paths.env_file, text)
