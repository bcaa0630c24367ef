from __future__ import annotations

import stat
import struct
import zipfile
from pathlib import Path

import pytest

from libs.spatial_utils.archive import ArchiveLimits, extract_zip
from libs.spatial_utils.errors import ArchiveError

LIMITS = ArchiveLimits(total_bytes=10**7, entries=100)


def archive(path: Path, *entries: tuple[str | zipfile.ZipInfo, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
        for name, data in entries:
            out.writestr(name, data)
    return path


def extract(path: Path, tmp_path: Path, limits: ArchiveLimits = LIMITS) -> list[Path]:
    target = tmp_path / "target"
    target.mkdir()
    return extract_zip(path, target, limits=limits)


def test_files_come_out_whole_in_their_folders(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.zip", ("b/c.txt", b"c"), ("ä b.txt", b"a"), ("inner.zip", b"PK"))
    files = extract(path, tmp_path)
    names = [str(file.relative_to(tmp_path / "target")) for file in files]
    assert names == ["b/c.txt", "ä b.txt", "inner.zip"]
    assert [file.read_bytes() for file in files] == [b"c", b"a", b"PK"]


@pytest.mark.parametrize(
    "name",
    [
        "../../evil.txt",
        "a/../../evil.txt",
        "/etc/passwd",
        "C:evil.txt",
        "C:\\evil.txt",
        "..\\evil.txt",
        "a//b.txt",
        "./a.txt",
        "a\nb.txt",
        "a\u202eb.txt",
        "con.txt",
        "a /b.txt",
        "x" * 300,
    ],
)
def test_a_name_that_leads_elsewhere_or_nowhere_is_refused(name: str, tmp_path: Path) -> None:
    path = archive(tmp_path / "a.zip", ("good.txt", b"good"), (zipfile.ZipInfo(name), b"evil"))
    with pytest.raises(ArchiveError, match=r"a\.zip"):
        extract(path, tmp_path)
    assert not (tmp_path / "evil.txt").exists()
    assert list((tmp_path / "target").iterdir()) == []


def test_a_name_with_a_nul_is_refused(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.zip", ("axb.txt", b"1"))
    path.write_bytes(path.read_bytes().replace(b"axb.txt", b"a\0b.txt"))
    with pytest.raises(ArchiveError):
        extract(path, tmp_path)


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFIFO])
def test_links_and_devices_are_refused(kind: int, tmp_path: Path) -> None:
    info = zipfile.ZipInfo("link")
    info.external_attr = (kind | 0o777) << 16
    with pytest.raises(ArchiveError, match=r"entry 'link'.*not a file"):
        extract(archive(tmp_path / "a.zip", (info, b"/etc/passwd")), tmp_path)


@pytest.mark.parametrize("twin", ["a.txt", "A.TXT"])
def test_two_entries_of_one_name_are_refused(twin: str, tmp_path: Path) -> None:
    with pytest.warns(UserWarning) if twin == "a.txt" else _nothing():
        path = archive(tmp_path / "a.zip", ("a.txt", b"1"), (twin, b"2"))
    with pytest.raises(ArchiveError, match="one name"):
        extract(path, tmp_path)


def test_a_file_that_is_also_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match="not a folder"):
        extract(archive(tmp_path / "a.zip", ("a", b"1"), ("a/b", b"2")), tmp_path)


def test_an_encrypted_entry_is_refused(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.zip", ("a.txt", b"1"))
    data = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = data.index(signature) + offset
        data[at : at + 2] = struct.pack("<H", 1)
    path.write_bytes(data)
    with pytest.raises(ArchiveError, match="encrypted"):
        extract(path, tmp_path)


def test_too_many_entries_are_refused(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.zip", *((f"{i}", b"") for i in range(101)))
    with pytest.raises(ArchiveError, match="101 entries"):
        extract(path, tmp_path)


def test_a_bomb_is_stopped_while_it_unpacks(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.zip", ("bomb", bytes(2 * 10**7)))
    with pytest.raises(ArchiveError, match=r"more than 10000000 bytes"):
        extract(path, tmp_path)
    assert sum(file.stat().st_size for file in (tmp_path / "target").iterdir()) <= 10**7


def test_an_archive_that_packs_too_well_is_refused(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.zip", ("bomb", bytes(5 * 10**6)))
    limits = ArchiveLimits(total_bytes=10**9, ratio=100, ratio_free_bytes=10**6)
    with pytest.raises(ArchiveError, match="unpacks to more than"):
        extract(path, tmp_path, limits)


def test_an_entry_that_is_larger_than_it_says_is_refused(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.zip", ("liar", bytes(10**6)))
    data = path.read_bytes().replace(struct.pack("<I", 10**6), struct.pack("<I", 10))
    path.write_bytes(data)
    with pytest.raises(ArchiveError):
        extract(path, tmp_path)


@pytest.mark.parametrize("cut", [0, 10, 100])
def test_a_broken_archive_is_the_users_fault(cut: int, tmp_path: Path) -> None:
    path = archive(tmp_path / "a.zip", ("a.txt", b"123" * 1000))
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(ArchiveError, match=r"a\.zip"):
        extract(path, tmp_path)


def test_an_altered_entry_is_noticed(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.zip", (zipfile.ZipInfo("a.txt"), b"123456789" * 10))
    path.write_bytes(path.read_bytes().replace(b"123456789", b"123456780", 1))
    with pytest.raises(ArchiveError, match="CRC"):
        extract(path, tmp_path)


def _nothing() -> object:
    import contextlib

    return contextlib.nullcontext()
