"""Files that were cut off, emptied, or whose parts do not fit together."""

from __future__ import annotations

import struct

import geopandas
import pytest

from tests.hostile import makers

pytestmark = pytest.mark.integration
GROUP = "damaged files"
CUTS = {"half": 0.5, "the head": 0.02, "the last bytes": 0.995}


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("driver", [name for name in makers.SUFFIXES if name != "CSV"])
def test_a_file_that_was_cut_off_is_refused(attack, tmp_path, driver, cut):
    path, *beside = makers.honest(tmp_path, driver, rows=400)
    data = path.read_bytes()
    path.write_bytes(data[: max(1, int(len(data) * CUTS[cut]))])
    crs = makers.crs_of(driver)
    attack.reject_file(path, driver, r"honest\.", crs=crs, beside=beside)


def test_a_csv_that_was_cut_off_in_a_row_is_refused(attack, tmp_path):
    [path] = makers.honest(tmp_path, "CSV")
    path.write_bytes(path.read_bytes()[:-9])
    attack.reject_file(path, "CSV", "last line has no end and too few fields")


@pytest.mark.parametrize("driver", makers.SUFFIXES)
def test_an_empty_file_is_refused(attack, tmp_path, driver):
    path = tmp_path / f"empty{makers.SUFFIXES[driver]}"
    path.touch()
    attack.reject_file(path, driver, r"empty.* is empty \(0 bytes\)", crs=makers.crs_of(driver))


def reject_shapefile(attack, tmp_path, parts, says):
    path, *beside = makers.write_parts(tmp_path / "lie", parts)
    attack.reject_file(path, "ESRI Shapefile", says, beside=beside)


@pytest.fixture
def parts(tmp_path):
    return makers.shapefile_parts(tmp_path)


@pytest.mark.parametrize("ending", [".shx", ".dbf"])
def test_a_shapefile_without_a_part_is_refused(attack, tmp_path, parts, ending):
    del parts[ending]
    reject_shapefile(attack, tmp_path, parts, rf"no {ending} file beside it")


@pytest.mark.parametrize("ending", [".shx", ".dbf"])
def test_a_shapefile_with_an_empty_part_is_refused(attack, tmp_path, parts, ending):
    reject_shapefile(attack, tmp_path, {**parts, ending: b""}, r"s\.shp")


def test_an_index_that_leads_behind_the_end_is_refused(attack, tmp_path, parts):
    index = parts[".shx"][:100] + struct.pack(">2i", 2**24, 64) * 5
    reject_shapefile(attack, tmp_path, {**parts, ".shx": index}, r"s\.shp")


def test_an_index_that_leads_to_another_record_is_refused(attack, tmp_path, parts):
    first = parts[".shx"][100:108]
    index = parts[".shx"][:100] + first * 5
    reject_shapefile(attack, tmp_path, {**parts, ".shx": index}, r"s\.shp")


def test_an_index_of_fewer_records_is_refused(attack, tmp_path, parts):
    index = bytearray(parts[".shx"][:-8])
    index[24:28] = struct.pack(">i", len(index) // 2)
    reject_shapefile(attack, tmp_path, {**parts, ".shx": bytes(index)}, r"s\.shp")


def test_a_table_of_fewer_rows_is_refused(attack, tmp_path, parts):
    table = bytearray(parts[".dbf"])
    table[4:8] = struct.pack("<I", 3)
    reject_shapefile(attack, tmp_path, {**parts, ".dbf": bytes(table)}, r"s\.shp")


def test_a_table_of_more_rows_than_it_has_is_refused(attack, tmp_path, parts):
    table = bytearray(parts[".dbf"])
    table[4:8] = struct.pack("<I", 2**31 - 1)
    reject_shapefile(attack, tmp_path, {**parts, ".dbf": bytes(table)}, r"s\.shp")


def test_a_record_that_announces_too_many_points_is_refused(attack, tmp_path, parts):
    shape = bytearray(parts[".shp"])
    at = 100 + 8 + 4 + 32
    shape[at : at + 8] = struct.pack("<2i", 2**30, 2**30)
    reject_shapefile(attack, tmp_path, {**parts, ".shp": bytes(shape)}, r"s\.shp")


def test_a_record_of_another_type_is_refused(attack, tmp_path, parts):
    shape = bytearray(parts[".shp"])
    shape[108:112] = struct.pack("<i", 99)
    reject_shapefile(attack, tmp_path, {**parts, ".shp": bytes(shape)}, r"s\.shp")


def test_parts_of_two_shapefiles_are_refused(attack, tmp_path, parts):
    folder = tmp_path / "other"
    folder.mkdir()
    other = makers.frame(40)
    other.to_file(folder / "s.shp", engine="pyogrio")
    table = (folder / "s.dbf").read_bytes()
    reject_shapefile(attack, tmp_path, {**parts, ".dbf": table}, r"s\.shp")


def test_a_code_page_that_is_none_is_said_in_a_note(attack, tmp_path, parts):
    parts[".cpg"] = b"x-nonsense\n"
    path, *beside = makers.write_parts(tmp_path / "lie", parts)
    done = attack.commit_file(path, "ESRI Shapefile", beside=beside)
    assert any("x-nonsense" in note for note in done.asset.notes)


def test_side_files_that_name_others_change_nothing(attack, tmp_path):
    path = makers.raster(tmp_path / "r.tif")
    source = f"<SourceFilename>{attack.secret.tiff}</SourceFilename>"
    band = f"<PAMRasterBand band='1'><Description>{attack.secret.text}</Description>{source}"
    beside = []
    for ending in (".tif.aux.xml", ".tif.ovr", ".tif.msk", ".tif.vrt", ".aux"):
        other = tmp_path / f"r{ending}"
        other.write_text(
            f"<PAMDataset>{band}</PAMRasterBand><x>{attack.canary.url}</x></PAMDataset>"
        )
        beside.append(other)
    done = attack.commit_file(path, "GTiff", crs="EPSG:32633", beside=beside)
    assert done.asset.raster.width == 64
    assert done.asset.raster.bands[0].name is None
    assert len(done.asset.sources) == 1


@pytest.mark.parametrize("text", ["not six numbers", "nan\n0\n0\n-10\n0\n0\n", "0\n0\n0\n0\n0\n0\n",
                                  "1e308\n0\n0\n-1e308\n1e308\n1e308\n"])  # fmt: skip
def test_a_world_file_that_gives_no_place_is_refused(attack, tmp_path, text):
    path = makers.raster(tmp_path / "w.tif", crs=None, transform=None)
    world = tmp_path / "w.tfw"
    world.write_text(text)
    attack.reject_file(path, "GTiff", r"w\.tif", crs="EPSG:32633", beside=[world])


@pytest.mark.parametrize("ending", [".qix", ".sbn", ".sbx", ".shp.xml", ".idx", ".ind"])
def test_indexes_beside_a_shapefile_are_left_aside(attack, tmp_path, parts, ending):
    parts[ending] = b"SQT\1" + b"\xff" * 60
    path, *beside = makers.write_parts(tmp_path / "lie", parts)
    done = attack.commit_file(path, "ESRI Shapefile", beside=beside)
    assert len(geopandas.read_parquet(done.file)) == 5
