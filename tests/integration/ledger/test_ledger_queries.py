"""What readers are told, and strings of theirs that try to be more than strings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from libs.ledger import Ledger
from libs.ledger.codec import encode
from libs.ledger.listing import rung_of
from libs.models import Asset, Batch, Dataset

pytestmark = pytest.mark.integration


@pytest.fixture
def publish(
    ledger: Ledger,
    make: Any,
    claimed: Callable[..., Batch],
    reserve: Callable[..., tuple[Asset, ...]],
) -> Callable[[str, str], Asset]:
    """Commit one version of a dataset."""

    def act(name: str, dataset: str) -> Asset:
        batch = claimed(name)
        reserved = reserve(batch, make.draft(batch, dataset))
        ledger.commit(batch.id, batch.fence, reserved, ())
        (asset,) = ledger.assets_of_batch(batch.id)
        return asset

    return act


def test_current_assets_are_of_one_project_and_come_in_pages(
    ledger: Ledger, publish: Callable[[str, str], Asset]
) -> None:
    datasets = ["A/x", "A/y", "A-1/x", "A0/x", "AB/x", "A/z"]
    assets = {name: publish(name.replace("/", ":"), name) for name in datasets}
    newer = publish("second", "A/y")
    assert [a.dataset_id for a in ledger.current_assets()] == sorted(datasets)
    assert ledger.current_assets("A") == (assets["A/x"], newer, assets["A/z"])
    assert ledger.current_assets("A", limit=1, after="A/x") == (newer,)
    assert ledger.current_assets(after="A/x", limit=9) == tuple(
        assets.get(name) if name != "A/y" else newer for name in ("A/y", "A/z", "A0/x", "AB/x")
    )
    assert ledger.current_assets("A", after="A/z") == ledger.current_assets("A", after="B") == ()
    assert ledger.current_assets("") == ()
    assert ledger.versions("A/y") == (newer, assets["A/y"])
    ids = sorted([newer.id, *(asset.id for asset in assets.values())])
    assert [asset.id for asset in ledger.committed_assets()] == ids
    assert ledger.asset(newer.id) == ledger.asset_by_key(newer.s3_key) == newer


def test_datasets_without_a_published_version_are_passed_over_however_many_they_are(
    ledger: Ledger, publish: Callable[[str, str], Asset]
) -> None:
    names = [f"A/reserved-{number}" for number in range(300)]
    moment = ledger.server_now()
    reserved = [
        Dataset(id=name, rung=rung_of(name), last_version=1, updated_at=moment) for name in names
    ]
    ledger.database["datasets"].insert_many([encode(it) for it in reserved])
    first, second = publish("first", "A/x"), publish("second", "A/y")
    assert ledger.current_assets("A", limit=1) == (first,)
    assert ledger.current_assets(limit=5) == (first, second)


def test_pages_of_any_size_hold_each_asset_once(
    ledger: Ledger, publish: Callable[[str, str], Asset]
) -> None:
    assets = sorted((publish(f"b{n}", "A/x") for n in range(4)), key=lambda asset: asset.id)
    for page in (1, 2, 3, 4, 5):
        assert list(ledger.assets.pages({}, page)) == assets


def test_batches_are_found_by_the_uploaders_name_or_the_fingerprints_beginning(
    ledger: Ledger, make: Any
) -> None:
    one, two = ledger.receive(make.batch("one")), ledger.receive(make.batch("two"))
    assert ledger.find_batches("one") == (one,)
    assert ledger.find_batches(two.id[:8]) == ledger.find_batches(two.id) == (two,)
    assert ledger.find_batches("on") == ()
    assert ledger.find_batches(two.id[:3]) == (), "too short to mean one"
    assert ledger.recent_batches(1) == (two,)


@pytest.mark.parametrize("text", [".*", "^", "$ne", '{"$gt": ""}', "", "\x00", "é" * 300])
def test_no_text_is_taken_for_an_operator_or_a_pattern(
    ledger: Ledger, make: Any, text: str
) -> None:
    ledger.receive(make.batch("one"))
    assert ledger.find_batches(text) == ()
    assert ledger.asset(text) is None
    assert ledger.dataset(text) is None
    assert ledger.batch(text) is None
    assert ledger.current_assets(text) == ()
    assert ledger.versions(text) == ()


@pytest.mark.parametrize("operator", [{"$ne": None}, {"$gt": ""}, {"$regex": "."}])
def test_a_document_in_the_place_of_a_text_is_a_value_too(
    ledger: Ledger, make: Any, operator: Any
) -> None:
    ledger.receive(make.batch("one"))
    assert ledger.batch(operator) is None
    assert ledger.asset(operator) is None
    assert ledger.versions(operator) == ()
