"""The auditor mends what dead runs left, reports what is lost, and leaves the living alone."""

import time
import uuid
from dataclasses import replace

import geopandas
import pytest
import shapely

from libs.audit import FindingKind, audit
from libs.errors import TransientError
from libs.ingest import receive
from libs.models import AssetState, BatchState, RunSchema, RunState

pytestmark = pytest.mark.integration


def points(path):
    geopandas.GeoDataFrame({"n": [1]}, geometry=[shapely.Point(1, 2)], crs="EPSG:4326").to_file(
        path, driver="GPKG"
    )
    return path


@pytest.fixture
def upload(user, tmp_path):
    return user.manifest([user.vector(points(tmp_path / "p.gpkg"), "GPKG")])


def findings(report, word):
    return [item for item in report.findings if word in item.subject]


class NoCommit:
    """The ledger, away just when the batch is to be committed."""

    def __init__(self, ledger):
        self._ledger = ledger

    def __getattr__(self, name):
        return getattr(self._ledger, name)

    def commit(self, *args, **kwargs):
        raise TransientError("the ledger is away")


def test_a_reservation_of_a_failed_run_and_its_object_are_removed(
    user, upload, platform, ledger, vault
):
    broken = replace(user, platform=replace(platform, ledger=NoCommit(ledger)))
    with pytest.raises(TransientError):
        broken.run(upload)
    (pending,) = [a for a in ledger.pending_assets() if a.dataset_id.startswith(user.name)]
    assert vault.stat(pending.s3_bucket, pending.s3_key)

    looked = audit(platform, repair=False)
    assert findings(looked, user.name)[0].kind is FindingKind.PENDING_ASSET
    assert vault.stat(pending.s3_bucket, pending.s3_key)

    report = audit(platform, repair=True)
    assert findings(report, user.name)[0].repaired
    assert not [a for a in ledger.pending_assets() if a.dataset_id.startswith(user.name)]
    assert vault.stat(pending.s3_bucket, pending.s3_key) is None
    assert not findings(audit(platform, repair=True), user.name)


def test_an_object_that_a_dead_run_left_is_removed_and_a_strangers_is_only_reported(
    user, upload, platform, vault, settings
):
    run_id = user.run(upload).assets[0].asset.run_id
    lake = settings.vault.lake_bucket
    ours, strange = f"{user.name}/p/v9/left.parquet", f"{user.name}/stranger.txt"
    vault.put_bytes(lake, ours, b"x", content_type="text/plain", metadata={"run_id": run_id})
    vault.put_bytes(lake, strange, b"x", content_type="text/plain")
    report = audit(platform, repair=True)
    kinds = {item.subject.rsplit("/")[-1]: item for item in findings(report, user.name)}
    assert kinds["left.parquet"].repaired
    assert kinds["stranger.txt"].kind is FindingKind.FOREIGN_OBJECT
    assert vault.stat(lake, ours) is None
    assert vault.stat(lake, strange) is not None
    vault.remove(lake, strange)


def test_a_missing_and_an_altered_object_are_reported_and_never_hidden(
    user, tmp_path, platform, vault, ledger
):
    assets = []
    for name in ("gone", "longer", "same_size"):
        path = points(tmp_path / f"{name}.gpkg")
        upload = user.manifest([user.vector(path, "GPKG")], name=name)
        assets.append(user.run(upload).assets[0].asset)
    gone, longer, same = assets
    vault.remove(gone.s3_bucket, gone.s3_key)
    kept = {"content_type": "x/y", "metadata": longer.object_metadata}
    vault.put_bytes(longer.s3_bucket, longer.s3_key, b"other bytes", **kept)
    kept = {"content_type": "x/y", "metadata": same.object_metadata}
    vault.put_bytes(same.s3_bucket, same.s3_key, b"\0" * same.size_bytes, **kept)

    def kinds(report):
        return {
            asset.dataset_id: item.kind
            for asset in assets
            for item in findings(report, asset.dataset_id)
        }

    loose = kinds(audit(platform, repair=True))
    assert loose == {
        gone.dataset_id: FindingKind.MISSING_OBJECT,
        longer.dataset_id: FindingKind.ALTERED_OBJECT,
    }
    strict = audit(platform, repair=True, verify_bytes=True)
    assert kinds(strict)[same.dataset_id] is FindingKind.ALTERED_OBJECT
    assert not any(item.repaired for item in findings(strict, user.name))
    assert all(ledger.asset(asset.id).state is AssetState.COMMITTED for asset in assets)
    with pytest.raises(Exception, match="missing_object"):
        strict.raise_if_a_person_is_needed()


def test_a_dead_runs_schema_is_dropped_and_a_living_ones_stays(user, upload, platform, compute):
    dead = RunSchema(run_id=str(uuid.uuid4()))
    compute.create_schema(dead)
    received = receive(platform, upload, str(uuid.uuid4()))
    alive = received.job.schema_of(received.items[0])
    compute.create_schema(alive)
    report = audit(platform, repair=True)
    assert findings(report, dead.name)[0].repaired
    assert alive.name in compute.run_schemas()
    assert not findings(report, alive.name)
    compute.drop_schema(alive)


def test_a_run_whose_lease_ran_out_is_failed_and_its_batch_runs_again(
    user, upload, platform, ledger
):
    short = replace(platform, limits=platform.limits.model_copy(update={"lease_s": 1}))
    received = receive(short, upload, str(uuid.uuid4()))
    time.sleep(1.5)
    report = audit(platform, repair=True)
    (found,) = findings(report, received.job.fingerprint)
    assert found.kind is FindingKind.DEAD_RUN
    assert ledger.batch(received.job.fingerprint).state is BatchState.FAILED
    assert ledger.run(received.job.run_id).state is RunState.FAILED
    assert user.run(upload).batch.state is BatchState.COMMITTED


def test_a_batch_that_was_never_answered_is_answered(user, upload, platform, ledger, vault):
    class Away:
        """The vault, away after the commit."""

        def __getattr__(self, name):
            return getattr(vault, name)

        def put_bytes(self, *args, **kwargs):
            raise TransientError("the vault is away")

    cut = replace(user, platform=replace(platform, vault=Away()))
    with pytest.raises(TransientError):
        cut.run(upload)
    (asset,) = ledger.versions(f"{user.name}/p")
    batch = ledger.batch(asset.batch)
    assert batch.state is BatchState.COMMITTED
    assert batch.settled_at is None
    report = audit(platform, repair=True)
    assert any(i.kind is FindingKind.UNSETTLED_BATCH for i in findings(report, batch.id[:12]))
    assert user.receipt(batch)["outcome"] == "committed"
    assert vault.stat(user.bucket, upload.key) is None
