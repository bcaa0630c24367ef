"""What the auditor found."""

from __future__ import annotations

from libs.errors import OperatorError
from libs.models import FindingCount, FindingKind, Frozen


class Finding(Frozen):
    """One thing that is not as it must be."""

    kind: FindingKind
    subject: str
    """The batch, asset, object, schema or folder."""
    what: str
    cure: str
    repaired: bool = False

    def __str__(self) -> str:
        state = "repaired" if self.repaired else f"Cure: {self.cure}"
        return f"{self.kind.value}: {self.subject}: {self.what} {state}"


class AuditFoundLossError(OperatorError):
    """Committed data is missing or altered, or the lake holds what nobody can account for."""


class AuditReport(Frozen):
    """All findings of one audit, and what was looked at."""

    findings: tuple[Finding, ...]
    assets_checked: int
    objects_checked: int
    bytes_verified: bool
    """True: every object was read and hashed; False: size and links only."""

    @property
    def for_a_person(self) -> tuple[Finding, ...]:
        """The findings that no machine can mend."""
        return tuple(item for item in self.findings if item.kind.needs_a_person)

    @property
    def counts(self) -> tuple[FindingCount, ...]:
        """How many findings of each kind, and how many of them are repaired."""
        by_kind = {
            kind: [item.repaired for item in self.findings if item.kind is kind]
            for kind in FindingKind
        }
        return tuple(
            FindingCount(kind=kind, found=len(found), repaired=sum(found))
            for kind, found in by_kind.items()
            if found
        )

    def raise_if_a_person_is_needed(self) -> None:
        """So that a schedule's run fails visibly.

        Raises:
            AuditFoundLossError: naming each such finding.
        """
        if self.for_a_person:
            raise AuditFoundLossError("\n".join(str(item) for item in self.for_a_person))

    def as_markdown(self) -> str:
        """A table for Dagster's page."""
        head = f"{self.assets_checked} assets and {self.objects_checked} objects checked"
        depth = "every byte hashed" if self.bytes_verified else "sizes and links only"
        if not self.findings:
            return f"{head} ({depth}): nothing found."
        rows = "\n".join(
            f"| {item.kind.value} | {item.subject} | {item.what} | "
            f"{'repaired' if item.repaired else item.cure} |"
            for item in self.findings
        )
        return f"{head} ({depth}).\n\n| kind | subject | what | |\n|---|---|---|---|\n{rows}"
