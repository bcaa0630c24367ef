from __future__ import annotations

import shutil
import zipfile
from pathlib import Path
from typing import Any

import geopandas as gpd
import pytest
import shapely

from libs.errors import InputError

TEXT = "Äß é"


def shapefile(folder: Path, name: str = "a", encoding: str | None = "UTF-8") -> Path:
    frame = gpd.GeoDataFrame({"name": [TEXT, None]}, geometry=[shapely.Point(1, 2)] * 2, crs=4326)
    options = {"encoding": encoding} if encoding else {}
    frame.to_file(folder / f"{name}.shp", engine="pyogrio", **options)
    return folder / f"{name}.shp"


def without_encoding(path: Path) -> Path:
    path.with_suffix(".cpg").unlink(missing_ok=True)
    dbf = bytearray(path.with_suffix(".dbf").read_bytes())
    dbf[29] = 0
    path.with_suffix(".dbf").write_bytes(dbf)
    return path


@pytest.mark.parametrize("encoding", ["UTF-8", "ISO-8859-1", "CP1252"])
def test_text_is_read_in_the_encoding_that_the_file_names(
    encoding: str, tmp_path: Path, read: Any
) -> None:
    got = read(shapefile(tmp_path, encoding=encoding), "ESRI Shapefile")
    assert got.column("name") == [TEXT, None]
    assert got.info.notes == ()


@pytest.mark.parametrize(
    ("encoding", "said"), [("CP1252", "ANSI 1252"), ("CP850", "OEM 850"), ("CP850", "OEM850\r\n")]
)
def test_a_code_page_in_words_is_understood(
    encoding: str, said: str, tmp_path: Path, read: Any
) -> None:
    path = without_encoding(shapefile(tmp_path, encoding=encoding))
    path.with_suffix(".cpg").write_text(said)
    got = read(path, "ESRI Shapefile")
    assert got.column("name") == [TEXT, None]
    assert got.info.notes == ()


@pytest.mark.parametrize(
    ("encoding", "taken_for"),
    [("UTF-8", "UTF-8"), ("ISO-8859-1", "Windows-1252"), ("CP1252", "Windows-1252")],
)
def test_an_encoding_that_is_guessed_is_noted(
    encoding: str, taken_for: str, tmp_path: Path, read: Any
) -> None:
    got = read(without_encoding(shapefile(tmp_path, encoding=encoding)), "ESRI Shapefile")
    assert got.column("name") == [TEXT, None]
    assert any(f"was read as {taken_for}" in note for note in got.info.notes)


def test_text_that_is_not_in_the_encoding_it_names_is_an_error(tmp_path: Path, read: Any) -> None:
    path = shapefile(tmp_path, encoding="ISO-8859-1")
    path.with_suffix(".cpg").write_text("UTF-8")
    with pytest.raises(InputError, match=r"'name' has text that is not UTF-8 in row 1.*\.cpg"):
        read(path, "ESRI Shapefile")


@pytest.mark.parametrize("part", [".dbf", ".shx"])
def test_a_missing_part_is_named(part: str, tmp_path: Path, read: Any) -> None:
    path = shapefile(tmp_path)
    path.with_suffix(part).unlink()
    with pytest.raises(InputError, match=rf"a\{part} is missing"):
        read(path, "ESRI Shapefile")


def test_a_missing_prj_means_that_the_file_says_nothing(tmp_path: Path, read: Any) -> None:
    path = shapefile(tmp_path)
    path.with_suffix(".prj").unlink()
    assert read(path, "ESRI Shapefile").info.crs_wkt is None


def test_a_prj_whose_text_is_not_utf8_is_the_files_fault(tmp_path: Path, read: Any) -> None:
    path = shapefile(tmp_path)
    prj = path.with_suffix(".prj")
    prj.write_bytes(prj.read_bytes().replace(b"WGS_1984", b"WGS_\xb1984"))
    with pytest.raises(InputError, match="UTF-8") as caught:
        read(path, "ESRI Shapefile")
    assert caught.value.problems[0].cure


def zipped(folder: Path, into: Path) -> Path:
    with zipfile.ZipFile(into, "w") as archive:
        for item in sorted(folder.iterdir()):
            archive.write(item, f"inner folder/{item.name}")
        archive.writestr("__MACOSX/inner folder/._a.shp", b"litter")
    return into


def test_a_zipped_shapefile_reads_like_its_files(tmp_path: Path, read: Any) -> None:
    (tmp_path / "in").mkdir()
    shapefile(tmp_path / "in")
    got = read(zipped(tmp_path / "in", tmp_path / "a.shp.zip"), "ESRI Shapefile")
    assert got.column("name") == [TEXT, None]
    assert got.info.layer == "a"


def test_of_two_zipped_shapefiles_one_has_to_be_named(tmp_path: Path, read: Any) -> None:
    (tmp_path / "in").mkdir()
    shapefile(tmp_path / "in", "a")
    shapefile(tmp_path / "in", "b")
    path = zipped(tmp_path / "in", tmp_path / "two.zip")
    with pytest.raises(InputError, match=r"two\.zip: it has 2 shapefiles: 'a', 'b'.*`layer`"):
        read(path, "ESRI Shapefile")
    assert read(path, "ESRI Shapefile", "b").info.layer == "b"
    with pytest.raises(InputError, match="'c'; there are: 'a', 'b'"):
        read(path, "ESRI Shapefile", "c")


def test_a_zip_without_a_shapefile_says_so(tmp_path: Path, read: Any) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.txt").write_text("a")
    with pytest.raises(InputError, match=r"no \.shp file"):
        read(zipped(tmp_path / "in", tmp_path / "a.zip"), "ESRI Shapefile")


def geodatabase(folder: Path) -> Path:
    frame = gpd.GeoDataFrame({"Name": [TEXT]}, geometry=[shapely.Point(1, 2)], crs=3035)
    frame.to_file(folder / "a.gdb", driver="OpenFileGDB", layer="Places", engine="pyogrio")
    return folder / "a.gdb"


@pytest.mark.parametrize("inside", ["a.gdb/", "deep/a.gdb/", ""])
def test_a_zipped_geodatabase_reads_wherever_its_folder_is(
    inside: str, tmp_path: Path, read: Any
) -> None:
    folder = geodatabase(tmp_path)
    with zipfile.ZipFile(tmp_path / "a.gdb.zip", "w") as archive:
        for item in folder.iterdir():
            archive.write(item, f"{inside}{item.name}")
    got = read(tmp_path / "a.gdb.zip", "OpenFileGDB")
    assert got.column("Name") == [TEXT]
    assert got.geometries == [shapely.Point(1, 2)]
    assert (got.info.layer, got.info.crs_wkt) == ("Places", "EPSG:3035")


def test_a_geodatabase_that_is_no_zip_is_refused(tmp_path: Path, read: Any) -> None:
    (tmp_path / "a.gdb").write_bytes(b"x")
    with pytest.raises(InputError, match=r"zip archive.*a\.gdb\.zip"):
        read(tmp_path / "a.gdb", "OpenFileGDB")


def test_shapefile_parts_in_capitals_are_found(tmp_path: Path, read: Any) -> None:
    (tmp_path / "in").mkdir()
    shapefile(tmp_path / "in")
    (tmp_path / "out").mkdir()
    for item in (tmp_path / "in").iterdir():
        shutil.copy(item, tmp_path / "out" / item.name.upper())
    assert read(tmp_path / "out" / "A.SHP", "ESRI Shapefile").column("name") == [TEXT, None]
