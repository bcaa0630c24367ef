"""A commit whose reply is lost is found out about, never guessed: through a proxy that cuts."""

from __future__ import annotations

import contextlib
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from libs.ledger import CommitUnknownError, LeaseLostError, Ledger, LedgerUnavailableError
from libs.models import Asset, Batch, BatchState
from libs.settings import LedgerSettings

pytestmark = pytest.mark.integration


class CuttingProxy:
    """Passes bytes on until it sees a word from the client; then cuts, some times or always."""

    def __init__(self, host: str, port: int) -> None:
        self._server = (host, port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.word = b"\x00never\x00"
        self.cuts_left = 0
        self.passes_request = True
        self.cut_count = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def cut_at(self, command: str, *, times: int, after_the_request: bool) -> None:
        self.word, self.cuts_left = b"\x10" + command.encode() + b"\x00", times
        self.passes_request = after_the_request

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, socket.create_connection(self._server) as server:
            back = threading.Thread(target=self._pump, args=(server, client), daemon=True)
            back.start()
            self._pump(client, server, from_client=True)
            back.join()

    def _pump(
        self, source: socket.socket, sink: socket.socket, *, from_client: bool = False
    ) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(2**20):
                if from_client and self.cuts_left and self.word in data:
                    self._cut(source, sink, data)
                    break
                sink.sendall(data)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _cut(self, client: socket.socket, server: socket.socket, data: bytes) -> None:
        self.cuts_left -= 1
        self.cut_count += 1
        client.shutdown(socket.SHUT_RDWR)  # first, so that no reply gets through
        if self.passes_request:
            server.sendall(data)
            time.sleep(0.2)  # carried out before the server sees the line's end


@pytest.fixture
def proxy(ledger_settings: LedgerSettings) -> Iterator[CuttingProxy]:
    match = re.match(r"mongodb://([^:/,]+):(\d+)", ledger_settings.uri)
    assert match, "these tests need one server with its port in MONGODB_URI"
    proxy = CuttingProxy(match.group(1), int(match.group(2)))
    yield proxy
    proxy.close()


@pytest.fixture
def shaky(ledger_settings: LedgerSettings, proxy: CuttingProxy) -> Iterator[Ledger]:
    """The same ledger, reached through the proxy."""
    uri = f"mongodb://127.0.0.1:{proxy.port}/?directConnection=true"
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
    proxy: CuttingProxy,
    prepared: Prepared,
    *,
    after_the_request: bool,
    times: int,
) -> None:
    batch, assets = prepared()
    proxy.cut_at("commitTransaction", times=times, after_the_request=after_the_request)
    answer = shaky.commit(batch.id, batch.fence, assets, ())
    assert proxy.cut_count == times
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
    proxy: CuttingProxy,
    prepared: Prepared,
    *,
    after_the_request: bool,
) -> None:
    batch, assets = prepared()
    proxy.cut_at("commitTransaction", times=10**6, after_the_request=after_the_request)
    with pytest.raises(CommitUnknownError, match=batch.id):
        shaky.commit(batch.id, batch.fence, assets, ())
    # And the truth is all or nothing; asking again, over a sound line, makes or finds it.
    assert len(ledger.assets_of_batch(batch.id)) in (0, 3)
    assert ledger.commit(batch.id, batch.fence, assets, ()).state is BatchState.COMMITTED
    assert len(ledger.assets_of_batch(batch.id)) == 3


def test_a_successor_that_took_over_while_the_reply_was_lost_is_found(
    ledger: Ledger, shaky: Ledger, proxy: CuttingProxy, make: Any, prepared: Prepared
) -> None:
    batch, assets = prepared()
    ledger.renew(batch.id, batch.fence, 0)
    proxy.cut_at("commitTransaction", times=1, after_the_request=False)
    successor = ledger.claim(batch.id, make.run_id(), 60)
    with pytest.raises(LeaseLostError):
        shaky.commit(batch.id, batch.fence, assets, ())
    assert ledger.batch(batch.id) == successor
    assert list(ledger.committed_assets()) == []


@pytest.mark.parametrize("command", ["find", "insert", "update", "findAndModify"])
def test_a_line_cut_in_the_middle_of_a_reservation_loses_and_doubles_nothing(
    ledger: Ledger,
    shaky: Ledger,
    proxy: CuttingProxy,
    make: Any,
    claimed: Callable[..., Batch],
    reserve: Callable[..., Any],
    command: str,
) -> None:
    batch = claimed("one")
    proxy.cut_at(command, times=1, after_the_request=True)
    proxy.word = b"\x02" + command.encode() + b"\x00"
    (asset,) = reserve(batch, make.draft(batch), by=shaky)
    assert asset.version == 1
    assert list(ledger.pending_assets()) == [asset]
    dataset = ledger.dataset("ALPHA/roads")
    assert dataset is not None
    assert dataset.last_version == 1


def test_a_ledger_that_is_away_is_a_transient_error_in_time(
    shaky: Ledger, proxy: CuttingProxy, prepared: Prepared
) -> None:
    batch, assets = prepared()
    proxy.close()
    with pytest.raises(LedgerUnavailableError):
        shaky.commit(batch.id, batch.fence, assets, ())
    with pytest.raises(LedgerUnavailableError):
        shaky.batch(batch.id)
