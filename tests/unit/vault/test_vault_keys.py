"""Keys, metadata and the cutting of uploads: pure functions."""

from __future__ import annotations

import pytest

from libs.errors import InputError
from libs.vault.keys import readable_key, user_metadata, writable_key
from libs.vault.upload import MAX_PARTS, PART_BYTES, part_size


@pytest.mark.parametrize(
    "key",
    [
        "a",
        "batch_1/roads.shp",
        "ü ñ/日本 語+%25 %.txt",
        " lead/trail ",
        "😀",
        ".hidden",
        "...",
        "a..b/c",
    ],
)
def test_any_name_of_one_object_may_be_a_key(key: str) -> None:
    assert readable_key(key) == writable_key(key) == key


@pytest.mark.parametrize(
    "key", ["", "/a", "a/", "a//b", ".", "a/../b", "../lake/x", "a/./b", " ", "k" * 1025, "\ud800"]
)
def test_a_key_that_stores_would_fold_into_another_is_refused(key: str) -> None:
    with pytest.raises(InputError):
        readable_key(key)


@pytest.mark.parametrize("key", ["a\nb", "a\x00", "é" * 128])
def test_a_key_unfit_for_file_names_can_be_read_but_not_written(key: str) -> None:
    assert readable_key(key) == key
    with pytest.raises(InputError):
        writable_key(key)


def test_metadata_keys_are_lower_case_and_bare_whatever_the_server_made_of_them() -> None:
    headers = {"X-Amz-Meta-Run_Id": "r1", "x-amz-meta-version": "2", "Content-Type": "a/b"}
    assert user_metadata(headers) == {"run_id": "r1", "version": "2"}


@pytest.mark.parametrize("size", [0, 1, 200 * 2**20, 160 * 2**30, 5 * 2**40])
def test_an_object_of_any_size_fits_the_parts_that_s3_allows(size: int) -> None:
    part = part_size(size)
    assert part >= PART_BYTES
    assert -(-size // part) <= MAX_PARTS
