"""One result for one submission, all or nothing; bad data is the user's fault, the rest ours."""

import threading
import time
import uuid
from dataclasses import replace

import geopandas
import pytest
import shapely

from libs.errors import SpatialEtlError, TransientError
from libs.ingest import BatchRejectedError, Committed, Ended, ManifestGoneError, receive
from libs.models import BatchState, RunState
from libs.settings import VaultSettings
from libs.vault import Vault

pytestmark = pytest.mark.integration


def points(path, count=3, shift=0.0):
    frame = geopandas.GeoDataFrame(
        {"n": range(count)},
        geometry=[shapely.Point(n + shift, n) for n in range(count)],
        crs="EPSG:4326",
    )
    frame.to_file(path, driver="GPKG")
    return path


def rejected(user, upload):
    with pytest.raises(BatchRejectedError) as caught:
        user.run(upload)
    return caught.value


def test_the_same_submission_twice_is_one_version(user, tmp_path, ledger):
    files = [user.vector(points(tmp_path / "p.gpkg"), "GPKG")]
    assert isinstance(user.run(user.manifest(files)), Committed)
    again = user.run(user.manifest(files))
    assert isinstance(again, Ended)
    assert again.batch.state is BatchState.COMMITTED
    assert [asset.version for asset in ledger.versions(f"{user.name}/p")] == [1]


def test_the_same_manifest_over_a_changed_file_is_the_next_version(user, tmp_path, ledger):
    path = tmp_path / "p.gpkg"
    user.run(user.manifest([user.vector(points(path), "GPKG")]))
    path.unlink()
    time.sleep(1)  # the vault's times are whole seconds, and within one it is the same upload
    user.run(user.manifest([user.vector(points(path, shift=5), "GPKG")]))
    assert sorted(asset.version for asset in ledger.versions(f"{user.name}/p")) == [1, 2]


def test_eight_submissions_to_one_dataset_at_once_are_versions_1_to_8(user, tmp_path, ledger):
    uploads = []
    for number in range(8):
        path = points(tmp_path / f"p{number}.gpkg", shift=number)
        files = [user.vector(path, "GPKG", dataset="shared")]
        uploads.append(user.manifest(files, name=f"m{number}"))
    failures = []

    def run(upload):
        try:
            user.run(upload)
        except SpatialEtlError as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(upload,)) for upload in uploads]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    versions = sorted(asset.version for asset in ledger.versions(f"{user.name}/shared"))
    assert versions == list(range(1, 9))


def test_a_bad_manifest_is_recorded_with_every_problem_and_answered(user, ledger, uploader_vault):
    upload = user.put_manifest(b'{"batch_id": "x", "files": [], "colour": 1}')
    error = rejected(user, upload)
    places = {problem.where for problem in error.problems}
    assert places >= {"files", "colour", "uploader", "intent", "metadata"}
    batch = ledger.batch(error.batch.id)
    assert batch.state is BatchState.REJECTED
    assert batch.manifest == b'{"batch_id": "x", "files": [], "colour": 1}'
    receipt = user.receipt(batch)
    assert {problem["where"] for problem in receipt["problems"]} == places
    assert uploader_vault.stat(user.bucket, upload.key) is None


def test_one_bad_file_rejects_the_batch(user, tmp_path, ledger):
    bad = tmp_path / "bad.gpkg"
    bad.write_bytes(b"this is no database")
    files = [user.vector(points(tmp_path / "p.gpkg"), "GPKG"), user.vector(bad, "GPKG")]
    error = rejected(user, user.manifest(files))
    assert "bad.gpkg" in str(error)
    assert ledger.versions(f"{user.name}/p") == ()
    receipt = user.receipt(error.batch)
    assert [file["outcome"] for file in receipt["files"]] == ["rejected", "rejected"]
    assert receipt["files"][1]["problems"]


def test_skip_file_commits_what_is_good_and_names_what_is_not(user, tmp_path):
    bad = tmp_path / "bad.gpkg"
    bad.write_bytes(b"this is no database")
    files = [
        user.vector(points(tmp_path / "p.gpkg"), "GPKG"),
        user.vector(bad, "GPKG"),
        {
            **user.vector(tmp_path / "p.gpkg", "GPKG", dataset="q"),
            "path": "s3://landing-zone/no.gpkg",
        },
    ]
    committed = user.run(user.manifest(files, on_error="skip_file"))
    receipt = user.receipt(committed.batch)
    assert [file["outcome"] for file in receipt["files"]] == ["committed", "skipped", "skipped"]
    assert all(file["problems"] for file in receipt["files"][1:])


def test_skip_file_with_nothing_good_left_rejects(user, tmp_path):
    bad = tmp_path / "bad.gpkg"
    bad.write_bytes(b"this is no database")
    error = rejected(user, user.manifest([user.vector(bad, "GPKG")], on_error="skip_file"))
    assert user.receipt(error.batch)["outcome"] == "rejected"


def test_a_file_that_is_missing_rejects_before_any_work(user, ledger):
    files = [{
        "path": f"s3://{user.bucket}/{user.name}/never.gpkg", "type": "vector", "format": "GPKG",
        "crs": "EPSG:4326",
    }]  # fmt: skip
    error = rejected(user, user.manifest(files))
    assert "not in the bucket" in str(error)
    assert ledger.batch(error.batch.id).fence == 0


def test_a_shapefile_without_its_dbf_is_rejected(user, tmp_path):
    geopandas.GeoDataFrame({"n": [1]}, geometry=[shapely.Point(1, 1)], crs="EPSG:4326").to_file(
        tmp_path / "r.shp"
    )
    user.upload(tmp_path / "r.shx")
    error = rejected(user, user.manifest([user.vector(tmp_path / "r.shp", "ESRI Shapefile")]))
    assert ".dbf" in str(error)


def test_a_declared_crs_that_the_file_contradicts_is_an_error_naming_both(user, tmp_path):
    files = [user.vector(points(tmp_path / "p.gpkg"), "GPKG", crs="EPSG:32633")]
    error = rejected(user, user.manifest(files))
    assert "32633" in str(error)
    assert "4326" in str(error) or "WGS 84" in str(error)


def test_a_manifest_that_is_gone_is_said_clearly(user, uploader_vault):
    upload = user.put_manifest(b"{}")
    uploader_vault.remove(user.bucket, upload.key)
    with pytest.raises(ManifestGoneError, match="removed or replaced"):
        user.run(upload)


def test_a_servers_hiccup_is_never_the_users_error(user, tmp_path, platform, settings, ledger):
    upload = user.manifest([user.vector(points(tmp_path / "p.gpkg"), "GPKG")])
    nowhere = VaultSettings(
        endpoint="127.0.0.1:9", access_key="nobody", secret_key="nothing", timeout_s=2
    )
    cut_off = replace(user, platform=replace(platform, vault=Vault.connect(nowhere)))
    run_id = str(uuid.uuid4())
    with pytest.raises(TransientError):
        cut_off.run(upload, run_id)
    assert ledger.run(run_id).state is RunState.FAILED
    assert isinstance(user.run(upload), Committed)


def test_a_run_that_failed_is_run_again_with_its_own_version(user, tmp_path, platform, ledger):
    upload = user.manifest([user.vector(points(tmp_path / "p.gpkg"), "GPKG")])

    class NoCommit:
        def __getattr__(self, name):
            return getattr(platform.ledger, name)

        def commit(self, *args, **kwargs):
            raise TransientError("the ledger is away")

    broken = replace(user, platform=replace(platform, ledger=NoCommit()))
    for _ in range(3):
        with pytest.raises(TransientError):
            broken.run(upload)
        assert ledger.versions(f"{user.name}/p") == ()
    committed = user.run(upload)
    assert committed.batch.fence == 4
    assert [asset.version for asset in ledger.versions(f"{user.name}/p")] == [1]


def test_two_runs_of_one_batch_at_once_commit_once(user, tmp_path, platform, ledger):
    upload = user.manifest([user.vector(points(tmp_path / "p.gpkg"), "GPKG")])
    received = receive(platform, upload, str(uuid.uuid4()))
    run_id = str(uuid.uuid4())
    with pytest.raises(TransientError, match=received.job.run_id):
        user.run(upload, run_id)
    assert ledger.run(run_id).state is RunState.NOTHING_TO_DO
    assert ledger.versions(f"{user.name}/p") == ()
