"""Starts and stops the embedded stack as a whole: `up`, `status`, `down`.

How a single server is made, run, asked or stopped is in the modules beside it.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from libs.stack import (
    dagster_home,
    env_file,
    orphans,
    owner,
    place,
    preparation,
    provision,
    stopping,
    supervision,
)
from libs.stack import identity as identities
from libs.stack.errors import ServerFailedError
from libs.stack.identity import Identity
from libs.stack.logs import excerpt
from libs.stack.paths import StackPaths
from libs.stack.probes import probes
from libs.stack.programs import Program, require_installed, table
from libs.stack.statuses import ServiceStatus, statuses
from libs.stack.supervision import Supervisor

Progress = Callable[[str], None]
_ANSWER_TIMEOUT_S = 90.0
_STARTS_BEFORE_GIVING_UP = 3
_PORTS_ARE_LET_GO_S = 5.0
"""How long the kernel may take to end our own processes that were killed just before."""


class StackInfo(BaseModel):
    """A stack that is up."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    state: Path
    env_file: Path
    dagster_url: str | None
    """None: Dagster does not run in it."""
    services: tuple[ServiceStatus, ...]
    changed: bool
    """False: all of it was running already, and nothing was touched."""


def up(state: Path, *, dagster: bool = True, progress: Progress) -> StackInfo:
    """Bring the stack up and provision it; on a running one, change nothing and be quick.

    `progress` gets one line for each server that answers. Raises `StackError` with the cure when
    one does not come to answer; what did start keeps running, and the next call goes on from there.
    Like `down`, raises `MovedFolderError` for a folder that was copied or moved.
    """
    paths = StackPaths.of(state)
    require_installed(dagster=dagster)
    paths.make()
    with _locked(paths):
        identity = identities.load(paths)
        if identity is not None:
            identity = place.keep(paths, identity)
        services = _already_up(paths, identity, dagster=dagster)
        if identity is not None and services is not None:
            return _info(paths, identity, services, changed=False)
        if identity is None:
            identity = identities.create(paths, owner.choose_compute_dir(paths))
        identity = _bring_up(paths, identity, dagster=dagster, progress=progress)
        return _info(paths, identity, statuses(paths, identity), changed=True)


def status(state: Path) -> list[ServiceStatus]:
    """Every server of the stack; empty when there is no stack in that folder."""
    paths = StackPaths.of(state)
    identity = identities.load(paths) if paths.is_ours else None
    return [] if identity is None else list(statuses(paths, identity))


def down(state: Path, *, purge: bool = False) -> bool:
    """Stop every process of the stack; with `purge`, delete all its data too.

    Returns False when there was no stack in that folder. Only a folder that `up` made is deleted.
    """
    paths = StackPaths.of(state)
    if not paths.is_ours:
        return False
    with _locked(paths):
        identity = identities.load(paths)
        if identity is not None:
            place.require_unmoved(paths, identity)
        stopping.stop_all(paths, identity)
        if purge:
            stopping.delete(paths, identity)
    return True


@contextmanager
def _locked(paths: StackPaths) -> Iterator[None]:
    """One `up` or `down` of a stack at a time; the kernel unlocks it for a caller that dies."""
    handle = os.open(paths.lock, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _already_up(
    paths: StackPaths, identity: Identity | None, *, dagster: bool
) -> tuple[ServiceStatus, ...] | None:
    """The servers, when all that are asked for run as this code would have them run."""
    if identity is None or not provision.is_current(paths, identity):
        return None
    programs = table(paths, identity)
    if not supervision.is_config_current(paths, identity.supervisor, programs):
        return None
    services = statuses(paths, identity)
    wanted = {program.name for program in programs if dagster or program.is_store}
    if any(service.name in wanted and service.state != "running" for service in services):
        return None
    return services


def _bring_up(
    paths: StackPaths, identity: Identity, *, dagster: bool, progress: Progress
) -> Identity:
    if not Supervisor(paths, identity.supervisor).answers:
        orphans.end(paths, identity.compute_dir)
        identity = _with_usable_ports(paths, identity, progress)
    env_file.write(paths, env_file.settings_of(paths, identity))
    dagster_home.write(paths)
    preparation.prepare(paths, identity, dagster=dagster)
    programs = table(paths, identity)
    stores = [program for program in programs if program.is_store]
    others = _others_wanted(paths, identity, programs, dagster=dagster)
    start = _Start(paths, identity, _configured(paths, identity, programs), progress)
    start.all_of(stores)
    if not provision.is_current(paths, identity):
        provision.provision(paths, identity)
        progress("stores    provisioned: database, buckets, users, policies, ledger schema")
    start.all_of(others)
    return identity


def _others_wanted(
    paths: StackPaths, identity: Identity, programs: Sequence[Program], *, dagster: bool
) -> list[Program]:
    """Dagster's programs: when asked for, or when they ran before (a changed one is stopped)."""
    others = [program for program in programs if not program.is_store]
    supervisor = Supervisor(paths, identity.supervisor)
    if dagster or not supervisor.answers:
        return others if dagster else []
    return [program for program in others if supervisor.is_running(program.name)]


def _configured(paths: StackPaths, identity: Identity, programs: Sequence[Program]) -> Supervisor:
    supervisor = Supervisor(paths, identity.supervisor)
    changed = supervision.write_config(paths, identity.supervisor, programs)
    if not supervisor.answers:
        return supervision.launch(paths, identity.supervisor)
    if changed:
        supervisor.reload()
    return supervisor


def _with_usable_ports(paths: StackPaths, identity: Identity, progress: Progress) -> Identity:
    deadline = time.monotonic() + _PORTS_ARE_LET_GO_S
    for server, port in identity.ports:
        while not (free := identities.is_free(port)) and time.monotonic() < deadline:
            time.sleep(0.05)
        if not free:
            identity = identities.with_free_port(identity, server)
            progress(f"{server:9} port {port} is taken by another program; a new one was chosen")
    identities.save(paths, identity)
    return identity


@dataclass(frozen=True)
class _Start:
    """Starts programs and waits for their answers."""

    paths: StackPaths
    identity: Identity
    supervisor: Supervisor
    progress: Progress

    def all_of(self, programs: Sequence[Program]) -> None:
        """Start them together; one line for each as it answers."""
        begun = time.monotonic()
        for program in programs:
            self.supervisor.start(program.name)
        for program in programs:
            self._wait_for(program)
            seconds = time.monotonic() - begun
            self.progress(f"{program.name:9} answers  {program.address or '-':22} {seconds:5.1f} s")

    def _wait_for(self, program: Program) -> None:
        probe = probes(self.paths, self.identity)[program.name]
        deadline = time.monotonic() + _ANSWER_TIMEOUT_S
        pids: set[int] = set()
        while (problem := probe()) is not None:
            info = self.supervisor.processes()[program.name]
            pids |= {info.pid} - {0}
            hopeless = info.statename == "FATAL" or len(pids) > _STARTS_BEFORE_GIVING_UP
            if hopeless or time.monotonic() > deadline:
                log_file = self.paths.log(program.name)
                reason = f"does not answer ({problem})"
                raise ServerFailedError(program.name, reason, log_file, excerpt(log_file))
            time.sleep(0.1)


def _info(
    paths: StackPaths, identity: Identity, services: tuple[ServiceStatus, ...], *, changed: bool
) -> StackInfo:
    has_page = any(one.name == "webserver" and one.state == "running" for one in services)
    return StackInfo(
        state=paths.state,
        env_file=paths.env_file,
        dagster_url=env_file.dagster_url(identity) if has_page else None,
        services=services,
        changed=changed,
    )
