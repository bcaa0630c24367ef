"""Child processes that hold untrusted data: limited, killable, with an environment of their own.

For the vector reader and for GDAL's programs. What a child's failure means for the user's file is
its caller's business.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from libs.settings import EtlSettings

_LAUNCHER = Path(__file__).with_name("sandbox_launcher.py")
_STDERR_TAIL_BYTES = 16_384
_MEMORY_WORDS = ("bad_alloc", "MemoryError", "Cannot allocate", "ut of memory", "malloc of size")

PASSED_ON = ("PATH", "LD_LIBRARY_PATH", "PROJ_DATA", "PROJ_LIB", "GDAL_DATA")
"""The only variables of our own environment that a child gets: where programs and data lie."""

FIXED_ENVIRONMENT: Mapping[str, str] = {
    "LANG": "C.UTF-8",
    "LC_ALL": "C.UTF-8",
    "TZ": "UTC",
    "HOME": "/nonexistent",
    # Each idle thread of a maths library takes address space that the limit counts.
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "ARROW_DEFAULT_MEMORY_POOL": "system",
    "MALLOC_ARENA_MAX": "4",
    # No network, for GDAL nor for PROJ: no file name is a URL, and a request that is made all the
    # same goes to a port where nobody listens.
    "PROJ_NETWORK": "OFF",
    "CPL_VSIL_CURL_ALLOWED_EXTENSIONS": ".none",
    "GDAL_HTTP_PROXY": "127.0.0.1:9",
    "GDAL_HTTPS_PROXY": "127.0.0.1:9",
    "GDAL_HTTP_MAX_RETRY": "0",
    "GDAL_HTTP_CONNECTTIMEOUT": "1",
    "http_proxy": "http://127.0.0.1:9",
    "https_proxy": "http://127.0.0.1:9",
    # Nothing is loaded or left behind that is not the file itself.
    "GDAL_DRIVER_PATH": "disable",
    "GDAL_CONFIG_FILE": "",
    "GDAL_PAM_ENABLED": "NO",
    "OGR_SQLITE_LOAD_EXTENSIONS": "",
    "OGR_SQLITE_PRAGMA": "trusted_schema=OFF",
    "GML_SKIP_RESOLVE_ELEMS": "ALL",
    "GML_SAVE_RESOLVED_TO": "",
    "GML_DOWNLOAD_SCHEMA": "NO",
    "GDAL_VRT_ENABLE_PYTHON": "NO",
    "GDAL_VRT_ENABLE_RAWRASTERBAND": "NO",
}


@dataclass(frozen=True)
class ChildLimits:
    """What one child process may use; the kernel enforces all but `wall_s`."""

    memory_bytes: int
    """Address space: more than is ever resident, since libraries are mapped into it."""
    cpu_s: int
    wall_s: float
    max_file_bytes: int = 2**36
    """The largest file that it may write."""
    open_files: int = 256
    readable: tuple[str, ...] = ()
    """Files and folders with all below them. Where some are named, here or in `writable`, it sees
    no others and opens no TCP connection, if the kernel has Landlock."""
    writable: tuple[str, ...] = ()

    @classmethod
    def for_readers(cls, settings: EtlSettings) -> ChildLimits:
        """Those of `ETL_READER_…`."""
        return cls(
            memory_bytes=settings.reader_memory_mb * 2**20,
            cpu_s=settings.reader_cpu_s,
            wall_s=settings.reader_timeout_s,
        )


class Ended(str, Enum):
    """How a child came to its end."""

    WELL = "well"
    FAILED = "failed"
    CRASHED = "crashed"
    OUT_OF_MEMORY = "out_of_memory"
    OUT_OF_CPU = "out_of_cpu"
    OUT_OF_TIME = "out_of_time"
    FILE_TOO_LARGE = "file_too_large"
    KILLED = "killed"


@dataclass(frozen=True)
class Outcome:
    """The end of a child process."""

    ended: Ended
    returncode: int
    """As Popen counts: -9 for a process that was killed with signal 9."""
    stderr: str
    """Its last 16 KiB; bytes that are no UTF-8 are replaced."""

    @property
    def last_lines(self) -> str:
        """The last three lines with something in them, for an error message."""
        lines = [line.strip() for line in self.stderr.splitlines() if line.strip()]
        return " / ".join(lines[-3:])[-1000:]


def child_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The whole environment of a child: no secret of ours is in it."""
    passed = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    return {**passed, **FIXED_ENVIRONMENT, **(extra or {})}


class Child:
    """A running child process; leave its `with` block and it is gone, with all it started."""

    def __init__(
        self, process: subprocess.Popen[bytes], limits: ChildLimits, stderr: IO[bytes]
    ) -> None:
        self.process = process
        self.limits = limits
        self._stderr = stderr
        self._timed_out = False
        self._reaping = threading.Lock()
        self._timer = threading.Timer(limits.wall_s, self._time_is_up)
        self._timer.daemon = True
        self._timer.start()

    @property
    def stdout(self) -> IO[bytes]:
        """The reading end of its output; there only when it was started with a pipe."""
        if self.process.stdout is None:
            raise ValueError("the child was started without a pipe for its output")
        return self.process.stdout

    def kill(self) -> None:
        """End it and every process it started, now."""
        self._kill_group()
        self._reap()

    def wait(self) -> Outcome:
        """Wait for its end; the time-out bounds how long that takes."""
        self._reap()
        returncode = self.process.returncode
        stderr = self._stderr_tail()
        return Outcome(self._ended(returncode, stderr), returncode, stderr)

    def _reap(self) -> None:
        if self.process.returncode is None:
            # Seen as ended but not yet reaped, its number still stands for its group and for
            # nobody else, so that whatever it left running is ended without a risk.
            os.waitid(os.P_PID, self.process.pid, os.WEXITED | os.WNOWAIT)
            self._kill_group()
            with self._reaping:
                self.process.wait()
        self._timer.cancel()

    def _kill_group(self) -> None:
        with self._reaping, contextlib.suppress(ProcessLookupError):
            if self.process.returncode is None:
                os.killpg(self.process.pid, signal.SIGKILL)

    def _time_is_up(self) -> None:
        self._timed_out = True
        self._kill_group()

    def _stderr_tail(self) -> str:
        size = self._stderr.seek(0, os.SEEK_END)
        self._stderr.seek(max(0, size - _STDERR_TAIL_BYTES))
        return self._stderr.read().decode("utf-8", "replace")

    def _ended(self, returncode: int, stderr: str) -> Ended:
        if returncode == 0:
            return Ended.WELL
        if self._timed_out:
            return Ended.OUT_OF_TIME
        by_signal = _BY_SIGNAL.get(-returncode)
        if by_signal is not None:
            return by_signal
        if any(word in stderr for word in _MEMORY_WORDS):
            return Ended.OUT_OF_MEMORY
        return Ended.CRASHED if returncode < 0 else Ended.FAILED

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        if self.process.stdout is not None:
            self.process.stdout.close()
        self._stderr.close()


_BY_SIGNAL: dict[int, Ended] = {
    signal.SIGXCPU: Ended.OUT_OF_CPU,
    signal.SIGXFSZ: Ended.FILE_TOO_LARGE,
    signal.SIGKILL: Ended.KILLED,
    signal.SIGTERM: Ended.KILLED,
}


def spawn(
    argv: Sequence[str],
    *,
    limits: ChildLimits,
    work_dir: Path,
    options: Mapping[str, str] | None = None,
    stdin: int | IO[bytes] = subprocess.DEVNULL,
    stdout: int | IO[bytes] = subprocess.PIPE,
    popen: Callable[..., subprocess.Popen[bytes]] | None = None,
) -> Child:
    """Start a program in `work_dir`, which is also its folder for temporary files.

    `options` are environment variables over the fixed ones: GDAL's options, for the most part.
    The child dies with the thread that calls this, so that one has to live as long as the child.
    A program that cannot be started ends with code 127 and says so on its error output.
    `popen` is what starts it: `subprocess.Popen`, or a test's stand-in.
    """
    stderr = tempfile.TemporaryFile(dir=work_dir)  # noqa: SIM115  closed with the child
    folder = {"TMPDIR": str(work_dir), "CPL_TMPDIR": str(work_dir)}
    try:
        process = (popen or subprocess.Popen)(
            [sys.executable, "-I", "-S", str(_LAUNCHER), *_launch_arguments(limits), *argv],
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            cwd=work_dir,
            env=child_environment({**folder, **(options or {})}),
            start_new_session=True,
        )
    except BaseException:
        stderr.close()
        raise
    return Child(process, limits, stderr)


def _launch_arguments(limits: ChildLimits) -> list[str]:
    return [
        str(os.getpid()),
        f"AS={limits.memory_bytes}",
        f"CPU={limits.cpu_s}",
        f"FSIZE={limits.max_file_bytes}",
        f"NOFILE={limits.open_files}",
        "CORE=0",
        *(f"READ={path}" for path in limits.readable),
        *(f"WRITE={path}" for path in limits.writable),
        "--",
    ]
