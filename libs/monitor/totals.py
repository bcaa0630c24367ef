"""Running totals over all that ever ended: they only grow, and a restart finds the same again."""

from __future__ import annotations

import copy
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence

from libs.ledger import Ledger
from libs.ledger.watching import CommittedAsset, EndedBatch, EndedRun
from libs.models import AssetKind, BatchState, RunState, Stage
from libs.monitor.following import Following

STAGE_BOUNDS_S = (0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 1800.0, 7200.0, 21600.0)
"""Upper bounds of the histogram's buckets; the last one is the longest run by default."""


class StageTimes:
    """How long one stage took, as a histogram."""

    def __init__(self) -> None:
        self.counts = [0] * (len(STAGE_BOUNDS_S) + 1)
        """By bucket, the last one for all beyond; not cumulative."""
        self.sum_s = 0.0

    def add(self, seconds: float) -> None:
        """Count one."""
        self.counts[bisect_left(STAGE_BOUNDS_S, seconds)] += 1
        self.sum_s += seconds


class Sums:
    """Runs, batches, assets, bytes and stages since the ledger began."""

    def __init__(self) -> None:
        self.runs: Counter[RunState] = Counter()
        self.batches: Counter[BatchState] = Counter()
        self.assets: Counter[AssetKind] = Counter()
        self.bytes_in: Counter[AssetKind] = Counter()
        self.bytes_out: Counter[AssetKind] = Counter()
        self.stages = {stage: StageTimes() for stage in Stage}

    def add_runs(self, runs: Sequence[EndedRun]) -> None:
        """Count runs, and the stages that they finished."""
        for run in runs:
            self.runs[run.outcome] += 1
            for stage, seconds in run.stages:
                self.stages[stage].add(seconds)

    def add_batches(self, batches: Sequence[EndedBatch]) -> None:
        """Count batches that ended for good."""
        self.batches.update(batch.state for batch in batches if batch.state.is_final)

    def add_assets(self, assets: Sequence[CommittedAsset]) -> None:
        """Count assets, and their bytes."""
        for asset in assets:
            self.assets[asset.kind] += 1
            self.bytes_in[asset.kind] += asset.bytes_in
            self.bytes_out[asset.kind] += asset.bytes_out


class Totals:
    """The sums, kept up to date by following the ledger."""

    def __init__(self, ledger: Ledger) -> None:
        self._sums = Sums()
        self._runs = Following[EndedRun](ledger.runs_ended_since)
        self._batches = Following[EndedBatch](ledger.batches_ended_since)
        self._assets = Following[CommittedAsset](ledger.assets_committed_since)

    def look(self, budget_s: float) -> Sums | None:
        """Take in what has ended since the last look.

        None: a long past could not be read in this time, or not all of it yet; the next look goes
        on from there.
        """
        until = time.monotonic() + budget_s
        for pages in (self._new_runs(), self._new_batches(), self._new_assets()):
            for _ in pages:
                if time.monotonic() > until:
                    return None
        return copy.deepcopy(self._sums)

    def _new_runs(self) -> Iterator[None]:
        for page in self._runs.new():
            self._sums.add_runs(page)
            yield

    def _new_batches(self) -> Iterator[None]:
        for page in self._batches.new():
            self._sums.add_batches(page)
            yield

    def _new_assets(self) -> Iterator[None]:
        for page in self._assets.new():
            self._sums.add_assets(page)
            yield
