"""A program of its own: a warm process that forks one child for each task, as a run or a repair.

It reads one JSON task a line from its standard input and answers with the child's pid. The harness
talks to the child itself over the Unix socket that the task names: the child says at which moment
it is and waits to be told to go on, and its end is the end of that connection. Each child therefore
is a fresh process with connections of its own, but costs no imports.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, NoReturn

from libs.audit import audit
from libs.errors import SpatialEtlError
from libs.faultpoints import step_in
from libs.ingest import BatchRejectedError, Platform, RunState, abandon, run_upload
from libs.ingest.warm import import_all
from libs.models import ManifestUpload
from libs.settings import Settings
from tests.faults import bugs

Task = dict[str, Any]


class InjectedError(Exception):
    """The error that a fault point raises: a bug, as far as the platform can tell."""


def main() -> None:
    """Serve tasks until the input ends."""
    import_all()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the dead are buried by the kernel
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            _child(json.loads(line))
        print(pid, flush=True)


def _child(task: Task) -> NoReturn:
    logging.disable(logging.CRITICAL)
    wire = Wire(task["control"])
    wire.ask("born")
    try:
        if task.get("clock_s"):
            set_clock(task["clock_s"])
        for name in task.get("bugs", ()):
            bugs.plant(name)
        platform = Platform.connect(Settings(Path(task["env_file"])))
        if task["points"]:
            step_in(lambda point: _obey(wire.ask(point.value)))
        if task["disk"]:
            watch_disk(Path(task["work_dir"]), lambda what: _obey(wire.ask(f"disk {what}")))
        answer = _DO[task["do"]](platform, task)
    except BaseException as error:  # noqa: BLE001  the child's end is told, whatever it is
        answer = {"end": _kind(error), "message": f"{type(error).__name__}: {error}"}
    step_in(None)
    wire.tell(answer)
    os._exit(0)


def _run(platform: Platform, task: Task) -> Task:
    upload = task["upload"]
    upload["last_modified"] = datetime.fromisoformat(upload["last_modified"])
    done = run_upload(platform, ManifestUpload(**upload), task["run_id"])
    return {"end": "done", "message": type(done).__name__}


def _abandon(platform: Platform, task: Task) -> Task:
    abandon(platform, task["run_id"], "The run's process was killed.", RunState.FAILED)
    return {"end": "done", "message": ""}


def _audit(platform: Platform, task: Task) -> Task:
    report = audit(platform, repair=task["repair"], verify_bytes=True)
    return {"end": "done", "findings": [str(item) for item in report.findings]}


_DO: dict[str, Callable[[Platform, Task], Task]] = {
    "run": _run, "abandon": _abandon, "audit": _audit,
}  # fmt: skip


def _kind(error: BaseException) -> str:
    if isinstance(error, BatchRejectedError):
        return "rejected"
    return "failed" if isinstance(error, SpatialEtlError) else "crashed"


def _obey(order: str) -> None:
    """Carry out what the harness wants to happen at this moment."""
    if order == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if order == "raise":
        raise InjectedError("injected by the fault suite")
    if order == "enospc":
        raise OSError(errno.ENOSPC, "No space left on device")


class Wire:
    """The child's line to the harness; one question at a time."""

    def __init__(self, path: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.connect(path)
        self._file = self._socket.makefile("rw")
        self._lock = threading.Lock()

    def ask(self, moment: str) -> str:
        """Say where this process is; returns what is to be done there, mostly nothing."""
        with self._lock:
            self._file.write(json.dumps({"at": moment, "pid": os.getpid()}) + "\n")
            self._file.flush()
            return self._file.readline().strip()

    def tell(self, answer: Task) -> None:
        """The last word."""
        self._file.write(json.dumps(answer) + "\n")
        self._file.flush()


def set_clock(seconds: float) -> None:
    """Let this process's clock be wrong by so much; it goes on as clocks do."""
    import time_machine

    wrong = datetime.now(timezone.utc) + timedelta(seconds=seconds)
    time_machine.travel(wrong, tick=True).start()


_DISK_EVENTS = {"open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "shutil.rmtree"}


def watch_disk(folder: Path, at: Callable[[str], None]) -> None:
    """Have `at` called before each of this process's own calls to the disk below `folder`.

    Python tells its audit hooks before it opens, makes, renames or removes something, and lets an
    error that they raise take the place of the call's result.
    """
    prefix, busy = f"{folder}/", threading.local()

    def hook(event: str, args: tuple[object, ...]) -> None:
        if event not in _DISK_EVENTS or getattr(busy, "now", False):
            return
        path = os.fspath(args[0]) if isinstance(args[0], str | os.PathLike) else ""
        if isinstance(path, str) and path.startswith(prefix):
            busy.now = True
            try:
                at(f"{event} {path.removeprefix(prefix)}")
            finally:
                busy.now = False

    sys.addaudithook(hook)


if __name__ == "__main__":
    main()
