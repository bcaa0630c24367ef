"""Whether a folder is one of backups: in any other one nothing is written over and nothing removed.

README.txt says so by its first line. A folder without one, or with the beginning of one only, was
broken off before it was written, or lost it: then a backup in it says so, or that it is empty but
for our own names. Their names alone say nothing, since others call their files so too.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from pathlib import Path

from libs.backup.files import move_in
from libs.backup.readme import FIRST_LINE, README

LOST_AND_FOUND = "lost+found"
"""A file system's own, where the folder is one."""
LOCK = ".lock"
OBJECTS = "objects"
LEDGER = "ledger"
INCOMING = ".incoming"
_README = "README.txt"
_DRAFT = ".README.txt.part"
_FILES = (LOCK, _README, _DRAFT)
_FOLDERS = (OBJECTS, LEDGER, INCOMING)


class _Readme(Enum):
    OURS = "ours"
    UNTOLD = "missing, or cut off before it says anything"
    OTHER = "somebody else's"


def stranger_in(root: Path, has_backup: Callable[[], bool]) -> str | None:
    """What says that a folder is not one of backups; None: it is one, or is empty.

    `has_backup`: whether a backup lies in it that says so itself.
    """
    readme = _readme_of(root / _README)
    if readme is _Readme.OTHER:
        return _README
    if readme is _Readme.OURS and (root / LEDGER).is_dir():
        return None
    if readme is _Readme.UNTOLD and has_backup():
        return None
    return next(filter(None, map(_stranger, sorted(root.iterdir()))), None)


def write_readme(root: Path) -> None:
    """Say whose the folder is; whole or not at all, since the next backup relies on it."""
    if (root / _README).exists() and (root / _README).read_bytes() == README.encode():
        return
    (root / _DRAFT).write_text(README, encoding="utf-8")
    move_in(root / _DRAFT, root / _README)


def _readme_of(path: Path) -> _Readme:
    if not path.exists():
        return _Readme.UNTOLD
    if not path.is_file():
        return _Readme.OTHER
    ours = README.encode()
    with path.open("rb") as file:
        found = file.read(len(ours))
    if found.startswith(FIRST_LINE.encode()):
        return _Readme.OURS
    return _Readme.UNTOLD if ours.startswith(found) else _Readme.OTHER


def _stranger(path: Path) -> str | None:
    """Its name, unless a backup that was broken off at its beginning may have left it."""
    if path.name == LOST_AND_FOUND or (path.name in _FILES and path.is_file()):
        return None
    if path.name in _FOLDERS and path.is_dir():
        return next((f"{path.name}/{inside.name}" for inside in path.iterdir()), None)
    return path.name
