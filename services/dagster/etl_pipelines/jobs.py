"""The jobs: one for a manifest, one for the auditor. A run is one process, so it scales by runs."""

from __future__ import annotations

from dagster import in_process_executor, job

from etl_pipelines.ops.audit_op import audit_op
from etl_pipelines.ops.commit_op import commit_op
from etl_pipelines.ops.eject_op import eject_op
from etl_pipelines.ops.fetch_op import fetch_op
from etl_pipelines.ops.load_op import load_op
from etl_pipelines.ops.transform_op import transform_op
from etl_pipelines.ops.validate_op import validate_op

UPLOAD_TAG = "spatial_etl/upload"
"""On every run of the ingest job: which upload it is for (`ManifestUpload.run_key`)."""


@job(
    name="ingest",
    executor_def=in_process_executor,
    description="One manifest from the landing zone to the lake, all or nothing.",
)
def ingest_job() -> None:
    """receive ▶ fetch ▶ load ▶ transform ▶ eject ▶ commit."""
    commit_op(eject_op(transform_op(load_op(fetch_op(validate_op())))))


@job(
    name="audit",
    executor_def=in_process_executor,
    description="Compares ledger, lake and PostGIS; repairs what dead runs left, reports the rest.",
)
def audit_job() -> None:
    """The auditor, as the schedule runs it."""
    audit_op()
