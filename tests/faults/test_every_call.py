"""The n-th call, for each n: not only at the moments that somebody thought of."""

from __future__ import annotations

import os
import random

import pytest

from tests.faults.cases import AT_A_CALL, AT_THE_DISK, STORES, Case, Fault, submit
from tests.faults.engine import quiet, run_cases, start_run

pytestmark = pytest.mark.faults


def calls_of_one_run(lane) -> dict[str, int]:
    """How many calls of each kind a run makes in which nothing goes wrong."""
    case = Case("counting")
    submitted = submit(lane, case, "counting")
    before = len(lane.log.calls)
    disk: list[str] = []

    def moment(what: str, pid: int) -> str:
        disk.append(what)
        return quiet(what, pid)

    ending = start_run(
        lane, case, submitted, "0" * 8 + "-0000-4000-8000-" + "0" * 12, disk=True
    ).follow(moment)
    assert ending.kind == "done", ending
    names = lane.log.names[before:]
    lane.stores.wipe()
    return {
        **{store: sum(name.startswith(f"{store}: ") for name in names) for store in STORES},
        "disk": len(disk),
    }


def every_case(counts: dict[str, int]) -> list[Case]:
    """Each call to a store and to the disk, with each harm."""
    calls = [
        Case(f"{what}: {store}", Fault("call", n, what, store))
        for store in STORES
        for n in range(1, counts[store] + 1)
        for what in AT_A_CALL
    ]
    disk = [
        Case(f"{what}: disk", Fault("disk", n, what))
        for n in range(1, counts["disk"] + 1)
        for what in AT_THE_DISK
    ]
    return calls + disk


def drawn(cases: list[Case], count: int, seed: int) -> list[Case]:
    """As many of each group as fit, so that no harm and no store is left out; stops are slow."""
    chance = random.Random(seed)
    groups: dict[str, list[Case]] = {}
    for case in cases:
        groups.setdefault(case.group, []).append(case)
    for group in groups.values():
        chance.shuffle(group)
    chosen: list[Case] = []
    while len(chosen) < count and any(groups.values()):
        for group in groups.values():
            if group and len(chosen) < count:
                chosen.append(group.pop())
    chance.shuffle(chosen)
    return chosen


@pytest.mark.timeout(14_400)
def test_a_fault_at_any_call_leaves_all_promises_kept(lanes, record):
    count, seed = int(os.environ.get("FAULT_CALLS", "24")), int(os.environ.get("FAULT_SEED", "1"))
    cases = every_case(calls_of_one_run(lanes[0]))
    verdicts = run_cases(lanes, drawn(cases, count, seed))
    struck = sum(verdict.fired for verdict in verdicts)
    record(verdicts)
    assert struck > 0.9 * len(verdicts), f"only {struck} of {len(verdicts)} faults came to happen"
