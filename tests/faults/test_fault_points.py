"""Every named moment of a run, and each harm there: the batch ends once, whole, and in order."""

from __future__ import annotations

import os
import random

import pytest

from libs.faultpoints import Point
from tests.faults.cases import AT_A_POINT, Case, Fault
from tests.faults.engine import run_cases
from tests.faults.lane import may_mount

pytestmark = pytest.mark.faults

POINTS = [point.value for point in Point if point is not Point.REJECTED]
OTHERS = [what for what in AT_A_POINT if what not in ("kill", "stop")]
LONG = "FAULT_LONG" in os.environ


def fault_cases(group: str, harms, kind: str = "vectors", points=None) -> list[Case]:
    return [
        Case(group, Fault("point", point, what), kind)
        for point in points or POINTS
        for what in harms(point)
    ]


def one_of_the_others(point: str) -> list[str]:
    """Each point gets each harm at length; in the short form, every second one gets one."""
    turn, is_left_out = divmod(POINTS.index(point), 2)
    return OTHERS if LONG else [] if is_left_out else [OTHERS[turn % len(OTHERS)]]


def struck(verdicts) -> None:
    missed = [str(verdict.case) for verdict in verdicts if not verdict.fired]
    assert not missed, f"these moments never came: {missed}"


@pytest.mark.timeout(1800)
def test_a_run_killed_at_any_moment_is_healed(lanes, record):
    verdicts = run_cases(lanes, fault_cases("killed at a point", lambda point: ["kill"]))
    record(verdicts)
    struck(verdicts)
    assert all(verdict.first.kind == "killed" for verdict in verdicts)


@pytest.mark.timeout(3600)
def test_an_error_a_cut_or_a_full_disk_at_any_moment_is_healed(lanes, record):
    verdicts = run_cases(lanes, fault_cases("an error, a cut, no room", one_of_the_others))
    record(verdicts)
    struck(verdicts)


@pytest.mark.timeout(3600)
def test_a_run_that_wakes_after_its_successor_changes_nothing(lanes, record):
    points = POINTS if LONG else random.Random(1).sample(POINTS[3:], 6)
    verdicts = run_cases(
        lanes, fault_cases("stopped past its lease", lambda point: ["stop"], points=points)
    )
    record(verdicts)
    struck(verdicts)


@pytest.mark.timeout(1800)
def test_rasters_and_vectors_in_one_batch_share_its_fate(lanes, record):
    points = POINTS if LONG else [p for p in POINTS if p.startswith(("load", "transform", "eject"))]
    harms = (lambda point: ["kill", "raise"]) if LONG else lambda point: ["kill"]
    verdicts = run_cases(lanes, fault_cases("a raster with it", harms, "mixed", points))
    record(verdicts)


@pytest.mark.timeout(600)
def test_parts_of_an_upload_that_died_are_thrown_away(lanes, record):
    places = ("partNumber=1", "partNumber=2", "?uploadId") if LONG else ("partNumber=2",)
    harms = ("kill", "kill before", "drop after", "error") if LONG else ("kill", "drop after")
    cases = [
        Case("an upload in parts", Fault("call", place, what, "vault"), "big")
        for place in places
        for what in harms
    ]
    verdicts = run_cases(lanes, cases)
    record(verdicts)
    struck(verdicts)


@pytest.mark.timeout(1800)
def test_a_batch_that_is_rejected_is_rejected_once_whatever_happens(lanes, record):
    points = [Point.REJECTED.value, *(p for p in POINTS if p.startswith(("settle", "clean-up")))]
    harms = (lambda point: [*OTHERS, "kill"]) if LONG else lambda point: ["kill"]
    verdicts = run_cases(lanes, fault_cases("a bad file", harms, "bad", points))
    record(verdicts)
    struck(verdicts)


@pytest.mark.timeout(1800)
def test_a_disk_that_is_too_small_is_no_loss(lanes, record):
    if not may_mount():
        pytest.skip("this user may not mount a small disk")
    sizes = range(4, 100, 4) if LONG else (4, 12, 24, 40)
    cases = [
        Case("a full disk", Fault("room", size, "enospc"), kind)
        for size in sizes
        for kind in (("vectors", "mixed") if LONG else ("mixed",))
    ]
    verdicts = run_cases(lanes, cases)
    for lane in lanes:
        lane.free_disk()
    record(verdicts)
    assert any("became full" in verdict.first.message for verdict in verdicts)


@pytest.mark.timeout(600)
def test_a_dead_clients_transaction_is_waited_for(lanes, record):
    """Without anybody ending its session for it: MongoDB and SecantusDB do that after a minute."""
    points = (Point.VERSIONS_TAKEN, Point.COMMITTING)[: 2 if LONG else 1]
    cases = [
        Case("a minute's patience", Fault("point", point.value, "kill"), patient=True)
        for point in points
    ]
    record(run_cases(lanes, cases))
