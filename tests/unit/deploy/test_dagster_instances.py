"""The Dagster instances of Compose and Kubernetes: valid for Dagster, and tuned as everywhere."""

from __future__ import annotations

import pytest
import yaml

FILES = (
    "services/dagster/compose/dagster.yaml",
    "services/dagster/workers/dagster.yaml",
    "deploy/kustomize/base/dagster.yaml",
    "deploy/kustomize/components/compute-sidecar/dagster.yaml",
)
WORKERS = "services/dagster/workers/dagster.yaml"
KUBERNETES = "deploy/kustomize/base/dagster.yaml"


@pytest.mark.parametrize("file", FILES)
def test_dagster_takes_every_line_of_it(root, file, tmp_path, monkeypatch):
    from dagster._core.instance.config import dagster_instance_config
    from dagster._core.instance.ref import InstanceRef

    for name in ("HOST", "DATABASE", "USER", "PASSWORD"):
        monkeypatch.setenv(f"DAGSTER_POSTGRES_{name}", "x")
    monkeypatch.setenv("DAGSTER_POSTGRES_PORT", "5432")
    (tmp_path / "dagster.yaml").write_text((root / file).read_text())
    config, _ = dagster_instance_config(str(tmp_path))
    assert config["telemetry"] == {"enabled": False}
    reference = InstanceRef.from_dir(str(tmp_path))
    assert reference.run_storage_data.class_name == "PostgresRunStorage"
    limits = reference.settings["concurrency"]["runs"]["tag_concurrency_limits"]
    assert {limit["key"] for limit in limits} == {"spatial_etl/intent", "spatial_etl/dataset"}


@pytest.mark.parametrize("file", FILES)
def test_it_is_tuned_as_the_shared_file_says(root, file):
    shared = yaml.safe_load((root / "services/dagster/dagster.yaml").read_text())
    own = yaml.safe_load((root / file).read_text())
    for part in ("telemetry", "nux", "sensors", "schedules", "retention"):
        assert own[part] == shared[part], part
    if file == WORKERS:
        for name, value in shared["run_coordinator"]["config"].items():
            assert own["run_coordinator"]["config"][name] == value, name
    else:
        assert own["run_coordinator"] == shared["run_coordinator"]
    assert own["run_monitoring"]["enabled"] is True
    assert own["run_monitoring"]["max_resume_run_attempts"] == 0, (
        "the sensor tries again, not Dagster"
    )


def test_the_queue_counts_the_tags_that_runs_have():
    from etl_pipelines import run_tags

    assert (run_tags.INTENT_TAG, run_tags.DATASET_TAG) == (
        "spatial_etl/intent",
        "spatial_etl/dataset",
    )


def test_the_sizes_of_runs_grow(root):
    from etl_pipelines.run_tags import RunSizes

    sizes = RunSizes.load(root / "deploy/kustomize/base/run-sizes.yaml").sizes
    bounds = [size.up_to_bytes for size in sizes]
    assert bounds[-1] is None and bounds[:-1] == sorted(bounds[:-1])
    launcher = yaml.safe_load((root / KUBERNETES).read_text())["run_launcher"]["config"]
    for size in sizes:
        assert set(size.kubernetes) == {"container_config"}
        named = {variable["name"] for variable in size.kubernetes["container_config"]["env"]}
        assert named <= set(launcher["only_allow_user_defined_env_vars"])


@pytest.mark.parametrize("file", FILES)
def test_history_is_reached_by_the_driver_that_can_send_all_that_dagster_sends(root, file):
    """psycopg cannot; since SQLAlchemy 2.1 it is the one for `postgresql` alone."""
    from sqlalchemy import create_engine

    storage = yaml.safe_load((root / file).read_text())["storage"]["postgres"]["postgres_db"]
    assert create_engine(f"{storage['scheme']}://nobody@nowhere/x").driver == "psycopg2"
    pins = (root / "services/dagster/requirements-deploy.txt").read_text().splitlines()
    assert any(line.startswith("psycopg2-binary==") for line in pins)
