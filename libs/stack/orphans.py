"""Finds and ends processes that a stack left behind, by what they say of themselves, never by name.

A process belongs to a stack when its environment names the stack's state folder, or when it works
inside the stack's PostgreSQL data folder (PostgreSQL overwrites its children's environment).
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from libs.stack.errors import StillRunningError
from libs.stack.paths import StackPaths
from libs.stack.programs import STACK_VARIABLE

_PROC = Path("/proc")


def find(paths: StackPaths, compute_dir: Path | None) -> list[int]:
    """The ids of all living processes of the stack, supervisor's own too."""
    mark = f"{STACK_VARIABLE}={paths.state}".encode()
    pids = [int(entry.name) for entry in _PROC.iterdir() if entry.name.isdigit()]
    return [pid for pid in pids if pid != os.getpid() and _belongs(pid, mark, compute_dir)]


def end(paths: StackPaths, compute_dir: Path | None, *, patience_s: float = 8.0) -> list[int]:
    """End them: asked first, killed then. Returns the ids of those that were there."""
    found = find(paths, compute_dir)
    for kind, wait_s in ((signal.SIGINT, patience_s), (signal.SIGKILL, 10.0)):
        deadline = time.monotonic() + wait_s
        left = find(paths, compute_dir)
        for pid in left:
            _send(pid, kind)
        while left and time.monotonic() < deadline:
            time.sleep(0.05)
            left = find(paths, compute_dir)
        if not left:
            return found
    raise StillRunningError(left)


def _belongs(pid: int, mark: bytes, compute_dir: Path | None) -> bool:
    folder = _PROC / str(pid)
    try:
        if mark in (folder / "environ").read_bytes().split(b"\0"):
            return not _is_zombie(folder)
        return compute_dir is not None and (folder / "cwd").readlink() == compute_dir
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return False  # it ended meanwhile, or is not ours to see


def _is_zombie(folder: Path) -> bool:
    return (folder / "stat").read_text(errors="replace").rpartition(")")[2].split()[0] == "Z"


def _send(pid: int, kind: signal.Signals) -> None:
    try:
        os.kill(pid, kind)
    except ProcessLookupError:
        return
