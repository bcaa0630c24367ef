"""`audit`: every check in the order in which repairs help each other, into one report."""

from __future__ import annotations

import logging
import time
import uuid

from libs.audit import checks
from libs.audit.leftovers import find_leftovers
from libs.audit.report import AuditReport
from libs.ingest import Platform
from libs.models import AuditRecord, utc_now

logger = logging.getLogger(__name__)


def audit(platform: Platform, *, repair: bool, verify_bytes: bool = False) -> AuditReport:
    """Compare ledger, lake and PostGIS; with `repair`, mend what can be mended.

    An audit that goes through is recorded in the ledger, for those who watch from outside.

    Raises:
        TransientError: a server did not answer; nothing is half repaired, run it again. Also while
            a restore goes on, whose objects have no documents yet.
    """
    platform.ledger.require_ready()
    started = time.monotonic()
    findings = [
        *checks.dead_runs(platform, repair=repair),
        *find_leftovers(platform, repair=repair),
    ]
    objects = checks.LakeCheck(platform, verify_bytes=verify_bytes)
    findings += [*objects.orphans(repair=repair), *objects.committed()]
    findings += checks.incomplete_uploads(platform, repair=repair)
    report = AuditReport(
        findings=tuple(findings),
        assets_checked=objects.assets_checked,
        objects_checked=objects.objects_checked,
        bytes_verified=verify_bytes,
    )
    for finding in report.findings:
        logger.warning("%s", finding)
    platform.ledger.record_audit(_record(report, repair=repair, seconds=time.monotonic() - started))
    return report


def _record(report: AuditReport, *, repair: bool, seconds: float) -> AuditRecord:
    return AuditRecord(
        id=uuid.uuid4().hex,
        ended_at=utc_now(),
        seconds=seconds,
        repair=repair,
        bytes_verified=report.bytes_verified,
        assets_checked=report.assets_checked,
        objects_checked=report.objects_checked,
        findings=report.counts,
    )
