"""The whole way, as its users have it: bucket in, sensor, run, lake and ledger, Dagster's page."""

import json
import os
import signal
import time

import geopandas
import psutil
import pytest
import shapely

from libs.models import AssetState, BatchState, RunState
from tests.e2e.crowds import crowd

pytestmark = pytest.mark.e2e


def points(path, count=5, shift=0.0):
    frame = geopandas.GeoDataFrame(
        {"n": range(count)},
        geometry=[shapely.Point(n + shift, n) for n in range(count)],
        crs="EPSG:4326",
    )
    frame.to_file(path, driver="GPKG")
    return path


def entry(person, path, driver="GPKG", **more):
    return {
        "path": person.upload(path), "type": "vector", "format": driver, "crs": "EPSG:4326", **more,
    }  # fmt: skip


@pytest.fixture(scope="module")
def long_work(tmp_path_factory):
    """A file that keeps a run busy for long enough to be met at work."""
    return crowd(tmp_path_factory.mktemp("crowd") / "crowd.fgb", 120_000)


def metadata(materialization):
    return {item["label"]: item for item in materialization["metadataEntries"]}


def wait_until(condition, timeout_s=60):
    until = time.monotonic() + timeout_s
    while time.monotonic() < until:
        value = condition()
        if value:
            return value
        time.sleep(0.3)
    raise AssertionError(f"not so after {timeout_s} s")


def test_a_small_file_is_committed_within_seconds_and_shows_on_dagsters_page(
    person, page, platform, tmp_path, record_property
):
    files = [entry(person, points(tmp_path / "places.gpkg"))]
    started = time.monotonic()
    key = person.manifest(files)
    run_key = person.run_key(key)
    receipt = person.receipt(key)
    seconds = time.monotonic() - started
    record_property("manifest_to_receipt_s", round(seconds, 2))
    assert receipt["outcome"] == "committed"
    assert seconds < 30

    (run,) = page.runs_of(run_key)
    assert page.wait(run["runId"]) == "SUCCESS"
    (shown,) = page.materializations([person.name, "places"])
    told = metadata(shown)
    asset = platform.ledger.asset(receipt["files"][0]["asset_id"])
    assert asset.state is AssetState.COMMITTED
    assert told["content_hash"]["text"] == asset.content_hash
    assert told["dagster/row_count"]["intValue"] == 5
    assert told["s3_uri"]["path"] == asset.uri
    assert json.loads(told["bounds"]["jsonString"])["max_x"] == 4
    assert "data:image/png;base64," in told["picture"]["mdStr"]
    assert "transform" in told["stages"]["mdStr"]


def test_only_json_files_right_below_manifests_are_seen(person, page, tmp_path):
    body = b"{}"
    for key in (f"manifests/{person.name}.txt", f"manifests/{person.name}/m.json",
                f"other/{person.name}.json"):  # fmt: skip
        person.put(key, body)
    last = person.put(f"manifests/{person.name}.json", body)
    assert person.receipt(last)["outcome"] == "rejected"
    time.sleep(6)
    for key in (f"manifests/{person.name}.txt", f"manifests/{person.name}/m.json",
                f"other/{person.name}.json"):  # fmt: skip
        assert page.runs_of(person.run_key(key)) == []


def test_a_bad_manifest_fails_its_run_with_every_reason_and_does_not_come_again(person, page):
    key = person.put(f"manifests/{person.name}.json", b'{"files": 3}')
    run_key = person.run_key(key)
    receipt = person.receipt(key)
    assert receipt["outcome"] == "rejected"
    assert len(receipt["problems"]) >= 4
    (run,) = page.runs_of(run_key)
    assert page.wait(run["runId"]) == "FAILURE"
    time.sleep(12)
    assert len(page.runs_of(run_key)) == 1


def test_the_next_good_batch_runs_after_a_bad_one(person, tmp_path):
    bad = person.put(f"manifests/{person.name}-bad.json", b"no json at all")
    good = person.manifest([entry(person, points(tmp_path / "p.gpkg"))], name="good")
    assert person.receipt(bad)["outcome"] == "rejected"
    assert person.receipt(good)["outcome"] == "committed"


def test_a_run_reexecuted_three_times_from_the_page_changes_nothing(
    person, page, platform, tmp_path
):
    key = person.manifest([entry(person, points(tmp_path / "p.gpkg"))])
    run_key = person.run_key(key)
    person.receipt(key)
    (run,) = page.runs_of(run_key)
    page.wait(run["runId"])
    for _ in range(3):
        again = page.reexecute(run["runId"])
        assert page.wait(again) == "SUCCESS"
        assert platform.ledger.run(again).state is RunState.NOTHING_TO_DO
    assert [a.version for a in platform.ledger.versions(f"{person.name}/p")] == [1]


def test_a_cancelled_run_leaves_a_truthful_ledger_and_can_be_run_again(
    person, page, platform, long_work
):
    key = person.manifest([entry(person, long_work, "FlatGeobuf")])
    run_key = person.run_key(key)
    run_id = wait_until(lambda: page.runs_of(run_key))[0]["runId"]
    wait_until(lambda: schemas_of(run_id, platform))
    page.terminate(run_id)
    assert page.wait(run_id) == "CANCELED"
    record = wait_until(
        lambda: (run := platform.ledger.run(run_id)).state is RunState.CANCELLED and run
    )
    assert platform.ledger.batch(record.batch).state is BatchState.CANCELLED
    wait_until(lambda: not schemas_of(run_id, platform))
    assert platform.ledger.versions(f"{person.name}/crowd") == ()

    again = page.reexecute(run_id)
    assert page.wait(again, timeout_s=180) == "SUCCESS"
    assert person.receipt(key)["outcome"] == "committed"
    assert [a.version for a in platform.ledger.versions(f"{person.name}/crowd")] == [1]


def test_a_run_that_is_killed_is_noticed_cleaned_up_and_tried_again(
    person, page, platform, long_work
):
    key = person.manifest([entry(person, long_work, "FlatGeobuf")])
    run_key = person.run_key(key)
    run_id = wait_until(lambda: page.runs_of(run_key))[0]["runId"]
    wait_until(lambda: schemas_of(run_id, platform))
    os.kill(worker_of(run_id, page), signal.SIGKILL)
    assert page.wait(run_id, timeout_s=120) == "FAILURE"
    wait_until(lambda: platform.ledger.run(run_id).state is RunState.FAILED)
    wait_until(lambda: not schemas_of(run_id, platform))
    assert person.receipt(key, timeout_s=180)["outcome"] == "committed"
    assert len(page.runs_of(run_key)) == 2
    assert [a.version for a in platform.ledger.versions(f"{person.name}/crowd")] == [1]


def schemas_of(run_id: str, platform) -> list[str]:
    """What the run has in PostGIS now."""
    digits = run_id.replace("-", "")
    return [name for name in platform.compute.run_schemas() if digits in name]


def worker_of(run_id: str, page) -> int:
    """The process that Dagster started for a run, by the id it wrote into the event log."""
    data = page.ask(
        """query($id: ID!) { logsForRun(runId: $id) { ... on EventConnection { events {
          ... on MessageEvent { message } } } } }""",
        id=run_id,
    )
    for event in data["logsForRun"]["events"]:
        for word in event["message"].replace(")", " ").replace(".", " ").split():
            if word.isdigit() and psutil.pid_exists(int(word)) and int(word) > 1:
                return int(word)
    raise AssertionError("the run's process is not named in its log")


def test_eight_submissions_to_one_dataset_at_once_are_versions_1_to_8(person, platform, tmp_path):
    keys = []
    for number in range(8):
        path = points(tmp_path / f"p{number}.gpkg", shift=number)
        keys.append(person.manifest([entry(person, path, dataset="one")], name=f"n{number}"))
    receipts = [person.receipt(key, timeout_s=180) for key in keys]
    assert {receipt["outcome"] for receipt in receipts} == {"committed"}
    versions = sorted(asset.version for asset in platform.ledger.versions(f"{person.name}/one"))
    assert versions == list(range(1, 9))


def test_the_sensors_and_the_schedule_are_on(page):
    data = page.ask(
        """{ workspaceOrError { ... on Workspace { locationEntries { locationOrLoadError {
          ... on RepositoryLocation { repositories {
            jobs { name } sensors { name sensorState { status } }
            schedules { name scheduleState { status } } } }
          ... on PythonError { message } } } } } }"""
    )
    (location,) = data["workspaceOrError"]["locationEntries"]
    (repository,) = location["locationOrLoadError"]["repositories"]
    assert {job["name"] for job in repository["jobs"]} >= {"ingest", "audit"}
    states = {s["name"]: s["sensorState"]["status"] for s in repository["sensors"]}
    assert set(states) == {
        "manifest_sensor", "failed_run_sensor", "cancelled_run_sensor", "silent_run_sensor",
    }  # fmt: skip
    assert set(states.values()) == {"RUNNING"}
    (schedule,) = repository["schedules"]
    assert schedule["scheduleState"]["status"] == "RUNNING"
