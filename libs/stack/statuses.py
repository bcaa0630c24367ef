"""How each server of a stack is doing now. Changes nothing."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from pydantic import BaseModel, ConfigDict

from libs.stack.identity import Identity
from libs.stack.paths import StackPaths
from libs.stack.probes import probes
from libs.stack.programs import Program, table
from libs.stack.supervision import Supervisor


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
    """For `ill`: how it answers instead."""


def statuses(paths: StackPaths, identity: Identity) -> tuple[ServiceStatus, ...]:
    """Every server's status, in the order of the table; all are asked at the same time."""
    supervisor = Supervisor(paths, identity.supervisor)
    known = supervisor.processes() if supervisor.answers else {}
    asks = probes(paths, identity)

    def look(program: Program) -> ServiceStatus:
        info = known.get(program.name)
        state = info.statename.lower() if info else "stopped"
        problem = asks[program.name]() if state in ("starting", "running") else None
        return ServiceStatus(
            name=program.name,
            state=_state(state, problem),
            pid=info.pid or None if info else None,
            address=program.address,
            what=program.what,
            problem=problem,
        )

    programs = table(paths, identity)
    with ThreadPoolExecutor(len(programs)) as pool:
        return tuple(pool.map(look, programs))


def _state(word: str, problem: str | None) -> str:
    """Supervisor says `starting` for a second, whatever a server can do by then: ask the server."""
    if word in ("starting", "running") and problem is None:
        return "running"
    return "ill" if word == "running" else word
