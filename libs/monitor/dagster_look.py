"""Dagster as its page tells it: the page itself, the code server, the daemon, and the queue.

Asked over HTTP, because that is the same in the embedded stack, Compose and Kubernetes and needs no
right to Dagster's storage. It only asks; it starts and stops nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from libs.monitor.dagster_health import DAEMONS, LOCATIONS, load_faults, silent_daemons
from libs.monitor.dagster_page import PageAwayError, ask
from libs.monitor.looks import Problems

QUEUE_STATES = ("queued", "starting", "started", "canceling")
_QUEUE = """queued: runsOrError(filter: {statuses: [QUEUED]}) { ... on Runs { count } }
  starting: runsOrError(filter: {statuses: [STARTING]}) { ... on Runs { count } }
  started: runsOrError(filter: {statuses: [STARTED]}) { ... on Runs { count } }
  canceling: runsOrError(filter: {statuses: [CANCELING]}) { ... on Runs { count } }"""
_QUERY = f"{{ {DAEMONS} {LOCATIONS} {_QUEUE} }}"


class DagsterLook:
    """How many runs are queued and at work, and whether Dagster's three processes do theirs."""

    servers = ("webserver", "code", "daemon")

    def __init__(self, url: str, timeout_s: float) -> None:
        self._url = url
        self._timeout_s = timeout_s
        self.queue: Mapping[str, int] | None = None

    def look(self) -> Problems:
        """See the class."""
        answer = ask(self._url, _QUERY, self._timeout_s)
        try:
            self.queue = {state: int(answer[state]["count"]) for state in QUEUE_STATES}
            return {
                "webserver": None,
                "code": _code_problem(answer["workspaceOrError"]["locationEntries"]),
                "daemon": _daemon_problem(answer["instance"]["daemonHealth"]["allDaemonStatuses"]),
            }
        except (KeyError, TypeError) as error:
            raise PageAwayError(f"Dagster's page at {self._url} answers something else.") from error

    def forget(self) -> None:
        """See `Look`."""
        self.queue = None


def _code_problem(entries: list[dict[str, Any]]) -> str | None:
    faults = load_faults(entries)
    if faults is None:
        return "is still loading"
    return "could not be loaded: Dagster's page says why" if faults else None


def _daemon_problem(daemons: list[dict[str, Any]]) -> str | None:
    ill = sorted(name.lower() for name in silent_daemons(daemons))
    return f"no heartbeat from {', '.join(ill)}" if ill else None
