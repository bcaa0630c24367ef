"""What the looks found, as Prometheus metrics; asks no server. docs/operations.md lists them all.

Labels are words from short fixed lists: never a batch, dataset, user or file.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from libs.models import AssetKind, AuditRecord, BatchState, FindingKind, RunState
from libs.monitor.dagster_look import DagsterLook
from libs.monitor.looks import DiskLook, LedgerLook, LedgerNumbers, VaultLook
from libs.monitor.totals import STAGE_BOUNDS_S, StageTimes, Sums
from libs.monitor.watch import Verdict, Watch

P = "spatial_etl_"
_DEPTHS = {False: "sizes", True: "bytes"}
_ENDED = tuple(state for state in RunState if state is not RunState.RUNNING)


@dataclass(frozen=True)
class Metrics(Collector):
    """Reads what was found last; of what is not known, it says nothing."""

    watch: Watch
    ledger: LedgerLook
    vault: VaultLook
    dagster: DagsterLook
    disk: DiskLook | None
    version: str

    def collect(self) -> Iterator[Metric]:
        """Every metric that is known now."""
        yield _gauge("build_info", "The release of the watcher.", {(self.version,): 1}, "version")
        yield from _servers(self.watch.verdicts)
        numbers = self.ledger.found
        if numbers is not None:
            yield from _ledger(numbers)
        yield from self._waiting()
        if self.dagster.queue is not None:
            queue = {(state,): count for state, count in self.dagster.queue.items()}
            yield _gauge("queue_runs", "Runs that Dagster has queued or at work.", queue, "state")
        yield from self._disk()

    def _waiting(self) -> Iterator[Metric]:
        found = self.vault.found
        if found is None:
            return
        age = 0.0 if found.oldest is None else max(0.0, time.time() - found.oldest)
        yield _gauge("manifests_waiting", "Manifests without a final answer.", {(): found.count})
        text = "How long ago the oldest of them was uploaded; 0: none waits."
        yield _gauge("oldest_manifest_age_seconds", text, {(): age})

    def _disk(self) -> Iterator[Metric]:
        if self.disk is None or self.disk.free_bytes is None or self.disk.size_bytes is None:
            return
        free, size = self.disk.free_bytes, self.disk.size_bytes
        yield _gauge("work_disk_free_bytes", "Room on the disk of the runs' folder.", {(): free})
        yield _gauge("work_disk_size_bytes", "Size of the disk of the runs' folder.", {(): size})


LabelsT = TypeVar("LabelsT", bound=tuple[str, ...])


def _gauge(name: str, text: str, samples: Mapping[LabelsT, float], *labels: str) -> Metric:
    family = GaugeMetricFamily(P + name, text, labels=labels)
    return _filled(family, samples)


def _counter(name: str, text: str, samples: Mapping[LabelsT, float], *labels: str) -> Metric:
    return _filled(CounterMetricFamily(P + name, text, labels=labels), samples)


def _filled(
    family: GaugeMetricFamily | CounterMetricFamily, samples: Mapping[LabelsT, float]
) -> Metric:
    for values, number in samples.items():
        family.add_metric(values, number)
    return family


def _servers(verdicts: Iterable[Verdict]) -> Iterator[Metric]:
    all_of = {(one.server,): one for one in verdicts}
    up = {key: float(one.problem is None) for key, one in all_of.items()}
    yield _gauge("server_up", "1: the server answered at the last look.", up, "server")
    at = {key: one.at for key, one in all_of.items()}
    yield _gauge("server_look_timestamp_seconds", "When the last look ended.", at, "server")
    took = {key: one.seconds for key, one in all_of.items()}
    yield _gauge("server_look_seconds", "How long the last look took.", took, "server")


def _ledger(numbers: LedgerNumbers) -> Iterator[Metric]:
    open_ = {(state.value,): count for state, count in numbers.open_batches.items()}
    text = "Batches that are in this state now, none of which is final; counted up to 10000."
    yield _gauge("open_batches", text, open_, "state")
    text = "Runs that the ledger calls running, and that have kept no lease for a while."
    yield _gauge("silent_runs", text, {(): numbers.silent_runs})
    if numbers.totals is not None:
        yield from _totals(numbers.totals)
    yield from _audits(numbers.audits)


def _totals(sums: Sums) -> Iterator[Metric]:
    final = {(it.value,): sums.batches[it] for it in BatchState if it.is_final}
    yield _counter("batches", "Batches by their final outcome.", final, "outcome")
    ended = {(it.value,): sums.runs[it] for it in _ENDED}
    yield _counter("runs", "Runs by how they ended; a batch may take several.", ended, "outcome")
    kinds = (
        ("assets", "Assets committed to the lake.", sums.assets),
        ("input_bytes", "Bytes of the files that committed assets were made of.", sums.bytes_in),
        ("output_bytes", "Bytes of committed assets in the lake.", sums.bytes_out),
    )
    for name, text, counts in kinds:
        yield _counter(name, text, {(kind.value,): counts[kind] for kind in AssetKind}, "kind")
    text = "How long the stages of runs took that they finished."
    stages = HistogramMetricFamily(P + "stage_seconds", text, labels=["stage"])
    for stage, times in sums.stages.items():
        stages.add_metric([stage.value], _buckets(times), times.sum_s)
    yield stages


def _buckets(times: StageTimes) -> list[tuple[str, float]]:
    bounds = (*map(str, STAGE_BOUNDS_S), "+Inf")
    return [(bound, sum(times.counts[: index + 1])) for index, bound in enumerate(bounds)]


def _audits(audits: Iterable[AuditRecord]) -> Iterator[Metric]:
    by_depth = {_DEPTHS[audit.bytes_verified]: audit for audit in audits}
    found = {
        (kind.value, str(kind.needs_a_person).lower(), depth): _count(audit, kind)
        for depth, audit in by_depth.items()
        for kind in FindingKind
    }
    text = "Findings of the last audit of this depth that it did not mend."
    yield _gauge("audit_findings", text, found, "kind", "needs_a_person", "depth")
    at = {(depth,): audit.ended_at.timestamp() for depth, audit in by_depth.items()}
    yield _gauge("audit_timestamp_seconds", "When the last audit ended.", at, "depth")
    took = {(depth,): audit.seconds for depth, audit in by_depth.items()}
    yield _gauge("audit_seconds", "How long the last audit took.", took, "depth")
    assets = {(depth,): float(audit.assets_checked) for depth, audit in by_depth.items()}
    yield _gauge("audit_assets", "Committed assets that it looked at.", assets, "depth")


def _count(audit: AuditRecord, kind: FindingKind) -> float:
    return sum(item.found - item.repaired for item in audit.findings if item.kind is kind)
