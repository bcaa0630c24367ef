"""The ledger as one object: the registry in which everything that exists has its document."""

from __future__ import annotations

from libs.ledger.audits import AuditLog
from libs.ledger.level import Level
from libs.ledger.migrations import level
from libs.ledger.queries import Queries
from libs.ledger.recovery import Recovery
from libs.ledger.reviving import Reviving
from libs.ledger.watching import Watching
from libs.settings import LedgerSettings


class Ledger(Reviving, Recovery, AuditLog, Queries, Watching):
    """The commit protocol, the logs, recovery, restores and queries over one database."""

    @classmethod
    def connect(cls, settings: LedgerSettings) -> Ledger:
        """A ledger that connects when it is first used; raise `ConfigError` for bad settings."""
        return cls(settings)

    def migrate(self) -> tuple[str, ...]:
        """Bring the database to this release's shape; returns the migrations applied now.

        Raises `LedgerRestoringError` while a restore goes on, which does this at its end.
        """
        self.require_whole()
        return self.bring_up_to_date()

    def level(self) -> Level:
        """Which migrations the database has had, and which are due."""
        return level(self.database)

    def require_current(self) -> None:
        """Raise `NewerLedgerError` or `OlderLedgerError` unless it has this release's shape."""
        self.level().require_current()

    def require_ready(self) -> None:
        """See that it is whole and of this release's shape; raises as the two that it asks."""
        self.require_whole()
        self.require_current()

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
