"""One look at each server: does it answer, and what does it know that is worth watching?

Each look bounds its own time and keeps what it found until the next one; of a server that is away
nothing is kept, since old numbers would look like new ones. Dagster's is in `dagster_look`.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Protocol

from libs.errors import ConfigError, TransientError
from libs.ledger import Ledger
from libs.models import MANIFEST_PREFIX, AuditRecord, BatchState
from libs.monitor.totals import Sums, Totals
from libs.settings import ComputeSettings
from libs.vault import Vault

AT_MOST = 10_000
"""Nothing is counted further than this: more waiting manifests or failed batches are as bad."""
PAST_BUDGET_S = 10.0
"""How long one look may read the ledger's past, when the watcher is new."""

Problems = Mapping[str, str | None]
"""What is wrong with each server, in a few words without a secret; None: nothing."""


class Look(Protocol):
    """One kind of look; never at work twice at the same time."""

    @property
    def servers(self) -> tuple[str, ...]:
        """The servers that it tells something of."""

    def look(self) -> Problems:
        """Ask, and keep what was found; whatever it raises counts as a server that is away."""

    def forget(self) -> None:
        """The look failed: what was found before is not true any more."""


@dataclass(frozen=True)
class LedgerNumbers:
    """What the ledger knows now."""

    totals: Sums | None
    """None: its past is still being read."""
    open_batches: Mapping[BatchState, int]
    silent_runs: int
    audits: tuple[AuditRecord, ...]
    """The last one of each depth."""


class LedgerLook:
    """The ledger: totals, open batches, silent runs, the last audits."""

    servers = ("ledger",)

    def __init__(self, ledger: Ledger, silent_s: float) -> None:
        self._ledger = ledger
        self._silent_s = silent_s
        self._totals = Totals(ledger)
        self.found: LedgerNumbers | None = None

    def look(self) -> Problems:
        """See the class."""
        ledger = self._ledger
        audits = (ledger.last_audit(bytes_verified=depth) for depth in (False, True))
        self.found = LedgerNumbers(
            open_batches=ledger.open_batches(AT_MOST),
            silent_runs=ledger.silent_runs(self._silent_s),
            audits=tuple(audit for audit in audits if audit),
            totals=self._totals.look(PAST_BUDGET_S),
        )
        return {"ledger": None}

    def forget(self) -> None:
        """See `Look`."""
        self.found = None


@dataclass(frozen=True)
class Waiting:
    """The manifests that have no final answer yet."""

    count: int
    oldest: float | None
    """When it was uploaded, in seconds since 1970; None: none waits."""


class VaultLook:
    """The vault: what waits below `manifests/`. Archived ones are in folders, not listed here."""

    servers = ("vault",)

    def __init__(self, vault: Vault, landing_bucket: str) -> None:
        self._vault = vault
        self._bucket = landing_bucket
        self.found: Waiting | None = None

    def look(self) -> Problems:
        """See the class."""
        self._vault.check()
        listed = self._vault.list_objects(self._bucket, MANIFEST_PREFIX, recursive=False)
        uploaded = [
            item.last_modified.timestamp()
            for item in islice(listed, AT_MOST)
            if item.key.endswith(".json")
        ]
        self.found = Waiting(count=len(uploaded), oldest=min(uploaded, default=None))
        return {"vault": None}

    def forget(self) -> None:
        """See `Look`."""
        self.found = None


class ComputeLook:
    """PostGIS: one query on a connection of its own."""

    servers = ("compute",)

    def __init__(self, settings: ComputeSettings, timeout_s: float) -> None:
        self._settings = settings
        self._timeout_s = timeout_s

    def look(self) -> Problems:
        """See the class."""
        import psycopg

        settings = self._settings
        try:
            with psycopg.connect(
                host=settings.host,
                port=settings.port,
                dbname=settings.database,
                user=settings.user,
                password=settings.password.get_secret_value(),
                connect_timeout=max(2, int(self._timeout_s)),
                options=f"-c statement_timeout={int(self._timeout_s * 1000)}",
                application_name="spatial-etl watcher",
            ) as connection:
                connection.execute("SELECT 1")
        except psycopg.Error as error:
            said = str(error).strip().splitlines()
            raise TransientError(
                f"PostGIS does not answer: {said[-1] if said else error!r}"
            ) from None
        return {"compute": None}

    def forget(self) -> None:
        """Nothing is kept."""


class DiskLook:
    """The disk of the runs' scratch space, where the watcher can see it."""

    servers = ()

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.free_bytes: int | None = None
        self.size_bytes: int | None = None

    def look(self) -> Problems:
        """See the class."""
        try:
            usage = shutil.disk_usage(self._folder)
        except OSError as error:
            raise ConfigError(f"MONITOR_WORK_DIR: {self._folder}: {error.strerror}.") from None
        self.free_bytes, self.size_bytes = usage.free, usage.total
        return {}

    def forget(self) -> None:
        """See `Look`."""
        self.free_bytes = self.size_bytes = None
