"""Dagster as its page tells it: the page itself, the code server, the daemon, and the queue.

Asked over HTTP, because that is the same in the embedded stack, Compose and Kubernetes and needs no
right to Dagster's storage. It only asks; it starts and stops nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from libs.monitor.dagster_page import PageAwayError, ask
from libs.monitor.looks import Problems

QUEUE_STATES = ("queued", "starting", "started", "canceling")
_QUERY = """{ instance { daemonHealth { allDaemonStatuses { daemonType required healthy } } }
  workspaceOrError { ... on Workspace { locationEntries {
    loadStatus locationOrLoadError { __typename } } } }
  queued: runsOrError(filter: {statuses: [QUEUED]}) { ... on Runs { count } }
  starting: runsOrError(filter: {statuses: [STARTING]}) { ... on Runs { count } }
  started: runsOrError(filter: {statuses: [STARTED]}) { ... on Runs { count } }
  canceling: runsOrError(filter: {statuses: [CANCELING]}) { ... on Runs { count } } }"""


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
    if not entries or any(entry["loadStatus"] != "LOADED" for entry in entries):
        return "is still loading"
    faulty = [
        entry
        for entry in entries
        if entry["locationOrLoadError"]["__typename"] != "RepositoryLocation"
    ]
    return "could not be loaded: Dagster's page says why" if faulty else None


def _daemon_problem(daemons: list[dict[str, Any]]) -> str | None:
    ill = [one["daemonType"].lower() for one in daemons if one["required"] and not one["healthy"]]
    return f"no heartbeat from {', '.join(sorted(ill))}" if ill else None
