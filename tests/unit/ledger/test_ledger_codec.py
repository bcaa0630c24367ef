"""Documents through real BSON and back."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import bson
import pytest

from libs.errors import OperatorError
from libs.ledger.codec import decode, encode, to_bson
from libs.models import Batch, Dataset, Document, FileOutcome, PinnedObject

OPTIONS = bson.CodecOptions(tz_aware=True, tzinfo=timezone.utc)


def test_a_document_comes_back_equal(document: Document) -> None:
    stored = bson.decode(bson.encode(encode(document)), OPTIONS)
    assert decode(type(document), stored, "c") == document


def test_the_key_is_stored_as_mongodbs_id(document: Document) -> None:
    stored = encode(document)
    assert stored["_id"] == document.model_dump(by_alias=False)["id"]
    assert "id" not in stored


def test_moments_are_stored_in_utc_at_the_precision_that_bson_keeps() -> None:
    east = timezone(timedelta(hours=2))
    moment = datetime(2024, 7, 1, 1, 0, 0, 999_999, tzinfo=east)
    stored = to_bson(moment)
    assert stored == datetime(2024, 6, 30, 23, 0, 0, 999_000, tzinfo=timezone.utc)
    assert bson.decode(bson.encode({"t": stored}), OPTIONS)["t"] == stored


def test_a_moment_without_a_zone_is_utc() -> None:
    assert to_bson(datetime(2024, 1, 1)) == datetime(2024, 1, 1, tzinfo=timezone.utc)


def test_parts_are_stored_as_plain_values() -> None:
    value = (FileOutcome.SKIPPED, PinnedObject(key="k", etag="e", size_bytes=1), b"\x00")
    assert to_bson(value) == ["skipped", {"key": "k", "etag": "e", "size_bytes": 1}, b"\x00"]
    assert type(to_bson(FileOutcome.SKIPPED)) is str


def test_an_unreadable_document_is_named_with_its_collection_and_fields() -> None:
    whole = {"_id": "A/b", "last_version": "many", "updated_at": None, "colour": "red"}
    with pytest.raises(OperatorError) as caught:
        decode(Dataset, whole, "datasets")
    text = str(caught.value)
    for part in ("'datasets'", "'A/b'", "last_version", "updated_at", "colour"):
        assert part in text


def test_an_unreadable_document_does_not_spill_its_content() -> None:
    with pytest.raises(OperatorError) as caught:
        decode(Batch, {"_id": "x", "manifest": 12345678}, "batches")
    assert "12345678" not in str(caught.value)
