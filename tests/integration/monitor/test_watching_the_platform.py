"""A real Prometheus scrapes the watcher while batches end: its numbers are those of the stores.

What is right is counted by pymongo and the MinIO SDK, not by our own readers.
"""

from __future__ import annotations

import json
import subprocess
import time
import uuid
from collections import Counter
from dataclasses import replace
from pathlib import Path

import geopandas
import pytest
import shapely
import yaml
from minio import Minio
from pymongo import MongoClient

from libs.audit import audit
from libs.errors import TransientError
from libs.ingest import BatchRejectedError
from tests.hostile.secrets_of_stack import all_secrets, leaked
from tests.integration.monitor.conftest import watching
from tests.prometheus_programs import program
from tests.servers import User

pytestmark = pytest.mark.integration
ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def book(settings, ledger):
    """The ledger's database, by pymongo alone."""
    own = settings.ledger
    with MongoClient(
        own.uri, username=own.username, password=own.password.get_secret_value(),
        authSource=own.auth_source,
    ) as client:  # fmt: skip
        yield client[ledger.database.name]


def points(folder, name, count):
    path = folder / f"{name}.gpkg"
    geometry = [shapely.Point(n, 1) for n in range(count)]
    geopandas.GeoDataFrame({"n": range(count)}, geometry=geometry, crs=4326).to_file(path)
    return path


def three_batches(user, settings, folder):
    """One is committed, one rejected, one fails since PostGIS is away."""
    from libs.compute import PostGIS

    good = user.manifest([user.vector(points(folder, "good", 40), "GPKG")], name="good")
    user.run(good)
    with pytest.raises(BatchRejectedError):
        user.run(user.put_manifest(b"{}", "bad"))
    real = user.platform
    gone = settings.compute.model_copy(update={"port": 1, "connect_timeout_s": 1})
    user.platform = replace(real, compute=PostGIS.connect(gone))
    failing = user.manifest([user.vector(points(folder, "more", 3), "GPKG")], name="failing")
    with pytest.raises(TransientError):
        user.run(failing)
    user.platform.compute.close()
    user.platform = real


@pytest.fixture(scope="module")
def person(platform, uploader_vault, settings):
    name = f"it-{uuid.uuid4().hex[:12]}"
    return User(platform, uploader_vault, settings.vault.landing_bucket, name)


@pytest.fixture(scope="module")
def after_batches(watcher, prometheus, person, settings, platform, tmp_path_factory):
    """The report of an audit after three batches; Prometheus has scraped a look made after both."""
    three_batches(person, settings, tmp_path_factory.mktemp("batches"))
    report = audit(platform, repair=False, verify_bytes=True)
    looked = watcher.looked_again("ledger")
    prometheus.until(lambda: seen_runs(prometheus) >= total(looked, "spatial_etl_runs_total"))
    return report


def total(numbers, name):
    return sum(value for key, value in numbers.items() if key.startswith(name + "{"))


def seen_runs(prometheus):
    return prometheus.value("sum(spatial_etl_runs_total)")


def by_label(prometheus, expression, label):
    return {it["metric"][label]: float(it["value"][1]) for it in prometheus.ask(expression)}


def test_the_numbers_of_prometheus_are_those_of_the_ledger(
    after_batches, prometheus, book, settings, person
):
    for expression, label, collection, field in (
        ("spatial_etl_runs_total", "outcome", "runs", "state"),
        ("spatial_etl_batches_total", "outcome", "batches", "state"),
        ("spatial_etl_open_batches", "state", "batches", "state"),
    ):
        told = by_label(prometheus, expression, label)
        right = Counter(document[field] for document in book[collection].find())
        assert told == {name: right[name] for name in told}, expression
        assert any(told.values())
    committed = list(book["assets"].find({"state": "committed"}))
    for kind in ("vector", "raster"):
        own = [asset for asset in committed if asset["kind"] == kind]
        sources = [source for asset in own for source in asset["sources"]]
        right = {
            "assets": len(own),
            "output_bytes": sum(asset["size_bytes"] for asset in own),
            "input_bytes": sum(source["size_bytes"] for source in sources),
        }
        for name, value in right.items():
            assert prometheus.value(f'spatial_etl_{name}_total{{kind="{kind}"}}') == value
    lake = settings.vault
    store = Minio(
        lake.endpoint, lake.access_key, lake.secret_key.get_secret_value(), secure=lake.secure
    )
    # Of others' assets in this ledger, tests have removed or altered the objects.
    own = [asset for asset in committed if asset["dataset_id"].startswith(f"{person.name}/")]
    assert own
    for asset in own:
        seen = store.stat_object(asset["s3_bucket"], asset["s3_key"])
        assert seen.size == asset["size_bytes"] > 0


def test_the_stages_times_are_those_of_the_runs(after_batches, prometheus, book):
    stages = [stage for run in book["runs"].find({"ended_at": {"$ne": None}})
              for stage in run["stages"] if stage["seconds"] is not None]  # fmt: skip
    for name in ("receive", "fetch", "load", "transform", "eject", "commit"):
        own = [stage["seconds"] for stage in stages if stage["stage"] == name]
        metric = f"spatial_etl_stage_seconds_%s{{stage='{name}'%s}}"
        assert prometheus.value(metric % ("count", "")) == len(own) > 0
        assert prometheus.value(metric % ("sum", "")) == pytest.approx(sum(own))
        for bound in (0.1, 1.0, 60.0):
            below = sum(seconds <= bound for seconds in own)
            assert prometheus.value(metric % ("bucket", f",le='{bound}'")) == below


def test_the_findings_are_those_of_the_last_audit(after_batches, prometheus, book):
    right = Counter(finding.kind.value for finding in after_batches.findings)
    told = by_label(prometheus, 'spatial_etl_audit_findings{depth="bytes"}', "kind")
    assert told == {kind: right[kind] for kind in told} and len(told) == 10
    newest = max(it["ended_at"] for it in book["audits"].find({"bytes_verified": True}))
    told_at = prometheus.value('spatial_etl_audit_timestamp_seconds{depth="bytes"}')
    assert told_at == pytest.approx(newest.timestamp() - time.timezone, abs=1)
    assert not prometheus.ask('spatial_etl_audit_findings{depth="bytes"} < 0')


def test_every_expression_of_the_dashboard_and_of_the_rules_is_answered(after_batches, prometheus):
    board = json.loads((ROOT / "services/grafana/spatial-etl.json").read_text())
    asked = [it["expr"] for panel in board["panels"] for it in panel["targets"]]
    needs_dagster = ("queue_runs",)
    may_be_empty = ("audit_findings > 0", *needs_dagster)
    for expression in asked:
        answer = prometheus.ask(expression)
        assert answer or expression.endswith(may_be_empty), expression
    rules = {rule["name"]: rule for rule in prometheus.rules()}
    file = yaml.safe_load((ROOT / "services/prometheus/alerts.yaml").read_text())
    assert set(rules) == {rule["alert"] for group in file["groups"] for rule in group["rules"]}
    for name, rule in rules.items():
        assert rule["health"] == "ok", (name, rule.get("lastError"))
        prometheus.ask(rule["query"])
    assert rules["WatcherAway"]["state"] == "inactive"


def test_promtool_finds_nothing_to_say_against_the_metrics(watcher):
    done = subprocess.run(
        [program("promtool"), "check", "metrics"], input=watcher.get("/metrics").text,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_no_metric_carries_a_name_of_a_batch_a_dataset_or_a_user(after_batches, watcher, person):
    text = watcher.get("/metrics").text
    assert person.name not in text and "ana@example.org" not in text
    labels = {label for it in watcher.numbers() for label in it.partition("{")[2].split('"')[1::2]}
    assert len(labels) < 80, "few words, however many batches"


def test_a_manifest_that_waits_ages(vault, settings, tmp_path, ledger):
    """In a bucket where no sensor looks, so that it does wait."""
    lake, key = settings.vault.lake_bucket, f"manifests/{uuid.uuid4().hex}.json"
    vault.put_bytes(lake, key, b"{}", content_type="application/json")
    vault.put_bytes(lake, "manifests/done/old.json", b"{}", content_type="application/json")
    try:
        changes = {"MINIO_LANDING_BUCKET": lake, "MONGODB_DATABASE": ledger.database.name}
        with watching(tmp_path, **changes) as watcher:
            first = watcher.looked_again("vault")
            age = "spatial_etl_oldest_manifest_age_seconds{}"
            seen = vault.stat(lake, key).last_modified.timestamp()
            assert first["spatial_etl_manifests_waiting{}"] == 1
            assert watcher.numbers()[age] == pytest.approx(time.time() - seen, abs=2.5)
            vault.remove(lake, key)
            emptied = watcher.looked_again("vault")
            assert (emptied["spatial_etl_manifests_waiting{}"], emptied[age]) == (0, 0)
    finally:
        vault.remove(lake, key)
        vault.remove(lake, "manifests/done/old.json")


def test_a_server_that_is_away_is_a_number_and_a_line_not_an_exception(tmp_path, settings, ledger):
    changes = {"POSTGIS_PORT": "1", "MONITOR_DAGSTER_URL": "http://127.0.0.1:1"}
    with watching(tmp_path, MONGODB_DATABASE=ledger.database.name, **changes) as watcher:
        numbers = watcher.looked_again("compute")
        up = {it.split('"')[1]: value for it, value in numbers.items() if "server_up" in it}
        assert up == {
            "vault": 1, "ledger": 1, "compute": 0, "webserver": 0, "code": 0, "daemon": 0,
        }  # fmt: skip
        assert not [it for it in numbers if "queue_runs" in it], "old numbers are no numbers"
        ready = watcher.get("/readyz")
        assert ready.status_code == 503
        body = ready.json()
        assert body["servers"]["compute"]["up"] is False
        assert body["servers"]["compute"]["problem"] == "does not answer"
        assert body["servers"]["ledger"]["problem"] is None
        assert watcher.get("/healthz").status_code == 200, "the watcher itself is well"
        everything = ready.text + watcher.get("/metrics").text + watcher.log.read_text()
        assert "Traceback" not in everything and "127.0.0.1" not in ready.text
        assert not leaked(all_secrets(settings), everything)
        assert watcher.log.read_text().count("PostGIS") == 1, "said once, not at each look"


def test_the_watcher_stays_small(after_batches, watcher):
    status = Path(f"/proc/{watcher.pid}/status").read_text()
    (resident_kb,) = (int(line.split()[1]) for line in status.splitlines() if "VmRSS" in line)
    assert resident_kb < 130_000


def test_who_asks_for_anything_else_gets_a_short_no(watcher):
    assert watcher.get("/").status_code == 404
    assert watcher.get("/metrics/../etc/passwd").status_code == 404


def test_a_run_says_in_the_ledger_what_it_worked_with(after_batches, book):
    from importlib.metadata import version

    ended = {run["state"]: run["tool_versions"] for run in book["runs"].find()}
    for versions in ended.values():
        assert versions["spatial-etl"] == version("spatial-etl")
        assert versions["pyogrio"] == version("pyogrio") and versions["Python"]
    committed = book["runs"].find_one({"state": "committed", "stages.stage": "load"})
    asset = book["assets"].find_one({"run_id": committed["_id"], "kind": "vector"})
    assert asset["tool_versions"].items() <= committed["tool_versions"].items()
    assert {"PostGIS", "GEOS", "PROJ"} <= set(committed["tool_versions"])
