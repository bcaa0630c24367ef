"""Follows batches from the manifest's upload to their end: what is new, in order, until all ended.

Where the settings name no ledger, the bucket alone tells: the manifest is gone and the receipt is
there. Showing what is found is the caller's business.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

from libs.cli.errors import WaitTimeoutError
from libs.cli.manifest_maker import Submission
from libs.cli.queries import Registry
from libs.cli.uploading import LandingZone
from libs.errors import TransientError
from libs.models import Batch, BatchState, ManifestUpload, Receipt, Run, StageRecord

LOOK_EVERY_S = 0.25


@dataclass(frozen=True)
class Before:
    """What the ledger knew of a batch's name before its manifest was uploaded."""

    batches: dict[str, Batch]
    run_ids: frozenset[str]

    @classmethod
    def of(cls, registry: Registry, batch_id: str) -> Before:
        """Ask the ledger."""
        batches = {batch.id: batch for batch in registry.ledger.find_batches(batch_id)}
        runs = (registry.ledger.run_of_batch(fingerprint) for fingerprint in batches)
        return cls(batches, frozenset(run.id for run in runs if run is not None))

    def knew_the_end_of(self, batch: Batch) -> bool:
        """True when this very submission had ended before."""
        known = self.batches.get(batch.id)
        return known is not None and known.state.is_final

    def has_seen_this_try(self, batch: Batch) -> bool:
        """True when no run has claimed the batch since: what it says is of an earlier try."""
        known = self.batches.get(batch.id)
        return known is not None and known.fence == batch.fence


class Listener(Protocol):
    """Is told what happens to a batch, each thing once."""

    def stage_began(self, name: str, stage: str) -> None: ...

    def stage_ended(self, name: str, record: StageRecord) -> None: ...

    def run_began(self, name: str, run: Run) -> None: ...

    def batch_ended(self, name: str, batch: Batch, *, already_done: bool) -> None: ...


@dataclass
class Followed:
    """One batch that is waited for."""

    name: str
    upload: ManifestUpload
    before: Before
    batch: Batch | None = None
    ended_at: float = 0.0
    """On the monotonic clock."""
    _run_id: str | None = None
    _begun: set[str] = field(default_factory=set)
    _ended: set[str] = field(default_factory=set)

    def look(self, registry: Registry, listener: Listener) -> bool:
        """Tell the listener what is new; True when the batch has ended and is answered."""
        batch = registry.ledger.batch_of_upload(self.upload)
        if batch is None:
            return False
        # The batch is read before the run, so that the run's last stages are never missed.
        run = registry.ledger.run_of_batch(batch.id)
        if run is not None and run.id not in self.before.run_ids:
            self._tell(run, listener)
        if not self._is_over(batch):
            self.batch = batch
            return False
        self.batch, self.ended_at = batch, time.monotonic()
        listener.batch_ended(self.name, batch, already_done=self.already_done)
        return True

    @property
    def already_done(self) -> bool:
        """True when this very submission had ended before."""
        return self.batch is not None and self.before.knew_the_end_of(self.batch)

    def _tell(self, run: Run, listener: Listener) -> None:
        if run.id != self._run_id:
            self._run_id = run.id
            self._begun.clear()
            self._ended.clear()
            listener.run_began(self.name, run)
        for record in run.stages:
            stage = record.stage.value
            if stage not in self._begun:
                self._begun.add(stage)
                listener.stage_began(self.name, stage)
            if record.seconds is not None and stage not in self._ended:
                self._ended.add(stage)
                listener.stage_ended(self.name, record)

    def _is_over(self, batch: Batch) -> bool:
        if batch.state.is_final:
            return batch.settled_at is not None
        stopped = batch.state in (BatchState.FAILED, BatchState.CANCELLED)
        return stopped and not self.before.has_seen_this_try(batch)


def follow(
    followed: list[Followed], registry: Registry, listener: Listener, timeout_s: float
) -> None:
    """Wait until every batch has ended. A server that is away for a moment is asked again.

    Raises:
        WaitTimeoutError: one had not ended in time.
        TransientError: a server stayed away for the whole time.
    """
    deadline = time.monotonic() + timeout_s
    waiting = list(followed)
    while True:
        failure: TransientError | None = None
        try:
            for item in list(waiting):
                if item.look(registry, listener):
                    waiting.remove(item)
        except TransientError as error:
            failure = error
        if not waiting:
            return
        if time.monotonic() >= deadline:
            if failure is not None:
                raise failure
            raise WaitTimeoutError(waiting[0].name, timeout_s, waiting[0].batch is not None)
        time.sleep(LOOK_EVERY_S)


def follow_in_the_bucket(
    landing: LandingZone, submission: Submission, upload: ManifestUpload, timeout_s: float
) -> Receipt:
    """Wait for the receipt with nothing but the bucket; also for that of a try that failed.

    Raises:
        WaitTimeoutError: there was none in the end.
    """
    deadline = time.monotonic() + timeout_s
    sha256 = hashlib.sha256(submission.body).hexdigest()
    while True:
        receipts = _receipts_since(landing, upload)
        ours = [item for item in receipts if item.manifest_sha256 == sha256]
        if ours:
            return max(ours, key=lambda item: item.ended_at or item.received_at)
        if time.monotonic() >= deadline:
            raise WaitTimeoutError(submission.manifest.batch_id, timeout_s, taken_up=None)
        time.sleep(LOOK_EVERY_S)


def _receipts_since(landing: LandingZone, upload: ManifestUpload) -> list[Receipt]:
    """The final ones once the manifest is gone; before, that of a try that failed since."""
    is_answered = landing.vault.stat(landing.bucket, upload.key) is None
    found = [
        landing.receipt_at(key, since=None if is_answered else upload.last_modified)
        for key in _receipt_keys(upload.key, ("done", "rejected") if is_answered else ("failed",))
    ]
    return [receipt for receipt in found if receipt is not None]


def _receipt_keys(manifest_key: str, ends: Iterable[str]) -> Iterator[str]:
    folder, _, name = manifest_key.rpartition("/")
    for end in ends:
        yield f"{folder}/{end}/{name.removesuffix('.json')}.receipt.json"
