"""One connection through the fault proxy: two pumps, and what an action does to a call."""

from __future__ import annotations

import contextlib
import enum
import functools
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tests.faults.framing import Bytes, Conversation, Exchange, Piece

_BUFFER_BYTES = 2**18


class Kind(enum.Enum):
    """What is done to a call."""

    PASS = "pass"
    DROP_BEFORE = "dropped before"
    DROP_AFTER = "dropped after"
    ERROR = "error"
    DELAY = "delayed"
    HALF_CLOSE = "half a reply"


@dataclass(frozen=True)
class Action:
    """What a plan answers."""

    kind: Kind
    seconds: float = 0.0


PASS = Action(Kind.PASS)
DROP_BEFORE = Action(Kind.DROP_BEFORE)
"""Both ends are closed, and the store never hears of the call."""
DROP_AFTER = Action(Kind.DROP_AFTER)
"""The store does it and answers; both ends are closed, and the client never hears of it."""
ERROR = Action(Kind.ERROR)
"""The store never hears of it; the client is told what a store in trouble tells."""
HALF_CLOSE = Action(Kind.HALF_CLOSE)
"""The store does it; the client gets the first half of the reply, and then the end of the stream.
What the client sends after that is taken and thrown away."""
DELAY = functools.partial(Action, Kind.DELAY)
"""`DELAY(seconds)`: passed on, later."""


@dataclass(frozen=True)
class Call:
    """One call, as a plan sees it."""

    number: int
    """From 1, in the order in which calls begin."""
    name: str
    """The store and what is asked of it, such as `ledger: find batches`."""


class _BrokenOffError(Exception):
    """The connection is no more."""


@dataclass
class _HalfSent:
    """A reply of unknown length, of which half is passed on at any time."""

    held: bytearray
    received: int = 0
    sent: int = 0

    def take(self, data: Bytes) -> bytes:
        """What may be sent now."""
        self.held += data
        self.received += len(data)
        size = self.received // 2 - self.sent
        now = bytes(self.held[:size])
        del self.held[:size]
        self.sent += size
        return now


class Relay:
    """A client's connection and its twin to the server; `run` returns when both have ended."""

    def __init__(
        self,
        client: socket.socket,
        server: socket.socket,
        conversation: Conversation,
        decide: Callable[[str], Action],
        flowing: threading.Event,
        report: Callable[[Exception], None],
    ) -> None:
        self._client, self._server = client, server
        self._conversation = conversation
        self._decide = decide
        self._flowing = flowing
        self._report = report
        self._broken = threading.Event()
        self._halves: _HalfSent | None = None
        self._deaf = False  # the client has got its end of stream; what it says is thrown away
        self._actions: dict[Exchange, Action] = {}  # of calls that are not simply passed
        for end in (client, server):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def run(self) -> None:
        """Carry bytes until both directions have ended. What a plan raises is reported."""
        back = threading.Thread(target=self._guarded, args=(self._pump_replies,), daemon=True)
        back.start()
        self._guarded(self._pump_requests)
        back.join()
        self.close()

    def break_off(self) -> None:
        """End both connections, from any thread; whoever waits for their bytes wakes."""
        self._broken.set()
        for end in (self._client, self._server):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Give the sockets back; only when no thread uses them any more."""
        self._client.close()
        self._server.close()

    def _guarded(self, pump: Callable[[], None]) -> None:
        try:
            pump()
        except (OSError, _BrokenOffError):  # an end that is gone takes the other one with it
            self.break_off()
        except Exception as error:  # noqa: BLE001  raised in the test's own thread, by the proxy
            self._report(error)  # before the client can notice anything
            self.break_off()

    def _pump_requests(self) -> None:
        for data in _received(self._client):
            if self._deaf:
                continue
            for piece in self._conversation.requests(data):
                self._request(piece)
        if not self._deaf:
            self._wait_for_flow()
            self._server.shutdown(socket.SHUT_WR)

    def _pump_replies(self) -> None:
        for data in _received(self._server):
            for piece in self._conversation.replies(data):
                self._reply(piece)
                if self._deaf:
                    return
        self._wait_for_flow()
        self._client.shutdown(socket.SHUT_WR)

    def _request(self, piece: Piece) -> None:
        exchange = piece.exchange
        if exchange is None:
            self._send(self._server, piece.data)
            return
        if piece.begins:
            self._begin(exchange)
        if self._action(exchange).kind is not Kind.ERROR:
            self._send(self._server, piece.data)
        elif piece.ends:
            del self._actions[exchange]
            self._send(self._client, self._conversation.error_reply(exchange))
            if self._conversation.ends_after_error:
                self._say_no_more()

    def _begin(self, exchange: Exchange) -> None:
        """Ask the plan, and do what has to be done before the first byte."""
        self._wait_for_flow()
        action = self._decide(f"{self._conversation.label}: {exchange.name}")
        if action.kind is Kind.DROP_BEFORE:
            raise _BrokenOffError
        if action.kind is Kind.ERROR:
            self._conversation.forget(exchange)
        if action.kind is Kind.DELAY and self._broken.wait(action.seconds):
            raise _BrokenOffError
        if action.kind in (Kind.ERROR, Kind.DROP_AFTER, Kind.HALF_CLOSE):
            self._actions[exchange] = action

    def _reply(self, piece: Piece) -> None:
        kind = self._action(piece.exchange).kind
        if kind is Kind.DROP_AFTER:
            if piece.ends:
                raise _BrokenOffError
        elif kind is Kind.HALF_CLOSE:
            self._halves = self._halves or _HalfSent(bytearray())
            self._send(self._client, self._halves.take(piece.data))
            if piece.ends:
                self._say_no_more()
        else:
            self._send(self._client, piece.data)

    def _action(self, exchange: Exchange | None) -> Action:
        return self._actions.get(exchange, PASS) if exchange is not None else PASS

    def _say_no_more(self) -> None:
        """End the stream to the client, and hang up on the server; the client may go on."""
        self._deaf = True
        self._client.shutdown(socket.SHUT_WR)
        with contextlib.suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)

    def _send(self, end: socket.socket, data: Bytes) -> None:
        self._wait_for_flow()
        end.sendall(data)

    def _wait_for_flow(self) -> None:
        while not self._flowing.wait(0.1):
            if self._broken.is_set():
                raise _BrokenOffError


def _received(end: socket.socket) -> Iterator[bytes]:
    while data := end.recv(_BUFFER_BYTES):
        yield data
