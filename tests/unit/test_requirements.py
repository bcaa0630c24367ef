"""The pins: exact, the same everywhere, and Dagster on one patch track."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = [
    "requirements.txt",
    "requirements-test.txt",
    "services/dagster/requirements.txt",
    "services/dagster/requirements-user-code.txt",
    "services/dagster/requirements-deploy.txt",
]


def pins(name):
    lines = (ROOT / name).read_text().splitlines()
    return [line for line in lines if line.strip() and not line.startswith("#")]


@pytest.mark.parametrize("name", FILES)
def test_each_requirement_is_pinned_to_one_exact_version(name):
    assert pins(name)
    for line in pins(name):
        assert re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][A-Za-z0-9.+!_-]*", line), line


def test_a_package_has_one_version_in_all_files():
    seen = {}
    for name in FILES:
        for line in pins(name):
            package, version = line.split("==")
            seen.setdefault(package, set()).add(version)
    assert not {package: found for package, found in seen.items() if len(found) > 1}


def test_all_dagster_packages_are_on_one_patch_track():
    """Dagster's libraries are numbered 0.(16 + N).P where Dagster itself is 1.N.P."""
    tracks = set()
    for line in (line for name in FILES for line in pins(name)):
        if match := re.fullmatch(r"dagster(?:-[a-z0-9]+)*==(\d+)\.(\d+)\.(\d+)", line):
            major, minor, patch = map(int, match.groups())
            tracks.add((1, minor - 16, patch) if major == 0 else (major, minor, patch))
    assert len(tracks) == 1
