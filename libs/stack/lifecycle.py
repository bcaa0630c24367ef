"""Starts, watches and stops the embedded stack as a whole: `up`, `status`, `down`.

How a single server is made, run or asked is in the modules beside it.
"""

from __future__ import annotations

import fcntl
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from libs.stack import (
    dagster_home,
    env_file,
    orphans,
    owner,
    preparation,
    provision,
    supervision,
)
from libs.stack import identity as identities
from libs.stack.errors import ServerFailedError
from libs.stack.identity import Identity
from libs.stack.paths import StackPaths
from libs.stack.private_files import tail
from libs.stack.probes import probes
from libs.stack.programs import Program, orchestrator, require_installed, stores
from libs.stack.supervision import Supervisor

Progress = Callable[[str], None]
_ANSWER_TIMEOUT_S = 90.0


class ServiceStatus(BaseModel):
    """One server of the stack, as it is now."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    state: str
    """`running` (it answers), `ill` (it runs and does not answer), or supervisor's word for it."""
    pid: int | None
    address: str
    what: str
    problem: str | None = None


class StackInfo(BaseModel):
    """A stack that is up."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    state: Path
    env_file: Path
    dagster_url: str | None
    """None: it was started without Dagster, and that was not running before."""
    services: tuple[ServiceStatus, ...]
    changed: bool
    """False: all of it was running already, and nothing was touched."""


def up(state: Path, *, dagster: bool = True, progress: Progress) -> StackInfo:
    """Bring the stack up and provision it; on a running one, change nothing and be quick.

    Raises `StackError` with the cure when a server does not come to answer.
    """
    paths = StackPaths.of(state)
    require_installed(dagster=dagster)
    paths.make()
    with _locked(paths):
        identity = identities.load(paths)
        if identity is not None:
            services = _running(paths, identity, dagster=dagster)
            if services:
                return _info(paths, identity, services, changed=False)
        else:
            identity = identities.create(paths, owner.choose_compute_dir(paths))
        return _bring_up(paths, identity, dagster=dagster, progress=progress)


def status(state: Path) -> list[ServiceStatus]:
    """Every server of the stack; empty when there is no stack in that folder."""
    paths = StackPaths.of(state)
    identity = identities.load(paths) if paths.is_ours else None
    return [] if identity is None else _statuses(paths, identity, _table(paths, identity))


def down(state: Path, *, purge: bool = False) -> bool:
    """Stop every process of the stack; with `purge`, delete all its data too.

    Returns False when there was no stack in that folder. Only a folder that `up` made is deleted.
    """
    paths = StackPaths.of(state)
    if not paths.is_ours:
        return False
    with _locked(paths):
        identity = identities.load(paths)
        compute_dir = identity.compute_dir if identity else None
        if identity is not None:
            _shut_down(paths, identity)
        orphans.end(paths, compute_dir)
        for name in ("supervisor", "code"):
            paths.socket(name).unlink(missing_ok=True)
        if purge:
            _delete(paths, compute_dir)
    return True


def _delete(paths: StackPaths, compute_dir: Path | None) -> None:
    if compute_dir is not None and compute_dir.exists():
        shutil.rmtree(compute_dir)
    # The marker goes last, so that a deletion that was interrupted can be asked for again.
    for entry in paths.state.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        elif entry != paths.marker:
            entry.unlink()
    shutil.rmtree(paths.state)


def _shut_down(paths: StackPaths, identity: Identity) -> None:
    supervisor = Supervisor(paths, identity.supervisor)
    if not supervisor.answers:
        return
    supervisor.shut_down()
    deadline = time.monotonic() + sum(program.stop_wait_s for program in _table(paths, identity))
    while orphans.find(paths, None) and time.monotonic() < deadline:
        time.sleep(0.05)


@contextmanager
def _locked(paths: StackPaths) -> Iterator[None]:
    """One `up` or `down` of a stack at a time."""
    with paths.lock.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _table(paths: StackPaths, identity: Identity) -> tuple[Program, ...]:
    settings = env_file.settings_of(paths, identity)
    return (*stores(paths, identity), *orchestrator(paths, identity, settings))


def _running(
    paths: StackPaths, identity: Identity, *, dagster: bool
) -> tuple[ServiceStatus, ...] | None:
    """The servers, when all that are asked for run as this code would have them run."""
    table = _table(paths, identity)
    wanted = {program.name for program in table if dagster or program.start_order < 40}
    if not supervision.is_config_current(paths, identity.supervisor, table):
        return None
    if not provision.is_current(paths, identity):
        return None
    services = _statuses(paths, identity, table)
    if any(service.name in wanted and service.state != "running" for service in services):
        return None
    return tuple(services)


def _statuses(
    paths: StackPaths, identity: Identity, table: Sequence[Program]
) -> list[ServiceStatus]:
    supervisor = Supervisor(paths, identity.supervisor)
    known = supervisor.processes() if supervisor.answers else {}
    asks = probes(identity)

    def look(program: Program) -> ServiceStatus:
        info = known.get(program.name)
        state = info.statename.lower() if info else "stopped"
        problem = asks[program.name]() if state == "running" else None
        return ServiceStatus(
            name=program.name,
            state="ill" if problem else state,
            pid=info.pid or None if info else None,
            address=program.address,
            what=program.what,
            problem=problem,
        )

    with ThreadPoolExecutor(len(table)) as pool:
        return list(pool.map(look, table))


def _bring_up(
    paths: StackPaths, identity: Identity, *, dagster: bool, progress: Progress
) -> StackInfo:
    supervisor = Supervisor(paths, identity.supervisor)
    if not supervisor.answers:
        orphans.end(paths, identity.compute_dir)
        identity = _with_usable_ports(paths, identity, progress)
    preparation.prepare(paths, identity)
    env_file.write(paths, env_file.settings_of(paths, identity))
    dagster_home.write(paths)
    table = _table(paths, identity)
    supervisor = _configured(paths, identity, table)
    first, later = table[:3], table[3:] if dagster else ()
    _start(paths, identity, supervisor, first, progress)
    if not provision.is_current(paths, identity):
        provision.provision(paths, identity)
        progress("stores    provisioned: database, buckets, users, policies, ledger schema")
    _start(paths, identity, supervisor, later, progress)
    return _info(paths, identity, tuple(_statuses(paths, identity, table)), changed=True)


def _configured(paths: StackPaths, identity: Identity, table: Sequence[Program]) -> Supervisor:
    supervisor = Supervisor(paths, identity.supervisor)
    changed = supervision.write_config(paths, identity.supervisor, table)
    if not supervisor.answers:
        return supervision.launch(paths, identity.supervisor)
    if changed:
        supervisor.reload()
    return supervisor


def _with_usable_ports(paths: StackPaths, identity: Identity, progress: Progress) -> Identity:
    for server, port in identity.ports:
        if not identities.is_free(port):
            identity = identities.with_free_port(identity, server)
            progress(f"{server:9} port {port} is taken by another program; a new one was chosen")
    identities.save(paths, identity)
    return identity


def _start(
    paths: StackPaths,
    identity: Identity,
    supervisor: Supervisor,
    programs: Sequence[Program],
    progress: Progress,
) -> None:
    begun = time.monotonic()
    for program in programs:
        supervisor.start(program.name)
    for program in programs:
        _wait_for(paths, identity, supervisor, program)
        seconds = time.monotonic() - begun
        progress(f"{program.name:9} answers  {program.address or '-':22} {seconds:5.1f} s")


def _wait_for(
    paths: StackPaths, identity: Identity, supervisor: Supervisor, program: Program
) -> None:
    probe = probes(identity)[program.name]
    deadline = time.monotonic() + _ANSWER_TIMEOUT_S
    while (problem := probe()) is not None:
        info = supervisor.processes()[program.name]
        if info.statename == "FATAL" or time.monotonic() > deadline:
            reason = f"does not answer ({problem}; supervisor: {info.description})"
            log_file = paths.log(program.name)
            raise ServerFailedError(program.name, reason, log_file, tail(log_file))
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
