"""The auditor as an op."""

from dagster import Config, MetadataValue, OpExecutionContext, op
from pydantic import Field

from etl_pipelines.resources import PlatformResource
from libs.audit import audit


class AuditConfig(Config):
    """What the auditor may do."""

    repair: bool = Field(default=True, description="false: only look and report")
    verify_bytes: bool = Field(default=False, description="true: hash every object again")


@op(name="compare_stores")
def audit_op(context: OpExecutionContext, config: AuditConfig, platform: PlatformResource) -> None:
    """Compare ledger, lake and PostGIS. Findings that need a person fail the run visibly."""
    report = audit(platform.get(), repair=config.repair, verify_bytes=config.verify_bytes)
    context.add_output_metadata({"report": MetadataValue.md(report.as_markdown())})
    for finding in report.findings:
        context.log.warning(str(finding))
    report.raise_if_a_person_is_needed()
