"""No secret of the stack is on Dagster's page: run config, tags, events, logs of processes."""

import json

import geopandas
import pytest
import shapely

from tests.hostile.secrets_of_stack import all_secrets, leaked

pytestmark = pytest.mark.e2e

RUN = """query($id: ID!) { runOrError(runId: $id) { ... on Run {
  runConfigYaml tags { key value } rootRunId
  stats { __typename ... on PythonError { message stack } }
  eventConnection(limit: 1000) { events { __typename
    ... on MessageEvent { message stepKey level }
    ... on ErrorEvent { error { message stack errorChain { error { message stack } } } }
    ... on MaterializationEvent { metadataEntries { label description
      ... on TextMetadataEntry { text } ... on JsonMetadataEntry { jsonString }
      ... on MarkdownMetadataEntry { mdStr } } }
    ... on LogsCapturedEvent { fileKey externalUrl } } } } } }"""
LOGS = "query($key: [String!]!) { capturedLogs(logKey: $key) { stdout stderr } }"
INSTANCE = """{ instance { info runLauncher { name } daemonHealth { allDaemonStatuses {
  daemonType lastHeartbeatErrors { message stack } } } }
  repositoriesOrError { ... on RepositoryConnection { nodes { name
    allTopLevelResourceDetails { name configuredValues { key value } } } } } }"""


def submitted(person, path, name):
    entry = {"path": person.upload(path), "type": "vector", "format": "GPKG", "crs": "EPSG:4326"}
    key = person.manifest([entry], name=name)
    run_key = person.run_key(key)
    return run_key, person.receipt(key)


def everything_of(page, run_id):
    """All that the page shows of a run, as text."""
    run = page.ask(RUN, id=run_id)["runOrError"]
    yield json.dumps(run)
    keys = [e["fileKey"] for e in run["eventConnection"]["events"] if e.get("fileKey")]
    assert keys
    for key in keys:
        logs = page.ask(LOGS, key=[run_id, "compute_logs", key])["capturedLogs"]
        assert logs["stderr"]
        yield json.dumps(logs)


def test_no_secret_is_on_dagsters_page_after_a_good_and_a_failed_run(
    person, page, settings, tmp_path
):
    secrets = all_secrets(settings)
    assert len(secrets) > 4
    good = tmp_path / "good.gpkg"
    geopandas.GeoDataFrame({"n": [1]}, geometry=[shapely.Point(1, 2)], crs=4326).to_file(good)
    bad = tmp_path / "bad.gpkg"
    bad.write_bytes(b"this is no database")
    ended = [submitted(person, good, "good"), submitted(person, bad, "bad")]
    assert [receipt["outcome"] for _, receipt in ended] == ["committed", "rejected"]
    for run_key, _ in ended:
        [run] = page.runs_of(run_key)
        page.wait(run["runId"])
        for text in everything_of(page, run["runId"]):
            assert not leaked(secrets, text)
    assert not leaked(secrets, json.dumps(page.ask(INSTANCE)))
