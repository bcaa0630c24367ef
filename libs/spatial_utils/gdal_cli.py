"""GDAL's command line programs as functions: limited, confined, killable, mockable.

What they are asked to do with a raster is the business of `raster_info`, `cog` and `picture`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from libs.settings import EtlSettings
from libs.spatial_utils import gdal_confine
from libs.spatial_utils.errors import LimitExceededError, UnreadableFileError
from libs.spatial_utils.gdal_errors import (
    GDALMissingError,
    UnsafePathError,
    error_of,
    first_error,
    gdal_words,
    is_for_want_of_room,
    no_room,
)
from libs.spatial_utils.gdal_info import DatasetInfo, parse_gdalinfo
from libs.spatial_utils.sandbox import ChildLimits, Ended, spawn

PopenFactory = Callable[..., "subprocess.Popen[bytes]"]

MAX_STDOUT_BYTES = 64 * 2**20
"""As much may a program print: gdalinfo repeats a file's metadata, which the file makes up."""
ADDRESS_SPACE_BASE_BYTES = 2**30
"""Programs, libraries and thread stacks before the first pixel; mapped, hardly resident."""
READABLE = (
    "/usr",
    "/lib",
    "/lib64",
    "/bin",
    "/etc/ld.so.cache",
    "/dev/urandom",
    "/sys/devices/system/cpu",
)
"""What GDAL's programs may read beside the work folder: programs, libraries, PROJ's data."""
DATA_FOLDER_VARIABLES = ("PROJ_DATA", "PROJ_LIB", "GDAL_DATA", "LD_LIBRARY_PATH")

_VIRTUAL = ("/vsi", "http:", "https:", "ftp:", "s3:")


@dataclass(frozen=True)
class GDALOutput:
    """What a program that ended well leaves behind."""

    stdout: str
    stderr: str
    seconds: float


class GDAL:
    """GDAL's programs with the platform's limits.

    A program gets an argument list, no secret of our environment, no network, and (Linux 5.13 and
    later) no file but those of its work folder. It is ended with its process group at its time-out
    and when we end.
    """

    def __init__(
        self,
        *,
        timeout_s: float,
        memory_mb: int,
        workers: int,
        popen: PopenFactory | None = None,
    ) -> None:
        """`memory_mb` bounds block cache and working memory; `popen` is `subprocess.Popen`."""
        self.timeout_s = timeout_s
        self.memory_mb = memory_mb
        self.workers = workers
        self._popen = popen
        self._version: str | None = None

    @classmethod
    def from_settings(cls, settings: EtlSettings, popen: PopenFactory | None = None) -> GDAL:
        """With the limits that the settings name."""
        return cls(
            timeout_s=settings.gdal_timeout_s,
            memory_mb=settings.gdal_memory_mb,
            workers=settings.workers,
            popen=popen,
        )

    @property
    def is_confined(self) -> bool:
        """Whether the kernel keeps the programs from files outside their work folder."""
        return gdal_confine.landlock_version() > 0

    @property
    def cache_mb(self) -> int:
        """GDAL's block cache at most, MiB."""
        return max(32, self.memory_mb // 2)

    def version(self) -> str:
        """GDAL's version, `3.6.2`.

        Raises:
            ConfigError: GDAL is not installed.
        """
        if self._version is None:
            with tempfile.TemporaryDirectory() as folder:
                output = self.run("gdalinfo", ["--version"], work_dir=Path(folder))
            self._version = output.stdout.removeprefix("GDAL ").split(",")[0].strip()
        return self._version

    def info(self, dataset: str | Path, driver: str, *, work_dir: Path, about: str) -> DatasetInfo:
        """What GDAL knows of a dataset: a file in `work_dir`, or a subdataset's name of one.

        Raises:
            InputError: the driver cannot open it.
        """
        name = str(dataset) if isinstance(dataset, str) else local_path(dataset, work_dir)
        output = self.run(
            "gdalinfo", ["-json", "-if", driver, name], work_dir=work_dir, about=about
        )
        return parse_gdalinfo(output.stdout, about)

    def run(
        self,
        program: str,
        args: Sequence[str],
        *,
        work_dir: Path,
        about: str = "",
        timeout_s: float | None = None,
        max_file_bytes: int = 2**36,
        cache_mb: int | None = None,
    ) -> GDALOutput:
        """Run one program to its end, in `work_dir`; `about` is the user's name for the file.

        `cache_mb`: GDAL's block cache, where less than all of it will do.

        Raises:
            InputError: the file is at fault: unreadable, or too much for the limits
                (`GDALTimeoutError` for the time-out).
            TransientError: the disk is full, or the program was killed from outside.
            ConfigError: the program is not installed.
        """
        about = about or program
        work_dir = work_dir.resolve()
        command = [_found(program), *map(_harmless, args)]
        limits = self._limits(command[0], work_dir, timeout_s or self.timeout_s, max_file_bytes)
        started = time.monotonic()
        with spawn(
            command,
            limits=limits,
            work_dir=work_dir,
            options=self._options(cache_mb or self.cache_mb),
            popen=self._popen,
        ) as child:
            stdout = child.stdout.read(MAX_STDOUT_BYTES + 1)
            if len(stdout) > MAX_STDOUT_BYTES:
                raise LimitExceededError.of(
                    about, "its metadata is larger than 64 MiB.", "Remove metadata from the file."
                )
            outcome = child.wait()
        if outcome.ended is not Ended.WELL:
            raise error_of(
                outcome, program=program, about=about, work_dir=work_dir, timeout_s=limits.wall_s
            )
        if first_error(outcome.stderr):
            if is_for_want_of_room(outcome.stderr, work_dir):
                raise no_room(about, program)
            words = gdal_words(outcome.stderr, work_dir, about)
            raise UnreadableFileError(
                about,
                f"{program} could not read all of it. GDAL says: {words}",
                "Upload it again; where GDAL says the same of your own copy (gdalinfo -checksum "
                "FILE), get it anew from where it came from.",
            )
        return GDALOutput(
            stdout=stdout.decode("utf-8", "replace"),
            stderr=outcome.stderr,
            seconds=time.monotonic() - started,
        )

    def _limits(
        self, program: str, work_dir: Path, timeout_s: float, max_file_bytes: int
    ) -> ChildLimits:
        return ChildLimits(
            memory_bytes=ADDRESS_SPACE_BASE_BYTES + 2 * self.memory_mb * 2**20,
            cpu_s=max(1, int(timeout_s * self.workers)),
            wall_s=timeout_s,
            max_file_bytes=max_file_bytes,
            readable=_readable(program),
            writable=(str(work_dir), "/dev/null"),
        )

    def _options(self, cache_mb: int) -> dict[str, str]:
        return {
            "GDAL_CACHEMAX": str(cache_mb),
            "GDAL_NUM_THREADS": str(self.workers),
            "CPL_DEBUG": "OFF",
            # Overviews lie in a file of their own until the COG has taken them in: to compress that
            # one is a twelfth of the work. The COG has the same bytes either way.
            "COG_TMP_COMPRESSION": "NONE",
            # GDAL takes and frees blocks of megabytes from three threads. glibc gives such pieces
            # back to the kernel and takes them again: by chance all of them, and then a fifth of
            # the time goes into new pages. So it keeps them, in one arena for all threads.
            "MALLOC_ARENA_MAX": "1",
            "MALLOC_MMAP_THRESHOLD_": str(32 * 2**20),
            "MALLOC_TRIM_THRESHOLD_": str(512 * 2**20),
            # Where a GeoTIFF lies is said in it or in its world file, never in .aux.xml or .tab.
            "GDAL_GEOREF_SOURCES": "INTERNAL,WORLDFILE",
            # Else GDAL takes, for a code that EPSG has withdrawn, the one that came in its place,
            # which may be on another datum: of EPSG:3411 it would make EPSG:3413.
            "OSR_USE_NON_DEPRECATED": "NO",
        }


def local_path(path: Path, work_dir: Path) -> str:
    """A file of the work folder as an argument for GDAL: absolute, so never taken for an option.

    Raises:
        UnsafePathError: it begins with `-` or `/vsi`, or leads out of the work folder.
    """
    if str(path).startswith(("-", *_VIRTUAL)):
        raise UnsafePathError(f"{path} is not a path that GDAL may be given.")
    resolved = path.resolve()
    if not resolved.is_relative_to(work_dir.resolve()):
        raise UnsafePathError(f"{path} lies outside the work folder {work_dir}.")
    return str(resolved)


def _harmless(argument: str) -> str:
    if argument.startswith(_VIRTUAL) or '"/vsi' in argument:
        raise UnsafePathError(f"{argument} names something that is no local file.")
    return argument


def _found(program: str) -> str:
    path = shutil.which(program)
    if path is None:
        raise GDALMissingError(program)
    return str(Path(path).absolute())


def _readable(program: str) -> tuple[str, ...]:
    folders = [
        folder
        for name in DATA_FOLDER_VARIABLES
        for folder in os.environ.get(name, "").split(":")
        if folder
    ]
    prefix = Path(program).resolve().parent.parent
    if prefix != prefix.parent:
        folders.append(str(prefix))
    return (*READABLE, *folders)
