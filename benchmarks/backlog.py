"""Many small manifests dropped at once: are all committed, how fast, and is the page usable?"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import httpx

from benchmarks.dagster_page import Page
from benchmarks.figures import Figure, Outcome
from benchmarks.latency import small_source
from benchmarks.stack import BenchStack
from libs.ingest import Platform

GOAL_PER_MINUTE = 25
SECONDS_EACH = 60
"""Patience for each of them, on a machine that is busy with other things."""
LOOK_EVERY_S = 1.0
UPLOADERS = 8


def run(stack: BenchStack, folder: Path, manifests: int) -> Outcome:
    """Drop them, look at the page until the last answer."""
    source, user = small_source(folder), stack.user
    with ThreadPoolExecutor(UPLOADERS) as pool:
        prepared = list(pool.map(lambda _: user.upload(source), range(manifests)))
        with _visitor(Page(stack.settings.etl.dagster_url)) as looks:
            dropped = time.time()
            list(pool.map(lambda it: user.put_manifest(*it), prepared))
            answers = user.answers([key for key, _ in prepared], manifests * SECONDS_EACH)
    ends = sorted(_ends(stack, [key for key, _ in prepared], dropped))
    minutes = ends[-1] / 60 if ends else float("inf")
    committed = sum(answer["outcome"] == "committed" for answer in answers)
    return Outcome(
        figures=(
            Figure("dropped at once", manifests, "manifests"),
            Figure("committed", committed, "manifests", at_least=manifests),
            Figure("committed a minute", committed / minutes, "", at_least=GOAL_PER_MINUTE),
            Figure("the page meanwhile, median", median(looks), "s"),
            Figure("the page meanwhile, worst", max(looks), "s"),
        ),
        raw={"ends_s": ends, "page_s": looks},
        bars={f"{round(share * 100)} % committed": {"s": ends[int(share * len(ends)) - 1]}
              for share in (0.25, 0.5, 0.75, 1.0) if int(share * len(ends))},
        axis="seconds after they were dropped",
    )  # fmt: skip


def _ends(stack: BenchStack, keys: list[str], dropped: float) -> Iterator[float]:
    """When each was committed, in seconds after the drop, by the ledger."""
    with Platform.connect(stack.settings) as platform:
        for key in keys:
            for batch in platform.ledger.find_batches(Path(key).stem):
                if batch.state == "committed" and batch.ended_at is not None:
                    yield batch.ended_at.timestamp() - dropped


@contextmanager
def _visitor(page: Page) -> Iterator[list[float]]:
    """Somebody who looks at the page once a second; yields what each look took."""
    looks, done = [page.look()], threading.Event()

    def look_on() -> None:
        while not done.wait(LOOK_EVERY_S):
            try:
                looks.append(page.look())
            except httpx.HTTPError:
                looks.append(float("inf"))

    visitor = threading.Thread(target=look_on, daemon=True)
    visitor.start()
    try:
        yield looks
    finally:
        done.set()
        visitor.join()
