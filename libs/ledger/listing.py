"""Datasets in the order of their ids, a few at a time; which of them is not its business.

The embedded ledger walks through all that a question covers, however few are wanted, so a question
must not cover many. It is a skip list: by the hash of their ids one dataset of 16 stands on rung 1,
one of 256 on rung 2, one of 4,096 on rung 3. Those few tell how far a question has to reach.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from libs.ledger.documents import Documents, Filter
from libs.models import Dataset

SPACING = 16
"""One dataset of so many stands on the next rung."""
TOP_RUNG = 3
FIRST_ID, BEYOND_IDS = "", "~"
"""Every dataset id lies between these two."""


def rung_of(dataset_id: str) -> int:
    """The dataset's place in the skip list, from its id alone, so that nobody waits for anybody."""
    number = int.from_bytes(hashlib.sha256(dataset_id.encode()).digest()[:8], "big")
    return sum(number % SPACING**rung == 0 for rung in range(1, TOP_RUNG + 1))


def in_order(datasets: Documents[Dataset], start: str, end: str, at_once: int) -> Iterator[Dataset]:
    """Those with `start` <= id < `end`, about `at_once` in each answer of the ledger."""
    while start < end:
        bound = _bound(datasets, start, end, at_once)
        yield from datasets.find(_between(start, bound), [("_id", 1)])
        start = bound


def _bound(datasets: Documents[Dataset], start: str, end: str, wanted: int) -> str:
    """An id before which about `wanted` others lie; `end` where so many are not left."""
    for rung in range(TOP_RUNG, 0, -1):
        needed = -(-wanted // SPACING**rung) + 1
        query = {"rung": rung, **_between(start, end)}
        marks = datasets.find(query, [("_id", 1)], limit=needed)
        if len(marks) == needed:
            end = marks[-1].id
    return end


def _between(start: str, end: str) -> Filter:
    return {"_id": {"$gte": start, "$lt": end}}
