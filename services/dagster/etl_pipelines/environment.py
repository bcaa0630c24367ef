"""The settings file becomes the environment, where `EnvVar` looks; and a check before start."""

from __future__ import annotations

import sys

from dotenv import load_dotenv

from libs.errors import SpatialEtlError
from libs.ingest.platform import Platform
from libs.settings import Settings, default_env_file


def load_environment() -> Settings:
    """Read the settings file, if there is one, into the environment; what is set there wins.

    Raises:
        ConfigError: a setting that the pipeline needs is missing or wrong.
    """
    env_file = default_env_file()
    if env_file is not None:
        load_dotenv(env_file, override=False)
    settings = Settings()
    _ = (settings.vault, settings.ledger, settings.compute, settings.etl)
    return settings


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
