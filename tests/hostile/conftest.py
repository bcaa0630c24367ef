"""Real stores with limits that answer quickly, a canary, and the table at the end.

`HOSTILE_TABLE=FILE` writes that table as Markdown; `HOSTILE_ROUNDS=2000` is the long form of the
fuzz tests. `HOSTILE_CASES=2` runs two cases of each test that has many, always the same ones.
"""

from __future__ import annotations

import os
import random
import uuid
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import geopandas
import pytest
import shapely

pytest.register_assert_rewrite("tests.hostile.attack")

from tests.hostile.attack import attack  # noqa: E402, F401
from tests.hostile.canary import Canary, Secret  # noqa: E402
from tests.hostile.table import Row, as_markdown, as_text, lines_of  # noqa: E402
from tests.servers import (  # noqa: E402, F401
    User,
    compute,
    ledger,
    settings,
    uploader_vault,
    user,
    vault,
)

LIMITS = {
    "reader_timeout_s": 6,
    "reader_cpu_s": 5,
    "reader_memory_mb": 1024,
    "gdal_timeout_s": 6,
    "gdal_memory_mb": 128,
}
"""What an operator sets who wants an answer within seconds; the defaults are for large data."""

HERE = Path(__file__).parent
_ROWS = pytest.StashKey[list[Row]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_ROWS] = []


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave a few cases of each test: no test goes unrun, and the whole folder takes minutes."""
    if "HOSTILE_CASES" not in os.environ:
        return
    count = int(os.environ["HOSTILE_CASES"])
    chance = random.Random(count)
    cases: dict[str, list[pytest.Item]] = defaultdict(list)
    for item in items:
        if item.path.parent == HERE:
            cases[item.nodeid.partition("[")[0]].append(item)
    surplus = {
        item
        for of_one_test in cases.values()
        for item in chance.sample(of_one_test, max(0, len(of_one_test) - count))
    }
    config.hook.pytest_deselected(items=list(surplus))
    items[:] = [item for item in items if item not in surplus]


@pytest.fixture(scope="session")
def hostile_rows(pytestconfig: pytest.Config) -> list[Row]:
    return pytestconfig.stash.setdefault(_ROWS, [])


@pytest.fixture(scope="session")
def platform(settings, vault, ledger, compute, tmp_path_factory):  # noqa: F811
    """What the flow works with: the tests' own ledger and work folder, and close limits."""
    from libs.ingest import Platform
    from libs.spatial_utils.gdal_cli import GDAL

    work = tmp_path_factory.mktemp("work")
    limits = settings.etl.model_copy(update={**LIMITS, "work_dir": work})
    connected = Platform.connect(settings)
    gdal = GDAL.from_settings(limits)
    parts = {"ledger": ledger, "vault": vault, "compute": compute, "gdal": gdal, "limits": limits}
    return replace(connected, **parts)


@pytest.fixture(scope="session")
def canary():
    canary = Canary()
    yield canary
    canary.close()


@pytest.fixture(scope="session")
def secret(tmp_path_factory) -> Secret:
    return Secret(tmp_path_factory.mktemp("secret"))


@pytest.fixture(scope="module", autouse=True)
def _a_good_batch_commits_after_each_group(
    platform,
    uploader_vault,  # noqa: F811
    settings,  # noqa: F811
    tmp_path_factory,
):
    yield
    from libs.ingest import Committed

    honest = User(
        platform, uploader_vault, settings.vault.landing_bucket, f"ok-{uuid.uuid4().hex[:12]}"
    )
    path = tmp_path_factory.mktemp("good") / "good.gpkg"
    geopandas.GeoDataFrame(
        {"n": [1, 2, 3]}, geometry=shapely.points([[1, 1], [2, 2], [3, 3]]), crs="EPSG:4326"
    ).to_file(path, driver="GPKG")
    done = honest.run(honest.manifest([honest.vector(path, "GPKG")]))
    assert isinstance(done, Committed)
    assert done.assets[0].asset.vector.row_count == 3


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    rows = config.stash.get(_ROWS, [])
    if not rows:
        return
    lines = lines_of(rows)
    terminalreporter.section("hostile input")
    for line in as_text(lines):
        terminalreporter.write_line(line)
    target = os.environ.get("HOSTILE_TABLE")
    if target:
        Path(target).write_text(as_markdown(lines))
