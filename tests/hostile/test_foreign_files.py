"""Valid files that others wrote become assets with the same content, or meet a listed limit.

Without FOREIGN_ALL=1 only files of installed packages are tried. FOREIGN_TABLE=FILE keeps the
table.
"""

from __future__ import annotations

import os
import re
import uuid
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import geopandas
import pytest

from libs.errors import InputError
from libs.models import AssetKind
from tests.hostile import foreign, foreign_reader
from tests.hostile.foreign_table import as_markdown, as_text
from tests.servers import User

pytestmark = [pytest.mark.integration]
HEAD = ("package", "files", "committed alike", "refused for a listed limit", "wrong")
WANTED = 200


@dataclass(frozen=True)
class Outcome:
    """What became of one file; `detail` says why when it is wrong."""

    package: str
    file: str
    kind: str
    detail: str = ""


class Report:
    """The table, printed when all tests have ended."""

    def __init__(self) -> None:
        self.outcomes: list[Outcome] = []
        self.missing: list[str] = []

    def lines(self) -> list[tuple[str, ...]]:
        names = list(dict.fromkeys(item.package for item in self.outcomes))
        return [*(self._line(name, name) for name in names), self._line("all", None)]

    def _line(self, title: str, package: str | None) -> tuple[str, ...]:
        kinds = Counter(
            item.kind for item in self.outcomes if package is None or item.package == package
        )
        counts = (kinds["alike"], kinds["limit"], kinds["wrong"])
        return (title, str(sum(counts)), *map(str, counts))

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        terminalreporter.section("foreign files")
        for line in as_text([HEAD, *self.lines()]):
            terminalreporter.write_line(line)
        for reason in self.missing:
            terminalreporter.write_line(f"not to be had: {reason}")
        for item in self.outcomes:
            if item.detail:
                text = f"{item.kind}: {item.package} {item.file}: {item.detail}"
                terminalreporter.write_line(text[:600])
        target = os.environ.get("FOREIGN_TABLE")
        if target:
            Path(target).write_text(as_markdown([HEAD, *self.lines()]))


@pytest.fixture(scope="module")
def report(pytestconfig):
    found = Report()
    pytestconfig.pluginmanager.register(found, f"foreign-{uuid.uuid4().hex}")
    return found


@pytest.fixture(scope="module")
def patient_platform(platform, settings):
    """The platform with its usual limits: these files mean no harm."""
    from libs.spatial_utils.gdal_cli import GDAL

    limits = settings.etl.model_copy(update={"work_dir": platform.limits.work_dir})
    return replace(platform, limits=limits, gdal=GDAL.from_settings(limits))


@pytest.fixture
def submit(patient_platform, uploader_vault, settings, tmp_path):
    """What comes of one file: `alike`, `limit` or `wrong`; None when it is no valid file."""

    def run(package: str, path: Path) -> Outcome | None:
        expected = foreign_reader.read(path, foreign.format_of(path))
        if expected is None:
            return None
        name = f"foreign-{uuid.uuid4().hex[:12]}"
        user = User(patient_platform, uploader_vault, settings.vault.landing_bucket, name)
        return _outcome(user, expected, package, tmp_path)

    return run


def _outcome(user, expected, package: str, folder: Path) -> Outcome:
    file = str(expected.path.name)
    try:
        done = user.run(_manifest(user, expected))
    except InputError as error:
        limit = foreign.limit_of(str(error))
        kind = "wrong" if limit is None else "limit"
        return Outcome(package, file, kind, f"[{limit}] {error}")
    except Exception as error:  # noqa: BLE001  a bug that one file finds must not hide the others
        return Outcome(package, file, "wrong", f"{type(error).__name__}: {error}")
    committed = user.download(done.assets[0].asset, folder)
    difference = expected.difference(committed)
    return Outcome(package, file, "wrong" if difference else "alike", difference)


def _manifest(user, expected):
    for other in expected.side_files:
        user.upload(other)
    entry = {
        "path": user.upload(expected.path),
        "type": expected.form.kind.value,
        "format": expected.form.driver,
        "crs": expected.crs,
        "dataset": "foreign",
    }
    if expected.layer:
        entry["layer"] = expected.layer
    is_vector = expected.form.kind is AssetKind.VECTOR
    return user.manifest([entry], intent="ingest_vector_lossless" if is_vector else "as_it_is")


def _judge(report: Report, outcomes: Iterable[Outcome | None]) -> int:
    found = [item for item in outcomes if item is not None]
    report.outcomes += found
    wrong = [f"{item.file}: {item.detail}" for item in found if item.kind == "wrong"]
    assert not wrong, "\n".join(wrong)
    return len(found)


def test_files_of_installed_packages_are_committed_alike_or_meet_a_listed_limit(submit, report):
    tried = _judge(report, (submit(name, path) for name, path in foreign.installed_files()))
    assert tried >= 5


@pytest.mark.timeout(3000)
@pytest.mark.skipif(os.environ.get("FOREIGN_ALL") != "1", reason="FOREIGN_ALL=1 fetches packages")
def test_200_files_that_others_wrote_are_committed_alike_or_meet_a_listed_limit(submit, report):
    files: list[tuple[str, Path]] = []
    for package in foreign.PACKAGES:
        try:
            folder = foreign.unpacked(package)
        except foreign.NotToBeHadError as error:
            report.missing.append(re.sub(r"\s+", " ", str(error))[:300])
            continue
        below = foreign.candidates_below(folder / "files", package.most)
        files += [(package.name, path) for path in below]
    tried = _judge(report, (submit(name, path) for name, path in files))
    if report.missing:
        pytest.skip(f"only {tried} files: {'; '.join(report.missing)}")
    assert tried >= WANTED


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda rows: rows.iloc[:1], "2 rows became 1"),
        (lambda rows: rows.drop(columns="n"), "columns lost"),
        (lambda rows: rows.assign(n=[1, 3]), "no committed row has the values"),
        (lambda rows: rows.set_geometry(rows.translate(1e-6)), "geometry"),
    ],
)
def test_the_comparison_sees_what_an_asset_lost(change, says, tmp_path):
    rows = geopandas.GeoDataFrame(
        {"n": [1, 2]}, geometry=geopandas.points_from_xy([1, 2], [3, 4]), crs="EPSG:4326"
    )
    rows.to_file(tmp_path / "a.gpkg", driver="GPKG")
    change(rows).to_parquet(tmp_path / "a.parquet")
    path = tmp_path / "a.gpkg"
    expected = foreign_reader.read(path, foreign.format_of(path))
    assert says in expected.difference(tmp_path / "a.parquet")
