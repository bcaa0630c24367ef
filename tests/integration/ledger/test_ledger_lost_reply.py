"""A commit whose reply is lost is found out about, never guessed: through a proxy that cuts."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from libs.ledger import CommitUnknownError, LeaseLostError, Ledger, LedgerUnavailableError
from libs.models import Asset, Batch, BatchState
from libs.settings import LedgerSettings
from tests.faults.proxy import DROP_AFTER, DROP_BEFORE, PASS, Action, Call, FaultProxy

pytestmark = pytest.mark.integration


class Cuts:
    """The proxy's plan: breaks the line off at a command, some times or always."""

    def __init__(self) -> None:
        self._command, self._action, self._left = "", PASS, 0
        self.count = 0

    def at(self, command: str, *, times: int, after_the_request: bool) -> None:
        self._command, self._left = command, times
        self._action = DROP_AFTER if after_the_request else DROP_BEFORE

    def __call__(self, call: Call) -> Action:
        command = call.name.removeprefix("ledger: ").split()[0]
        if command != self._command or not self._left:
            return PASS
        self._left -= 1
        self.count += 1
        return self._action


@pytest.fixture
def cuts() -> Cuts:
    return Cuts()


@pytest.fixture
def proxy(ledger_settings: LedgerSettings, cuts: Cuts) -> Iterator[FaultProxy]:
    match = re.match(r"mongodb://([^:/,]+):(\d+)", ledger_settings.uri)
    assert match, "these tests need one server with its port in MONGODB_URI"
    with FaultProxy("mongodb", match.group(1), int(match.group(2)), plan=cuts) as proxy:
        yield proxy


@pytest.fixture
def shaky(ledger_settings: LedgerSettings, proxy: FaultProxy) -> Iterator[Ledger]:
    """The same ledger, reached through the proxy."""
    uri = f"mongodb://{proxy.address}/?directConnection=true"
    through = ledger_settings.model_copy(update={"uri": uri, "timeout_s": 1.0})
    with Ledger.connect(through) as ledger:
        yield ledger


Prepared = Callable[[], tuple[Batch, tuple[Asset, ...]]]


@pytest.fixture
def prepared(make: Any, claimed: Callable[..., Batch], reserve: Callable[..., Any]) -> Prepared:
    def act() -> tuple[Batch, tuple[Asset, ...]]:
        batch = claimed("one")
        drafts = [make.draft(batch, f"A/{name}", index) for index, name in enumerate("abc")]
        return batch, reserve(batch, *drafts)

    return act


@pytest.mark.parametrize("after_the_request", [True, False])
@pytest.mark.parametrize("times", [1, 2, 3])
def test_a_commit_is_known_to_have_happened_although_its_replies_were_lost(
    ledger: Ledger,
    shaky: Ledger,
    cuts: Cuts,
    prepared: Prepared,
    *,
    after_the_request: bool,
    times: int,
) -> None:
    batch, assets = prepared()
    cuts.at("commitTransaction", times=times, after_the_request=after_the_request)
    answer = shaky.commit(batch.id, batch.fence, assets, ())
    assert cuts.count == times
    assert answer == ledger.batch(batch.id)
    assert answer.state is BatchState.COMMITTED
    assert len(ledger.assets_of_batch(batch.id)) == 3
    dataset = ledger.dataset("A/a")
    assert dataset is not None
    assert (dataset.last_version, dataset.current_version) == (1, 1)


# The server keeps what an unreachable client locked for 60 s; then it is free again.
@pytest.mark.parametrize("after_the_request", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_a_commit_that_cannot_be_read_back_says_that_it_does_not_know(
    ledger: Ledger,
    shaky: Ledger,
    cuts: Cuts,
    prepared: Prepared,
    *,
    after_the_request: bool,
) -> None:
    batch, assets = prepared()
    cuts.at("commitTransaction", times=10**6, after_the_request=after_the_request)
    with pytest.raises(CommitUnknownError, match=batch.id):
        shaky.commit(batch.id, batch.fence, assets, ())
    # And the truth is all or nothing; asking again, over a sound line, makes or finds it.
    assert len(ledger.assets_of_batch(batch.id)) in (0, 3)
    assert ledger.commit(batch.id, batch.fence, assets, ()).state is BatchState.COMMITTED
    assert len(ledger.assets_of_batch(batch.id)) == 3


def test_a_successor_that_took_over_while_the_reply_was_lost_is_found(
    ledger: Ledger, shaky: Ledger, cuts: Cuts, make: Any, prepared: Prepared
) -> None:
    batch, assets = prepared()
    ledger.renew(batch.id, batch.fence, 0)
    cuts.at("commitTransaction", times=1, after_the_request=False)
    successor = ledger.claim(batch.id, make.run_id(), 60)
    with pytest.raises(LeaseLostError):
        shaky.commit(batch.id, batch.fence, assets, ())
    assert ledger.batch(batch.id) == successor
    assert list(ledger.committed_assets()) == []


@pytest.mark.parametrize("command", ["find", "insert", "update", "commitTransaction"])
def test_a_line_cut_in_the_middle_of_a_reservation_loses_and_doubles_nothing(
    ledger: Ledger,
    shaky: Ledger,
    cuts: Cuts,
    make: Any,
    claimed: Callable[..., Batch],
    reserve: Callable[..., Any],
    command: str,
) -> None:
    batch = claimed("one")
    cuts.at(command, times=1, after_the_request=True)
    (asset,) = reserve(batch, make.draft(batch), by=shaky)
    assert cuts.count == 1
    assert asset.version == 1
    assert list(ledger.pending_assets()) == [asset]
    dataset = ledger.dataset("ALPHA/roads")
    assert dataset is not None
    assert dataset.last_version == 1


def test_a_ledger_that_is_away_is_a_transient_error_in_time(
    shaky: Ledger, proxy: FaultProxy, prepared: Prepared
) -> None:
    batch, assets = prepared()
    proxy.cut()
    with pytest.raises(LedgerUnavailableError):
        shaky.commit(batch.id, batch.fence, assets, ())
    with pytest.raises(LedgerUnavailableError):
        shaky.batch(batch.id)
