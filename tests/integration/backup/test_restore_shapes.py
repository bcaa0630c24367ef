"""What a restore refuses, what it makes of other shapes, and who works meanwhile: nobody."""

from __future__ import annotations

import hashlib
import json
import shutil
import uuid

import pytest

from libs.audit import audit
from libs.backup import NewerBackupError, OtherLakeError, Wishes, restore_backup
from libs.cli.queries import Registry
from libs.errors import TransientError
from libs.ingest import receive, run_upload
from libs.ledger import LedgerNotEmptyError, LedgerRestoringError
from libs.models import ManifestUpload, Restore, Run, utc_now
from tests.faults.stores import LAKE, LANDING
from tests.integration.backup.conftest import lines, newest, place

pytestmark = pytest.mark.integration


def test_a_lake_of_another_name_is_refused(rehearsal, target):
    other = place(target.env, target.file.parent, MINIO_LAKE_BUCKET=LANDING)
    other.stores.close()
    with other.platform() as platform, pytest.raises(OtherLakeError, match=LAKE):
        restore_backup(platform, rehearsal.folder, Wishes())


def test_a_ledger_with_documents_is_not_restored_into(rehearsal, second_stack, target):
    run = Run(id=str(uuid.uuid4()), manifest_key="manifests/x.json", started_at=utc_now())
    with target.platform() as platform:
        platform.ledger.start_run(run)
        with pytest.raises(LedgerNotEmptyError, match="'runs'"):
            platform.ledger.begin_restore(a_restore())


def a_restore(**changes):
    return Restore(
        id="a" * 64,
        backup="2026-01-01T00-00-00Z",
        taken_at=utc_now(),
        version_gap=1,
        begun_at=utc_now(),
        **changes,
    )


def test_nobody_works_on_a_ledger_that_is_being_restored(target):
    key = "manifests/waits/m.json"
    target.stores.put(key, json.dumps({}).encode())
    seen = ManifestUpload(**target.stores.upload_of(key))
    with target.platform() as platform:
        platform.ledger.begin_restore(a_restore())
        for work in (
            lambda: receive(platform, seen, str(uuid.uuid4())),
            lambda: run_upload(platform, seen, str(uuid.uuid4())),
            lambda: audit(platform, repair=True),
            platform.ledger.migrate,
            platform.check,
            lambda: Registry.connect(target.settings).__enter__(),
        ):
            with pytest.raises(LedgerRestoringError, match="2026-01-01T00-00-00Z") as caught:
                work()
            assert isinstance(caught.value, TransientError)
        assert not target.collection("runs") and not target.collection("batches")
        platform.ledger.end_restore("a" * 64)
        assert not audit(platform, repair=True).findings
    (restored,) = target.collection("restores").values()
    assert restored["ended_at"]


def test_the_sensor_starts_nothing_on_a_ledger_that_is_being_restored(target):
    from dagster import DagsterInstance, RunRequest, SkipReason, build_sensor_context

    from etl_pipelines.sensors.manifest_sensor import build_manifest_sensor

    target.stores.put("manifests/waits.json", b"{}")
    with target.platform() as platform, DagsterInstance.ephemeral() as instance:

        def tick():
            tick_of = build_manifest_sensor(platform.limits)
            context = build_sensor_context(
                instance=instance, resources={"platform": Resource(platform)}
            )
            return list(tick_of(context))

        platform.ledger.begin_restore(a_restore())
        (skipped,) = tick()
        assert isinstance(skipped, SkipReason) and "restored" in skipped.skip_message
        platform.ledger.end_restore("a" * 64)
        assert [type(item) for item in tick()] == [RunRequest]


class Resource:
    """What Dagster hands to the sensor."""

    def __init__(self, platform):
        self._platform = platform

    def get(self):
        return self._platform


def test_a_backup_of_a_newer_shape_is_refused_with_its_release(rehearsal, target, tmp_path):
    copy = tmp_path / "newer"
    shutil.copytree(rehearsal.folder, copy)
    path = newest(copy) / "index.json"
    index = json.loads(path.read_text())
    index["migrations"].append("999_future")
    index["release"] = "9.9.9"
    path.write_text(json.dumps(index))
    with target.platform() as platform, pytest.raises(NewerBackupError, match=r"9\.9\.9"):
        restore_backup(platform, copy, Wishes())


def test_documents_of_an_older_shape_are_brought_up_to_date(rehearsal, target, tmp_path):
    folder = tmp_path / "older"
    shutil.copytree(rehearsal.folder, folder)
    backup = newest(folder)
    runs = [without(item, "worker") for item in lines(backup / "runs.jsonl")]
    datasets = lines(backup / "datasets.jsonl")
    rungs = {item["_id"]: int(item["rung"]["$numberInt"]) for item in datasets}
    assert rungs
    first = [without(item, "release") for item in lines(backup / "migrations.jsonl")][:1]
    older = {"datasets": [without(item, "rung") for item in datasets]}
    rewrite(backup, {"runs": runs, "migrations": first, **older})
    with target.platform() as platform:
        report = restore_backup(platform, folder, Wishes())
        assert report.migrations == ("002_workers", "003_shared_steps", "004_rungs")
        assert not audit(platform, repair=False).findings
    restored = target.collection("runs").values()
    assert len(restored) == len(runs) and all(item["worker"] is None for item in restored)
    applied = target.collection("migrations")
    assert sorted(applied) == ["001_first_shape", *report.migrations]
    assert {key: it["rung"] for key, it in target.collection("datasets").items()} == rungs
    validators = {it["name"]: it["options"] for it in target.stores.ledger.list_collections()}
    assert validators["runs"]["validationLevel"] == "strict"


def without(document, field):
    return {name: value for name, value in document.items() if name != field}


def rewrite(backup, collections):
    """Write a backup's files anew, as if the ledger had held these documents."""
    path = backup / "index.json"
    index = json.loads(path.read_text())
    for name, documents in collections.items():
        data = "".join(json.dumps(item) + "\n" for item in documents).encode()
        (backup / f"{name}.jsonl").write_bytes(data)
        index["files"][f"{name}.jsonl"] = {
            "lines": len(documents),
            "size_bytes": len(data),
            "sha256": hashlib.sha256(data).hexdigest(),
        }
    index["migrations"] = [item["_id"] for item in lines(backup / "migrations.jsonl")]
    path.write_text(json.dumps(index))
