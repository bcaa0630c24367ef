"""Stops the servers of a stack in the right order, and deletes its data when asked.

First Dagster, so that no new run begins; then its runs, which still reach the stores to say how
they ended; then the stores.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Sequence

from libs.stack import orphans
from libs.stack.identity import Identity
from libs.stack.paths import StackPaths
from libs.stack.programs import Program, table
from libs.stack.supervision import Supervisor

_RUNS_END_S = 5.0
_SUPERVISOR_ENDS_S = 10.0
_STOPPED = ("STOPPED", "EXITED", "FATAL", "UNKNOWN")


def stop_all(paths: StackPaths, identity: Identity | None) -> None:
    """Leave no process of the stack behind, however it was started or left; may be repeated."""
    if identity is not None:
        supervisor = Supervisor(paths, identity.supervisor)
        if supervisor.answers:
            _stop_in_order(paths, supervisor, table(paths, identity))
    orphans.end(paths, identity.compute_dir if identity else None)
    for name in ("supervisor", "code"):
        paths.socket(name).unlink(missing_ok=True)
    paths.supervisor_pid.unlink(missing_ok=True)


def delete(paths: StackPaths, identity: Identity | None) -> None:
    """Delete the state folder, and PostgreSQL's data folder when it lies elsewhere."""
    if identity is not None and identity.compute_dir.exists():
        shutil.rmtree(identity.compute_dir)
    # The marker goes last, so that a deletion that was interrupted can be asked for again.
    for entry in paths.state.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        elif entry != paths.marker:
            entry.unlink()
    shutil.rmtree(paths.state)


def _stop_in_order(paths: StackPaths, supervisor: Supervisor, programs: Sequence[Program]) -> None:
    known = supervisor.processes()
    programs = [program for program in programs if program.name in known]
    stores = [program for program in programs if program.is_store]
    _stop(supervisor, [program for program in programs if not program.is_store])
    staying = {known[program.name].pid for program in stores} | {supervisor.pid}
    _wait_until(lambda: not set(orphans.find(paths, None)) - staying, _RUNS_END_S)
    _stop(supervisor, stores)
    supervisor.shut_down()
    _wait_until(lambda: not orphans.find(paths, None), _SUPERVISOR_ENDS_S)


def _stop(supervisor: Supervisor, programs: Sequence[Program]) -> None:
    names = [program.name for program in programs]
    for name in names:
        supervisor.stop(name)
    # Supervisor itself kills what outlives its time; the two seconds are for its own clock.
    patience_s = max((program.stop_wait_s for program in programs), default=0) + 2.0
    _wait_until(lambda: _all_stopped(supervisor, names), patience_s)


def _all_stopped(supervisor: Supervisor, names: Sequence[str]) -> bool:
    processes = supervisor.processes()
    return all(processes[name].statename in _STOPPED for name in names)


def _wait_until(holds: Callable[[], bool], patience_s: float) -> None:
    deadline = time.monotonic() + patience_s
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.05)
