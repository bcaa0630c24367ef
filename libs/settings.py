"""Every setting of the platform, typed, in one place; read from the environment and a `.env` file.

Secrets are `SecretStr`, so that no repr, log or traceback shows them. The code knows endpoints
only: whether they belong to the embedded stack, Docker Compose or Kubernetes is not its business.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, TypeVar

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from libs.errors import ConfigError


def section_config(prefix: str) -> SettingsConfigDict:
    """How a section is read whose variables all begin with `prefix`; an empty one is not set."""
    return SettingsConfigDict(
        env_prefix=prefix,
        env_file_encoding="utf-8",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
    )


ENV_FILE_VARIABLE = "SPATIAL_ETL_ENV_FILE"
"""Names the settings file; default: `.env`, or else what the embedded stack wrote."""


def default_env_file() -> Path | None:
    """The settings file that holds here; None: only the process's environment counts.

    An environment variable always wins over the same setting in the file.
    """
    named = os.environ.get(ENV_FILE_VARIABLE)
    if named:
        return Path(named)
    return next((path for path in (Path(".env"), Path(".stack/.env")) if path.is_file()), None)


class VaultAddress(BaseSettings):
    """Where the S3 object store is (MinIO, or anything that speaks S3 with user metadata and
    multipart), and its buckets. A user who only submits needs no more of it."""

    model_config = section_config("MINIO_")

    endpoint: str = Field(description="host:port of the S3 API, without a scheme")
    secure: bool = Field(default=False, description="true: HTTPS")
    region: str = "us-east-1"
    landing_bucket: str = "landing-zone"
    lake_bucket: str = "data-lake"
    timeout_s: float = Field(default=30.0, gt=0, description="per request, connect and read")


class VaultSettings(VaultAddress):
    """The same, with the pipeline's user."""

    access_key: str = Field(description="the pipeline user's access key")
    secret_key: SecretStr = Field(description="the pipeline user's secret key")


class UploaderSettings(BaseSettings):
    """The landing user: what `spatial-etl submit` signs in as. May write landing-zone only."""

    model_config = section_config("LANDING_")

    access_key: str
    secret_key: SecretStr


class LedgerSettings(BaseSettings):
    """MongoDB, or a server of its wire protocol. The URI carries no credentials."""

    model_config = section_config("MONGODB_")

    uri: str = Field(description="mongodb://host:port[,host:port]/?options, no user and password")
    username: str | None = None
    password: SecretStr | None = None
    auth_source: str = "admin"
    database: str = "spatial_etl"
    timeout_s: float = Field(default=10.0, gt=0, description="server selection and per operation")


class ComputeSettings(BaseSettings):
    """PostGIS as a transient engine: it holds nothing worth keeping."""

    model_config = section_config("POSTGIS_")

    host: str
    port: int = 5432
    database: str = "compute"
    user: str
    password: SecretStr
    pool_size: int = Field(default=4, ge=1)
    connect_timeout_s: int = Field(default=10, ge=1)
    statement_timeout_s: int = Field(default=1800, ge=1, description="per SQL statement")


class EtlSettings(BaseSettings):
    """How the pipeline itself behaves: folders, limits, time-outs."""

    model_config = section_config("ETL_")

    work_dir: Path = Field(default=Path(".stack/work"), description="scratch space of runs")
    recipes_dir: Path | None = Field(default=None, description="beside the built-in recipes")
    run_sizes: Path | None = Field(default=None, description="YAML: a run's resources by input")
    lease_s: int = Field(default=120, ge=5, description="how long a silent run keeps its batch")
    manifest_max_bytes: int = Field(default=4_000_000, ge=1)
    manifest_max_files: int = Field(default=1000, ge=1)
    min_free_bytes: int = Field(default=512 * 2**20, ge=0, description="left free by a fetch")
    gdal_timeout_s: int = Field(default=3600, ge=1, description="per GDAL process")
    gdal_memory_mb: int = Field(
        default=1024, ge=64, description="half of it is for GDAL's block cache"
    )
    reader_memory_mb: int = Field(default=4096, ge=256, description="address space of a reader")
    reader_cpu_s: int = Field(default=3600, ge=1, description="CPU seconds of a reader process")
    reader_timeout_s: int = Field(default=3600, ge=1, description="wall seconds of a reader")
    row_group_rows: int = Field(default=20_000, ge=1000)
    zstd_level: int = Field(default=2, ge=1, le=22)
    workers: int = Field(default=2, ge=1, description="CPU cores one run may use")
    worker_name: str = Field(default="", description="this machine; default: its host name")
    sensor_interval_s: int = Field(default=2, ge=1)
    run_timeout_s: int = Field(default=21_600, ge=10, description="per run, all stages")
    run_attempts: int = Field(default=5, ge=1, description="runs for one upload, the first too")
    retry_wait_s: float = Field(
        default=10.0, ge=0, description="before the second attempt; doubled for each further one"
    )
    audit_cron: str = "*/30 * * * *"
    dagster_url: str = Field(default="http://127.0.0.1:3000", description="for links people follow")
    log_format: Literal["text", "json"] = Field(
        default="text", description="text for people, json for a log collector"
    )

    @property
    def machine(self) -> str:
        """What the ledger calls the machine that a run is on."""
        return self.worker_name or socket.gethostname()


class Settings:
    """All sections, each read when it is first asked for."""

    def __init__(self, env_file: Path | None = None) -> None:
        self._env_file = env_file
        self._sections: dict[type[BaseSettings], BaseSettings] = {}

    @property
    def vault(self) -> VaultSettings:
        return self._section(VaultSettings)

    @property
    def vault_address(self) -> VaultAddress:
        return self._section(VaultAddress)

    @property
    def uploader(self) -> UploaderSettings:
        return self._section(UploaderSettings)

    @property
    def ledger(self) -> LedgerSettings:
        return self._section(LedgerSettings)

    @property
    def compute(self) -> ComputeSettings:
        return self._section(ComputeSettings)

    @property
    def etl(self) -> EtlSettings:
        return self._section(EtlSettings)

    def _section(self, kind: type[SectionT]) -> SectionT:
        if kind not in self._sections:
            self._sections[kind] = load_section(kind, self._env_file)
        section = self._sections[kind]
        assert isinstance(section, kind)  # noqa: S101  the dictionary is keyed by its values' type
        return section


SectionT = TypeVar("SectionT", bound=BaseSettings)


def load_section(kind: type[SectionT], env_file: Path | None = None) -> SectionT:
    """Read one section; raise `ConfigError` naming every variable that is missing or wrong."""
    prefix = kind.model_config.get("env_prefix", "")
    env_file = env_file or default_env_file()
    if env_file is not None and not env_file.is_file():
        raise ConfigError(f"The settings file {env_file} does not exist.")
    try:
        return kind(_env_file=env_file)
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8"
        raise ConfigError(f"The settings file {env_file} cannot be read: {reason}.") from None
    except ValidationError as error:
        faults = {
            f"{prefix}{'_'.join(str(part) for part in fault['loc'])}".upper(): (
                None if fault["type"] == "missing" else fault["msg"]
            )
            for fault in error.errors()
        }
        raise SettingsError(faults, env_file) from None


class SettingsError(ConfigError):
    """Variables of a section are not set, or wrong."""

    def __init__(self, faults: Mapping[str, str | None], env_file: Path | None) -> None:
        """`faults`: what is wrong with each variable; None: it is not set."""
        self.unset = frozenset(name for name, fault in faults.items() if fault is None)
        said = "; ".join(
            f"{name} is not set" if fault is None else f"{name}: {fault}"
            for name, fault in faults.items()
        )
        super().__init__(
            f"Settings: {said}. Read from the environment and {env_file or 'no file'}; "
            ".env.example explains each. `spatial-etl stack up` writes a file for the embedded "
            f"stack; {ENV_FILE_VARIABLE} or --env-file names another one."
        )
