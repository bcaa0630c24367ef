"""How long a piece of work takes, and how much memory its processes hold; changes nothing."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

INTERVAL_S = 0.02
BASE_BYTES = 200 * 10**6
"""What a run's own process holds before it begins; that of the tests holds more, and not for it."""
_OWN_COMMAND = Path("/proc/self/cmdline").read_bytes()
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@dataclass
class Watched:
    """What was seen; whole once the block has ended."""

    seconds: float = 0.0
    peak_bytes: int = 0
    """What this process grew by, and all below it, at one moment: a child counts with its peak."""


@contextlib.contextmanager
def watched() -> Iterator[Watched]:
    """Sample this process and its descendants while the block runs."""
    seen, done, before = Watched(), threading.Event(), _resident(os.getpid())

    def sample() -> None:
        while True:
            children = sum(map(_peak, descendants(os.getpid())))
            grown = _resident(os.getpid()) - before
            seen.peak_bytes = max(seen.peak_bytes, BASE_BYTES + grown + children)
            if done.wait(INTERVAL_S):
                return

    sampler = threading.Thread(target=sample, daemon=True)
    started = time.monotonic()
    sampler.start()
    try:
        yield seen
    finally:
        seen.seconds = time.monotonic() - started
        done.set()
        sampler.join()


def descendants(pid: int) -> list[int]:
    """The processes below one, all generations."""
    found, waiting = [], [pid]
    while waiting:
        for listing in Path(f"/proc/{waiting.pop()}/task").glob("*/children"):
            with contextlib.suppress(OSError):
                below = [int(number) for number in listing.read_text().split()]
                found += below
                waiting += below
    return found


def _resident(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE_BYTES


def _peak(pid: int) -> int:
    """Its largest size; nothing for a fork of this process that is about to become a program.

    Such a one has for a moment all of this process's memory, in name only.
    """
    with contextlib.suppress(OSError, StopIteration):
        if Path(f"/proc/{pid}/cmdline").read_bytes() == _OWN_COMMAND:
            return 0
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("VmHWM:")).split()[1]) * 1024
    return 0  # it has ended meanwhile
