"""Which questions a piece of code puts to the ledger's server, and how that finds the answers."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pymongo.monitoring

from libs.ledger import Ledger
from libs.settings import LedgerSettings

_PARTS = ("find", "filter", "sort", "limit", "skip", "projection")


@dataclass(frozen=True)
class Asked:
    """One question and the server's plan for it."""

    collection: str
    question: str
    stages: tuple[str, ...]
    examined: int
    """Documents or index entries, by the server's account; whichever are more."""

    @property
    def reads_all(self) -> bool:
        return "COLLSCAN" in self.stages


def plans_of(settings: LedgerSettings, ask: Callable[[Ledger], None]) -> list[Asked]:
    """Let `ask` put its questions to a ledger, and have the server explain each that was a find."""
    listener = _Listener()
    # The driver offers no other way to look at a client that somebody else makes.
    pymongo.monitoring.register(listener)
    with Ledger.connect(settings) as ledger:
        ask(ledger)
        commands, listener.is_on = list(listener.seen), False
        return [_explained(ledger, command) for command in commands]


class _Listener(pymongo.monitoring.CommandListener):
    def __init__(self) -> None:
        self.seen: list[Mapping[str, Any]] = []
        self.is_on = True

    def started(self, event: pymongo.monitoring.CommandStartedEvent) -> None:
        if self.is_on and event.command_name == "find":
            self.seen.append(
                {name: event.command[name] for name in _PARTS if name in event.command}
            )

    def succeeded(self, event: pymongo.monitoring.CommandSucceededEvent) -> None:
        pass

    def failed(self, event: pymongo.monitoring.CommandFailedEvent) -> None:
        pass


def _explained(ledger: Ledger, command: Mapping[str, Any]) -> Asked:
    # The embedded ledger's planner uses an index for `{"$eq": value}` as for the value alone, which
    # timing shows; its `explain` knows that of the value alone.
    plain = {**command, "filter": {k: _plain(v) for k, v in command.get("filter", {}).items()}}
    told = ledger.database.client[ledger.database.name].command(
        {"explain": plain, "verbosity": "executionStats"}
    )
    stats = told["executionStats"]
    return Asked(
        collection=command["find"],
        question=json.dumps({k: v for k, v in command.items() if k != "find"}, default=str),
        stages=tuple(_stages(told["queryPlanner"]["winningPlan"])),
        examined=max(stats["totalDocsExamined"], stats["totalKeysExamined"]),
    )


def _plain(condition: Any) -> Any:  # noqa: ANN401  a part of a filter, whatever it is
    return (
        condition["$eq"] if isinstance(condition, dict) and set(condition) == {"$eq"} else condition
    )


def _stages(plan: Mapping[str, Any]) -> Iterator[str]:
    yield plan["stage"]
    for child in (plan.get("inputStage"), *plan.get("inputStages", ())):
        if child:
            yield from _stages(child)
