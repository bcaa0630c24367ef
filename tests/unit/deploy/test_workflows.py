"""The GitHub workflows: pinned, with few rights, and calling only what is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))


@pytest.fixture(params=WORKFLOWS, ids=lambda path: path.stem)
def workflow(request):
    return yaml.safe_load(request.param.read_text())


def steps(workflow):
    return [step for job in workflow["jobs"].values() for step in job["steps"]]


def test_every_action_and_image_is_pinned_to_a_version(workflow):
    for step in steps(workflow):
        if "uses" in step:
            assert re.fullmatch(r"[\w-]+/[\w-]+@v?\d+\.\d+\.\d+", step["uses"]), step["uses"]
    for job in workflow["jobs"].values():
        assert re.fullmatch(r"ubuntu-\d\d\.\d\d", job["runs-on"])
        assert "latest" not in job.get("container", "")


def test_it_may_only_read_and_ends_by_itself(workflow):
    assert workflow["permissions"] == {"contents": "read"}
    assert all("timeout-minutes" in job for job in workflow["jobs"].values())


def test_the_scripts_and_make_targets_that_it_runs_are_there(workflow):
    text = "\n".join(step.get("run", "") for step in steps(workflow))
    for script in re.findall(r"scripts/[\w.]+", text):
        assert (ROOT / script).is_file(), script
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"^make ([\w-]+)", text, re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_every_image_of_the_project_is_built_and_scanned():
    images = yaml.safe_load((ROOT / ".github/workflows/images.yml").read_text())
    matrix = images["jobs"]["build"]["strategy"]["matrix"]["image"]
    found = {str(path.relative_to(ROOT)) for path in ROOT.glob("services/*/Dockerfile*")}
    assert {entry["file"] for entry in matrix} == found
