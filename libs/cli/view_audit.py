"""The auditor's report for people."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import RenderableType
from rich.text import Text

from libs.audit import AuditReport
from libs.cli.terminal import safe
from libs.cli.view import heading, table


def audit_report(report: AuditReport) -> Iterator[RenderableType]:
    """What was looked at, then each finding."""
    depth = "every byte hashed" if report.bytes_verified else "sizes and links only"
    yield heading(
        f"{report.assets_checked} asset(s) and {report.objects_checked} object(s) checked ({depth})"
    )
    if not report.findings:
        yield Text("Nothing found.", style="green")
        return
    made = table("kind", "subject", "what", "cure")
    for finding in report.findings:
        style = "red" if finding.kind.needs_a_person else "yellow"
        made.add_row(
            Text(finding.kind.value, style=style),
            safe(finding.subject),
            safe(finding.what),
            "repaired" if finding.repaired else safe(finding.cure),
        )
    yield made
