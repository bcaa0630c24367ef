"""The auditor; see CONTEXT.md."""

from libs.audit.auditor import audit
from libs.audit.report import AuditFoundLossError, AuditReport, Finding
from libs.models import FindingKind

__all__ = ["AuditFoundLossError", "AuditReport", "Finding", "FindingKind", "audit"]
