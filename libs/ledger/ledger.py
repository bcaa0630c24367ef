"""The ledger as one object: the registry in which everything that exists has its document."""

from __future__ import annotations

from libs.ledger.audits import AuditLog
from libs.ledger.commit import CommitProtocol
from libs.ledger.migrations import migrate
from libs.ledger.queries import Queries
from libs.ledger.recovery import Recovery
from libs.ledger.watching import Watching
from libs.settings import LedgerSettings


class Ledger(CommitProtocol, Recovery, AuditLog, Queries, Watching):
    """The commit protocol, the logs of runs and audits, recovery and queries over one database."""

    @classmethod
    def connect(cls, settings: LedgerSettings) -> Ledger:
        """A ledger that connects when it is first used; raise `ConfigError` for bad settings."""
        return cls(settings)

    def migrate(self) -> tuple[str, ...]:
        """Bring the database to this release's shape; returns the migrations applied now."""
        return migrate(self.database)

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
