"""One case from its upload to its verdict: harm the first run, let the platform heal, and look.

The engine plays the orchestrator, and does what services/dagster does: it tells the ledger of a run
that was killed, starts another run while the manifest lies there, and lets the auditor come round.
"""

from __future__ import annotations

import os
import signal
import time
import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from queue import SimpleQueue

from tests.faults.cases import Case, Trap, submit
from tests.faults.checker import Submitted, Violation, check_all
from tests.faults.lane import Child, Ending, Lane, Moment
from tests.faults.reader import Reader

MAX_ATTEMPTS = 5
PATIENCE_S = 150.0
CASES_BEFORE_WIPE = 25


@dataclass
class Verdict:
    """What became of a case."""

    case: Case
    first: Ending
    fired: bool
    attempts: int
    seconds: float
    violations: list[Violation] = field(default_factory=list)

    def __str__(self) -> str:
        broken = "".join(f"\n    {violation}" for violation in self.violations)
        return f"{self.case} -> {self.first.kind} {self.first.message[:200]}{broken}"


FINISHED: list[Verdict] = []
"""Every verdict of this process, as it came: for the table, also of a campaign that was ended."""


def quiet(_moment: str, _pid: int) -> str:
    """No harm."""
    return ""


def run_case(lane: Lane, case: Case) -> Verdict:
    """The whole of a case on a lane that is free."""
    started = time.monotonic()
    submitted = submit(lane, case, f"c-{uuid.uuid4().hex[:12]}")
    with Reader(lane.stores, submitted) as reader:
        harm = _Harm(lane, case, submitted)
        first = harm.first_run()
        if case.kind == "withdrawn":
            lane.stores.withdraw(submitted.key)
        attempts = 1 + heal(lane, case, submitted)
        first = harm.wake(first)
        audits = [audit(lane, case) for _ in range(2)]
    verdict = Verdict(case, first, harm.trap.fired.is_set(), attempts, 0)
    verdict.violations = [
        *check_all(lane.stores, submitted),
        *reader.violations,
        *_of_audits(audits),
    ]
    if reader.looks == 0:
        verdict.violations.append(Violation("reader", "it never came to look"))
    lane.cases_since_wipe += 1
    if verdict.violations or lane.cases_since_wipe >= CASES_BEFORE_WIPE:
        lane.stores.wipe()
        lane.cases_since_wipe = 0
    verdict.seconds = time.monotonic() - started
    return verdict


class _Harm:
    """The first run of a case, and what happens to it."""

    def __init__(self, lane: Lane, case: Case, submitted: Submitted) -> None:
        self._lane, self._case = lane, case
        self._run_id = str(uuid.uuid4())
        where = case.fault.where if case.fault else ""
        self._child = start_run(
            lane, case, submitted, self._run_id, points=where == "point", disk=where == "disk"
        )
        self.trap = Trap(case.fault, lane, self._child.pid)

    def first_run(self) -> Ending:
        """Until it has ended, or stands still."""
        self.trap.arm()
        if self._case.fault is not None and self._case.fault.what == "stop":
            return self._until_stopped()
        ending = self._child.follow(self.trap.at_moment)
        self._lane.restore()
        if ending.kind != "done":
            self._tell_of_its_end(ending)
        return ending

    def _until_stopped(self) -> Ending:
        self._pool = ThreadPoolExecutor(1)
        self._following = self._pool.submit(self._child.follow, self.trap.at_moment)
        while not self.trap.fired.wait(0.02):
            if self._following.done():
                break
        self._lane.restore()
        return Ending("stopped")

    def wake(self, first: Ending) -> Ending:
        """A run that stood still goes on, long after its lease: it must not matter any more."""
        if first.kind != "stopped":
            return first
        os.kill(self._child.pid, signal.SIGCONT)
        ending = self._following.result(timeout=PATIENCE_S)
        self._pool.shutdown()
        return Ending(f"stopped, then {ending.kind}", ending.message)

    def _tell_of_its_end(self, ending: Ending) -> None:
        """What `failed_run_sensor` does after each run that failed, however much it said itself."""
        if ending.kind == "killed" and not self._case.patient:
            self._lane.stores.end_sessions()
        child = self._lane.keeper.start("abandon", run_id=self._run_id, bugs=self._case.bugs)
        child.follow(quiet)


def start_run(
    lane: Lane,
    case: Case,
    submitted: Submitted,
    run_id: str,
    *,
    points: bool = False,
    disk: bool = False,
    clock_s: float = 0,
) -> Child:
    """A run of the upload that lies there now, waiting at its first moment."""
    upload = lane.stores.upload_of(submitted.key)
    return lane.runner.start(
        "run",
        upload=upload,
        run_id=run_id,
        points=points,
        disk=disk,
        clock_s=clock_s,
        bugs=case.bugs,
    )


def heal(lane: Lane, case: Case, submitted: Submitted, moment: Moment = quiet) -> int:
    """What the sensor does: another run while the manifest lies there. Returns how many it took."""
    attempts, until = 0, time.monotonic() + PATIENCE_S
    while lane.stores.has_landing(submitted.key) and attempts < MAX_ATTEMPTS:
        ending = start_run(lane, case, submitted, str(uuid.uuid4())).follow(moment)
        if "BatchBusyError" not in ending.message:
            attempts += 1
        elif time.monotonic() > until:
            break
        else:
            time.sleep(0.5)  # another run has the lease; it runs out
    return attempts


def audit(lane: Lane, case: Case) -> Ending:
    """The auditor comes round."""
    return lane.keeper.start("audit", repair=True, bugs=case.bugs).follow(quiet)


def _of_audits(audits: Sequence[Ending]) -> list[Violation]:
    first, second = audits
    found = [Violation("audit_is_done_once", text) for text in second.findings]
    for ending in (first, second):
        if ending.kind != "done":
            found.append(Violation("audit_is_done_once", f"{ending.kind}: {ending.message}"))
    return found


def run_cases(lanes: Sequence[Lane], cases: Sequence[Case]) -> list[Verdict]:
    """All cases, each on the next lane that is free."""
    free: SimpleQueue[Lane] = SimpleQueue()
    for lane in lanes:
        free.put(lane)

    def on_a_lane(case: Case) -> Verdict:
        lane = free.get()
        try:
            verdict = run_case(lane, case)
            FINISHED.append(verdict)
            return verdict
        finally:
            lane.restore()
            free.put(lane)

    with ThreadPoolExecutor(len(lanes)) as pool:
        return list(pool.map(on_a_lane, cases))
