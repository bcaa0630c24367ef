"""Runs one command and measures it: seconds, memory of all its processes, disk."""

from __future__ import annotations

import contextlib
import os
import subprocess
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

import psutil

from benchmarks.contenders.buckets import GATE

FIRST_LOOK_AFTER_S, LOOK_EVERY_S = 0.03, 0.5
"""Each pause is twice the one before, up to the second figure, so that what is done in 0.2 s is
seen as well. A look costs 0.02 s, which the one that is measured does not have."""


@dataclass(frozen=True)
class Measured:
    """What one command took."""

    seconds: float
    cpu_seconds: float
    """Of the command and all it started, without the servers that it used."""
    peak_bytes: int
    """Of the command and all it started: proportional set size, so that shared pages count once."""
    peak_with_servers_bytes: int
    """The same, and of the servers that worked for it beyond what they had before."""
    peak_disk_bytes: int
    """What lay more in the watched folders than before, at most."""
    was_watched: bool = True
    """Otherwise nobody looked at memory and disk, and the three peaks are 0."""


class BenchmarkFailedError(RuntimeError):
    """A contender ended badly: there is nothing to compare."""


def measure(
    command: Sequence[str],
    *,
    folders: Iterable[Path],
    server_pids: Iterable[int] = (),
    environment: dict[str, str] | None = None,
    has_gate: bool = False,
    watch: bool = True,
) -> Measured:
    """Run it to its end.

    Args:
        watch: look at memory and disk meanwhile, which costs time: most where every core is used.
        has_gate: it says when it has imported all, and only then the clock starts: see
            `contenders.buckets`.
        folders: where it and its servers write.
        server_pids: servers that do a part of its work; all their children count as well.

    Raises:
        BenchmarkFailedError: it ended with another code than 0.
    """
    watched, servers = list(folders), [psutil.Process(pid) for pid in server_pids]
    sampler = _Sampler(servers, watched)
    os.sync()  # else the first one waits for the disk to take what was written before
    cpu_before = _cpu_of_children()
    started = time.monotonic()
    gate = {"BENCH_GATE": "1"} if has_gate else {}
    process = subprocess.Popen(
        command,
        env={**os.environ, **(environment or {}), **gate},
        stdin=subprocess.PIPE if has_gate else subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    imported: list[str] = []
    if has_gate:
        imported += takewhile(lambda line: line.strip() != GATE, process.stdout)
        cpu_before += _cpu_of(psutil.Process(process.pid))
        started = time.monotonic()
    with sampler.during(psutil.Process(process.pid)) if watch else contextlib.nullcontext():
        output, _ = process.communicate("\n" if has_gate else None)
    seconds = time.monotonic() - started
    if process.returncode != 0:
        raise BenchmarkFailedError(
            f"{' '.join(command)} ended with {process.returncode}:\n"
            f"{(''.join(imported) + output)[-3000:]}"
        )
    return Measured(
        seconds=seconds,
        cpu_seconds=_cpu_of_children() - cpu_before,
        peak_bytes=sampler.peak,
        peak_with_servers_bytes=sampler.peak_with_servers,
        peak_disk_bytes=sampler.peak_disk,
        was_watched=watch,
    )


def bytes_in(folder: Path) -> int:
    """What all files below it take on disk."""
    total, waiting = 0, [str(folder)]
    while waiting:
        with contextlib.suppress(FileNotFoundError), os.scandir(waiting.pop()) as entries:
            for entry in entries:  # os.walk takes three times as long: PostgreSQL has many files
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)
                    continue
                with contextlib.suppress(FileNotFoundError):
                    total += entry.stat(follow_symlinks=False).st_blocks * 512
    return total


class _Sampler:
    """Looks on from a thread of its own."""

    def __init__(self, servers: Sequence[psutil.Process], folders: Sequence[Path]) -> None:
        self._servers, self._folders = servers, folders
        self._servers_before = sum(_memory(server) for server in servers)
        self._disk_before = self._disk()
        self.peak = self.peak_with_servers = self.peak_disk = 0

    @contextlib.contextmanager
    def during(self, process: psutil.Process) -> Iterable[None]:
        done = threading.Event()

        def look_on() -> None:
            pause_s = FIRST_LOOK_AFTER_S
            while not done.wait(pause_s):
                self._look(process)
                pause_s = min(2 * pause_s, LOOK_EVERY_S)

        thread = threading.Thread(target=look_on, daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()

    def _look(self, process: psutil.Process) -> None:
        own = _memory(process)
        theirs = sum(_memory(server) for server in self._servers) - self._servers_before
        self.peak = max(self.peak, own)
        self.peak_with_servers = max(self.peak_with_servers, own + max(theirs, 0))
        self.peak_disk = max(self.peak_disk, self._disk() - self._disk_before)

    def _disk(self) -> int:
        return sum(bytes_in(folder) for folder in self._folders)


def _memory(process: psutil.Process) -> int:
    """Bytes of a process and all its descendants."""
    total = 0
    with contextlib.suppress(psutil.NoSuchProcess):
        for each in (process, *process.children(recursive=True)):
            with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied, FileNotFoundError):
                total += each.memory_full_info().pss
    return total


def _cpu_of_children() -> float:
    times = os.times()
    return times.children_user + times.children_system


def _cpu_of(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system
