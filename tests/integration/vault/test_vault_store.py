"""Objects of a real store: what was written is what comes back, and a change is never missed."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import time
import urllib.request
import uuid
from datetime import datetime, timedelta, timezone
from multiprocessing.pool import ThreadPool
from pathlib import Path
from threading import Event, Thread

import pytest

from libs.vault import (
    BucketMissingError,
    InvalidKeyError,
    KeyConflictError,
    ObjectChangedError,
    ObjectMissingError,
    VaultDeniedError,
    VaultUnavailableError,
    upload,
)

pytestmark = pytest.mark.integration

ODD_NAMES = [
    "plain.txt",
    "ü ñ/日本 語+%25 %.txt",
    "a+b c%20d.txt",
    "emoji 😀.bin",
    "q?x=1&y#z.txt",
    "e\u0301 combining.txt",
    " lead and trail ",
    "quotes'\"<>&;.txt",
    "back\\slash",
    "...",
    "n" * 255,
    "/".join(["deep"] * 60),
]


@pytest.fixture(scope="module")
def bucket(settings) -> str:
    return settings.vault.landing_bucket


@pytest.fixture
def prefix(vault, bucket):
    name = f"it-vault-{uuid.uuid4().hex[:12]}"
    yield name
    vault.abort_incomplete_uploads(bucket, lambda key, begun: True, name)
    with ThreadPool(6) as pool:
        pool.map(lambda found: vault.remove(bucket, found.key), vault.list_objects(bucket, name))


def put(vault, bucket, key, data=b"x"):
    return vault.put_bytes(bucket, key, data)


def test_a_store_that_is_set_up_well_passes_the_check(vault, uploader_vault) -> None:
    vault.check()
    uploader_vault.check()


@pytest.mark.parametrize("name", ODD_NAMES)
def test_a_key_may_hold_any_character(vault, bucket, prefix, tmp_path, name) -> None:
    key, data = f"{prefix}/{name}", name.encode()
    written = put(vault, bucket, key, data)
    seen = vault.stat(bucket, key)
    assert (seen.key, seen.etag, seen.size_bytes) == (key, written.etag, len(data))
    assert [item.key for item in vault.list_objects(bucket, f"{prefix}/")] == [key]
    vault.fetch_file(bucket, key, etag=seen.etag, target=tmp_path / "got")
    assert (tmp_path / "got").read_bytes() == data
    vault.copy(bucket, key, f"{prefix}/copy")
    assert vault.read_bytes(bucket, f"{prefix}/copy", etag=None, max_bytes=10_000) == data
    vault.remove(bucket, key)
    assert vault.stat(bucket, key) is None


@pytest.mark.parametrize("name", ["a//b", "a/", "../data-lake/x", "a/./b"])
def test_a_key_that_is_not_the_same_everywhere_is_never_sent(vault, bucket, prefix, name) -> None:
    with pytest.raises(InvalidKeyError):
        put(vault, bucket, f"{prefix}/{name}")
    with pytest.raises(InvalidKeyError):
        vault.remove(bucket, f"{prefix}/{name}")
    assert list(vault.list_objects(bucket, prefix)) == []


@pytest.mark.parametrize("size", [0, 5, 17 * 2**20])
def test_metadata_and_type_survive_in_one_part_and_in_many(
    vault, bucket, prefix, tmp_path, size
) -> None:
    source = tmp_path / "source"
    source.write_bytes(os.urandom(size))
    metadata = {"mongodb_doc_id": "a1", "content_hash": "f" * 64, "dataset_id": "P/d_x-1"}
    told: list[int] = []
    written = vault.put_file(
        bucket,
        f"{prefix}/x",
        source,
        metadata=metadata,
        content_type="image/tiff",
        progress=told.append,
    )
    seen = vault.stat(bucket, f"{prefix}/x")
    assert seen.metadata == written.metadata == metadata
    assert seen.etag == written.etag
    assert "-" in seen.etag or size < 16 * 2**20
    assert seen.size_bytes == written.size_bytes == sum(told) == size
    assert abs(seen.last_modified - datetime.now(timezone.utc)) < timedelta(minutes=1)
    assert abs(seen.last_modified - written.last_modified) < timedelta(seconds=5)
    with urllib.request.urlopen(vault.presigned_get(bucket, seen.key, timedelta(minutes=1))) as got:
        assert got.headers["Content-Type"] == "image/tiff"
        assert got.read() == source.read_bytes()
    vault.copy(bucket, seen.key, f"{prefix}/copy")
    assert vault.stat(bucket, f"{prefix}/copy").metadata == metadata


def test_the_same_file_gets_the_same_etag_whenever_it_is_put(
    vault, bucket, prefix, tmp_path
) -> None:
    source = tmp_path / "source"
    source.write_bytes(os.urandom(33 * 2**20))
    etags = {
        vault.put_file(bucket, f"{prefix}/{n}", source, metadata={}, content_type="x/y").etag
        for n in "ab"
    }
    assert len(etags) == 1


def test_a_listing_has_etags_and_moments_and_no_folders(vault, bucket, prefix) -> None:
    for name in ("a.txt", "b.txt", "sub/c.txt", "sub/deeper/d.txt", "sub2/gone.txt"):
        put(vault, bucket, f"{prefix}/{name}", name.encode())
    vault.remove(bucket, f"{prefix}/sub2/gone.txt")
    # What a file browser leaves behind when somebody makes a folder with it.
    vault._client._put_object(bucket, f"{prefix}/folder/", b"", {})
    found = list(vault.list_objects(bucket, f"{prefix}/"))
    names = [item.key.removeprefix(f"{prefix}/") for item in found]
    assert names == ["a.txt", "b.txt", "sub/c.txt", "sub/deeper/d.txt"]
    for item, name in zip(found, names, strict=True):
        assert item.etag == hashlib.md5(name.encode()).hexdigest()
        assert item.size_bytes == len(name)
        assert item.last_modified.utcoffset() == timedelta(0)
    flat = vault.list_objects(bucket, f"{prefix}/", recursive=False)
    assert [item.key for item in flat] == [f"{prefix}/a.txt", f"{prefix}/b.txt"]
    half = vault.list_objects(bucket, f"{prefix}/sub/d")
    assert [item.key for item in half] == [f"{prefix}/sub/deeper/d.txt"]
    vault._client._execute("DELETE", bucket, f"{prefix}/folder/")


@pytest.mark.slow
def test_a_listing_goes_on_over_a_thousand_keys(vault, bucket, prefix) -> None:
    keys = {f"{prefix}/é +%{n // 300}/f {n}" for n in range(1010)}
    with ThreadPool(6) as pool:
        pool.map(lambda key: put(vault, bucket, key), keys)
    listed = [item.key for item in vault.list_objects(bucket, f"{prefix}/")]
    assert len(listed) == len(keys)
    assert set(listed) == keys


def test_a_replaced_object_is_noticed_and_leaves_no_file(vault, bucket, prefix, tmp_path) -> None:
    key = f"{prefix}/x"
    pinned = put(vault, bucket, key, b"before")
    put(vault, bucket, key, b"after")
    with pytest.raises(ObjectChangedError, match=key):
        vault.fetch_file(bucket, key, etag=pinned.etag, target=tmp_path / "got")
    with pytest.raises(ObjectChangedError):
        vault.read_bytes(bucket, key, etag=pinned.etag, max_bytes=100)
    assert list(tmp_path.iterdir()) == []


def test_a_removed_object_is_missing_and_leaves_no_file(vault, bucket, prefix, tmp_path) -> None:
    key = f"{prefix}/x"
    pinned = put(vault, bucket, key)
    vault.remove(bucket, key)
    vault.remove(bucket, key)
    with pytest.raises(ObjectMissingError, match=key):
        vault.fetch_file(bucket, key, etag=pinned.etag, target=tmp_path / "got")
    with pytest.raises(ObjectMissingError):
        vault.sha256_of(bucket, key)
    with pytest.raises(ObjectMissingError):
        vault.copy(bucket, key, f"{prefix}/y")
    assert list(tmp_path.iterdir()) == []


def test_bytes_are_never_those_of_another_version_while_an_object_is_replaced(
    vault, bucket, prefix, tmp_path
) -> None:
    key, stop = f"{prefix}/x", Event()
    bodies = [bytes([n]) * (n * 70_001 + 5) for n in range(9)]
    put(vault, bucket, key, bodies[0])

    def replace_for_ever() -> None:
        turn = 0
        while not stop.is_set():
            turn += 1
            put(vault, bucket, key, bodies[turn % len(bodies)])

    writer = Thread(target=replace_for_ever, daemon=True)
    writer.start()
    refused = []
    try:
        until = time.monotonic() + 6
        while time.monotonic() < until:
            etag = vault.stat(bucket, key).etag
            try:
                vault.fetch_file(bucket, key, etag=etag, target=tmp_path / "got")
            except (ObjectChangedError, VaultUnavailableError) as error:
                refused.append(error)
            else:
                assert hashlib.md5((tmp_path / "got").read_bytes()).hexdigest() == etag
    finally:
        stop.set()
        writer.join()
    assert any(isinstance(error, ObjectChangedError) for error in refused)


def test_reading_stops_at_the_limit(vault, bucket, prefix) -> None:
    etag = put(vault, bucket, f"{prefix}/x", b"0123456789").etag
    for limit, got in ((4, b"0123"), (10, b"0123456789"), (99, b"0123456789")):
        assert vault.read_bytes(bucket, f"{prefix}/x", etag=etag, max_bytes=limit) == got
    put(vault, bucket, f"{prefix}/empty", b"")
    assert vault.read_bytes(bucket, f"{prefix}/empty", etag=None, max_bytes=4) == b""


def test_a_missing_bucket_is_named_and_never_taken_for_a_missing_object(vault) -> None:
    # A server may keep it to itself that a bucket is not there: it is not this user's.
    with pytest.raises((BucketMissingError, VaultDeniedError), match="no-such-bucket-here"):
        vault.stat("no-such-bucket-here", "x")


def test_a_key_below_an_object_is_stored_or_refused_but_never_called_transient(
    vault, bucket, prefix
) -> None:
    put(vault, bucket, f"{prefix}/a")
    try:
        put(vault, bucket, f"{prefix}/a/b")
    except KeyConflictError as error:
        assert f"{prefix}/a/b" in str(error)
        assert vault.stat(bucket, f"{prefix}/a/b") is None
    assert vault.stat(bucket, f"{prefix}/a").size_bytes == 1


def test_uploads_that_were_never_completed_are_aborted_when_old_enough(
    vault, bucket, prefix
) -> None:
    key, client = f"{prefix}/ü half+.bin", vault._client
    upload_id = client._create_multipart_upload(bucket, key, {})
    client._upload_part(bucket, key, b"z" * (5 * 2**20), None, upload_id, 1)
    old = datetime.now(timezone.utc) - timedelta(hours=1)
    assert vault.abort_incomplete_uploads(bucket, lambda _, begun: begun < old, prefix) == []
    assert vault.abort_incomplete_uploads(bucket, lambda found, _: found == key, prefix) == [key]
    assert vault.abort_incomplete_uploads(bucket, lambda found, _: found == key, prefix) == []
    assert vault.stat(bucket, key) is None


MEASURE = """
import sys
from pathlib import Path
from libs.settings import Settings
from libs.vault import Vault

def peak_mb():
    # Not ru_maxrss: it begins with the peak of the process that started this one.
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024

bucket, prefix, folder = sys.argv[1], sys.argv[2], Path(sys.argv[3])
vault = Vault.connect(Settings().vault)
vault.put_bytes(bucket, prefix + "/warm", b"x")
vault.sha256_of(bucket, prefix + "/warm")
before = peak_mb()
put = vault.put_file(bucket, prefix + "/big", folder / "big", metadata={}, content_type="x/y")
got = vault.fetch_file(bucket, prefix + "/big", etag=put.etag, target=folder / "got")
again, size = vault.sha256_of(bucket, prefix + "/big")
assert again == got.sha256 and size == got.size_bytes
print(got.sha256, got.size_bytes, round(peak_mb() - before, 1))
"""


def test_200_mb_travel_both_ways_in_flat_memory_with_the_right_hash(
    bucket, prefix, tmp_path
) -> None:
    block = os.urandom(2**20)
    digest = hashlib.sha256()
    with (tmp_path / "big").open("wb") as file:
        for n in range(200):
            piece = block[n:] + block[:n]
            file.write(piece)
            digest.update(piece)
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, bucket, prefix, str(tmp_path)],
        check=True,
        capture_output=True,
        text=True,
    )
    sha256, size, growth_mb = done.stdout.split()
    assert sha256 == digest.hexdigest()
    assert int(size) == 200 * 2**20
    # The SDK holds the parts it sends, the part it reads next, and in each of its threads the one
    # sent last until the next comes; the rest is for what the allocator has not given back.
    parts_held = 2 * upload.PARTS_AT_ONCE + 1
    assert 1 < float(growth_mb) < parts_held * upload.PART_BYTES / 2**20 + 20
    assert Path(tmp_path / "got").stat().st_size == 200 * 2**20
