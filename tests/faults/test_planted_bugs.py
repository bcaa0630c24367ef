"""The checker is worth something: it sees bugs that were planted, and says which promise broke."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from tests.faults.bugs import PLANTED
from tests.faults.cases import Case, Fault
from tests.faults.engine import run_case

pytestmark = pytest.mark.faults


def at(point: str, what: str) -> Fault:
    return Fault("point", point, what)


@dataclass(frozen=True)
class Bait:
    """The fault under which a bug shows, and the check that is there to see it."""

    check: str
    fault: Fault | None = None
    kind: str = "vectors"


SHOWS_UNDER = {
    "no_fence": Bait("readers_see_all_or_nothing", at("commit.objects-checked", "stop")),
    "object_after_commit": Bait("readers_see_all_or_nothing", at("commit.run-ended", "kill")),
    "cleanup_before_commit": Bait("ended_once", at("commit.objects-checked", "kill")),
    "hash_of_the_wrong_bytes": Bait("documents_have_their_objects"),
    "commits_file_by_file": Bait("readers_see_all_or_nothing"),
    "no_link_to_the_ledger": Bait("documents_have_their_objects"),
    "orphans_are_left": Bait("objects_have_their_documents", at("eject.object-uploaded", "kill")),
    "schemas_are_left": Bait("nothing_is_left_over", at("load.schema-created", "kill")),
    "folders_are_left": Bait("nothing_is_left_over", at("fetch.file-fetched", "kill")),
    "reservations_are_left": Bait("nothing_is_pending", at("eject.reserved", "kill"), "withdrawn"),
    "a_try_is_a_new_batch": Bait("ended_once", at("commit.committed", "kill")),
    "receipt_before_the_ledger": Bait("answered_once", at("commit.in-transaction", "kill")),
    "rows_are_dropped_in_silence": Bait("data_is_whole"),
    "tries_share_a_key": Bait("documents_have_their_objects", at("eject.reserved", "stop")),
}


@pytest.mark.timeout(600)
@pytest.mark.parametrize("bug", SHOWS_UNDER)
def test_a_planted_bug_is_caught(lane, record_catch, bug):
    bait = SHOWS_UNDER[bug]
    try:
        verdict = run_case(lane, Case("planted", bait.fault, bait.kind, bugs=(bug,)))
    finally:
        lane.restore()
        lane.stores.wipe()
    checks = sorted({violation.check for violation in verdict.violations})
    record_catch(bug, str(bait.fault or "no fault at all"), checks)
    assert bait.check in checks, f"{bug} was not seen by {bait.check}: {verdict}"


def test_every_bug_in_the_box_is_planted_somewhere():
    from tests.faults.test_races import BUGS_THAT_NEED_A_RACE

    assert set(PLANTED) == set(SHOWS_UNDER) | set(BUGS_THAT_NEED_A_RACE)
