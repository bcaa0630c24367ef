"""The log of runs, and ending what died, on a real server."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from libs.ledger import Ledger, MissingDocumentError
from libs.models import Asset, Batch, BatchState, Run, RunState, Stage

pytestmark = pytest.mark.integration

Claimed = Callable[..., Batch]


@pytest.fixture
def run(ledger: Ledger, make: Any) -> Run:
    return ledger.start_run(
        Run(
            id=make.run_id(),
            manifest_key="manifests/$a.json",
            tool_versions={"gdal": "3.12", "py.thon": "$3"},
            started_at=make.long_ago,
        )
    )


def holder(batch: Batch) -> str:
    assert batch.lease is not None
    return batch.lease.run_id


def start(ledger: Ledger, make: Any, batch: Batch) -> Run:
    run_id = holder(batch)
    ledger.start_run(Run(id=run_id, manifest_key="m", started_at=make.long_ago))
    return ledger.attach_batch(run_id, batch.id)


def test_tools_that_a_run_takes_up_later_are_beside_those_it_began_with(
    ledger: Ledger, run: Run
) -> None:
    known = ledger.add_tools(run.id, {"PostGIS": "3.3", "a.$b": "$1", "gdal": "3.13"})
    wanted = {"gdal": "3.13", "py.thon": "$3", "PostGIS": "3.3", "a.$b": "$1"}
    assert known.tool_versions == wanted
    assert ledger.database["runs"].find_one({"_id": run.id})["tool_versions"] == wanted


def test_a_run_reads_back_through_its_model_at_every_moment(ledger: Ledger, run: Run) -> None:
    assert abs(run.started_at - ledger.server_now()) < timedelta(seconds=10)
    assert ledger.run(run.id) == run
    ledger.stage_started(run.id, Stage.FETCH)
    going = ledger.run(run.id)
    assert going is not None
    assert [(s.stage, s.seconds) for s in going.stages] == [(Stage.FETCH, None)]
    ledger.stage_ended(run.id, Stage.FETCH, 1, "$2 files")
    ledger.stage_started(run.id, Stage.LOAD)
    ended = ledger.end_run(run.id, RunState.FAILED, error="$error", batch="0" * 64)
    assert [(s.stage, s.seconds, s.detail) for s in ended.stages] == [
        (Stage.FETCH, 1.0, "$2 files"),
        (Stage.LOAD, None, ""),
    ]
    assert ended.stages[0].started_at == going.stages[0].started_at
    assert (ended.state, ended.error, ended.batch) == (RunState.FAILED, "$error", "0" * 64)
    assert ended.ended_at is not None
    assert ended == ledger.run(run.id) == ledger.run_of_batch("0" * 64)


def test_a_run_that_is_tried_again_is_running_and_keeps_its_first_start(
    ledger: Ledger, run: Run
) -> None:
    ledger.stage_started(run.id, Stage.FETCH)
    ledger.end_run(run.id, RunState.FAILED, error="x")
    again = ledger.start_run(run)
    assert (again.state, again.error, again.ended_at) == (RunState.RUNNING, None, None)
    assert again.started_at == run.started_at
    time.sleep(0.01)
    restarted = ledger.stage_started(run.id, Stage.FETCH)
    assert len(restarted.stages) == 1
    assert restarted.stages[0].started_at > again.stages[0].started_at


def test_a_stage_that_was_never_started_ends_with_its_start_reckoned(
    ledger: Ledger, run: Run
) -> None:
    (record,) = ledger.stage_ended(run.id, Stage.LOAD, 5, "late").stages
    since = ledger.server_now() - record.started_at
    assert timedelta(seconds=4.5) < since < timedelta(seconds=15)


def test_the_first_end_of_a_run_counts(ledger: Ledger, run: Run) -> None:
    first = ledger.end_run(run.id, RunState.COMMITTED)
    assert ledger.end_run(run.id, RunState.FAILED, error="late") == first


def test_an_unknown_run_is_an_error(ledger: Ledger, make: Any) -> None:
    with pytest.raises(MissingDocumentError, match="runs"):
        ledger.stage_started(make.run_id(), Stage.FETCH)


def test_the_newest_run_of_a_batch_is_its_run(ledger: Ledger, make: Any, claimed: Claimed) -> None:
    batch = claimed("one")
    start(ledger, make, batch)
    time.sleep(0.01)
    newer = ledger.start_run(
        Run(id=make.run_id(), manifest_key="m", batch=batch.id, started_at=make.long_ago)
    )
    assert ledger.run_of_batch(batch.id) == newer
    assert ledger.recent_runs(1) == (newer,)
    assert ledger.recent_runs(state=RunState.FAILED) == ()


@pytest.mark.parametrize(
    ("state", "expected"),
    [(RunState.FAILED, BatchState.FAILED), (RunState.CANCELLED, BatchState.CANCELLED)],
)
def test_abandoning_a_run_ends_it_and_the_batch_it_holds(
    ledger: Ledger, make: Any, claimed: Claimed, state: RunState, expected: BatchState
) -> None:
    batch, other = claimed("one"), claimed("two")
    run = start(ledger, make, batch)
    ended = ledger.abandon_run(run.id, "$why", state)
    assert ended is not None
    assert (ended.id, ended.state, ended.lease, ended.error) == (batch.id, expected, None, "$why")
    found = ledger.run(run.id)
    assert found is not None
    assert (found.state, found.error) == (state, "$why")
    assert ledger.batch(other.id) == other
    assert ledger.abandon_run(run.id, "again", state) is None
    assert ledger.run(run.id) == found


def test_a_run_that_died_after_its_commit_is_recorded_as_committed(
    ledger: Ledger, make: Any, claimed: Claimed, reserve: Callable[..., tuple[Asset, ...]]
) -> None:
    batch = claimed("one")
    run = start(ledger, make, batch)
    ledger.commit(batch.id, batch.fence, reserve(batch, make.draft(batch)), ())
    assert ledger.abandon_run(run.id, "the process was killed", RunState.FAILED) is None
    found = ledger.run(run.id)
    assert found is not None
    assert (found.state, found.error) == (RunState.COMMITTED, None)


def test_abandoning_a_run_that_nobody_knows_changes_nothing(ledger: Ledger, make: Any) -> None:
    assert ledger.abandon_run(make.run_id(), "x", RunState.FAILED) is None
    assert ledger.recent_runs() == ()


def test_runs_are_alive_while_their_lease_is_and_dead_after(
    ledger: Ledger, make: Any, claimed: Claimed
) -> None:
    alive, dying = claimed("one"), claimed("two", lease_s=0.2)
    silent = ledger.start_run(
        Run(id=make.run_id(), manifest_key="manifests/s.json", started_at=make.long_ago)
    )
    time.sleep(0.3)
    assert ledger.live_run_ids() == {holder(alive)}
    assert ledger.dead_runs() == ((holder(dying), dying.id),)
    assert set(ledger.dead_runs(idle_s=0)) == {
        (holder(dying), dying.id),
        (silent.id, "manifests/s.json"),
    }


def test_a_reservation_is_given_up_only_when_no_living_run_works_on_it(
    ledger: Ledger, make: Any, claimed: Claimed, reserve: Callable[..., tuple[Asset, ...]]
) -> None:
    batch = claimed("one")
    (asset,) = reserve(batch, make.draft(batch))
    assert not ledger.delete_pending(asset.id), "its run is alive"
    ledger.abandon_run(holder(batch), "x", RunState.FAILED)
    assert ledger.delete_pending(asset.id)
    assert not ledger.delete_pending(asset.id), "it is gone"
    again = ledger.claim(batch.id, make.run_id(), 60)
    (second,) = reserve(again, make.draft(again))
    assert second.version == 2, "a version that was given out is never given twice"
    ledger.commit(again.id, again.fence, [second], ())
    assert not ledger.delete_pending(second.id), "it is committed"
