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
    versions = {line.split("==")[1] for name in FILES for line in pins(name)
                if re.match(r"dagster(-[a-z]+)?==", line)}  # fmt: skip
    assert len(versions) == 1
