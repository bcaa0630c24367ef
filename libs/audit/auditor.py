"""`audit`: every check in the order in which repairs help each other, into one report."""

from __future__ import annotations

from libs.audit import checks
from libs.audit.leftovers import find_leftovers
from libs.audit.report import AuditReport
from libs.ingest import Platform


def audit(platform: Platform, *, repair: bool, verify_bytes: bool = False) -> AuditReport:
    """Compare ledger, lake and PostGIS; with `repair`, mend what can be mended.

    Raises:
        TransientError: a server did not answer; nothing is half repaired, run it again.
    """
    findings = [
        *checks.dead_runs(platform, repair=repair),
        *find_leftovers(platform, repair=repair),
    ]
    objects = checks.LakeCheck(platform, verify_bytes=verify_bytes)
    findings += [*objects.orphans(repair=repair), *objects.committed()]
    findings += checks.incomplete_uploads(platform, repair=repair)
    return AuditReport(
        findings=tuple(findings),
        assets_checked=objects.assets_checked,
        objects_checked=objects.objects_checked,
        bytes_verified=verify_bytes,
    )
