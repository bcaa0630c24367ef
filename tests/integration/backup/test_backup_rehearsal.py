"""The drill: backups taken while batches run, one of them restored into an empty platform."""

from __future__ import annotations

import hashlib
import subprocess
import uuid
from collections import defaultdict

import pytest
import rasterio

from libs.audit import audit
from libs.backup import LakeNotEmptyError, Wishes, restore_backup
from libs.ingest import run_upload
from libs.models import ManifestUpload
from tests.faults.stores import LAKE, LANDING
from tests.integration.backup.conftest import empty_platform, lines

pytestmark = pytest.mark.integration
GAP = 7


@pytest.fixture(scope="module")
def whole(rehearsal, second_stack, tmp_path_factory):
    """The later backup in an empty platform."""
    with empty_platform(second_stack, tmp_path_factory.mktemp("whole")) as made:
        with made.platform() as platform:
            wishes = Wishes(name=rehearsal.later.name, version_gap=GAP)
            report = restore_backup(platform, rehearsal.folder, wishes)
        yield made, report


def documents(rehearsal, report, name):
    return lines(rehearsal.folder / "ledger" / report.name / f"{name}.jsonl")


def test_a_backup_holds_all_that_was_committed_before_it_and_only_whole_batches(rehearsal, source):
    for report in (rehearsal.report, rehearsal.later):
        assets = {item["_id"]: item for item in documents(rehearsal, report, "assets")}
        assert set(rehearsal.before) <= set(assets)
        of_batch = defaultdict(set)
        for item in assets.values():
            assert item["state"] == "committed"
            of_batch[item["batch"]].add(item["_id"])
        batches = {item["_id"]: item for item in documents(rehearsal, report, "batches")}
        for key, batch in batches.items():
            is_committed = batch["state"] == "committed"
            wanted = {file["asset_id"] for file in batch["files"]} if is_committed else set()
            assert of_batch.pop(key, set()) == wanted
        assert not of_batch
        counters = {
            item["_id"]: int(item["last_version"]["$numberInt"])
            for item in documents(rehearsal, report, "datasets")
        }
        for item in assets.values():
            assert counters[item["dataset_id"]] >= int(item["version"]["$numberInt"])
        runs = {item["_id"] for item in documents(rehearsal, report, "runs")}
        assert {item["run_id"] for item in assets.values()} <= runs


def test_a_run_was_at_work_when_the_backups_were_taken(rehearsal, source):
    (batch,) = (
        item
        for item in documents(rehearsal, rehearsal.later, "batches")
        if item["upload"]["key"].startswith(f"manifests/{rehearsal.held}/")
    )
    assert batch["state"] == "running" and batch["lease"]
    pending = {"batch": batch["_id"], "state": "pending"}
    assert source.stores.ledger["assets"].count_documents(pending) == 2


def test_the_second_backup_copies_only_what_the_first_has_not(rehearsal):
    first, later = rehearsal.report, rehearsal.later
    assert first.objects_copied == first.objects > 0
    assert 0 < later.objects_copied == later.objects - first.objects


def test_a_person_can_check_and_read_a_backup_without_this_program(rehearsal, duck):
    for report in (rehearsal.report, rehearsal.later):
        folder = rehearsal.folder / "ledger" / report.name
        for sums in ("SHA256SUMS", "objects.sha256"):
            command = ["sha256sum", "--check", "--quiet", "--strict", sums]
            subprocess.run(command, cwd=folder, check=True)
        for item in documents(rehearsal, report, "assets"):
            path = rehearsal.folder / "objects" / item["s3_key"]
            assert hashlib.sha256(path.read_bytes()).hexdigest() == item["content_hash"]
            if item["kind"] == "vector":
                (count,) = duck.sql(f"SELECT count(*) FROM '{path}'").fetchone()
                assert count == int(item["vector"]["row_count"]["$numberInt"]) == 2
            else:
                with rasterio.open(path) as file:
                    assert (file.width, file.height) == (64, 48)
    assert "restore" in (rehearsal.folder / "README.txt").read_text()


def test_the_auditor_finds_nothing_in_the_restored_platform(whole, rehearsal):
    made, report = whole
    with made.platform() as platform:
        found = audit(platform, repair=False, verify_bytes=True)
    assert not found.findings
    assert found.assets_checked == found.objects_checked == rehearsal.later.objects
    assert report.objects_restored == rehearsal.later.objects and report.losses_count == 0


def test_every_restored_document_has_its_object_with_its_bytes_and_links(whole, source):
    made, _ = whole
    assets = made.collection("assets")
    assert {item["s3_key"] for item in assets.values()} == set(made.stores.keys(LAKE))
    for asset in assets.values():
        found = made.stores.object(LAKE, asset["s3_key"])
        original = source.stores.object(LAKE, asset["s3_key"])
        assert hashlib.sha256(found.body).hexdigest() == asset["content_hash"]
        assert found.metadata == original.metadata
        assert found.metadata["mongodb_doc_id"] == asset["_id"]
        types = [
            place.stores.vault.stat_object(LAKE, asset["s3_key"]).content_type
            for place in (made, source)
        ]
        assert types[0] == types[1]
    assert assets == {
        key: item for key, item in source.collection("assets").items() if key in assets
    }


def test_restored_documents_are_the_ones_that_were_backed_up(whole, source):
    made, _ = whole
    for name in ("batches", "runs"):
        originals = source.collection(name)
        for key, item in made.collection(name).items():
            if name == "batches" and item["state"] == "committed":
                assert item["settled_at"]
                assert item == {**originals[key], "settled_at": item["settled_at"]}
            elif name == "runs" and item["state"] == "committed":
                assert item["stages"][:5] == originals[key]["stages"][:5]
    assert made.collection("migrations") == source.collection("migrations")


def test_nothing_is_half_there_and_what_was_at_work_has_ended_with_a_reason(whole, rehearsal):
    made, report = whole
    assert {item["state"] for item in made.collection("assets").values()} == {"committed"}
    batches = made.collection("batches")
    assert {item["state"] for item in batches.values()} <= {"committed", "failed"}
    assert not any(item["lease"] for item in batches.values())
    failed = [item for item in batches.values() if item["state"] == "failed"]
    assert len(failed) == report.batches_ended >= 1
    for item in failed:
        assert "restored from the backup" in item["error"]
        name = item["upload"]["key"].removeprefix("manifests/").removesuffix(".json")
        answer = made.stores.receipt(f"manifests/failed/{name}.receipt.json")
        assert answer["outcome"] == "failed"
    runs = made.collection("runs")
    assert "running" not in {item["state"] for item in runs.values()}
    for item in runs.values():
        if item["state"] == "committed":
            assert batches[item["batch"]]["state"] == "committed"


def test_each_dataset_knows_its_newest_version_and_gives_none_out_again(whole, source):
    made, _ = whole
    versions = defaultdict(dict)
    for asset in made.collection("assets").values():
        versions[asset["dataset_id"]][asset["version"]] = asset["_id"]
    counters = source.collection("datasets")
    for key, dataset in made.collection("datasets").items():
        known = versions.get(key, {})
        assert dataset["current_version"] == max(known, default=None)
        assert dataset["current_asset_id"] == known.get(dataset["current_version"])
        assert dataset["last_version"] >= max([*known, 0]) + GAP
        assert dataset["last_version"] <= counters[key]["last_version"] + GAP


def run_again(made, source, key, project_folder):
    """Upload what the source's landing zone has of a submission, and run it."""
    names = source.stores.keys(LANDING, project_folder)
    for name in [*names, key]:
        made.stores.put(name, source.stores.object(LANDING, name).body)
    seen = ManifestUpload(**made.stores.upload_of(key))
    with made.platform() as platform:
        return run_upload(platform, seen, str(uuid.uuid4()))


def test_the_batch_that_was_at_work_can_be_submitted_again_and_gets_new_versions(
    whole, rehearsal, source
):
    made, _ = whole
    name = rehearsal.held
    (before,) = (
        item for item in made.collection("batches").values()
        if item["upload"]["key"] == f"manifests/{name}/1.json"
    )  # fmt: skip
    done = run_again(made, source, f"manifests/{name}/1.json", f"{name}/1/")
    assert done.batch.id == before["_id"], "the very same submission"
    assert done.batch.fence == before["fence"] + 1 > 1000
    assert [item.asset.version for item in done.assets] == [1 + GAP + 1] * 2
    with made.platform() as platform:
        assert not audit(platform, repair=False, verify_bytes=True).findings


def test_a_lake_with_objects_is_not_restored_into(whole, rehearsal):
    made, _ = whole
    with made.platform() as platform, pytest.raises(LakeNotEmptyError, match=LAKE):
        restore_backup(platform, rehearsal.folder, Wishes())
