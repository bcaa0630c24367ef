"""What ends is counted once: over pages, over ties, and when it becomes visible late."""

from __future__ import annotations

import random
from collections import Counter
from datetime import datetime, timedelta, timezone
from typing import NamedTuple

import pytest

from libs.monitor.following import OVERLAP, Following

BEGIN = datetime(2026, 1, 1, tzinfo=timezone.utc)


class Thing(NamedTuple):
    id: str
    at: datetime


class Store:
    """A collection in memory that answers as the ledger does, and counts what it hands out."""

    def __init__(self):
        self.things = []
        self.handed_out = 0

    def add(self, *seconds):
        start = len(self.things)
        self.things += [
            Thing(f"t{start + n}", BEGIN + timedelta(seconds=at)) for n, at in enumerate(seconds)
        ]

    def since(self, moment, limit):
        found = sorted((it for it in self.things if it.at >= moment), key=lambda it: it.at)[:limit]
        self.handed_out += len(found)
        return found


def seen(following):
    return Counter(item.id for page in following.new() for item in page)


@pytest.mark.parametrize("page", [1, 2, 3, 7, 1000])
def test_each_is_seen_once_however_they_fall_on_pages(page):
    store, dice = Store(), random.Random(page)
    following, total = Following(store.since, page), Counter()
    for look in range(20):
        store.add(*(look * 60 + dice.randrange(4) for _ in range(dice.randrange(12))))
        total += seen(following)
    assert total == Counter({thing.id: 1 for thing in store.things})


def test_more_than_a_page_in_one_moment_are_all_seen():
    store = Store()
    store.add(*[5] * 23, 6)
    assert sum(seen(Following(store.since, 4)).values()) == 24


def test_what_becomes_visible_late_is_not_missed():
    store = Store()
    following = Following(store.since, 10)
    store.add(1000)
    assert seen(following) == {"t0": 1}
    store.add(1000 - OVERLAP.total_seconds() + 1)
    assert seen(following) == {"t1": 1}
    assert not seen(following)


def test_a_look_reads_what_is_new_and_a_little_before_it_not_the_past():
    store = Store()
    store.add(*range(0, 100_000, 10))
    following = Following(store.since)
    assert sum(seen(following).values()) == 10_000
    store.handed_out = 0
    store.add(100_000)
    assert sum(seen(following).values()) == 1
    assert store.handed_out <= OVERLAP.total_seconds() / 10 + 2


def test_a_look_that_was_broken_off_is_gone_on_with():
    store = Store()
    store.add(*range(100))
    following = Following(store.since, 10)
    first = next(following.new())
    rest = seen(following)
    assert len(first) == 10 and sum(rest.values()) == 90
