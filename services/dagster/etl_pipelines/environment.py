"""The settings file becomes the environment, where `EnvVar` looks; and a check before start."""

from __future__ import annotations

import os
import sys

from dotenv import load_dotenv

from libs.errors import SpatialEtlError
from libs.ingest.platform import Platform
from libs.settings import Settings, default_env_file

_OURS = ("MINIO_", "LANDING_", "MONGODB_", "POSTGIS_", "ETL_")


def load_environment() -> Settings:
    """Read the settings file, if there is one, into the environment; what is set there wins.

    Dagster's resources must see what everybody else does: an empty variable is not set, and what
    has a default and is asked for by its name has it.

    Raises:
        ConfigError: a setting that the pipeline needs is missing or wrong.
    """
    env_file = default_env_file()
    _forget_empty_ones()
    if env_file is not None:
        load_dotenv(env_file, override=False)
        _forget_empty_ones()
    settings = Settings()
    _ = (settings.vault, settings.ledger, settings.compute, settings.etl)
    os.environ.setdefault("POSTGIS_PORT", str(settings.compute.port))
    os.environ.setdefault("POSTGIS_DATABASE", settings.compute.database)
    return settings


def _forget_empty_ones() -> None:
    for name in [name for name, value in os.environ.items() if not value]:
        if name.startswith(_OURS):
            del os.environ[name]


def main() -> int:
    """`python -m etl_pipelines.environment`: run before the code server, says what is wrong.

    Exits with 78 (EX_CONFIG of sysexits.h) and one sentence when the platform cannot work.
    """
    try:
        platform = Platform.connect(load_environment())
        platform.check()
        platform.ledger.migrate()
    except SpatialEtlError as error:
        sys.stderr.write(f"{error}\n")
        return 78
    return 0


if __name__ == "__main__":
    sys.exit(main())
