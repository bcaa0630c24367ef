"""The list of datasets: right in any order of names, as cheap in a large ledger as in a small."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import datetime, timezone

import pytest

from benchmarks.explaining import plans_of
from libs.ledger import Ledger
from libs.ledger.codec import encode
from libs.ledger.listing import BEYOND_IDS, FIRST_ID, in_order, rung_of
from libs.models import Dataset
from libs.settings import LedgerSettings

pytestmark = pytest.mark.integration

MANY = 4000
MOMENT = datetime(2026, 1, 1, tzinfo=timezone.utc)


def dataset(dataset_id: str) -> Dataset:
    return Dataset(
        id=dataset_id, rung=rung_of(dataset_id), last_version=1, current_version=1,
        current_asset_id="f" * 32, updated_at=MOMENT,
    )  # fmt: skip


@pytest.fixture
def names() -> list[str]:
    """Two projects of 1,500 and some hundred of a few, in no order."""
    known = [f"BIG/d{n}" for n in range(MANY * 3 // 8)] + [
        f"b-2/x_{n}" for n in range(MANY * 3 // 8)
    ]
    known += [f"P{n % 300}/set-{n}" for n in range(MANY - len(known))]
    random.Random(5).shuffle(known)
    return known


@pytest.fixture
def large(ledger: Ledger, names: list[str]) -> Iterator[Ledger]:
    for start in range(0, MANY, 500):
        part = [encode(dataset(name)) for name in names[start : start + 500]]
        ledger.database["datasets"].insert_many(part)
    return ledger


def test_every_dataset_is_listed_once_and_in_order_however_many_at_a_time(
    large: Ledger, names: list[str]
) -> None:
    for at_once in (1, 100, 10_000):
        first = [it.id for it in in_order(large.datasets, "b-2/", "b-20", at_once)]
        assert first == sorted(name for name in names if name.startswith("b-2/"))
    listed = [it.id for it in in_order(large.datasets, FIRST_ID, BEYOND_IDS, 500)]
    assert listed == sorted(names)
    assert [it.id for it in in_order(large.datasets, "P7/", "P70", 50)] == sorted(
        name for name in names if name.startswith("P7/")
    )


@pytest.mark.parametrize(
    ("project", "limit", "after"),
    [(None, 2, None), (None, 20, "BIG/d7"), ("BIG", 20, None), ("b-2", 100, "b-2/x_3"),
     ("P7", 20, None), ("none", 20, None)],
)  # fmt: skip
def test_a_listing_looks_at_few_datasets_of_many_and_always_by_an_index(
    large: Ledger, ledger_settings: LedgerSettings, project: str, limit: int, after: str
) -> None:
    plans = plans_of(ledger_settings, lambda it: it.current_assets(project, limit, after))
    asked = [plan for plan in plans if plan.collection == "datasets"]
    assert asked and not [plan for plan in asked if plan.reads_all]
    assert sum(plan.examined for plan in asked) <= 4 * limit + 300, asked
