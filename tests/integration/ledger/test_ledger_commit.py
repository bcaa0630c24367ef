"""Versions without a race, and batches that are in the lake whole or not at all."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from libs.ledger import LeaseLostError, Ledger, ReservationError
from libs.models import Asset, AssetState, Batch, BatchFile, BatchState, FileOutcome
from libs.settings import LedgerSettings

pytestmark = pytest.mark.integration

Reserve = Callable[..., tuple[Asset, ...]]
Claimed = Callable[..., Batch]


def test_twenty_submissions_to_one_dataset_at_once_get_versions_one_to_twenty(
    ledger: Ledger, make: Any, claimed: Claimed, reserve: Reserve
) -> None:
    def submit(number: int) -> int:
        batch = claimed(f"batch-{number}")
        (asset,) = reserve(batch, make.draft(batch))
        ledger.commit(batch.id, batch.fence, [asset], ())
        return asset.version

    with ThreadPoolExecutor(20) as pool:
        versions = list(pool.map(submit, range(20)))
    assert sorted(versions) == list(range(1, 21))
    assert [asset.version for asset in ledger.versions("ALPHA/roads")] == list(range(20, 0, -1))
    dataset = ledger.dataset("ALPHA/roads")
    assert dataset is not None
    assert (dataset.last_version, dataset.current_version) == (20, 20)
    (current,) = ledger.current_assets()
    assert (current.version, current.id) == (20, dataset.current_asset_id)
    assert list(ledger.pending_assets()) == []


def test_a_committed_asset_is_what_was_reserved_with_the_batchs_end_as_its_time(
    ledger: Ledger, make: Any, claimed: Claimed, reserve: Reserve
) -> None:
    batch = claimed("one")
    drafts = [make.draft(batch, "ALPHA/b", 0), make.draft(batch, "ALPHA/a", 1)]
    reserved = reserve(batch, *drafts)
    assert [asset.id for asset in reserved] == [draft.id for draft in drafts], "the drafts' order"
    for asset, draft in zip(reserved, drafts, strict=True):
        assert asset.state is AssetState.PENDING
        assert asset.s3_key.startswith(f"{draft.dataset_id}/v1/")
        assert asset.metadata == make.metadata(draft, 1, asset.s3_key)
        assert ledger.asset(asset.id) is None, "a reservation does not exist for readers"
        assert ledger.asset_by_key(asset.s3_key) == asset
    assert ledger.current_assets() == ()
    files = (BatchFile(path="s3://l/a", dataset_id="ALPHA/b", outcome=FileOutcome.COMMITTED),)
    ended = ledger.commit(batch.id, batch.fence, reserved, files)
    assert (ended.state, ended.lease, ended.files) == (BatchState.COMMITTED, None, files)
    expected = tuple(
        asset.model_copy(update={"state": AssetState.COMMITTED, "committed_at": ended.ended_at})
        for asset in reserved
    )
    assert ledger.assets_of_batch(batch.id) == expected
    assert ledger.commit(batch.id, batch.fence, reserved, files) == ended, "a lost reply"
    assert ledger.unsettled() == (ended,)


def test_a_batch_skips_a_file_by_committing_without_its_reservation(
    ledger: Ledger, make: Any, claimed: Claimed, reserve: Reserve
) -> None:
    batch = claimed("one")
    good, _bad = reserve(batch, make.draft(batch, "A/good", 0), make.draft(batch, "A/bad", 1))
    ledger.commit(batch.id, batch.fence, [good], ())
    assert [asset.id for asset in ledger.committed_assets()] == [good.id]
    assert list(ledger.pending_assets()) == []
    bad = ledger.dataset("A/bad")
    assert bad is not None
    assert (bad.last_version, bad.current_version) == (1, None)
    assert [asset.dataset_id for asset in ledger.current_assets("A")] == ["A/good"]


def test_reserving_again_gives_the_same_and_raises_no_counter(
    ledger: Ledger, make: Any, claimed: Claimed, reserve: Reserve
) -> None:
    batch = claimed("one")
    first = reserve(batch, make.draft(batch))
    assert reserve(batch, make.draft(batch)) == first
    dataset = ledger.dataset("ALPHA/roads")
    assert dataset is not None
    assert dataset.last_version == 1


def test_a_version_that_commits_late_does_not_become_the_current_one(
    ledger: Ledger, make: Any, claimed: Claimed, reserve: Reserve
) -> None:
    slow, fast = claimed("slow"), claimed("fast")
    (one,) = reserve(slow, make.draft(slow))
    (two,) = reserve(fast, make.draft(fast))
    assert (one.version, two.version) == (1, 2)
    ledger.commit(fast.id, fast.fence, [two], ())
    ledger.commit(slow.id, slow.fence, [one], ())
    assert [asset.id for asset in ledger.current_assets()] == [two.id]
    assert [asset.id for asset in ledger.versions("ALPHA/roads")] == [two.id, one.id]


def test_a_committed_asset_is_not_reserved_again(
    ledger: Ledger, make: Any, claimed: Claimed, reserve: Reserve
) -> None:
    batch, other = claimed("one"), claimed("two")
    (asset,) = reserve(batch, make.draft(batch))
    ledger.commit(batch.id, batch.fence, [asset], ())
    with pytest.raises(LeaseLostError):
        reserve(batch, make.draft(batch))
    stolen = make.draft(other).model_copy(update={"id": asset.id})
    with pytest.raises(ReservationError, match="committed already"):
        reserve(other, stolen)


@pytest.mark.parametrize(
    "change", [{"version": 9}, {"content_hash": "0" * 64}, {"s3_key": "x"}, {"fence": 9}]
)
def test_committing_what_was_not_reserved_changes_nothing(
    ledger: Ledger, make: Any, claimed: Claimed, reserve: Reserve, change: dict[str, object]
) -> None:
    batch = claimed("one")
    good, asset = reserve(batch, make.draft(batch, "A/a", 0), make.draft(batch, "A/b", 1))
    other = asset.model_copy(update=change)
    if "fence" in change:
        other = asset.model_copy(update={"id": "f" * 32})
    with pytest.raises(ReservationError, match="not reserved"):
        ledger.commit(batch.id, batch.fence, [good, other], ())
    found = ledger.batch(batch.id)
    assert found is not None
    assert found.state is BatchState.RUNNING
    assert len(list(ledger.pending_assets())) == 2
    assert list(ledger.committed_assets()) == []


def test_an_error_while_metadata_is_made_leaves_no_reservation(
    ledger: Ledger, make: Any, claimed: Claimed
) -> None:
    batch = claimed("one")

    def fails(*_: object) -> Any:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        ledger.reserve(
            batch.id, batch.fence, [make.draft(batch)], lake_bucket="lake", metadata_of=fails
        )
    assert ledger.dataset("ALPHA/roads") is None
    assert list(ledger.pending_assets()) == []


def test_readers_see_all_assets_of_a_batch_or_none(
    ledger: Ledger,
    ledger_settings: LedgerSettings,
    make: Any,
    claimed: Claimed,
    reserve: Reserve,
) -> None:
    batches = [claimed(f"batch-{number}") for number in range(12)]
    seen: set[int] = set()
    done = threading.Event()

    def read() -> None:
        with Ledger.connect(ledger_settings) as reader:
            while not done.is_set():
                for batch in batches:
                    seen.add(len(reader.assets_of_batch(batch.id)))

    readers = [threading.Thread(target=read) for _ in range(3)]
    for thread in readers:
        thread.start()
    for batch in batches:
        drafts = [make.draft(batch, f"A/{name}", i) for i, name in enumerate("abc")]
        ledger.commit(batch.id, batch.fence, reserve(batch, *drafts), ())
    done.set()
    for thread in readers:
        thread.join()
    assert seen <= {0, 3}
    assert {len(ledger.assets_of_batch(batch.id)) for batch in batches} == {3}


def test_batches_over_the_same_datasets_in_opposite_order_do_not_block_each_other(
    ledger: Ledger, make: Any, claimed: Claimed, reserve: Reserve
) -> None:
    names = [f"A/d{number}" for number in range(6)]

    def submit(number: int) -> BatchState:
        batch = claimed(f"batch-{number}")
        order = names if number % 2 else names[::-1]
        drafts = [make.draft(batch, name, index) for index, name in enumerate(order)]
        return ledger.commit(batch.id, batch.fence, reserve(batch, *drafts), ()).state

    with ThreadPoolExecutor(6) as pool:
        assert set(pool.map(submit, range(6))) == {BatchState.COMMITTED}
    for name in names:
        assert [asset.version for asset in ledger.versions(name)] == [6, 5, 4, 3, 2, 1]
