"""Dagster's page, asked over the GraphQL that it uses itself."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import httpx


@dataclass(frozen=True)
class RunTimes:
    """When what happened to a run, by Dagster's account: seconds since 1970."""

    enqueued: float
    launched: float
    started: float
    ended: float


class Page:
    """A visitor of the page."""

    def __init__(self, url: str) -> None:
        self._client = httpx.Client(base_url=url, timeout=120)

    def ask(self, query: str, **variables: object) -> dict[str, Any]:
        """The answer's data."""
        body = {"query": query, "variables": variables}
        answer = self._client.post("/graphql", json=body).raise_for_status().json()
        if "errors" in answer:
            raise RuntimeError(f"Dagster's page answers {answer['errors']}")
        return answer["data"]

    def run_times(self, run_id: str) -> RunTimes:
        """Of a run that has ended, or is about to."""
        until = time.monotonic() + 60
        while True:
            stats = self.ask(
                """query($id: ID!) { runOrError(runId: $id) { ... on Run { stats {
                ... on RunStatsSnapshot { enqueuedTime launchTime startTime endTime } } } } }""",
                id=run_id,
            )["runOrError"]["stats"]
            if stats["endTime"] is not None or time.monotonic() > until:
                return RunTimes(
                    stats["enqueuedTime"], stats["launchTime"], stats["startTime"], stats["endTime"]
                )
            time.sleep(0.2)

    def look(self) -> float:
        """Seconds in which a person gets the page itself and its list of runs."""
        started = time.monotonic()
        self._client.get("/runs").raise_for_status()
        self.ask("{ runsOrError(limit: 25) { ... on Runs { results { runId status tags { key value"
                 " } } } } }")  # fmt: skip
        return time.monotonic() - started
