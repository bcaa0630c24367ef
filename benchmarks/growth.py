"""What a run's ledger calls and each listing cost with 10 assets in the ledger, and with 10,000.

For each question that readers can put, the server says how it finds the answer: by which index, and
how many documents it looks at. Those that it answers from no index are counted.
"""

from __future__ import annotations

import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from benchmarks.explaining import plans_of
from benchmarks.figures import Figure, Outcome
from benchmarks.growth_data import Template, copy_of, fill
from benchmarks.latency import small_source
from benchmarks.stack import BenchStack
from libs.ingest import Platform, run_upload
from libs.ledger import Ledger
from libs.models import AssetDraft, BatchState, RunState, Stage
from libs.settings import LedgerSettings

FEW = 10
AT_MOST_TIMES = 2.0
"""What a call may cost in the large ledger, as a multiple of the small one's."""


@dataclass(frozen=True)
class Cost:
    """One call, in seconds, the median of all turns."""

    call: str
    few: float
    many: float


def run(stack: BenchStack, folder: Path, assets: int, turns: int) -> Outcome:
    """Make two ledgers, put each question to both in turn, and ask the large one for its plans."""
    template = _template(stack, folder)
    few_settings, many_settings = (_named(stack, f"growth_{n}") for n in ("few", "many"))
    with _ledger(few_settings, template, FEW) as few, _ledger(
        many_settings, template, assets
    ) as many:  # fmt: skip
        costs = list(_costs(few, many, template, turns))
        plans = plans_of(many_settings, lambda ledger: _ask_all(ledger, template))
    without_index = [it for it in plans if it.reads_all]
    worst = max(costs, key=lambda it: it.many / it.few)
    a_run = next(it for it in costs if it.call == "a whole run")
    return Outcome(
        figures=(
            Figure(f"ledger calls of a run, {FEW} assets", 1000 * a_run.few, "ms"),
            Figure(f"the same, {assets:,} assets", 1000 * a_run.many, "ms"),
            Figure("the same, as a multiple", a_run.many / a_run.few, "×", at_most=AT_MOST_TIMES),
            Figure(f"the worst listing ({worst.call}), as a multiple", worst.many / worst.few, "×",
                   at_most=AT_MOST_TIMES),
            Figure("questions that readers put", len(plans), ""),
            Figure("of them answered from no index", len(without_index), "", at_most=0),
        ),
        raw={"costs": [asdict(it) for it in costs], "plans": [asdict(it) for it in plans]},
        bars={it.call: {f"{assets:,} assets": it.many / it.few} for it in costs},
        axis=f"cost with {assets:,} assets, as a multiple of the cost with {FEW}",
    )  # fmt: skip


def _template(stack: BenchStack, folder: Path) -> Template:
    upload = stack.user.submit(small_source(folder))
    with Platform.connect(stack.settings) as platform:
        done = run_upload(platform, upload, str(uuid.uuid4()))
        return Template.of(platform.ledger, done.assets[0].asset.id)


def _named(stack: BenchStack, database: str) -> LedgerSettings:
    return stack.settings.ledger.model_copy(update={"database": database})


@contextmanager
def _ledger(settings: LedgerSettings, template: Template, assets: int) -> Iterator[Ledger]:
    with Ledger.connect(settings) as ledger:
        ledger.migrate()
        fill(ledger, template, assets)
        yield ledger


def _costs(few: Ledger, many: Ledger, template: Template, turns: int) -> Iterator[Cost]:
    seconds: dict[tuple[str, bool], list[float]] = defaultdict(list)
    for turn in range(turns):
        for name, call in _calls(template, turn).items():
            for is_many, ledger in ((False, few), (True, many)):
                started = time.perf_counter()
                call(ledger)
                seconds[name, is_many].append(time.perf_counter() - started)
    for name in _calls(template, 0):
        yield Cost(name, median(seconds[name, False]), median(seconds[name, True]))


def _calls(template: Template, turn: int) -> Mapping[str, Callable[[Ledger], object]]:
    """A run, and each listing; both ledgers have what they ask for."""
    return {"a whole run": lambda ledger: _one_run(ledger, template, turn), **_questions(template)}


def _questions(template: Template) -> Mapping[str, Callable[[Ledger], object]]:
    """Every question of `libs.ledger.queries` that is no walk through all there is."""
    known = copy_of(template, 3)
    batch, asset = known.batch, known.asset
    return {
        "batch": lambda it: it.batch(batch.id),
        "batch_of_upload": lambda it: it.batch_of_upload(batch.upload),
        "find_batches by name": lambda it: it.find_batches("growth-3"),
        "find_batches by fingerprint": lambda it: it.find_batches(batch.id[:12]),
        "recent_batches": lambda it: it.recent_batches(5),
        "asset": lambda it: it.asset(asset.id),
        "current_assets": lambda it: it.current_assets(limit=2),
        "current_assets of a project": lambda it: it.current_assets("GROWTH0", limit=2),
        "versions": lambda it: it.versions(asset.dataset_id),
        "assets_of_batch": lambda it: it.assets_of_batch(batch.id),
        "pending_assets": lambda it: list(it.pending_assets()),
        "asset_by_key": lambda it: it.asset_by_key(asset.s3_key),
        "asset_of_version": lambda it: it.asset_of_version(asset.dataset_id, 1),
        "dataset": lambda it: it.dataset(asset.dataset_id),
        "run_of_batch": lambda it: it.run_of_batch(batch.id),
        "recent_runs": lambda it: it.recent_runs(5),
    }


def _ask_all(ledger: Ledger, template: Template) -> None:
    for question in _questions(template).values():
        question(ledger)


def _one_run(ledger: Ledger, template: Template, turn: int) -> None:
    """Each call of a run that commits one file, in its order."""
    fresh = copy_of(template, 10_000_000 + turn)
    batch_id, run_id = fresh.batch.id, fresh.run.id
    received = {"state": BatchState.RECEIVED, "ended_at": None, "settled_at": None, "fence": 0}
    ledger.require_current()
    ledger.start_run(fresh.run.model_copy(update={"state": RunState.RUNNING, "stages": ()}))
    ledger.stage_started(run_id, Stage.RECEIVE)
    ledger.batch_of_upload(fresh.batch.upload)
    ledger.receive(fresh.batch.model_copy(update=received))
    fence = ledger.claim(batch_id, run_id, 60).fence
    ledger.update_files(batch_id, fence, fresh.batch.files)
    ledger.attach_batch(run_id, batch_id)
    ledger.stage_ended(run_id, Stage.RECEIVE, 0.1)
    for stage in (Stage.FETCH, Stage.LOAD, Stage.TRANSFORM, Stage.EJECT):
        ledger.renew(batch_id, fence, 60)
        ledger.stage_started(run_id, stage)
        ledger.stage_ended(run_id, stage, 0.1)
    fields = {name: getattr(fresh.asset, name) for name in AssetDraft.model_fields}
    assets = ledger.reserve(
        batch_id, fence, [AssetDraft.model_validate(fields)], lake_bucket="data-lake",
        metadata_of=lambda _draft, _version, _key: fresh.asset.metadata,
    )  # fmt: skip
    ledger.stage_started(run_id, Stage.COMMIT)
    ledger.commit(batch_id, fence, assets, fresh.batch.files)
    ledger.stage_ended(run_id, Stage.COMMIT, 0.1)
    ledger.end_run(run_id, RunState.COMMITTED, batch=batch_id)
    ledger.assets_of_batch(batch_id)
    ledger.run_of_batch(batch_id)
    ledger.settle(batch_id, fresh.batch.upload)
