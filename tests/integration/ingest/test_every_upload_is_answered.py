"""Whatever a user uploads, and in which order: each upload is answered, and for its own faults."""

from __future__ import annotations

import json
import time
import uuid
from dataclasses import replace
from datetime import timedelta

import geopandas
import pytest
import shapely

from libs.audit import FindingKind, audit
from libs.errors import TransientError
from libs.ingest import (
    BatchRejectedError,
    Committed,
    Ended,
    RunState,
    abandon,
    fetch,
    outlook,
    receive,
    run_upload,
    settle,
)
from libs.ingest.errors import SourceChangedError
from libs.models import BatchState

pytestmark = pytest.mark.integration


@pytest.fixture
def points(tmp_path):
    """Makes a GeoJSON of one point; the same number gives the same bytes."""

    def make(number=1):
        path = tmp_path / f"{number}" / "p.geojson"
        path.parent.mkdir(exist_ok=True)
        frame = geopandas.GeoDataFrame({"n": [number]}, geometry=[shapely.Point(1, 2)], crs=4326)
        path.write_text(frame.to_json())
        return path

    return make


@pytest.fixture
def entry(user, points):
    return user.vector(points(), "GeoJSON")


def under_way(user, upload, meanwhile):
    """A run under whose feet something happens, just after it has pinned its files."""
    ledger = user.platform.ledger

    class Ledger:
        def __getattr__(self, name):
            return getattr(ledger, name)

        def claim(self, *args, **kwargs):
            meanwhile()
            return ledger.claim(*args, **kwargs)

    with_events = replace(user.platform, ledger=Ledger())
    return run_upload(with_events, upload, str(uuid.uuid4()))


def stands(user, upload):
    return user.uploader.stat(user.bucket, upload.key) is not None


@pytest.mark.parametrize("on_error", ["reject_batch", "skip_file"])
def test_a_file_that_is_taken_away_and_put_back_is_ingested(user, entry, points, on_error):
    def submit():
        return user.manifest([entry], on_error=on_error)

    key = f"{user.name}/p.geojson"
    first = submit()
    with pytest.raises(SourceChangedError, match=r"p\.geojson was replaced or removed"):
        under_way(user, first, lambda: user.uploader.remove(user.bucket, key))
    with pytest.raises(BatchRejectedError, match="not in the bucket") as caught:
        user.run(first)  # the next try
    assert user.receipt(caught.value.batch)["outcome"] == "rejected"
    assert not stands(user, first)
    user.upload(points(), key)
    time.sleep(1.1)  # the vault's times are whole seconds: within one it is the same upload
    assert isinstance(user.run(submit()), Committed)


def test_a_file_that_is_replaced_is_ingested_as_it_is_and_put_back_as_it_was(
    user, entry, points, ledger
):
    key = f"{user.name}/p.geojson"
    upload = user.manifest([entry])
    with pytest.raises(SourceChangedError):
        under_way(user, upload, lambda: user.upload(points(2), key))
    user.upload(points(1), key)
    as_it_was = user.run(upload)
    assert isinstance(as_it_was, Committed)
    time.sleep(1.1)  # the vault's times are whole seconds
    again = user.manifest([entry])
    user.upload(points(2), key)
    assert isinstance(user.run(again), Committed)
    hashes = {version.sources[0].sha256 for version in ledger.versions(f"{user.name}/p")}
    assert len(hashes) == 2


def test_a_blank_key_is_the_users_fault_and_keeps_nobody_from_work(user, entry, platform):
    bad = user.manifest([{**entry, "path": f"s3://{user.bucket}/ ", "dataset": "d"}])
    assert outlook(platform, bad, with_size=True) is None
    with pytest.raises(BatchRejectedError, match="blank") as caught:
        user.run(bad)
    assert user.receipt(caught.value.batch)["outcome"] == "rejected"
    assert not stands(user, bad)


def test_the_same_bytes_under_two_names_are_answered_under_both(user, entry, platform):
    one = user.manifest([entry], name="m")
    two = user.put_manifest(user.uploader.read_bytes(
        user.bucket, one.key, etag=None, max_bytes=10_000), "n")  # fmt: skip

    def meanwhile():
        # The second upload is received while the first one's run is at work.
        with pytest.raises(TransientError):
            run_upload(busy, two, str(uuid.uuid4()))

    class Busy:
        def __getattr__(self, name):
            return getattr(user.platform.ledger, name)

        def claim(self, *args, **kwargs):
            raise TransientError("another run is at work")

    busy = replace(user.platform, ledger=Busy())
    done = under_way(user, one, meanwhile)
    assert done.batch.upload.key == two.key
    for upload in (one, two):
        assert not stands(user, upload)
        of_upload = done.batch.model_copy(update={"upload": upload})
        assert user.receipt(of_upload)["outcome"] == "committed"


def test_an_upload_that_looks_older_since_a_clock_was_set_back_is_answered(user, entry):
    upload = user.manifest([entry])
    before = upload.model_copy(update={"last_modified": upload.last_modified + timedelta(hours=1)})
    assert isinstance(user.run(before), Committed)
    assert stands(user, upload)
    assert isinstance(user.run(upload), Ended)
    assert not stands(user, upload)


@pytest.mark.parametrize(
    "name", ["n" * 250, "資" * 83, "a" * 237], ids=["Latin", "Chinese", "fits"]
)
def test_a_manifest_of_a_long_name_is_answered(user, name):
    upload = user.put_manifest(b"{}", name)
    with pytest.raises(BatchRejectedError) as caught:
        user.run(upload)
    assert user.receipt(caught.value.batch)["outcome"] == "rejected"
    assert not stands(user, upload)


def test_a_manifest_that_is_too_large_is_kept_whole(user, entry, platform):
    small = platform.limits.model_copy(update={"manifest_max_bytes": 100})
    strict = replace(user, platform=replace(platform, limits=small))
    upload = user.manifest([entry])
    body = user.uploader.read_bytes(user.bucket, upload.key, etag=None, max_bytes=10_000)
    assert len(body) > 200
    with pytest.raises(BatchRejectedError) as caught:
        strict.run(upload)
    assert not stands(user, upload)
    for _ in range(2):
        kept = f"manifests/rejected/{user.name}/m.json"
        assert user.uploader.read_bytes(user.bucket, kept, etag=None, max_bytes=10_000) == body
        assert user.receipt(caught.value.batch)["outcome"] == "rejected"
        settle(platform, caught.value.batch)  # once more, when the manifest is gone already


def test_a_batch_that_cannot_be_answered_does_not_end_the_audit(user, entry, platform, vault):
    from libs.vault import InvalidKeyError

    class Picky:
        def __getattr__(self, name):
            return getattr(vault, name)

        def put_bytes(self, bucket, key, *args, **kwargs):
            if f"/{user.name}/" in key and key.startswith("manifests/"):
                raise InvalidKeyError.of_key(key, "is not liked.")
            return vault.put_bytes(bucket, key, *args, **kwargs)

    picky = replace(platform, vault=Picky())
    with pytest.raises(InvalidKeyError):
        receive(picky, user.put_manifest(b"{}"), str(uuid.uuid4()))
    received = receive(platform, user.manifest([entry], name="dead"), str(uuid.uuid4()))
    fetch(platform, received)
    platform.ledger.abandon_run(received.job.run_id, "it died", BatchState.FAILED)
    report = audit(picky, repair=True)
    (stuck,) = [f for f in report.findings if f.kind is FindingKind.UNSETTLED_BATCH]
    assert not stuck.repaired
    assert "is not liked" in stuck.what
    (folder,) = [f for f in report.findings if received.job.run_id.replace("-", "") in f.subject]
    assert folder.repaired
    assert [f.repaired for f in audit(platform, repair=True).findings
            if f.kind is FindingKind.UNSETTLED_BATCH] == [True]  # fmt: skip


def test_what_a_stopped_and_a_cancelled_run_leave_in_the_bucket(user, entry, platform):
    from libs.ingest import end_with
    from libs.ingest.errors import RunCancelledError, RunStoppedError

    upload = user.manifest([entry])
    for cause, state, words in (
        (RunStoppedError(), RunState.FAILED, ("was stopped", "tries again by itself")),
        (RunCancelledError(), RunState.CANCELLED, ("Cancelled by a person", "is not tried again")),
    ):
        run_id = str(uuid.uuid4())
        received = receive(platform, upload, run_id)
        end_with(platform, run_id, received.job, cause, state=state)
        key = f"manifests/failed/{user.name}/m.receipt.json"
        body = user.uploader.read_bytes(user.bucket, key, etag=None, max_bytes=100_000)
        answer = json.loads(body)
        assert answer["outcome"] == state.value
        assert all(word in answer["summary"] for word in words), answer["summary"]
        assert stands(user, upload)


def test_a_run_that_is_found_dead_later_says_nothing_where_the_manifest_has_its_answer(
    user, entry, points, platform
):
    key = f"{user.name}/p.geojson"
    upload = user.manifest([entry])
    dead = receive(platform, upload, str(uuid.uuid4()))
    user.upload(points(2), key)
    assert isinstance(user.run(upload), Committed)
    abandon(platform, dead.job.run_id, "its machine died", RunState.FAILED)
    failed = f"manifests/failed/{user.name}/m.receipt.json"
    assert user.uploader.stat(user.bucket, failed) is None
    known = platform.ledger.batch_of_upload(upload)
    assert known.state is BatchState.COMMITTED
    assert isinstance(user.run(upload), Ended)
