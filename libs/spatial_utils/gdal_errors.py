"""What the end of a GDAL program means: whose fault it was, and what cures it."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from libs.errors import ConfigError, OperatorError, Problem, SpatialEtlError, TransientError
from libs.spatial_utils.errors import LimitExceededError, UnreadableFileError
from libs.spatial_utils.sandbox import Ended, Outcome

PACKAGE = "gdal-bin"
STAGED_NAME = "source"
"""The stem of the neutral name under which an input file is shown to GDAL."""

_CANNOT_START = 127
_WORDS_LINES = 3
_HARMLESS = re.compile(
    # Of a good reprojection: corners of the target with no place in the source.
    r"PROJ: |[Rr]eprojection failed|Too many points|failed to transform"
    # And of `gdalinfo`, which gives the corners in degrees: those of a map of the whole world.
    r"|^ERROR 1: Point outside of projection domain$"
    # GDAL's reading threads, about a copy in memory that says of one band what was true of all:
    # each tile of a file that holds its bands one after the other. Its pixels are right.
    r'|^ERROR 1: _TIFFVSetField:/vsimem/decompress_\w+\.tif: Bad value \d+ for "ExtraSamples" tag$'
)
"""Errors that are none."""

_DAMAGE = re.compile(r"JPEGLib:(?:Corrupt JPEG data|Premature end)")
"""Warnings that are none: GDAL goes on with whatever pixels the broken tile gives."""

_COULD_NOT_WRITE = re.compile(r"No space left on device|TIFFAppendToStrip|[Ww]rite error")
NO_ROOM_BYTES = 16 * 2**20
"""With less than this left on its disk, a program that failed is taken to have failed for it."""

_OUT_OF_MEMORY = re.compile(r"cannot allocate|out of memory", re.IGNORECASE)


class GDALTimeoutError(LimitExceededError):
    """A GDAL program took longer than its time-out."""

    def __init__(self, where: str, program: str, timeout_s: float) -> None:
        self.timeout_s = timeout_s
        super().__init__(
            [
                Problem(
                    where=where,
                    what=f"{program} was not done after {timeout_s:g} s and was ended.",
                    cure="Submit it in smaller parts, or have ETL_GDAL_TIMEOUT_S raised.",
                )
            ]
        )


class GDALMissingError(ConfigError):
    """A GDAL program is not installed."""

    def __init__(self, program: str) -> None:
        super().__init__(
            f"The program {program} is not on PATH; install Debian's package {PACKAGE} "
            f"(apt install {PACKAGE})."
        )


class GDALInterruptedError(TransientError):
    """A GDAL program was ended from outside, or the disk was full; the file is not at fault."""


class UnsafePathError(OperatorError):
    """A path that no GDAL program may be given: outside the work folder, virtual, an option."""


def gdal_words(stderr: str, work_dir: Path, about: str) -> str:
    """GDAL's last complaints in one line, with the user's name for the file in place of ours."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR ")]
    wanted = [line for line in lines if _counts(line)] or errors or lines
    text = " / ".join(dict.fromkeys(wanted[-_WORDS_LINES:]))[-1000:]
    text = re.sub(re.escape(str(work_dir)) + r"[^\s'\",:]*", about, text)
    return re.sub(rf"\b{STAGED_NAME}\.\w+", about, text)


def first_error(stderr: str) -> str | None:
    """The first line in which a program that ended well still says that something failed."""
    return next(filter(_counts, stderr.splitlines()), None)


def _counts(line: str) -> bool:
    is_error = line.startswith("ERROR ") and not _HARMLESS.search(line)
    return is_error or bool(_DAMAGE.search(line))


def error_of(
    outcome: Outcome, *, program: str, about: str, work_dir: Path, timeout_s: float
) -> SpatialEtlError:
    """The error that tells of a program's bad end."""
    words = gdal_words(outcome.stderr, work_dir, about)
    if outcome.returncode == _CANNOT_START and "cannot start" in outcome.stderr:
        return ConfigError(f"{program} cannot be started: {outcome.last_lines}")
    if is_for_want_of_room(outcome.stderr, work_dir):
        return no_room(about, program)
    if outcome.ended is Ended.KILLED:
        return GDALInterruptedError(
            f"{about}: {program} was killed from outside, perhaps because the machine ran out of "
            "memory. Lower ETL_GDAL_MEMORY_MB or the number of runs at once; it is tried again."
        )
    if outcome.ended in (Ended.OUT_OF_TIME, Ended.OUT_OF_CPU):
        return GDALTimeoutError(about, program, timeout_s)
    ended = Ended.OUT_OF_MEMORY if _OUT_OF_MEMORY.search(outcome.stderr) else outcome.ended
    return _fault_of_the_file(ended, program, about, words)


def is_for_want_of_room(stderr: str, work_dir: Path) -> bool:
    """Whether a program failed because the disk was full, which GDAL does not always say."""
    return bool(_COULD_NOT_WRITE.search(stderr)) or (
        shutil.disk_usage(work_dir).free < NO_ROOM_BYTES
    )


def no_room(about: str, program: str) -> GDALInterruptedError:
    """The disk is full; the file is not at fault."""
    return GDALInterruptedError(
        f"{about}: the disk is full ({program}). Free some room or point ETL_WORK_DIR at a "
        "larger disk; the batch is tried again."
    )


def _fault_of_the_file(
    ended: Ended, program: str, about: str, words: str
) -> LimitExceededError | UnreadableFileError:
    if ended is Ended.OUT_OF_MEMORY:
        return LimitExceededError(
            [
                Problem(
                    where=about,
                    what=f"{program} needs more memory for it than it may have ({words}).",
                    cure="Store it in tiles of 512 pixels, or have ETL_GDAL_MEMORY_MB raised.",
                )
            ]
        )
    if ended is Ended.FILE_TOO_LARGE:
        return LimitExceededError(
            [
                Problem(
                    where=about,
                    what=f"{program} would write far more than the file's own pixels.",
                    cure="Check its georeferencing, or submit it in smaller parts.",
                )
            ]
        )
    said = f"GDAL says: {words}" if words else "GDAL says nothing about why"
    what = f"{program} crashed on it" if ended is Ended.CRASHED else f"{program} cannot read it"
    return UnreadableFileError(
        about,
        f"{what}. {said}",
        "Check that the file is whole and of the declared format (gdalinfo -checksum FILE), "
        "and upload it again.",
    )
