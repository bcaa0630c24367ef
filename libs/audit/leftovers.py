"""What runs that are over have left: reservations, schemas, folders, batches without an answer.

A run that ends well has no lease from its commit on, and takes its things away just after. So
nothing counts as left over that has not been there on two looks, a second apart.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from libs.audit.report import Finding
from libs.errors import InputError, OperatorError
from libs.ingest import Platform, settle
from libs.ingest.workspace import remaining_runs, remove_run_folder
from libs.models import Asset, Batch, FindingKind, RunSchema

logger = logging.getLogger(__name__)

SECOND_LOOK_S = 1.0

T = TypeVar("T")


@dataclass(frozen=True)
class Leftover(Generic[T]):
    """One kind of thing that may be left: how it is found, told and taken away."""

    kind: FindingKind
    look: Callable[[Platform], Mapping[str, T]]
    """All that are there now, by a key that is the same on the next look."""
    subject: Callable[[str, T], str]
    what: str
    cure: str
    mend: Callable[[Platform, T], bool]
    """False: a run has taken it up meanwhile."""

    def findings(
        self, platform: Platform, seen: frozenset[str], *, repair: bool
    ) -> Iterator[Finding]:
        """Those that were `seen` before and are there still."""
        for key, item in (self.look(platform) if seen else {}).items():
            if key not in seen:
                continue
            finding = Finding(
                kind=self.kind,
                subject=self.subject(key, item),
                what=self.what,
                cure=f"spatial-etl audit --repair {self.cure}",
            )
            if not repair:
                yield finding
            elif (done := self._mended(platform, item, finding)) is not None:
                yield done

    def _mended(self, platform: Platform, item: T, finding: Finding) -> Finding | None:
        """What became of one; one that cannot be mended does not keep the others from it."""
        try:
            is_mended = self.mend(platform, item)
        except (InputError, OperatorError) as error:
            logger.warning("%s could not be mended", finding.subject, exc_info=error)
            return finding.model_copy(update={"what": f"{self.what} It cannot be mended: {error}"})
        return finding.model_copy(update={"repaired": True}) if is_mended else None


def find_leftovers(platform: Platform, *, repair: bool) -> Iterator[Finding]:
    """Everything that runs have left, mended when told to."""
    return _find(platform, LEFTOVERS, repair=repair)


def sweep_machine(platform: Platform) -> tuple[Finding, ...]:
    """Take away what dead runs have left in places that may be this machine's own."""
    return tuple(_find(platform, ON_THE_MACHINE, repair=True))


def _find(
    platform: Platform, leftovers: Sequence[AnyLeftover], *, repair: bool
) -> Iterator[Finding]:
    seen = [frozenset(leftover.look(platform)) for leftover in leftovers]
    if any(seen):
        time.sleep(SECOND_LOOK_S)
    for leftover, before in zip(leftovers, seen, strict=True):
        yield from leftover.findings(platform, before, repair=repair)


def alive(platform: Platform) -> set[str]:
    """The 32 digits of each run that holds a lease now, by the ledger's clock."""
    return {digits_of(run_id) for run_id in platform.ledger.live_run_ids()}


def digits_of(run_id: str) -> str:
    """A run's id as schemas and folders are named after it."""
    return run_id.replace("-", "")


def _of_dead_runs(
    platform: Platform, found: Mapping[str, T], digits: Callable[[T], str]
) -> dict[str, T]:
    # Asked after the listing, so that a run that began meanwhile is known.
    living = alive(platform) if found else set()
    return {key: item for key, item in found.items() if digits(item) not in living}


def _pending(platform: Platform) -> dict[str, Asset]:
    found = {asset.id: asset for asset in platform.ledger.pending_assets()}
    return _of_dead_runs(platform, found, lambda asset: digits_of(asset.run_id))


def _give_back(platform: Platform, asset: Asset) -> bool:
    if not platform.ledger.delete_pending(asset.id):
        return False
    platform.vault.remove(asset.s3_bucket, asset.s3_key)
    platform.vault.abort_incomplete_uploads(
        asset.s3_bucket, lambda _key, _begun: True, prefix=asset.s3_key
    )
    return True


def _schemas(platform: Platform) -> dict[str, str]:
    named = {name: RunSchema.run_digits(name) for name in platform.compute.run_schemas()}
    return _of_dead_runs(platform, {name: digits for name, digits in named.items() if digits}, str)


def _drop(platform: Platform, digits: str) -> bool:
    platform.compute.drop_run_schemas(digits)
    return True


def _folders(platform: Platform) -> dict[str, str]:
    found = {digits: digits for digits in remaining_runs(platform.limits)}
    return _of_dead_runs(platform, found, str)


def _remove(platform: Platform, digits: str) -> bool:
    remove_run_folder(platform.limits, digits)
    return True


def _unsettled(platform: Platform) -> dict[str, Batch]:
    return {batch.id: batch for batch in platform.ledger.unsettled(limit=10_000)}


def _settle(platform: Platform, batch: Batch) -> bool:
    settle(platform, batch)
    return True


AnyLeftover = Leftover[Asset] | Leftover[str] | Leftover[Batch]

ON_THE_MACHINE: tuple[AnyLeftover, ...] = (
    Leftover(
        kind=FindingKind.ORPHAN_SCHEMA,
        look=_schemas,
        subject=lambda name, _digits: name,
        what="is left in PostGIS by a run that is over.",
        cure="drops it.",
        mend=_drop,
    ),
    Leftover(
        kind=FindingKind.ORPHAN_FOLDER,
        look=_folders,
        subject=lambda digits, _digits: f"run-{digits}",
        what="is left in the work folder by a run that is over.",
        cure="removes it.",
        mend=_remove,
    ),
)

LEFTOVERS: tuple[AnyLeftover, ...] = (
    Leftover(
        kind=FindingKind.PENDING_ASSET,
        look=_pending,
        subject=lambda key, asset: f"{asset.dataset_id} v{asset.version} ({key})",
        what="was reserved by a run that is over, and never committed.",
        cure="removes it.",
        mend=_give_back,
    ),
    *ON_THE_MACHINE,
    Leftover(
        kind=FindingKind.UNSETTLED_BATCH,
        look=_unsettled,
        subject=lambda key, batch: f"{batch.batch_id} ({key[:12]})",
        what="has ended, but its receipt is not written.",
        cure="writes it and moves the manifest.",
        mend=_settle,
    ),
)
