"""Which tags a run gets, by what its manifest asks for."""

import json

import pytest
import yaml

from etl_pipelines.run_tags import RunSizes, run_tags
from libs.errors import ConfigError
from libs.ingest import Outlook

SIZES = {
    "sizes": [
        {"name": "small", "up_to_bytes": 1000, "kubernetes": {"container_config": {}}},
        {"name": "large", "kubernetes": {"container_config": {"resources": {}}}},
    ]
}


@pytest.fixture
def sizes(tmp_path):
    path = tmp_path / "sizes.yaml"
    path.write_text(yaml.safe_dump(SIZES))
    return RunSizes.load(path)


def seen(input_bytes):
    return Outlook(intent="ingest_vector", dataset_id="ALPHA/roads", input_bytes=input_bytes)


@pytest.mark.parametrize(("input_bytes", "name"), [(0, "small"), (1000, "small"), (1001, "large")])
def test_a_run_is_as_large_as_its_input(sizes, input_bytes, name):
    tags = run_tags(seen(input_bytes), sizes)
    assert tags["spatial_etl/size"] == name
    (expected,) = (size["kubernetes"] for size in SIZES["sizes"] if size["name"] == name)
    assert json.loads(tags["dagster-k8s/config"]) == expected


def test_without_sizes_only_the_queue_is_told_something():
    assert run_tags(seen(None), None) == {
        "spatial_etl/intent": "ingest_vector",
        "spatial_etl/dataset": "ALPHA/roads",
    }


def test_a_manifest_without_sense_gets_no_tags(sizes):
    assert run_tags(None, sizes) == {}


@pytest.mark.parametrize("text", ["sizes: []", "sizes: [{name: x}]", "a: [", ""])
def test_a_wrong_file_is_named(tmp_path, text):
    path = tmp_path / "sizes.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"ETL_RUN_SIZES: .*sizes\.yaml"):
        RunSizes.load(path)
