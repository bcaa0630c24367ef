"""What the benchmarks rest on: the comparison sees a difference, and memory is that of all."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import geopandas
import pyogrio
import pytest
import shapely

from benchmarks.agreement import DisagreementError, contents, require_agreement
from benchmarks.measuring import BenchmarkFailedError, Measured, measure
from benchmarks.report import table
from benchmarks.rounds import OURS, Round, in_turn
from benchmarks.vector_data import write_features


@pytest.fixture(scope="module")
def features(tmp_path_factory):
    path = tmp_path_factory.mktemp("features") / "polygons.gpkg"
    write_features(path, "polygons", 500)
    return geopandas.read_file(path)


def result(folder, features, name):
    path = folder / f"{name}.parquet"
    features.to_crs(4326).to_parquet(path)
    return contents(path)


def test_the_same_seed_gives_the_same_valid_features(features, tmp_path):
    again = geopandas.read_file(write_features(tmp_path / "again.gpkg", "polygons", 500))
    assert again.equals(features)
    assert features.geometry.is_valid.all()
    assert pyogrio.read_info(tmp_path / "again.gpkg")["crs"] == "EPSG:32633"
    assert set(shapely.get_num_coordinates(features.geometry.values)) == {21}


def test_results_agree_whatever_their_order(features, tmp_path):
    shuffled = features.sample(frac=1, random_state=1)
    require_agreement("x", result(tmp_path, features, "a"), result(tmp_path, shuffled, "b"))


def test_a_row_an_attribute_or_a_geometry_that_is_another_is_seen(features, tmp_path):
    ours = result(tmp_path, features, "ours")
    moved = features.copy()
    moved.loc[7, "geometry"] = shapely.affinity.translate(moved.geometry[7], 40, 0)
    changed = features.copy()
    changed.loc[7, "count"] += 1
    for name, other in (("moved", moved), ("changed", changed), ("fewer", features.iloc[1:])):
        with pytest.raises(DisagreementError, match=name):
            require_agreement(name, ours, result(tmp_path, other, name))


def test_memory_is_that_of_all_processes_together(tmp_path):
    child = "x = bytearray(60_000_000); import time; time.sleep(1.5)"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    one = measure([sys.executable, "-c", child], folders=[])
    both = measure([sys.executable, "-c", f"y = bytearray(60_000_000); {parent}"], folders=[])
    assert 60e6 < one.peak_bytes < 100e6
    assert 120e6 < both.peak_bytes < 180e6
    assert one.seconds > 1.5


def test_what_is_done_at_once_is_seen_as_well():
    hold = "x = bytearray(60_000_000); import time; time.sleep(0.3)"
    assert measure([sys.executable, "-c", hold], folders=[]).peak_bytes > 60e6


def test_what_servers_and_files_take_counts_from_where_it_was(tmp_path):
    (tmp_path / "before").write_bytes(b"x" * 5_000_000)
    hold = "x = bytearray(50_000_000); print(1, flush=True); import time; time.sleep(60)"
    server = subprocess.Popen([sys.executable, "-c", hold], stdout=subprocess.PIPE)
    server.stdout.read(1)
    write = (
        f"open({str(tmp_path / 'new')!r}, 'wb').write(b'x' * 2_000_000); import time; time.sleep(1)"
    )
    try:
        seen = measure([sys.executable, "-c", write], folders=[tmp_path], server_pids=[server.pid])
    finally:
        server.kill()
        server.wait()
    assert 2_000_000 <= seen.peak_disk_bytes < 2_100_000
    assert seen.peak_with_servers_bytes - seen.peak_bytes < 5_000_000


def test_a_contender_that_fails_is_no_result():
    with pytest.raises(BenchmarkFailedError, match="no such thing"):
        measure([sys.executable, "-c", "raise SystemExit('no such thing')"], folders=[])


def test_the_table_has_ratios_of_medians():
    measured = measure([sys.executable, "-c", ""], folders=[])

    def turn(name, seconds):
        timed = replace(measured, seconds=seconds, peak_with_servers_bytes=int(seconds * 1e6))
        return Round("10 points", name, timed, 1_000_000)

    turns = [turn(OURS, 2.0), turn(OURS, 4.0), turn(OURS, 3.0), turn("duckdb", 6.0)]
    line = next(line for line in table(turns).splitlines() if "duckdb" in line)
    assert "| 6.0 | 2.00 | 6 MB | 2.00 |" in line


@dataclass(frozen=True)
class Job:
    folder: Path
    watch: bool = True

    def result(self, contender):
        path = self.folder / contender
        path.write_bytes(b"x" * 1_000_000)
        return path


@pytest.mark.parametrize(
    ("rounds", "timed", "line"),
    [(1, [9.0], "| 9.0 | 1.00 |"), (2, [9.0, 2.0, 4.0], "| 3.0 | 1.00 |")],
)
def test_time_and_memory_come_from_different_rounds_where_there_are_several(
    rounds, timed, line, tmp_path
):
    waiting = iter(timed)

    def contender(job):
        peak = 7_000_000 if job.watch else 0
        return Measured(next(waiting), 1.0, peak, peak, peak, job.watch)

    done = list(in_turn("10 points", Job(tmp_path), {OURS: contender}, rounds))
    assert [turn.measured.seconds for turn in done] == timed
    assert line + " 7 MB | 1.00 | 7 MB | 1.0 MB |" in table(done)


def test_nobody_looks_at_a_turn_that_is_not_watched(tmp_path):
    hold = "x = bytearray(60_000_000); import time; time.sleep(1.2)"
    seen = measure([sys.executable, "-c", hold], folders=[tmp_path], watch=False)
    assert (seen.peak_bytes, seen.peak_disk_bytes, seen.was_watched) == (0, 0, False)
