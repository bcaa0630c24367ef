"""The errors of reading and writing geodata files."""

from __future__ import annotations

from libs.errors import InputError, OperatorError, Problem, TransientError


class UnreadableFileError(InputError):
    """A file cannot be read as what it was declared to be."""

    def __init__(self, where: str, what: str, cure: str) -> None:
        super().__init__([Problem(where=where, what=what, cure=cure)])


class CrsConflictError(InputError):
    """The manifest declares one CRS and the file says another; neither is believed."""

    def __init__(self, where: str, declared: str, found: str, reason: str = "") -> None:
        self.declared, self.found = declared, found
        super().__init__(
            [
                Problem(
                    where=where,
                    what=f"the manifest declares {declared}, but the file says {found}{reason}.",
                    cure="Correct `crs` in the manifest, or the file's own reference system.",
                )
            ]
        )


class UnknownCrsError(InputError):
    """A CRS code or definition that PROJ does not know."""

    def __init__(self, where: str, given: str) -> None:
        super().__init__(
            [
                Problem(
                    where=where,
                    what=f"{given!r} is not a coordinate reference system that PROJ knows.",
                    cure="Use a code that exists, `EPSG:32633` say.",
                )
            ]
        )


class UnsuitableCrsError(InputError):
    """A reference system that gives no position on a map: vertical or geocentric."""

    def __init__(self, where: str, name: str) -> None:
        super().__init__(
            [
                Problem(
                    where=where,
                    what=f"{name} is neither a geographic nor a projected reference system.",
                    cure="Declare the horizontal reference system of the coordinates.",
                )
            ]
        )


class ArchiveError(InputError):
    """An archive that is broken, hostile or not what it was declared to be."""

    def __init__(self, archive: str, entry: str | None, what: str, cure: str) -> None:
        where = archive if entry is None else f"{archive}, entry {entry!r}"
        super().__init__([Problem(where=where, what=what, cure=cure)])


class LimitExceededError(InputError):
    """A child process needed more memory, time or disk than it may have for one file."""


class ReaderKilledError(TransientError):
    """A child process was ended by somebody else: the machine short of memory, or a shutdown."""


class ReaderBrokenError(OperatorError):
    """A child process failed in a way that says nothing of the user's file."""


class DiskShortError(TransientError):
    """An archive cannot be unpacked now: the disk has too little room."""

    def __init__(self, archive: str, needed_bytes: int, free_bytes: int) -> None:
        super().__init__(
            f"{archive} unpacks to {needed_bytes} bytes, and its disk has {free_bytes} bytes "
            "free. Free some room or point ETL_WORK_DIR at a larger disk; it is tried again."
        )
