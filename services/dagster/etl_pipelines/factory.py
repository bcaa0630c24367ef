"""Assembles jobs, sensors, schedules and resources; tests call it with resources of their own."""

from __future__ import annotations

import os

from dagster import Definitions, EnvVar, ResourceDefinition

from etl_pipelines.io import run_memory_io
from etl_pipelines.jobs import audit_job, ingest_job
from etl_pipelines.logs import CONSOLE, console_logger
from etl_pipelines.resources import (
    GDALResource,
    MinIOResource,
    MongoDBResource,
    PlatformResource,
    PostGISResource,
)
from etl_pipelines.schedules import build_audit_schedule
from etl_pipelines.sensors.manifest_sensor import build_manifest_sensor
from etl_pipelines.sensors.run_ended_sensor import cancelled_run_sensor, failed_run_sensor
from etl_pipelines.sensors.silent_run_sensor import build_silent_run_sensor
from libs.settings import EtlSettings


def resources_from_environment() -> dict[str, object]:
    """Each resource configured by the names of its variables; Dagster shows names, not values."""
    minio = MinIOResource(
        endpoint=EnvVar("MINIO_ENDPOINT"),
        access_key=EnvVar("MINIO_ACCESS_KEY"),
        secret_key=EnvVar("MINIO_SECRET_KEY"),
    )
    asks_who = "MONGODB_USERNAME" in os.environ  # a server may let everybody in
    mongodb = MongoDBResource(
        uri=EnvVar("MONGODB_URI"),
        username=EnvVar("MONGODB_USERNAME") if asks_who else None,
        password=EnvVar("MONGODB_PASSWORD") if asks_who else None,
    )
    postgis = PostGISResource(
        host=EnvVar("POSTGIS_HOST"),
        port=EnvVar.int("POSTGIS_PORT"),
        user=EnvVar("POSTGIS_USER"),
        password=EnvVar("POSTGIS_PASSWORD"),
        database=EnvVar("POSTGIS_DATABASE"),
    )
    gdal = GDALResource()
    platform = PlatformResource(minio=minio, mongodb=mongodb, postgis=postgis, gdal=gdal)
    return {
        "minio": minio,
        "mongodb": mongodb,
        "postgis": postgis,
        "gdal": gdal,
        "platform": platform,
        "io_manager": run_memory_io,
    }


def build_definitions(
    limits: EtlSettings, resources: dict[str, ResourceDefinition] | dict[str, object]
) -> Definitions:
    """All jobs, sensors and schedules over the given resources; tests bring their own."""
    return Definitions(
        jobs=[ingest_job, audit_job],
        sensors=[
            build_manifest_sensor(limits),
            build_silent_run_sensor(limits),
            failed_run_sensor,
            cancelled_run_sensor,
        ],
        schedules=[build_audit_schedule(limits)],
        resources=resources,
        loggers={CONSOLE: console_logger},
    )
