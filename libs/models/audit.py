"""The audit as the ledger remembers it: what was looked at, and how many findings of each kind."""

from __future__ import annotations

from enum import Enum

from pydantic import Field

from libs.models.base import Document, Frozen, Moment, Seconds


class FindingKind(str, Enum):
    """One word for each promise that can be found broken."""

    DEAD_RUN = "dead_run"
    PENDING_ASSET = "pending_asset"
    ORPHAN_OBJECT = "orphan_object"
    ORPHAN_SCHEMA = "orphan_schema"
    ORPHAN_FOLDER = "orphan_folder"
    FOREIGN_OBJECT = "foreign_object"
    INCOMPLETE_UPLOAD = "incomplete_upload"
    UNSETTLED_BATCH = "unsettled_batch"
    MISSING_OBJECT = "missing_object"
    ALTERED_OBJECT = "altered_object"

    @property
    def needs_a_person(self) -> bool:
        """True for what no machine may mend: data is gone or changed, or of unknown origin."""
        return self in (
            FindingKind.MISSING_OBJECT,
            FindingKind.ALTERED_OBJECT,
            FindingKind.FOREIGN_OBJECT,
        )


class FindingCount(Frozen):
    """How many findings of one kind an audit had."""

    kind: FindingKind
    found: int = Field(ge=1)
    repaired: int = Field(ge=0)


class AuditRecord(Document):
    """A document of the `audits` collection: one audit that went through to its end."""

    id: str = Field(alias="_id", pattern=r"^[0-9a-f]{32}$")
    ended_at: Moment
    seconds: Seconds
    repair: bool
    """True: what a machine may mend was mended."""
    bytes_verified: bool
    """True: every object was read and hashed; False: size and links only."""
    assets_checked: int = Field(ge=0)
    objects_checked: int = Field(ge=0)
    findings: tuple[FindingCount, ...] = ()
    """One entry for each kind that was found."""
