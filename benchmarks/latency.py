"""Small manifests one after the other: from the manifest's upload to the committed asset.

And the same again over a bucket with a long history, which must not slow the sensor.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from benchmarks.dagster_page import Page
from benchmarks.figures import Figure, Outcome, percentile
from benchmarks.stack import BenchStack
from benchmarks.user import Source
from benchmarks.vector_data import CRS, write_features
from libs.ingest import Platform, waiting_manifests
from libs.vault import Vault

P50_GOAL_S, P95_GOAL_S = 6.0, 9.0
ANSWER_WITHIN_S = 300
LOOKS = 20
WRITERS = 8


@dataclass(frozen=True)
class Timed:
    """Where the seconds of one manifest went; each part begins where the one before ends."""

    tick: float
    """From the upload until the sensor has requested a run."""
    queue: float
    """Until the queue lets it go."""
    launch: float
    """Until the run's process has told the ledger that it began."""
    work: float
    """Until the ledger calls the batch committed."""
    answer: float
    """Until the user finds the receipt; not a part of what is measured as latency."""
    stages: dict[str, float]
    """The seconds of each stage of the work, as the ledger's run has them."""

    @property
    def seconds(self) -> float:
        return self.tick + self.queue + self.launch + self.work


def small_source(folder: Path) -> Source:
    """Fifty points."""
    path = write_features(folder / "points-50.gpkg", "points", 50)
    return Source(path, "GPKG", "vector", CRS, "ingest_vector")


def run(stack: BenchStack, folder: Path, manifests: int, old_manifests: int) -> Outcome:
    """Time them with an empty `manifests/done/`, then with that many old ones in it."""
    source = small_source(folder)
    with Platform.connect(stack.settings) as platform:
        list(_timed(stack, platform, source, 1))  # the first run of a stack warms it
        before = list(_timed(stack, platform, source, manifests))
        look_before = _look_s(platform)
        _write_old(stack, old_manifests)
        after = list(_timed(stack, platform, source, manifests))
        look_after = _look_s(platform)
    old = f"with {old_manifests:,} old manifests"
    return Outcome(
        figures=(
            *_figures("manifest to committed asset", before),
            *_figures(f"the same {old}", after),
            Figure("a look of the sensor into the bucket", 1000 * look_before, "ms"),
            Figure(f"the same {old}", 1000 * look_after, "ms"),
        ),
        raw={"before": [asdict(it) for it in before], "after": [asdict(it) for it in after],
             "old_manifests": old_manifests},
        bars={"no old manifests": _parts(before), old: _parts(after)},
        axis="seconds, the median of each part",
    )  # fmt: skip


def _figures(what: str, timed: list[Timed]) -> tuple[Figure, Figure]:
    seconds = [it.seconds for it in timed]
    return (
        Figure(f"{what}, p50", percentile(seconds, 0.5), "s", at_most=P50_GOAL_S),
        Figure(f"{what}, p95", percentile(seconds, 0.95), "s", at_most=P95_GOAL_S),
    )


def _parts(timed: list[Timed]) -> dict[str, float]:
    names = ("tick", "queue", "launch", "work", "answer")
    return {name: median(getattr(it, name) for it in timed) for name in names}


def _timed(stack: BenchStack, platform: Platform, source: Source, count: int) -> Iterator[Timed]:
    user, page = stack.user, Page(stack.settings.etl.dagster_url)
    for _ in range(count):
        key, body = user.upload(source)
        uploaded = time.time()
        user.put_manifest(key, body)
        user.answer(key, ANSWER_WITHIN_S)
        answered = time.time()
        [batch] = platform.ledger.find_batches(Path(key).stem)
        run = platform.ledger.run_of_batch(batch.id)
        if run is None or batch.ended_at is None or batch.state != "committed":
            raise RuntimeError(f"{key} ended as {batch.state.value}")
        times = page.run_times(run.id)
        begun, committed = run.started_at.timestamp(), batch.ended_at.timestamp()
        timed = Timed(
            tick=times.enqueued - uploaded,
            queue=times.launched - times.enqueued,
            launch=begun - times.launched,
            work=committed - begun,
            answer=answered - committed,
            stages={it.stage.value: it.seconds for it in run.stages if it.seconds is not None},
        )
        print(f"small manifest: {timed.seconds:.1f} s", flush=True)
        yield timed


def _look_s(platform: Platform) -> float:
    """The median of what the sensor does twice a second."""
    taken = []
    for _ in range(LOOKS):
        started = time.monotonic()
        waiting_manifests(platform)
        taken.append(time.monotonic() - started)
    return median(taken)


def _write_old(stack: BenchStack, count: int) -> None:
    """As the pipeline leaves them: users may not write there."""
    vault, bucket = Vault.connect(stack.settings.vault), stack.settings.vault.landing_bucket

    def write(number: int) -> None:
        vault.put_bytes(
            bucket, f"manifests/done/old-{number:06}.json", b"{}", content_type="application/json"
        )

    with ThreadPoolExecutor(WRITERS) as pool:
        for _ in pool.map(write, range(count)):
            pass
