"""The key of a receipt: the manifest's own name, or one that we may write and that no other has."""

import pytest

from libs.ingest.settle import archive_key, receipt_key
from libs.models import Batch, BatchState, ManifestUpload, utc_now
from libs.vault.keys import writable_key


def batch(name):
    upload = ManifestUpload(
        key=f"manifests/{name}.json", etag="e", last_modified=utc_now(), size_bytes=2
    )
    return Batch(
        id="0" * 64, batch_id=None, state=BatchState.REJECTED, upload=upload,
        manifest_sha256="1" * 64, manifest=b"{}", intent=None, recipe_hash=None,
        received_at=utc_now(),
    )  # fmt: skip


@pytest.mark.parametrize("name", ["m", "a b", "ünïcode 資料", "x.y", "folder/m", "n" * 242, ""])
def test_a_plain_name_is_kept(name):
    assert archive_key(batch(name)) == f"manifests/rejected/{name}.json"
    assert receipt_key(batch(name)) == f"manifests/rejected/{name}.receipt.json"


@pytest.mark.parametrize("name", ["n" * 243, "n" * 250, "資" * 83, "a\tb", "a\nb\x7f", "\x00" * 90])
def test_any_other_becomes_one_that_may_be_written_and_is_like_it(name):
    for key in (archive_key(batch(name)), receipt_key(batch(name))):
        assert writable_key(key) == key
        assert key.startswith(f"manifests/rejected/{name[:1].replace(chr(0), '%00')}")


def test_two_such_names_that_begin_alike_stay_apart():
    assert receipt_key(batch("n" * 249 + "a")) != receipt_key(batch("n" * 249 + "b"))
    assert receipt_key(batch("a\tb")) != receipt_key(batch("a%09b"))
