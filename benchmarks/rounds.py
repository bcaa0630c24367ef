"""A contender's turn, and all of them in turn. What the job is, a scenario's module says."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Protocol, TypeVar

from benchmarks.measuring import Measured

OURS = "spatial-etl"


@dataclass(frozen=True)
class Round:
    """One contender's turn."""

    case: str
    contender: str
    measured: Measured
    result_bytes: int


class Job(Protocol):
    """What is to be done, and where each contender leaves its result; a frozen dataclass."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def watch(self) -> bool:
        """Whether a turn is looked at for its memory and disk."""

    def result(self, contender: str) -> Path: ...


J = TypeVar("J", bound=Job)


def in_turn(
    case: str, job: J, contenders: Mapping[str, Callable[[J], Measured]], rounds: int
) -> Iterator[Round]:
    """Every contender once a round, each round another first, so that a slow minute hits them all.

    Where there are several rounds, one more comes before them, for memory and disk: who looks at
    them takes time from those that he looks at. Yields each turn as it ends.
    """
    names = list(contenders)
    for number in range(rounds + 1 if rounds > 1 else 1):
        watched = number == 0
        for name in names[number % len(names) :] + names[: number % len(names)]:
            # Its last result goes right before: memory that was just given back is quick to take.
            job.result(name).unlink(missing_ok=True)
            measured = contenders[name](replace(job, watch=watched))
            turn = Round(case, name, measured, job.result(name).stat().st_size)
            print(f"{case}, {name}: {measured.seconds:.1f} s{', watched' * watched}", flush=True)
            yield turn
