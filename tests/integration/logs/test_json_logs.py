"""The log of a run in its own process: all of it JSON lines, Dagster's too, whatever it says."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import uuid
from datetime import datetime, timezone
from pathlib import Path

import geopandas
import pytest
import shapely

from tests.hostile.secrets_of_stack import all_secrets, leaked

pytestmark = pytest.mark.integration

ROOT = Path(__file__).resolve().parents[3]
RUN = """
import json, sys
from dagster import DagsterInstance
from etl_pipelines.definitions import defs
from etl_pipelines.logs import RUN_LOGGERS
upload, run_id = json.loads(sys.argv[1]), sys.argv[2]
defs.resolve_job_def("ingest").execute_in_process(
    run_config={"ops": {"validate": {"config": upload}}, "loggers": RUN_LOGGERS},
    instance=DagsterInstance.ephemeral(), raise_on_error=False, run_id=run_id,
)
"""


@pytest.fixture
def run_in_a_process(ledger):
    """Gives the lines that the run of one upload writes on standard error, and its run id."""

    def run(upload, **changes):
        run_id = str(uuid.uuid4())
        config = {
            "key": upload.key, "etag": upload.etag, "size_bytes": upload.size_bytes,
            "last_modified": upload.last_modified.isoformat(),
        }  # fmt: skip
        environment = {
            **os.environ, "ETL_LOG_FORMAT": "json", "MONGODB_DATABASE": ledger.database.name,
            "PYTHONPATH": f"{ROOT}:{ROOT / 'services/dagster'}", **changes,
        }  # fmt: skip
        command = [sys.executable, "-c", RUN, json.dumps(config), run_id]
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=200, check=True
        )
        assert done.stdout == ""
        return run_id, done.stderr.splitlines()

    return run


def points(folder, name="p"):
    path = folder / f"{name}.gpkg"
    geopandas.GeoDataFrame({"n": [1]}, geometry=[shapely.Point(1, 2)], crs=4326).to_file(path)
    return path


def test_every_line_of_a_run_is_json_that_names_run_batch_and_asset_and_no_secret(
    user, tmp_path, run_in_a_process, settings
):
    good = user.vector(points(tmp_path), "GPKG")
    bad_file = tmp_path / "bad.gpkg"
    bad_file.write_bytes(b"this is no database")
    bad = user.vector(bad_file, "GPKG")
    upload = user.manifest([good, bad], on_error="skip_file")
    begun = datetime.now(timezone.utc)
    run_id, lines = run_in_a_process(upload)
    said = [json.loads(line) for line in lines]
    batch = user.platform.ledger.batch_of_upload(upload)
    assert batch.state.value == "committed"
    for line in said:
        assert set(line) >= {"time", "level", "logger", "message"}
        at = datetime.fromisoformat(line["time"].replace("Z", "+00:00"))
        assert line["time"].endswith("Z") and abs((at - begun).total_seconds()) < 200
    ours = [line for line in said if line["logger"].startswith("libs.")]
    assert {line["run_id"] for line in ours} == {run_id}
    assert {line["batch_id"] for line in ours} == {batch.batch_id}
    assert {line["batch"] for line in ours} == {batch.id}
    stages = [line.get("stage") for line in ours if line["level"] == "INFO"]
    assert set(stages) >= {"fetch", "load", "transform", "eject", "commit"}
    (skipped,) = [line for line in ours if line.get("problems")]
    assert skipped["file"] == bad["path"] and skipped["problems"][0]["cure"]
    (committed,) = [line for line in ours if line["message"].startswith("Committed version 1")]
    [asset] = user.platform.ledger.assets_of_batch(batch.id)
    assert committed["asset_id"] == asset.id and committed["dataset"] == asset.dataset_id
    assert (
        skipped["asset_id"]
        == (hashlib.sha256(f"{batch.id}\n{bad['path']}".encode()).hexdigest()[:32])
    )
    dagsters = [line for line in said if line["logger"] == "dagster"]
    assert {"STEP_SUCCESS", "ASSET_MATERIALIZATION", "PIPELINE_SUCCESS"} <= {
        line.get("event") for line in dagsters
    }
    assert {line["run_id"] for line in dagsters} == {run_id}
    assert not leaked(all_secrets(settings), "\n".join(lines))


def test_a_run_that_fails_leaves_its_traceback_in_one_field_and_no_secret(
    user, tmp_path, run_in_a_process, settings
):
    upload = user.manifest([user.vector(points(tmp_path), "GPKG")])
    run_id, lines = run_in_a_process(upload, POSTGIS_PORT="1", POSTGIS_CONNECT_TIMEOUT_S="1")
    said = [json.loads(line) for line in lines]
    (failed,) = [line for line in said if line["logger"] == "libs.ingest.ending"]
    assert failed["level"] == "ERROR" and failed["run_id"] == run_id
    assert "Traceback (most recent call last)" in failed["traceback"]
    assert failed["error"] in failed["traceback"] and "PostGIS" in failed["message"]
    assert user.platform.ledger.run(run_id).state.value == "failed"
    assert not leaked(all_secrets(settings), "\n".join(lines))
