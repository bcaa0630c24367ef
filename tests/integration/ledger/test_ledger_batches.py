"""A batch's life on a real server: receive, claim, renew, end, settle."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from libs.errors import Problem
from libs.ledger import (
    BatchBusyError,
    BatchEndedError,
    LeaseLostError,
    Ledger,
    MissingDocumentError,
)
from libs.models import Batch, BatchFile, BatchState, FileOutcome, RunState

pytestmark = pytest.mark.integration

FILES = (BatchFile(path="s3://l/$set", dataset_id="A/b", outcome=FileOutcome.REJECTED),)
PROBLEM = Problem(where="$where", what="{'$gt': ''}")


def test_a_received_batch_reads_back_as_it_was_stored_with_the_servers_time(
    ledger: Ledger, make: Any
) -> None:
    received = ledger.receive(make.batch("one"))
    assert ledger.batch(received.id) == received
    assert received.state is BatchState.RECEIVED
    assert abs(received.received_at - ledger.server_now()) < timedelta(seconds=10)


def test_the_same_fingerprint_received_by_many_at_once_is_one_batch(
    ledger: Ledger, make: Any
) -> None:
    batch = make.batch("one")
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: ledger.receive(batch), range(8)))
    assert len(set(answers)) == 1
    assert ledger.recent_batches() == (answers[0],)


def test_a_newer_upload_of_an_ended_batch_is_to_be_settled_again(ledger: Ledger, make: Any) -> None:
    rejected = ledger.receive(make.batch("one", BatchState.REJECTED))
    assert rejected.ended_at == rejected.received_at
    assert ledger.settle(rejected.id)
    assert not ledger.settle(rejected.id)
    assert ledger.unsettled() == ()

    again = make.batch("one", BatchState.REJECTED)
    assert ledger.receive(again).settled_at is not None, "the same upload is nothing new"
    newer = make.upload(again.upload.key, "e2", later_s=5)
    received = ledger.receive(again.model_copy(update={"upload": newer}))
    assert received.upload == newer
    assert received.received_at == rejected.received_at
    assert [batch.id for batch in ledger.unsettled()] == [rejected.id]
    assert ledger.batch_of_upload(newer) == received
    assert ledger.batch_of_upload(again.upload) is None


def test_an_older_upload_of_the_same_key_does_not_replace_a_newer_one(
    ledger: Ledger, make: Any
) -> None:
    older, newer = make.upload("manifests/a.json", "e1"), make.upload("manifests/a.json", "e2", 5)
    batch = make.batch("one")
    ledger.receive(batch.model_copy(update={"upload": newer}))
    assert ledger.receive(batch.model_copy(update={"upload": older})).upload == newer


def test_settling_for_one_upload_leaves_the_one_that_came_meanwhile_to_do(
    ledger: Ledger, make: Any
) -> None:
    batch = make.batch("one", BatchState.REJECTED)
    ledger.receive(batch)
    newer = make.upload("manifests/other.json")
    ledger.receive(batch.model_copy(update={"upload": newer}))
    assert not ledger.settle(batch.id, batch.upload)
    assert ledger.settle(batch.id, newer)


def test_of_many_claimers_one_wins_and_the_others_are_told_who_holds_it(
    ledger: Ledger, make: Any
) -> None:
    batch = ledger.receive(make.batch("one"))

    def claim(_: int) -> Batch | BatchBusyError:
        try:
            return ledger.claim(batch.id, make.run_id(), 60)
        except BatchBusyError as error:
            return error

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(claim, range(8)))
    (winner,) = [answer for answer in answers if isinstance(answer, Batch)]
    assert winner.fence == 1
    assert winner.state is BatchState.RUNNING
    assert winner.lease is not None
    for answer in answers:
        if isinstance(answer, BatchBusyError):
            assert winner.lease.run_id in str(answer)
            assert winner.lease.expires_at.isoformat() in str(answer)
    assert ledger.batch(batch.id) == winner


def test_a_run_takes_its_own_lease_anew_under_a_higher_fence(
    ledger: Ledger, claimed: Callable[..., Batch]
) -> None:
    first = claimed("one")
    assert first.lease is not None
    second = ledger.claim(first.id, first.lease.run_id, 60)
    assert second.fence == first.fence + 1
    with pytest.raises(LeaseLostError):
        ledger.renew(first.id, first.fence, 60)


def test_renewing_moves_the_leases_end_by_the_servers_clock(
    ledger: Ledger, claimed: Callable[..., Batch]
) -> None:
    batch = claimed("one", lease_s=1)
    renewed = ledger.renew(batch.id, batch.fence, 500)
    assert renewed.lease is not None
    assert timedelta(seconds=490) < renewed.lease.expires_at - ledger.server_now()
    assert renewed.fence == batch.fence


def test_an_expired_lease_is_taken_over_and_the_old_fence_can_change_nothing(
    ledger: Ledger, make: Any, claimed: Callable[..., Batch], reserve: Callable[..., Any]
) -> None:
    old = claimed("one", lease_s=0.3)
    (asset,) = reserve(old, make.draft(old))
    time.sleep(0.4)
    new = ledger.claim(old.id, make.run_id(), 60)
    assert new.fence == old.fence + 1
    attempts: list[Callable[[], object]] = [
        lambda: ledger.renew(old.id, old.fence, 60),
        lambda: ledger.update_files(old.id, old.fence, FILES),
        lambda: reserve(old, make.draft(old)),
        lambda: ledger.commit(old.id, old.fence, [asset], FILES),
        lambda: ledger.reject(old.id, old.fence, [PROBLEM], FILES),
    ]
    for attempt in attempts:
        with pytest.raises(LeaseLostError, match=f"fence {new.fence}"):
            attempt()
    assert ledger.batch(old.id) == new
    assert list(ledger.pending_assets()) == [asset]
    assert ledger.assets_of_batch(old.id) == ()
    assert ledger.abandon_run(asset.run_id, "too late", RunState.FAILED) is None


def test_a_rejected_batch_has_ended_for_good_and_gives_its_reservations_up(
    ledger: Ledger, make: Any, claimed: Callable[..., Batch], reserve: Callable[..., Any]
) -> None:
    batch = claimed("one")
    reserve(batch, make.draft(batch))
    rejected = ledger.reject(batch.id, batch.fence, [PROBLEM], FILES)
    assert (rejected.state, rejected.lease) == (BatchState.REJECTED, None)
    assert (rejected.problems, rejected.files) == ((PROBLEM,), FILES)
    assert rejected.ended_at is not None
    assert list(ledger.pending_assets()) == []
    assert ledger.reject(batch.id, batch.fence, [PROBLEM], FILES) == rejected, "a lost reply"
    with pytest.raises(BatchEndedError) as caught:
        ledger.claim(batch.id, make.run_id(), 60)
    assert caught.value.batch == rejected
    assert ledger.unsettled() == (rejected,)


@pytest.mark.parametrize("end", [RunState.FAILED, RunState.CANCELLED])
def test_a_failed_or_cancelled_batch_can_be_claimed_again_with_its_reservation(
    ledger: Ledger,
    make: Any,
    claimed: Callable[..., Batch],
    reserve: Callable[..., Any],
    end: RunState,
) -> None:
    batch = claimed("one")
    (first,) = reserve(batch, make.draft(batch))
    ended = ledger.abandon_run(first.run_id, "$unset: the disk is full", end)
    assert ended is not None
    assert ended.state.value == end.value
    assert ended.error == "$unset: the disk is full"
    assert ended.lease is None
    assert ended.ended_at is not None
    again = ledger.claim(batch.id, make.run_id(), 60)
    assert (again.error, again.ended_at, again.fence) == (None, None, 2)
    (second,) = reserve(again, make.draft(again, data="other bytes"))
    assert (second.id, second.version) == (first.id, first.version)
    assert second.s3_key != first.s3_key
    assert (second.fence, second.run_id) == (2, again.lease and again.lease.run_id)


def test_files_are_updated_under_the_fence_as_the_values_they_are(
    ledger: Ledger, claimed: Callable[..., Batch]
) -> None:
    batch = claimed("one")
    assert ledger.update_files(batch.id, batch.fence, FILES).files == FILES
    assert ledger.batch(batch.id) == batch.model_copy(update={"files": FILES})


def test_claiming_what_was_never_received_is_an_error(ledger: Ledger, make: Any) -> None:
    with pytest.raises(MissingDocumentError, match="batches"):
        ledger.claim("0" * 64, make.run_id(), 60)
