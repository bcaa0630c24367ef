"""Which numbered changes a ledger has had, and whether this release may work with it; only reads.

The documents are read raw: a newer release may have given them a shape that no model here knows.
"""

from __future__ import annotations

from collections.abc import Sequence

from pymongo.database import Database

from libs.ledger.codec import BsonDocument
from libs.ledger.errors import NewerLedgerError, OlderLedgerError, ledger_errors
from libs.models import Frozen
from libs.models.base import Moment


class AppliedStep(Frozen):
    """One numbered change that a ledger has had."""

    id: str
    applied_at: Moment
    release: str | None
    """Which release applied it; None: it was not recorded, as in the first shape."""


class Level(Frozen):
    """What a ledger has had, next to what this release knows."""

    release: str
    """This release."""
    applied: tuple[AppliedStep, ...]
    due: tuple[str, ...]
    unknown: tuple[str, ...]
    """Applied, and not known here: a newer release has been at work."""

    @classmethod
    def read(cls, database: Database[BsonDocument], known: Sequence[str], release: str) -> Level:
        """Ask the ledger."""
        with ledger_errors("collection migrations"):
            found = list(database["migrations"].find({}, sort=[("_id", 1)]))
        applied = tuple(
            AppliedStep(id=str(it["_id"]), applied_at=it["applied_at"], release=it.get("release"))
            for it in found
        )
        ids = [step.id for step in applied]
        return cls(
            release=release,
            applied=applied,
            due=tuple(step for step in known if step not in ids),
            unknown=tuple(step for step in ids if step not in known),
        )

    def refuse_newer(self) -> None:
        """Raise `NewerLedgerError` when this release must not touch the ledger."""
        if self.unknown:
            newer = {step.release for step in self.applied if step.id in self.unknown}
            releases = sorted(release for release in newer if release)
            raise NewerLedgerError(self.unknown, releases, self.release)

    def require_current(self) -> None:
        """Raise `NewerLedgerError` or `OlderLedgerError` unless both are of one level."""
        self.refuse_newer()
        if self.due:
            raise OlderLedgerError([step.id for step in self.applied], self.due, self.release)
