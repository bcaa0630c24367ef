"""A person at a terminal: the program run as it is installed, with no settings but those given."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass
class Ended:
    code: int
    out: str
    err: str

    @property
    def document(self):
        return json.loads(self.out)


@pytest.fixture
def spatial_etl(tmp_path):
    """Runs the program in an empty folder, with nothing of our environment but PATH."""

    def run(*arguments, **environment):
        ended = subprocess.run(
            [sys.executable, "-m", "libs.cli", *map(str, arguments)],
            cwd=tmp_path,
            env={"PATH": "/usr/bin:/bin", **environment},
            capture_output=True,
            timeout=60,
            check=False,
        )
        return Ended(ended.returncode, ended.stdout.decode("utf-8"), ended.stderr.decode("utf-8"))

    return run


@pytest.fixture
def limits():
    from libs.settings import EtlSettings

    return EtlSettings(_env_file=None)


@pytest.fixture(scope="session")
def natural_earth():
    """The countries shapefile of pyogrio's wheel."""
    import pyogrio

    folder = Path(pyogrio.__file__).parent / "tests" / "fixtures" / "naturalearth_lowres"
    return folder / "naturalearth_lowres.shp"
