from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import geopandas as gpd
import pyogrio
import pytest
import shapely

from libs.errors import InputError
from libs.models.formats import INPUT_FORMATS, AssetKind
from libs.spatial_utils.errors import LimitExceededError, ReaderBrokenError, ReaderKilledError
from libs.spatial_utils.gdal_confine import landlock_version
from libs.spatial_utils.sandbox import ChildLimits, child_environment, spawn
from libs.spatial_utils.vector_drivers import PARQUET, READINGS, all_drivers
from libs.spatial_utils.vector_reader import VectorSource, open_vector

LIMITS = ChildLimits(memory_bytes=4 * 2**30, cpu_s=60, wall_s=60)


def test_the_table_of_drivers_is_that_of_the_installed_gdal() -> None:
    assert set(all_drivers()) == set(pyogrio.list_drivers())


def test_every_vector_format_of_the_allow_list_can_be_read() -> None:
    vectors = {name for name, row in INPUT_FORMATS.items() if row.kind is AssetKind.VECTOR}
    assert set(READINGS) | {PARQUET} == vectors


def test_only_the_declared_driver_is_there() -> None:
    code = (
        "from libs.spatial_utils.vector_child import allow_only; allow_only('GPKG');"
        "import pyogrio; print(sorted(pyogrio.list_drivers()))"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, env=child_environment(), check=True
    )
    assert run.stdout.decode().strip() == "['GPKG']"


def test_a_gdal_with_other_drivers_is_never_used(monkeypatch: pytest.MonkeyPatch) -> None:
    code = (
        "import libs.spatial_utils.vector_child as child;"
        "child.all_drivers = lambda: ('GPKG', 'OGR_VRT'); child.allow_only('GPKG')"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, env=child_environment(), check=False
    )
    assert run.returncode != 0
    assert b"not just 'GPKG'" in run.stderr


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "secret.geojson"
    properties = {"secret": "hush"}
    feature = {"type": "Feature", "properties": properties, "geometry": None}
    path.write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))
    return path


@pytest.mark.parametrize("driver", sorted(READINGS.keys() - {"ESRI Shapefile", "OpenFileGDB"}))
def test_no_format_reads_what_another_file_holds(
    driver: str, secret: Path, tmp_path: Path, read: Any
) -> None:
    vrt = (
        f'<OGRVRTDataSource><OGRVRTLayer name="x"><SrcDataSource>{secret}</SrcDataSource>'
        "<SrcLayer>secret</SrcLayer></OGRVRTLayer></OGRVRTDataSource>"
    )
    command = f"gdal vector pipeline ! read {secret}"
    pipeline = json.dumps({"type": "gdal_streamed_alg", "command_line": command})
    for text in (vrt, pipeline):
        path = tmp_path / f"evil{INPUT_FORMATS[driver].suffixes[0]}"
        path.write_text(text)
        try:
            got = read(path, driver)
        except InputError:
            continue
        assert "hush" not in str(got.table.to_pylist())


@pytest.mark.skipif(not landlock_version(), reason="this kernel has no Landlock")
def test_a_reader_sees_no_file_outside_its_folder(secret: Path, tmp_path: Path) -> None:
    folder = tmp_path / "inner"
    folder.mkdir()
    (folder / "mine.txt").write_text("mine")
    code = (
        "import sys, pathlib; from libs.spatial_utils.vector_child import _shut_in;"
        f"_shut_in({str(folder / 'mine.txt')!r});"
        f"print(pathlib.Path({str(folder / 'mine.txt')!r}).read_text(), flush=True);"
        f"pathlib.Path({str(secret)!r}).read_text()"
    )
    with spawn([sys.executable, "-c", code], limits=LIMITS, work_dir=folder) as child:
        assert child.stdout.read() == b"mine\n"
        assert "PermissionError" in child.wait().last_lines


def test_a_file_of_another_format_is_not_taken_for_it(
    countries: Path, tmp_path: Path, read: Any
) -> None:
    gpd.read_file(countries).to_file(tmp_path / "a.geojson", driver="GeoJSON")
    shutil.copy(tmp_path / "a.geojson", tmp_path / "a.gpkg")
    with pytest.raises(InputError, match=r"^a\.gpkg: GDAL cannot read it: 'a\.gpkg' not recogn"):
        read(tmp_path / "a.gpkg", "GPKG")


@pytest.fixture
def endless(tmp_path: Path) -> Path:
    """A GeoPackage with a view whose rows never end, each of which takes long."""
    path = tmp_path / "endless.gpkg"
    frame = gpd.GeoDataFrame({"a": [1]}, geometry=[shapely.Point(1, 2)], crs=4326)
    frame.to_file(path, layer="good", engine="pyogrio")
    with sqlite3.connect(path) as db:
        db.executescript(
            """
            CREATE VIEW bad AS WITH RECURSIVE n(fid) AS (SELECT 1 UNION ALL SELECT fid + 1 FROM n)
              SELECT fid, (SELECT geom FROM good LIMIT 1) AS geom FROM n;
            INSERT INTO gpkg_contents (table_name, data_type, identifier, srs_id)
              VALUES ('bad', 'features', 'bad', 4326);
            INSERT INTO gpkg_geometry_columns VALUES ('bad', 'geom', 'POINT', 4326, 0, 0);
            """
        )
    return path


@pytest.mark.parametrize(
    ("limits", "setting"),
    [
        (ChildLimits(4 * 2**30, 2, 60), "ETL_READER_CPU_S"),
        (ChildLimits(4 * 2**30, 60, 3), "ETL_READER_TIMEOUT_S"),
    ],
)
def test_a_file_that_hangs_is_ended_by_its_limits(
    limits: ChildLimits, setting: str, endless: Path, read: Any
) -> None:
    with pytest.raises(LimitExceededError, match=rf"endless\.gpkg.*{setting}"):
        read(endless, "GPKG", "bad", limits)


def test_a_file_that_needs_too_much_memory_is_ended_by_its_limit(tmp_path: Path, read: Any) -> None:
    points = ", ".join(f"[{i}.5, {i}.5]" for i in range(2_000_000))
    path = tmp_path / "a.geojson"
    path.write_text(
        '{"type": "Feature", "properties": {}, "geometry": '
        f'{{"type": "LineString", "coordinates": [{points}]}}}}'
    )
    with pytest.raises(LimitExceededError, match=r"600 MiB of memory.*ETL_READER_MEMORY_MB"):
        read(path, "GeoJSON", None, ChildLimits(600 * 2**20, 60, 60))


def test_a_limit_too_low_for_the_reader_itself_is_the_operators_fault(
    countries: Path, read: Any
) -> None:
    with pytest.raises(ReaderBrokenError, match="ETL_READER_MEMORY_MB"):
        read(countries, "ESRI Shapefile", None, ChildLimits(200 * 2**20, 60, 60))


@pytest.mark.parametrize(
    ("driver", "suffix"),
    [("GPKG", "gpkg"), ("FlatGeobuf", "fgb"), ("ESRI Shapefile", "shp"), ("KML", "kml")],
)
@pytest.mark.parametrize("cut", [0.5, 0.99])
def test_a_file_that_was_cut_off_is_never_taken_for_whole(
    driver: str, suffix: str, cut: float, countries: Path, tmp_path: Path, read: Any
) -> None:
    path = tmp_path / f"a.{suffix}"
    gdal_driver = {"KML": "LIBKML"}.get(driver, driver)
    gpd.read_file(countries).to_file(path, driver=gdal_driver, engine="pyogrio")
    assert read(path, driver).table.num_rows == 177
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * cut)])
    with pytest.raises(InputError, match=rf"^a\.{suffix}: ") as caught:
        read(path, driver)
    assert str(tmp_path) not in str(caught.value)


def test_a_shapefile_whose_attributes_were_cut_off_is_an_error(
    countries: Path, tmp_path: Path, read: Any
) -> None:
    gpd.read_file(countries).to_file(tmp_path / "a.shp", engine="pyogrio")
    dbf = (tmp_path / "a.dbf").read_bytes()
    (tmp_path / "a.dbf").write_bytes(dbf[: len(dbf) // 2])
    with pytest.raises(InputError):
        read(tmp_path / "a.shp", "ESRI Shapefile")


def test_a_reader_that_is_killed_is_no_end_of_the_file(tmp_path: Path) -> None:
    frame = gpd.GeoDataFrame({"a": range(300_000)}, geometry=[shapely.Point(1, 2)] * 300_000)
    frame.set_crs(4326).to_file(tmp_path / "a.gpkg", engine="pyogrio", SPATIAL_INDEX="NO")
    source = VectorSource(tmp_path / "a.gpkg", "GPKG")
    with open_vector(source, limits=LIMITS, work_dir=tmp_path) as stream:
        batches = stream.batches()
        next(batches)
        os.kill(stream._child.process.pid, signal.SIGKILL)
        with pytest.raises(ReaderKilledError):
            list(batches)


def test_leaving_early_leaves_nothing_behind(countries: Path, tmp_path: Path) -> None:
    with open_vector(
        VectorSource(countries, "ESRI Shapefile"), limits=LIMITS, work_dir=tmp_path
    ) as stream:
        pid = stream._child.process.pid
    assert not Path(f"/proc/{pid}").exists()
    assert list(tmp_path.iterdir()) == []


def test_the_rows_can_be_read_from_another_thread(countries: Path, tmp_path: Path) -> None:
    rows: list[int] = []
    with open_vector(
        VectorSource(countries, "ESRI Shapefile"), limits=LIMITS, work_dir=tmp_path
    ) as stream:
        thread = threading.Thread(
            target=lambda: rows.extend(batch.num_rows for batch in stream.batches())
        )
        thread.start()
        thread.join()
        assert sum(rows) == stream.end.row_count == 177


@pytest.mark.parametrize(
    ("column", "value"),
    [("i", "many"), ("i", 1.5), ("small", 40_000), ("f", "many"), ("yes", 7)],
)
def test_a_value_that_its_column_cannot_hold_is_an_error(
    column: str, value: object, tmp_path: Path, read: Any
) -> None:
    path = tmp_path / "a.gpkg"
    columns = {"i": [1, 2], "f": [1.5, 2.5], "yes": [True, False]}
    frame = gpd.GeoDataFrame(columns, geometry=[shapely.Point(1, 2)] * 2, crs=4326)
    frame["small"] = frame["i"].astype("int16")
    frame.to_file(path, engine="pyogrio", SPATIAL_INDEX="NO")
    with sqlite3.connect(path) as db:
        db.execute(f'UPDATE a SET "{column}" = ? WHERE fid = 2', (value,))
    with pytest.raises(InputError, match=f"column '{column}' is of type .*{value}"):
        read(path, "GPKG")


def test_a_file_that_is_not_there_is_named(tmp_path: Path, read: Any) -> None:
    with pytest.raises(InputError, match=r"a\.gpkg: it is not there"):
        read(tmp_path / "a.gpkg", "GPKG")


def test_errors_call_the_file_what_the_caller_calls_it(tmp_path: Path) -> None:
    source = VectorSource(tmp_path / "a.gpkg", "GPKG", label="s3://landing-zone/a.gpkg")
    with (
        pytest.raises(InputError, match=r"^s3://landing-zone/a\.gpkg: "),
        open_vector(source, limits=LIMITS, work_dir=tmp_path),
    ):
        pass


def test_modules_in_the_work_folder_are_not_imported(countries: Path, tmp_path: Path) -> None:
    for name in ("numpy", "json", "pyarrow", "libs"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('imported')")
    with open_vector(
        VectorSource(countries, "ESRI Shapefile"), limits=LIMITS, work_dir=tmp_path
    ) as stream:
        assert sum(batch.num_rows for batch in stream.batches()) == 177


@pytest.mark.parametrize("zone", ["Z", "", "+02:00"])
def test_an_impossible_day_in_a_flatgeobuf_is_the_files_fault(
    zone: str, tmp_path: Path, read: Any
) -> None:
    at = f"2021-02-30T10:00:00{zone}"
    feature = {"type": "Feature", "properties": {"t": at}, "geometry": None}
    feature["geometry"] = {"type": "Point", "coordinates": [1, 2]}
    (tmp_path / "a.geojson").write_text(json.dumps(feature))
    subprocess.run(["ogr2ogr", "-f", "FlatGeobuf", "a.fgb", "a.geojson"], cwd=tmp_path, check=True)
    with pytest.raises(InputError, match="'t' has the date '2021.02.30.*in no calendar"):
        read(tmp_path / "a.fgb", "FlatGeobuf")
