"""Every document of a collection, a page at a time: which there are is asked at the beginning.

A range of `_id` for each page would cost the embedded ledger a look at every document each time; a
cursor held open would bind the server while a page is worked on.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

import pymongo
from pymongo.collection import Collection

from libs.ledger.codec import BsonDocument
from libs.ledger.errors import ledger_errors

SCAN_TIMEOUT_S = 900.0
"""For what looks at every document once."""


def ids_of(
    collection: Collection[BsonDocument], query: Mapping[str, Any], page: int
) -> Iterator[list[str]]:
    """The `_id` of all that match now, in their order; they wait in a file, not in memory."""
    with tempfile.TemporaryFile("w+") as spool:
        with ledger_errors(f"collection {collection.name}"), pymongo.timeout(SCAN_TIMEOUT_S):
            for found in collection.find(query, {"_id": 1}, sort=[("_id", 1)]):
                spool.write(json.dumps(found["_id"]) + "\n")
        spool.seek(0)
        while ids := [json.loads(line) for line in islice(spool, page)]:
            yield ids


def pages_of(
    collection: Collection[BsonDocument], query: Mapping[str, Any], page: int
) -> Iterator[list[BsonDocument]]:
    """The documents that match now, in the order of `_id`. Each is read when its page is asked for:
    by then it may be another, or gone."""
    for ids in ids_of(collection, query, page):
        with ledger_errors(f"collection {collection.name}"):
            found = list(collection.find({"_id": {"$in": ids}}, sort=[("_id", 1)]))
        yield found
