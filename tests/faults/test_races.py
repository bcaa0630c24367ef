"""Several runs, users and auditors at the same time; and what is replaced under a run's feet."""

from __future__ import annotations

import json
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from tests.faults.cases import Case, submit
from tests.faults.checker import Submitted, Violation, check_all
from tests.faults.engine import Verdict, audit, heal, quiet, start_run
from tests.faults.lane import Ending
from tests.faults.reader import Reader
from tests.faults.stores import LANDING

pytestmark = [pytest.mark.faults, pytest.mark.timeout(600)]

BUGS_THAT_NEED_A_RACE = ("version_read_then_added",)
CROWD = 20


def a_run(lane, case, submitted, moment=quiet) -> Ending:
    child = start_run(lane, case, submitted, str(uuid.uuid4()), points=moment is not quiet)
    return child.follow(moment)


def verdict(case, violations, first=None) -> Verdict:
    return Verdict(case, first or Ending("done"), True, 1, 0.0, violations)


@pytest.fixture(autouse=True)
def clean(lane):
    yield
    lane.restore()
    lane.stores.wipe()


def crowd(lane, case: Case, dataset: str, count: int) -> tuple[list[Ending], list[Submitted]]:
    """So many users submit to one dataset, and all of their runs go on at once."""
    handed_in = [submit_to(lane, case, dataset, number) for number in range(count)]
    children = [start_run(lane, case, submitted, str(uuid.uuid4())) for submitted in handed_in]
    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(lambda child: child.follow(quiet, 300), children)), handed_in


def submit_to(lane, case: Case, dataset: str, number: int) -> Submitted:
    """A file of one point into the same dataset; each one another."""
    name = f"u{number}-{uuid.uuid4().hex[:8]}"
    feature = {
        "type": "Feature",
        "properties": {"n": number},
        "geometry": {"type": "Point", "coordinates": [number / 10, 50]},
    }
    body = json.dumps({"type": "FeatureCollection", "features": [feature]}).encode()
    source, key = f"{name}/a.geojson", f"manifests/{name}.json"
    lane.stores.put(source, body)
    file = {"path": f"s3://{LANDING}/{source}", "type": "vector", "format": "GeoJSON"}
    project, slug = dataset.split("/")
    manifest = {
        "batch_id": name,
        "uploader": "ana@example.org",
        "intent": "ingest_vector",
        "files": [{**file, "crs": "EPSG:4326", "dataset": slug}],
        "metadata": {"project": project, "description": str(case)},
    }
    lane.stores.put(key, json.dumps(manifest).encode())
    return Submitted(key, {source: body}, {dataset: [number]})


def test_two_runs_of_one_batch_at_once_commit_it_once(lane, record):
    case = Case("two runs at once")
    verdicts = []
    for _ in range(3):
        submitted = submit(lane, case, f"two-{uuid.uuid4().hex[:8]}")
        with Reader(lane.stores, submitted) as reader, ThreadPoolExecutor(2) as pool:
            children = [start_run(lane, case, submitted, str(uuid.uuid4())) for _ in range(2)]
            list(pool.map(lambda child: child.follow(quiet), children))
            heal(lane, case, submitted)
        audit(lane, case)
        verdicts.append(verdict(case, check_all(lane.stores, submitted) + reader.violations))
    record(verdicts)


def test_a_crowd_of_batches_for_one_dataset_gets_versions_without_gap_or_twin(lane, record):
    case = Case("20 batches, one dataset")
    endings, handed_in = crowd(lane, case, "crowd/one", CROWD)
    for submitted in handed_in:
        heal(lane, case, submitted)
    assert audit(lane, case).kind == "done"
    committed = list(lane.stores.ledger["assets"].find({"dataset_id": "crowd/one"}))
    assert sorted(asset["version"] for asset in committed) == list(range(1, CROWD + 1))
    violations = [v for submitted in handed_in for v in check_all(lane.stores, submitted)]
    record([verdict(case, violations, endings[0])])


@pytest.mark.parametrize("bug", BUGS_THAT_NEED_A_RACE)
def test_a_planted_race_is_caught(lane, record_catch, bug):
    case = Case("planted", bugs=(bug,))
    index = lane.stores.ledger["assets"].index_information()
    name = next(n for n, i in index.items() if i["key"] == [("dataset_id", 1), ("version", 1)])
    lane.stores.ledger["assets"].drop_index(name)
    try:
        _, handed_in = crowd(lane, case, "crowd/two", 6)
        checks = sorted({v.check for s in handed_in for v in check_all(lane.stores, s)})
    finally:
        lane.stores.wipe()
        lane.stores.ledger["assets"].create_index(
            [("dataset_id", 1), ("version", 1)], unique=True, name=name
        )
    record_catch(f"{bug}, and no unique index", "6 batches for one dataset", checks)
    assert "versions_are_given_once" in checks


def test_the_same_manifest_uploaded_twice_is_one_result(lane, record):
    case = Case("the same manifest twice")
    submitted = submit(lane, case, "same")
    body = lane.stores.object(LANDING, submitted.key).body
    assert a_run(lane, case, submitted).kind == "done"
    lane.stores.put(submitted.key, body)
    again = a_run(lane, case, submitted)
    assert (again.kind, again.message) == ("done", "Ended")
    record([verdict(case, check_all(lane.stores, submitted), again)])


def test_a_file_replaced_under_a_run_is_taken_by_the_next_try_in_a_batch_of_its_own(lane, record):
    case = Case("a file replaced mid-run")
    submitted = submit(lane, case, "swap")
    key = "swap/a.geojson"
    other = submitted.sources[key].replace(b'"n": 1,', b'"n": 7,').replace(b'"n": 1}', b'"n": 7}')
    assert other != submitted.sources[key]

    def replace_it(moment: str, _pid: int) -> str:
        if moment == "receive.ended":
            lane.stores.put(key, other)
        return ""

    first = a_run(lane, case, submitted, replace_it)
    assert first.kind == "failed"
    assert key in first.message
    assert "replaced" in first.message
    assert heal(lane, case, submitted) == 1
    batches = list(lane.stores.ledger["batches"].find({"upload.key": submitted.key}))
    assert sorted(batch["state"] for batch in batches) == ["committed", "failed"]
    sources, values = {**submitted.sources, key: other}, dict(submitted.values)
    values["swap/a"] = [7 if n == 1 else n for n in values["swap/a"]]
    violations = check_all(lane.stores, replace(submitted, sources=sources, values=values))
    record([verdict(case, [v for v in violations if v.check != "ended_once"], first)])


def test_a_manifest_replaced_under_a_run_is_a_batch_of_its_own(lane, record):
    case = Case("a manifest replaced mid-run")
    submitted = submit(lane, case, "edit")
    first_body = json.loads(lane.stores.object(LANDING, submitted.key).body)
    second_body = {**first_body, "batch_id": "edited"}

    def replace_it(moment: str, _pid: int) -> str:
        if moment == "transform.started":
            lane.stores.put(submitted.key, json.dumps(second_body).encode())
        return ""

    first = a_run(lane, case, submitted, replace_it)
    assert first.kind == "done"
    assert lane.stores.has_landing(submitted.key), "the new manifest was taken away unread"
    assert heal(lane, case, submitted) == 1
    batches = list(lane.stores.ledger["batches"].find({}))
    assert sorted(batch["batch_id"] for batch in batches) == ["edit", "edited"]
    assert {batch["state"] for batch in batches} == {"committed"}
    versions = [a["version"] for a in lane.stores.ledger["assets"].find({"dataset_id": "edit/a"})]
    assert sorted(versions) == [1, 2]
    assert audit(lane, case).findings == ()
    record([verdict(case, [], first)])


def test_a_manifest_replaced_before_it_is_read_starts_nothing(lane):
    case = Case("replaced before it is read")
    submitted = submit(lane, case, "early")
    body = json.loads(lane.stores.object(LANDING, submitted.key).body)
    changed = json.dumps({**body, "batch_id": "later"}).encode()

    def replace_it(moment: str, _pid: int) -> str:
        if moment == "receive.run-recorded":
            lane.stores.put(submitted.key, changed)
        return ""

    first = a_run(lane, case, submitted, replace_it)
    assert "removed or replaced" in first.message
    assert lane.stores.ledger["batches"].count_documents({}) == 0
    assert heal(lane, case, submitted) == 1
    [batch] = lane.stores.ledger["batches"].find({})
    assert (batch["batch_id"], batch["state"]) == ("later", "committed")


def test_an_auditor_at_work_all_the_time_disturbs_no_run(lane, record):
    case = Case("audits during runs")
    done = threading.Event()
    audits: list[Ending] = []

    def keep_auditing() -> None:
        while not done.is_set():
            audits.append(audit(lane, case))

    auditor = threading.Thread(target=keep_auditing)
    auditor.start()
    verdicts = []
    try:
        for number in range(4):
            submitted = submit(lane, case, f"calm{number}-{uuid.uuid4().hex[:6]}")
            with Reader(lane.stores, submitted) as reader:
                ending = a_run(lane, case, submitted)
            found = [*reader.violations]
            if ending.kind != "done":
                found.append(Violation("audits_are_safe", f"{ending.kind}: {ending.message}"))
            verdicts.append(verdict(case, found, ending))
    finally:
        done.set()
        auditor.join()
    assert len(audits) > 3
    bad = [ending for ending in audits if ending.kind != "done" or ending.findings]
    assert not bad, bad[:3]
    verdicts[-1].violations += check_all(lane.stores, submitted)
    record(verdicts)


def test_a_dataset_can_be_read_while_its_next_version_commits(lane, record):
    case = Case("read during a commit")
    dataset = "busy/one"
    first = submit_to(lane, case, dataset, 1)
    assert a_run(lane, case, first).kind == "done"
    done, faults, reads = threading.Event(), [], []

    def keep_reading() -> None:
        while not done.is_set():
            current = lane.stores.ledger["datasets"].find_one({"_id": dataset})
            asset = lane.stores.ledger["assets"].find_one({"_id": current["current_asset_id"]})
            found = lane.stores.object(asset["s3_bucket"], asset["s3_key"])
            reads.append(asset["version"])
            if asset["state"] != "committed" or found is None:
                faults.append(Violation("reads_never_fail", f"version {asset['version']}"))

    reader = threading.Thread(target=keep_reading)
    reader.start()
    try:
        for number in range(2, 6):
            assert a_run(lane, case, submit_to(lane, case, dataset, number)).kind == "done"
        time.sleep(0.1)
    finally:
        done.set()
        reader.join()
    assert reads == sorted(reads)
    assert reads[-1] == 5
    record([verdict(case, faults)])


@pytest.mark.parametrize("minutes", [-60, 60])
def test_a_clock_an_hour_wrong_is_named_and_harms_nothing(lane, record, minutes):
    """The vault refuses what is signed at such a time; the cure is in the message."""
    case = Case("a clock an hour wrong")
    submitted = submit(lane, case, f"hour{minutes % 7}")
    child = start_run(lane, case, submitted, str(uuid.uuid4()), clock_s=minutes * 60)
    first = child.follow(quiet)
    assert first.kind == "failed"
    assert "set the clocks of both machines" in first.message
    assert heal(lane, case, submitted) == 1
    record([verdict(case, check_all(lane.stores, submitted), first)])


@pytest.mark.parametrize("minutes", [-12, 12])
def test_leases_are_judged_by_the_ledgers_clock_whoever_asks(lane, record, minutes):
    """As far apart as the vault allows: an auditor's wrong clock makes no living run dead."""
    case = Case("clocks 24 minutes apart")
    submitted = submit(lane, case, f"skew{minutes % 7}")
    audits: list[Ending] = []

    def audit_it(moment: str, _pid: int) -> str:
        if moment in ("load.file-loaded", "eject.object-uploaded"):
            keeper = lane.keeper.start("audit", repair=True, clock_s=-minutes * 60)
            audits.append(keeper.follow(quiet))
        return ""

    child = start_run(lane, case, submitted, str(uuid.uuid4()), points=True, clock_s=minutes * 60)
    first = child.follow(audit_it)
    assert first.kind == "done", first
    assert [ending.findings for ending in audits] == [()] * 4
    record([verdict(case, check_all(lane.stores, submitted), first)])
