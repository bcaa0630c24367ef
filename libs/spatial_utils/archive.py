"""Unpacks a zip archive that nobody vouches for; what the files in it are is not its business."""

from __future__ import annotations

import errno
import lzma
import re
import shutil
import stat
import struct
import unicodedata
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from libs.spatial_utils.errors import ArchiveError, DiskShortError

_CHUNK_BYTES = 2**20
_ENCRYPTED = 0x1
_DEVICES = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?")
_LONGEST_NAME_BYTES = 255
_OF_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    ValueError,
    IndexError,
    OverflowError,
    NotImplementedError,
)
"""What `zipfile` and its decompressors raise for an archive that was damaged."""
_PLAIN = "Zip plain files by plain names."


@dataclass(frozen=True)
class ArchiveLimits:
    """How much may come out of one archive."""

    total_bytes: int
    entries: int = 10_000
    ratio: int = 200
    """Unpacked bytes per byte of the archive; deflate's own limit is 1032. Tables of short texts in
    wide columns reach 100."""
    ratio_free_bytes: int = 100 * 2**20
    """Up to here the ratio is nobody's concern."""
    left_free_bytes: int = 2**28
    """So much of the disk stays free."""


def extract_zip(path: Path, target: Path, *, limits: ArchiveLimits) -> list[Path]:
    """Unpack all files of the archive into `target`, an existing folder, and return them in order.

    Everything is checked before the first byte is written; sizes are counted while writing, since
    an archive may lie about them. An archive in the archive stays one. Raises `ArchiveError` that
    names the archive and the entry.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            entries = _checked(path, archive.infolist(), limits)
            unpacking = _Unpacking(path, archive, limits)
            unpacking.require_room(target, [info for info, _ in entries])
            return unpacking.into(target, entries)
    except _OF_DAMAGE as error:
        raise _damaged(path, error) from error
    except OSError as error:
        # A place before the archive's beginning is looked for, or bz2 has no number for its error.
        if error.errno not in (None, errno.EINVAL):
            raise
        raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception) -> ArchiveError:
    what = f"it is not a zip archive that can be read ({error})."
    return ArchiveError(path.name, None, what, "Zip it anew.")


def _checked(
    path: Path, infos: Sequence[zipfile.ZipInfo], limits: ArchiveLimits
) -> list[tuple[zipfile.ZipInfo, PurePosixPath]]:
    if len(infos) > limits.entries:
        raise ArchiveError(
            path.name,
            None,
            f"it has {len(infos)} entries; {limits.entries} are accepted.",
            "Zip only the files of one dataset.",
        )
    seen: dict[str, str] = {}
    entries = []
    for info in infos:
        fault = _fault(info)
        if fault:
            raise ArchiveError(path.name, _shown(info), fault, _PLAIN)
        name = PurePosixPath(info.filename)
        same = unicodedata.normalize("NFC", str(name)).casefold()
        if same in seen:
            same_name = f"{seen[same]!r} is there, too: one name."
            raise ArchiveError(path.name, _shown(info), same_name, _PLAIN)
        seen[same] = str(name)
        if not info.is_dir():
            entries.append((info, name))
    _refuse_files_as_folders(path, seen, entries)
    return entries


def _fault(info: zipfile.ZipInfo) -> str:
    """What is wrong with an entry; empty: nothing."""
    kind = stat.S_IFMT(info.external_attr >> 16)
    if info.flag_bits & _ENCRYPTED:
        return "it is encrypted."
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "it is a link or a device, not a file."
    # `filename` is cut at a NUL, and has the machine's own separator turned into a slash.
    return _fault_of_name(info.orig_filename)


def _fault_of_name(name: str) -> str:
    parts = name.removesuffix("/").split("/")
    if not name.isprintable() or any(odd in name for odd in "\\:\ufffd"):
        return "its name has a backslash, a colon or a character that cannot be shown."
    if any(part in ("", ".", "..") for part in parts):
        return "its name leads out of the archive's own folder, or nowhere."
    if any(_DEVICES.fullmatch(part) or part != part.strip() for part in parts):
        return "its name is one that some systems cannot have."
    if any(len(part.encode("utf-8", "surrogatepass")) > _LONGEST_NAME_BYTES for part in parts):
        return f"its name is longer than {_LONGEST_NAME_BYTES} bytes."
    return ""


def _shown(info: zipfile.ZipInfo) -> str:
    return info.orig_filename[:200]


def _refuse_files_as_folders(
    path: Path, seen: dict[str, str], entries: Sequence[tuple[zipfile.ZipInfo, PurePosixPath]]
) -> None:
    files = {unicodedata.normalize("NFC", str(name)).casefold() for _, name in entries}
    for same, name in seen.items():
        for parent in PurePosixPath(same).parents:
            if str(parent) in files:
                raise ArchiveError(
                    path.name, name, f"{str(parent)!r} is a file, not a folder.", _PLAIN
                )


class _Unpacking:
    def __init__(self, path: Path, archive: zipfile.ZipFile, limits: ArchiveLimits) -> None:
        self._path, self._archive, self._limits = path, archive, limits
        packed = path.stat().st_size
        by_ratio = max(limits.ratio_free_bytes, packed * limits.ratio)
        self._most = min(limits.total_bytes, by_ratio)
        self._written = 0

    def require_room(self, target: Path, infos: Sequence[zipfile.ZipInfo]) -> None:
        """Before anything is written; no entry gives more than it declares, `zipfile` sees to it.

        Raises:
            ArchiveError: the entries declare more than is accepted.
            DiskShortError: they declare more than there is room for now.
        """
        declared = sum(info.file_size for info in infos)
        if declared > self._most:
            largest = max(infos, key=lambda info: info.file_size)
            raise self._too_much(largest)
        free = shutil.disk_usage(target).free
        if declared > free - self._limits.left_free_bytes:
            raise DiskShortError(self._path.name, declared, free)

    def into(
        self, target: Path, entries: Sequence[tuple[zipfile.ZipInfo, PurePosixPath]]
    ) -> list[Path]:
        written = []
        for info, name in entries:
            place = target.joinpath(*name.parts)
            place.parent.mkdir(parents=True, exist_ok=True)
            self._copy(info, place)
            written.append(place)
        return written

    def _copy(self, info: zipfile.ZipInfo, place: Path) -> None:
        with self._archive.open(info) as source, place.open("xb") as out:
            while chunk := source.read(_CHUNK_BYTES):
                self._written += len(chunk)
                if self._written > self._most:
                    raise self._too_much(info)
                out.write(chunk)

    def _too_much(self, info: zipfile.ZipInfo) -> ArchiveError:
        return ArchiveError(
            self._path.name,
            _shown(info),
            f"the archive unpacks to more than {self._most} bytes.",
            "Submit the files in several batches, or not zipped.",
        )
