"""The checker is worth something: it sees bugs that were planted, and says which promise broke."""

from __future__ import annotations

import pytest

from tests.faults.bugs import PLANTED
from tests.faults.cases import Case, Fault
from tests.faults.engine import run_case

pytestmark = pytest.mark.faults


def at(point: str, what: str) -> Fault:
    return Fault("point", point, what)


SHOWS_UNDER = {
    "no_fence": (at("commit.objects-checked", "stop"), "vectors"),
    "object_after_commit": (at("commit.run-ended", "kill"), "vectors"),
    "cleanup_before_commit": (at("commit.objects-checked", "kill"), "vectors"),
    "hash_of_the_wrong_bytes": (None, "vectors"),
    "commits_file_by_file": (None, "vectors"),
    "no_link_to_the_ledger": (None, "vectors"),
    "orphans_are_left": (at("eject.object-uploaded", "kill"), "vectors"),
    "schemas_are_left": (at("load.schema-created", "kill"), "vectors"),
    "folders_are_left": (at("fetch.file-fetched", "kill"), "vectors"),
    "a_try_is_a_new_batch": (at("commit.committed", "kill"), "vectors"),
    "receipt_before_the_ledger": (at("commit.in-transaction", "kill"), "vectors"),
    "rows_are_dropped_in_silence": (None, "vectors"),
    "retries_overwrite_the_object": (at("eject.reserved", "stop"), "vectors"),
}


@pytest.mark.parametrize("bug", SHOWS_UNDER)
def test_a_planted_bug_is_caught(lane, record_catch, bug):
    fault, kind = SHOWS_UNDER[bug]
    case = Case("planted", fault, kind, bugs=(bug,))
    try:
        verdict = run_case(lane, case)
    finally:
        lane.restore()
        lane.stores.wipe()
    checks = sorted({violation.check for violation in verdict.violations})
    record_catch(bug, str(fault or "no fault at all"), checks)
    assert checks, f"nobody saw {bug}: {verdict}"


def test_every_bug_in_the_box_is_planted_somewhere():
    from tests.faults.test_races import BUGS_THAT_NEED_A_RACE

    assert set(PLANTED) == set(SHOWS_UNDER) | set(BUGS_THAT_NEED_A_RACE)
