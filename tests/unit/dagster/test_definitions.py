"""The code location as Dagster sees it: a snapshot of its graph, without a server."""

import pytest

from libs.settings import EtlSettings


@pytest.fixture
def repository():
    from etl_pipelines.factory import build_definitions, resources_from_environment

    definitions = build_definitions(EtlSettings(), resources_from_environment())
    repository = definitions.get_repository_def()
    repository.load_all_definitions()
    return repository


def test_the_ingest_job_is_the_six_stages_in_a_row(repository):
    job = repository.get_job("ingest")
    order = [node.name for node in job.nodes_in_topological_order]
    assert order == ["validate", "fetch", "load", "transform", "eject", "commit"]


def test_the_sensors_and_the_schedule_are_there(repository):
    assert {sensor.name for sensor in repository.sensor_defs} == {
        "manifest_sensor", "failed_run_sensor", "cancelled_run_sensor", "silent_run_sensor",
    }  # fmt: skip
    (schedule,) = repository.schedule_defs
    assert schedule.job_name == "audit"


def test_no_secret_stands_in_the_definitions(repository, monkeypatch):
    monkeypatch.setenv("MINIO_SECRET_KEY", "must-not-show")
    from etl_pipelines.factory import resources_from_environment

    shown = repr(resources_from_environment())
    assert "must-not-show" not in shown
