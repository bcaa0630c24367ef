"""Zip archives that nobody packed in good faith."""

from __future__ import annotations

import io
import stat
import struct
import zipfile

import pytest

from tests.hostile import makers

pytestmark = pytest.mark.integration
GROUP = "archives"


@pytest.fixture
def parts(tmp_path):
    """A good shapefile's entries."""
    folder = tmp_path / "parts"
    folder.mkdir()
    return {f"s{end}": content for end, content in makers.shapefile_parts(folder).items()}


def reject(attack, path, says, driver="ESRI Shapefile"):
    return attack.reject_file(path, driver, says)


def test_the_archive_that_all_others_are_made_of_is_good(attack, tmp_path, parts):
    done = attack.commit_file(makers.zipped(tmp_path / "a.zip", parts), "ESRI Shapefile")
    assert done.asset.vector.row_count == 5


@pytest.mark.parametrize(
    "name",
    ["../s.shp", "../../../../tmp/evil.shp", "/tmp/evil.shp", "a/../../s.shp", "..\\s.shp",
     "C:\\s.shp", "C:s.shp", "a//s.shp", "./s.shp", "a\nb.shp", "con.shp", "s.shp ",
     "x" * 256 + ".shp", "\u202eshp.s"],
)  # fmt: skip
def test_an_entry_whose_name_is_no_plain_path_is_refused(attack, tmp_path, parts, name):
    path = makers.zipped(tmp_path / "slip.zip", {name: b"x", **parts})
    reject(attack, path, r"slip\.zip, entry ")


def test_a_name_that_ends_at_a_nul_is_refused(attack, tmp_path, parts):
    path = makers.zipped(tmp_path / "nul.zip", {"evilXshp": b"x", **parts})
    path.write_bytes(path.read_bytes().replace(b"evilXshp", b"evil\0shp"))
    reject(attack, path, r"nul\.zip, entry ")


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFIFO])
def test_links_and_devices_are_refused(attack, tmp_path, parts, kind):
    path = tmp_path / "link.zip"
    with zipfile.ZipFile(path, "w") as archive:
        entry = zipfile.ZipInfo("s.prj")
        entry.create_system = 3
        entry.external_attr = (kind | 0o777) << 16
        archive.writestr(entry, str(attack.secret.text))
        for name, content in parts.items():
            if name != "s.prj":
                archive.writestr(name, content)
    reject(attack, path, r"entry 's\.prj': it is a link or a device")


def test_two_entries_of_one_name_are_refused(attack, tmp_path, parts):
    path = tmp_path / "twice.zip"
    with pytest.warns(UserWarning), zipfile.ZipFile(path, "w") as archive:
        for name, content in [*parts.items(), ("s.dbf", b"other")]:
            archive.writestr(name, content)
    reject(attack, path, "'s.dbf' is there, too")


def test_an_entry_that_is_a_file_and_a_folder_is_refused(attack, tmp_path, parts):
    path = makers.zipped(tmp_path / "both.zip", {**parts, "s.shp/x": b"x"})
    reject(attack, path, "is a file, not a folder")


def test_an_encrypted_entry_is_refused(attack, tmp_path, parts):
    path = makers.zipped(tmp_path / "locked.zip", parts)
    data = bytearray(path.read_bytes())
    for mark, offset in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        at = -1
        while (at := data.find(mark, at + 1)) >= 0:
            data[at + offset] |= 1
    path.write_bytes(data)
    reject(attack, path, "it is encrypted")


def test_a_bomb_is_refused_before_it_is_unpacked(attack, tmp_path, parts):
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
        with archive.open("zeros.dbf", "w", force_zip64=True) as out:
            for _ in range(1500):
                out.write(bytes(2**20))
    assert path.stat().st_size < 2_000_000
    reject(attack, path, "unpacks to")


def test_a_bomb_of_overlapping_entries_is_refused(attack, tmp_path):
    """Every entry of the directory is the same compressed data: 200 GB out of a few KB."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("s.shp", bytes(2**24))
    one = packed.getvalue()
    start = struct.unpack("<I", one[-6:-2])[0]
    head = one[start:-22]
    heads = b"".join(head.replace(b"s.shp", b"%05d" % n) for n in range(9999))
    end = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 9999, 9999, len(heads), start, 0)
    path = tmp_path / "overlap.zip"
    path.write_bytes(one[:start] + heads + end)
    reject(attack, path, "unpacks to|Overlapped|overlap")


def test_an_entry_that_lies_about_its_size_is_refused(attack, tmp_path, parts):
    path = makers.zipped(tmp_path / "liar.zip", {**parts, "zeros.bin": bytes(1_000_000)})
    data = path.read_bytes()
    path.write_bytes(data.replace(struct.pack("<I", 1_000_000), struct.pack("<I", 10)))
    reject(attack, path, r"liar\.zip")


def test_too_many_entries_are_refused(attack, tmp_path):
    path = makers.zipped(tmp_path / "many.zip", {f"{n}.txt": b"" for n in range(10_001)})
    reject(attack, path, "10001 entries")


def test_a_zip_in_a_zip_stays_closed(attack, tmp_path, parts):
    inner = makers.zipped(tmp_path / "inner.zip", parts).read_bytes()
    for _ in range(20):
        inner = makers.zipped(tmp_path / "inner.zip", {"inner.zip": inner}).read_bytes()
    path = makers.zipped(tmp_path / "nested.zip", {"inner.zip": inner})
    reject(attack, path, r"no \.shp file in it.*Zip the data of the declared format itself")


def test_an_empty_archive_is_refused(attack, tmp_path):
    reject(attack, makers.zipped(tmp_path / "none.zip", {}), r"no \.shp file in it")


def test_what_is_no_archive_is_refused(attack, tmp_path):
    path = tmp_path / "no.zip"
    path.write_bytes(b"PK\3\4 but no archive")
    reject(attack, path, "not a zip archive that can be read")


@pytest.mark.parametrize("damage", ["data", "directory", "method", "offset", "start"])
def test_a_damaged_archive_is_refused(attack, tmp_path, parts, damage):
    path = makers.zipped(tmp_path / "broken.zip", parts)
    data = bytearray(path.read_bytes())
    directory = data.find(b"PK\1\2")
    if damage == "data":
        data[45:70] = b"\xff" * 25
    if damage == "directory":
        data[directory + 28] = 0xFF
    if damage == "method":
        data[8], data[directory + 10] = 99, 99
    if damage == "offset":
        data[directory + 42 : directory + 46] = struct.pack("<I", 2**31)
    if damage == "start":
        data[-6:-2] = struct.pack("<I", 2**31)
    path.write_bytes(data)
    reject(attack, path, r"broken\.zip")


def test_a_geodatabase_that_is_none_is_refused(attack, tmp_path, parts):
    path = makers.zipped(tmp_path / "g.gdb.zip", {"g.gdb/a00000001.gdbtable": b"x", **parts})
    reject(attack, path, r"cannot read it", "OpenFileGDB")


def test_several_shapefiles_in_one_archive_need_a_name(attack, tmp_path, parts):
    others = {name.replace("s.", "t.", 1): content for name, content in parts.items()}
    path = makers.zipped(tmp_path / "two.zip", {**parts, **others})
    reject(attack, path, "it has 2 shapefiles: 's', 't'")


def test_what_lies_beside_the_shapefile_in_an_archive_changes_nothing(attack, tmp_path, parts):
    vrt = f"<OGRVRTDataSource><x>{attack.secret.geojson}</x></OGRVRTDataSource>".encode()
    rc = b"[configoptions]\nOGR_SKIP=\n"
    more = {"s.shp.xml": vrt, "s.vrt": vrt, "s.qix": b"SQT" + bytes(9), "s.sbn": vrt, "s.idm": vrt}
    more |= {"gdalrc": rc, ".gdal/gdalrc": rc, "s.cpg": b"UTF-8"}
    path = makers.zipped(tmp_path / "beside.zip", {**parts, **more})
    done = attack.commit_file(path, "ESRI Shapefile")
    assert done.asset.vector.row_count == 5
