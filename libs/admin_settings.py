"""A deployment's settings that no run reads: administrators, Dagster's storage, ports, images.

Docker Compose and Kubernetes hand them to the init jobs and to the servers. What the pipeline
itself reads is in `libs.settings`.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings

from libs.settings import section_config


class VaultAdminLogin(BaseSettings):
    """Who makes buckets and users on the object store; MinIO's root user, say."""

    model_config = section_config("MINIO_ADMIN_")

    access_key: str
    secret_key: SecretStr
    landing_expiry_days: int = Field(
        default=30, ge=0, description="the landing bucket's lifecycle rule; 0: leave rules alone"
    )


class LedgerAdminLogin(BaseSettings):
    """Who makes users on MongoDB."""

    model_config = section_config("MONGODB_ADMIN_")

    username: str
    password: SecretStr
    replica_key: SecretStr | None = Field(
        default=None, description="what the members of our own replica set prove themselves with"
    )
    members: str = Field(default="ledger:27017", description="the set's members, by comma")


class ComputeAdminLogin(BaseSettings):
    """Who makes databases and roles on a PostgreSQL that is not our own image."""

    model_config = section_config("POSTGIS_ADMIN_")

    user: str = "postgres"
    password: SecretStr


class OrchestratorSettings(BaseSettings):
    """Read by Dagster through `dagster.yaml` and `workspace.yaml`, not by our code."""

    model_config = section_config("DAGSTER_")

    code_host: str = "user-code"
    code_port: int = 4000
    postgres_host: str = "dagster-storage"
    postgres_port: int = 5432
    postgres_database: str = "dagster"
    postgres_user: str = "dagster"
    postgres_password: SecretStr


class BrokerSettings(BaseSettings):
    """The broker between Dagster's queue and workers on several machines; Dagster reads it too."""

    model_config = section_config("DAGSTER_BROKER_")

    host: str = "broker"
    port: int = 6379
    password: SecretStr


class WorkerSettings(BaseSettings):
    """A machine that takes runs; read by start-worker.sh."""

    model_config = section_config("ETL_WORKER_")

    slots: int = Field(default=2, ge=1, description="runs at a time on this machine")


class ComposeSettings(BaseSettings):
    """Read by Docker Compose itself, from the `.env` of its folder, and by nothing of ours."""

    model_config = section_config("COMPOSE_")

    file: str = Field(
        default="docker-compose.yaml", description="the files that its commands read, by colon"
    )
    project_name: str = Field(
        default="spatial-etl", description="what volumes and containers are called after"
    )


class PublishedPorts(BaseSettings):
    """Ports that Docker Compose opens on 127.0.0.1, and for workers on an address of the site."""

    model_config = section_config("PUBLISH_")

    vault_port: int = 9000
    ledger_port: int = 27017
    compute_port: int = 5432
    page_port: int = 3000
    storage_port: int = 5433
    broker_port: int = 6379
    site_address: str = Field(
        default="", description="this machine's address in the site's network, for its workers"
    )
    monitor_port: int = 9790


class ImageSettings(BaseSettings):
    """How the platform's own images are called."""

    model_config = section_config("IMAGE_")

    prefix: str = Field(default="spatial-etl", description="a registry may stand before it")
    tag: str = "0.1.0"


class MonitorSettings(BaseSettings):
    """The watcher that serves metrics and health (`python -m libs.monitor`)."""

    model_config = section_config("MONITOR_")

    host: str = Field(default="127.0.0.1", description="the address it listens on")
    port: int = Field(default=9790, ge=1, le=65535)
    interval_s: float = Field(default=15.0, ge=1, description="between two looks at a server")
    timeout_s: float = Field(default=5.0, gt=0, description="for one answer of a server")
    dagster_url: str = Field(
        default="http://127.0.0.1:3000", description="Dagster's page, as the watcher reaches it"
    )
    compute: bool = Field(default=True, description="false: there is no shared PostGIS to look at")
    work_dir: Path | None = Field(
        default=None, description="the runs' scratch space, where its disk can be seen from here"
    )
